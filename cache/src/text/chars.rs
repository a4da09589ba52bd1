//! What a character does in a text for BERT: part of a word, a word of its own, space, or nothing at all.
//!
//! The classes are those of BERT's "basic tokenizer" (Devlin et al. 2018), as the tokenizers of the models that we
//! load apply them: what they were trained with, not what would be best.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// What a character does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Parts words.
    Space,
    /// Is as if it were not there, and parts nothing: control characters, format characters.
    Dropped,
    /// A word of its own.
    Alone,
    /// Part of a word.
    Letter,
}

/// The class of each byte below 128.
static ASCII: [Class; 128] = {
    let mut classes = [Class::Letter; 128];
    let mut byte: u8 = 0;
    #[expect(
        clippy::indexing_slicing,
        reason = "in a constant, an index out of bounds does not compile"
    )]
    while byte < 128 {
        classes[byte as usize] = match byte {
            b' ' | b'\t' | b'\n' | b'\r' => Class::Space,
            letter if letter.is_ascii_control() => Class::Dropped,
            letter if letter.is_ascii_punctuation() => Class::Alone,
            _ => Class::Letter,
        };
        byte += 1;
    }
    classes
};

/// The class of an ASCII byte. `None`: it is not ASCII.
#[inline]
pub(super) fn of_ascii(byte: u8) -> Option<Class> {
    ASCII.get(usize::from(byte)).copied()
}

/// The class of a character as it stands in the text.
pub(super) fn of_raw(c: char) -> Class {
    if let Some(class) = u8::try_from(c).ok().and_then(of_ascii) {
        return class;
    }
    if c == char::REPLACEMENT_CHARACTER || is_other(c) {
        Class::Dropped
    } else if c.is_whitespace() {
        Class::Space
    } else if is_ideograph(c) {
        Class::Alone
    } else {
        Class::Letter
    }
}

/// The class of a character that comes of taking a `Letter` apart and lower-casing it.
pub(super) fn of_decomposed(c: char) -> Class {
    if let Some(class) = u8::try_from(c).ok().and_then(of_ascii) {
        return class;
    }
    if c.is_whitespace() {
        Class::Space
    } else if c.general_category_group() == GeneralCategoryGroup::Punctuation {
        Class::Alone
    } else {
        Class::Letter
    }
}

/// Whether it is a mark over, under or through another: an accent.
pub(super) fn is_accent(c: char) -> bool {
    c.general_category() == GeneralCategory::NonspacingMark
}

fn is_other(c: char) -> bool {
    use GeneralCategory::{Control, Format, PrivateUse, Surrogate};
    matches!(c.general_category(), Control | Format | PrivateUse | Surrogate)
}

/// The blocks that BERT parts character by character: ideographs, not kana, not hangul.
fn is_ideograph(c: char) -> bool {
    matches!(u32::from(c),
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0xF900..=0xFAFF | 0x2_0000..=0x2_A6DF | 0x2_A700..=0x2_B73F
        | 0x2_B740..=0x2_B81F | 0x2_B920..=0x2_CEAF | 0x2_F800..=0x2_FA1F)
}
