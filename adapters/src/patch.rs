//! Byte patches over an untouched original: how a body changes without being written anew.
//!
//! Fields that this gateway has never heard of, odd spacing and the order of keys all survive, because nothing
//! but the patched bytes is touched. No patches: the very same bytes, not even copied.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

use crate::json::{after_colon, skip_space, value_span};

/// Replacements, sorted by place, that do not overlap. What is inserted where something else is replaced comes
/// in front.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    sorted: SmallVec<[Patch; 2]>,
}

#[derive(Debug)]
struct Patch {
    place: Range<usize>,
    with: Cow<'static, [u8]>,
}

/// A patch that overlaps another one, or lies outside of the body: a fault of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a patch overlaps another or lies outside of the body")]
pub(crate) struct Misplaced;

impl Patches {
    /// Replaces the bytes at `place` (empty: inserts there) by `with`.
    pub(crate) fn replace(
        &mut self,
        place: Range<usize>,
        with: impl Into<Cow<'static, [u8]>>,
    ) -> Result<(), Misplaced> {
        let position = self
            .sorted
            .partition_point(|patch| (patch.place.start, patch.place.end) < (place.start, place.end));
        let before = position.checked_sub(1).and_then(|before| self.sorted.get(before));
        let fits_before = before.is_none_or(|patch| patch.place.end <= place.start);
        let fits_after = self
            .sorted
            .get(position)
            .is_none_or(|patch| place.end <= patch.place.start && place != patch.place);
        if place.start > place.end || !fits_before || !fits_after {
            return Err(Misplaced);
        }
        let with = with.into();
        self.sorted.insert(position, Patch { place, with });
        Ok(())
    }

    /// Removes members of one object of `json`, each with one comma: `keys` tells where their keys begin, behind
    /// the quote, in ascending order.
    pub(crate) fn remove_members(
        &mut self,
        json: &[u8],
        keys: impl IntoIterator<Item = usize>,
    ) -> Result<(), Misplaced> {
        // Commas before this are gone.
        let mut gone = 0;
        for key in keys {
            let quote = key.checked_sub(1).ok_or(Misplaced)?;
            let value = after_colon(json, key).and_then(|start| value_span(json, start));
            let end = value.ok_or(Misplaced)?.end;
            let before = json.get(..quote).ok_or(Misplaced)?;
            let before = before.iter().rposition(|byte| !byte.is_ascii_whitespace());
            let comma = before.filter(|at| *at >= gone && json.get(*at) == Some(&b','));
            let place = if let Some(comma) = comma {
                comma..end
            } else {
                let next = skip_space(json, end);
                gone = if json.get(next) == Some(&b',') {
                    next + 1
                } else {
                    end
                };
                quote..gone
            };
            self.replace(place, &b""[..])?;
        }
        Ok(())
    }

    /// The body with the patches in it.
    pub(crate) fn apply(&self, body: &Bytes) -> Result<Bytes, Misplaced> {
        Ok(self.applied(body)?.map_or_else(|| body.clone(), Bytes::from))
    }

    /// The same for bytes that are not shared; `None` if there are no patches.
    pub(crate) fn applied(&self, body: &[u8]) -> Result<Option<Vec<u8>>, Misplaced> {
        let Some(last) = self.sorted.last() else {
            return Ok(None);
        };
        let added: usize = self.sorted.iter().map(|patch| patch.with.len()).sum();
        let removed: usize = self.sorted.iter().map(|patch| patch.place.len()).sum();
        // Exact: a vector with room left over is not taken for shared bytes without another allocation.
        let mut patched = Vec::with_capacity((body.len() + added).saturating_sub(removed));
        let mut from = 0;
        for patch in &self.sorted {
            patched.extend_from_slice(body.get(from..patch.place.start).ok_or(Misplaced)?);
            patched.extend_from_slice(&patch.with);
            from = patch.place.end;
        }
        patched.extend_from_slice(body.get(last.place.end..).ok_or(Misplaced)?);
        Ok(Some(patched))
    }
}

