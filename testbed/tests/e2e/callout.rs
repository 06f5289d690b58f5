//! Whoever presents the token of a ServiceAccount is a user of its namespace in NATS.

use anyhow::{Context as _, Result, ensure};
use async_nats::ConnectOptions;
use contract::{Phase, access::Role, subject};
use futures::StreamExt as _;
use testbed::kubeconfig;
use testbed::process::{Lifetime, Spec};
use testbed::{PATIENCE, Part, Stack, deployment, eventually};

/// A callout with the rights that docs/security.md names.
async fn callout(t: &Stack, name: &str) -> Result<Part> {
    let user = testbed::release::service_account(&t.client, &t.release, "callout").await?;
    let file = t.folder.join(format!("{name}.kubeconfig"));
    kubeconfig::write(&file, t.control_plane.server(), &[user], &t.release)?;
    let dir = t.folder.join("identities").display().to_string();
    let env = [
        ("KUBECONFIG", file.display().to_string()),
        ("ROADSTEAD_CLUSTER", t.cluster.clone()),
        ("ROADSTEAD_NATS_URL", t.nats.url().to_owned()),
        ("ROADSTEAD_ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
    ];
    let spec = Spec {
        name: name.to_owned(),
        program: testbed::folder::binaries_folder()?.join("roadstead-certs"),
        args: ["callout", "--dir", &dir].map(str::to_owned).into(),
        env: env.map(|(name, value)| (name.to_owned(), value)).into(),
        log: t.folder.join(format!("{name}.log")),
    };
    let part = Part::new(spec, None, Lifetime::Ours);
    part.spawn()?;
    Ok(part)
}

async fn token(t: &Stack, account: &str, audience: &[&str]) -> Result<String> {
    let create = [&["create", "token", account, "-n", &t.namespace], audience].concat();
    Ok(t.admin_kubectl(&create).await?.ok()?.trim().to_owned())
}

async fn connect(t: &Stack, token: &str) -> Result<async_nats::Client> {
    let guest = t.nats.identities().context("identities")?.component(Role::Guest);
    let options = ConnectOptions::with_credentials_file(guest).await?.token(token.to_owned());
    let prefix = format!("_INBOX_namespace.{}.{}.deployer", t.cluster, t.namespace);
    Ok(options.custom_inbox_prefix(prefix).connect(t.nats.url()).await?)
}

#[tokio::test]
async fn a_service_accounts_token_opens_its_namespace_and_nothing_else() -> Result<()> {
    Stack::options()
        .nats_identities()
        .run(async |t| {
            let binding = format!("--serviceaccount={}:callout", t.release);
            let delegator = format!("{}-callout", t.release);
            t.admin_kubectl(&["create", "serviceaccount", "callout", "-n", &t.release]).await?.ok()?;
            t.admin_kubectl(&[
                "create",
                "clusterrolebinding",
                &delegator,
                "--clusterrole=system:auth-delegator",
                &binding,
            ])
            .await?
            .ok()?;
            for account in ["deployer", "a.b"] {
                t.admin_kubectl(&["create", "serviceaccount", account, "-n", &t.namespace]).await?.ok()?;
            }
            let (one, two) = (callout(t, "callout-1").await?, callout(t, "callout-2").await?);
            let audience = ["--audience=roadstead-nats"];
            let good = token(t, "deployer", &audience).await?;
            let client = eventually("the token opens", PATIENCE, async || connect(t, &good).await).await?;
            let mut events =
                client.subscribe(subject::event(&t.cluster, &t.namespace, "web", Phase::Succeeded)?).await?;
            let mut others =
                client.subscribe(subject::event(&t.cluster, "another", "web", Phase::Succeeded)?).await?;
            client.flush().await?;
            t.apply(&deployment("web")).await?.ok()?;
            t.succeeded("web").await?;
            tokio::time::timeout(PATIENCE, events.next()).await?.context("an event of its namespace")?;
            let master = t.nats_client().await?;
            master
                .publish(subject::event(&t.cluster, "another", "web", Phase::Succeeded)?, "x".into())
                .await?;
            master
                .publish(subject::event(&t.cluster, &t.namespace, "web", Phase::Succeeded)?, "x".into())
                .await?;
            // What comes after it is there, so it would be.
            tokio::time::timeout(PATIENCE, events.next())
                .await?
                .context("the event that was published last")?;
            ensure!(
                futures::FutureExt::now_or_never(others.next()).flatten().is_none(),
                "it sees another namespace"
            );

            for (what, token) in [
                ("nobody's token", "no token".to_owned()),
                ("a token for the API server", token(t, "deployer", &[]).await?),
                ("a name with a dot", token(t, "a.b", &audience).await?),
            ] {
                ensure!(connect(t, &token).await.is_err(), "{what} opens NATS");
            }
            one.kill()?;
            connect(t, &good).await.context("one of two answers")?;
            two.kill()?;
            ensure!(connect(t, &good).await.is_err(), "nobody answers, and it is let in");
            // Those with credentials of their own do not need it.
            t.executor.restart().await?;
            t.apply(&deployment("other")).await?.ok()?;
            t.succeeded("other").await?;
            for part in [&one, &two] {
                ensure!(!part.log().contains(&good), "a token is in the log");
            }
            t.admin_kubectl(&["delete", "clusterrolebinding", &delegator]).await?.ok()?;
            Ok(())
        })
        .await
}
