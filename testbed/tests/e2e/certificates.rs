//! The webhook's certificate rotates, and nobody notices: not while those who rotate are killed, not when somebody
//! empties what they keep, and not when Helm upgrades the chart.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use certs::{rotation::ROTATE, tls::Authority};
use k8s_openapi::{
    ByteString,
    api::{
        admissionregistration::v1::{
            MutatingWebhook, MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
        },
        core::v1::Secret,
    },
};
use kube::{
    Api,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use serde_json::json;
use testbed::{
    Output, PATIENCE, Stack,
    bench::{
        restarts::under_load,
        rotation::{Lives, Seen, leaf, options, trusted},
    },
    eventually,
    release::Release,
};

/// Long enough for a busy machine to follow, short enough for an old authority to be dropped within a test.
const LIVES: Lives = Lives { authority: "60s", leaf: "15s" };

/// Asks for a new authority, as docs/certificates.md says.
async fn ask(t: &Stack) -> Result<()> {
    let secret = format!("secret/{}-webhook-authorities", t.fullname);
    let asked = t.admin_kubectl(&["-n", &t.release, "annotate", &secret, &format!("{ROTATE}=now")]).await?;
    asked.ok().map(drop)
}

/// Waits until another authority signs than at the last look.
async fn rotates(t: &Stack, seen: &mut Seen) -> Result<()> {
    let before = seen.rotations();
    eventually("another authority signs", PATIENCE, async || {
        seen.look(t).await?;
        ensure!(seen.rotations() > before, "still {:?}", seen.signer());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn no_admission_fails_while_authorities_rotate_and_who_rotates_is_killed_after_each_step() -> Result<()>
{
    options(LIVES)
        .run(async |t| {
            // One rotates at a time, so that its log tells which step was last.
            t.certs[1].kill()?;
            let certs = &t.certs[0];
            let applies = under_load(t, async || {
                for (step, said) in [
                    ("minted", "made a new authority"),
                    ("published", "wrote the caBundle"),
                    ("promoted", "it signs from now on"),
                    ("signed", "signed a new certificate"),
                    ("dropped", "dropped what no certificate needs"),
                ] {
                    let mut seen = Seen::default();
                    seen.look(t).await?;
                    let count = certs.log().matches(said).count();
                    ask(t).await?;
                    eventually(&format!("an authority is {step}"), PATIENCE, async || {
                        ensure!(certs.log().matches(said).count() > count);
                        Ok(())
                    })
                    .await?;
                    certs.kill()?;
                    certs.start().await?;
                    if step != "dropped" && step != "signed" {
                        rotates(t, &mut seen).await?;
                    }
                }
                Ok(())
            })
            .await?;
            applies.all_served()?;
            let connections = t.balancer()?.connections();
            ensure!(connections.iter().all(|count| *count > 1), "{connections:?}");
            Ok(())
        })
        .await
}

#[tokio::test]
async fn without_its_authority_in_the_ca_bundle_the_same_load_sees_failures() -> Result<()> {
    // Nobody renews it meanwhile, so it must not expire: who serves an expired one cuts every client off.
    options(Lives { authority: "1h", leaf: "30m" })
        .run(async |t| {
            t.certs.iter().try_for_each(|certs| certs.kill().map(drop))?;
            let applies = under_load(t, async || {
                let stranger = Authority::generate("stranger", Duration::from_hours(1))?;
                trust(t, &format!("zz-{}", t.fullname), &stranger).await.map(drop)
            })
            .await?;
            ensure!(applies.failed() > 0, "the load meets nothing: {} applies", applies.sent());
            ensure!(applies.said().iter().all(|said| said.contains("x509")), "{:?}", applies.said());
            Ok(())
        })
        .await
}

#[tokio::test]
async fn what_somebody_empties_or_deletes_is_repaired_and_nothing_else_is_touched() -> Result<()> {
    options(Lives { authority: "1h", leaf: "30m" })
        .run(async |t| {
            let signed = leaf(t).await?;
            let before = webhooks(t).await?;
            let configurations = Api::<MutatingWebhookConfiguration>::all(t.client.clone());
            let empty = json!([{ "op": "remove", "path": "/webhooks/0/clientConfig/caBundle" }]);
            let empty = Patch::Json::<()>(serde_json::from_value(empty)?);
            configurations.patch(&format!("zz-{}", t.fullname), &PatchParams::default(), &empty).await?;
            repaired(t, "the caBundle is back", async || {
                let now = webhooks(t).await?;
                ensure!(now == before, "{now:?}");
                Ok(())
            })
            .await?;

            let secrets = t.api_in::<Secret>(&t.release);
            secrets.delete(&format!("{}-webhook-tls", t.fullname), &DeleteParams::default()).await?;
            repaired(t, "there is another certificate", async || {
                ensure!(leaf(t).await? != signed);
                Ok(())
            })
            .await?;
            // By these whoever removes a release finds what it has made.
            let ours = format!(
                "app.kubernetes.io/managed-by=roadstead-certs,app.kubernetes.io/instance={}",
                t.fullname
            );
            let ours = secrets.list(&ListParams::default().labels(&ours)).await?;
            ensure!(ours.items.len() == 2, "{} are labelled", ours.items.len());

            let (old, served) = (trusted(t).await?, leaf(t).await?);
            secrets.delete(&format!("{}-webhook-authorities", t.fullname), &DeleteParams::default()).await?;
            repaired(t, "another authority signs", async || {
                let now = leaf(t).await?;
                ensure!(!old.iter().any(|old| now.is_signed_by(old)));
                Ok(())
            })
            .await?;
            let trusted = trusted(t).await?;
            ensure!(
                trusted.iter().any(|one| served.is_signed_by(one)),
                "a leaf that may be served is not trusted"
            );
            let after = webhooks(t).await?;
            ensure!(
                after.0.client_config.url == before.0.client_config.url && after.0.rules == before.0.rules
            );
            Ok(())
        })
        .await
}

/// Waits until something is repaired, and then for an admission.
async fn repaired(t: &Stack, what: &str, look: impl AsyncFnMut() -> Result<()>) -> Result<()> {
    eventually(what, PATIENCE, look).await?;
    testbed::served::held(&t.client, &t.namespace).await
}

/// The first webhook of one configuration, and the bundle of the other's.
async fn webhooks(t: &Stack) -> Result<(MutatingWebhook, Option<ByteString>)> {
    let hold =
        Api::<MutatingWebhookConfiguration>::all(t.client.clone()).get(&format!("zz-{}", t.fullname)).await?;
    let gate = Api::<ValidatingWebhookConfiguration>::all(t.client.clone()).get(&t.fullname).await?;
    let hold = hold.webhooks.into_iter().flatten().next().context("no webhook")?;
    let gate = gate.webhooks.into_iter().flatten().next().context("no webhook")?;
    Ok((hold, gate.client_config.ca_bundle))
}

#[tokio::test]
async fn an_upgrade_by_helm_3_or_helm_4_leaves_the_ca_bundle_alone() -> Result<()> {
    Stack::options()
        .without_webhook()
        .without_executor()
        .run(async |t| {
            keeps_the_bundle(t, "h3", async |args| t.helm3(args).await).await?;
            keeps_the_bundle(t, "h4", async |args| t.helm4(args).await).await
        })
        .await
}

/// Makes the first webhook of a configuration trust this authority, by the write that `roadstead-certs` sends.
async fn trust(t: &Stack, configuration: &str, authority: &Authority) -> Result<ByteString> {
    let bundle = ByteString(authority.cert_pem().as_bytes().to_vec());
    let patch = json!([{ "op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle }]);
    let patch = Patch::Json::<()>(serde_json::from_value(patch)?);
    let parameters = PatchParams { field_manager: Some("roadstead-certs".into()), ..PatchParams::default() };
    let configurations = Api::<MutatingWebhookConfiguration>::all(t.client.clone());
    configurations.patch(configuration, &parameters, &patch).await?;
    Ok(bundle)
}

/// Installs the chart, fills the bundle as `roadstead-certs` does, and upgrades twice.
async fn keeps_the_bundle(
    t: &Stack,
    suffix: &str,
    helm: impl AsyncFn(&[&str]) -> Result<Output>,
) -> Result<()> {
    let (release, chart) = (format!("{}-{suffix}", t.release), Release::chart().display().to_string());
    let namespaces = format!("namespaces={{{}}}", t.namespace);
    // The definitions of policies are there already.
    let values = ["--set", "crds.install=false", "--set", "webhook.url=https://127.0.0.1:1"];
    let common = [&["-n", &t.release, "--set", &namespaces][..], &values].concat();
    helm(&[&["install", &release, &chart][..], &common].concat()).await?.ok()?;
    let configurations = Api::<MutatingWebhookConfiguration>::all(t.client.clone());
    let name = format!("zz-{release}");
    let seen = async || {
        let hold =
            configurations.get(&name).await?.webhooks.into_iter().flatten().next().context("no webhook")?;
        anyhow::Ok((hold.client_config.ca_bundle, hold.timeout_seconds))
    };
    ensure!(seen().await? == (None, Some(5)), "the chart renders a caBundle");
    let bundle = trust(t, &name, &Authority::generate("test", Duration::from_hours(1))?).await?;
    for timeout in [7, 9] {
        let timeout_value = format!("webhook.timeoutSeconds={timeout}");
        helm(&[&["upgrade", &release, &chart][..], &common, &["--set", &timeout_value]].concat())
            .await?
            .ok()?;
        let (kept, seconds) = seen().await?;
        ensure!(seconds == Some(timeout), "nothing was upgraded");
        ensure!(kept.as_ref() == Some(&bundle), "{suffix}: the caBundle is gone: {kept:?}");
    }
    helm(&["uninstall", &release, "-n", &t.release]).await?.ok().map(drop)
}
