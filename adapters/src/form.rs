//! A multipart form on its way to a provider: its field `model` is found, and replaced, while the rest goes by.
//!
//! A form that holds a file may be of any size, so nothing of it is kept but what cannot be told yet: the beginning of a
//! delimiter, the head of a part, the value of `model`. Readers of forms differ in what they forgive; what they could
//! read differently (a lone line feed before a delimiter, a folded header, the field given twice) is refused, because a
//! key may use only the model that was read here.
//!
//! RFC 7578, RFC 2046 section 5.1.

use bytes::Bytes;
use memchr::memmem;
use tollgate_core::{Refusal, RefusalKind};

/// The head of a part may take this much.
const MAX_PART_HEAD: usize = 8 << 10;
/// And the value of `model` this much.
const MAX_MODEL: usize = 512;
/// RFC 2046: boundaries have 70 characters at the most.
const MAX_BOUNDARY: usize = 70;

/// What is to become of the field `model`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelField {
    /// It is only read.
    Read,
    /// It must say `named`, and goes on as `target`.
    Replace {
        /// What it must say.
        named: Box<str>,
        /// What the provider is told.
        target: Box<str>,
        /// What becomes of a form that ends without it.
        absent: Absent,
    },
}

/// What becomes of a form that ends without `model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// It is refused: its length was announced with the field in it.
    Refused,
    /// The field is added at the end.
    Added,
}

/// Watches a form go by.
#[derive(Debug)]
pub struct FormScan {
    /// `\r\n--BOUNDARY`
    delimiter: Box<[u8]>,
    wanted: ModelField,
    state: State,
    /// What cannot be told yet.
    held: Bytes,
    model: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing has come.
    Start,
    /// Behind a delimiter.
    Delimited,
    /// In the head of a part.
    Head,
    /// In a part that goes by.
    Part,
    /// In the part of that name.
    Model,
    /// Behind the last delimiter.
    Over,
}

impl FormScan {
    /// A scan of a form with this `content-type`.
    ///
    /// # Errors
    /// If that names no boundary that could be one.
    pub fn new(content_type: &str, wanted: ModelField) -> Result<Self, Refusal> {
        let boundary = boundary(content_type)
            .ok_or_else(|| malformed("the form's content-type names no usable boundary"))?;
        Ok(Self {
            delimiter: ["\r\n--", boundary].concat().into_bytes().into(),
            wanted,
            state: State::Start,
            held: Bytes::new(),
            model: None,
        })
    }

    /// The value of `model`; `None`: it has not come, or not yet.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// By how many bytes the form grows when `model` is written into one that lacks it.
    pub fn added_len(&self, model: &str) -> usize {
        self.addition(model).len()
    }

