//! The file of budgets, read strictly and written so that its comments stay.

use std::collections::BTreeMap;

use thiserror::Error;
use toml_edit::{DocumentMut, Item, TableLike, value};

use super::{Counted, real, whole};

/// What may be spent.
#[derive(Debug, Clone)]
pub struct Budget {
    document: DocumentMut,
    /// What is allowed above what is measured when budgets are written, in percent.
    pub margin_percent: f64,
    /// For each stage.
    pub stages: BTreeMap<String, Room>,
    /// For one stage in proportion to another.
    pub ratios: BTreeMap<String, Ratio>,
}

/// What a stage may take each time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Instructions at most.
    pub instructions: u64,
    /// Allocations, on average.
    pub allocations: f64,
}

/// How many times the instructions of `over` those of `of` may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratio {
    /// The stage that is held against another.
    pub of: String,
    /// The other.
    pub over: String,
    /// The proportion at most.
    pub at_most: f64,
}

/// What is wrong with the file.
#[derive(Debug, Error)]
pub enum BudgetError {
    /// It is not TOML.
    #[error("not valid TOML: {0}")]
    Syntax(#[from] toml_edit::TomlError),
    /// Something that must be there is not, or is something else.
    #[error("{place}: expected {expected}")]
    Expected {
        /// Where, as a path of keys.
        place: String,
        /// What.
        expected: &'static str,
    },
    /// Something is there that means nothing.
    #[error("{place} is not known here (known: {known})")]
    Unknown {
        /// Where, as a path of keys.
        place: String,
        /// What could stand there.
        known: &'static str,
    },
    /// A ratio names a stage without a budget.
    #[error("ratios.{ratio}: there is no stage '{stage}'")]
    NoSuchStage {
        /// The name of the ratio.
        ratio: String,
        /// What it names.
        stage: String,
    },
}

impl Budget {
    /// Reads the text of a file. What is not understood is an error: a budget that is misspelt would hold nobody.
    pub fn parse(text: &str) -> Result<Self, BudgetError> {
        let document: DocumentMut = text.parse()?;
        only(document.as_table(), "", &["margin_percent", "stages", "ratios"])?;
        let margin_percent = number(
            document.get("margin_percent"),
            "margin_percent",
            "a number from 0 on",
        )?;
        let stages = table(document.get("stages"), "stages")?
            .iter()
            .map(|(name, item)| Ok((name.to_owned(), room(item, &format!("stages.{name}"))?)))
            .collect::<Result<BTreeMap<_, _>, BudgetError>>()?;
        let ratios = table(document.get("ratios"), "ratios")?
            .iter()
            .map(|(name, item)| Ok((name.to_owned(), ratio(item, &format!("ratios.{name}"))?)))
            .collect::<Result<BTreeMap<_, _>, BudgetError>>()?;
        for (name, ratio) in &ratios {
            for stage in [&ratio.of, &ratio.over] {
                if !stages.contains_key(stage) {
                    let (ratio, stage) = (name.clone(), stage.clone());
                    return Err(BudgetError::NoSuchStage { ratio, stage });
                }
            }
        }
        Ok(Self {
            document,
            margin_percent,
            stages,
            ratios,
        })
    }

