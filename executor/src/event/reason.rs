//! The reasons of the Kubernetes Events: words that alerts and scripts may rely on. docs/events.md lists them, and a
//! test compares.

use contract::Phase;

/// Why there is an Event on a Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventReason {
    /// A change waits.
    Held,
    /// It could not be let through yet, and is tried again.
    Retrying,
    /// A rule of a policy lets it wait.
    HeldByPolicy,
    /// A rule would have let it wait, of a policy that only observes.
    WouldBeHeld,
    /// A validation would have denied it, of a policy that only observes.
    WouldBeDenied,
    /// It was let through.
    Released,
    /// Its rollout came to its end.
    Succeeded,
    /// Its rollout failed.
    Failed,
    /// A newer change took its place.
    Superseded,
    /// The Deployment went back to a template let through before.
    Cancelled,
    /// Its rollout failed, and the last good template was restored.
    RolledBack,
    /// It was given up.
    Dead,
    /// The queue that its failure had paused goes on.
    Resumed,
}

impl EventReason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Held,
        Self::Retrying,
        Self::HeldByPolicy,
        Self::WouldBeHeld,
        Self::WouldBeDenied,
        Self::Released,
        Self::Succeeded,
        Self::Failed,
        Self::Superseded,
        Self::Cancelled,
        Self::RolledBack,
        Self::Dead,
        Self::Resumed,
    ];

    /// The reason that goes with a phase.
    #[must_use]
    pub const fn of(phase: Phase) -> Self {
        match phase {
            Phase::Held => Self::Held,
            Phase::Released => Self::Released,
            Phase::Succeeded => Self::Succeeded,
            Phase::Failed => Self::Failed,
            Phase::Superseded => Self::Superseded,
            Phase::Cancelled => Self::Cancelled,
            Phase::RolledBack => Self::RolledBack,
            Phase::Dead => Self::Dead,
        }
    }

    /// `reason` of the Event.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// `action` of the Event: what was done, or refused.
    #[must_use]
    pub const fn action(self) -> &'static str {
        self.row().1
    }

    /// `type` of the Event.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        if self.row().2 { "Warning" } else { "Normal" }
    }

    const fn row(self) -> (&'static str, &'static str, bool) {
        match self {
            Self::Held => ("ChangeHeld", "Hold", false),
            Self::Retrying => ("ChangeRetrying", "Release", true),
            Self::HeldByPolicy => ("HeldByPolicy", "Hold", false),
            Self::WouldBeHeld => ("WouldBeHeld", "Release", false),
            Self::WouldBeDenied => ("WouldBeDenied", "Release", true),
            Self::Released => ("ChangeReleased", "Release", false),
            Self::Succeeded => ("ChangeSucceeded", "Follow", false),
            Self::Failed => ("ChangeFailed", "Follow", true),
            Self::Superseded => ("ChangeSuperseded", "Release", false),
            Self::Cancelled => ("ChangeCancelled", "Release", false),
            Self::RolledBack => ("ChangeRolledBack", "RollBack", true),
            Self::Dead => ("ChangeDead", "Release", true),
            Self::Resumed => ("QueueResumed", "Resume", false),
        }
    }
}
