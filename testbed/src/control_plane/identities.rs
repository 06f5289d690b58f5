//! Who may talk to the API server: fixed users with tokens, and the keys behind ServiceAccount tokens.

use std::path::Path;
use std::time::Duration;

use certs::tls::{Files, LeafRequest, Usage};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use crate::kubeconfig::{Server, User, write, write_private};
use crate::unique::token;

/// May do everything (group `system:masters`).
pub const ADMIN: &str = "admin";
/// May edit what teams edit (the cluster role `edit`) and read namespaces, everywhere.
pub const DEVELOPER: &str = "developer";

const CONTROLLERS: &str = "system:kube-controller-manager";
const SCHEDULER: &str = "system:kube-scheduler";
const KWOK: &str = "kwok";
const MASTERS: &str = "system:masters";
const LIFE: Duration = Duration::from_hours(24 * 365);

/// The users of a control plane.
#[derive(Clone, Debug)]
pub struct Identities {
    /// [`ADMIN`].
    pub admin: User,
    /// [`DEVELOPER`].
    pub developer: User,
    controllers: User,
    scheduler: User,
    kwok: User,
}

impl Identities {
    /// Makes users, the API server's certificate and the key pair for ServiceAccount tokens in `folder`.
    /// Returns the authority's certificate as PEM, too.
    pub(super) fn create(folder: &Path) -> anyhow::Result<(Self, String)> {
        let user = |name: &str| anyhow::Ok(User { name: name.to_owned(), token: token()? });
        let this = Self {
            admin: user(ADMIN)?,
            developer: user(DEVELOPER)?,
            controllers: user(CONTROLLERS)?,
            scheduler: user(SCHEDULER)?,
            kwok: user(KWOK)?,
        };
        let lines =
            [&this.admin, &this.developer, &this.controllers, &this.scheduler, &this.kwok].map(|user| {
                let group = if [ADMIN, KWOK].contains(&user.name.as_str()) { MASTERS } else { "" };
                format!("{},{},{},\"{group}\"\n", user.token, user.name, user.name)
            });
        write_private(&folder.join("users.csv"), &lines.concat())?;
        let files = Files::new(folder);
        files.ensure("testbed", LIFE, &server_leaf())?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        write_private(&folder.join("sa.key"), &key.serialize_pem())?;
        write_private(&folder.join("sa.pub"), &key.public_key_pem())?;
        Ok((this, std::fs::read_to_string(files.ca_cert())?))
    }

    /// Writes one kubeconfig file a user of the control plane's own, and one for people.
    pub(super) fn write_kubeconfigs(&self, folder: &Path, server: &Server) -> anyhow::Result<()> {
        let people = [self.admin.clone(), self.developer.clone()];
        write(&folder.join("kubeconfig"), server, &people, "default")?;
        for (file, user) in
            [("controllers", &self.controllers), ("scheduler", &self.scheduler), ("kwok", &self.kwok)]
        {
            write(&folder.join(format!("{file}.kubeconfig")), server, std::slice::from_ref(user), "default")?;
        }
        Ok(())
    }
}

fn server_leaf() -> LeafRequest {
    LeafRequest {
        common_name: "kube-apiserver".to_owned(),
        organizations: vec![],
        dns_names: vec!["localhost".to_owned(), "kubernetes.default.svc".to_owned()],
        ips: vec![std::net::Ipv4Addr::LOCALHOST.into()],
        usage: Usage::Server,
        life: LIFE,
    }
}
