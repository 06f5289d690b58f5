//! Roadstead end to end, on the real control plane: each test is one sentence of what its users may rely on.
//! The tests share one control plane; each has a Roadstead and a namespace of its own.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

mod aborts;
mod admission_policies;
mod break_glass;
mod callout;
mod certificates;
mod checks;
mod cli;
mod clients;
mod events;
mod expressions;
mod faults;
mod forgery;
mod freezing;
mod helm;
mod hooks;
mod hostile;
mod identities;
mod later_webhook;
mod messages;
mod namespaces;
mod past;
mod patches;
mod pause;
mod pauses;
mod policies;
mod policy;
mod policy_definitions;
mod policy_resources;
mod positions;
mod queue;
mod quiet;
mod races;
mod rbac;
mod restarts;
mod retries;
mod reverts;
mod rollbacks;
mod scaling;
mod self_test;
mod soak;
mod stale;
mod steering;
mod templates;
mod uninstall;
mod uninstall_release;
mod verbs;
mod webhook_away;
mod windows_open;

/// Images of a Deployment's first, second and third version.
const V1: &str = "registry.test/web:1";
const V2: &str = "registry.test/web:2";
const V3: &str = "registry.test/web:3";
