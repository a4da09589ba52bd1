//! Changes of JSON that leave it JSON: most of what changes single bytes make of it is none, and read no further.

use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Value, json};

/// Where the JSON of an input is.
#[derive(Clone, Copy)]
pub enum Json {
    /// All behind so many bytes.
    Behind(usize),
    /// In lines behind so many bytes, each from its first brace on.
    InLinesBehind(usize),
}

/// Changes the first `size` bytes of `data`, which has room for `most`; returns how many there are then. One time in
/// four, and where there is no JSON, as libFuzzer does it.
pub fn mutate(json: Json, data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    let mut dice = Dice(u64::from(seed) << 1 | 1);
    let changed = match dice.below(4) {
        0 => None,
        _ => changed(json, &data[..size], &mut dice).filter(|changed| changed.len() <= most),
    };
    let Some(changed) = changed else {
        return fuzzer_mutate(data, size, most);
    };
    data[..changed.len()].copy_from_slice(&changed);
    changed.len()
}

fn changed(json: Json, data: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let place = match json {
        Json::Behind(settings) => settings..data.len(),
        Json::InLinesBehind(settings) => {
            let mut lines = Vec::new();
            let mut start = settings;
            for line in data.get(settings..)?.split(|byte| *byte == b'\n') {
                let brace = line.iter().position(|byte| *byte == b'{');
                lines.extend(brace.map(|brace| start + brace..start + line.len()));
                start += line.len() + 1;
            }
            let chosen = dice.below(lines.len().max(1));
            lines.into_iter().nth(chosen)?
        }
    };
    let mut value: Value = serde_json::from_slice(data.get(place.clone())?).ok()?;
    for _ in 0..=dice.below(3) {
        change(&mut value, dice);
    }
    let written = serde_json::to_vec(&value).ok()?;
    Some([&data[..place.start], &written, &data[place.end..]].concat())
}

fn change(value: &mut Value, dice: &mut Dice) {
    let count = nodes(value);
    let other = nth(value, &mut dice.below(count))
        .map(|node| node.clone())
        .unwrap_or_default();
    let Some(node) = nth(value, &mut dice.below(count)) else {
        return;
    };
    match (dice.below(6), &mut *node) {
        (0, _) => *node = literal(dice),
        (1, _) => *node = other,
        (2, Value::Object(fields)) => {
            let name = fields.keys().nth(dice.below(fields.len().max(1))).cloned();
            name.map(|name| fields.shift_remove(&name));
        }
        (2, Value::Array(list)) if !list.is_empty() => {
            list.remove(dice.below(list.len()));
        }
        (3, Value::Array(list)) if !list.is_empty() => {
            let again = list[dice.below(list.len())].clone();
            list.insert(dice.below(list.len() + 1), again);
        }
        (4, Value::Array(list)) => list.push(other),
        (3 | 4, Value::Object(fields)) => {
            fields.insert(word(dice), other);
        }
        (5, Value::Array(list)) if list.len() > 1 => list.swap(dice.below(2), 1),
        (_, Value::String(text)) => *text = word(dice),
        (_, node) => *node = literal(dice),
    }
}

fn literal(dice: &mut Dice) -> Value {
    let literals = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.5),
        json!(1e300),
        json!(""),
        json!(" "),
        json!("{"),
        json!("{}"),
        json!("\"\\\u{0}\u{1f600}"),
        json!([]),
        json!({}),
        json!([[]]),
        json!("dG9sbGdhdGU6"),
        json!("data:image/png;base64,iVBORw0KGgo="),
        json!("[DONE]"),
    ];
    literals[dice.below(literals.len())].clone()
}

/// One of the dialects' words.
fn word(dice: &mut Dice) -> String {
    let words: Vec<&str> = include_str!("../fields.dict")
        .lines()
        .filter_map(|line| line.split('"').nth(2))
        .collect();
    words[dice.below(words.len())].trim_end_matches('\\').to_owned()
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(nodes).sum(),
        Value::Object(fields) => fields.values().map(nodes).sum(),
        _ => 0,
    }
}

/// The node with this number, in the order in which they are written.
fn nth<'v>(value: &'v mut Value, number: &mut usize) -> Option<&'v mut Value> {
    if *number == 0 {
        return Some(value);
    }
    *number -= 1;
    match value {
        Value::Array(list) => list.iter_mut().find_map(|value| nth(value, number)),
        Value::Object(fields) => fields.values_mut().find_map(|value| nth(value, number)),
        _ => None,
    }
}

/// Numbers from a seed: Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or(0) % limit.max(1)
    }
}