    /// The text of a file that allows what was counted: allocations as they are, instructions with the margin.
    /// Comments stay, and so do ratios, which are promises and no measurements. Stages that are no longer counted go.
    pub fn rewritten(&self, counted: &Counted) -> String {
        let mut document = self.document.clone();
        if let Some(stages) = document.get_mut("stages").and_then(Item::as_table_like_mut) {
            let gone: Vec<_> = self
                .stages
                .keys()
                .filter(|name| !counted.contains_key(*name))
                .collect();
            for name in gone {
                stages.remove(name);
            }
            for (name, counts) in counted {
                let instructions = whole(counts.instructions * (1.0 + self.margin_percent / 100.0));
                set(stages, name, instructions, counts.allocations);
            }
        }
        document.to_string()
    }
}

/// Changes the numbers of an entry, or adds one.
fn set(stages: &mut dyn TableLike, name: &str, instructions: u64, allocations: f64) {
    if !stages.contains_key(name) {
        stages.insert(name, value(toml_edit::InlineTable::new()));
    }
    let Some(entry) = stages.get_mut(name).and_then(Item::as_table_like_mut) else {
        return;
    };
    let tenths = whole(allocations * 10.0);
    let allocations = if tenths.is_multiple_of(10) {
        integer(tenths / 10)
    } else {
        value(real(tenths) / 10.0)
    };
    for (field, number) in [
        ("instructions", integer(instructions)),
        ("allocations", allocations),
    ] {
        let told = |item: &Item| item.to_string().trim().replace('_', "");
        if entry.get(field).map(told) != Some(told(&number)) {
            entry.insert(field, number);
        }
    }
}

fn integer(number: u64) -> Item {
    value(i64::try_from(number).unwrap_or(i64::MAX))
}

fn room(item: &Item, place: &str) -> Result<Room, BudgetError> {
    let entry = table(Some(item), place)?;
    only(entry, place, &["instructions", "allocations"])?;
    let instructions = entry.get("instructions").and_then(Item::as_integer);
    let instructions = instructions.and_then(|number| u64::try_from(number).ok());
    Ok(Room {
        instructions: instructions
            .ok_or_else(|| expected(&format!("{place}.instructions"), "a whole number from 0 on"))?,
        allocations: number(
            entry.get("allocations"),
            &format!("{place}.allocations"),
            "a number from 0 on",
        )?,
    })
}

fn ratio(item: &Item, place: &str) -> Result<Ratio, BudgetError> {
    let entry = table(Some(item), place)?;
    only(entry, place, &["of", "over", "at_most"])?;
    let name = |field: &str| {
        let found = entry.get(field).and_then(Item::as_str).map(str::to_owned);
        found.ok_or_else(|| expected(&format!("{place}.{field}"), "the name of a stage"))
    };
    Ok(Ratio {
        of: name("of")?,
        over: name("over")?,
        at_most: number(
            entry.get("at_most"),
            &format!("{place}.at_most"),
            "a number from 0 on",
        )?,
    })
}

fn table<'t>(item: Option<&'t Item>, place: &str) -> Result<&'t dyn TableLike, BudgetError> {
    item.and_then(Item::as_table_like)
        .ok_or_else(|| expected(place, "a table"))
}

#[expect(clippy::cast_precision_loss, reason = "margins and ratios are small")]
fn number(item: Option<&Item>, place: &str, what: &'static str) -> Result<f64, BudgetError> {
    let found = item.and_then(|it| {
        it.as_float()
            .or_else(|| it.as_integer().map(|whole| whole as f64))
    });
    found
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or_else(|| expected(place, what))
}

