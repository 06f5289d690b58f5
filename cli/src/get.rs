//! `kubectl roadstead get`: what waits, rolls out or was given up.

use contract::key::PHASE_LABEL;
use k8s_openapi::{api::apps::v1::Deployment, jiff::Timestamp};
use kube::api::ListParams;
use serde::Serialize;

use crate::{
    args::{Get, GetOutput},
    connection,
    failure::Failure,
    read::Reader,
    row::{Found, Row},
    screen::Screen,
    table::{Style, table},
    watch,
};

/// Version of the rows in `-o json`. A field may be added; one that changes its meaning gets a new version.
const API_VERSION: &str = "cli.roadstead.dev/v1";

/// Prints what there is and, where asked, what becomes of it.
///
/// # Errors
/// When it cannot be read or printed.
pub async fn run(args: &Get, screen: &mut Screen) -> Result<(), Failure> {
    let reader = Reader::new(
        connection::open(&args.cluster.access, args.cluster.namespace.as_deref()).await?,
        args.all_namespaces,
    );
    let found = match &args.name {
        Some(name) => vec![named(&reader, name).await?],
        // A watch lists by itself.
        None if args.watch => return watch::run(args, &reader, screen).await,
        None => reader.deployments(selection(args)).await?,
    };
    if args.watch {
        return watch::run(args, &reader, screen).await;
    }
    let rows =
        reader.complete(found.into_iter().filter(|found| !found.row.phase.is_empty()).collect()).await?;
    if rows.is_empty() {
        screen.note(&nothing(args, &reader).await?);
    }
    let text = match args.output {
        Some(GetOutput::Json) => json(&rows)?,
        Some(GetOutput::Name) => rows.iter().map(name).collect(),
        _ if rows.is_empty() => String::new(),
        _ => table(&rows, style(args, screen), Timestamp::now()),
    };
    screen.print(&text)?;
    reader.left_out().into_iter().for_each(|note| screen.note(note));
    Ok(())
}

async fn named(reader: &Reader, name: &str) -> Result<Found, Failure> {
    let namespace = reader.namespace.as_deref().unwrap_or_default();
    let deployment: Option<Deployment> = reader.deployment(namespace, name).await?;
    deployment.map(Found::of).ok_or_else(|| {
        let other = "look elsewhere with -n NAMESPACE, or everywhere with -A";
        Failure::NotFound(format!("there is no Deployment {name} in namespace {namespace}; {other}"))
    })
}

/// What is listed or watched.
#[must_use]
pub fn selection(args: &Get) -> ListParams {
    let labels = match &args.selector {
        Some(selector) => format!("{PHASE_LABEL},{selector}"),
        None => PHASE_LABEL.to_owned(),
    };
    let params = ListParams::default().labels(&labels);
    match &args.name {
        Some(name) => params.fields(&format!("metadata.name={name}")),
        None => params,
    }
}

/// How the table is drawn.
#[must_use]
pub fn style(args: &Get, screen: &Screen) -> Style {
    Style {
        namespaces: args.all_namespaces,
        wide: args.output == Some(GetOutput::Wide),
        colour: screen.colour(),
    }
}

/// The sentence where there is nothing to print; it tells of a namespace that takes no part.
///
/// # Errors
/// When the namespace does not exist.
pub async fn nothing(args: &Get, reader: &Reader) -> Result<String, Failure> {
    let opted_in = reader.is_opted_in().await?;
    Ok(sentence(args, reader.namespace.as_deref(), opted_in))
}

fn sentence(args: &Get, namespace: Option<&str>, opted_in: Option<bool>) -> String {
    let Some(namespace) = namespace else { return "No changes wait.".to_owned() };
    let what = match (&args.name, &args.selector) {
        (Some(name), _) => format!("No change of Deployment {name} waits in namespace {namespace}."),
        (None, Some(_)) => format!("No changes of that selection wait in namespace {namespace}."),
        (None, None) => format!("No changes wait in namespace {namespace}."),
    };
    match opted_in {
        Some(false) => format!(
            "{what} It is not opted in; to do so: kubectl label namespace {namespace} {}=true",
            contract::key::ENABLED_LABEL
        ),
        _ => what,
    }
}

/// What `-o json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    api_version: &'static str,
    kind: &'static str,
    items: &'a [Row],
}

fn json(rows: &[Row]) -> Result<String, Failure> {
    let list = List { api_version: API_VERSION, kind: "ChangeList", items: rows };
    Ok(serde_json::to_string_pretty(&list)? + "\n")
}

/// The line of `-o name`.
#[must_use]
pub fn name(row: &Row) -> String {
    format!("deployment.apps/{}\n", row.name)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use serde_json::json;

    use super::*;
    use crate::args::{Args, Verb};

    fn typed(words: &str) -> Get {
        let args = Args::parse_from(["kubectl-roadstead"].into_iter().chain(words.split(' ')));
        let Verb::Get(get) = args.verb else { panic!("{words} is no get") };
        get
    }

    #[test]
    fn only_what_has_a_phase_is_listed_and_of_that_what_the_user_selects() {
        let params = selection(&typed("get -l app=web"));
        assert_eq!(params.label_selector.as_deref(), Some("roadstead.dev/phase,app=web"));
        let params = selection(&typed("get web -w"));
        assert_eq!(params.field_selector.as_deref(), Some("metadata.name=web"));
    }

    #[test]
    fn where_nothing_waits_a_sentence_says_so() {
        for (words, namespace, opted_in, text) in [
            ("get -A", None, None, "No changes wait."),
            ("get", Some("shop"), Some(true), "No changes wait in namespace shop."),
            ("get", Some("shop"), None, "No changes wait in namespace shop."),
            ("get -l a=b", Some("shop"), None, "No changes of that selection wait in namespace shop."),
            ("get web", Some("shop"), None, "No change of Deployment web waits in namespace shop."),
            (
                "get",
                Some("shop"),
                Some(false),
                "No changes wait in namespace shop. It is not opted in; to do so: \
                 kubectl label namespace shop roadstead.dev/enabled=true",
            ),
        ] {
            assert_eq!(sentence(&typed(words), namespace, opted_in), text);
        }
    }

    #[test]
    fn a_program_reads_a_list_even_where_it_is_empty() {
        let read: serde_json::Value = serde_json::from_str(&json(&[]).unwrap()).unwrap();
        assert_eq!(read, json!({ "apiVersion": "cli.roadstead.dev/v1", "kind": "ChangeList", "items": [] }));
    }
}
