//! Who may talk to the API server: fixed users with tokens, and the keys behind ServiceAccount tokens.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use certs::tls::{Files, LeafRequest, Usage};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

use crate::kubeconfig::{Server, User, write, write_private};
use crate::unique::token;

/// May do everything (group `system:masters`).
pub const ADMIN: &str = "admin";
/// May edit what teams edit (the cluster role `edit`), read namespaces and use the urgent lane, everywhere.
pub const DEVELOPER: &str = "developer";

const CONTROLLERS: &str = "system:kube-controller-manager";
const SCHEDULER: &str = "system:kube-scheduler";
const KWOK: &str = "kwok";
const MASTERS: &str = "system:masters";
pub(crate) const LIFE: Duration = Duration::from_hours(24 * 365);
const USERS: &str = "users.csv";
/// The API server's Service: the first address of the range.
const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const SERVICE_NAME: &str = "kubernetes.default.svc.cluster.local";
/// Where a real node is.
pub(crate) const NODE: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);

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
    pub(crate) fn create(folder: &Path) -> anyhow::Result<(Self, String)> {
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
                line(user, group)
            });
        write_private(&folder.join(USERS), &lines.concat())?;
        let files = Files::new(folder);
        files.ensure("testbed", LIFE, &server_leaf())?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        write_private(&folder.join("sa.key"), &key.serialize_pem())?;
        write_private(&folder.join("sa.pub"), &key.public_key_pem())?;
        Ok((this, std::fs::read_to_string(files.ca_cert())?))
    }

    /// Writes one kubeconfig file a user of the control plane's own, and one for people.
    pub(crate) fn write_kubeconfigs(&self, folder: &Path, server: &Server) -> anyhow::Result<()> {
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

/// Adds a user, before the API server starts, with a kubeconfig file of its own: `<file>.kubeconfig`.
pub(crate) fn add(folder: &Path, server: &Server, file: &str, name: &str, group: &str) -> anyhow::Result<()> {
    let user = User { name: name.to_owned(), token: token()? };
    let users = std::fs::read_to_string(folder.join(USERS))?;
    write_private(&folder.join(USERS), &(users + &line(&user, group)))?;
    write(&folder.join(format!("{file}.kubeconfig")), server, std::slice::from_ref(&user), "default")
}

/// A user in the API server's file of tokens.
fn line(user: &User, group: &str) -> String {
    format!("{},{},{},\"{group}\"\n", user.token, user.name, user.name)
}

/// Reached from the machine by `localhost`, from pods by the name or address of its Service, and by the node's own.
fn server_leaf() -> LeafRequest {
    let service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", SERVICE_NAME];
    LeafRequest {
        common_name: "kube-apiserver".to_owned(),
        organizations: vec![],
        dns_names: service.into_iter().chain(["localhost"]).map(str::to_owned).collect(),
        ips: [Ipv4Addr::LOCALHOST, SERVICE, NODE].map(Into::into).to_vec(),
        usage: Usage::Server,
        life: LIFE,
    }
}
