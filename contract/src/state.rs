//! What a stored Deployment says about itself: its own keys, read. A value that does not parse counts as
//! absent, because only Roadstead writes them and a forged one must mean nothing.

use std::collections::BTreeMap;

use crate::{Approvals, ChangeId, Digest, Key, Lane, Override, Phase, key::PHASE_LABEL};

/// Whether the deployment controller may act on a Deployment's template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The change waits.
    Closed,
    /// The change was let through.
    Open,
}

impl Gate {
    /// The annotation's value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
        }
    }

    /// The gate from the annotation's value.
    #[must_use]
    pub fn read(value: &str) -> Option<Self> {
        [Self::Closed, Self::Open].into_iter().find(|gate| gate.as_str() == value)
    }
}

/// In whose name a rollback submits the template that it restores: [`Key::RequestedBy`].
pub const ROLLED_BACK_BY: &str = "roadstead";

/// The own keys of one Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// [`Key::Gate`]
    pub gate: Option<Gate>,
    /// [`Key::Change`]
    pub change: Option<ChangeId>,
    /// [`Key::Released`]
    pub released: Option<Digest>,
    /// [`Key::Good`] as it stands; what it means depends on the phase, see [`State::last_good`].
    pub good: Option<Digest>,
    /// [`Key::RequestedBy`]
    pub requested_by: Option<String>,
    /// [`Key::Paused`]: whether `spec.paused` is ours.
    pub paused: bool,
    /// [`Key::Quarantined`]
    pub quarantined: Vec<Digest>,
    /// [`Key::Attempt`] as it stands; see [`State::attempt`].
    pub attempt: Option<u32>,
    /// [`Key::Approvals`]
    pub approvals: Approvals,
    /// [`Key::Override`], where it is for [`State::change`].
    pub r#override: Option<Override>,
    /// [`Key::ReleasedAt`], in RFC 3339.
    pub released_at: Option<String>,
    /// [`Key::DefaultLane`]
    pub default_lane: Option<Lane>,
    /// [`PHASE_LABEL`]
    pub phase: Option<Phase>,
}

impl State {
    /// Reads the own keys; `annotation` and `label` look a key up on the object.
    pub fn read<'a>(
        annotation: impl Fn(&str) -> Option<&'a str>,
        label: impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        let own = |key: Key| annotation(key.name());
        let change = own(Key::Change).and_then(|text| text.parse().ok());
        Self {
            gate: own(Key::Gate).and_then(Gate::read),
            approvals: Approvals::read(own(Key::Approvals)),
            r#override: change.as_ref().and_then(|change| Override::read(own(Key::Override), change)),
            released_at: own(Key::ReleasedAt).map(str::to_owned),
            default_lane: own(Key::DefaultLane).and_then(|text| text.parse().ok()),
            change,
            released: own(Key::Released).and_then(|text| text.parse().ok()),
            good: own(Key::Good).and_then(|text| text.parse().ok()),
            requested_by: own(Key::RequestedBy).map(str::to_owned),
            paused: own(Key::Paused) == Some("true"),
            quarantined: own(Key::Quarantined)
                .map(|list| list.split(',').filter_map(|text| text.parse().ok()).collect())
                .unwrap_or_default(),
            attempt: own(Key::Attempt).and_then(|text| text.parse().ok()),
            phase: label(PHASE_LABEL).and_then(|text| text.parse().ok()),
        }
    }

    /// Reads the own keys from the maps of an object's metadata.
    #[must_use]
    pub fn of(
        annotations: Option<&BTreeMap<String, String>>,
        labels: Option<&BTreeMap<String, String>>,
    ) -> Self {
        Self::read(
            |key| annotations.and_then(|map| map.get(key)).map(String::as_str),
            |key| labels.and_then(|map| map.get(key)).map(String::as_str),
        )
    }

    /// Whether the change waits.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.gate == Some(Gate::Closed)
    }

    /// Which attempt of the change this is: 1 until it was replayed.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.unwrap_or(1)
    }

    /// The digest of the last rollout that succeeded. Where no phase stands, that is what was let through last: its
    /// rollout came to a good end, and only its label was taken away. Otherwise it is `good`, which was written
    /// when a change was held; absent where nothing had succeeded then: a first rollout that is in flight, failed or
    /// was superseded is nothing to go back to.
    #[must_use]
    pub fn last_good(&self) -> Option<&Digest> {
        let settled = self.phase.is_none() && !self.is_closed();
        if settled { self.released.as_ref() } else { self.good.as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(pairs: &[(Key, &str)], phase: Option<&str>) -> State {
        let annotations =
            pairs.iter().map(|(key, value)| (key.name().to_owned(), (*value).to_owned())).collect();
        let labels = phase.map(|phase| BTreeMap::from([(PHASE_LABEL.to_owned(), phase.to_owned())]));
        State::of(Some(&annotations), labels.as_ref())
    }

    #[test]
    fn own_keys_are_read_and_what_does_not_parse_counts_as_absent() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let read = state(
            &[
                (Key::Gate, "closed"),
                (Key::Change, "abcdefghij"),
                (Key::Released, &a),
                (Key::Quarantined, &format!("{b},nonsense")),
                (Key::Paused, "true"),
                (Key::Attempt, "3"),
            ],
            Some("held"),
        );
        assert!(read.is_closed() && read.paused);
        assert_eq!((read.attempt(), State::default().attempt()), (3, 1));
        assert_eq!(read.change.as_ref().map(ChangeId::as_str), Some("abcdefghij"));
        assert_eq!(read.released.as_ref().map(Digest::as_str), Some(a.as_str()));
        assert_eq!(read.quarantined, [b.parse().unwrap()]);
        assert_eq!(read.phase, Some(Phase::Held));
        assert_eq!(
            state(
                &[(Key::Gate, "ajar"), (Key::Released, "x"), (Key::Paused, "yes"), (Key::Attempt, "-1")],
                Some("x")
            ),
            State::default()
        );
    }

    #[test]
    fn what_was_let_through_last_is_good_once_its_phase_is_gone() {
        let keys = [(Key::Released, &*"a".repeat(64)), (Key::Good, &*"b".repeat(64))];
        for (phase, good) in
            [(None, "a"), (Some("released"), "b"), (Some("failed"), "b"), (Some("held"), "b")]
        {
            let read = state(&keys, phase);
            assert_eq!(read.last_good().map(Digest::as_str), Some(&*good.repeat(64)), "{phase:?}");
        }
        for phase in ["released", "failed", "held"] {
            assert_eq!(state(&keys[..1], Some(phase)).last_good(), None, "a first rollout: {phase}");
        }
        let closed = [keys[0], keys[1], (Key::Gate, "closed")];
        assert_eq!(state(&closed, None).last_good().map(Digest::as_str), Some(&*"b".repeat(64)));
    }
}
