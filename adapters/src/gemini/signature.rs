//! `thoughtSignature`: what Google wants back unread, and where clients of this dialect carry what others want back.
//!
//! The field holds bytes in base64, and clients give it back as it was, if in the alphabet for URLs. So what comes
//! from other providers travels in it as the base64 of `tollgate:<what>:<data>`, where `<what>` is `signature` (the
//! proof of the thoughts it stands with), `redacted` (encrypted thoughts) or the name of the dialect whose
//! [`State`] it is. Google's own signatures are left as they are. What is tagged must never reach Google: it
//! would be refused.

use std::borrow::Cow;

use tollgate_core::Dialect;

use crate::chat::State;
use crate::chat::carried::{Owner, is_tagged, state, tagged, untagged};

/// What a signature turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried<'a> {
    /// The proof of thoughts.
    Signature(String),
    /// Encrypted thoughts.
    Redacted(String),
    /// A provider's state; Google's own, if it is not tagged.
    State(State<'a>),
}

/// A signature that carries the proof of thoughts.
pub(crate) fn of_proof(data: &str) -> String {
    tagged("signature", data)
}

/// A signature that carries encrypted thoughts.
pub(crate) fn of_redacted(data: &str) -> String {
    tagged("redacted", data)
}

/// A signature that carries a provider's state.
pub(crate) fn of_state<'s>(state: &'s State<'_>) -> Cow<'s, str> {
    match state.of {
        Dialect::Gemini => Cow::Borrowed(&state.data),
        other => tagged(other.name(), &state.data).into(),
    }
}

/// What a client gave back. `None`: it is tagged, but not readable.
pub(crate) fn read(signature: Cow<'_, str>) -> Option<Carried<'_>> {
    if !is_tagged(&signature) {
        let (of, data) = (Dialect::Gemini, signature);
        return Some(Carried::State(State { of, data }));
    }
    let (what, data) = untagged(&signature)?;
    match &*what {
        "signature" => Some(Carried::Signature(data)),
        "redacted" => Some(Carried::Redacted(data)),
        // Here it always stands with what it belongs to.
        _ => state(&signature)
            .filter(|(_, owner)| *owner == Owner::Itself)
            .map(|(state, _)| Carried::State(state)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::carried::{DIALECTS, is_tagged_in};
    use proptest::prelude::*;

    #[test]
    fn googles_own_signatures_are_left_alone() {
        let state = State {
            of: Dialect::Gemini,
            data: "EskgCsYgAb4-9vtF".into(),
        };
        assert_eq!(of_state(&state), "EskgCsYgAb4-9vtF");
        assert_eq!(read("EskgCsYgAb4-9vtF".into()), Some(Carried::State(state)));
        assert_eq!(read("dG9sbGdhdGU6!!".into()), None);
        assert_eq!(read(tagged("unknown", "x").into()), None);
    }

    proptest! {
        #[test]
        fn what_others_want_back_survives_either_alphabet(data: String, number in 0usize..6) {
            let of = DIALECTS[number];
            let state = State { of, data: data.clone().into() };
            let url_safe = |text: &str| text.replace('+', "-").replace('/', "_").replace('=', "");
            if of != Dialect::Gemini {
                let sent = of_state(&state);
                let body = ["{\"x\":\"", &sent, "\"}"].concat();
                prop_assert!(is_tagged_in(body.as_bytes()));
                prop_assert_eq!(read(url_safe(&sent).into()), Some(Carried::State(state.clone())));
                prop_assert_eq!(read(sent.into_owned().into()), Some(Carried::State(state)));
            }
            prop_assert_eq!(read(of_proof(&data).into()), Some(Carried::Signature(data.clone())));
            prop_assert_eq!(read(url_safe(&of_redacted(&data)).into()), Some(Carried::Redacted(data)));
        }
    }
}
