//! Puts a conversation into the order that providers insist on.
//!
//! Turns of one speaker that follow each other are one turn; the results of an assistant's calls come directly
//! after it, in the order of the calls, before anything else the user says. Clients are laxer: results late, out
//! of order or missing, each in a message of its own.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use super::{Kind, Part, Role, Turn};
use crate::loss::Loss;

/// What stands in for the result of a call that was never answered.
const NO_RESULT: &str = "No result: this call was not answered.";
/// What the user says where a dialect wants the user to speak first.
const OPENING: &str = "(The conversation begins here.)";
/// What the user says where a dialect does not let the assistant's turn be the last one.
const CLOSING: &str = "Please continue.";

/// Where instructions in the middle of the conversation go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instructions {
    /// They stay where they are.
    Stay,
    /// They are taken out, to stand before everything.
    Lead,
}

/// The instructions that lead (none where they stay), and the conversation in order.
pub(crate) fn arrange<'a>(
    turns: Vec<Turn<'a>>,
    instructions: Instructions,
    loss: &mut Loss,
) -> (Vec<Turn<'a>>, Vec<Turn<'a>>) {
    let lead = |turn: &Turn<'_>| instructions == Instructions::Lead && turn.role.instructs();
    let (leading, rest): (Vec<_>, Vec<_>) = turns.into_iter().partition(lead);
    (leading, merge(answer_calls(merge(rest), loss)))
}

/// Orders what the assistant said: thoughts come first, calls last.
pub(crate) fn order(turns: &mut [Turn<'_>]) {
    for turn in turns.iter_mut().filter(|turn| turn.role == Role::Assistant) {
        turn.parts.sort_by_key(|part| match part.kind {
            Kind::Thinking { .. } | Kind::RedactedThinking(_) => 0,
            Kind::ToolCall(_) => 2,
            _ => 1,
        });
    }
}

/// The last turn, if it is the assistant's, may not end in white space.
pub(crate) fn trim_last(turns: &mut [Turn<'_>]) {
    let last = turns.last_mut().filter(|turn| turn.role == Role::Assistant);
    if let Some(part) = last.and_then(|turn| turn.parts.last_mut())
        && let Kind::Text(text) = &mut part.kind
    {
        let kept = text.trim_end().len();
        if kept < text.len() {
            text.to_mut().truncate(kept);
        }
    }
}

/// Lets the user speak first.
pub(crate) fn open(turns: &mut Vec<Turn<'_>>) {
    if turns.first().is_none_or(|turn| turn.role != Role::User) {
        turns.insert(0, said(Role::User, OPENING));
    }
}

/// Lets the user speak last.
pub(crate) fn close(turns: &mut Vec<Turn<'_>>) {
    if turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
        turns.push(said(Role::User, CLOSING));
    }
}

fn said(role: Role, text: &'static str) -> Turn<'static> {
    Turn {
        at: String::new(),
        role,
        name: None,
        parts: vec![Part::new(String::new(), Kind::Text(text.into()))],
        extra: Vec::new(),
    }
}

/// Merges neighbours of one speaker, and drops what says nothing.
fn merge(turns: Vec<Turn<'_>>) -> Vec<Turn<'_>> {
    let mut merged: Vec<Turn<'_>> = Vec::with_capacity(turns.len());
    for mut turn in turns {
        turn.parts.retain(|part| !part.is_empty());
        match merged.last_mut() {
            Some(last) if last.role == turn.role && !turn.role.instructs() && last.name == turn.name => {
                last.parts.append(&mut turn.parts);
                last.extra.append(&mut turn.extra);
            }
            _ if turn.parts.is_empty() && turn.extra.is_empty() => {}
            _ => merged.push(turn),
        }
    }
    merged
}

/// Results by the id of their call, each with the position of its turn, in order.
type Results<'a> = HashMap<Cow<'a, str>, VecDeque<(usize, Part<'a>)>>;

fn answer_calls<'a>(mut turns: Vec<Turn<'a>>, loss: &mut Loss) -> Vec<Turn<'a>> {
    let mut results = take_results(&mut turns);
    let until = reuse(&turns);
    let mut answered = Vec::with_capacity(turns.len() + 1);
    let mut answers = Vec::with_capacity(turns.len());
    let mut orphans = Vec::new();
    for (position, (turn, until)) in turns.iter().zip(&until).enumerate() {
        let mut found = Vec::new();
        for (part, until) in turn.parts.iter().zip(until) {
            if let Kind::ToolCall(call) = &part.kind {
                let given = results.get_mut(&call.id).and_then(|given| {
                    // What came before this call came before all calls behind it, too.
                    while given.front().is_some_and(|(at, _)| *at <= position) {
                        orphans.extend(given.pop_front());
                    }
                    let fits = given.front().is_some_and(|(at, _)| at <= until);
                    fits.then(|| given.pop_front()).flatten()
                });
                found.push(given.map_or_else(|| unanswered(call.id.clone()), |(_, part)| part));
            }
        }
        answers.push(found);
    }
    orphans.extend(results.into_values().flatten());
    put_orphans_back(&mut turns, orphans, loss);
    for (turn, answers) in turns.into_iter().zip(answers) {
        let speaks = !turn.parts.is_empty() || !turn.extra.is_empty();
        if speaks {
            answered.push(turn);
        }
        if !answers.is_empty() {
            answered.push(Turn {
                parts: answers,
                ..said(Role::User, "")
            });
        }
    }
    answered
}

fn take_results<'a>(turns: &mut [Turn<'a>]) -> Results<'a> {
    let mut results = Results::new();
    for (position, turn) in turns.iter_mut().enumerate() {
        let is_result = |part: &Part<'_>| matches!(part.kind, Kind::ToolResult { .. });
        if !turn.parts.iter().any(is_result) {
            continue;
        }
        let (taken, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut turn.parts).into_iter().partition(is_result);
        turn.parts = kept;
        for part in taken {
            if let Kind::ToolResult { id, .. } = &part.kind {
                results.entry(id.clone()).or_default().push_back((position, part));
            }
        }
    }
    results
}

