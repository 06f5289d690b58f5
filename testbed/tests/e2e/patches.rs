//! What the webhook writes fits every object that the API server takes, and one that it does not take is refused in
//! words that its user understands.

use anyhow::{Context as _, Result, ensure};
use hyper::Request;
use kube::Client;
use serde_json::{Value, json};
use testbed::{DeploymentView as _, Stack, deployment};

use crate::V1;

/// Creates Deployments as they are, with members that a typed client would leave out.
struct Raw {
    client: Client,
    path: String,
}

impl Raw {
    async fn new(t: &Stack) -> Result<Self> {
        let path = format!("/apis/apps/v1/namespaces/{}/deployments", t.namespace);
        Ok(Self { client: t.developer_client().await?, path })
    }

    /// What the API server would make of it.
    async fn dry(&self, object: &Value) -> Result<Value, kube::Error> {
        self.post(&format!("{}?dryRun=All", self.path), object).await
    }

    async fn create(&self, object: &Value) -> Result<Value, kube::Error> {
        self.post(&self.path, object).await
    }

    async fn post(&self, path: &str, object: &Value) -> Result<Value, kube::Error> {
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(object.to_string().into_bytes()).map_err(kube::Error::HttpError)?;
        self.client.request(request).await
    }

    /// The status with which it is refused.
    async fn refused(&self, object: &Value) -> Result<kube::core::Status> {
        match self.dry(object).await {
            Err(kube::Error::Api(status)) => Ok(*status),
            other => anyhow::bail!("not refused: {other:?}"),
        }
    }
}

/// The fixture with these members of its metadata; a member that is none is absent.
fn with(annotations: Option<Value>, labels: Option<Value>) -> Value {
    let mut object = deployment("web").image(V1).json();
    for (member, value) in [("annotations", annotations), ("labels", labels)] {
        match value {
            Some(value) => object["metadata"][member] = value,
            None => drop(object["metadata"].as_object_mut().and_then(|metadata| metadata.remove(member))),
        }
    }
    object
}

#[tokio::test]
async fn annotations_and_labels_of_any_form_take_ours_beside_theirs() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            let raw = Raw::new(t).await?;
            let forms =
                [None, Some(Value::Null), Some(json!({})), Some(json!({ "example.test/a": "b/c~d~0~1" }))];
            for annotations in &forms {
                for labels in
                    [None, Some(Value::Null), Some(json!({})), Some(json!({ "example.test/a": "b" }))]
                {
                    let sent = with(annotations.clone(), labels.clone());
                    let made = raw.dry(&sent).await.with_context(|| sent["metadata"].to_string())?;
                    let metadata = &made["metadata"];
                    ensure!(metadata["annotations"]["roadstead.dev/gate"] == "closed", "{metadata}");
                    ensure!(metadata["labels"]["roadstead.dev/phase"] == "held", "{metadata}");
                    for (member, theirs) in [("annotations", annotations.clone()), ("labels", labels)] {
                        let mut left = metadata[member].clone();
                        let left = left.as_object_mut().context("a map")?;
                        left.retain(|key, _| !key.starts_with("roadstead.dev/"));
                        let theirs =
                            theirs.and_then(|theirs| theirs.as_object().cloned()).unwrap_or_default();
                        ensure!(*left == theirs, "{left:?} is left of {theirs:?}");
                    }
                }
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_key_that_kubernetes_does_not_take_is_refused_in_its_words() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            let raw = Raw::new(t).await?;
            for key in ["a/b~c", "a~1b", "a/b/c", "roadstead.dev/gate~1x", ""] {
                let status = raw.refused(&with(Some(json!({ key: "x" })), None)).await?;
                ensure!(
                    status.code == 422 && status.message.contains("metadata.annotations"),
                    "{key}: {status:?}"
                );
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn annotations_that_leave_no_room_for_ours_are_refused_with_what_to_do() -> Result<()> {
    Stack::options()
        .without_executor()
        .run(async |t| {
            let raw = Raw::new(t).await?;
            let of = |bytes: usize| with(Some(json!({ "note": "x".repeat(bytes - "note".len()) })), None);
            let made = raw.dry(&of(250 * 1024)).await?;
            ensure!(made["metadata"]["annotations"]["roadstead.dev/gate"] == "closed");
            let status = raw.refused(&of(256 * 1024)).await?;
            let told = status.message.contains("leave no room") && status.message.contains("shorten them by");
            ensure!(told, "{}", status.message);
            // Too large without us: nothing of ours is said about it.
            let status = raw.refused(&of(256 * 1024 + 1)).await?;
            ensure!(status.code == 422 && status.message.contains("Too long"), "{}", status.message);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_name_that_the_api_server_makes_is_held_and_released_like_any() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let raw = Raw::new(t).await?;
            let mut names = Vec::new();
            for _ in 0..2 {
                let mut object = with(None, None);
                let metadata = object["metadata"].as_object_mut().context("metadata")?;
                metadata.remove("name");
                metadata.insert("generateName".into(), json!("web-"));
                let made = raw.create(&object).await?;
                ensure!(made["metadata"]["annotations"]["roadstead.dev/gate"] == "closed", "{made}");
                names.push(made["metadata"]["name"].as_str().context("a name")?.to_owned());
            }
            for name in &names {
                let web = t.succeeded(name).await?;
                ensure!(web.good().is_some() && t.replica_sets(name).await?.len() == 1, "{}", web.summary());
            }
            Ok(())
        })
        .await
}
