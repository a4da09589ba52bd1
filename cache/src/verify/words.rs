//! What is kept of a question: its words, numbers, names and signs in a form in which two questions can be compared
//! without looking at their letters again. [`super::analyse`] makes it.

/// A word as far as comparing is concerned.
#[expect(
    clippy::struct_excessive_bools,
    reason = "properties that do not exclude each other"
)]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Word {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The form, without apostrophes.
    pub(super) form: u64,
    /// What all words with this meaning share.
    pub(super) lemma: u64,
    pub(super) idf: f32,
    /// 1-based; see [`lists::KINDS`].
    pub(super) kind: u8,
    /// 1-based; see [`lists::UNITS`].
    pub(super) unit: u8,
    /// The preposition right before it, articles aside; 1-based.
    pub(super) preposition: u8,
    /// Carries a topic: no grammar, no negation.
    pub(super) topic: bool,
    /// Has a capital that its place does not explain.
    pub(super) name: bool,
    /// Looks like an identifier.
    pub(super) code: bool,
    /// Turns the statement round.
    pub(super) negation: bool,
    /// What its case says.
    pub(super) casing: Casing,
}

/// What the case of a word says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Casing {
    /// Nothing: all of the text is written like this, or the word opens a sentence.
    #[default]
    Unsaid,
    /// Without a capital, where others have one.
    Small,
    /// With one.
    Capital,
    /// With several.
    Capitals,
}

/// A number and the word that it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number {
    pub(super) key: u64,
    pub(super) word: u16,
    pub(super) soft: bool,
}

/// A topic with how rare it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Topic {
    pub(super) lemma: u64,
    pub(super) idf: f32,
    /// The first word with it.
    pub(super) word: u16,
}

/// Who is spoken of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Persons {
    /// Bit `n`: the `n`-th of [`lists::PERSONS`] acts or is acted on.
    pub(super) acting: u8,
    /// The same for who owns.
    pub(super) owning: u8,
    /// Who acts or is acted on, in order, four bits each, the first sixteen.
    pub(super) order: u64,
}

/// A question, analysed. Cheap to compare with another; [`super::Verifier::analyse`] makes it.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// The words in lower case, a space between each.
    pub(super) text: Box<str>,
    /// Without what was only polite.
    pub(super) words: Box<[Word]>,
    /// Sorted by lemma, each once.
    pub(super) topics: Box<[Topic]>,
    /// Forms and lemmas of all words, sorted, each once.
    pub(super) known: Box<[u64]>,
    /// Topics in the order they are said, what `and` and `or` join in an order of ours.
    pub(super) order: Box<[u64]>,
    /// Hashes of neighbouring lemmas, sorted, each once.
    pub(super) bigrams: Box<[u32]>,
    /// Three bytes each, sorted, each once.
    pub(super) trigrams: Box<[u32]>,
    pub(super) numbers: Box<[Number]>,
    /// What all questions share that differ only by how they are put; see [`super::canonical`].
    pub(super) canonical: u64,
    /// Bit `n`: the unit is named.
    pub(super) units: u128,
    /// Words of quotations and identifiers: first and one after the last.
    pub(super) literal: Box<[(u16, u16)]>,
    pub(super) signs: Box<[char]>,
    /// Stands for all words of scripts other than Latin, in order. 0: none.
    pub(super) foreign: u64,
    pub(super) negations: u8,
    /// 1-based; see [`lists::ASKING`]. 0: something else; [`Analysis::YES_OR_NO`].
    pub(super) asking: u8,
    pub(super) clauses: u8,
    pub(super) persons: Persons,
    /// The second word says whose: `is my …`.
    pub(super) possessed: bool,
    pub(super) times: u32,
    pub(super) modals: u32,
    pub(super) quantifiers: u32,
    pub(super) tenses: u32,
    /// `WordPiece` pieces without polite words.
    pub(super) pieces: Box<[u16]>,
    /// All of the text has been looked at.
    pub(super) complete: bool,
}

impl Analysis {
    /// [`Self::asking`] of a question that wants yes or no.
    pub(super) const YES_OR_NO: u8 = 100;

    /// The letters of a word.
    pub(super) fn text(&self, word: &Word) -> &str {
        self.text
            .get(word.start as usize..word.end as usize)
            .unwrap_or_default()
    }

    /// A word with the preposition before it.
    pub(super) fn phrase(&self, word: &Word) -> String {
        match word
            .preposition
            .checked_sub(1)
            .and_then(|at| super::lists::PREPOSITIONS.split_whitespace().nth(at.into()))
        {
            Some(preposition) => format!("{preposition} {}", self.text(word)),
            None => self.text(word).to_owned(),
        }
    }

    /// The letters of the `at`-th word.
    pub(super) fn text_at(&self, at: u16) -> &str {
        self.words.get(usize::from(at)).map_or("", |word| self.text(word))
    }

    /// Whether a word of it has this form or lemma.
    pub(super) fn knows(&self, word: &Word) -> bool {
        [word.form, word.lemma]
            .iter()
            .any(|it| self.known.binary_search(it).is_ok())
    }

    /// The pieces of it, for training: row numbers of the embedding table.
    pub fn pieces(&self) -> &[u16] {
        &self.pieces
    }

    /// The bytes it takes in memory, itself included.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.text.len()
            + size_of_val(&*self.words)
            + size_of_val(&*self.topics)
            + size_of_val(&*self.known)
            + size_of_val(&*self.order)
            + size_of_val(&*self.bigrams)
            + size_of_val(&*self.trigrams)
            + size_of_val(&*self.numbers)
            + size_of_val(&*self.literal)
            + size_of_val(&*self.signs)
            + size_of_val(&*self.pieces)
    }

    pub(super) fn empty() -> Self {
        Self {
            text: Box::default(),
            words: Box::default(),
            topics: Box::default(),
            known: Box::default(),
            order: Box::default(),
            bigrams: Box::default(),
            trigrams: Box::default(),
            numbers: Box::default(),
            canonical: 0,
            units: 0,
            literal: Box::default(),
            signs: Box::default(),
            foreign: 0,
            negations: 0,
            asking: 0,
            clauses: 0,
            persons: Persons::default(),
            possessed: false,
            times: 0,
            modals: 0,
            quantifiers: 0,
            tenses: 0,
            pieces: Box::default(),
            complete: false,
        }
    }
}
