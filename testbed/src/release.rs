//! One Roadstead in a cluster: the objects of its chart, and how its two workloads are started as processes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use certs::tls::{Files, LeafRequest, Usage};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::balancer::{self, Balancer, Replica};
use crate::endpoint::Endpoint;
use crate::folder::binaries_folder;
use crate::kubeconfig::{self, Server, User};
use crate::part::Part;
use crate::ports::free_port;
use crate::process::{Lifetime, Spec};

/// How long a webhook behind the balancer goes on after it was told to stop: longer than the balancer needs to hear
/// of it, also on a machine that is busy with other tests.
const SHUTDOWN_DELAY: &str = "3s";
const YEAR: std::time::Duration = std::time::Duration::from_hours(24 * 365);

/// An installed chart: the names that follow from its release, and its webhook's address and certificate.
#[derive(Clone, Debug)]
pub struct Release {
    /// Name of the release and of its namespace.
    pub name: String,
    /// Its files: certificates, kubeconfigs, logs.
    pub folder: PathBuf,
    webhook_port: u16,
    rotates: bool,
}

impl Release {
    /// Picks the webhook's port and makes its certificate.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn prepare(name: &str, folder: &Path) -> anyhow::Result<Self> {
        let leaf = LeafRequest {
            common_name: "roadstead-webhook".to_owned(),
            organizations: vec![],
            dns_names: vec![],
            ips: vec![std::net::Ipv4Addr::LOCALHOST.into()],
            usage: Usage::Server,
            life: YEAR,
        };
        let this = Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            webhook_port: free_port()?,
            rotates: false,
        };
        this.certificate().ensure("roadstead", YEAR, &leaf)?;
        Ok(this)
    }

    /// The same with a certificate that `roadstead-certs rotate` keeps in a Secret.
    #[must_use]
    pub fn rotating(self) -> Self {
        Self { rotates: true, ..self }
    }

    /// The chart in this checkout.
    #[must_use]
    pub fn chart() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/roadstead")
    }

    /// Prefix of the names of its objects, as the chart derives it.
    #[must_use]
    pub fn fullname(&self) -> String {
        if self.name.contains("roadstead") { self.name.clone() } else { format!("{}-roadstead", self.name) }
    }

    /// Where the API server calls its webhook.
    #[must_use]
    pub fn webhook_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.webhook_port)
    }

    /// The webhook's certificate files.
    #[must_use]
    pub fn certificate(&self) -> Files {
        Files::new(self.folder.join("certificate"))
    }

    /// The chart values that point the API server at our webhook and both workloads at our NATS.
    ///
    /// # Errors
    /// When the certificate cannot be read.
    pub fn values(&self, nats_url: &str) -> anyhow::Result<Value> {
        let mut values = json!({
            // The workloads are processes beside the control plane, which runs no pod.
            "inCluster": false,
            "webhook": { "url": self.webhook_url() },
            // Who asks for identities says so to the workloads.
            "nats": { "external": { "url": nats_url }, "allowAnonymous": true },
        });
        if !self.rotates {
            let ca = std::fs::read(self.certificate().ca_cert()).context("no webhook certificate")?;
            values["webhook"]["caBundle"] = json!(BASE64_STANDARD.encode(ca));
            values["certificates"] = json!({ "mode": "existingSecret" });
        }
        Ok(values)
    }

    /// Name of the Secret with the webhook's certificate, where it rotates.
    #[must_use]
    pub fn leaf_secret(&self) -> String {
        format!("{}-webhook-tls", self.fullname())
    }

    /// Where the Secret is mounted for the webhook of this name.
    #[must_use]
    pub fn mounted_for(&self, webhook: &str) -> PathBuf {
        self.folder.join("mounts").join(webhook)
    }

    /// The webhook as a process of its own, under its ServiceAccount's token.
    ///
    /// # Errors
    /// When the objects of the chart are not there.
    pub async fn webhook(&self, seat: &Seat<'_>) -> anyhow::Result<Part> {
        // The API server calls it directly: nobody has to hear first that it stops.
        self.webhook_process("webhook", self.webhook_port, "0s", seat).await
    }

    /// Several webhooks, and the balancer that the API server calls in their place.
    ///
    /// # Errors
    /// As [`Release::webhook`], and when the webhook's port is taken.
    pub async fn webhooks(&self, count: usize, seat: &Seat<'_>) -> anyhow::Result<(Vec<Part>, Balancer)> {
        let mut parts = Vec::new();
        let mut replicas = Vec::new();
        for number in 1..=count {
            let name = if number == 1 { "webhook".to_owned() } else { format!("webhook-{number}") };
            let port = free_port()?;
            let process = self.webhook_process(&name, port, SHUTDOWN_DELAY, seat).await?;
            let readiness = process.readiness().context("a webhook has an admin address")?.clone();
            replicas.push(Replica { address: (std::net::Ipv4Addr::LOCALHOST, port).into(), readiness });
            parts.push(process);
        }
        let balancer = Balancer::start(self.webhook_port, replicas, balancer::PERIOD).await?;
        Ok((parts, balancer))
    }

    async fn webhook_process(
        &self,
        name: &str,
        port: u16,
        shutdown_delay: &str,
        seat: &Seat<'_>,
    ) -> anyhow::Result<Part> {
        let mut env = self.workload("webhook", seat).await?;
        let certificate = if self.rotates { Files::new(self.mounted_for(name)) } else { self.certificate() };
        env.extend([
            ("ROADSTEAD_LISTEN".to_owned(), format!("127.0.0.1:{port}")),
            ("ROADSTEAD_SHUTDOWN_DELAY".to_owned(), shutdown_delay.to_owned()),
            ("ROADSTEAD_TLS_CERT".to_owned(), certificate.cert().display().to_string()),
            ("ROADSTEAD_TLS_KEY".to_owned(), certificate.key().display().to_string()),
        ]);
        self.part(name, "webhook", &[], env, seat)
    }

    /// An executor as a process of its own, under its ServiceAccount's token; `name` tells several apart.
    ///
    /// # Errors
    /// As [`Release::webhook`].
    pub async fn executor(&self, name: &str, seat: &Seat<'_>) -> anyhow::Result<Part> {
        let env = self.workload("executor", seat).await?;
        self.part(name, "executor", &[], env, seat)
    }

    /// A keeper of the certificates as a process of its own, under its ServiceAccount's token.
    ///
    /// # Errors
    /// As [`Release::webhook`].
    pub async fn certs(&self, name: &str, seat: &Seat<'_>) -> anyhow::Result<Part> {
        let env = self.workload("certs", seat).await?;
        self.part(name, "certs", &["rotate"], env, seat)
    }

    /// Environment of a workload: the chart's settings and the kubeconfig of its ServiceAccount.
    async fn workload(&self, account: &str, seat: &Seat<'_>) -> anyhow::Result<Vec<(String, String)>> {
        let fullname = self.fullname();
        let settings = Api::<ConfigMap>::namespaced(seat.client.clone(), &self.name);
        let settings = settings.get(&format!("{fullname}-settings")).await?;
        let user = service_account(&seat.client, &self.name, &format!("{fullname}-{account}")).await?;
        let kubeconfig = self.folder.join(format!("{account}.kubeconfig"));
        kubeconfig::write(&kubeconfig, seat.server, &[user], &self.name)?;
        let mut env: Vec<_> = settings.data.unwrap_or_default().into_iter().collect();
        env.push(("KUBECONFIG".to_owned(), kubeconfig.display().to_string()));
        Ok(env)
    }

    fn part(
        &self,
        name: &str,
        workload: &str,
        args: &[&str],
        mut env: Vec<(String, String)>,
        seat: &Seat<'_>,
    ) -> anyhow::Result<Part> {
        let admin = free_port()?;
        env.push(("ROADSTEAD_ADMIN_LISTEN".to_owned(), format!("127.0.0.1:{admin}")));
        env.extend(seat.env.iter().cloned());
        let spec = Spec {
            name: name.to_owned(),
            program: binaries_folder()?.join(format!("roadstead-{workload}")),
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            env,
            log: self.folder.join(format!("{name}.log")),
        };
        Ok(Part::new(spec, Some(Endpoint::http(admin, "/readyz")), seat.lifetime))
    }
}

/// What a workload's process needs beside its release.
#[derive(Clone)]
pub struct Seat<'a> {
    /// Reads its settings and makes its token.
    pub client: kube::Client,
    /// The API server as the workload reaches it.
    pub server: &'a Server,
    /// Over the environment from the settings.
    pub env: &'a [(String, String)],
    /// Whether it ends with us.
    pub lifetime: Lifetime,
}

/// A ServiceAccount as a user of a kubeconfig file, by a token that outlives any test.
///
/// # Errors
/// When there is no such account.
pub async fn service_account(client: &kube::Client, namespace: &str, name: &str) -> anyhow::Result<User> {
    let spec = TokenRequestSpec { expiration_seconds: Some(365 * 24 * 3600), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
    let answer = answer.with_context(|| format!("no token for ServiceAccount {namespace}/{name}"))?;
    let token = answer.status.and_then(|status| status.token).context("a token request without a token")?;
    Ok(User { name: name.to_owned(), token })
}
