//! What a provider wants back, in the hands of a client that speaks another dialect.
//!
//! A client gives some strings back as they were: signatures, encrypted thoughts. So what it must keep for somebody
//! else travels in one of those, as the base64 of `tollgate:<what>:<data>`. `<what>` is the name of the dialect whose
//! [`State`] it is, with `/next` behind it if it belongs to what is said next, and `/last` if it belongs to what was
//! said last; a few dialects know other words, too. Base64, because that is what these strings are anyway; with a
//! mark in it, because it must never reach a provider: who checks signatures refuses what is not its own.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use memchr::memmem;
use tollgate_core::Dialect;

use super::{Kind, Part, State};
use crate::json::{self, Fields};
use crate::loss::Loss;
use crate::patch::{Patches, place_of};

/// What tagged data begins with.
const TAG: &str = "tollgate:";
/// The same in base64: nine bytes are twelve letters, whatever follows.
const TAG_IN_BASE64: &str = "dG9sbGdhdGU6";

/// All dialects, to find one by its name.
pub(crate) const DIALECTS: [Dialect; 6] = [
    Dialect::OpenAi,
    Dialect::Responses,
    Dialect::Anthropic,
    Dialect::Gemini,
    Dialect::Cohere,
    Dialect::Bedrock,
];

/// Whom what is carried belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// The thoughts it stands with; nobody else if there are none.
    Itself,
    /// What is said next.
    Next,
    /// What was said last.
    Last,
}

impl Owner {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Itself => "",
            Self::Next => "/next",
            Self::Last => "/last",
        }
    }
}

/// Data with a word of what it is.
pub(crate) fn tagged(what: &str, data: &str) -> String {
    STANDARD.encode(format!("{TAG}{what}:{data}"))
}

/// Whether a text is tagged.
pub(crate) fn is_tagged(text: &str) -> bool {
    text.starts_with(TAG_IN_BASE64)
}

/// Whether a request holds anything that is tagged, which must not reach a provider.
pub(crate) fn is_tagged_in(body: &[u8]) -> bool {
    memmem::find(body, TAG_IN_BASE64.as_bytes()).is_some()
}

/// What a tagged text is, and its data; in either alphabet of base64. `None`: it is not tagged, or not readable.
pub(crate) fn untagged(text: &str) -> Option<(String, String)> {
    if !is_tagged(text) {
        return None;
    }
    let standard: String = text
        .trim_end_matches('=')
        .chars()
        .map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            letter => letter,
        })
        .collect();
    let text = String::from_utf8(STANDARD_NO_PAD.decode(standard).ok()?).ok()?;
    let (what, data) = text.strip_prefix(TAG)?.split_once(':')?;
    Some((what.to_owned(), data.to_owned()))
}

/// The dialect of this name.
pub(crate) fn dialect(name: &str) -> Option<Dialect> {
    DIALECTS.into_iter().find(|dialect| dialect.name() == name)
}

/// A string that carries a provider's state.
pub(crate) fn of_state(state: &State<'_>, owner: Owner) -> String {
    tagged(&format!("{}{}", state.of.name(), owner.suffix()), &state.data)
}

/// The state that a string carries, and whom it belongs to. `None`: none that can be read.
pub(crate) fn state(text: &str) -> Option<(State<'static>, Owner)> {
    let (what, data) = untagged(text)?;
    let owners = [Owner::Next, Owner::Last];
    let found = owners
        .into_iter()
        .find_map(|owner| Some((what.strip_suffix(owner.suffix())?, owner)));
    let (name, owner) = found.unwrap_or((&what, Owner::Itself));
    let (of, data) = (dialect(name)?, data.into());
    Some((State { of, data }, owner))
}

/// Thoughts that are nothing but what their provider wants back.
pub(crate) fn alone(at: String, state: State<'_>) -> Part<'_> {
    let kind = Kind::Thinking {
        text: "".into(),
        signature: None,
    };
    let mut part = Part::new(at, kind);
    part.state = Some(state);
    part
}

/// A block of thoughts that carries what a provider wants back with a part.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) block: Part<'static>,
    /// Whether the block stands for the part, else in front of it.
    pub(crate) instead: bool,
}

