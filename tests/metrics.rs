//! Metrics as Prometheus would scrape them.

/// One scrape.
#[derive(Debug, Clone)]
pub struct Metrics(String);

impl Metrics {
    /// From the text of `/metrics`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The sum of the series of this name that have all these labels; 0 where there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.0.lines().filter_map(|line| value(line, name, labels)).sum()
    }
}

fn value(line: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let rest = line.strip_prefix(name)?;
    let (have, number) = match rest.strip_prefix('{') {
        Some(rest) => rest.rsplit_once("} ")?,
        None => ("", rest.strip_prefix(' ')?),
    };
    let has = |(label, value): &(&str, &str)| have.contains(&format!("{label}=\"{value}\""));
    labels.iter().all(has).then(|| number.trim().parse().unwrap())
}
