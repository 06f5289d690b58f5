//! What is going to happen: users' actions and the faults between them. It follows from the seed and the two
//! numbers alone; only how the processes interleave does not.

mod draw;

use std::fmt;
use std::time::Duration;

pub use draw::{DEPLOYMENTS, NAMESPACES, draw};

/// All that is going to happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where it comes from.
    pub seed: u64,
    /// In the order in which users take them up.
    pub acts: Vec<Act>,
    /// In the order in which they begin.
    pub faults: Vec<Due>,
}

/// One action of a user.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    /// Number of the namespace.
    pub namespace: usize,
    /// Number of the Deployment there; actions on the namespace itself ignore it.
    pub deployment: usize,
    /// What is done.
    pub action: Action,
}

/// A pod template, in what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Template {
    /// Tag of the image.
    pub image: u32,
    /// Value of an environment variable.
    pub env: u32,
    /// No node takes its pods: its rollout fails.
    pub broken: bool,
}

/// How pods are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Strategy {
    /// New ones come first.
    #[default]
    Rolling,
    /// `maxSurge: 0`
    NoSurge,
    /// Old ones go first.
    Recreate,
}

/// A whole Deployment, as it stands in somebody's Git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Manifest {
    /// Its pods.
    pub template: Template,
    /// How many.
    pub replicas: u32,
    /// How they are replaced.
    pub strategy: Strategy,
}

/// What a user does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Creates it.
    Create(Manifest),
    /// A new image, by a patch.
    Image(u32),
    /// A new environment, by a patch.
    Env(u32),
    /// A template that no node takes, by a patch.
    Break,
    /// Writes all of it: a newer one, an earlier one, or the same again.
    Put(Manifest),
    /// Other replicas.
    Scale(u32),
    /// Another strategy.
    Replace(Strategy),
    /// `kubectl rollout restart`
    Restart,
    /// `kubectl rollout undo`
    Undo,
    /// Deletes it.
    Delete,
    /// Deletes it and creates it at once under the same name.
    Recreate(Manifest),
    /// Another lane.
    Lane(&'static str),
    /// Pauses it.
    Pause,
    /// Resumes it.
    Resume,
    /// Tries to open the gate by hand.
    Forge,
    /// Another default lane of the namespace.
    DefaultLane(&'static str),
    /// Opts the namespace out.
    OptOut,
    /// Opts it in again.
    OptIn,
}

/// A process that faults hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Process {
    /// One of the webhooks.
    Webhook(usize),
    /// One of the executors.
    Executor(usize),
    /// nats-server.
    Nats,
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager.
    Controllers,
}

/// What breaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// SIGKILL; started again at the end.
    Kill(Process),
    /// SIGSTOP; SIGCONT at the end.
    Freeze(Process),
    /// SIGTERM; started again at the end.
    Stop(Process),
    /// nats-server is killed and loses all that it stored.
    Wipe,
    /// Every message of the queue is gone.
    Purge,
    /// A stream is deleted.
    DeleteStream(&'static str),
    /// A consumer of the queue is deleted; which one of them.
    DeleteConsumer(usize),
    /// The connections between executors and NATS are cut.
    Cut,
    /// One is cut before its next acknowledgement is sent.
    CutBeforeAck,
    /// One is cut after it, before the answer.
    CutAfterAck,
    /// One in three requests of the executors is late by so many milliseconds.
    Slow(u64),
    /// Half of the requests of the executors are refused.
    Refuse(u16),
    /// Half of the writes of the executors are done and seem to have failed.
    Hide(u16),
}

/// A fault, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Due {
    /// Before the action of this number.
    pub before: usize,
    /// How long it lasts.
    pub lasts: Duration,
    /// What breaks.
    pub fault: Fault,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::OptIn | Action::OptOut | Action::DefaultLane(_) => {
                write!(f, "namespace {}: {:?}", self.namespace + 1, self.action)
            }
            action => write!(f, "{}/{}: {action:?}", self.namespace + 1, deployment_name(self.deployment)),
        }
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} for {} ms", self.fault, self.lasts.as_millis())
    }
}

/// Name of the Deployment of that number.
#[must_use]
pub fn deployment_name(number: usize) -> String {
    format!("web-{number}")
}
