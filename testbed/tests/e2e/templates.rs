//! When is a template another one? Not by the way it is written or sent, nor by defaults that are spelled out; and
//! always when anything in it differs.

use anyhow::{Result, ensure};
use http_body_util::BodyExt as _;
use hyper::Request;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Client,
    api::{Patch, PatchParams},
    client::Body,
};
use serde_json::{Value, json};
use testbed::{DeploymentView as _, Stack, deployment};

use crate::V1;

const JSON: &str = "application/json";
/// What kube-controller-manager and other clients written in Go speak.
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// JSON with the members of every object backwards.
fn backwards(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members =
                members.iter().rev().map(|(key, value)| format!("{}:{}", json!(key), backwards(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(backwards).collect::<Vec<_>>().join(",")),
        scalar => scalar.to_string(),
    }
}

/// The Deployment `web`, whole, in an encoding.
struct Wire {
    client: Client,
    path: String,
}

impl Wire {
    async fn new(t: &Stack) -> Result<Self> {
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/web", t.namespace);
        Ok(Self { client: t.developer_client().await?, path })
    }

    async fn get(&self, encoding: &str) -> Result<Vec<u8>> {
        let request = Request::get(&self.path).header("accept", encoding).body(Body::empty())?;
        let answer = self.client.send(request).await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        Ok(answer.into_body().collect().await?.to_bytes().to_vec())
    }

    async fn put(&self, encoding: &str, body: Vec<u8>) -> Result<()> {
        let request = Request::put(&self.path).header("content-type", encoding).header("accept", JSON);
        let answer = self.client.send(request.body(Body::from(body))?).await?;
        let status = answer.status();
        let said = answer.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&said));
        Ok(())
    }
}

/// The fixture with every default of its template spelled out, as the API server stored them.
async fn spelled_out(t: &Stack) -> Result<Value> {
    let stored = serde_json::to_value(t.deployment("web").await?)?;
    let mut object = deployment("web").image(V1).json();
    object["spec"]["template"] = stored["spec"]["template"].clone();
    let spec = &object["spec"]["template"]["spec"];
    ensure!(
        spec["dnsPolicy"] == "ClusterFirst" && spec["containers"][0]["imagePullPolicy"].is_string(),
        "{spec}"
    );
    Ok(object)
}

#[tokio::test]
async fn the_same_template_is_no_change_however_it_is_sent() -> Result<()> {
    Stack::options()
        .run(async |t| {
            let web = deployment("web").image(V1);
            t.apply(&web).await?.ok()?;
            let before = t.succeeded("web").await?;
            let wire = Wire::new(t).await?;
            let same = async |how: &str| {
                let after = t.deployment("web").await?;
                ensure!(
                    after.gate() != Some("closed") && after.change() == before.change(),
                    "{how} is a change"
                );
                anyhow::Ok(())
            };
            t.kubectl_with(&["apply", "-f", "-"], &web.json().to_string()).await?.ok()?;
            same("JSON").await?;
            t.kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &web.yaml())
                .await?
                .ok()?;
            same("YAML, applied by the server").await?;
            let stored: Value = serde_json::from_slice(&wire.get(JSON).await?)?;
            wire.put(JSON, backwards(&stored).into_bytes()).await?;
            same("JSON backwards").await?;
            wire.put(PROTOBUF, wire.get(PROTOBUF).await?).await?;
            same("protobuf").await?;
            let explicit = spelled_out(t).await?;
            t.kubectl_with(&["replace", "-f", "-"], &explicit.to_string()).await?.ok()?;
            same("every default spelled out").await?;
            t.kubectl_with(&["replace", "-f", "-"], &web.yaml()).await?.ok()?;
            same("no default spelled out").await?;
            ensure!(t.replica_sets("web").await?.len() == 1);
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_changed_template_is_held_in_protobuf_too() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image("registry.test/web:1")).await?.ok()?;
            let before = t.succeeded("web").await?;
            let wire = Wire::new(t).await?;
            let mut body = wire.get(PROTOBUF).await?;
            // A text of the same length needs no other byte to change.
            let (old, new) = (b"registry.test/web:1", b"registry.test/web:2");
            let places: Vec<_> =
                (0..body.len() - old.len()).filter(|at| body[*at..].starts_with(old)).collect();
            for at in places {
                body[at..at + new.len()].copy_from_slice(new);
            }
            wire.put(PROTOBUF, body).await?;
            let after = t.deployment("web").await?;
            ensure!(
                after.change() != before.change() && after.image() == "registry.test/web:2",
                "{}",
                after.summary()
            );
            ensure!(t.succeeded("web").await?.image() == "registry.test/web:2");
            Ok(())
        })
        .await
}

/// One change of a pod template each, as a strategic merge patch of it.
fn changes() -> Vec<Value> {
    let container = |member: &str, value: Value| {
        let mut container = json!({ "name": "app" });
        container[member] = value;
        json!({ "spec": { "containers": [container] } })
    };
    let spec = |member: &str, value: Value| {
        let mut spec = json!({ "spec": {} });
        spec["spec"][member] = value;
        spec
    };
    vec![
        json!({ "metadata": { "labels": { "new": "label" } } }),
        json!({ "metadata": { "annotations": { "a/b": "" } } }),
        container("image", json!(crate::V2)),
        container("imagePullPolicy", json!("Always")),
        container("command", json!(["sh"])),
        container("args", json!([""])),
        container("env", json!([{ "name": "A", "value": "" }])),
        container("ports", json!([{ "containerPort": 80 }])),
        container("resources", json!({ "requests": { "cpu": "1m" } })),
        container("readinessProbe", json!({ "tcpSocket": { "port": 80 } })),
        container("securityContext", json!({ "runAsUser": 0 })),
        container("workingDir", json!("/")),
        container("tty", json!(true)),
        spec("initContainers", json!([{ "name": "first", "image": V1 }])),
        spec("containers", json!([{ "name": "second", "image": V1 }])),
        spec("volumes", json!([{ "name": "v", "emptyDir": {} }])),
        spec("nodeSelector", json!({ "a": "" })),
        spec("tolerations", json!([{ "operator": "Exists" }])),
        spec("terminationGracePeriodSeconds", json!(1)),
        spec("serviceAccountName", json!("other")),
        spec("dnsPolicy", json!("Default")),
        spec("hostNetwork", json!(true)),
        spec("enableServiceLinks", json!(false)),
        spec("schedulerName", json!("other")),
    ]
}

#[tokio::test]
async fn every_change_of_a_template_is_held() -> Result<()> {
    Stack::options()
        .run(async |t| {
            t.apply(&deployment("web").image(V1)).await?.ok()?;
            let before = t.succeeded("web").await?;
            let dry = PatchParams { dry_run: true, ..PatchParams::default() };
            let mut seen = std::collections::BTreeSet::new();
            for template in changes() {
                let patch = Patch::Strategic(json!({ "spec": { "template": template } }));
                let web: Deployment = t.deployments().patch("web", &dry, &patch).await?;
                ensure!(web.spec.template != before.spec.template, "{template} changes nothing");
                ensure!(
                    web.gate() == Some("closed") && web.phase() == Some("held"),
                    "{template} is not held"
                );
                ensure!(
                    seen.insert(web.change().map(str::to_owned)),
                    "{template} is the same change as another"
                );
            }
            Ok(())
        })
        .await
}
