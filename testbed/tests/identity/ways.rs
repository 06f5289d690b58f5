//! The ways in beside a token and its key, and no way in for nobody.

use anyhow::{Result, ensure};
use testbed::{PATIENCE, eventually};

use crate::server::{Server, says};

#[tokio::test]
async fn by_a_users_password() -> Result<()> {
    let password = "s3cr3t of the test";
    let users = format!("authorization {{ users: [ {{ user: roadstead, password: {password:?} }} ] }}\n");
    let server = Server::configured(&users, |_| Ok(())).await?;
    std::fs::write(server.file("password"), format!("{password}\n"))?;
    let file = server.file("password");
    let settings = [("ROADSTEAD_NATS_USER", "roadstead"), ("ROADSTEAD_NATS_PASSWORD_FILE", &file)];
    let executor = server.executor(&settings)?;
    says(&executor, "connected to NATS").await?;
    executor.stop().await?;
    std::fs::write(&file, "wrong")?;
    let executor = server.executor(&settings)?;
    says(&executor, "it does not accept the credentials").await?;
    ensure!(!executor.log().contains(password), "{}", executor.log());
    Ok(())
}

#[tokio::test]
async fn by_a_token_that_the_server_knows() -> Result<()> {
    let server = Server::configured("authorization { token: \"abc-token\" }\n", |_| Ok(())).await?;
    std::fs::write(server.file("token"), "abc-token\n")?;
    let executor = server.executor(&[("ROADSTEAD_NATS_TOKEN_FILE", &server.file("token"))])?;
    says(&executor, "connected to NATS").await?;
    ensure!(!executor.log().contains("abc-token"), "{}", executor.log());
    Ok(())
}

#[tokio::test]
async fn a_server_that_lets_in_whoever_asks_is_refused_unless_that_is_wanted() -> Result<()> {
    let server = Server::configured("", |_| Ok(())).await?;
    let executor = server.executor(&[])?;
    says(&executor, "lets in whoever asks").await?;
    eventually("it ends", PATIENCE, async || {
        ensure!(!executor.is_running(), "{}", executor.log());
        Ok(())
    })
    .await?;
    ensure!(executor.log().contains("--nats-allow-anonymous"), "{}", executor.log());
    let executor = server.executor(&[("ROADSTEAD_NATS_ALLOW_ANONYMOUS", "true")])?;
    eventually("it stays", PATIENCE, async || {
        // What comes after NATS.
        let log = executor.log();
        ensure!(log.contains("cannot reach the Kubernetes API server") && executor.is_running(), "{log}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn credentials_do_not_make_an_open_server_a_closed_one() -> Result<()> {
    // Whoever says nothing is `anybody`, who may do everything.
    let open = "authorization { users: [ { user: roadstead, password: x }, { user: anybody, password: y } ] }\n\
                no_auth_user: anybody\n";
    let server = Server::configured(open, |_| Ok(())).await?;
    std::fs::write(server.file("password"), "x")?;
    let file = server.file("password");
    let settings = [("ROADSTEAD_NATS_USER", "roadstead"), ("ROADSTEAD_NATS_PASSWORD_FILE", file.as_str())];
    says(&server.executor(&settings)?, "lets in whoever asks").await
}
