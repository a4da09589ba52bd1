//! What a provider that goes on with an answer may say again.
//!
//! White space that was taken off the end of the answer, because the provider does not take it there, comes back
//! as the first thing that it says; the client has it already. And some providers begin with all they were given.

use std::borrow::Cow;

/// Text that may come again, and is then left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Overlap {
    expected: String,
    /// So much of it has come.
    met: usize,
    /// Only all of it is a repetition: a part of it may be the answer's own.
    is_whole: bool,
}

impl Overlap {
    /// White space: as much of it as comes again is left out.
    pub(crate) fn of_space(space: &str) -> Self {
        Self {
            expected: space.to_owned(),
            ..Self::default()
        }
    }

    /// The whole answer so far: left out if all of it comes again.
    pub(crate) fn of_answer(text: &str) -> Self {
        Self {
            expected: text.to_owned(),
            is_whole: true,
            ..Self::default()
        }
    }

    /// The text without what is repeated. What may turn out to be a repetition is held back.
    pub(crate) fn strip<'t>(&mut self, text: Cow<'t, str>) -> Cow<'t, str> {
        let Some(rest) = self.expected.get(self.met..).filter(|rest| !rest.is_empty()) else {
            return text;
        };
        let pairs = text.chars().zip(rest.chars());
        let common: usize = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
        self.met += common;
        let is_met = self.met == self.expected.len();
        if common == text.len() && !is_met {
            return Cow::Borrowed("");
        }
        let new = text.get(common..).unwrap_or_default().to_owned();
        let mut held = if is_met { String::new() } else { self.rest() };
        *self = Self::default();
        held.push_str(&new);
        Cow::Owned(held)
    }

    /// No more text comes: what was held back and is no repetition.
    pub(crate) fn rest(&mut self) -> String {
        let overlap = std::mem::take(self);
        let mut held = overlap.expected;
        let is_repeated = !overlap.is_whole || overlap.met == held.len();
        held.truncate(if is_repeated { 0 } else { overlap.met });
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn through(mut overlap: Overlap, pieces: &[&str]) -> String {
        let stripped = |piece: &&str| overlap.strip(Cow::Borrowed(piece)).into_owned();
        let mut out: String = pieces.iter().map(stripped).collect();
        out += &overlap.rest();
        out
    }

    #[test]
    fn space_that_comes_again_is_left_out_as_far_as_it_does() {
        let cases: [(&str, &[&str], &str); 6] = [
            (" ", &[" world"], "world"),
            ("\n\n", &["\n", "\n1."], "1."),
            ("\n\n", &["\n", "x", "\n"], "x\n"),
            (" ", &["\nx"], "\nx"),
            (" ", &["", "x"], "x"),
            ("", &[" x"], " x"),
        ];
        for (space, pieces, expected) in cases {
            assert_eq!(through(Overlap::of_space(space), pieces), expected, "{pieces:?}");
        }
    }

    #[test]
    fn an_answer_that_is_repeated_is_left_out_and_one_that_only_looks_like_it_is_not() {
        let answer = || Overlap::of_answer("Once upé");
        assert_eq!(through(answer(), &["On", "ce upé", " a time"]), " a time");
        assert_eq!(through(answer(), &["Once upéa"]), "a");
        assert_eq!(through(answer(), &["Once", " more"]), "Once more");
        assert_eq!(through(answer(), &["Once"]), "Once");
        assert_eq!(through(answer(), &[" a time"]), " a time");
        assert_eq!(through(Overlap::of_answer(""), &["x"]), "x");
    }

    proptest! {
        #[test]
        fn where_pieces_end_does_not_matter(
            known in "[ab é]{0,6}", said in "[ab é]{0,12}", cut: prop::sample::Index, whole: bool,
        ) {
            let overlap = if whole { Overlap::of_answer(&known) } else { Overlap::of_space(&known) };
            let places: Vec<usize> = said.char_indices().map(|(at, _)| at).chain([said.len()]).collect();
            let (one, other) = said.split_at(places[cut.index(places.len())]);
            let expected = through(overlap.clone(), &[&said]);
            prop_assert_eq!(through(overlap.clone(), &[one, other]), &*expected);
            prop_assert!(said.ends_with(&expected));
            if whole && !known.is_empty() {
                prop_assert_eq!(expected, said.strip_prefix(&known).unwrap_or(&said));
            }
        }
    }
}
