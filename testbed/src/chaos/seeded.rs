//! Seeded bugs: the checker is proved by mutations that it has to find.

/// The variable by which a binary with seeded bugs is told which one to have.
pub const VARIABLE: &str = "ROADSTEAD_SEEDED_BUG";
