//! Subjects: how a change, its second look, an event and a dead letter are addressed on NATS, and read back. Every
//! token is encoded.

mod token;

use sha2::{Digest as _, Sha256};

use self::token::{MAX_NAME, name, token};
use crate::{Lane, Phase};

/// Shards of the queue. A namespace always falls into the same one; one consumer a lane and shard, pulled in
/// turn, keeps a busy namespace from starving the others.
pub const SHARDS: u16 = 32;

/// Why a subject cannot be made or read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SubjectError {
    /// The name does not fit into a subject.
    #[error("{what} is {length} bytes long; a subject takes 1 to {MAX_NAME}")]
    Length {
        /// Which name.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
    },
    /// The subject is not one of ours.
    #[error("{0:?} is no subject of a change")]
    NotAChange(String),
}

/// The shard of a namespace, below [`SHARDS`].
#[must_use]
pub fn shard(namespace: &str) -> u16 {
    let hash = Sha256::digest(namespace);
    u16::from_be_bytes([hash[0], hash[1]]) % SHARDS
}

/// The subject of a change on the queue.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChangeSubject {
    /// Name of the cluster.
    pub cluster: String,
    /// Queue.
    pub lane: Lane,
    /// Namespace of the Deployment.
    pub namespace: String,
    /// Name of the Deployment.
    pub name: String,
}

impl ChangeSubject {
    /// `roadstead.change.<cluster>.<lane>.<shard>.<namespace>.<name>`
    ///
    /// # Errors
    /// A name that is empty or too long for a subject.
    pub fn encode(&self) -> Result<String, SubjectError> {
        self.encode_as("change")
    }

    /// `roadstead.wake.<cluster>.<lane>.<shard>.<namespace>.<name>`: where the second look at a change arrives.
    ///
    /// # Errors
    /// As [`ChangeSubject::encode`].
    pub fn wake(&self) -> Result<String, SubjectError> {
        self.encode_as("wake")
    }

    /// `roadstead.schedule.<cluster>.<lane>.<shard>.<namespace>.<name>`: where it is kept until its time has come. A
    /// schedule's own subject may not be its target.
    ///
    /// # Errors
    /// As [`ChangeSubject::encode`].
    pub fn schedule(&self) -> Result<String, SubjectError> {
        self.encode_as("schedule")
    }

    fn encode_as(&self, kind: &str) -> Result<String, SubjectError> {
        let cluster = token("the cluster's name", &self.cluster)?;
        let namespace = token("the namespace", &self.namespace)?;
        let name = token("the Deployment's name", &self.name)?;
        Ok(format!("roadstead.{kind}.{cluster}.{}.{}.{namespace}.{name}", self.lane, shard(&self.namespace)))
    }

    /// Reads a subject of [`ChangeSubject::encode`] back; a shard that is not the namespace's is refused.
    ///
    /// # Errors
    /// A subject that it does not make.
    pub fn parse(subject: &str) -> Result<Self, SubjectError> {
        Self::parse_as("change", subject)
    }

    /// Reads a subject of [`ChangeSubject::wake`] back.
    ///
    /// # Errors
    /// A subject that it does not make.
    pub fn parse_wake(subject: &str) -> Result<Self, SubjectError> {
        Self::parse_as("wake", subject)
    }

    fn parse_as(kind: &str, subject: &str) -> Result<Self, SubjectError> {
        Self::read(kind, subject).ok_or_else(|| SubjectError::NotAChange(subject.chars().take(200).collect()))
    }

    fn read(kind: &str, subject: &str) -> Option<Self> {
        let tokens: Vec<_> = subject.split('.').collect();
        let ["roadstead", found, cluster, lane, shard, namespace, deployment] = tokens[..] else {
            return None;
        };
        if found != kind {
            return None;
        }
        let found = Self {
            cluster: name(cluster)?,
            lane: lane.parse().ok()?,
            namespace: name(namespace)?,
            name: name(deployment)?,
        };
        (self::shard(&found.namespace).to_string() == shard).then_some(found)
    }
}

/// Filter of the consumer of what wakes in one lane.
///
/// # Errors
/// A cluster name that does not fit into a subject.
pub fn wake_filter(cluster: &str, lane: Lane) -> Result<String, SubjectError> {
    Ok(format!("roadstead.wake.{}.{lane}.>", token("the cluster's name", cluster)?))
}

/// Every wake message of a cluster.
///
/// # Errors
/// A cluster name that does not fit into a subject.
pub fn all_wakes(cluster: &str) -> Result<String, SubjectError> {
    Ok(format!("roadstead.wake.{}.>", token("the cluster's name", cluster)?))
}

