//! The connection to the Kubernetes API.

use std::time::Duration;

use axum::http::{HeaderValue, header::USER_AGENT};
use kube::{Client, Config, client::ClientBuilder, config::InferConfigError};
use tower::util::MapResponseLayer;

use crate::{BoxError, retry_after};

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a kubeconfig nor a ServiceAccount.
    #[error("no Kubernetes configuration: set KUBECONFIG, or run as a pod with a ServiceAccount")]
    Config(#[from] InferConfigError),
    /// A configuration that gives no client.
    #[error("the Kubernetes configuration is not usable")]
    Client(#[from] kube::Error),
}

/// A client from KUBECONFIG or the pod's ServiceAccount. It does not retry by itself: kube retries 429, 503 and
/// 504 behind the caller's back, and would outlive an ack wait or an admission timeout with it.
pub async fn client(user_agent: &'static str) -> Result<Client, ClientError> {
    let mut config = Config::infer().await?;
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    config.headers.push((USER_AGENT, HeaderValue::from_static(user_agent)));
    let builder = ClientBuilder::try_from(config)?;
    Ok(builder.with_layer(&MapResponseLayer::new(retry_after::told_in_the_body)).build())
}

/// Waits until the API server answers; tells why it does not, and goes on trying.
pub async fn wait_for_api(client: &Client) {
    let mut pause = Duration::from_millis(200);
    loop {
        let answer: Result<_, BoxError> =
            match tokio::time::timeout(CONNECT, client.apiserver_version()).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(elapsed) => Err(elapsed.into()),
            };
        let Err(error) = answer else { return };
        tracing::warn!(
            error = crate::chain(&*error),
            retry_in_ms = pause.as_millis(),
            "cannot reach the Kubernetes API server; check the address in the kubeconfig and that it runs"
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(CONNECT);
    }
}
