//! The webhook from outside: as a process that is started wrongly, and as a TLS server that is spoken to badly.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

mod clients;
mod end;
mod limits;
mod live_read;
mod serve;
mod server;
mod start;

use std::time::{Duration, Instant};

use certs::tls::{Authority, Files, LeafRequest, Usage};

/// Makes a folder hold a serving certificate for loopback, valid for an hour.
fn issue(files: &Files) {
    files.ensure("test", Duration::from_hours(2), &leaf(Duration::from_hours(1))).unwrap();
}

fn leaf(life: Duration) -> LeafRequest {
    LeafRequest {
        common_name: "webhook".into(),
        organizations: Vec::new(),
        dns_names: vec!["localhost".into()],
        ips: vec![std::net::Ipv4Addr::LOCALHOST.into()],
        usage: Usage::Server,
        life,
    }
}

/// Another leaf of the authority in the folder.
fn renewed(files: &Files) -> certs::tls::Leaf {
    renewed_for(files, Duration::from_mins(30))
}

fn renewed_for(files: &Files, life: Duration) -> certs::tls::Leaf {
    let read = |path| std::fs::read_to_string(path).unwrap();
    let authority = Authority::from_pem(&read(files.ca_cert()), &read(files.ca_key())).unwrap();
    authority.issue(&leaf(life)).unwrap()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
