//! Column MESSAGE: why a change waits, how far its rollout is, or what became of it. Pure, in the order in which
//! `kubectl rollout status` looks.

use contract::{Key, Phase, State};
use k8s_openapi::api::apps::v1::Deployment;

/// How far a rollout is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Whether the deployment controller has seen the newest template.
    pub seen: bool,
    /// Paused, and not by us.
    pub paused_by_user: bool,
    /// The progress deadline has passed.
    pub stuck: bool,
    /// Pods wanted.
    pub wanted: i32,
    /// Pods of any template.
    pub total: i32,
    /// Pods of the newest template that the controller acts on.
    pub updated: i32,
    /// Pods available, of any template.
    pub available: i32,
}

impl Rollout {
    /// What a Deployment's spec and status say.
    #[must_use]
    pub fn of(deployment: &Deployment) -> Self {
        let (metadata, spec) = (&deployment.metadata, &deployment.spec);
        let ours = metadata.annotations.as_ref().and_then(|map| map.get(Key::Paused.name())).is_some();
        let status = deployment.status.clone().unwrap_or_default();
        let stuck = status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.reason.as_deref() == Some("ProgressDeadlineExceeded"));
        Self {
            seen: status.observed_generation >= metadata.generation,
            paused_by_user: spec.paused == Some(true) && !ours,
            stuck,
            wanted: spec.replicas.unwrap_or(1),
            total: status.replicas.unwrap_or(0),
            updated: status.updated_replicas.unwrap_or(0),
            available: status.available_replicas.unwrap_or(0),
        }
    }

    /// Whether `kubectl rollout status` would say that it is done.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.seen
            && self.updated >= self.wanted
            && self.total <= self.updated
            && self.available >= self.updated
    }
}

/// What a change waits for that no rule holds, as far as is known.
pub const TURN: &str = "waits for its turn";

/// The message of a Deployment in a phase; `None` is a phase that this program does not know.
#[must_use]
pub fn of(phase: Option<Phase>, rollout: &Rollout) -> String {
    match phase {
        Some(Phase::Held) if rollout.paused_by_user => {
            format!("{TURN}; paused by its owner as well")
        }
        Some(Phase::Held) => TURN.into(),
        Some(Phase::Released) => progress(rollout),
        Some(Phase::Failed) if rollout.is_over() => "failed, and was rolled out later all the same".into(),
        Some(Phase::Failed) => format!("failed: {}", progress(rollout)),
        Some(Phase::Dead) => "given up; its dead letter on NATS says why".into(),
        _ => "a phase that this version does not know".into(),
    }
}

fn progress(rollout: &Rollout) -> String {
    let Rollout { wanted, total, updated, available, .. } = *rollout;
    let pace = if rollout.stuck { "; past its progress deadline" } else { "" };
    if rollout.paused_by_user {
        format!("{updated} of {wanted} updated; paused by its owner")
    } else if !rollout.seen {
        "let through".into()
    } else if updated < wanted {
        format!("{updated} of {wanted} updated{pace}")
    } else if total > updated {
        let old = total - updated;
        let pods = if old == 1 { "old pod ends" } else { "old pods end" };
        format!("{updated} of {wanted} updated; {old} {pods}{pace}")
    } else if available < updated {
        format!("{available} of {wanted} available{pace}")
    } else {
        "rolled out".into()
    }
}

/// What became of a change whose label is gone: a phase and a sentence. `live` is the Deployment as it is now;
/// `None` while it waits or rolls out again, because then its own row says so.
#[must_use]
pub fn ended(change: Option<&str>, live: Option<&Deployment>) -> Option<(&'static str, &'static str)> {
    let Some(live) = live else { return Some((Phase::Cancelled.as_str(), "the Deployment was deleted")) };
    let state = State::of(live.metadata.annotations.as_ref(), live.metadata.labels.as_ref());
    let rollout = Rollout::of(live);
    if state.phase.is_some() {
        None
    } else if state.change.as_ref().map(contract::ChangeId::as_str) != change {
        Some((Phase::Cancelled.as_str(), "back to what was let through before"))
    } else if state.is_closed() {
        Some(("held", "still closed, but its label is gone"))
    } else if rollout.is_over() {
        Some((Phase::Succeeded.as_str(), "rolled out"))
    } else {
        Some(("open", "let through; nobody follows it any more"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::row::tests::held;

    fn rollout(total: i32, updated: i32, available: i32) -> Rollout {
        Rollout { seen: true, wanted: 3, total, updated, available, ..Rollout::default() }
    }

    #[test]
    fn each_phase_says_why_or_how_far() {
        let (released, held) = (Some(Phase::Released), Some(Phase::Held));
        let unseen = Rollout { seen: false, ..rollout(3, 3, 3) };
        let stuck = Rollout { stuck: true, ..rollout(4, 1, 3) };
        let paused = Rollout { paused_by_user: true, ..rollout(4, 1, 3) };
        for (phase, rollout, message) in [
            (held, rollout(3, 3, 3), "waits for its turn"),
            (held, paused, "waits for its turn; paused by its owner as well"),
            (released, unseen, "let through"),
            (released, rollout(4, 2, 3), "2 of 3 updated"),
            (released, stuck, "1 of 3 updated; past its progress deadline"),
            (released, paused, "1 of 3 updated; paused by its owner"),
            (released, rollout(4, 3, 3), "3 of 3 updated; 1 old pod ends"),
            (released, rollout(5, 3, 3), "3 of 3 updated; 2 old pods end"),
            (released, rollout(3, 3, 2), "2 of 3 available"),
            (released, rollout(3, 3, 3), "rolled out"),
            (Some(Phase::Failed), stuck, "failed: 1 of 3 updated; past its progress deadline"),
            (Some(Phase::Failed), rollout(3, 3, 3), "failed, and was rolled out later all the same"),
            (Some(Phase::Dead), rollout(3, 3, 3), "given up; its dead letter on NATS says why"),
            (None, rollout(3, 3, 3), "a phase that this version does not know"),
        ] {
            assert_eq!(of(phase, &rollout), message);
        }
    }

    #[test]
    fn our_own_pause_is_not_its_owners() {
        let mut deployment = held();
        deployment.spec.paused = Some(true);
        assert!(Rollout::of(&deployment).paused_by_user);
        deployment.metadata.annotations.as_mut().unwrap().insert(Key::Paused.name().into(), "true".into());
        assert!(!Rollout::of(&deployment).paused_by_user);
    }

    #[test]
    fn a_change_whose_label_is_gone_has_an_end() {
        let live = |gate: &str, updated: i32| {
            let mut deployment = held();
            deployment.metadata.labels = None;
            deployment.metadata.annotations.as_mut().unwrap().insert(Key::Gate.name().into(), gate.into());
            deployment.status = serde_json::from_value(json!({
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": updated, "availableReplicas": 3,
            }))
            .unwrap();
            deployment
        };
        let of = |live: &Deployment| ended(Some("abcdefghij"), Some(live)).map(|(phase, _)| phase);
        assert_eq!(of(&live("open", 3)), Some("succeeded"));
        assert_eq!(of(&live("open", 1)), Some("open"));
        assert_eq!(of(&live("closed", 3)), Some("held"));
        assert_eq!(of(&held()), None);
        assert_eq!(ended(Some("another-id"), Some(&live("open", 3))).map(|end| end.0), Some("cancelled"));
        assert_eq!(ended(Some("abcdefghij"), None).map(|end| end.0), Some("cancelled"));
    }
}
