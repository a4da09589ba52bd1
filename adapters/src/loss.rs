//! What a translation could not carry.

use std::fmt;

/// How many paths are kept: a request may hold a hundred thousand parts, a header not as many names.
const MOST_PATHS: usize = 64;

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
