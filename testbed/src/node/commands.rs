//! The command line of each part of a node. The control plane's are those of [`crate::control_plane`],
//! with what a real node needs added: of an option said twice the last one counts.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use certs::tls::{Files, LeafRequest, Usage};
use serde_json::Value;

use super::plan::{Plan, data};
use crate::control_plane::ControlPlaneOptions;
use crate::control_plane::commands::Commands;
use crate::control_plane::identities::{LIFE, NODE, add};
use crate::endpoint::Endpoint;
use crate::kubeconfig::write_private;
use crate::process::Spec;
use crate::tools::Tools;
use crate::unique::short_name;

/// Name of the node, and its host name.
pub(super) const NODE_NAME: &str = "node";
/// Where the programs that the parts call are.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Writes keys and configuration into the folder, and plans the node.
///
/// # Errors
/// When a file cannot be written, or the folder's name is too long.
pub(super) fn prepare(folder: &Path, tools: &Tools) -> anyhow::Result<Plan> {
    let options = ControlPlaneOptions::new(folder);
    let control = Commands::prepare(&options, tools)?;
    let node = format!("system:node:{NODE_NAME}");
    add(folder, &control.server(), "kubelet", &node, "system:nodes")?;
    add(folder, &control.server(), "kube-proxy", "system:kube-proxy", "")?;
    client_of_kubelets(folder)?;
    let (mut apiserver, api) = control.apiserver();
    apiserver.args.extend(apiserver_args(folder));
    let (mut controllers, _) = control.controllers()?;
    controllers.args.extend(controllers_args(folder));
    let node = Node { folder, tools };
    node.write_configuration()?;
    let mut first = vec![control.etcd().0, apiserver, node.containerd()];
    let mut then = vec![controllers, control.scheduler()?.0, node.kubelet(), node.kube_proxy()];
    let path = format!("{}:{SYSTEM_PATH}", tools.folder().display());
    for spec in first.iter_mut().chain(&mut then) {
        spec.env = vec![("PATH".to_owned(), path.clone()), ("HOME".to_owned(), text(&folder.join("home")))];
    }
    Ok(Plan { id: short_name()?, api_port: port(&api)?, api, first, then })
}

/// Where containerd listens. Not in `/run`, which is the node's own: clients are outside.
pub(super) fn containerd_socket(folder: &Path) -> String {
    text(&folder.join("containerd.sock"))
}

fn port(api: &Endpoint) -> anyhow::Result<u16> {
    api.url.rsplit(':').next().and_then(|port| port.parse().ok()).context("an API server has a port")
}

/// The certificate by which kubelets know the API server.
fn client_of_kubelets(folder: &Path) -> anyhow::Result<()> {
    let request = LeafRequest {
        common_name: "kube-apiserver-kubelet-client".to_owned(),
        organizations: vec!["system:masters".to_owned()],
        dns_names: vec![],
        ips: vec![],
        usage: Usage::Client,
        life: LIFE,
    };
    let leaf = Files::new(folder).authority()?.issue(&request)?;
    fs::write(folder.join("kubelet-client.crt"), &leaf.cert_pem)?;
    write_private(&folder.join("kubelet-client.key"), &leaf.key_pem)
}

fn apiserver_args(folder: &Path) -> Vec<String> {
    vec![
        "--bind-address=0.0.0.0".to_owned(),
        format!("--advertise-address={NODE}"),
        "--endpoint-reconciler-type=lease".to_owned(),
        // Added to RBAC: this one is a list.
        "--authorization-mode=Node".to_owned(),
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        format!("--client-ca-file={}", text(&folder.join("ca.crt"))),
        format!("--kubelet-client-certificate={}", text(&folder.join("kubelet-client.crt"))),
        format!("--kubelet-client-key={}", text(&folder.join("kubelet-client.key"))),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
    ]
}

fn controllers_args(folder: &Path) -> Vec<String> {
    vec![
        // Added to the list: all that are on by default.
        "--controllers=*".to_owned(),
        format!("--cluster-signing-cert-file={}", text(&folder.join("ca.crt"))),
        format!("--cluster-signing-key-file={}", text(&folder.join("ca.key"))),
    ]
}

/// The parts of the node itself.
pub(super) struct Node<'a> {
    pub(super) folder: &'a Path,
    pub(super) tools: &'a Tools,
}

impl Node<'_> {
    fn containerd(&self) -> Spec {
        self.spec("containerd", vec![format!("--config={}", self.path("containerd.toml"))])
    }

    fn kubelet(&self) -> Spec {
        let args = vec![
            format!("--config={}", self.path("kubelet.json")),
            format!("--kubeconfig={}", self.path("kubelet.kubeconfig")),
            format!("--root-dir={}", self.data("kubelet")),
            format!("--cert-dir={}", self.data("kubelet-pki")),
            format!("--node-ip={NODE}"),
            format!("--hostname-override={NODE_NAME}"),
        ];
        self.spec("kubelet", args)
    }

    fn kube_proxy(&self) -> Spec {
        self.spec("kube-proxy", vec![format!("--config={}", self.path("kube-proxy.json"))])
    }

    pub(super) fn write(&self, name: &str, value: &Value) -> anyhow::Result<()> {
        Ok(fs::write(self.folder.join(name), serde_json::to_vec_pretty(value)?)?)
    }

    fn spec(&self, name: &str, args: Vec<String>) -> Spec {
        let log = self.folder.join(format!("{name}.log"));
        Spec { name: name.to_owned(), program: self.tools.path(name), args, env: vec![], log }
    }

    pub(super) fn path(&self, name: &str) -> String {
        text(&self.folder.join(name))
    }

    pub(super) fn data(&self, name: &str) -> String {
        text(&data(self.folder).join(name))
    }
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}
