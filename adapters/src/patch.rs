//! Byte patches over an untouched original: how a body changes without being written anew.
//!
//! Fields that this gateway has never heard of, odd spacing and the order of keys all survive, because nothing
//! but the patched bytes is touched. No patches: the very same bytes, not even copied.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use smallvec::SmallVec;

/// Replacements, sorted by place, that do not overlap.
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
            .partition_point(|patch| patch.place.start < place.start);
        let before = position.checked_sub(1).and_then(|before| self.sorted.get(before));
        let fits_before = before.is_none_or(|patch| patch.place.end <= place.start);
        let fits_after = self
            .sorted
            .get(position)
            .is_none_or(|patch| place.end <= patch.place.start && place.start < patch.place.start);
        if place.start > place.end || !fits_before || !fits_after {
            return Err(Misplaced);
        }
        let with = with.into();
        self.sorted.insert(position, Patch { place, with });
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
        let mut patched = Vec::with_capacity(body.len() + added);
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
        for place in [3..5, 1..3, 2..4, 2..2, Range { start: 9, end: 8 }] {
            assert_eq!(patches.replace(place, &b"y"[..]), Err(Misplaced));
        }
        assert_eq!(patches.apply(&Bytes::from_static(b"012")), Err(Misplaced));
    }

    proptest! {
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
