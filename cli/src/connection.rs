//! The connection to the Kubernetes API as kubectl would make it: kubeconfig, context and namespace, or the
//! ServiceAccount of a pod.

use std::time::Duration;

use kube::{
    Client, Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig, KubeconfigError},
};
use tower::util::MapResponseLayer;

use crate::{args::Access, failure::Failure, warnings::Warnings};

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
    /// What the API server warned of.
    pub warnings: Warnings,
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
    let builder =
        ClientBuilder::try_from(config).map_err(|error| Failure::Api(format!("{server}: {error}")))?;
    let warnings = Warnings::default();
    let kept = warnings.clone();
    let keep = MapResponseLayer::new(move |answer| {
        kept.keep(&answer);
        answer
    });
    Ok(Connection { client: builder.with_layer(&keep).build(), server, namespace, warnings })
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
