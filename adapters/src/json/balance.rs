//! Whether a JSON object that comes piece by piece is complete.

/// How much of an object has been seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Balance {
    /// What is open; `None`: nothing has been opened yet.
    depth: Option<u64>,
    in_string: bool,
    escaped: bool,
    has_any: bool,
}

impl Balance {
    /// Takes in the next piece, cut anywhere.
    pub(crate) fn take(&mut self, json: &str) {
        for byte in json.bytes() {
            self.has_any |= !byte.is_ascii_whitespace();
            if self.in_string {
                self.in_string = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
                continue;
            }
            let depth = self.depth.unwrap_or(0);
            self.depth = match byte {
                b'"' => {
                    self.in_string = true;
                    Some(depth)
                }
                b'{' | b'[' => Some(depth.saturating_add(1)),
                b'}' | b']' => Some(depth.saturating_sub(1)),
                _ => self.depth,
            };
        }
    }

    /// Whether what was opened is closed again. Of a number one never knows.
    pub(crate) const fn is_complete(&self) -> bool {
        matches!(self.depth, Some(0)) && !self.in_string
    }

    /// Whether nothing but space has come.
    pub(crate) const fn is_empty(&self) -> bool {
        !self.has_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn space_is_nothing_and_numbers_never_end() {
        let mut balance = Balance::default();
        balance.take(" \n");
        assert!(balance.is_empty() && !balance.is_complete());
        balance.take("12");
        assert!(!balance.is_empty() && !balance.is_complete());
    }

    proptest! {
        #[test]
        fn an_object_is_complete_at_its_last_byte_and_not_before(
            text in r#"[a"\\{}\[\]é]{0,12}"#, number: i32, cut: prop::sample::Index,
        ) {
            let json = serde_json::json!({"a": [text, {"b": number}], text.clone(): null}).to_string();
            let cuts: Vec<usize> = json.char_indices().map(|(at, _)| at).collect();
            let (before, after) = json.split_at(*cut.get(&cuts));
            let mut balance = Balance::default();
            balance.take(before);
            prop_assert!(!balance.is_complete());
            balance.take(after);
            prop_assert!(balance.is_complete());
        }
    }
}
