//! What had been let through at a moment, by the events. Pure.

use contract::{Digest, Phase};
use k8s_openapi::jiff::Timestamp;

use crate::history::told::Told;

/// The change whose template a Deployment had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its id.
    pub change: String,
    /// Digest of the template.
    pub digest: Option<Digest>,
    /// When it was let through.
    pub since: Timestamp,
}

/// What a Deployment stood at; `None`: nothing that is kept says. A change that was aborted or rolled back gave way to
/// the last one that had succeeded.
#[must_use]
pub fn standing(told: &[Told], uid: &str, at: Timestamp) -> Option<Standing> {
    let (mut current, mut good) = (None::<Standing>, None::<Standing>);
    for Told { time, event } in told.iter().filter(|told| told.event.uid == uid && told.time <= at) {
        let is_current = current.as_ref().is_some_and(|current| current.change == event.change.as_str());
        match event.phase {
            Phase::Released => {
                let change = event.change.to_string();
                current = Some(Standing { change, digest: event.digest.clone(), since: *time });
            }
            Phase::Succeeded if is_current => good.clone_from(&current),
            Phase::RolledBack | Phase::Cancelled if is_current => current.clone_from(&good),
            _ => {}
        }
    }
    current
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(minute: u32, change: &str, phase: &str) -> Told {
        let event = serde_json::from_value(json!({
            "cluster": "east", "namespace": "shop", "name": "web", "uid": "u-1", "change": change, "phase": phase,
            "message": "",
        }));
        Told { time: moment(minute), event: event.unwrap() }
    }

    fn moment(minute: u32) -> Timestamp {
        format!("2026-01-01T10:{minute:02}:00Z").parse().unwrap()
    }

    #[test]
    fn what_had_been_let_through_is_what_stood_unless_it_was_taken_back() {
        let told = [
            told(1, "aaaaaaaaaa", "held"),
            told(2, "aaaaaaaaaa", "released"),
            told(3, "aaaaaaaaaa", "succeeded"),
            told(4, "bbbbbbbbbb", "held"),
            told(5, "bbbbbbbbbb", "released"),
            told(6, "bbbbbbbbbb", "failed"),
            told(7, "bbbbbbbbbb", "rolledback"),
            told(8, "cccccccccc", "held"),
            told(9, "cccccccccc", "cancelled"),
        ];
        for (minute, change) in [
            (1, None),
            (2, Some("aaaaaaaaaa")),
            (4, Some("aaaaaaaaaa")),
            (6, Some("bbbbbbbbbb")),
            (7, Some("aaaaaaaaaa")),
            (9, Some("aaaaaaaaaa")),
        ] {
            let stood = standing(&told, "u-1", moment(minute));
            assert_eq!(stood.as_ref().map(|stood| stood.change.as_str()), change, "{minute}");
        }
        assert_eq!(standing(&told, "u-2", moment(9)), None);
    }
}
