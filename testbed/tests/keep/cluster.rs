//! Three servers that know each other by what is made for them.

use anyhow::{Result, ensure};
use certs::tls::{Authority, LeafRequest, Usage};
use contract::access::Role;
use futures::future::try_join_all;
use std::time::Duration;
use testbed::{PATIENCE, eventually};

use crate::installation::{Installation, answered};

#[tokio::test]
async fn three_servers_form_a_cluster_and_one_without_the_password_or_a_certificate_stays_out() -> Result<()>
{
    let t = Installation::of("cluster", 3).await?;
    let keeper = t.keeper("keeper", &[]).await?;
    let servers = try_join_all((0..3).map(|number| t.server(number))).await?;
    eventually("each knows the others", PATIENCE, async || {
        let known = t.line().await?.servers(3).await?.len();
        ensure!(known == 3, "{known}");
        Ok(())
    })
    .await?;
    let (executor, _mount) = t.component(Role::Executor).await?;
    eventually("streams have three copies", PATIENCE, async || {
        ops::streams::ensure(&async_nats::jetstream::new(executor.clone()), 3).await?;
        Ok(())
    })
    .await?;
    answered(&executor).await?;
    eventually("all of them are told", PATIENCE, async || {
        let log = keeper.log();
        ensure!(log.contains("told the NATS servers the accounts servers=3"), "{log}");
        Ok(())
    })
    .await?;

    let conf = t.text("server", "cluster.conf").await?;
    let password =
        conf.split("password: \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    ensure!(password.len() == 64, "{conf}");
    for server in &servers {
        ensure!(!server.log().contains(password), "{} tells the password", server.name());
    }
    // The certificate is right, and the password is not.
    let wrong = conf.replace(password, "guessed");
    let said = refused(&t, &servers[0], "guessed", &wrong).await?;
    ensure!(said.contains("authentication error") || said.contains("Authorization Violation"), "{said}");
    // The password is right, and the certificate is of another authority.
    let stranger = Authority::generate("stranger", Duration::from_hours(1))?;
    let names = LeafRequest {
        common_name: "stranger".into(),
        organizations: vec![],
        dns_names: vec!["r-nats".into()],
        ips: vec![std::net::Ipv4Addr::LOCALHOST.into()],
        usage: Usage::Both,
        life: Duration::from_hours(1),
    };
    let leaf = stranger.issue(&names)?;
    for (name, text) in [("stranger.crt", &leaf.cert_pem), ("stranger.key", &leaf.key_pem)] {
        std::fs::write(t.folder.path().join(name), text)?;
    }
    let etc = t.folder.path().join("etc").display().to_string();
    let own = t.folder.path().join("stranger").display().to_string();
    let foreign = conf.replace(&format!("{etc}/tls"), &own);
    let said = refused(&t, &servers[0], "foreign", &foreign).await?;
    ensure!(said.contains("TLS route handshake error"), "{said}");
    Ok(())
}

/// Runs a fourth server with this cluster configuration; answers what the first one says meanwhile.
async fn refused(t: &Installation, first: &testbed::Part, name: &str, conf: &str) -> Result<String> {
    let before = first.log().len();
    let fourth = t.stranger(name, conf)?;
    eventually("the first server refuses it", PATIENCE, async || {
        let said = first.log().split_off(before);
        ensure!(
            said.contains("authentication error") || said.contains("TLS route handshake error"),
            "{said}"
        );
        Ok(())
    })
    .await?;
    let known = t.line().await?.servers(4).await?.len();
    ensure!(known == 3, "{name} is one of {known}");
    fourth.kill()?;
    Ok(first.log().split_off(before))
}
