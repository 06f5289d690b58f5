//! The Secrets that Roadstead keeps itself: how they are labelled, read, written and watched. A write that is based on
//! something older than what is there is refused by the API server, so any number of processes may keep them.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, ResourceExt as _,
    api::PostParams,
    core::{ObjectMeta, PartialObjectMeta},
    runtime::{WatchStreamExt as _, watcher},
};

/// Who wrote a field, in `managedFields`, and whose the Secrets are.
pub(crate) const MANAGER: &str = "roadstead-certs";

/// Longest wait for an answer.
const REQUEST: Duration = Duration::from_secs(5);

/// The labels of our Secrets, by which whoever removes a release finds them.
pub(crate) fn labels(instance: &str) -> BTreeMap<String, String> {
    let labels = [("name", "roadstead"), ("managed-by", MANAGER), ("instance", instance)];
    labels.map(|(key, value)| (format!("app.kubernetes.io/{key}"), value.to_owned())).into()
}

/// A Secret of this type that is to be made.
pub(crate) fn empty(kind: &str) -> Secret {
    Secret { metadata: ObjectMeta::default(), type_: Some(kind.to_owned()), ..Secret::default() }
}

/// What a key of a Secret holds.
pub(crate) fn bytes<'a>(secret: &'a Secret, key: &str) -> Option<&'a [u8]> {
    Some(&secret.data.as_ref()?.get(key)?.0)
}

/// The data of a Secret.
pub(crate) fn data(texts: BTreeMap<String, String>) -> BTreeMap<String, ByteString> {
    texts.into_iter().map(|(key, text)| (key, ByteString(text.into_bytes()))).collect()
}

/// Why the API server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiFailure {
    /// It refused, or could not be reached.
    #[error("the API server did not {0}")]
    Api(String, #[source] kube::Error),
    /// It was silent.
    #[error("the API server did not {0} in time")]
    NoAnswer(String),
}

impl ApiFailure {
    /// Whether somebody else was faster: what there is to do is to be asked again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        // 422: a test in the patch failed.
        matches!(self, Self::Api(_, kube::Error::Api(status)) if matches!(status.code, 409 | 422))
    }
}

/// The answer, or why there is none.
pub(crate) async fn within<T>(
    what: String,
    answer: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiFailure> {
    match tokio::time::timeout(REQUEST, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(ApiFailure::Api(what, error)),
        Err(_) => Err(ApiFailure::NoAnswer(what)),
    }
}

/// The Secrets of one installation in its namespace.
#[derive(Clone)]
pub(crate) struct Secrets {
    client: Client,
    namespace: String,
    instance: String,
}

impl Secrets {
    pub(crate) fn new(client: Client, namespace: &str, instance: &str) -> Self {
        Self { client, namespace: namespace.to_owned(), instance: instance.to_owned() }
    }

    fn api(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn read(&self, name: &str) -> Result<Option<Secret>, ApiFailure> {
        within(format!("read the Secret {name}"), self.api().get_opt(name)).await
    }

    /// Makes it, or replaces it if it is still as it was read.
    pub(crate) async fn write(&self, name: &str, mut secret: Secret) -> Result<(), ApiFailure> {
        secret.metadata.name = Some(name.to_owned());
        secret.labels_mut().extend(labels(&self.instance));
        let what = format!("write the Secret {name}");
        let parameters = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        // With the resourceVersion that was read: of two writers one is refused.
        match secret.resource_version() {
            Some(_) => within(what, self.api().replace(name, &parameters, &secret)).await?,
            None => within(what, self.api().create(&parameters, &secret)).await?,
        };
        Ok(())
    }

    /// Whether it says whose it is.
    pub(crate) fn is_labelled(&self, secret: &Secret) -> bool {
        labels(&self.instance).iter().all(|(key, value)| secret.labels().get(key) == Some(value))
    }

    /// Something whenever the Secret of this name may have changed.
    pub(crate) fn changes(&self, name: &str) -> stream::BoxStream<'static, ()> {
        touched(Api::<PartialObjectMeta<Secret>>::namespaced(self.client.clone(), &self.namespace), name)
    }
}

/// Something whenever the object of this name may have changed. Only its metadata is sent.
pub(crate) fn touched<K>(api: Api<K>, name: &str) -> stream::BoxStream<'static, ()>
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
{
    let named = watcher::Config::default().fields(&format!("metadata.name={name}"));
    watcher(api, named)
        .default_backoff()
        .map(|event| {
            if let Err(error) = event {
                tracing::warn!(error = ops::chain(&error), "a watch was interrupted");
            }
        })
        .boxed()
}
