//! A port-forward to a server in the cluster: a port of this machine, for as long as this program runs. Each connection
//! goes to a pod that is ready then, so one that was lost finds another.

use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, ResourceExt, api::ListParams};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{trouble::within, uninstall::Release};

/// Pods of one part of a release, as the other end.
#[derive(Clone)]
pub struct Pods {
    api: Api<Pod>,
    namespace: String,
    labels: String,
    part: &'static str,
}

impl Pods {
    /// The pods of a part.
    #[must_use]
    pub fn of(client: Client, release: &Release, part: &'static str) -> Self {
        let api = Api::namespaced(client, &release.namespace);
        let labels = format!("{},app.kubernetes.io/component={part}", release.selector());
        Self { api, namespace: release.namespace.clone(), labels, part }
    }

    /// A connection to one that is ready.
    ///
    /// # Errors
    /// When there is none, or the user may not; what to do about it is said.
    pub async fn connect(&self, port: u16) -> Result<impl AsyncRead + AsyncWrite + Unpin + use<>, String> {
        let Self { namespace, part, .. } = self;
        let pods = within(self.api.list(&ListParams::default().labels(&self.labels))).await;
        let pods = pods.map_err(|trouble| format!("list pods in namespace {namespace}: {trouble}"))?;
        let ready = pods.items.iter().find(|pod| is_ready(pod)).map(ResourceExt::name_any);
        let name = ready.ok_or_else(|| {
            format!(
                "no pod of {part} is ready in namespace {namespace}; see: kubectl -n {namespace} get pods"
            )
        })?;
        let forwarded = within(self.api.portforward(&name, &[port])).await;
        let mut forwarded = forwarded.map_err(|trouble| {
            format!("port-forward to pod {name} in namespace {namespace} (needs create on pods/portforward): {trouble}")
        })?;
        forwarded.take_stream(port).ok_or_else(|| format!("port-forward to pod {name}: it has no such port"))
    }
}

/// Whether traffic is sent to it.
fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// An open port of this machine.
pub struct Tunnel {
    /// The port, on the loopback address.
    pub port: u16,
    why: Arc<Mutex<Option<String>>>,
}

impl Tunnel {
    /// Opens a port that leads to `port` of the pods. One connection is tried at once, so that a refusal is told.
    ///
    /// # Errors
    /// As [`Pods::connect`], and when this machine has no port to give.
    pub async fn open(pods: Pods, port: u16) -> Result<Self, String> {
        drop(pods.connect(port).await?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(|error| format!("cannot open a local port: {error}"))?;
        let local = listener.local_addr().map_err(|error| format!("cannot open a local port: {error}"))?;
        let why = Arc::new(Mutex::new(None));
        let tunnel = Self { port: local.port(), why: why.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forward(stream, pods.clone(), port, why.clone()));
            }
        });
        Ok(tunnel)
    }

    /// Why the last connection went nowhere.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn forward(mut near: TcpStream, pods: Pods, port: u16, why: Arc<Mutex<Option<String>>>) {
    let said = match pods.connect(port).await {
        // How a connection ends is for its owner to notice.
        Ok(mut far) => copy_bidirectional(&mut near, &mut far).await.err().map(|error| error.to_string()),
        Err(error) => Some(error),
    };
    *why.lock().unwrap_or_else(PoisonError::into_inner) = said;
}

#[cfg(test)]
mod tests;
