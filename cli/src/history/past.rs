//! One change of the past, put together from events, ReplicaSets and the Deployment as it is. Pure.

use std::collections::BTreeMap;

use contract::{Lane, Phase};
use k8s_openapi::{api::apps::v1::Deployment, apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde::Serialize;

use super::{
    ran::{Ran, images},
    told::Told,
};
use crate::{
    message::ended,
    row::{Found, Image},
};

/// What is printed of one change; `-o json` prints exactly these fields (docs/cli/history.md).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// Namespace of the Deployment.
    pub namespace: String,
    /// Name of the Deployment.
    pub name: String,
    /// `metadata.uid` of the Deployment.
    pub uid: String,
    /// Id of the change.
    pub change: String,
    /// 1, or above after a replay.
    pub attempt: u32,
    /// What it came to, or where it stands; `None`: nothing that is left says.
    pub outcome: Option<String>,
    /// Queue that it waited in.
    pub lane: Option<Lane>,
    /// Who submitted it.
    pub requested_by: Option<String>,
    /// When it began to wait.
    pub held_at: Option<Time>,
    /// When it was let through.
    pub released_at: Option<Time>,
    /// When it came to its end.
    pub ended_at: Option<Time>,
    /// The images of each container.
    pub images: Vec<Image>,
    /// What was said of it last.
    pub message: Option<String>,
}

impl Past {
    fn new(told: &Told) -> Self {
        let event = &told.event;
        Self {
            namespace: event.namespace.clone(),
            name: event.name.clone(),
            uid: event.uid.clone(),
            change: event.change.to_string(),
            attempt: event.attempt,
            outcome: None,
            lane: None,
            requested_by: None,
            held_at: None,
            released_at: None,
            ended_at: None,
            images: vec![],
            message: None,
        }
    }

    /// Events of different publishers may be stored in another order than they happened: an end stays an end.
    fn learn(&mut self, told: &Told) {
        let (event, time) = (&told.event, Time(told.time));
        self.lane = event.lane.or(self.lane);
        self.requested_by = event.requested_by.clone().or(self.requested_by.take());
        let news = match event.phase {
            Phase::Held => {
                // With a count it is told again, because it could not be let through.
                if event.attempts.is_none() {
                    self.held_at.get_or_insert(time);
                }
                self.released_at.is_none() && self.ended_at.is_none()
            }
            Phase::Released => {
                self.released_at.get_or_insert(time);
                self.ended_at.is_none()
            }
            _ => {
                self.ended_at = Some(time);
                true
            }
        };
        if news {
            self.outcome = Some(event.phase.to_string());
            self.message = Some(event.message.clone());
        }
    }

    /// The last thing that is known to have happened.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        [&self.held_at, &self.released_at, &self.ended_at].into_iter().flatten().map(|time| time.0).max()
    }
}

/// The changes that events, ReplicaSets and Deployments tell of, in the order in which something happened to them last.
#[must_use]
pub fn past(told: &[Told], ran: &[Ran], live: &[Deployment]) -> Vec<Past> {
    let live: Vec<_> = live.iter().map(|live| (live, Found::of(live.clone()))).collect();
    let mut changes: BTreeMap<(String, String, u32), Past> = BTreeMap::new();
    for one in told {
        let event = &one.event;
        let key = (event.uid.clone(), event.change.to_string(), event.attempt);
        changes.entry(key).or_insert_with(|| Past::new(one)).learn(one);
    }
    let mut changes: Vec<_> = changes.into_values().collect();
    for ran in ran {
        let Some(change) = &ran.change else { continue };
        if !changes.iter().any(|past| past.uid == ran.uid && past.change == *change) {
            changes.push(from_set(ran, change, live.iter().find(|(_, found)| found.row.uid == ran.uid)));
        }
    }
    for (_, found) in &live {
        let Some(change) = found.row.change.as_ref().filter(|_| !found.row.phase.is_empty()) else {
            continue;
        };
        if !changes.iter().any(|past| past.uid == found.row.uid && past.change == change.as_str()) {
            changes.push(from_live(found, change.to_string(), ran));
        }
    }
    for past in changes.iter_mut().filter(|past| past.images.is_empty()) {
        past.images = images(ran, &past.uid, &past.change);
    }
    changes.sort_by_cached_key(|past| (past.last(), past.namespace.clone(), past.name.clone()));
    changes
}