fn only(table: &dyn TableLike, place: &str, known: &[&'static str]) -> Result<(), BudgetError> {
    let strange = table.iter().find(|(key, _)| !known.contains(key));
    let Some((key, _)) = strange else { return Ok(()) };
    let place = if place.is_empty() {
        key.to_owned()
    } else {
        format!("{place}.{key}")
    };
    Err(BudgetError::Unknown {
        place,
        known: match known {
            ["margin_percent", ..] => "margin_percent, stages, ratios",
            ["of", ..] => "of, over, at_most",
            _ => "instructions, allocations",
        },
    })
}

fn expected(place: &str, expected: &'static str) -> BudgetError {
    BudgetError::Expected {
        place: place.to_owned(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Counts;
    use super::*;

    const GOOD: &str = r#"# Kept.
margin_percent = 3

[stages]
# Why it is so.
plan = { instructions = 10_000, allocations = 6 }
"line/chat" = { instructions = 200_000, allocations = 90 } # the whole

[ratios]
"line over plan" = { of = "line/chat", over = "plan", at_most = 25 }
"#;

    #[test]
    fn a_good_file_says_what_may_be_spent() {
        let budget = Budget::parse(GOOD).unwrap();
        let plan = Room {
            instructions: 10_000,
            allocations: 6.0,
        };
        assert_eq!((budget.margin_percent, budget.stages["plan"]), (3.0, plan));
        assert_eq!(budget.stages.len(), 2);
        assert!((budget.ratios["line over plan"].at_most - 25.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let told = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            Budget::parse(&GOOD.replace(from, to)).unwrap_err().to_string()
        };
        let cases = [
            (
                ("margin_percent = 3", ""),
                "margin_percent: expected a number from 0 on",
            ),
            (
                ("margin_percent = 3", "margin_percent = -1"),
                "margin_percent: expected a number from 0 on",
            ),
            (
                ("margin_percent = 3", "margin_percent = nan"),
                "margin_percent: expected a number from 0 on",
            ),
            (
                ("[stages]", "[stage]"),
                "stage is not known here (known: margin_percent, stages, ratios)",
            ),
            (
                ("10_000", "-1"),
                "stages.plan.instructions: expected a whole number from 0 on",
            ),
            (
                ("10_000", "1.5"),
                "stages.plan.instructions: expected a whole number from 0 on",
            ),
            (
                (", allocations = 6", ""),
                "stages.plan.allocations: expected a number from 0 on",
            ),
            (
                ("allocations = 6", "allocations = 6, alocations = 6"),
                "stages.plan.alocations is not known here (known: instructions, allocations)",
            ),
            (
                ("{ instructions = 10_000, allocations = 6 }", "7"),
                "stages.plan: expected a table",
            ),
            (
                ("over = \"plan\"", "over = \"plam\""),
                "ratios.line over plan: there is no stage 'plam'",
            ),
            (
                ("at_most = 25", "at_most = \"25\""),
                "ratios.line over plan.at_most: expected a number from 0 on",
            ),
            (
                ("of = \"line/chat\"", "of = 1"),
                "ratios.line over plan.of: expected the name of a stage",
            ),
        ];
        for ((from, to), expected) in cases {
            assert_eq!(told(from, to), expected, "{from} → {to}");
        }
        for broken in [
            "[stages",
            "a = \"",
            "margin_percent = 3\nmargin_percent = 4",
            "\u{0}",
        ] {
            let told = Budget::parse(broken).unwrap_err().to_string();
            assert!(told.starts_with("not valid TOML: "), "{told}");
        }
        assert!(Budget::parse("").is_err());
    }

    #[test]
    fn a_file_that_is_written_anew_allows_what_was_counted_and_keeps_its_comments() {
        let budget = Budget::parse(GOOD).unwrap();
        let counts = |instructions, allocations| Counts {
            instructions,
            allocations,
        };
        let counted = Counted::from([
            ("plan".to_owned(), counts(5_000.4, 4.44)),
            ("new".to_owned(), counts(100.0, 0.0)),
        ]);
        let text = budget.rewritten(&counted);
        for kept in ["# Kept.\n", "# Why it is so.\nplan = ", "at_most = 25"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert!(!text.contains("200_000"), "what is not counted goes: {text}");
        // The ratio now names what is gone, and that is told rather than forgotten.
        let told = Budget::parse(&text).unwrap_err().to_string();
        assert_eq!(told, "ratios.line over plan: there is no stage 'line/chat'");
        let text = text.replace("of = \"line/chat\"", "of = \"new\"");
        let again = Budget::parse(&text).unwrap();
        let room = |instructions, allocations| Room {
            instructions,
            allocations,
        };
        assert_eq!(
            (again.stages["plan"], again.stages["new"]),
            (room(5_150, 4.4), room(103, 0.0))
        );
        assert_eq!(
            again.rewritten(&counted),
            text,
            "nothing to change, nothing changed"
        );
    }
}
