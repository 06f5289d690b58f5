//! The annotation and label keys of Roadstead. The own keys are written by Roadstead only: whatever a
//! client sends for them is replaced by what the stored object says.

/// Prefix of every key of Roadstead.
pub const PREFIX: &str = "roadstead.dev/";

/// Label on a Deployment that waits, rolls out or was given up; see [`crate::Phase`]. Labels do not bump the
/// generation, and can be selected in a watch.
pub const PHASE_LABEL: &str = "roadstead.dev/phase";

/// Label on a Namespace: `true` opts it in.
pub const ENABLED_LABEL: &str = "roadstead.dev/enabled";

/// Annotation, written by users: the lane of a Deployment, or the default lane of a Namespace.
pub const LANE: &str = "roadstead.dev/lane";

/// Annotation on a Namespace, written by its administrators: `allowed` lets its Deployments use the urgent lane.
pub const URGENT: &str = "roadstead.dev/urgent";

/// Annotation, written by users: what becomes of a Deployment whose rollout fails, [`crate::OnFailure`].
pub const ON_FAILURE: &str = "roadstead.dev/on-failure";

/// Annotation, written by users as an order: the id of a dead change that is to wait again with new attempts. The
/// executor takes it away when it lets the change through or gives it up again.
pub const REPLAY: &str = "roadstead.dev/replay";

/// Annotation, written by users as an order: the digest, or its first 12 characters or more, that is to be taken off
/// [`Key::Quarantined`]. The executor takes it away when it quarantines again.
pub const LIFT: &str = "roadstead.dev/lift";

/// On a Deployment, written by users: the id of the change that the writer approves. Obeyed in the write that gives it,
/// and taken off the object by that write: the next who approves writes it anew.
pub const APPROVE: &str = "roadstead.dev/approve";

/// On a Deployment, written by users: the id of the change that is let through past every rule, a space, and why.
/// Obeyed and taken off like [`APPROVE`].
pub const RELEASE: &str = "roadstead.dev/release";

/// On a policy, written by users: the id of the change whose failure paused its queue, to let the queue go on.
pub const RESUME: &str = "roadstead.dev/resume";

/// Label that the deployment controller adds to the template of each ReplicaSet; never part of a digest.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#pod-template-hash-label>
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";

/// An annotation of a Deployment that only Roadstead writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Key {
    /// `closed` or `open`: whether the deployment controller may act on the template.
    Gate,
    /// Id of the newest change, [`crate::ChangeId`].
    Change,
    /// Digest of the template last let through.
    Released,
    /// Digest of the template whose rollout had last succeeded when a change was held; see [`crate::State::last_good`].
    Good,
    /// User name in the request that submitted the change.
    RequestedBy,
    /// `true` where Roadstead itself set `spec.paused`.
    Paused,
    /// Digests, separated by commas, that failed and were rolled back: denied until lifted.
    Quarantined,
    /// W3C trace context of the change.
    Traceparent,
    /// Which attempt of the change this is, where it was replayed: 2 for the first replay; absent: 1.
    Attempt,
    /// Who approved the change that waits, as JSON ([`crate::Approvals`]). The webhook adds who, the executor when.
    Approvals,
    /// Who lets the change through past every rule, and why, as JSON ([`crate::Override`]).
    Override,
    /// When the change that was let through last was, in RFC 3339. Written by the release.
    ReleasedAt,
    /// The lane that the policies gave the change when it was held; the annotation [`LANE`] comes before it.
    DefaultLane,
}

impl Key {
    /// Every own annotation, in the order of the enum's discriminants.
    pub const ALL: [Self; 13] = [
        Self::Gate,
        Self::Change,
        Self::Released,
        Self::Good,
        Self::RequestedBy,
        Self::Paused,
        Self::Quarantined,
        Self::Traceparent,
        Self::Attempt,
        Self::Approvals,
        Self::Override,
        Self::ReleasedAt,
        Self::DefaultLane,
    ];

    /// The annotation's full key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gate => "roadstead.dev/gate",
            Self::Change => "roadstead.dev/change",
            Self::Released => "roadstead.dev/released",
            Self::Good => "roadstead.dev/good",
            Self::RequestedBy => "roadstead.dev/requested-by",
            Self::Paused => "roadstead.dev/paused",
            Self::Quarantined => "roadstead.dev/quarantined",
            Self::Traceparent => "roadstead.dev/traceparent",
            Self::Attempt => "roadstead.dev/attempt",
            Self::Approvals => "roadstead.dev/approvals",
            Self::Override => "roadstead.dev/override",
            Self::ReleasedAt => "roadstead.dev/released-at",
            Self::DefaultLane => "roadstead.dev/default-lane",
        }
    }

    /// The own annotation of that name, `None` for everybody else's.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let own = name.strip_prefix(PREFIX)?;
        Self::ALL.into_iter().find(|key| key.name()[PREFIX.len()..] == *own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_own_key_is_found_by_its_name_and_stands_at_its_index() {
        for (index, key) in Key::ALL.into_iter().enumerate() {
            assert_eq!(Key::from_name(key.name()), Some(key));
            assert_eq!(key as usize, index);
        }
    }

    #[test]
    fn keys_that_users_write_are_not_our_own() {
        for name in [
            LANE,
            URGENT,
            ON_FAILURE,
            REPLAY,
            LIFT,
            APPROVE,
            RELEASE,
            RESUME,
            PHASE_LABEL,
            "gate",
            "roadstead.dev/",
            "example.com/gate",
        ] {
            assert_eq!(Key::from_name(name), None, "{name}");
        }
    }
}
