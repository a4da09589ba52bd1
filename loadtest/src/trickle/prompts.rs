//! What the trickle asks: short questions as applications send them, varied by number.

use serde_json::{Value, json};

use super::TrickleKind;
use crate::dice::Dice;

const SYSTEM: &str = "You are a helpful assistant. Answer briefly.";
const QUESTIONS: [&str; 10] = [
    "Summarise this support ticket in two sentences: the parcel arrived late and the box was damaged.",
    "Translate to French: the meeting is moved to Thursday at ten.",
    "Which index would you add for a query that filters by customer and sorts by date?",
    "Write a friendly reminder for an invoice that is two weeks overdue.",
    "Explain the difference between a mutex and a semaphore to a new colleague.",
    "Name three risks of moving this service to another region.",
    "Extract the city and the date: we land in Porto on the fourth of May.",
    "Classify the sentiment: the update broke my favourite feature, please bring it back.",
    "Suggest a title for a talk about keeping dashboards honest.",
    "Is this line of a log worth waking someone up? disk usage 81 percent, growing slowly",
];

/// The body of request `number`.
pub(super) fn body(kind: TrickleKind, model: &str, dice: Dice, number: u64) -> Value {
    let question = pick(dice.roll(1));
    let max_tokens = 16 + dice.roll(2) % 64;
    // The number keeps two requests from being the same, as they are in life.
    let content = format!("{question} (reference {number})");
    match kind {
        TrickleKind::Embedding => json!({"model": model, "input": content}),
        TrickleKind::Chat | TrickleKind::ChatStream => {
            let messages =
                json!([{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]);
            let mut body = json!({"model": model, "max_tokens": max_tokens, "messages": messages});
            if let (TrickleKind::ChatStream, Some(members)) = (kind, body.as_object_mut()) {
                members.insert("stream".to_owned(), true.into());
                members.insert("stream_options".to_owned(), json!({"include_usage": true}));
            }
            body
        }
        TrickleKind::Message | TrickleKind::MessageStream => {
            let messages = json!([{"role": "user", "content": content}]);
            let stream = kind == TrickleKind::MessageStream;
            json!({"model": model, "max_tokens": max_tokens, "system": SYSTEM, "messages": messages, "stream": stream})
        }
    }
}

fn pick(roll: u64) -> &'static str {
    let len = u64::try_from(QUESTIONS.len()).unwrap_or(1);
    let index = usize::try_from(roll % len).unwrap_or(0);
    QUESTIONS.get(index).copied().unwrap_or("Say hello.")
}
