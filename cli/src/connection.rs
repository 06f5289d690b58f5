//! The connection to the Kubernetes API as kubectl would make it: kubeconfig, context and namespace, or the
//! ServiceAccount of a pod.

use std::time::Duration;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use crate::{args::Access, failure::Failure};

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);

/// A client, and where it looks by default.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// Address of the API server, for messages.
    pub server: String,
    /// The namespace asked for, or that of the context.
    pub namespace: String,
}

/// Reads the configuration; nothing is sent yet.
///
/// # Errors
/// When there is no configuration, or it gives no client.
pub async fn open(access: &Access, namespace: Option<&str>) -> Result<Connection, Failure> {
    let mut config = configuration(access).await?;
    config.connect_timeout = Some(CONNECT);
    config.default_retry = false;
    let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
    let namespace = namespace.unwrap_or(&config.default_namespace).to_owned();
    let client = Client::try_from(config).map_err(|error| Failure::Api(format!("{server}: {error}")))?;
    Ok(Connection { client, server, namespace })
}

async fn configuration(access: &Access) -> Result<Config, KubeconfigError> {
    let options = KubeConfigOptions { context: access.context.clone(), ..KubeConfigOptions::default() };
    if let Some(file) = &access.kubeconfig {
        return Config::from_custom_kubeconfig(Kubeconfig::read_from(file)?, &options).await;
    }
    match Config::from_kubeconfig(&options).await {
        // In a pod there is no kubeconfig; elsewhere the first error is the one that helps.
        Err(error) if options.context.is_none() => Config::incluster().map_err(|_| error),
        read => read,
    }
}