/// A change that only a ReplicaSet tells of.
fn from_set(ran: &Ran, change: &str, live: Option<&(&Deployment, Found)>) -> Past {
    let live =
        live.filter(|(_, found)| found.row.change.as_ref().is_some_and(|live| live.as_str() == change));
    let outcome = live.and_then(|(live, found)| match found.row.phase.as_str() {
        "" => ended(Some(change), Some(live)).map(|(outcome, _)| outcome.to_owned()),
        phase => Some(phase.to_owned()),
    });
    Past {
        namespace: ran.namespace.clone(),
        name: ran.name.clone(),
        uid: ran.uid.clone(),
        change: change.to_owned(),
        attempt: 1,
        outcome,
        lane: None,
        requested_by: ran.requested_by.clone(),
        held_at: None,
        released_at: ran.began().map(Time),
        ended_at: None,
        images: vec![],
        message: None,
    }
}

/// A change that waits, and so has no ReplicaSet yet.
fn from_live(found: &Found, change: String, ran: &[Ran]) -> Past {
    let row = &found.row;
    let before = ran.iter().filter(|ran| ran.uid == row.uid).max_by_key(|ran| ran.order()).map(Ran::images);
    let with_old = |image: &Image| Image {
        old: before
            .as_ref()
            .and_then(|before| before.get(image.container.as_str()))
            .map(|old| (*old).to_owned()),
        ..image.clone()
    };
    Past {
        namespace: row.namespace.clone(),
        name: row.name.clone(),
        uid: row.uid.clone(),
        change,
        attempt: 1,
        outcome: Some(row.phase.clone()),
        lane: row.lane,
        requested_by: row.requested_by.clone(),
        held_at: row.since.clone(),
        released_at: None,
        ended_at: None,
        images: row.images.iter().map(with_old).collect(),
        message: Some(row.message.clone()),
    }
}

#[cfg(test)]
mod tests {
    use contract::ChangeEvent;
    use serde_json::json;

    use super::*;
    use crate::{history::ran::tests::ran, row::tests::held};

    fn told(minute: u32, change: &str, phase: &str, more: &serde_json::Value) -> Told {
        let mut event = json!({
            "cluster": "east", "namespace": "shop", "name": "web", "uid": "u-1", "change": change, "phase": phase,
            "message": format!("is {phase}"), "lane": "bulk",
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            event[key] = value.clone();
        }
        let event: ChangeEvent = serde_json::from_value(event).unwrap();
        Told { time: format!("2026-01-01T10:{minute:02}:00Z").parse().unwrap(), event }
    }

    fn minute(time: Option<&Time>) -> Option<i8> {
        time.map(|time| time.0.to_zoned(k8s_openapi::jiff::tz::TimeZone::UTC).minute())
    }

    #[test]
    fn the_events_of_a_change_are_one_line_whatever_their_order() {
        let none = json!({});
        let events = [
            told(1, "bbbbbbbbbb", "held", &json!({"requestedBy": "jane"})),
            told(2, "bbbbbbbbbb", "held", &json!({"attempts": 1, "message": "refused 1 of 10 times"})),
            told(5, "bbbbbbbbbb", "succeeded", &none),
            told(4, "bbbbbbbbbb", "released", &none),
            told(6, "cccccccccc", "held", &none),
            told(7, "cccccccccc", "dead", &none),
            told(8, "cccccccccc", "held", &json!({"attempt": 2})),
        ];
        let all = past(&events, &[], &[]);
        let seen: Vec<_> = all
            .iter()
            .map(|past| (past.change.as_str(), past.attempt, past.outcome.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(
            seen,
            [("bbbbbbbbbb", 1, "succeeded"), ("cccccccccc", 1, "dead"), ("cccccccccc", 2, "held")]
        );
        let first = &all[0];
        let times = [&first.held_at, &first.released_at, &first.ended_at].map(|time| minute(time.as_ref()));
        assert_eq!(times, [Some(1), Some(4), Some(5)]);
        assert_eq!(
            (first.requested_by.as_deref(), first.message.as_deref()),
            (Some("jane"), Some("is succeeded"))
        );
    }

    #[test]
    fn without_events_replica_sets_and_what_waits_are_the_history() {
        let sets = [
            ran("aaaaaaaaaa", "nginx:1", Some("2026-01-01T09:00:00Z"), "2026-01-01T09:00:01Z"),
            ran("zzzzzzzzzz", "nginx:0", Some("2026-01-01T08:00:00Z"), "2026-01-01T08:00:01Z"),
        ];
        let all = past(&[], &sets, &[held()]);
        let seen: Vec<_> = all.iter().map(|past| (past.change.as_str(), past.outcome.as_deref())).collect();
        assert_eq!(seen, [("zzzzzzzzzz", None), ("aaaaaaaaaa", None), ("abcdefghij", Some("held"))]);
        let image = |past: &Past| (past.images[0].old.clone(), past.images[0].new.clone());
        assert_eq!(image(&all[1]), (Some("nginx:0".into()), "nginx:1".into()));
        assert_eq!(image(&all[2]), (Some("nginx:1".into()), "nginx:2".into()));
    }
}
