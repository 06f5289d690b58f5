//! Another mutating webhook, called after ours: it adds an annotation to every pod template of the test.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use axum::{Json, Router, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use certs::tls::{Files, LeafRequest, Usage};
use ops::readiness::Readiness;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use testbed::Stack;
use tokio_util::sync::{CancellationToken, DropGuard};
use webhook::{
    metrics::Metrics,
    server::{Certificates, Listener},
};

/// The webhook; gone when dropped, its configuration with the test's namespaces.
pub(crate) struct LaterWebhook {
    name: String,
    _serving: DropGuard,
}

/// Serves it and tells the API server of it. Its name sorts after ours.
pub(crate) async fn annotating(t: &Stack, key: &'static str) -> Result<LaterWebhook> {
    let files = Files::new(t.folder.join("later-webhook"));
    let leaf = LeafRequest {
        common_name: "later".into(),
        organizations: Vec::new(),
        dns_names: Vec::new(),
        ips: vec![std::net::Ipv4Addr::LOCALHOST.into()],
        usage: Usage::Server,
        life: Duration::from_hours(1),
    };
    files.ensure("later", Duration::from_hours(1), &leaf)?;
    let metrics = Metrics::register(&mut Registry::default());
    let certificates =
        Certificates::load(&files.cert(), &files.key(), metrics.clone(), &Readiness::default());
    let tls = certificates.server_config()?;
    let listener = Listener::bind("127.0.0.1:0".parse()?, metrics).await?;
    let address = listener.address()?;
    let stop = CancellationToken::new();
    let router =
        Router::new().route("/", post(async move |Json(review): Json<Value>| Json(answer(&review, key))));
    tokio::spawn(listener.serve(Arc::clone(&tls), router, stop.clone()));

    let name = format!("zzz-later-{}", t.namespace);
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [{
            "name": "later.example.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
            "clientConfig": {"url": format!("https://{address}/"), "caBundle": STANDARD.encode(std::fs::read(files.ca_cert())?)},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": t.namespace}},
            "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}],
        }],
    });
    t.admin_kubectl_with(&["apply", "-f", "-"], &configuration.to_string()).await?.ok()?;
    Ok(LaterWebhook { name, _serving: stop.drop_guard() })
}

impl LaterWebhook {
    /// Takes its configuration away, so that it is not missed when it is gone.
    pub(crate) async fn remove(self, t: &Stack) -> Result<()> {
        t.admin_kubectl(&["delete", "mutatingwebhookconfiguration", &self.name]).await?.ok()?;
        Ok(())
    }
}

fn answer(review: &Value, key: &str) -> Value {
    let request = &review["request"];
    let mut response = json!({"uid": request["uid"], "allowed": true});
    if request["object"]["spec"]["template"]["metadata"]["annotations"][key].is_null() {
        let patch =
            json!([{"op": "add", "path": "/spec/template/metadata/annotations", "value": {key: "yes"}}]);
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(STANDARD.encode(patch.to_string()));
    }
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
}
