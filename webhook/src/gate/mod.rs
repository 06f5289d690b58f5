//! The gate: whether a ReplicaSet whose annotation says `closed` may be created or grow.

mod decide;
mod owner;

pub use decide::{Verdict, decide, growth};
pub use owner::Owners;