/// What carries the state of a part of an answer, for dialects that have thoughts with signatures and encrypted ones.
/// `None`: there is no state, or thoughts with a signature of their own.
///
/// Thoughts have a signature for it. All else has none: there it stands in front, in the block that clients must give
/// back whatever they make of its content, and that has nothing to show. An empty block of thoughts would do neither.
pub(crate) fn carrier(part: &Part<'_>) -> Option<Carrier> {
    let state = part.state.as_ref()?;
    let (kind, instead) = match &part.kind {
        Kind::Thinking { signature, .. } if signature.as_ref().is_some_and(|text| !text.is_empty()) => {
            return None;
        }
        Kind::Thinking { text, .. } if !text.is_empty() => {
            let text = text.clone().into_owned().into();
            let signature = Some(of_state(state, Owner::Itself).into());
            (Kind::Thinking { text, signature }, true)
        }
        _ => {
            let stands_alone = is_hollow(part) || part.is_empty();
            let owner = if stands_alone { Owner::Itself } else { Owner::Next };
            (
                Kind::RedactedThinking(of_state(state, owner).into()),
                stands_alone,
            )
        }
    };
    let block = Part::new(String::new(), kind);
    Some(Carrier { block, instead })
}

/// Whether a part is thoughts without words or proof.
pub(crate) fn is_hollow(part: &Part<'_>) -> bool {
    let Kind::Thinking { text, signature } = &part.kind else {
        return false;
    };
    text.is_empty() && signature.as_ref().is_none_or(|signature| signature.is_empty())
}

/// What takes the blocks of content that are `carrying` out of a request's `messages`, so that their own provider may have
/// it, and the messages that are left: one of nothing else is left out. `None`: there are no such blocks.
pub(crate) fn without_blocks<'a>(
    request: &Fields<'a>,
    body: &[u8],
    carrying: fn(&Fields<'_>) -> bool,
    loss: &mut Loss,
) -> Option<(Patches, Vec<Cow<'a, str>>)> {
    let messages = request.raw("messages").filter(|list| list.starts_with('['))?;
    let mut has_changed = false;
    let mut kept = Vec::new();
    for (index, message) in json::elements(messages).into_iter().enumerate() {
        let own = message_without(message, index, carrying, loss);
        has_changed |= own.is_some();
        // A message of nothing is refused, and turns of one speaker in a row are not.
        if own.as_ref().is_none_or(|own| !own.is_empty()) {
            kept.push(own.map_or(Cow::Borrowed(message), Cow::Owned));
        }
    }
    if !has_changed {
        return None;
    }
    let mut patches = Patches::default();
    let left = format!("[{}]", kept.join(","));
    patches
        .replace(place_of(body, messages)?, left.into_bytes())
        .ok()?;
    Some((patches, kept))
}

/// The message without carrying blocks: `None` if it has none, an empty text if it had nothing else.
fn message_without(
    message: &str,
    index: usize,
    carrying: fn(&Fields<'_>) -> bool,
    loss: &mut Loss,
) -> Option<String> {
    if !is_tagged_in(message.as_bytes()) {
        return None;
    }
    let content = Fields::of(message)?
        .raw("content")
        .filter(|content| content.starts_with('['))?;
    let blocks = json::elements(content);
    let mut kept = Vec::with_capacity(blocks.len());
    for (position, block) in blocks.iter().enumerate() {
        if Fields::of(block).is_some_and(|block| carrying(&block)) {
            loss.note(format!("messages[{index}].content[{position}]"));
        } else {
            kept.push(*block);
        }
    }
    if kept.len() == blocks.len() {
        return None;
    }
    if kept.is_empty() {
        return Some(String::new());
    }
    let place = place_of(message.as_bytes(), content)?;
    let (before, after) = (message.get(..place.start)?, message.get(place.end..)?);
    Some(format!("{before}[{}]{after}", kept.join(",")))
}

/// Takes the parts of a message in order, and gives what thoughts carry to whom it belongs.
#[derive(Debug, Default)]
pub(crate) struct Restored<'a> {
    parts: Vec<Part<'a>>,
    /// What belongs to the next part, if that can have it.
    ahead: Option<Part<'a>>,
}

