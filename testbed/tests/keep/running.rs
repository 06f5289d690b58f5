//! What runs notices nothing of a renewal.

use anyhow::{Context as _, Result, ensure};
use certs::nats::Creds;
use certs::tls::Certificate;
use contract::access::Role;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use testbed::{PATIENCE, eventually};

use crate::installation::{Installation, answered};

#[tokio::test]
async fn credentials_are_renewed_in_time_and_a_client_goes_on_by_the_new_ones() -> Result<()> {
    let t = Installation::of("renewal", 1).await?;
    let _keeper = t.keeper("keeper", &[("ROADSTEAD_CERTS_NATS_LIFE", "12s")]).await?;
    let _server = t.server(0).await?;
    let (executor, _mount) = t.component(Role::Executor).await?;
    ops::streams::ensure(&async_nats::jetstream::new(executor.clone()), 1).await?;
    let first = Creds::parse(&t.text("executor", "nats.creds").await?)?.claims;
    let connection = executor.server_info().client_id;
    eventually("what it came in by is over, and it is in by something else", PATIENCE, async || {
        let now = Creds::parse(&t.text("executor", "nats.creds").await?)?.claims;
        ensure!(now.sub != first.sub, "the same credentials");
        ensure!(executor.server_info().client_id != connection, "the same connection");
        Ok(())
    })
    .await?;
    answered(&executor).await
}

/// The certificate that servers are to show.
async fn certificate(t: &Installation) -> Result<Certificate> {
    Ok(Certificate::parse(&t.text("server", "tls.crt").await?)?)
}

#[tokio::test]
async fn servers_show_a_new_certificate_and_take_new_accounts_without_a_restart() -> Result<()> {
    let t = Installation::of("certificate", 1).await?;
    let lives = [("ROADSTEAD_CERTS_NATS_CERTIFICATE_LIFE", "30s"), ("ROADSTEAD_CERTS_NATS_SETTLE", "1s")];
    let keeper = t.keeper("keeper", &lives).await?;
    let server = t.server(0).await?;
    let (webhook, _mount) = t.component(Role::Webhook).await?;
    let (executor, _other) = t.component(Role::Executor).await?;
    ops::streams::ensure(&async_nats::jetstream::new(executor.clone()), 1).await?;
    let (pid, first) = (server.pid().context("it runs")?, certificate(&t).await?);
    let connection = executor.server_info().client_id;
    eventually("the server shows another certificate", PATIENCE, async || {
        let shown = t.line().await?.servers(1).await?.remove(0).certificates;
        let wanted = certificate(&t).await?;
        ensure!(wanted != first, "none was signed");
        ensure!(shown == [wanted.not_after()], "{shown:?}");
        Ok(())
    })
    .await?;
    ensure!(server.pid() == Some(pid) && executor.server_info().client_id == connection);

    // A role whose key is taken away: the servers hear of the account, and close the connections of that role alone.
    let old = webhook.server_info().client_id;
    let gone = json!({"data": {"keys.role-webhook.nk": null}});
    t.api::<Secret>().patch("r-nats-keys", &PatchParams::default(), &Patch::Merge(gone)).await?;
    eventually("the webhook is in by its new credentials", PATIENCE, async || {
        ensure!(webhook.server_info().client_id != old, "{}", keeper.log());
        Ok(())
    })
    .await?;
    answered(&webhook).await?;
    ensure!(executor.server_info().client_id == connection, "somebody else was closed");

    // Another authority: who comes in afterwards trusts it.
    let authority = t.text("server", "ca.crt").await?;
    let ask = json!({"metadata": {"annotations": {"roadstead.dev/rotate": "now"}}});
    t.api::<Secret>().patch("r-nats-keys", &PatchParams::default(), &Patch::Merge(ask)).await?;
    eventually("another authority has signed what the server shows", PATIENCE, async || {
        let leaf = certificate(&t).await?;
        let old = Certificate::parse(&authority)?;
        ensure!(!leaf.is_signed_by(&old), "the old one");
        let shown = t.line().await?.servers(1).await?.remove(0).certificates;
        ensure!(shown == [leaf.not_after()], "{shown:?}");
        Ok(())
    })
    .await?;
    let (metrics, _mount) = t.component(Role::Uninstall).await?;
    ensure!(metrics.connection_state() == async_nats::connection::State::Connected);
    Ok(())
}
