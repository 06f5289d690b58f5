//! Chaos: users who act at random, faults in between, a recorder of all that happens, and a checker that knows what
//! must never happen. Everything that is random follows from a seed.

pub mod check;
pub mod history;
