//! Seeded bugs: mistakes on purpose, by which `testbed chaos` proves that its checker finds them. They are compiled
//! with the feature `seeded-bugs` only, which no build that is meant to run has.

/// Whether the environment asks for this bug.
#[must_use]
pub fn seeded(bug: &str) -> bool {
    std::env::var("ROADSTEAD_SEEDED_BUG").is_ok_and(|name| name == bug)
}
