//! `kubectl roadstead dead list`: every Deployment whose change was given up, and why.

use contract::{Phase, key::PHASE_LABEL};
use k8s_openapi::{api::apps::v1::Deployment, jiff::Timestamp};
use kube::api::ListParams;
use serde::Serialize;

use super::{args::List, letter::GivenUp};
use crate::{
    age::age,
    connection,
    failure::Failure,
    grid::{Line, UNKNOWN, grid},
    nats::{Absence, Nats},
    read::{Reader, pages},
    screen::Screen,
};

/// Version of the list in `-o json`.
const API_VERSION: &str = "cli.roadstead.dev/v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Printed<'a> {
    api_version: &'static str,
    kind: &'static str,
    /// Whether the events could be read.
    complete: bool,
    items: &'a [GivenUp],
}

/// Prints them.
///
/// # Errors
/// When the Deployments cannot be read. Without NATS it is not said why, and no error.
pub async fn run(args: &List, screen: &mut Screen) -> Result<(), Failure> {
    let connection = connection::open(&args.cluster.access, args.cluster.namespace.as_deref()).await?;
    let nats = Nats::open(&args.reach, &connection).await;
    let reader = Reader::new(connection, args.all_namespaces);
    let selection = ListParams::default().labels(&format!("{PHASE_LABEL}={}", Phase::Dead));
    let (api, mut all) = (reader.api::<Deployment>(), Vec::new());
    let listed = pages(&api, selection, |deployment: Deployment| all.extend(GivenUp::of(&deployment)));
    reader.answer("list Deployments", listed).await?;
    let explained = match nats {
        Ok(nats) => explain(&nats, &mut all).await,
        Err(absence) => Err(absence),
    };
    if let Err(absence) = &explained {
        screen.note(&format!("Why they were given up cannot be shown without the events on NATS: {absence}"));
    }
    if args.output.is_some() {
        let list = Printed {
            api_version: API_VERSION,
            kind: "GivenUpList",
            complete: explained.is_ok(),
            items: &all,
        };
        return screen.print(&(serde_json::to_string_pretty(&list)? + "\n"));
    }
    if all.is_empty() {
        screen.note("No change was given up.");
        return Ok(());
    }
    screen.print(&text(&all, args.all_namespaces, Timestamp::now()))
}

async fn explain(nats: &Nats, all: &mut [GivenUp]) -> Result<(), Absence> {
    for given_up in all {
        given_up.explain(nats).await?;
    }
    Ok(())
}

fn text(all: &[GivenUp], namespaces: bool, now: Timestamp) -> String {
    let mut titles = vec!["DEPLOYMENT", "CHANGE", "AGE", "TRIES", "REQUESTER", "ERROR"];
    if namespaces {
        titles.insert(0, "NAMESPACE");
    }
    let line = |given_up: &GivenUp| {
        let unknown = || UNKNOWN.to_owned();
        let mut cells = vec![
            given_up.name.clone(),
            given_up.change.clone().unwrap_or_else(unknown),
            given_up.buried_at.as_ref().map_or_else(unknown, |then| age(then.0, now)),
            given_up.attempts.map_or_else(unknown, |attempts| attempts.to_string()),
            given_up.requested_by.clone().unwrap_or_else(unknown),
            given_up.error.clone().unwrap_or_else(unknown),
        ];
        if namespaces {
            cells.insert(0, given_up.namespace.clone());
        }
        Line { cells, colour: None }
    };
    grid(&titles, all.iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead::letter::tests::dead;

    #[test]
    fn a_change_that_nothing_explains_is_listed_all_the_same() {
        let all = [GivenUp::of(&dead()).unwrap()];
        let expected = "\
NAMESPACE   DEPLOYMENT   CHANGE       AGE         TRIES       REQUESTER   ERROR
shop        web          abcdefghij   <unknown>   <unknown>   jane        <unknown>
";
        assert_eq!(text(&all, true, "2026-01-01T10:00:00Z".parse().unwrap()), expected);
    }
}