/// For each part of each turn: up to which turn a result belongs to it. Some clients use an id twice: from the
/// turn of the next such call on, results belong to that one.
fn reuse(turns: &[Turn<'_>]) -> Vec<Vec<usize>> {
    let mut next: HashMap<&str, usize> = HashMap::new();
    let mut until = Vec::with_capacity(turns.len());
    for (position, turn) in turns.iter().enumerate().rev() {
        let of_part = |part: &Part<'_>| match &part.kind {
            Kind::ToolCall(call) => next.get(&*call.id).copied().unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        until.push(turn.parts.iter().map(of_part).collect());
        for part in &turn.parts {
            if let Kind::ToolCall(call) = &part.kind {
                next.insert(&call.id, position);
            }
        }
    }
    until.reverse();
    until
}

/// Results of calls that nobody made are no results: what they say stays, as text.
fn put_orphans_back<'a>(turns: &mut [Turn<'a>], mut orphans: Vec<(usize, Part<'a>)>, loss: &mut Loss) {
    orphans.sort_by(|(a, one), (b, other)| (a, &one.at).cmp(&(b, &other.at)));
    for (position, part) in orphans {
        loss.note(&*part.at);
        if let (Some(turn), Kind::ToolResult { parts, .. }) = (turns.get_mut(position), part.kind) {
            turn.parts
                .extend(parts.into_iter().filter(|part| !part.is_empty()));
        }
    }
}

fn unanswered(id: Cow<'_, str>) -> Part<'_> {
    let parts = vec![Part::new(String::new(), Kind::Text(NO_RESULT.into()))];
    let is_error = true;
    Part::new(String::new(), Kind::ToolResult { id, parts, is_error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Call;

    fn call(id: &'static str) -> Part<'static> {
        let (id, name, arguments) = (id.into(), "f".into(), "{}".into());
        Part::new(String::new(), Kind::ToolCall(Call { id, name, arguments }))
    }

    fn result(id: &'static str, text: &'static str) -> Part<'static> {
        let parts = vec![Part::new(String::new(), Kind::Text(text.into()))];
        let (id, is_error) = (id.into(), false);
        Part::new(id_path(text), Kind::ToolResult { id, parts, is_error })
    }

    fn id_path(text: &str) -> String {
        format!("at {text}")
    }

    fn turn(role: Role, parts: Vec<Part<'static>>) -> Turn<'static> {
        Turn {
            parts,
            ..said(role, "")
        }
    }

    /// The conversation in a few letters: role, calls, results with their texts.
    fn shown(turns: &[Turn<'_>]) -> String {
        let part = |part: &Part<'_>| match &part.kind {
            Kind::Text(text) => format!("'{text}'"),
            Kind::ToolCall(call) => format!("call {}", call.id),
            Kind::ToolResult { id, parts, .. } => {
                let texts = parts.iter().map(|part| match &part.kind {
                    Kind::Text(text) => text.as_ref(),
                    _ => "?",
                });
                format!("{id}: {}", texts.collect::<String>())
            }
            _ => "?".to_owned(),
        };
        let turn = |turn: &Turn<'_>| {
            let parts: Vec<_> = turn.parts.iter().map(part).collect();
            format!("{:?}[{}]", turn.role, parts.join(", "))
        };
        turns.iter().map(turn).collect::<Vec<_>>().join(" ")
    }

    fn arranged(turns: Vec<Turn<'static>>) -> (String, Vec<String>) {
        let mut loss = Loss::default();
        let (_, turns) = arrange(turns, Instructions::Stay, &mut loss);
        (shown(&turns), loss.paths().map(str::to_owned).collect())
    }

    #[test]
    fn results_follow_their_calls_whatever_came_between() {
        let (shown, loss) = arranged(vec![
            said(Role::User, "go"),
            turn(Role::Assistant, vec![call("a")]),
            turn(Role::Assistant, vec![call("b")]),
            said(Role::User, "hurry"),
            turn(Role::User, vec![result("b", "2")]),
            turn(Role::User, vec![result("a", "1")]),
        ]);
        assert_eq!(
            shown,
            "User['go'] Assistant[call a, call b] User[a: 1, b: 2, 'hurry']"
        );
        assert!(loss.is_empty());
    }

    #[test]
    fn an_id_that_is_used_again_belongs_to_the_nearer_call() {
        let (shown, loss) = arranged(vec![
            turn(Role::Assistant, vec![call("a")]),
            said(Role::User, "and?"),
            turn(Role::Assistant, vec![call("a")]),
            turn(Role::User, vec![result("a", "late")]),
        ]);
        let expected =
            format!("Assistant[call a] User[a: {NO_RESULT}, 'and?'] Assistant[call a] User[a: late]");
        assert_eq!((shown, loss.len()), (expected, 0));
    }

    #[test]
    fn results_of_no_call_stay_as_text_and_are_named() {
        let (shown, loss) = arranged(vec![
            turn(Role::User, vec![result("x", "early")]),
            turn(Role::Assistant, vec![call("x")]),
            turn(Role::User, vec![result("x", "1"), result("x", "twice")]),
        ]);
        assert_eq!(shown, "User['early'] Assistant[call x] User[x: 1, 'twice']");
        assert_eq!(loss, ["at early", "at twice"]);
    }
}
