//! What the executor and the webhook told of changes, from the stream of events.

use contract::{ChangeEvent, Phase, envelope, stream::EVENTS, subject};
use k8s_openapi::jiff::Timestamp;

use crate::nats::{Absence, Nats, Stored};

/// One event, and when the stream took it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// When.
    pub time: Timestamp,
    /// What.
    pub event: ChangeEvent,
}

impl Told {
    /// The event of a message; `None` where it is none of this version, or speaks of another namespace than asked for.
    #[must_use]
    pub fn of(stored: &Stored, namespace: Option<&str>) -> Option<Self> {
        let event: ChangeEvent = envelope::open(&stored.payload).ok()?;
        let asked = namespace.is_none_or(|namespace| namespace == event.namespace);
        asked.then_some(Self { time: stored.time, event })
    }
}

/// Reads the events of a Deployment, a namespace or the cluster since a moment, the oldest first.
///
/// # Errors
/// When NATS does not say.
pub async fn read(
    nats: &Nats,
    namespace: Option<&str>,
    name: Option<&str>,
    since: Timestamp,
) -> Result<Vec<Told>, Absence> {
    if !nats.reads_history() {
        return Err(Absence::Forbidden(
            "the credentials are of one namespace, and see what happens from now on only (kubectl roadstead events -f)"
                .to_owned(),
        ));
    }
    let filters = Phase::ALL.map(|phase| subject::events(&nats.cluster, namespace, name, Some(phase)));
    let filters: Result<Vec<_>, _> = filters.into_iter().collect();
    let filters = filters.map_err(|error| Absence::Away(error.to_string()))?;
    let from = nats.first_since(EVENTS, since).await?;
    let stored = nats.kept(EVENTS, &filters, from).await?;
    Ok(stored.iter().filter_map(|stored| Told::of(stored, namespace)).collect())
}
