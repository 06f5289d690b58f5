//! Reading one Deployment from the API server as the text that it sends: typed reading would lose fields of a
//! newer API server, and with them the digest.

use kube::{Client, api::GetParams, core::Request};

/// The Deployment's JSON, as it is stored now (a quorum read).
pub async fn get(client: &Client, namespace: &str, name: &str) -> Result<String, kube::Error> {
    let request = Request::new(format!("/apis/apps/v1/namespaces/{namespace}/deployments"));
    let request = request.get(name, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
    client.request_text(request).await
}