    /// Takes the next piece, and puts what may go on into `out`.
    ///
    /// # Errors
    /// What is no form, or one that others might read otherwise; a `model` other than expected.
    pub fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) -> Result<(), Refusal> {
        let mut rest = if self.held.is_empty() {
            piece
        } else {
            [&*std::mem::take(&mut self.held), &*piece].concat().into()
        };
        while self.state != State::Over {
            let Some(step) = self.step(&mut rest, out)? else {
                self.held = rest;
                return Ok(());
            };
            self.state = step;
        }
        out.extend((!rest.is_empty()).then_some(rest));
        Ok(())
    }

    /// The form has come to its end.
    ///
    /// # Errors
    /// If it had not.
    pub fn finish(&self) -> Result<(), Refusal> {
        if self.state == State::Over {
            return Ok(());
        }
        Err(malformed("the form ends before its closing boundary"))
    }

    /// One step further; `None`: more must come first.
    fn step(&mut self, rest: &mut Bytes, out: &mut Vec<Bytes>) -> Result<Option<State>, Refusal> {
        match self.state {
            State::Start => self.start(rest, out),
            State::Delimited => self.delimited(rest, out),
            State::Head => head(rest, out),
            State::Part => self.part(rest, out),
            State::Model => self.field(rest, out),
            State::Over => Ok(None),
        }
    }

    fn start(&self, rest: &mut Bytes, out: &mut Vec<Bytes>) -> Result<Option<State>, Refusal> {
        let first = self.delimiter.get(2..).unwrap_or_default();
        if !rest.starts_with(first.get(..rest.len().min(first.len())).unwrap_or_default()) {
            return Err(malformed("the form does not begin with its boundary"));
        }
        if rest.len() < first.len() {
            return Ok(None);
        }
        out.push(rest.split_to(first.len()));
        Ok(Some(State::Delimited))
    }

    fn delimited(&mut self, rest: &mut Bytes, out: &mut Vec<Bytes>) -> Result<Option<State>, Refusal> {
        match rest.get(..2) {
            None => Ok(None),
            Some(b"\r\n") => {
                out.push(rest.split_to(2));
                Ok(Some(State::Head))
            }
            Some(b"--") => {
                self.close(out)?;
                Ok(Some(State::Over))
            }
            Some(_) => Err(malformed("a boundary in the form is followed by something else")),
        }
    }

    /// The last delimiter is here, but for its end.
    fn close(&self, out: &mut Vec<Bytes>) -> Result<(), Refusal> {
        match &self.wanted {
            ModelField::Replace { target, absent, .. } if self.model.is_none() => match absent {
                Absent::Added => {
                    out.push(self.addition(target).into());
                    Ok(())
                }
                Absent::Refused => Err(Refusal::new(
                    RefusalKind::InvalidField,
                    "the form has no field `model`: name the model that is to answer",
                )
                .at("model")),
            },
            _ => Ok(()),
        }
    }

    /// What is written behind a delimiter, to come before its end.
    fn addition(&self, model: &str) -> Vec<u8> {
        let mut out = b"\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n".to_vec();
        out.extend_from_slice(model.as_bytes());
        out.extend_from_slice(&self.delimiter);
        out
    }

    fn part(&self, rest: &mut Bytes, out: &mut Vec<Bytes>) -> Result<Option<State>, Refusal> {
        if let Some(at) = self.next_delimiter(rest)? {
            out.push(rest.split_to(at + self.delimiter.len()));
            return Ok(Some(State::Delimited));
        }
        let unclear = self.unclear(rest);
        let clear = rest.split_to(rest.len() - unclear);
        out.extend((!clear.is_empty()).then_some(clear));
        Ok(None)
    }

    fn field(&mut self, rest: &mut Bytes, out: &mut Vec<Bytes>) -> Result<Option<State>, Refusal> {
        let found = self.next_delimiter(rest)?;
        if found.unwrap_or_else(|| rest.len().saturating_sub(self.delimiter.len())) > MAX_MODEL {
            return Err(invalid(format!("`model` is longer than {MAX_MODEL} bytes")));
        }
        let Some(at) = found else {
            return Ok(None);
        };
        let value = rest.split_to(at);
        let model = std::str::from_utf8(&value).map_err(|_| invalid("`model` is not UTF-8"))?;
        if model.trim().is_empty() || model.contains(char::is_control) {
            return Err(invalid("`model` is not the name of a model"));
        }
        if self.model.is_some() {
            return Err(invalid("`model` is given twice: give it once"));
        }
        match &self.wanted {
            ModelField::Replace { named, .. } if **named != *model => {
                return Err(invalid(format!(
                    "the form names the model '{model}' behind its file, too late to be routed: the request went \
                     to '{named}'; send `model` before the file, or name it in the header x-tollgate-model"
                )));
            }
            ModelField::Replace { target, .. } if **target != *model => {
                out.push(Bytes::copy_from_slice(target.as_bytes()));
            }
            _ => out.push(value.clone()),
        }
        self.model = Some(model.into());
        out.push(rest.split_to(self.delimiter.len()));
        Ok(Some(State::Delimited))
    }

    /// Where the next delimiter begins.
    fn next_delimiter(&self, rest: &[u8]) -> Result<Option<usize>, Refusal> {
        // Without its carriage return, which some readers do without.
        let line = self.delimiter.get(1..).unwrap_or_default();
        let Some(at) = memmem::find(rest, line) else {
            return Ok(None);
        };
        match at.checked_sub(1) {
            Some(before) if rest.get(before) == Some(&b'\r') => Ok(Some(before)),
            _ => Err(malformed("a boundary in the form stands behind a lone line feed")),
        }
    }

    /// How many bytes at the end may be the beginning of a delimiter.
    fn unclear(&self, rest: &[u8]) -> usize {
        let line = self.delimiter.get(1..).unwrap_or_default();
        let begins = |end: &[u8]| self.delimiter.starts_with(end) || line.starts_with(end);
        let longest = rest.len().min(self.delimiter.len() - 1);
        let mut ends = (1..=longest).rev();
        ends.find(|len| rest.get(rest.len() - len..).is_some_and(begins))
            .unwrap_or(0)
    }
}

