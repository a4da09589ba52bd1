//! The scenarios that come with the program.

use super::{Outside, Problems, Scenario};

const SHIPPED: [(&str, &str); 9] = [
    ("smoke", include_str!("../../../scenarios/smoke.yaml")),
    ("steady", include_str!("../../../scenarios/steady.yaml")),
    ("burst", include_str!("../../../scenarios/burst.yaml")),
    ("streams", include_str!("../../../scenarios/streams.yaml")),
    ("big-bodies", include_str!("../../../scenarios/big-bodies.yaml")),
    (
        "mixed-tenants",
        include_str!("../../../scenarios/mixed-tenants.yaml"),
    ),
    ("cache", include_str!("../../../scenarios/cache.yaml")),
    (
        "ten-thousand-streams",
        include_str!("../../../scenarios/ten-thousand-streams.yaml"),
    ),
    ("soak", include_str!("../../../scenarios/soak.yaml")),
];

/// Their names, in the order in which one would try them.
pub fn names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

/// The text of the shipped scenario of that name. `None`: there is none.
pub fn shipped_text(name: &str) -> Option<&'static str> {
    let found = SHIPPED.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text)
}

/// The shipped scenario of that name. `None`: there is none.
///
/// # Errors
/// What is wrong with it, which a test rules out.
pub fn shipped(name: &str) -> Option<Result<Scenario, Problems>> {
    let text = shipped_text(name)?;
    let nothing_outside = Outside {
        env: &|_| None,
        file: &|_| Err(std::io::ErrorKind::NotFound.into()),
    };
    Some(Scenario::parse(text, &nothing_outside))
}
