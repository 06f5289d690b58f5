//! Reading one Deployment from the API server as the text that it sends: typed reading would lose fields of a
//! newer API server, and with them the digest.

use std::time::Duration;

use kube::{Client, api::GetParams, core::Request};
use tokio::time::error::Elapsed;

/// Why a Deployment could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The API server answered with an error, or not at all.
    #[error("the API server did not send it")]
    Api(#[from] kube::Error),
    /// It took too long: a connection can fall silent without being closed.
    #[error("the API server did not answer in time")]
    Timeout(#[from] Elapsed),
}

/// The Deployment's JSON, as it is stored now (a quorum read), within a limit of time.
pub async fn get(client: &Client, namespace: &str, name: &str, limit: Duration) -> Result<String, ReadError> {
    let request = Request::new(format!("/apis/apps/v1/namespaces/{namespace}/deployments"));
    let request = request.get(name, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
    Ok(tokio::time::timeout(limit, client.request_text(request)).await??)
}