impl<'a> Restored<'a> {
    /// Takes the next part.
    pub(crate) fn take(&mut self, mut part: Part<'a>) {
        let carrying = match &part.kind {
            Kind::Thinking {
                signature: Some(text),
                ..
            }
            | Kind::RedactedThinking(text)
                if is_tagged(text) =>
            {
                state(text)
            }
            _ => return self.push(part),
        };
        let text = match part.kind {
            Kind::Thinking { text, .. } => text,
            _ => "".into(),
        };
        match carrying {
            // What was said stays, whoever broke the rest.
            None if text.is_empty() => {}
            Some((state, Owner::Next)) if text.is_empty() => {
                self.parts.extend(self.ahead.replace(alone(part.at, state)));
            }
            Some((state, Owner::Last)) if text.is_empty() => match self.parts.last_mut() {
                Some(last) if takes_state(last) => last.state = Some(state),
                _ => self.push(alone(part.at, state)),
            },
            carrying => {
                let signature = None;
                part.kind = Kind::Thinking { text, signature };
                part.state = carrying.map(|(state, _)| state);
                self.push(part);
            }
        }
    }

    fn push(&mut self, mut part: Part<'a>) {
        if let Some(ahead) = self.ahead.take() {
            if takes_state(&part) {
                part.state = ahead.state;
            } else {
                self.parts.push(ahead);
            }
        }
        self.parts.push(part);
    }

    /// All parts.
    pub(crate) fn into_parts(mut self) -> Vec<Part<'a>> {
        self.parts.extend(self.ahead);
        self.parts
    }
}

/// Whether a part is one that a state beside it can belong to.
fn takes_state(part: &Part<'_>) -> bool {
    let is_said = matches!(part.kind, Kind::Text(_) | Kind::Refusal(_) | Kind::ToolCall(_));
    is_said && part.state.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redacted(data: String) -> Part<'static> {
        Part::new("here".into(), Kind::RedactedThinking(data.into()))
    }

    fn state_of(of: Dialect) -> State<'static> {
        let data = "s".into();
        State { of, data }
    }

    #[test]
    fn what_is_carried_for_nobody_stands_alone() {
        let carried = |owner| redacted(of_state(&state_of(Dialect::Gemini), owner));
        for (parts, expected) in [
            (vec![carried(Owner::Next)], 1),
            (vec![carried(Owner::Last)], 1),
            (vec![carried(Owner::Next), carried(Owner::Next)], 2),
            (vec![carried(Owner::Next), redacted("x".into())], 2),
            (vec![redacted("x".into()), carried(Owner::Last)], 2),
            (vec![redacted(format!("{TAG_IN_BASE64}!!"))], 0),
            (vec![redacted(tagged("unheard of", "x"))], 0),
        ] {
            let mut restored = Restored::default();
            for part in parts {
                restored.take(part);
            }
            let parts = restored.into_parts();
            assert_eq!(parts.len(), expected, "{parts:?}");
            let is_ours =
                |part: &Part<'_>| matches!(&part.kind, Kind::RedactedThinking(data) if is_tagged(data));
            assert!(!parts.iter().any(is_ours), "{parts:?}");
        }
    }

    proptest! {
        #[test]
        fn a_state_is_read_as_it_was_in_either_alphabet(data: String, number in 0usize..6, owner in 0usize..3) {
            let owner = [Owner::Itself, Owner::Next, Owner::Last][owner];
            let given = State { of: DIALECTS[number], data: data.into() };
            let sent = of_state(&given, owner);
            prop_assert!(is_tagged(&sent) && is_tagged_in(sent.as_bytes()));
            let url_safe = sent.replace('+', "-").replace('/', "_").replace('=', "");
            prop_assert_eq!(state(&url_safe), Some((given.clone(), owner)));
            prop_assert_eq!(state(&sent), Some((given, owner)));
        }

        #[test]
        fn any_text_is_read_or_not(text: String) {
            let _ = (state(&text), state(&format!("{TAG_IN_BASE64}{text}")));
        }
    }
}
