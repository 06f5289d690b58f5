//! Admission webhook of Roadstead. A review goes through `server` to `hold` or `gate`; `outbox` fills the queue
//! from what is held. Without the feature `server` there is only the pure part of it.

pub mod answer;
#[cfg(feature = "server")]
pub mod args;
#[cfg(feature = "server")]
pub mod deployment;
#[cfg(feature = "server")]
pub mod gate;
pub mod hold;
#[cfg(feature = "server")]
pub mod metrics;
pub mod object;
#[cfg(feature = "server")]
pub mod outbox;
#[cfg(feature = "server")]
pub mod policies;
pub mod review;
pub mod room;
#[cfg(feature = "server")]
pub mod run;
#[cfg(feature = "server")]
pub mod server;
