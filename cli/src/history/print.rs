//! The history as text and as JSON. Pure.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde::Serialize;

use super::past::Past;
use crate::{
    age::age,
    failure::Failure,
    grid::{Line, UNKNOWN, colour, grid},
    images,
};

/// Version of the list in `-o json`.
const API_VERSION: &str = "cli.roadstead.dev/v1";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    api_version: &'static str,
    kind: &'static str,
    /// Whether the events could be read.
    complete: bool,
    items: &'a [Past],
}

/// The changes as a table.
#[must_use]
pub fn text(all: &[Past], namespaces: bool, in_colour: bool, now: Timestamp) -> String {
    let mut titles =
        vec!["DEPLOYMENT", "CHANGE", "OUTCOME", "AGE", "WAITED", "TOOK", "REQUESTER", "IMAGES", "MESSAGE"];
    if namespaces {
        titles.insert(0, "NAMESPACE");
    }
    let outcome = usize::from(namespaces) + 2;
    let line = |past: &Past| {
        let mut cells = cells(past, now);
        if namespaces {
            cells.insert(0, past.namespace.clone());
        }
        let colour = past.outcome.as_deref().and_then(colour).filter(|_| in_colour);
        Line { cells, colour: colour.map(|colour| (outcome, colour)) }
    };
    grid(&titles, all.iter().map(line).collect())
}

fn cells(past: &Past, now: Timestamp) -> Vec<String> {
    let unknown = || UNKNOWN.to_owned();
    let between = |from: Option<&Time>, to: Option<&Time>| {
        from.zip(to).map_or_else(unknown, |(from, to)| age(from.0, to.0))
    };
    let change = match past.attempt {
        1 => past.change.clone(),
        attempt => format!("{} ({attempt})", past.change),
    };
    vec![
        past.name.clone(),
        change,
        past.outcome.clone().unwrap_or_else(unknown),
        past.last().map_or_else(unknown, |last| age(last, now)),
        between(past.held_at.as_ref(), past.released_at.as_ref()),
        between(past.released_at.as_ref(), past.ended_at.as_ref()),
        past.requested_by.clone().unwrap_or_else(unknown),
        if past.images.is_empty() { unknown() } else { images::images(&past.images, false) },
        past.message.clone().unwrap_or_default(),
    ]
}

/// The changes for a program.
///
/// # Errors
/// None for changes.
pub fn json(all: &[Past], complete: bool) -> Result<String, Failure> {
    let list = List { api_version: API_VERSION, kind: "ChangeHistory", complete, items: all };
    Ok(serde_json::to_string_pretty(&list)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{past::past, ran::tests::ran};

    #[test]
    fn what_nothing_tells_of_is_said_to_be_unknown() {
        let sets = [ran("aaaaaaaaaa", "web:1", Some("2026-01-01T09:00:00Z"), "2026-01-01T09:00:01Z")];
        let mut all = past(&[], &sets, &[]);
        let now = "2026-01-01T10:00:00Z".parse().unwrap();
        let drawn = text(&all, true, false, now);
        let expected = "\
NAMESPACE   DEPLOYMENT   CHANGE       OUTCOME     AGE   WAITED      TOOK        REQUESTER   IMAGES   MESSAGE
shop        web          aaaaaaaaaa   <unknown>   60m   <unknown>   <unknown>   jane        web:1    \n";
        assert_eq!(drawn, expected);
        (all[0].attempt, all[0].outcome) = (2, Some("dead".into()));
        let coloured = text(&all, false, true, now);
        assert!(coloured.contains("aaaaaaaaaa (2)   \x1b[31mdead\x1b[0m"), "{coloured}");
        let read: serde_json::Value = serde_json::from_str(&json(&all, false).unwrap()).unwrap();
        assert_eq!((&read["complete"], &read["items"][0]["attempt"]), (&false.into(), &2.into()));
    }
}
