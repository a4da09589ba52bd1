//! Folded text: two texts that fold to the same ask for the same, whoever reads them.
//!
//! Less is folded than comes to mind, since nothing verifies it afterwards; what is missed here, meaning finds:
//!
//! - **Case** carries meaning (`US` and `us`, `Polish` and `polish`, `WHO` and `who`). Only a word that begins a
//!   sentence, is written `Like` this and is one of a closed list (`What`, `Is`, `Please`...) is lower-cased.
//! - **Space**: runs of blanks within a line become one, blanks at the end of a line and around the text go. Line breaks
//!   and, in a text of several lines, indentation stay: code and lists mean something by them. Tabs stay.
//! - **The end**: one `?` goes where the last sentence begins with a question word and so asks anyway (`You are sure?`
//!   and `You are sure.` differ; so do `String??` and `String?`). One full stop goes after a word of five small letters
//!   or more (`fig.` and `fig` differ). `!` stays: `5!`, `sort!`, `vec!`.
//! - From the first to the last quotation mark or backtick nothing is touched; where one is not closed, nothing to the
//!   end.

use std::ops::Range;

/// Words that open a question, whatever ends it. Not here: `do` and `have`, which may open an order.
const QUESTIONS: [&str; 19] = [
    "what", "how", "why", "who", "when", "where", "which", "whose", "is", "are", "was", "were", "does",
    "did", "can", "could", "should", "would", "has",
];

/// More words that say nothing else with a capital. Not here: `Will`, `May`, `Mark` (names), `A` (a letter), `Make`,
/// `Go`, `List` (things of their own).
const OPENERS: [&str; 19] = [
    "do",
    "have",
    "had",
    "am",
    "please",
    "the",
    "an",
    "if",
    "my",
    "there",
    "tell",
    "explain",
    "give",
    "describe",
    "write",
    "translate",
    "compare",
    "summarize",
    "summarise",
];

/// Words before a `?` with a blank between, of which it may be the object: `what does the operator ?`.
const DANGLING: [&str; 20] = [
    "is",
    "are",
    "the",
    "a",
    "of",
    "by",
    "and",
    "or",
    "with",
    "use",
    "using",
    "operator",
    "symbol",
    "character",
    "char",
    "sign",
    "mark",
    "key",
    "token",
    "letter",
];

/// A question of fewer words keeps its mark: `why x?`.
const FEWEST_WORDS: usize = 3;

/// The shortest word after which a full stop is no abbreviation's.
const SHORTEST_BEFORE_STOP: usize = 5;

/// `text` without what cannot carry meaning: see the module. Folding again changes nothing.
pub fn fold(text: &str) -> String {
    let text = trimmed(text);
    let exact = exact_span(text);
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let mut folded = String::with_capacity(text.len());
    push_spaced(part(0..exact.start), &mut folded);
    let start = folded.len();
    folded.push_str(part(exact.clone()));
    let kept = start..folded.len();
    push_spaced(part(exact.end..text.len()), &mut folded);
    let last = lower_openers(&mut folded, &kept);
    if let Some(end) = end_without_mark(&folded, &kept, &last) {
        folded.truncate(end);
    }
    folded
}

/// Without space around it. Of several lines, the first keeps its indentation: the others' is relative to it.
fn trimmed(text: &str) -> &str {
    let text = text.trim_end();
    let blank = text.len() - text.trim_start().len();
    let first_line = text
        .get(..blank)
        .and_then(|space| space.rfind('\n'))
        .map_or(0, |at| at + 1);
    let lines = text.get(first_line..).unwrap_or_default();
    if lines.contains('\n') {
        lines
    } else {
        lines.trim_start()
    }
}

/// From the first quotation mark to the last, or to the end if one is without its fellow. Empty: there are none.
fn exact_span(text: &str) -> Range<usize> {
    let mut marks = [0_usize; 5];
    let mut span: Option<Range<usize>> = None;
    let mut from = 0;
    while let Some((at, c)) = next_mark(text, from) {
        let (head, tail) = text.split_at_checked(at).unwrap_or((text, ""));
        let run = tail.chars().take_while(|next| *next == c).count();
        let end = at + run * c.len_utf8();
        let after = text.get(end..).and_then(|rest| rest.chars().next());
        let kind = kind_of_mark(head.chars().next_back(), c, run, after);
        if let Some(count) = kind.and_then(|kind| marks.get_mut(kind)) {
            *count += 1;
            span = Some(span.map_or(at, |span| span.start)..end);
        }
        from = end;
    }
    let mut span = span.unwrap_or(0..0);
    if marks.iter().any(|count| count % 2 == 1) {
        span.end = text.len();
    }
    span
}

/// The next character that may be a mark, from `from` on, and where it stands.
fn next_mark(text: &str, from: usize) -> Option<(usize, char)> {
    let rest = text.get(from..)?;
    // Most texts have none, and are looked through byte by byte.
    let may_begin = |byte: u8| !byte.is_ascii() || matches!(byte, b'"' | b'`' | b'\'' | b'~');
    let near = rest.bytes().position(may_begin)?;
    let (at, c) = rest
        .get(near..)?
        .char_indices()
        .find(|(_, c)| kind_of_mark(None, *c, usize::MAX, None).is_some())?;
    Some((from + near + at, c))
}

