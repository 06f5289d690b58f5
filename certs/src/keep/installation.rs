//! Which NATS it is: names, addresses, and where its servers keep what.

use std::net::IpAddr;
use std::time::Duration;

use crate::tls::{LeafRequest, Usage};

/// One installation and its embedded NATS.
#[derive(Clone, Debug)]
pub struct Installation {
    /// Namespace of the Secrets, the servers and the components.
    pub namespace: String,
    /// What the names of its objects begin with.
    pub prefix: String,
    /// Name of the cluster in subjects.
    pub cluster: String,
    /// URLs that clients reach the servers by.
    pub urls: Vec<String>,
    /// Each server, as the others reach it: a name or an address, with a port where it is another than the usual one.
    pub hosts: Vec<String>,
    /// Folder in which a server keeps the accounts.
    pub accounts: String,
    /// Folder that a server reads the files of its Secret from.
    pub config: String,
}

impl Installation {
    /// Name of a Secret.
    pub(super) fn secret(&self, part: &str) -> String {
        format!("{}-nats-{part}", self.prefix)
    }

    /// Name of the `StatefulSet` and of the Service of the servers.
    pub(super) fn servers(&self) -> String {
        format!("{}-nats", self.prefix)
    }

    /// What the servers show to clients and to each other.
    #[must_use]
    pub fn certificate(&self, life: Duration) -> LeafRequest {
        let service = self.servers();
        let within = format!("{service}.{}.svc", self.namespace);
        let names = [service.clone(), format!("{service}.{}", self.namespace), format!("*.{within}"), within];
        let reached = self.urls.iter().chain(&self.hosts).map(|address| host(address).to_owned());
        let (mut dns_names, mut ips) = (Vec::new(), Vec::new());
        for name in names.into_iter().chain(reached) {
            match name.parse::<IpAddr>() {
                Ok(ip) if !ips.contains(&ip) => ips.push(ip),
                Err(_) if !dns_names.contains(&name) => dns_names.push(name),
                _ => {}
            }
        }
        let common_name = "roadstead-nats".to_owned();
        // A server is a client of the others.
        LeafRequest { common_name, organizations: vec![], dns_names, ips, usage: Usage::Both, life }
    }
}

/// The host of `nats://host:port`, `host:port` or `host`.
fn host(address: &str) -> &str {
    let address = address.split_once("://").map_or(address, |(_, rest)| rest).trim_end_matches('/');
    if let Some(v6) = address.strip_prefix('[') {
        return v6.split_once(']').map_or(v6, |(host, _)| host);
    }
    address.split_once(':').map_or(address, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_has_every_name_that_the_servers_are_reached_by() {
        let installation = Installation {
            namespace: "ns".into(),
            prefix: "r".into(),
            cluster: "east".into(),
            urls: vec!["nats://r-nats.ns.svc:4222".into(), "tls://[::1]:4222/".into()],
            hosts: vec!["r-nats-0.r-nats.ns.svc".into(), "127.0.0.1:7000".into()],
            accounts: "/accounts".into(),
            config: "/etc/nats".into(),
        };
        let request = installation.certificate(Duration::from_hours(1));
        request.check().unwrap();
        let names = ["r-nats", "r-nats.ns", "*.r-nats.ns.svc", "r-nats.ns.svc", "r-nats-0.r-nats.ns.svc"];
        assert_eq!(request.dns_names, names);
        assert_eq!(request.ips, ["::1", "127.0.0.1"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    }
}
