//! The command line of each part of the control plane.

use std::path::PathBuf;

use super::{Audit, ControlPlaneOptions, Identities};
use crate::endpoint::Endpoint;
use crate::kubeconfig::Server;
use crate::ports::free_port;
use crate::process::Spec;
use crate::tools::Tools;

/// The controllers that Deployments, namespaces and nodes need; a full set would only cost memory.
/// `clusterrole-aggregation-controller` fills the role `edit`.
const CONTROLLERS: [&str; 13] = [
    "deployment-controller",
    "replicaset-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
    "horizontal-pod-autoscaler-controller",
    "disruption-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "job-controller",
];

/// Every request with who sent it, for tests that count them.
const REQUESTS: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\n\
                            omitStages: [RequestReceived, ResponseStarted]\nrules: [{level: Metadata}]\n";

/// Every write of a Deployment with its answer, by whose resourceVersion it is found in etcd's history.
const WRITES: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\n\
                      omitStages: [RequestReceived, ResponseStarted]\nomitManagedFields: true\nrules:\n\
                      - level: RequestResponse\n\x20 verbs: [create, update, patch, delete]\n\x20 resources:\n\
                      \x20 - {group: apps, resources: [deployments, deployments/scale]}\n\
                      - level: None\n";

/// Ports, users and files of a control plane that is about to start. A cluster with a real node ([`crate::node`]) starts
/// from these too, and adds to them.
pub(crate) struct Commands<'a> {
    pub(crate) identities: Identities,
    options: &'a ControlPlaneOptions,
    tools: &'a Tools,
    ca_pem: String,
    etcd_port: u16,
    api_port: u16,
}

pub(crate) type Command = (Spec, Endpoint);

impl<'a> Commands<'a> {
    pub(crate) fn prepare(options: &'a ControlPlaneOptions, tools: &'a Tools) -> anyhow::Result<Self> {
        let (identities, ca_pem) = Identities::create(&options.folder)?;
        let (etcd_port, api_port) = (free_port()?, free_port()?);
        let this = Self { identities, options, tools, ca_pem, etcd_port, api_port };
        this.identities.write_kubeconfigs(&options.folder, &this.server())?;
        let policy = if options.audit == Audit::Writes { WRITES } else { REQUESTS };
        std::fs::write(this.file("audit-policy.yaml"), policy)?;
        Ok(this)
    }

    pub(crate) fn server(&self) -> Server {
        let url = format!("https://127.0.0.1:{}", self.api_port);
        Server { url, ca_pem: Some(self.ca_pem.clone()) }
    }

    pub(crate) fn etcd(&self) -> Command {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let args = vec![
            format!("--data-dir={}", self.path("etcd-data")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            // Nobody joins a cluster of one; port 0 takes any.
            "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
            // What a test writes need not survive a power failure.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        (self.spec("etcd", args), Endpoint::http(self.etcd_port, "/health"))
    }

    pub(crate) fn apiserver(&self) -> Command {
        let mut args = vec![
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            format!("--secure-port={}", self.api_port),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--tls-cert-file={}", self.path("tls.crt")),
            format!("--tls-private-key-file={}", self.path("tls.key")),
            "--authorization-mode=RBAC".to_owned(),
            format!("--token-auth-file={}", self.path("users.csv")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", self.path("sa.pub")),
            format!("--service-account-signing-key-file={}", self.path("sa.key")),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--allow-privileged=true".to_owned(),
            "--v=1".to_owned(),
        ];
        if self.options.audit != Audit::Nothing {
            args.push(format!("--audit-policy-file={}", self.path("audit-policy.yaml")));
            args.push(format!("--audit-log-path={}", self.path(super::AUDIT_LOG)));
            // One file, however much it is.
            args.push("--audit-log-maxsize=0".to_owned());
        }
        if self.options.audit == Audit::Writes {
            args.push("--storage-media-type=application/json".to_owned());
        }
        (self.spec("kube-apiserver", args), Endpoint::https(self.api_port, &self.ca_pem, "/readyz"))
    }

    pub(crate) fn controllers(&self) -> anyhow::Result<Command> {
        let mut args = self.component("controllers");
        args.extend([
            format!("--controllers={}", CONTROLLERS.join(",")),
            format!("--service-account-private-key-file={}", self.path("sa.key")),
            format!("--root-ca-file={}", self.path("ca.crt")),
            // Each controller under its own ServiceAccount, as kubeadm sets it up.
            "--use-service-account-credentials=true".to_owned(),
        ]);
        if !self.options.default_limits {
            args.extend(["--kube-api-qps=200".to_owned(), "--kube-api-burst=400".to_owned()]);
        }
        self.secure("kube-controller-manager", args)
    }

    pub(crate) fn scheduler(&self) -> anyhow::Result<Command> {
        let mut args = self.component("scheduler");
        args.extend(["--kube-api-qps=200".to_owned(), "--kube-api-burst=400".to_owned()]);
        self.secure("kube-scheduler", args)
    }

    pub(crate) fn kwok(&self) -> anyhow::Result<Command> {
        let port = free_port()?;
        let mut args = vec![
            format!("--kubeconfig={}", self.path("kwok.kubeconfig")),
            "--manage-all-nodes=false".to_owned(),
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake".to_owned(),
            "--node-lease-duration-seconds=15".to_owned(),
            format!("--server-address=127.0.0.1:{port}"),
        ];
        args.extend(self.tools.kwok_stages()?.iter().map(|stage| format!("--config={}", stage.display())));
        Ok((self.spec("kwok", args), Endpoint::http(port, "/healthz")))
    }

    /// What the controllers and the scheduler have in common.
    fn component(&self, kubeconfig: &str) -> Vec<String> {
        let kubeconfig = self.path(&format!("{kubeconfig}.kubeconfig"));
        vec![
            format!("--kubeconfig={kubeconfig}"),
            format!("--authentication-kubeconfig={kubeconfig}"),
            format!("--authorization-kubeconfig={kubeconfig}"),
            "--authentication-skip-lookup=true".to_owned(),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--tls-cert-file={}", self.path("tls.crt")),
            format!("--tls-private-key-file={}", self.path("tls.key")),
        ]
    }

    fn secure(&self, name: &str, mut args: Vec<String>) -> anyhow::Result<Command> {
        let port = free_port()?;
        args.push(format!("--secure-port={port}"));
        Ok((self.spec(name, args), Endpoint::https(port, &self.ca_pem, "/healthz")))
    }

    fn spec(&self, name: &str, args: Vec<String>) -> Spec {
        let log = self.file(&format!("{name}.log"));
        Spec { name: name.to_owned(), program: self.tools.path(name), args, env: vec![], log }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.options.folder.join(name)
    }

    fn path(&self, name: &str) -> String {
        self.file(name).display().to_string()
    }
}