/// Which marks it pairs with. `None`: it is none, or an apostrophe.
fn kind_of_mark(before: Option<char>, c: char, run: usize, after: Option<char>) -> Option<usize> {
    let in_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match c {
        '"' => Some(0),
        '`' => Some(1),
        '\'' | '’' if run == 1 && in_word(before) && in_word(after) => None,
        '\'' | '‘' | '’' | '‚' | '‛' => Some(2),
        '“' | '”' | '„' | '‟' | '«' | '»' | '‹' | '›' | '「' | '」' | '『' | '』' | '＂' => {
            Some(3)
        }
        '~' if run >= 3 => Some(4),
        _ => None,
    }
}

/// Adds `part` with one blank for several, and none before a line break. What stands at the beginning of a line stays.
fn push_spaced(part: &str, into: &mut String) {
    let mut lines = part.split('\n').peekable();
    while let Some(line) = lines.next() {
        let mut rest = line;
        while let Some((words, blanks, more)) = before_blanks(rest) {
            into.push_str(words);
            if !more.is_empty() || lines.peek().is_none() {
                push_blanks(blanks, into);
            }
            rest = more;
        }
        into.push_str(rest);
        if lines.peek().is_some() {
            into.push('\n');
        }
    }
}

/// What stands before the blanks of a line that may not stay as they are, how many these are, and what follows.
fn before_blanks(line: &str) -> Option<(&str, usize, &str)> {
    let bytes = line.as_bytes();
    let several = bytes.windows(2).position(|pair| pair == b"  ");
    let at = if bytes.first() == Some(&b' ') {
        0
    } else {
        several.or_else(|| (bytes.last() == Some(&b' ')).then(|| bytes.len() - 1))?
    };
    let (words, rest) = line.split_at_checked(at)?;
    let more = rest.trim_start_matches(' ');
    Some((words, rest.len() - more.len(), more))
}

fn push_blanks(count: usize, into: &mut String) {
    let indents = into.is_empty() || into.ends_with('\n');
    into.extend(std::iter::repeat_n(
        ' ',
        if indents { count } else { count.min(1) },
    ));
}

/// The last sentence of a text.
#[derive(Default)]
struct Sentence {
    asks: bool,
    words: usize,
}

/// Lower-cases the words that open sentences outside of `kept`.
fn lower_openers(folded: &mut String, kept: &Range<usize>) -> Sentence {
    let mut capitals = Vec::new();
    let mut last = Sentence::default();
    let (mut opens, mut behind) = (true, 0);
    for piece in folded.split_inclusive(char::is_whitespace) {
        let (word, start) = (piece.trim_end(), behind);
        behind += piece.len();
        if word.is_empty() {
            opens |= piece == "\n";
            continue;
        }
        let end = start + word.len();
        if opens {
            let opener = opener(word).filter(|_| end <= kept.start || start >= kept.end);
            capitals.extend(opener.as_ref().filter(|it| it.capital).map(|_| start));
            last = Sentence {
                asks: opener.is_some_and(|it| it.asks),
                words: 0,
            };
        }
        last.words += 1;
        opens = word.ends_with(['.', '?', '!']) || piece.ends_with('\n');
    }
    for at in capitals {
        if let Some(capital) = folded.get(at..=at) {
            folded.replace_range(at..=at, &capital.to_ascii_lowercase());
        }
    }
    last
}

struct Opener {
    capital: bool,
    asks: bool,
}

/// `None`: this word is none, or is written like something else.
fn opener(word: &str) -> Option<Opener> {
    let (head, tail) = match word.find(|c: char| !c.is_ascii_alphabetic()) {
        Some(end) => word.split_at_checked(end)?,
        None => (word, ""),
    };
    let rest = head.get(1..)?;
    if !rest.bytes().all(|letter| letter.is_ascii_lowercase())
        || !(tail.is_empty() || tail.starts_with(['\'', '’', ',']))
    {
        return None;
    }
    let among = |words: &[&str]| words.iter().any(|it| it.eq_ignore_ascii_case(head));
    let asks = among(&QUESTIONS);
    (asks || among(&OPENERS)).then(|| Opener {
        capital: head.starts_with(|c: char| c.is_ascii_uppercase()),
        asks,
    })
}

/// Where the text ends without the mark that ends it. `None`: it has none that says nothing.
fn end_without_mark(folded: &str, kept: &Range<usize>, last: &Sentence) -> Option<usize> {
    let body = match folded.strip_suffix('?') {
        Some(body) => without_question_mark(body, last)?,
        None => without_stop(folded.strip_suffix('.')?)?,
    };
    (body.len() >= kept.end).then_some(body.len())
}

fn without_question_mark<'a>(marked: &'a str, last: &Sentence) -> Option<&'a str> {
    let body = marked.trim_end_matches(' ');
    let apart = body.len() < marked.len();
    let words = last.words - usize::from(apart);
    let dangles = || {
        let last = body.rsplit(char::is_whitespace).next().unwrap_or_default();
        DANGLING.iter().any(|word| word.eq_ignore_ascii_case(last))
    };
    let sure =
        last.asks && words >= FEWEST_WORDS && body.ends_with(char::is_alphanumeric) && !(apart && dangles());
    sure.then_some(body)
}

fn without_stop(body: &str) -> Option<&str> {
    let (_, word) = body.rsplit_once(char::is_whitespace)?;
    let plain = word.bytes().all(|letter| letter.is_ascii_lowercase());
    (plain && word.len() >= SHORTEST_BEFORE_STOP).then_some(body)
}

#[cfg(test)]
mod tests;
