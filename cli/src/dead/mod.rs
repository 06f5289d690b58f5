//! `kubectl roadstead dead`: the changes that were given up. Which they are, the Deployments say; why, the events and
//! the dead letters on NATS.

mod args;
mod drop;
mod letter;
mod list;
mod replay;
mod show;

use k8s_openapi::api::apps::v1::Deployment;

pub use self::args::Dead;
use self::args::DeadVerb;
use crate::{failure::Failure, read::Reader, screen::Screen};

/// Does what was asked for.
///
/// # Errors
/// When it cannot be done or shown.
pub async fn run(args: &Dead, screen: &mut Screen) -> Result<(), Failure> {
    match &args.verb {
        DeadVerb::List(list) => list::run(list, screen).await,
        DeadVerb::Show(show) => show::run(show, screen).await,
        DeadVerb::Replay(replay) => replay::run(replay, screen).await,
        DeadVerb::Drop(drop) => drop::run(drop, screen).await,
    }
}

/// A Deployment that was named.
async fn named(reader: &Reader, name: &str) -> Result<Deployment, Failure> {
    let namespace = reader.namespace.as_deref().unwrap_or_default();
    reader.deployment(namespace, name).await?.ok_or_else(|| {
        Failure::NotFound(format!(
            "there is no Deployment {name} in namespace {namespace}; those that were given up: kubectl roadstead dead \
             list -A"
        ))
    })
}