/// The head of a part, up to the empty line.
fn head(rest: &mut Bytes, out: &mut Vec<Bytes>) -> Result<Option<State>, Refusal> {
    let Some(end) = memmem::find(rest, b"\r\n\r\n") else {
        if rest.len() > MAX_PART_HEAD {
            return Err(malformed(format!(
                "the head of a part is longer than {MAX_PART_HEAD} bytes"
            )));
        }
        return Ok(None);
    };
    let head = rest.split_to(end + 4);
    let text = head.get(..end).and_then(|head| std::str::from_utf8(head).ok());
    let name = field_name(text.ok_or_else(|| malformed("the head of a part is not UTF-8"))?)?;
    out.push(head);
    Ok(Some(if name == "model" {
        State::Model
    } else {
        State::Part
    }))
}

/// The name of the field that a part holds.
fn field_name(head: &str) -> Result<String, Refusal> {
    let mut found = None;
    for line in head.split("\r\n") {
        let (name, value) = line
            .split_once(':')
            .filter(|(name, _)| !name.starts_with([' ', '\t']) && !line.contains(['\r', '\n']))
            .ok_or_else(|| malformed("the head of a part has a line that is no header"))?;
        if name.trim().eq_ignore_ascii_case("content-disposition")
            && found.replace(parameter(value, "name")).is_some()
        {
            return Err(malformed("a part has two content-dispositions"));
        }
    }
    found
        .flatten()
        .ok_or_else(|| malformed("a part of the form has no name"))
}

/// A parameter of a header: `name="value"` or `name=value`. Given twice, or in the extended form (`name*=`) which some read
/// and others do not, it is none.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = value.split_once(';')?;
    let mut found = None;
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, next) = if let Some(quoted) = after.strip_prefix('"') {
            quoted_text(quoted)?
        } else {
            let end = after.find(';').unwrap_or(after.len());
            let (value, next) = after.split_at(end);
            (value.trim().to_owned(), next)
        };
        if is_form_of(name, wanted) && (name.contains('*') || found.replace(value).is_some()) {
            return None;
        }
        let next = next.trim_start();
        match next.strip_prefix(';').map(str::trim) {
            None if next.is_empty() => return found,
            Some("") => return found,
            None => return None,
            Some(_) => rest = next.get(1..)?,
        }
    }
}

/// Whether a parameter has this name, or is an extended form of it.
fn is_form_of(name: &str, wanted: &str) -> bool {
    let (bare, _) = name.split_once('*').unwrap_or((name, ""));
    bare.trim().eq_ignore_ascii_case(wanted)
}

/// What stands in quotes, and what follows them.
fn quoted_text(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, quoted.get(at + 1..)?)),
            '\\' => text.push(chars.next()?.1),
            c => text.push(c),
        }
    }
    None
}

/// The boundary that a `content-type` names.
fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let parameters = parameters.split(';').filter_map(|it| it.split_once('='));
    let mut named = parameters.filter(|(name, _)| is_form_of(name, "boundary"));
    let (name, value) = named.next()?;
    if named.next().is_some() || name.contains('*') {
        return None;
    }
    let value = value.trim();
    let bare = value
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'))
        .unwrap_or(value);
    let is_usable = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
    let fits = (1..=MAX_BOUNDARY).contains(&bare.len());
    (fits && bare.bytes().all(is_usable)).then_some(bare)
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(RefusalKind::MalformedBody, message)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(RefusalKind::InvalidField, message).at("model")
}

#[cfg(test)]
mod tests;
