//! The objects as they were read: what they say, and how they are changed.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{ResourceExt as _, api::DynamicObject};
use serde_json::{Value, json};

use super::ROTATE;
use crate::{
    secrets::{bytes, empty},
    tls::Leaf,
};

/// Key of the document in the Secret of the authorities.
const DOCUMENT: &str = "authorities.json";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const TLS_TYPE: &str = "kubernetes.io/tls";

/// A Secret as it was read; `None` where there is none.
pub(super) struct Stored(pub(super) Option<Secret>);

/// One webhook configuration as it was read.
#[derive(Clone, Debug)]
pub(super) struct Configuration {
    /// Which of the two it is.
    pub(super) place: usize,
    pub(super) object: DynamicObject,
}

impl Stored {
    /// The document, where there is one.
    pub(super) fn document(&self) -> Option<&[u8]> {
        self.bytes(DOCUMENT)
    }

    /// Certificate and key of the leaf; empty texts for what is missing.
    pub(super) fn pair(&self) -> Option<(String, String)> {
        let text = |key| String::from_utf8_lossy(self.bytes(key).unwrap_or_default()).into_owned();
        self.0.is_some().then(|| (text(CERTIFICATE), text(KEY)))
    }

    /// Whether somebody asks for a new authority.
    pub(super) fn asks(&self) -> bool {
        self.0.as_ref().is_some_and(|secret| secret.annotations().contains_key(ROTATE))
    }

    /// The same with another document, and without the question that it answers.
    pub(super) fn with_document(self, document: Vec<u8>, is_answer: bool) -> Secret {
        let mut secret = self.0.unwrap_or_else(|| empty("Opaque"));
        if is_answer {
            secret.annotations_mut().remove(ROTATE);
        }
        secret.data = Some([(DOCUMENT.to_owned(), ByteString(document))].into());
        secret
    }

    /// The same with another leaf; what else it holds stays.
    pub(super) fn with_leaf(self, leaf: &Leaf) -> Secret {
        let mut secret = self.0.unwrap_or_else(|| empty(TLS_TYPE));
        let data = secret.data.get_or_insert_default();
        data.insert(CERTIFICATE.to_owned(), ByteString(leaf.cert_pem.clone().into_bytes()));
        data.insert(KEY.to_owned(), ByteString(leaf.key_pem.clone().into_bytes()));
        secret
    }

    fn bytes(&self, key: &str) -> Option<&[u8]> {
        bytes(self.0.as_ref()?, key)
    }
}

impl Configuration {
    /// The bundle of each webhook; empty where it has none, or one that is no base64.
    pub(super) fn bundles(&self) -> impl Iterator<Item = Vec<u8>> {
        self.webhooks().iter().map(|webhook| {
            let bundle = webhook["clientConfig"]["caBundle"].as_str().unwrap_or_default();
            BASE64_STANDARD.decode(bundle).unwrap_or_default()
        })
    }

    fn webhooks(&self) -> &[Value] {
        self.object.data["webhooks"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The patch that gives each webhook this bundle, if nothing has changed meanwhile.
    pub(super) fn patch(&self, bundle: &str) -> Value {
        let version = json!({"op": "test", "path": "/metadata/resourceVersion", "value": self.object.resource_version()});
        let bundle = BASE64_STANDARD.encode(bundle);
        let bundles = (0..self.webhooks().len()).map(
            |number| json!({"op": "add", "path": format!("/webhooks/{number}/clientConfig/caBundle"), "value": bundle}),
        );
        std::iter::once(version).chain(bundles).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(webhooks: &Value) -> Configuration {
        let object = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "x", "resourceVersion": "7"}, "webhooks": webhooks,
        });
        Configuration { place: 0, object: serde_json::from_value(object).unwrap() }
    }

    #[test]
    fn a_bundle_is_written_to_each_webhook_of_the_version_that_was_read() {
        let two = configuration(&json!([
            {"name": "a", "clientConfig": {"caBundle": "b2xk"}}, {"name": "b", "clientConfig": {"url": "https://x"}},
        ]));
        assert_eq!(two.bundles().collect::<Vec<_>>(), [b"old".to_vec(), vec![]]);
        assert_eq!(
            two.patch("new"),
            json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "bmV3"},
                {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "bmV3"},
            ])
        );
        assert_eq!(configuration(&Value::Null).bundles().count(), 0);
    }

    #[test]
    fn a_question_is_taken_away_by_its_answer_alone_and_what_else_a_secret_holds_stays() {
        let asked = || {
            let mut secret = Stored(None).with_document(b"{}".to_vec(), false);
            secret.annotations_mut().insert(ROTATE.into(), "now".into());
            Stored(Some(secret))
        };
        assert!(asked().asks() && Stored(Some(asked().with_document(vec![], false))).asks());
        assert!(!Stored(Some(asked().with_document(vec![], true))).asks());
        let leaf = Leaf { cert_pem: "one".into(), key_pem: "two".into() };
        let mut secret = Stored(None).with_leaf(&leaf);
        assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/tls"));
        secret.data.get_or_insert_default().insert("ca.crt".into(), ByteString(vec![]));
        let secret = Stored(Some(secret)).with_leaf(&leaf);
        assert_eq!(secret.data.as_ref().unwrap().len(), 3);
        assert_eq!(Stored(Some(secret)).pair(), Some(("one".into(), "two".into())));
        assert_eq!(Stored(None).pair(), None);
    }
}
