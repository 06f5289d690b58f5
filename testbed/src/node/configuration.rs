//! The configuration files of a node's own parts.

use std::fs;

use serde_json::{Value, json};

use super::commands::{NODE_NAME, Node, containerd_socket, text};
use super::plan::data;
use crate::control_plane::identities::NODE;

/// Where pods get their addresses from.
const PODS: &str = "10.2.0.0/24";
/// Address of the Service of `CoreDNS`; it stands in dns.yaml, too.
const DNS: &str = "10.0.0.10";
/// The image that holds a pod's namespaces.
const PAUSE: &str = "registry.test/pause:testbed";
/// A socket's path is no longer than this.
const SOCKET_MAX: usize = 107;

impl Node<'_> {
    /// Writes them into the folder.
    ///
    /// # Errors
    /// When a file cannot be written, or the folder's name is too long.
    pub(super) fn write_configuration(&self) -> anyhow::Result<()> {
        let socket = containerd_socket(self.folder);
        anyhow::ensure!(
            socket.len() <= SOCKET_MAX,
            "{socket} is too long for a socket; choose a shorter folder"
        );
        fs::create_dir_all(self.folder.join("cni"))?;
        fs::create_dir_all(data(self.folder))?;
        fs::write(self.folder.join("resolv.conf"), "")?;
        fs::write(self.folder.join("containerd.toml"), self.containerd_toml(&socket))?;
        self.write("cni/pods.conflist", &pod_network())?;
        self.write("kubelet.json", &self.kubelet_configuration(&socket))?;
        self.write("kube-proxy.json", &self.proxy_configuration())
    }

    /// `restrict_oom_score_adj`: a container may lack the right to lower the score. No NRI: it listens in a place that
    /// cannot be chosen.
    fn containerd_toml(&self, socket: &str) -> String {
        let (root, cni, conf, runc) = (
            self.data("containerd"),
            text(&self.tools.path("cni")),
            self.path("cni"),
            text(&self.tools.path("runc")),
        );
        format!(
            "version = 3\n\
             root = {root:?}\n\
             state = \"/run/containerd\"\n\
             disabled_plugins = [\"io.containerd.nri.v1.nri\"]\n\
             [grpc]\n\
             address = {socket:?}\n\
             [plugins.'io.containerd.cri.v1.images']\n\
             snapshotter = \"overlayfs\"\n\
             [plugins.'io.containerd.cri.v1.images'.pinned_images]\n\
             sandbox = \"{PAUSE}\"\n\
             [plugins.'io.containerd.cri.v1.runtime']\n\
             restrict_oom_score_adj = true\n\
             [plugins.'io.containerd.cri.v1.runtime'.cni]\n\
             bin_dirs = [{cni:?}]\n\
             conf_dir = {conf:?}\n\
             [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\n\
             runtime_type = \"io.containerd.runc.v2\"\n\
             [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]\n\
             BinaryName = {runc:?}\n\
             SystemdCgroup = false\n"
        )
    }

    /// `KubeletInUserNamespace`: settings of the whole machine that it may not change are no error. Nothing is evicted
    /// and no image removed because the machine's disk is full of something else.
    fn kubelet_configuration(&self, socket: &str) -> Value {
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": false,
            "failSwapOn": false,
            "cgroupDriver": "cgroupfs",
            "containerRuntimeEndpoint": format!("unix://{socket}"),
            "address": NODE,
            "readOnlyPort": 0,
            "authentication": {
                "anonymous": { "enabled": false },
                "webhook": { "enabled": true },
                "x509": { "clientCAFile": self.path("ca.crt") },
            },
            "authorization": { "mode": "Webhook" },
            "clusterDNS": [DNS],
            "clusterDomain": "cluster.local",
            "resolvConf": self.path("resolv.conf"),
            "podLogsDir": self.path("pods"),
            "volumePluginDir": self.data("volume-plugins"),
            "featureGates": { "KubeletInUserNamespace": true },
            "evictionHard": { "memory.available": "100Mi", "nodefs.available": "0%", "imagefs.available": "0%" },
            "imageGCHighThresholdPercent": 100,
        })
    }

    /// conntrack: 0 leaves the machine's settings as they are.
    fn proxy_configuration(&self) -> Value {
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "bindAddress": "127.0.0.1",
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "hostnameOverride": NODE_NAME,
            "clusterCIDR": PODS,
            "clientConnection": { "kubeconfig": self.path("kube-proxy.kubeconfig") },
            "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
        })
    }
}

/// A bridge for the pods; a pod reaches itself through its Service, too.
fn pod_network() -> Value {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": true,
                "hairpinMode": true,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-addresses",
                    "ranges": [[{ "subnet": PODS }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}
