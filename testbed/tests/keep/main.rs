//! `roadstead-certs nats keep` on a real API server and real nats-servers: the identities of the NATS that the chart
//! brings, from nothing to their renewal.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

mod cluster;
mod installation;
mod repair;
mod rights;
mod running;
