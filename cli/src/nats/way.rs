//! The way to the NATS of a release, from what its namespace holds: credentials and authority from a Secret, the address
//! from the settings. The chart's own servers are reached by a port-forward, others as the workloads reach them.

use async_nats::ConnectOptions;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client};

use super::{
    Absence, trust,
    tunnel::{Pods, Tunnel},
};
use crate::{
    connection::Connection,
    trouble::{Remedy, within},
    uninstall::Release,
};

/// Port of the chart's servers.
const PORT: u16 = 4222;
/// The setting with the servers' addresses.
const URL: &str = "ROADSTEAD_NATS_URL";

/// Where it is, and who we are there.
pub struct Way {
    /// The Secret that it is from, for messages.
    pub secret: String,
    /// Credentials of a user.
    pub creds: String,
    /// Authorities that sign the servers' certificates, where they are not publicly known.
    ca: Option<Vec<u8>>,
    /// Addresses, where it is not the chart's own.
    elsewhere: Option<String>,
    release: Release,
    client: Client,
}

/// Reads it.
///
/// # Errors
/// When the user may not, or there is none.
pub async fn of(connection: &Connection, release: &Release) -> Result<Way, Absence> {
    let Release { namespace, fullname, .. } = release;
    let (name, other) =
        (release.part("nats-reader"), "or say who you are: --nats-creds FILE, with --nats-url");
    let secrets = Api::<Secret>::namespaced(connection.client.clone(), namespace);
    let secret = match within(secrets.get(&name)).await {
        Ok(secret) => secret,
        Err(trouble) if trouble.is_forbidden() => {
            return Err(Absence::Forbidden(format!(
                "you may not read Secret {name} in namespace {namespace}, by which NATS would know you; Role \
                 {fullname}-history there gives that right, {other}"
            )));
        }
        Err(trouble) if trouble.remedy() == Remedy::Gone => {
            return Err(Absence::Away(format!(
                "there is no Secret {name} in namespace {namespace}, by which NATS would know you: name the release \
                 with --release and --release-namespace, {other}"
            )));
        }
        Err(trouble) => {
            return Err(Absence::Away(format!("Secret {name} in namespace {namespace}: {trouble}")));
        }
    };
    let mut data = secret.data.unwrap_or_default();
    let creds = data.remove("nats.creds").and_then(|bytes| String::from_utf8(bytes.0).ok());
    let ca = data.remove("ca.crt").map(|bytes| bytes.0);
    // Who may not read the settings takes it to be the chart's own.
    let settings = Api::<ConfigMap>::namespaced(connection.client.clone(), namespace);
    let settings = within(settings.get(&release.part("settings"))).await.ok();
    let url = settings.and_then(|settings| settings.data?.remove(URL));
    let elsewhere = url.filter(|url| !url.contains(&host(release)));
    Ok(Way {
        secret: format!("Secret {name} in namespace {namespace}"),
        creds: creds.unwrap_or_default(),
        ca,
        elsewhere,
        release: release.clone(),
        client: connection.client.clone(),
    })
}

impl Way {
    /// Adds to the options what the way needs, and opens it.
    ///
    /// # Errors
    /// When the authority is none, or the port-forward is refused.
    pub async fn apply(
        &self,
        options: ConnectOptions,
    ) -> Result<(ConnectOptions, String, Option<Tunnel>), Absence> {
        let wrong = |error: String| Absence::Away(format!("ca.crt in {}: {error}", self.secret));
        let roots = self.ca.as_deref().map(trust::authorities).transpose().map_err(wrong)?;
        if let Some(url) = &self.elsewhere {
            let options = match roots {
                Some(roots) => {
                    options.tls_client_config(trust::client(roots, None).map_err(wrong)?).require_tls(true)
                }
                None => options,
            };
            return Ok((options, url.clone(), None));
        }
        let roots = roots.ok_or_else(|| wrong("it is missing".to_owned()))?;
        let tls = trust::client(roots, Some(&host(&self.release))).map_err(wrong)?;
        let pods = Pods::of(self.client.clone(), &self.release, "nats");
        let tunnel = Tunnel::open(pods, PORT).await.map_err(Absence::Away)?;
        // Servers tell clients of each other, by names that mean nothing here.
        let options = options.tls_client_config(tls).require_tls(true).ignore_discovered_servers();
        Ok((options, format!("tls://127.0.0.1:{}", tunnel.port), Some(tunnel)))
    }
}

/// The name that the certificate of the chart's servers is for.
fn host(release: &Release) -> String {
    format!("{}.{}.svc", release.part("nats"), release.namespace)
}
