//! What the servers include in their configuration beside the accounts: TLS towards clients, and the cluster.
//! <https://docs.nats.io/running-a-nats-service/configuration/clustering/cluster_config>

use std::fmt::Write as _;

use super::Installation;

/// Key of the servers' Secret: TLS towards clients.
pub(super) const TLS: &str = "tls.conf";
/// Key of the servers' Secret: the cluster.
pub(super) const CLUSTER: &str = "cluster.conf";

/// Where servers listen to each other.
const PORT: u16 = 6222;
/// The user that servers are to each other.
const USER: &str = "route";

impl Installation {
    /// Clients are answered by TLS alone.
    pub(super) fn tls_conf(&self) -> String {
        format!("# TLS towards clients. Made by roadstead-certs.\ntls {{\n{}}}\n", self.pair())
    }

    /// The servers of a cluster let each other in by password and by certificate; one server alone has no cluster.
    pub(super) fn cluster_conf(&self, password: &str) -> String {
        if self.hosts.len() < 2 {
            return "# One server: no cluster. Made by roadstead-certs.\n".to_owned();
        }
        let mut routes = String::new();
        for host in &self.hosts {
            let bare = host.starts_with('[') && host.ends_with(']') || !host.contains(':');
            let port = if bare { format!(":{PORT}") } else { String::new() };
            // Writing to a String cannot fail.
            let _ = writeln!(routes, "    \"nats-route://{USER}:{password}@{host}{port}\"");
        }
        format!(
            "# The servers among themselves. Holds a password; made by roadstead-certs.\n\
             cluster {{\n  name: {name:?}\n  listen: \"0.0.0.0:{PORT}\"\n  \
             authorization {{ user: {USER}, password: {password:?}, timeout: 5 }}\n  \
             tls {{\n{pair}    ca_file: \"{config}/ca.crt\"\n    verify: true\n  }}\n  \
             routes: [\n{routes}  ]\n}}\n",
            name = self.servers(),
            pair = self.pair(),
            config = self.config,
        )
    }

    fn pair(&self) -> String {
        let config = &self.config;
        format!("    cert_file: \"{config}/tls.crt\"\n    key_file: \"{config}/tls.key\"\n    timeout: 5\n")
    }
}
