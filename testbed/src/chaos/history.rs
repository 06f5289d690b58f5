//! What was recorded: every stored version of every Deployment, ReplicaSet and Namespace in the order of etcd's
//! revisions, and every event that Roadstead told. The checker knows nothing else.

use std::fmt;

use contract::{ChangeId, Digest, Lane, Phase, State};

/// Milliseconds since the recording began, by the recorder's clock. It never orders writes: their revisions do.
pub type Millis = u64;

/// Revision of etcd: one number for all writes of all objects, which only grows.
pub type Revision = u64;

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Its namespace.
    pub namespace: String,
    /// Its name there.
    pub name: String,
}

impl Name {
    /// The object of that name.
    #[must_use]
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A Deployment as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// Namespace and name.
    pub name: Name,
    /// `metadata.uid`
    pub uid: String,
    /// `metadata.generation`
    pub generation: i64,
    /// Digest of `spec.template`, computed by the recorder.
    pub digest: Digest,
    /// What its own keys say.
    pub state: State,
    /// `spec.paused`
    pub paused: bool,
    /// The lane that its owner asks for.
    pub lane: Option<String>,
    /// Image of the first container and `spec.replicas`, for people.
    pub looks: String,
}

/// A ReplicaSet as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaSet {
    /// Namespace and name.
    pub name: Name,
    /// Uid of the Deployment that owns it.
    pub owner: String,
    /// Digest of its template, without the hash label.
    pub digest: Digest,
    /// `spec.replicas`
    pub replicas: i64,
}

/// A Namespace as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Whether it is opted in.
    pub enabled: bool,
    /// Default lane of its Deployments.
    pub lane: Option<String>,
    /// Whether its Deployments may be urgent.
    pub urgent: Option<String>,
}

impl Namespace {
    /// The lane of a Deployment here.
    #[must_use]
    pub fn lane_of(&self, deployment: &Deployment) -> Lane {
        Lane::resolve(
            deployment.lane.as_deref(),
            deployment.state.default_lane,
            self.lane.as_deref(),
            self.urgent.as_deref(),
        )
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A Deployment was created or changed.
    Deployment(Box<Deployment>),
    /// A Deployment is gone.
    DeploymentGone(Name),
    /// A ReplicaSet was created or changed.
    ReplicaSet(ReplicaSet),
    /// A ReplicaSet is gone.
    ReplicaSetGone(Name),
    /// A Namespace was created or changed.
    Namespace(Namespace),
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Where it stands among all writes.
    pub revision: Revision,
    /// When the recorder heard of it.
    pub at: Millis,
    /// Who wrote, by the API server's audit log; `None` where the log does not say (the API server was killed).
    pub by: Option<String>,
    /// What was written.
    pub what: What,
}

/// One event, as Roadstead told it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When the recorder heard of it.
    pub at: Millis,
    /// The Deployment.
    pub name: Name,
    /// Its uid.
    pub uid: String,
    /// The change.
    pub change: ChangeId,
    /// What it came to.
    pub phase: Phase,
    /// The sentence for people.
    pub message: String,
}

/// What Roadstead was told to keep to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rollouts in flight at a time.
    pub slots: usize,
    /// So many more for urgent changes.
    pub urgent_slots: usize,
    /// A rollout that takes longer counts no more.
    pub slot_timeout: Millis,
    /// User name of the executor.
    pub executor: String,
}

/// A time in which NATS lost what it had stored, or could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its begin.
    pub from: Millis,
    /// Its end.
    pub to: Millis,
}

/// All that was recorded.
#[derive(Clone, Debug)]
pub struct History {
    /// What Roadstead was told to keep to.
    pub limits: Limits,
    /// Every write, by revision.
    pub writes: Vec<Write>,
    /// Every event, in the order in which it was heard.
    pub told: Vec<Told>,
    /// When events may have been lost.
    pub lossy: Vec<Span>,
    /// Whether all was quiet at the end: nothing broken, nobody acting, time enough.
    pub quiet: bool,
}
