//! Admission webhook of Roadstead. A review goes through `server` to `hold` or `gate`; `outbox` fills the queue
//! from what is held.

pub mod answer;
pub mod args;
pub mod deployment;
pub mod gate;
pub mod hold;
pub mod metrics;
pub mod object;
pub mod outbox;
pub mod review;
pub mod room;
pub mod run;
pub mod server;
