//! The way to NATS: by what was typed, else by a port-forward to the NATS of the release with the credentials of role
//! `reader` that its Secret has, for whoever may read that. Nothing of it is written to a file or an argument.

mod args;
mod identity;
mod stored;
mod trust;
mod tunnel;
mod way;

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerError};
use contract::access::Role;
use tokio::{sync::watch, time::timeout};

pub use self::{
    args::Reach,
    stored::Stored,
    trust::{authorities, client as tls_client},
    tunnel::Pods,
};
use self::{identity::Identity, tunnel::Tunnel};
use crate::{connection::Connection, failure::innermost};

/// How long NATS may take to let us in.
const CONNECT: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Why something of NATS cannot be shown, as a sentence that says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// Nobody answers.
    #[error("{0}")]
    Away(String),
    /// The user may not.
    #[error("{0}")]
    Forbidden(String),
}

/// The state of the connection, and what the server refused last.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// Whether it stands.
    pub connected: bool,
    /// How often it was lost.
    pub losses: u64,
    /// The last refusal: a permission that is missing comes as an event, and not as an answer.
    refused: Option<String>,
}

/// A connection to NATS.
pub struct Nats {
    client: Client,
    /// Name of this cluster in subjects.
    pub cluster: String,
    /// The one namespace that may be seen; `None`: all of the cluster.
    pub namespace: Option<String>,
    role: Role,
    link: watch::Receiver<Link>,
    _tunnel: Option<Tunnel>,
}

impl Nats {
    /// Connects.
    ///
    /// # Errors
    /// When there is no way in.
    pub async fn open(reach: &Reach, connection: &Connection) -> Result<Self, Absence> {
        let typed = &reach.nats;
        if typed.has_way_in() {
            let creds = typed.creds.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
            let name = typed.user.as_deref().unwrap_or("kubectl-roadstead");
            let identity = creds.as_deref().and_then(Identity::of).unwrap_or_else(|| Identity::person(name));
            let cluster = cluster(reach, &identity);
            let options = ops::nats::options(typed, "kubectl-roadstead", &identity.inbox(&cluster));
            let options = options.map_err(|error| Absence::Away(error.to_string()))?;
            return Self::connect(options, &typed.urls, identity, cluster, typed.allow_anonymous, None).await;
        }
        if typed.has_url() {
            let urls = typed.urls.join(",");
            return Err(Absence::Away(format!("nobody says who you are to {urls}: add --nats-creds FILE")));
        }
        let way = way::of(connection, &reach.release()).await?;
        let no_identity = || Absence::Away(format!("{} holds no credentials of NATS", way.secret));
        let identity = Identity::of(&way.creds).ok_or_else(no_identity)?;
        let cluster = cluster(reach, &identity);
        let options = ConnectOptions::with_credentials(&way.creds).map_err(|_| no_identity())?;
        let (options, url, tunnel) = way.apply(options).await?;
        let options = options.name("kubectl-roadstead").custom_inbox_prefix(identity.inbox(&cluster));
        let options = options.request_timeout(Some(ANSWER));
        Self::connect(options, &[url], identity, cluster, false, tunnel).await
    }

    async fn connect(
        options: ConnectOptions,
        urls: &[String],
        identity: Identity,
        cluster: String,
        allow_anonymous: bool,
        tunnel: Option<Tunnel>,
    ) -> Result<Self, Absence> {
        let (sender, link) = watch::channel(Link::default());
        let options = options.event_callback(move |event| {
            sender.send_if_modified(|link| link.learn(&event));
            std::future::ready(())
        });
        let place = tunnel.as_ref().map_or_else(|| urls.join(","), |_| "the NATS of the release".to_owned());
        let client = match timeout(CONNECT, options.connect(urls)).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let why = tunnel.and_then(|tunnel| tunnel.why()).unwrap_or_else(|| innermost(&error));
                let advice = ops::nats::advice(&error);
                return Err(Absence::Away(format!("{place} does not let us in: {why}; {advice}")));
            }
            Err(_) => return Err(Absence::Away(format!("{place} does not answer"))),
        };
        if !client.server_info().auth_required && !allow_anonymous {
            return Err(Absence::Away(format!(
                "{place} lets in whoever asks; for development, --nats-allow-anonymous=true goes on"
            )));
        }
        let Identity { role, namespace, .. } = identity;
        Ok(Self { client, cluster, namespace, role, link, _tunnel: tunnel })
    }

    /// What becomes of the connection.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Whether what was kept may be read, and not only what happens from now on.
    #[must_use]
    pub fn reads_history(&self) -> bool {
        self.role != Role::Namespace
    }

    /// What happens from now on, on subjects that match. Whether the user may is told by [`Link::refusal`] later.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn subscribe(&self, filter: &str) -> Result<async_nats::Subscriber, Absence> {
        let subscribed = timeout(ANSWER, self.client.subscribe(filter.to_owned())).await;
        let gone = |error: &dyn std::fmt::Display| Absence::Away(format!("subscribe to NATS: {error}"));
        subscribed.map_err(|_| gone(&"no answer"))?.map_err(|error| gone(&error))
    }

    /// Asks `JetStream`'s API.
    async fn ask(&self, subject: String, payload: String) -> Result<Vec<u8>, Absence> {
        let (mut link, named) = (self.link.clone(), subject.clone());
        let refused = async {
            match link.wait_for(|link| link.refusal(&named).is_some()).await {
                Ok(link) => link.refusal(&named),
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            answer = timeout(ANSWER, self.client.request(subject.clone(), payload.into())) => match answer {
                Ok(Ok(answer)) => Ok(answer.payload.to_vec()),
                Ok(Err(error)) => Err(Absence::Away(format!("NATS, asked for {subject}: {error}"))),
                Err(_) => Err(Absence::Away(format!("NATS did not answer when asked for {subject}"))),
            },
            Some(refused) = refused => Err(refused),
        }
    }
}

impl Link {
    /// What the server refused last, if it was about this subject.
    #[must_use]
    pub fn refusal(&self, subject: &str) -> Option<Absence> {
        let said = self.refused.as_ref().filter(|said| said.contains(subject))?;
        let said = said.replace(char::is_control, " ");
        Some(Absence::Forbidden(format!(
            "NATS does not let you ({said}); docs/security.md says what each role may"
        )))
    }

    /// Whether an event says something new.
    fn learn(&mut self, event: &Event) -> bool {
        match event {
            Event::Connected => self.connected = true,
            Event::Disconnected | Event::Closed => {
                self.losses += u64::from(self.connected);
                self.connected = false;
            }
            Event::ServerError(ServerError::Other(said)) => self.refused = Some(said.clone()),
            _ => return false,
        }
        true
    }
}

fn cluster(reach: &Reach, identity: &Identity) -> String {
    let typed = reach.nats_cluster.clone().filter(|name| !name.is_empty());
    typed.or_else(|| identity.cluster.clone()).unwrap_or_else(|| "default".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_is_counted_once_and_a_refusal_is_kept() {
        let mut link = Link::default();
        for event in [Event::Connected, Event::Disconnected, Event::Disconnected, Event::Connected] {
            assert!(link.learn(&event));
        }
        assert_eq!((link.connected, link.losses), (true, 1));
        assert!(link.learn(&Event::ServerError(ServerError::Other("Permissions Violation".into()))));
        assert!(link.refused.is_some() && !link.learn(&Event::LameDuckMode));
    }
}