/// Filter of the consumer of one lane and shard.
///
/// # Errors
/// A cluster name that does not fit into a subject.
pub fn change_filter(cluster: &str, lane: Lane, shard: u16) -> Result<String, SubjectError> {
    Ok(format!("roadstead.change.{}.{lane}.{shard}.>", token("the cluster's name", cluster)?))
}

/// Every change of a cluster.
///
/// # Errors
/// A cluster name that does not fit into a subject.
pub fn all_changes(cluster: &str) -> Result<String, SubjectError> {
    Ok(format!("roadstead.change.{}.>", token("the cluster's name", cluster)?))
}

/// `roadstead.event.<cluster>.<namespace>.<name>.<phase>`
///
/// # Errors
/// A name that is empty or too long for a subject.
pub fn event(cluster: &str, namespace: &str, name: &str, phase: Phase) -> Result<String, SubjectError> {
    Ok(format!("roadstead.event.{}.{phase}", deployment(cluster, namespace, name)?))
}

/// Every event of a phase of a cluster.
///
/// # Errors
/// A cluster name that does not fit into a subject.
pub fn events_of(cluster: &str, phase: Phase) -> Result<String, SubjectError> {
    Ok(format!("roadstead.event.{}.*.*.{phase}", token("the cluster's name", cluster)?))
}

/// The events of one Deployment, namespace or cluster, of one phase or of all and with the progress between them.
///
/// # Errors
/// A name that is empty or too long for a subject.
pub fn events(
    cluster: &str,
    namespace: Option<&str>,
    name: Option<&str>,
    phase: Option<Phase>,
) -> Result<String, SubjectError> {
    let phase = phase.map_or("*", Phase::as_str);
    Ok(format!("roadstead.event.{}.{phase}", deployments(cluster, namespace, name)?))
}

/// The dead letters of one Deployment, namespace or cluster.
///
/// # Errors
/// A name that is empty or too long for a subject.
pub fn dead_letters(
    cluster: &str,
    namespace: Option<&str>,
    name: Option<&str>,
) -> Result<String, SubjectError> {
    Ok(format!("roadstead.dead.{}", deployments(cluster, namespace, name)?))
}

/// `roadstead.event.<cluster>.<namespace>.<name>.progress`: between the phases, how far a rollout is.
///
/// # Errors
/// A name that is empty or too long for a subject.
pub fn progress(cluster: &str, namespace: &str, name: &str) -> Result<String, SubjectError> {
    Ok(format!("roadstead.event.{}.progress", deployment(cluster, namespace, name)?))
}

/// `roadstead.dead.<cluster>.<namespace>.<name>`
///
/// # Errors
/// A name that is empty or too long for a subject.
pub fn dead(cluster: &str, namespace: &str, name: &str) -> Result<String, SubjectError> {
    Ok(format!("roadstead.dead.{}", deployment(cluster, namespace, name)?))
}

/// `roadstead.queue.<cluster>.<namespace>`
///
/// # Errors
/// A name that is empty or too long for a subject.
pub fn queue(cluster: &str, namespace: &str) -> Result<String, SubjectError> {
    let cluster = token("the cluster's name", cluster)?;
    Ok(format!("roadstead.queue.{cluster}.{}", token("the namespace", namespace)?))
}

/// What waits in every namespace of a cluster.
///
/// # Errors
/// A cluster name that does not fit into a subject.
pub fn all_queues(cluster: &str) -> Result<String, SubjectError> {
    Ok(format!("roadstead.queue.{}.>", token("the cluster's name", cluster)?))
}

/// The namespace in a subject of [`queue`].
#[must_use]
pub fn queue_namespace(subject: &str) -> Option<String> {
    let tokens: Vec<_> = subject.split('.').collect();
    let ["roadstead", "queue", _, namespace] = tokens[..] else { return None };
    name(namespace)
}

/// Every schedule of a second look of a cluster.
///
/// # Errors
/// A cluster name that does not fit into a subject.
pub fn all_schedules(cluster: &str) -> Result<String, SubjectError> {
    Ok(format!("roadstead.schedule.{}.>", token("the cluster's name", cluster)?))
}

/// `*` where none is named.
fn deployments(
    cluster: &str,
    namespace: Option<&str>,
    deployment: Option<&str>,
) -> Result<String, SubjectError> {
    let any = |what, name: Option<&str>| name.map_or_else(|| Ok("*".to_owned()), |name| token(what, name));
    let cluster = token("the cluster's name", cluster)?;
    Ok(format!(
        "{cluster}.{}.{}",
        any("the namespace", namespace)?,
        any("the Deployment's name", deployment)?
    ))
}

fn deployment(cluster: &str, namespace: &str, name: &str) -> Result<String, SubjectError> {
    Ok(format!(
        "{}.{}.{}",
        token("the cluster's name", cluster)?,
        token("the namespace", namespace)?,
        token("the Deployment's name", name)?
    ))
}

#[cfg(test)]
mod tests;
