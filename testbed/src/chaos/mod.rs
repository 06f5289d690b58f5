//! Chaos: users who act at random, faults in between, a recorder of all that happens, and a checker that knows what
//! must never happen. Everything that is random follows from a seed.

mod audit;
pub mod check;
mod command;
mod evidence;
pub mod history;
pub mod plan;
pub mod play;
mod progress;
pub mod record;
pub mod report;
pub mod run;
pub mod scene;
pub mod seeded;
mod stored;
pub mod strike;
pub mod users;
pub mod wire;

pub use command::Chaos;
