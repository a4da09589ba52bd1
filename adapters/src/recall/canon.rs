//! Values written so that equal ones are equal bytes, and different ones are different.
//!
//! Everything written ends where it says: texts have their length before them, lists their number or an end. So two
//! sequences of values are the same bytes only if they are the same values. JSON is written by its meaning: fields in
//! the order of their names, numbers by their value, strings without escapes, no white space.

use std::borrow::Cow;

use smallvec::SmallVec;

use crate::json::{quoted_end, skip_space, text, value_span};

/// Values deeper inside of JSON than this are compared letter by letter.
const DEEPEST: usize = 64;

/// A sequence of values.
#[derive(Debug, Default)]
pub(super) struct Canon(Vec<u8>);

/// A field on its way to its place: its name, and where it is written.
type Member<'a> = (Cow<'a, str>, usize, usize);

impl Canon {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A mark: what follows, or that nothing does.
    pub(super) fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    pub(super) fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// How many follow.
    pub(super) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// A value, or that there is none.
    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            Some(value) => {
                self.tag(1);
                write(self, value);
            }
            None => self.tag(0),
        }
    }

    pub(super) fn optional_text(&mut self, text: Option<&str>) {
        self.option(text, Self::text);
    }

    pub(super) fn float(&mut self, number: f64) {
        // Both zeros are one.
        self.number((number + 0.0).to_bits());
    }

    /// JSON that is known to be valid. What is not is written as it is.
    pub(super) fn json(&mut self, json: &str) {
        let start = self.0.len();
        let space = skip_space(json.as_bytes(), 0);
        let end = self.value(json, space, DEEPEST);
        if end.is_none_or(|end| skip_space(json.as_bytes(), end) < json.len()) {
            self.0.truncate(start);
            self.verbatim(json);
        }
    }

    /// JSON letter by letter.
    pub(super) fn verbatim(&mut self, json: &str) {
        self.tag(b'~');
        self.text(json);
    }

    /// Writes the value at `at`, and says where it ends.
    fn value(&mut self, json: &str, at: usize, depth: usize) -> Option<usize> {
        let bytes = json.as_bytes();
        match *bytes.get(at)? {
            b'"' => {
                let end = quoted_end(bytes, at + 1)?;
                let quoted = json.get(at..end)?;
                match text(quoted) {
                    Some(text) => {
                        self.tag(b'"');
                        self.text(&text);
                    }
                    // Half a surrogate pair.
                    None => self.verbatim(quoted),
                }
                Some(end)
            }
            b'{' | b'[' if depth == 0 => {
                let span = value_span(bytes, at)?;
                self.verbatim(json.get(span.clone())?);
                Some(span.end)
            }
            b'{' => self.object(json, at, depth - 1),
            b'[' => self.array(json, at, depth - 1),
            _ => {
                let span = value_span(bytes, at)?;
                self.scalar(json.get(span.clone()).filter(|scalar| !scalar.is_empty())?);
                Some(span.end)
            }
        }
    }

    fn scalar(&mut self, scalar: &str) {
        match decimal(scalar) {
            Some((is_negative, digits, exponent)) => {
                self.tag(if is_negative { b'-' } else { b'+' });
                self.text(&digits);
                self.0.extend_from_slice(&exponent.to_le_bytes());
            }
            None => self.verbatim(scalar),
        }
    }

    fn array(&mut self, json: &str, mut at: usize, depth: usize) -> Option<usize> {
        let bytes = json.as_bytes();
        self.tag(b'[');
        let first = skip_space(bytes, at + 1);
        if bytes.get(first) == Some(&b']') {
            self.tag(b']');
            return Some(first + 1);
        }
        loop {
            let start = skip_space(bytes, at + 1);
            at = skip_space(bytes, self.value(json, start, depth)?);
            match bytes.get(at)? {
                b',' => {}
                b']' => break,
                _ => return None,
            }
        }
        self.tag(b']');
        Some(at + 1)
    }

    fn object(&mut self, json: &str, mut at: usize, depth: usize) -> Option<usize> {
        let bytes = json.as_bytes();
        self.tag(b'{');
        let begin = self.0.len();
        let mut members: SmallVec<[Member<'_>; 8]> = SmallVec::new();
        let first = skip_space(bytes, at + 1);
        if bytes.get(first) == Some(&b'}') {
            at = first;
        } else {
            loop {
                let key = skip_space(bytes, at + 1);
                let end = quoted_end(bytes, key + 1).filter(|_| bytes.get(key) == Some(&b'"'))?;
                let name = text(json.get(key..end)?)?;
                let colon = skip_space(bytes, end);
                if bytes.get(colon) != Some(&b':') {
                    return None;
                }
                let start = self.0.len();
                self.tag(b',');
                self.text(&name);
                at = self.value(json, skip_space(bytes, colon + 1), depth)?;
                at = skip_space(bytes, at);
                members.push((name, start, self.0.len()));
                match bytes.get(at)? {
                    b',' => {}
                    b'}' => break,
                    _ => return None,
                }
            }
        }
        self.sort(begin, &mut members)?;
        self.tag(b'}');
        Some(at + 1)
    }

    /// Puts the members that were written from `begin` on into the order of their names; those of one name stay in
    /// theirs.
    fn sort(&mut self, begin: usize, members: &mut [Member<'_>]) -> Option<()> {
        if members.is_sorted_by(|one, next| one.0 <= next.0) {
            return Some(());
        }
        members.sort_by(|one, other| one.0.cmp(&other.0));
        let mut sorted = Vec::with_capacity(self.0.len() - begin);
        for (_, start, end) in members {
            sorted.extend_from_slice(self.0.get(*start..*end)?);
        }
        self.0.truncate(begin);
        self.0.extend_from_slice(&sorted);
        Some(())
    }
}

/// The value of a JSON number, exactly: sign, digits without zeros around them, and the power of ten of the last.
/// `None`: it is none, or its exponent is beyond all use.
fn decimal(number: &str) -> Option<(bool, Cow<'_, str>, i64)> {
    let (is_negative, rest) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits = if fraction.is_empty() {
        Cow::Borrowed(whole)
    } else {
        Cow::Owned([whole, fraction].concat())
    };
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let kept = digits.trim_end_matches('0').len();
    let exponent = exponent.checked_add(i64::try_from(digits.len() - kept).ok()?)?;
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    if kept <= zeros {
        return Some((false, Cow::Borrowed(""), 0));
    }
    let digits = match digits {
        Cow::Borrowed(digits) => Cow::Borrowed(digits.get(zeros..kept)?),
        Cow::Owned(digits) => Cow::Owned(digits.get(zeros..kept)?.to_owned()),
    };
    Some((is_negative, digits, exponent))
}

/// How deep a JSON text is nested at its deepest: 0 for a scalar.
pub(super) fn depth(json: &[u8]) -> usize {
    let (mut at, mut depth, mut deepest) = (0, 0_usize, 0);
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => match quoted_end(json, at) {
                Some(end) => at = end,
                None => break,
            },
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn canon(json: &str) -> Vec<u8> {
        let mut canon = Canon::default();
        canon.json(json);
        canon.0
    }

    #[test]
    fn numbers_are_compared_by_their_value() {
        let groups: &[&[&str]] = &[
            &["1", "1.0", "1e0", "10e-1", "0.1E+1", "100E-2"],
            &["0", "-0", "0.000", "0e99"],
            &["-1", "-1.00"],
            &["10", "1e1"],
            &["0.1", "0.10", "1e-1"],
            &["12345678901234567890123", "12345678901234567890123.0"],
            &["12345678901234567890124"],
            &["1e99999999999999999999"],
            &["\"1\""],
            &["true"],
            &["null"],
        ];
        for (at, group) in groups.iter().enumerate() {
            for json in *group {
                for (other, others) in groups.iter().enumerate() {
                    assert_eq!(
                        canon(json) == canon(others[0]),
                        at == other,
                        "{json} {}",
                        others[0]
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_not_json_is_itself() {
        for (one, other) in [
            ("{", "{ "),
            ("[1,]", "[1, ]"),
            ("", " "),
            ("{\"a\" 1}", "{\"a\"  1}"),
            ("\"", "\"\""),
        ] {
            assert_ne!(canon(one), canon(other), "{one}");
        }
    }

    #[test]
    fn deep_json_is_compared_without_overflowing_the_stack() {
        let deep = |inside: &str| format!("{}{inside}{}", "[".repeat(300_000), "]".repeat(300_000));
        assert_ne!(canon(&deep("1")), canon(&deep("2")));
        assert_eq!(depth(deep("1").as_bytes()), 300_000);
    }

    fn json() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3..3_i64).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-4..4_i32).prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
            "[a-b\"\\\\\n,\\[\\]{}é]{0,3}".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[a-c,]{0,2}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// The same, with numbers as decimals and fields in order: what the meaning is.
    fn meaning(value: &Value) -> String {
        match value {
            Value::Number(number) => format!("{}", number.as_f64().unwrap() + 0.0),
            Value::Array(list) => format!("[{}]", list.iter().map(meaning).collect::<Vec<_>>().join(",")),
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(name, _)| name.as_str());
                let fields = fields
                    .into_iter()
                    .map(|(name, value)| format!("{name:?}:{}", meaning(value)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
            other => other.to_string(),
        }
    }

    fn reversed(value: &Value) -> Value {
        match value {
            Value::Array(list) => list.iter().map(reversed).collect(),
            Value::Object(fields) => {
                let fields = fields
                    .iter()
                    .rev()
                    .map(|(name, value)| (name.clone(), reversed(value)));
                Value::Object(fields.collect())
            }
            other => other.clone(),
        }
    }

    proptest! {
        #[test]
        fn json_is_the_same_exactly_if_it_means_the_same(a in json(), b in json()) {
            // Beyond 2^53 the meaning above is not exact.
            prop_assume!(a.to_string().len() + b.to_string().len() < 400);
            let same = canon(&a.to_string()) == canon(&b.to_string());
            prop_assert!(!same || meaning(&a) == meaning(&b));
            let (pretty, turned) = (serde_json::to_string_pretty(&a).unwrap(), reversed(&a).to_string());
            prop_assert_eq!(canon(&a.to_string()), canon(&pretty));
            prop_assert_eq!(canon(&a.to_string()), canon(&turned));
        }

        #[test]
        fn sequences_are_told_apart(a: Vec<String>, b: Vec<String>) {
            let written = |texts: &[String]| {
                let mut canon = Canon::default();
                canon.count(texts.len());
                for text in texts {
                    canon.text(text);
                }
                canon.0
            };
            prop_assert_eq!(written(&a) == written(&b), a == b);
        }

        #[test]
        fn any_text_is_written(text in "[\"\\\\{}\\[\\],: 0-9a-e.+-]{0,40}") {
            let _ = (canon(&text), depth(text.as_bytes()));
        }
    }
}
