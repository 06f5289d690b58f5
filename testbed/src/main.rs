//! `testbed`: the real cluster for a person to play with.
fn main() {}
