//! One pass over a text: its words in lower case with what their shape said, its numbers, its signs, its quotations.

/// No more of a text than this is looked at. What is longer is not compared by meaning.
pub(super) const MAX_BYTES: usize = 8 * 1024;
/// No more words than this.
pub(super) const MAX_TOKENS: usize = 768;

/// What the shape of a token says.
#[expect(
    clippy::struct_excessive_bools,
    reason = "properties that do not exclude each other"
)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Has a capital.
    pub(super) capital: bool,
    /// Has two or more capitals.
    pub(super) capitals: bool,
    /// First of a sentence.
    pub(super) opens: bool,
    /// Is a number: digits with what may stand between them.
    pub(super) number: bool,
    /// Is a sign that stands for a unit (`%`, `$`), not a word.
    pub(super) sign: bool,
    /// Looks like an identifier, a path, a flag.
    pub(super) code: bool,
    /// Has letters of a script other than Latin.
    pub(super) foreign: bool,
    /// A comma, semicolon or full stop stands before it.
    pub(super) after_stop: bool,
    /// Nothing stands between it and the token before.
    pub(super) glued: bool,
}

/// A word, number or sign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    /// Where it is in [`Scan::text`].
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where it is in the original.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) shape: Shape,
}

/// What one pass finds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The tokens, lower case, a space between each.
    pub(super) text: String,
    pub(super) tokens: Vec<Token>,
    /// Quotations and code between marks: first token and the one after the last.
    pub(super) quoted: Vec<(usize, usize)>,
    /// Operators, emoji and other signs with a meaning, in order.
    pub(super) signs: Vec<char>,
    /// How many sentences end with a question mark.
    pub(super) questions: usize,
    /// All of the text has been looked at.
    pub(super) complete: bool,
}

impl Scan {
    /// Looks at `text`.
    pub(super) fn of(text: &str) -> Self {
        let mut end = text.len().min(MAX_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let chars: Vec<(usize, char)> = text.get(..end).unwrap_or_default().char_indices().collect();
        let mut scanner = Scanner {
            chars,
            length: end,
            at: 0,
            opens: true,
            after_stop: false,
            quote: None,
            scan: Self {
                text: String::with_capacity(end + 16),
                tokens: Vec::with_capacity(end / 5 + 1),
                complete: end == text.len(),
                ..Self::default()
            },
        };
        scanner.run();
        scanner.scan
    }

    /// The text of a token.
    pub(super) fn word(&self, token: &Token) -> &str {
        self.text.get(token.start..token.end).unwrap_or_default()
    }
}

/// Letters of Latin scripts, digits, and signs that combine with them.
fn latin(c: char) -> bool {
    !c.is_alphabetic() || matches!(c, '\0'..='\u{2AF}' | '\u{1E00}'..='\u{1EFF}' | '\u{FF21}'..='\u{FF5A}')
}

/// Marks around words that carry no meaning by themselves.
fn idle(c: char) -> bool {
    matches!(c,
        '!'..='/' | ':' | ';' | '?'..='@' | '['..='`' | '{'..='~' | '\u{A0}'..='\u{BF}' | '\u{200B}'..='\u{206F}'
        | '\u{3000}'..='\u{303F}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FF01}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}' | '\u{300}'..='\u{36F}' | '\u{2122}')
        || c.is_control()
}

struct Scanner {
    chars: Vec<(usize, char)>,
    length: usize,
    at: usize,
    opens: bool,
    after_stop: bool,
    /// The mark that would close a quotation, and its first token.
    quote: Option<(char, usize)>,
    scan: Scan,
}

impl Scanner {
    fn run(&mut self) {
        while let Some(c) = self.peek(0) {
            if self.scan.tokens.len() >= MAX_TOKENS {
                self.scan.complete = false;
                return;
            }
            let before = self.at;
            if c.is_whitespace() {
                self.opens |= c == '\n';
            } else if c.is_ascii_digit() || (c == '-' && self.negative()) {
                self.number();
            } else if c.is_alphanumeric() || self.flag() || self.path() {
                self.word();
            } else {
                self.mark(c);
            }
            // What no branch took is passed over.
            self.at = self.at.max(before + 1);
        }
    }

