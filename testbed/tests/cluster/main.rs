//! What runs on a real node, with running containers: each test is one sentence of what may be relied on there. They are
//! run one at a time in the network of a node that is started for them: `make cluster-test`, or, of some,
//! `make cluster-test TEST=<part of a name>`. Elsewhere they are ignored.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

mod disruptions;
mod install;
mod node;
mod release;
mod servers;
mod trace;
mod uninstall;
mod upgrade;
mod web;
