//! Rotations of the webhook's certificate under a constant load of applies: how many admissions fail? Authorities and
//! leaves live for seconds; two webhooks get the Secret as a kubelet would mount it, one later than the other; and
//! those who rotate are killed over and over, wherever they are.

use std::time::Duration;

use anyhow::{Context as _, Result};
use certs::tls::{Certificate, Fingerprint};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Secret};
use kube::Api;

use super::{count, restarts};
use crate::{Part, Stack, eventually, stack::Options};

/// Rotations of the whole measurement: so often another authority signs.
const ROTATIONS: usize = 50;
/// Lives in the measurement. A new authority is made after 5 s, and a third of a leaf's life is left to the webhooks.
const LIVES: Lives = Lives { authority: "8s", leaf: "6s" };
/// How long the measurement may take; it takes about 5 s a rotation.
const LIMIT: Duration = Duration::from_mins(20);
/// How often those who rotate are killed and started again; it fits no multiple of anything else.
const KILLS: Duration = Duration::from_millis(1700);

/// How long certificates last.
#[derive(Clone, Copy, Debug)]
pub struct Lives {
    /// Life of an authority.
    pub authority: &'static str,
    /// Life of the webhook's certificate.
    pub leaf: &'static str,
}

/// The Roadstead that is measured: two webhooks behind a balancer, and two processes that rotate.
#[must_use]
pub fn options(lives: Lives) -> Options {
    restarts::options()
        .rotating(2)
        .value("certificates.authorityLife", lives.authority)
        .value("certificates.life", lives.leaf)
        .value("certificates.settle", "500ms")
        .webhook_env("ROADSTEAD_TLS_RELOAD", "250ms")
}

/// What was seen of the rotations.
#[derive(Debug, Default)]
pub struct Seen {
    known: Vec<Certificate>,
    signer: Option<Fingerprint>,
    leaf: Option<Fingerprint>,
    rotations: usize,
    leaves: usize,
}

impl Seen {
    /// How often another authority signed than before.
    #[must_use]
    pub fn rotations(&self) -> usize {
        self.rotations
    }

    /// How many certificates followed another.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.leaves
    }

    /// Who signed the certificate in the Secret at the last look.
    #[must_use]
    pub fn signer(&self) -> Option<Fingerprint> {
        self.signer
    }

    /// Looks at the Secret and at the `caBundle`.
    ///
    /// # Errors
    /// When they cannot be read, or nobody in the `caBundle` has signed what is in the Secret.
    pub async fn look(&mut self, t: &Stack) -> Result<()> {
        let leaf = leaf(t).await?;
        for authority in trusted(t).await? {
            if !self.known.contains(&authority) {
                self.known.push(authority);
            }
        }
        let signer = self.known.iter().find(|authority| leaf.is_signed_by(authority));
        let signer = signer.context("nobody who was trusted has signed the certificate")?.fingerprint();
        self.rotations += usize::from(self.signer.replace(signer).is_some_and(|before| before != signer));
        let leaf = leaf.fingerprint();
        self.leaves += usize::from(self.leaf.replace(leaf).is_some_and(|before| before != leaf));
        Ok(())
    }
}

/// The certificate in the Secret.
///
/// # Errors
/// When there is none.
pub async fn leaf(t: &Stack) -> Result<Certificate> {
    let secret = t.api_in::<Secret>(&t.release).get(&format!("{}-webhook-tls", t.fullname)).await?;
    let data = secret.data.context("the Secret is empty")?;
    let text = &data.get("tls.crt").context("the Secret has no certificate")?.0;
    Ok(Certificate::parse(std::str::from_utf8(text)?)?)
}

/// Whom the first webhook configuration trusts.
///
/// # Errors
/// When it is not there, or what it trusts cannot be read.
pub async fn trusted(t: &Stack) -> Result<Vec<Certificate>> {
    let configurations = Api::<MutatingWebhookConfiguration>::all(t.client.clone());
    let hold = configurations.get(&format!("zz-{}", t.fullname)).await?;
    let webhook = hold.webhooks.into_iter().flatten().next().context("no webhook")?;
    Ok(Certificate::all(&webhook.client_config.ca_bundle.unwrap_or_default().0)?)
}

/// Kills all of them and starts them again, over and over; only an error ends it.
async fn kill(certs: &[Part], kills: &mut usize) -> Result<()> {
    loop {
        tokio::time::sleep(KILLS).await;
        certs.iter().try_for_each(|part| part.kill().map(drop))?;
        certs.iter().try_for_each(Part::spawn)?;
        *kills += 1;
    }
}

/// Measures and prints.
pub(super) async fn run() -> Result<()> {
    let measured = options(LIVES).run(async |t| {
        let (mut seen, mut kills) = (Seen::default(), 0);
        let applies = restarts::under_load(t, async || {
            let rotated = eventually("the authorities rotate", LIMIT, async || {
                seen.look(t).await?;
                anyhow::ensure!(seen.rotations() >= ROTATIONS, "{} rotations", seen.rotations());
                Ok(())
            });
            tokio::select! { rotated = rotated => rotated, killed = kill(&t.certs, &mut kills) => killed }
        })
        .await?;
        let calls = restarts::failed_calls(t).await?;
        let connections = t.balancer()?.connections();
        println!(
            "{} rotations, {} certificates, those who rotate killed {kills} times:",
            seen.rotations(),
            seen.leaves()
        );
        println!("{} of {} applies failed", applies.failed(), applies.sent());
        println!("{calls} calls of the webhooks failed, those for the controllers' writes included");
        println!("connections to each replica: {connections:?}");
        applies.said().iter().for_each(|said| println!("  {said}"));
        count("rotations", seen.rotations());
        count("certificates", seen.leaves());
        count("kills", kills);
        count("applies", applies.sent());
        count("connections", connections.iter().sum());
        count("failed_admissions", applies.failed());
        count("failed_webhook_calls", calls);
        anyhow::ensure!(applies.failed() + calls == 0, "not every admission was served");
        Ok(())
    });
    measured.await
}
