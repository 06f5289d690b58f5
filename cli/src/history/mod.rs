//! `kubectl roadstead history`: what became of the changes of the past. Events say it; where they cannot be read, what
//! the ReplicaSets of Deployments still tell is shown.

mod args;
mod past;
mod print;
pub mod ran;
pub mod told;

use k8s_openapi::{api::apps::v1::Deployment, jiff::Timestamp};
use kube::{api::ListParams, core::Selector};

pub use self::args::{History, HistoryOutput};
use self::{past::past, ran::Ran, told::Told};
use crate::{
    connection,
    failure::Failure,
    nats::{Absence, Nats},
    read::{Reader, pages},
    screen::Screen,
};

/// Everything that tells of the past.
pub struct Sources {
    /// The Deployments as they are.
    pub live: Vec<Deployment>,
    /// Their ReplicaSets; `None`: the user may not list them.
    pub ran: Option<Vec<Ran>>,
    /// The events, or why there are none.
    pub told: Result<Vec<Told>, Absence>,
}

/// Prints what became of changes.
///
/// # Errors
/// When the API server refuses, or nothing can be printed. Without NATS there is less to print, and no error.
pub async fn run(args: &History, screen: &mut Screen) -> Result<(), Failure> {
    let connection = connection::open(&args.cluster.access, args.cluster.namespace.as_deref()).await?;
    let nats = Nats::open(&args.reach, &connection).await;
    let reader = Reader::new(connection, args.all_namespaces);
    let Sources { live, ran, told } = gather(&reader, args.name.as_deref(), nats, args.since.0).await?;
    if ran.is_none() {
        screen.note("IMAGES are unknown: you may not list ReplicaSets.");
    }
    let complete = told.is_ok();
    let told = told.unwrap_or_else(|absence| {
        screen.note(&format!(
            "Without the events on NATS, only what ReplicaSets still tell is shown, and no outcomes: {absence}"
        ));
        vec![]
    });
    let all = past(&told, &ran.unwrap_or_default(), &live);
    let text = match args.output {
        Some(HistoryOutput::Json) => print::json(&all, complete)?,
        None if all.is_empty() => {
            screen.note("No change is known.");
            return Ok(());
        }
        None => print::text(&all, args.all_namespaces, screen.colour(), Timestamp::now()),
    };
    screen.print(&text)
}

/// Reads all of it where a reader looks.
///
/// # Errors
/// When the API server fails, or the user may not see the Deployments.
pub async fn gather(
    reader: &Reader,
    name: Option<&str>,
    nats: Result<Nats, Absence>,
    since: Timestamp,
) -> Result<Sources, Failure> {
    let namespace = reader.namespace.as_deref();
    let (mut live, mut selector) = (Vec::new(), None);
    if let Some(name) = name {
        // One that is gone has a history as well.
        live.extend(reader.deployment(namespace.unwrap_or_default(), name).await?);
    } else {
        let api = reader.api::<Deployment>();
        let all = pages(&api, ListParams::default(), |deployment| live.push(deployment));
        reader.answer("list Deployments", all).await?;
    }
    if let (Some(_), Some(one)) = (name, live.first()) {
        selector = Selector::try_from(one.spec.selector.clone()).ok().map(|selector| selector.to_string());
    }
    let ran = ran::read(reader, selector.as_deref()).await?;
    let ran = ran.map(|ran| ran.into_iter().filter(|ran| name.is_none_or(|name| name == ran.name)).collect());
    let told = match nats {
        Ok(nats) => told::read(&nats, namespace, name, since).await,
        Err(absence) => Err(absence),
    };
    Ok(Sources { live, ran, told })
}
