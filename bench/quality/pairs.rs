//! Labelled pairs from lines of JSON: `{"a": …, "b": …, "same": true, "kind": …}`.

use std::io::BufRead;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Deserializer};

/// No line is longer: what is, is another sort of file.
const LONGEST_LINE_BYTES: u64 = 1 << 20;

/// Two questions and whether one answer does for both.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Pair {
    /// One question.
    pub a: String,
    /// The other.
    pub b: String,
    /// The label; also written 1 and 0.
    #[serde(deserialize_with = "label")]
    pub same: bool,
    /// By what they differ; `None`: not said.
    #[serde(default)]
    pub kind: Option<String>,
}

fn label<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Label {
        Truth(bool),
        Number(u64),
    }
    match Label::deserialize(deserializer) {
        Ok(Label::Truth(same)) => Ok(same),
        Ok(Label::Number(number @ 0..=1)) => Ok(number == 1),
        _ => Err(serde::de::Error::custom("`same` is neither true, false, 1 nor 0")),
    }
}

/// The pairs of `input`, one a line, each as it is read. Blank lines are passed over. An error names its line, and is the
/// last that comes.
pub fn read(mut input: impl BufRead) -> impl Iterator<Item = anyhow::Result<Pair>> {
    let mut number = 0_usize;
    let mut ended = false;
    std::iter::from_fn(move || {
        while !ended {
            number += 1;
            match line(&mut input).with_context(|| format!("line {number}")) {
                Ok(Line::Blank) => {}
                Ok(Line::Pair(pair)) => return Some(Ok(*pair)),
                Ok(Line::End) => ended = true,
                Err(error) => {
                    ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    })
}

enum Line {
    Pair(Box<Pair>),
    Blank,
    End,
}

fn line(input: &mut impl BufRead) -> anyhow::Result<Line> {
    let mut bytes = Vec::new();
    let mut limited = std::io::Read::take(&mut *input, LONGEST_LINE_BYTES);
    limited.read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(Line::End);
    }
    if bytes.len() as u64 == LONGEST_LINE_BYTES && bytes.last() != Some(&b'\n') {
        bail!("longer than {LONGEST_LINE_BYTES} bytes");
    }
    let text = std::str::from_utf8(&bytes)
        .context("not UTF-8")?
        .trim_start_matches('\u{feff}')
        .trim();
    if text.is_empty() {
        return Ok(Line::Blank);
    }
    let pair = serde_json::from_str(text).context("no pair {\"a\", \"b\", \"same\"}")?;
    Ok(Line::Pair(Box::new(pair)))
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_LINE_BYTES, Pair, read};

    fn all(text: &[u8]) -> Result<Vec<Pair>, String> {
        read(text)
            .collect::<anyhow::Result<_>>()
            .map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn labels_are_truths_or_one_and_zero() {
        let text = "\u{feff}{\"a\":\"x\",\"b\":\"y\",\"same\":true}\n\n  \r\n{\"a\":\"x\",\"b\":\"y\",\"same\":0,\"kind\":\"k\",\"more\":[]}";
        let pairs = all(text.as_bytes()).expect("two pairs");
        assert_eq!(
            pairs.iter().map(|pair| pair.same).collect::<Vec<_>>(),
            [true, false]
        );
        assert_eq!(
            pairs.iter().map(|pair| pair.kind.as_deref()).collect::<Vec<_>>(),
            [None, Some("k")]
        );
        assert_eq!(all(b""), Ok(Vec::new()));
    }

    #[test]
    fn an_error_names_its_line_and_ends_the_reading() {
        let good = "{\"a\":\"\",\"b\":\"\",\"same\":1}\n";
        for (bad, said) in [
            ("{\"a\":\"\",\"b\":\"\",\"same\":2}", "neither"),
            ("{\"a\":\"\",\"b\":\"\",\"same\":\"yes\"}", "neither"),
            ("{\"a\":\"\",\"b\":\"\",\"same\":-1}", "neither"),
            ("{\"a\":\"\",\"same\":1}", "missing field `b`"),
            ("a,b,1", "expected value"),
        ] {
            let error = all(format!("{good}\n{bad}\n{good}").as_bytes()).expect_err(bad);
            assert!(error.starts_with("line 3: ") && error.contains(said), "{error}");
            assert_eq!(read(format!("{bad}\n{good}").as_bytes()).count(), 1);
        }
        let error = all(b"{\"a\":\"\xff\"}").expect_err("no text");
        assert!(error.starts_with("line 1: not UTF-8"), "{error}");
        let long = vec![b'x'; usize::try_from(LONGEST_LINE_BYTES).expect("small") + 1];
        let error = all(&long).expect_err("too long");
        assert!(error.starts_with("line 1: longer"), "{error}");
    }
}