/// Where `part`, which was cut from `whole`, stands in it.
pub(crate) fn place_of(whole: &[u8], part: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= whole.len()).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_patches_give_the_very_same_bytes() {
        let body = Bytes::from_static(b"{ \"model\" : \"m\" }");
        let same = Patches::default().apply(&body).unwrap();
        assert_eq!(same.as_ptr(), body.as_ptr());
    }

    #[test]
    fn patches_apply_in_order_of_place_whatever_the_order_they_were_made_in() {
        let mut patches = Patches::default();
        patches.replace(4..5, &b"FIVE"[..]).unwrap();
        patches.replace(0..0, &b"<"[..]).unwrap();
        patches.replace(1..3, &b""[..]).unwrap();
        assert_eq!(patches.apply(&Bytes::from_static(b"012345")).unwrap(), "<03FIVE5");
    }

    #[test]
    fn overlapping_reversed_and_outlying_patches_are_refused() {
        let mut patches = Patches::default();
        patches.replace(2..4, &b"x"[..]).unwrap();
        for place in [3..5, 1..3, 2..4, 3..3, Range { start: 9, end: 8 }] {
            assert_eq!(patches.replace(place, &b"y"[..]), Err(Misplaced));
        }
        assert_eq!(patches.apply(&Bytes::from_static(b"012")), Err(Misplaced));
    }

    #[test]
    fn an_insertion_where_something_is_replaced_comes_in_front_of_it() {
        for order in [[(2..2, &b"<"[..]), (2..4, b"x")], [(2..4, b"x"), (2..2, b"<")]] {
            let mut patches = Patches::default();
            for (place, with) in order {
                patches.replace(place, with).unwrap();
            }
            assert_eq!(patches.replace(2..2, &b"again"[..]), Err(Misplaced));
            assert_eq!(patches.apply(&Bytes::from_static(b"012345")).unwrap(), "01<x45");
        }
    }

    #[test]
    fn members_outside_of_the_json_are_refused() {
        for key in [0, 3, 9] {
            let mut patches = Patches::default();
            assert_eq!(patches.remove_members(b"{\"a\" 1}", [key]), Err(Misplaced));
        }
    }

    proptest! {
        #[test]
        fn exactly_the_removed_members_are_gone(
            members in prop::collection::vec((
                r#"([a-c ,:{}\[\]]|\\"|\\\\|\\u00e9){0,5}"#,
                r"[ \n]{0,2}",
                r#"(-?1(\.5e3)?|true|null|"[a,\]}]*(\\")?"|\[ ?\]|\{"x": ?\[1, 2\]\})"#,
                any::<bool>(),
            ), 0..7),
            is_inserting: bool,
        ) {
            let (mut json, mut keys) = ("{".to_owned(), Vec::new());
            for (position, (name, space, value, is_removed)) in members.iter().enumerate() {
                let comma = if position == 0 { "" } else { "," };
                json.extend([comma, space, "\""]);
                keys.extend(is_removed.then_some(json.len()));
                let number = position.to_string();
                json.extend([&*number, name, "\"", space, ":", space, value, space]);
            }
            json.push('}');
            let mut expected: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
            for (position, (.., is_removed)) in members.iter().enumerate() {
                let number = position.to_string();
                expected.retain(|name, _| !(*is_removed && name.starts_with(&number)));
            }
            let mut patches = Patches::default();
            // As the body of a request, which always keeps a member.
            let inserts = is_inserting && !expected.is_empty();
            if inserts {
                patches.replace(1..1, &b"\"new\":0,"[..]).unwrap();
                expected.insert("new".to_owned(), 0.into());
            }
            patches.remove_members(json.as_bytes(), keys).unwrap();
            let patched = patches.apply(&Bytes::from(json)).unwrap();
            let patched: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&patched).unwrap();
            prop_assert_eq!(patched, expected);
        }

        #[test]
        fn untouched_bytes_stay_and_lengths_add_up(
            body in prop::collection::vec(any::<u8>(), 0..80),
            wanted in prop::collection::vec((0usize..90, 0usize..9, prop::collection::vec(any::<u8>(), 0..6)), 0..8),
        ) {
            let mut patches = Patches::default();
            let mut expected = body.len();
            let mut last = 0;
            for (start, length, with) in wanted {
                let added = with.len();
                if patches.replace(start..start + length, with).is_ok() {
                    expected = (expected + added).saturating_sub(length);
                    last = last.max(start + length);
                }
            }
            match patches.apply(&Bytes::from(body.clone())) {
                Ok(patched) => {
                    prop_assert_eq!(patched.len(), expected);
                    prop_assert!(patched.ends_with(&body[last..]));
                }
                Err(Misplaced) => prop_assert!(last > body.len()),
            }
        }
    }
}
