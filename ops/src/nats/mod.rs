//! The connection to NATS: opened with patience, told of in the log, never waited for without a limit.

mod advice;
mod credentials;

use std::{path::PathBuf, sync::LazyLock, time::Duration};

use async_nats::{Client, ConnectOptions, Event};
use contract::access::{Names, Role};
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

pub use self::advice::on as advice;
use self::credentials::Credentials;
use crate::{args, chain};

/// How long a request to the server may take, on top of what the caller allows.
pub const REQUEST: Duration = Duration::from_secs(5);

/// Longest pause between two tries to connect.
const PAUSE: Duration = Duration::from_secs(5);

/// Of the process, for it has one connection.
static CONNECTED: LazyLock<Gauge> = LazyLock::new(Gauge::default);

/// Adds the connection's metric to those of a workload.
pub fn register(registry: &mut Registry) {
    registry.register(
        "nats_connected",
        "Whether this process is connected to NATS: 1 or 0",
        CONNECTED.clone(),
    );
}

/// What waiting does not heal.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file that says who we are.
    #[error("{}: cannot be read; {flag} names it", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// The flag that names it.
        flag: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that is there, but is none.
    #[error("{}: no credentials of a NATS user; --nats-creds names it", .0.display())]
    NoCredentials(PathBuf),
    /// Anybody may write into the queue and read it.
    #[error(
        "NATS at {0} lets in whoever asks: make identities for it (`roadstead-certs nats init`) or users of its own; \
         for development only, --nats-allow-anonymous=true goes on without"
    )]
    Anonymous(String),
}

/// Connects a component of a cluster, trying until the server answers. Later losses of the connection heal by
/// themselves; files that say who we are are read again each time.
///
/// # Errors
/// Whatever waiting does not heal.
pub async fn connect(args: &args::Nats, role: Role, cluster: &str) -> Result<Client, ConnectError> {
    let mut pause = Duration::from_millis(100);
    loop {
        let names = Names { cluster, namespace: "", user: "" };
        // A prefix of its own: nobody else may read this component's replies.
        let options = options(args, &format!("roadstead-{role}"), &role.inbox_prefix(&names))?;
        let error = match options.event_callback(async |event| tell(&event)).connect(&args.urls).await {
            Ok(client) if client.server_info().auth_required || args.allow_anonymous => return Ok(client),
            Ok(_) => return Err(ConnectError::Anonymous(args.urls.join(","))),
            Err(error) => error,
        };
        tracing::warn!(
            error = chain(&error),
            urls = args.urls.join(","),
            retry_in_ms = pause.as_millis(),
            "cannot connect to NATS; {}",
            advice::on(&error)
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE);
    }
}

/// How to connect under this name; answers arrive under `inbox`.
///
/// # Errors
/// When a file that says who we are cannot be read, or is none.
pub fn options(args: &args::Nats, name: &str, inbox: &str) -> Result<ConnectOptions, ConnectError> {
    let mut options = match Credentials::of(args) {
        Some(credentials) => {
            // Once here, so that a file that is not there is told of at the start.
            credentials.read(b"")?;
            ConnectOptions::with_auth_callback(move |nonce| {
                let answer = credentials.read(&nonce);
                async move { answer.map_err(|error| async_nats::AuthError::new(chain(&error))) }
            })
        }
        None => ConnectOptions::new(),
    };
    options = options
        .name(name)
        .custom_inbox_prefix(inbox)
        .request_timeout(Some(REQUEST))
        .reconnect_delay_callback(|attempts| Duration::from_millis(50 << attempts.min(6)).min(PAUSE));
    if let Some(ca) = &args.ca {
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        options = options.add_client_certificate(cert.clone(), key.clone()).require_tls(true);
    }
    Ok(options)
}

/// A denied permission comes as an event only, so each is worth a line.
fn tell(event: &Event) {
    match event {
        Event::Connected => CONNECTED.set(1),
        Event::Disconnected | Event::Closed => CONNECTED.set(0),
        _ => 0,
    };
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Closed | Event::Draining => tracing::debug!(%event, "NATS"),
        _ => tracing::warn!(%event, "NATS"),
    }
}
