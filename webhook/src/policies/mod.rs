//! Policies in the webhook: what they say of a change that is about to be held, and whether one that is written can be
//! obeyed.

mod check;
mod log;
mod rules;
#[cfg(test)]
mod tests;

pub use check::check;
pub use rules::Rules;
