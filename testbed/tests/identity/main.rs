//! NATS identities on a real nats-server: who may do what, how long, and by which way in.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

mod life;
mod matrix;
mod replies;
mod server;
mod tls;
mod ways;
