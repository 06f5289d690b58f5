//! The executor with a real nats-server, and with an API server of our own at the HTTP seam: what it asks for, and
//! in which order, can be seen there.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

mod api;
mod fairness;
mod policies;
mod positions;
mod queue;
mod retries;
mod roadstead;
mod server;
mod slots;