    /// The character `ahead` of here.
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).map(|it| it.1)
    }

    fn before(&self) -> Option<char> {
        self.chars.get(self.at.checked_sub(1)?).map(|it| it.1)
    }

    fn offset(&self) -> usize {
        self.chars.get(self.at).map_or(self.length, |it| it.0)
    }

    fn is_at(&self, ahead: usize, test: impl Fn(char) -> bool) -> bool {
        self.peek(ahead).is_some_and(test)
    }

    fn apart(&self) -> bool {
        self.before().is_none_or(|c| c.is_whitespace() || c == '(')
    }

    /// `-5`, but not the `-5` of `1-5`.
    fn negative(&self) -> bool {
        self.apart() && self.is_at(1, |c| c.is_ascii_digit())
    }

    /// `-d`, `-rf`, `--force`.
    fn flag(&self) -> bool {
        if self.peek(0) != Some('-') || !self.apart() {
            return false;
        }
        if self.peek(1) == Some('-') {
            return self.is_at(2, |c| c.is_ascii_alphabetic());
        }
        let end = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        self.is_at(1, |c| c.is_ascii_alphabetic())
            && (end(self.peek(2)) || (self.is_at(2, |c| c.is_ascii_alphabetic()) && end(self.peek(3))))
    }

    /// `/etc/hosts`, `~/.bashrc`, `./run`.
    fn path(&self) -> bool {
        let inner = |c: char| c.is_alphanumeric() || c == '.' || c == '_';
        match self.peek(0) {
            Some('/') => self.apart() && self.is_at(1, inner),
            Some('~' | '.') => self.apart() && self.peek(1) == Some('/') && self.is_at(2, inner),
            _ => false,
        }
    }

    fn number(&mut self) {
        let (start, from) = self.open();
        if self.peek(0) == Some('-') {
            self.scan.text.push('-');
            self.at += 1;
        }
        let mut run = 0;
        while let Some(c) = self.peek(0) {
            if c.is_ascii_digit() {
                run += 1;
                self.scan.text.push(c);
            } else if c == ',' && run <= 3 && self.thousands() {
                run = 0;
            } else if matches!(c, '.' | ':' | '/') && self.is_at(1, |c| c.is_ascii_digit()) {
                run = 4;
                self.scan.text.push(c);
            } else {
                break;
            }
            self.at += 1;
        }
        self.close(
            start,
            from,
            Shape {
                number: true,
                ..Shape::default()
            },
        );
    }

    /// Three digits follow, and no fourth.
    fn thousands(&self) -> bool {
        (1..=3).all(|ahead| self.is_at(ahead, |c| c.is_ascii_digit()))
            && !self.is_at(4, |c| c.is_ascii_digit())
    }

    fn word(&mut self) {
        let (start, from) = self.open();
        let mut shape = Shape::default();
        let path = !self.is_at(0, char::is_alphanumeric);
        let one_letter_flag = path && self.peek(0) == Some('-') && !self.is_at(2, char::is_alphanumeric);
        shape.code = path;
        let mut last = None;
        let mut capitals = 0;
        while let Some(c) = self.peek(0) {
            if c.is_alphanumeric() {
                if last.is_some_and(|last: char| {
                    latin(last) != latin(c) && last.is_alphabetic() && c.is_alphabetic()
                }) {
                    break;
                }
                shape.code |= c.is_uppercase() && last.is_some_and(char::is_lowercase);
                shape.code |= c.is_ascii_digit() && last.is_some_and(|last| last.is_ascii_alphabetic());
                shape.foreign |= !latin(c);
                // Digits of other kinds are not read as numbers: ², ½, ٣.
                if c.is_numeric() && !c.is_ascii_digit() {
                    self.scan.signs.push(c);
                }
                capitals += usize::from(c.is_uppercase());
                if one_letter_flag {
                    self.scan.text.push(c);
                } else if c.is_ascii() {
                    self.scan.text.push(c.to_ascii_lowercase());
                } else {
                    self.scan.text.extend(c.to_lowercase());
                }
            } else if !self.joins(c, path, last, &mut shape) {
                break;
            }
            last = Some(c);
            self.at += 1;
        }
        self.tail(&mut shape);
        (shape.capital, shape.capitals) = (capitals > 0, capitals > 1);
        self.close(start, from, shape);
    }

    /// Whether `c`, no letter or digit, goes on with the word; it is then in the text.
    fn joins(&mut self, c: char, path: bool, last: Option<char>, shape: &mut Shape) -> bool {
        let next = self.peek(1);
        let goes_on = next.is_some_and(char::is_alphanumeric);
        let kept = match c {
            '\'' | '’' => {
                let inner = last.is_some_and(char::is_alphabetic) && next.is_some_and(char::is_alphabetic);
                if inner {
                    self.scan.text.push('\'');
                }
                return inner;
            }
            // An abbreviation: the points go.
            '.' if !path && self.initials() => return true,
            '.' if !path => {
                goes_on && next.is_some_and(|c| c.is_lowercase() || c.is_ascii_digit()) && last.is_some()
            }
            '_' => goes_on || next == Some('_'),
            ':' => next == Some('/') && self.peek(2) == Some('/'),
            '/' | '.' | '-' | '~' | '=' | '?' | '&' | '%' if path || shape.code && self.address() => {
                goes_on || matches!(next, Some('/' | '.' | '-' | '_')) || (last.is_none() && c != '=')
            }
            _ => false,
        };
        if kept {
            shape.code = true;
            self.scan.text.push(c);
        }
        kept
    }

    /// Inside `u.s.a.`: single letters with points.
    fn initials(&self) -> bool {
        let single = self
            .at
            .checked_sub(2)
            .and_then(|at| self.chars.get(at))
            .is_none_or(|it| !it.1.is_alphanumeric());
        let letter = self.before().is_some_and(char::is_alphabetic);
        let ends = self.peek(2).is_none_or(|c| !c.is_alphanumeric());
        single && letter && self.is_at(1, char::is_alphabetic) && ends
    }

    /// The word so far is the address of a page.
    fn address(&self) -> bool {
        let start = self.scan.text.rfind(' ').map_or(0, |at| at + 1);
        self.scan
            .text
            .get(start..)
            .is_some_and(|word| word.contains([':', '/']))
    }

    /// `c++`, `c#`, `call()`.
    fn tail(&mut self, shape: &mut Shape) {
        let ends = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        if self.peek(0) == Some('+') && self.peek(1) == Some('+') && ends(self.peek(2)) {
            self.scan.text.push_str("++");
            self.at += 2;
            shape.code = true;
        } else if self.peek(0) == Some('#') && ends(self.peek(1)) {
            self.scan.text.push('#');
            self.at += 1;
            shape.code = true;
        } else if self.peek(0) == Some('(') && self.peek(1) == Some(')') {
            self.at += 2;
            shape.code = true;
        }
    }

    /// Begins a token: where in the text kept, where in the original.
    fn open(&mut self) -> (usize, usize) {
        if !self.scan.text.is_empty() {
            self.scan.text.push(' ');
        }
        (self.scan.text.len(), self.offset())
    }

    fn close(&mut self, start: usize, from: usize, shape: Shape) {
        let glued = self.scan.tokens.last().is_some_and(|last| last.to == from);
        let token = Token {
            start,
            end: self.scan.text.len(),
            from,
            to: self.offset(),
            shape: Shape {
                opens: self.opens,
                after_stop: self.after_stop,
                glued,
                ..shape
            },
        };
        self.scan.tokens.push(token);
        (self.opens, self.after_stop) = (false, false);
    }

    /// A character that is no part of a word.
    fn mark(&mut self, c: char) {
        match c {
            '?' | '？' => {
                self.scan.questions += 1;
                (self.opens, self.after_stop) = (true, true);
            }
            '!' if self.operator(c) => self.scan.signs.push(c),
            '.' | '!' | ':' | '。' | '！' => (self.opens, self.after_stop) = (true, true),
            ',' | ';' | '，' | '、' => self.after_stop = true,
            '"' | '“' | '”' | '«' | '»' | '`' => self.quotation(c),
            '$' | '€' | '£' | '¥' | '₹' | '%' | '°' if self.beside_number() => self.sign(c),
            _ if self.operator(c) => self.scan.signs.push(c),
            _ => {}
        }
    }

    fn quotation(&mut self, c: char) {
        match self.quote.take() {
            Some((closing, first)) if closing == c => {
                let last = self.scan.tokens.len();
                if last > first {
                    self.scan.quoted.push((first, last));
                }
            }
            other => {
                let closing = match c {
                    '“' => '”',
                    '«' => '»',
                    other => other,
                };
                self.quote = other.or(Some((closing, self.scan.tokens.len())));
            }
        }
    }

    /// The characters around this place, spaces aside.
    fn neighbours(&self) -> (Option<char>, Option<char>) {
        let visible = |c: &&(usize, char)| c.1 != ' ';
        let left = self.chars.get(..self.at).unwrap_or_default();
        let right = self.chars.get(self.at + 1..).unwrap_or_default();
        (
            left.iter().rev().find(visible).map(|it| it.1),
            right.iter().find(visible).map(|it| it.1),
        )
    }

    /// A digit is next to this place.
    fn beside_number(&self) -> bool {
        let (left, right) = self.neighbours();
        [left, right].into_iter().flatten().any(|c| c.is_ascii_digit())
    }

    /// Between two numbers: a difference or a range.
    fn subtracts(&self) -> bool {
        let (left, right) = self.neighbours();
        [left, right]
            .iter()
            .all(|it| it.is_some_and(|c| c.is_ascii_digit()))
    }

    /// Right after a number, and not at an end: `5! / 3!`.
    fn factorial(&self) -> bool {
        let (_, right) = self.neighbours();
        self.before().is_some_and(|c| c.is_ascii_digit())
            && right.is_some_and(|c| !c.is_uppercase() && !matches!(c, '!' | '?' | '.'))
    }

    fn sign(&mut self, c: char) {
        let (start, from) = self.open();
        self.scan.text.push_str(match c {
            '$' => "dollar",
            '€' => "euro",
            '£' => "gbp",
            '¥' => "yen",
            '₹' => "rupee",
            '%' => "percent",
            _ => "degree",
        });
        self.at += 1;
        self.close(
            start,
            from,
            Shape {
                sign: true,
                ..Shape::default()
            },
        );
        self.at -= 1;
    }

    /// Signs that change what is asked: emoji, and the operators of a sum.
    fn operator(&self, c: char) -> bool {
        match c {
            '-' | '–' => self.subtracts(),
            '|' if self.beside_number() => true,
            '+' | '−' | '*' | '/' | '^' | '%' | '÷' | '×' => self.beside_number(),
            '=' | '<' | '>' | '±' | '√' | '≤' | '≥' | '≠' => true,
            // Not, and, or; a factorial.
            '!' => self.peek(1) == Some('=') || self.factorial(),
            '&' | '|' => self.peek(1) == Some(c) || self.before() == Some(c),
            _ => !idle(c),
        }
    }
}

#[cfg(test)]
mod tests;
