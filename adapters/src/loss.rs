//! What a translation could not carry.

use std::fmt;

use tollgate_core::Dialect;

/// How many paths are kept: a request may hold a hundred thousand parts, a header not as many names.
const MOST_PATHS: usize = 64;

/// What clients of a dialect call what most call otherwise.
const GEMINI: &[(&str, &str)] = &[
    ("temperature", "generationConfig.temperature"),
    ("top_p", "generationConfig.topP"),
    ("top_k", "generationConfig.topK"),
    ("seed", "generationConfig.seed"),
    ("frequency_penalty", "generationConfig.frequencyPenalty"),
    ("presence_penalty", "generationConfig.presencePenalty"),
    ("n", "generationConfig.candidateCount"),
    ("logprobs", "generationConfig.responseLogprobs"),
    ("top_logprobs", "generationConfig.logprobs"),
];
const COHERE: &[(&str, &str)] = &[("top_p", "p"), ("top_k", "k")];
const BEDROCK: &[(&str, &str)] = &[
    ("temperature", "inferenceConfig.temperature"),
    ("top_p", "inferenceConfig.topP"),
    ("top_k", "additionalModelRequestFields.top_k"),
];

/// JSON paths of the client's request that the target's dialect has no place for, each once, in the order met;
/// of very many, the first ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loss {
    paths: Vec<Box<str>>,
    has_more: bool,
}

impl Loss {
    /// Notes that what stands at `path` (`logit_bias`, `messages[2].content[0].detail`) is not carried.
    pub fn note(&mut self, path: impl Into<Box<str>>) {
        let path = path.into();
        if self.paths.contains(&path) {
            return;
        }
        if self.paths.len() < MOST_PATHS {
            self.paths.push(path);
        } else {
            self.has_more = true;
        }
    }

    /// The same in the words of the client's dialect: encoders name what has one name in most dialects by that.
    #[must_use]
    pub(crate) fn in_words_of(mut self, client: Dialect) -> Self {
        let names: &[(&str, &str)] = match client {
            Dialect::OpenAi | Dialect::Responses | Dialect::Anthropic => return self,
            Dialect::Gemini => GEMINI,
            Dialect::Cohere => COHERE,
            Dialect::Bedrock => BEDROCK,
        };
        let result = match client {
            Dialect::Gemini => "functionResponse.response.error",
            Dialect::Bedrock => "toolResult.status",
            _ => "is_error",
        };
        for path in &mut self.paths {
            if let Some((_, own)) = names.iter().find(|(name, _)| **path == **name) {
                *path = (*own).into();
            } else if let Some(part) = path.strip_suffix(".is_error") {
                *path = format!("{part}.{result}").into();
            }
        }
        self
    }

    /// Whether everything was carried.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// The paths that are kept.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(|path| &**path)
    }
}

/// Separated by commas: the value of `x-tollgate-loss`. Ends in `...` if there are more.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, path) in self.paths.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{path}")?;
        }
        if self.has_more {
            f.write_str(", ...")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_in_its_own_words() {
        let told = |client| {
            let mut loss = Loss::default();
            for path in ["top_p", "contents[2].parts[1].is_error", "labels"] {
                loss.note(path);
            }
            loss.in_words_of(client).to_string()
        };
        assert_eq!(
            told(Dialect::Gemini),
            "generationConfig.topP, contents[2].parts[1].functionResponse.response.error, labels"
        );
        assert_eq!(told(Dialect::Cohere), "p, contents[2].parts[1].is_error, labels");
    }

    #[test]
    fn each_path_is_named_once_and_of_very_many_the_first() {
        let mut loss = Loss::default();
        assert!(loss.is_empty());
        loss.note("a");
        loss.note("b");
        loss.note("a");
        assert_eq!(loss.to_string(), "a, b");
        (0..1000).for_each(|index| loss.note(format!("messages[{index}]")));
        assert_eq!(loss.paths().count(), MOST_PATHS);
        assert!(loss.to_string().ends_with("messages[61], ..."));
    }
}
