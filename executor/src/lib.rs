//! Executor of Roadstead. A message goes through `consume` to `release`, which verifies it against the live object,
//! takes one of the `slots` and lets it through; `follow` sees the rollout to its end; `sweep` prepares namespaces.

pub mod args;
pub mod checks;
pub mod consume;
pub mod deployments;
mod edit;
pub mod error;
pub mod event;
pub mod follow;
pub mod live;
pub mod metrics;
pub mod outcome;
pub mod policy;
pub mod queue;
pub mod release;
mod replica_sets;
mod rollback;
pub mod run;
pub mod slots;
pub mod status;
pub mod sweep;
pub mod verify;
