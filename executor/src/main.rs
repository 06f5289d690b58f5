//! Executor of Roadstead.

fn main() {}
