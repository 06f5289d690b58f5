//! The connection to NATS: opened with patience, told of in the log, never waited for without a limit.

use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};

use crate::{args, chain};

/// How long a request to the server may take, on top of what the caller allows.
pub const REQUEST: Duration = Duration::from_secs(5);

/// Longest pause between two tries to connect.
const PAUSE: Duration = Duration::from_secs(5);

/// Connects as `component`, trying until the server answers. Later losses of the connection heal by themselves.
///
/// # Errors
/// A credentials file that cannot be read: waiting does not heal it.
pub async fn connect(args: &args::Nats, component: &'static str) -> Result<Client, std::io::Error> {
    let mut pause = Duration::from_millis(100);
    loop {
        let error = match options(args, component).await?.connect(&args.urls).await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        tracing::warn!(
            error = chain(&error),
            urls = args.urls.join(","),
            retry_in_ms = pause.as_millis(),
            "cannot connect to NATS; check --nats-url, the credentials, and that the server runs"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE);
    }
}

async fn options(args: &args::Nats, component: &'static str) -> Result<ConnectOptions, std::io::Error> {
    let mut options = ConnectOptions::new()
        .name(format!("roadstead-{component}"))
        // A prefix of its own: nobody else may read this component's replies.
        .custom_inbox_prefix(format!("_INBOX_{component}"))
        .request_timeout(Some(REQUEST))
        .reconnect_delay_callback(|attempts| Duration::from_millis(50 << attempts.min(6)).min(PAUSE))
        .event_callback(async |event| tell(&event));
    if let Some(creds) = &args.creds {
        options = options.credentials_file(creds).await?;
    }
    if let Some(ca) = &args.ca {
        options = options.add_root_certificates(ca.clone()).require_tls(true);
    }
    Ok(options)
}

/// A denied permission comes as an event only, so each is worth a line.
fn tell(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Closed | Event::Draining => tracing::debug!(%event, "NATS"),
        _ => tracing::warn!(%event, "NATS"),
    }
}
