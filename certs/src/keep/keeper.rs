//! Looks, does what is missing, and looks again: one write at a time, and after each everything is read anew.

use std::time::Duration;

use contract::access::{Account, Role};
use futures::StreamExt as _;
use kube::{Client, ResourceExt as _};
use ops::{BoxError, chain, readiness::Handle};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Installation, Metrics,
    cluster::Cluster,
    keyring::{Keyring, trusted},
    told::Told,
};
use crate::nats::{Servers, manifest::SERVER};
use crate::pace::Pace;
use crate::rotation::{ROTATE, Seen, State, Step, Times};
use crate::tls::{Authority, Certificate, LeafRequest};

/// Name of each authority.
const AUTHORITY_NAME: &str = "roadstead-nats";
/// Longest time without a look.
const LOOK: Duration = Duration::from_mins(1);
/// So long until servers are told again that were away, or whose files had not come yet.
const SOON: Duration = Duration::from_secs(5);

/// How long things last.
#[derive(Clone, Copy, Debug)]
pub struct Lives {
    /// The credentials of a component; a third before their end they are made anew.
    pub credentials: Duration,
    /// An authority; at two thirds the next one is made.
    pub authority: Duration,
    /// The servers' certificate; at two thirds the next one is signed.
    pub certificate: Duration,
    /// From the moment at which every Secret holds a new authority until every component has read it.
    pub settle: Duration,
}

/// Keeps the identities of one installation.
pub struct Keeper {
    cluster: Cluster,
    installation: Installation,
    certificate: LeafRequest,
    lives: Lives,
    metrics: Metrics,
    seen: Seen,
    told: Told,
    pace: Pace<&'static str>,
}

/// What came of a look.
enum Look {
    /// A Secret was written.
    Wrote(&'static str),
    /// Everything is as it should be, for so long unless something changes.
    Good(Duration, Box<Keyring>),
}

impl Keeper {
    /// Keeps what `installation` needs, whose names can stand in a certificate ([`Installation::certificate`]).
    #[must_use]
    pub fn new(client: Client, installation: Installation, lives: Lives, metrics: Metrics) -> Self {
        let certificate = installation.certificate(lives.certificate);
        let cluster = Cluster::new(client, &installation);
        let (seen, told, pace) = (Seen::default(), Told::default(), Pace::default());
        Self { cluster, installation, certificate, lives, metrics, seen, told, pace }
    }

    /// Keeps them until told to stop. Drops `ready` when everything is there for the first time; servers need not run
    /// for that, because they wait for what is made here.
    ///
    /// # Errors
    /// None that it does not try again after.
    pub async fn run(mut self, ready: Handle, stop: CancellationToken) -> Result<(), BoxError> {
        let mut ready = Some(ready);
        let mut changes = self.cluster.changes();
        loop {
            // What is cut off is done again after the next start, or was done.
            let done = tokio::select! { done = self.look() => done, () = stop.cancelled() => return Ok(()) };
            let (wait, idle) = match done {
                Ok(Look::Wrote(part)) => {
                    self.metrics.written.inc();
                    (self.pace.done(part), false)
                }
                Ok(Look::Good(wait, keyring)) => {
                    ready = None;
                    self.pace.calm();
                    let told = tokio::select! {
                        told = self.tell(&keyring) => told,
                        () = stop.cancelled() => return Ok(()),
                    };
                    (if told { wait } else { wait.min(SOON) }, true)
                }
                Err(error) => {
                    let (conflict, failures) = (error.is_conflict(), &self.metrics.failures);
                    (self.pace.tell(&error, conflict, ready.as_ref(), failures), false)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                Some(()) = changes.next(), if idle => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Reads everything, and makes one Secret what it should be.
    async fn look(&mut self) -> Result<Look, Failure> {
        let derived = self.cluster.derived().await?;
        let stored = self.cluster.keys().await?;
        let mut keyring = Keyring::read(stored.as_ref())?;
        let Installation { cluster, accounts, .. } = &self.installation;
        let made = keyring.folder.ensure(cluster, self.lives.credentials, accounts)?;
        let asked = stored.as_ref().is_some_and(|secret| secret.annotations().contains_key(ROTATE));
        let components = derived.iter().filter(|(part, _)| **part != SERVER);
        let trusts = components.map(|(_, secret)| trusted(secret.as_ref())).collect();
        let state = keyring.state(trusts, &self.certificate, asked);
        let step = self.step(&state, &mut keyring)?;
        let server = derived.get(SERVER).and_then(Option::as_ref);
        if stored.is_none() && server.is_some() {
            tracing::warn!(
                "the Secret of the keys is gone: every identity is made anew, the servers start again with it, and \
                 every credential that was given to somebody is void. What waited is queued again from the held objects"
            );
        }
        let answer = (step == Step::Mint).then_some(ROTATE);
        if self.cluster.write_keys(stored, keyring.texts()?, answer).await? {
            let made: Vec<_> = made.0.iter().map(|path| path.display().to_string()).collect();
            tracing::info!(made = made.join(","), ?step, "wrote the keys");
            return Ok(Look::Wrote("keys"));
        }
        if let Some(server) = server {
            self.cluster.restart(server).await?;
        }
        for (part, texts) in keyring.derived(&self.installation)? {
            let stored = derived.get(part).cloned().flatten();
            if self.cluster.write_derived(part, stored, texts).await? {
                tracing::info!(part, "wrote a Secret");
                return Ok(Look::Wrote(part));
            }
        }
        let (first, now) = (keyring.first_end()?, OffsetDateTime::now_utc());
        let certificate = state.leaf.map(|leaf| leaf.issued.not_after);
        self.metrics.ends(first, certificate, state.signing.map(|signing| signing.not_after));
        // To the second, as tokens count.
        let renewal = first.map(|end| end - self.lives.credentials / 3 + Duration::from_secs(1));
        let rest = renewal.map_or(LOOK, |at| Duration::try_from(at - now).unwrap_or_default());
        let step = if let Step::Wait(wait) = step { wait } else { SOON };
        Ok(Look::Good(rest.min(step).min(LOOK), Box::new(keyring)))
    }

    /// Takes the next step of the rotation of authorities and certificate.
    fn step(&mut self, state: &State, keyring: &mut Keyring) -> Result<Step, Failure> {
        let now = OffsetDateTime::now_utc();
        let times = Times { settle: self.lives.settle, leaf: self.lives.certificate };
        let step = state.plan(self.seen.look(state), &times, now);
        let until = state.last_leaf_ends(&times, now);
        let signer = state.leaf.map(|leaf| leaf.signer);
        let authorities = &mut keyring.authorities;
        match step {
            // What is derived is written in any case.
            Step::Wait(_) | Step::Publish => {}
            Step::Adopt => {
                let signer = |one: &Certificate| Some(one.fingerprint()) == signer;
                let signers: Vec<_> = authorities.certificates().into_iter().filter(signer).collect();
                for signer in &signers {
                    authorities.trust(signer, until);
                }
            }
            Step::Drop => authorities.drop_retired(now, signer),
            Step::Mint => {
                authorities.next = Some(Authority::generate(AUTHORITY_NAME, self.lives.authority)?);
            }
            Step::Promote => authorities.promote(until),
            Step::Sign => {
                if let Some(signing) = &authorities.signing {
                    keyring.leaf = Some(signing.issue(&self.certificate)?);
                }
            }
        }
        Ok(step)
    }

    /// Tells the servers what they do not know yet; whether they know all of it now.
    async fn tell(&mut self, keyring: &Keyring) -> bool {
        match self.tell_all(keyring).await {
            Ok(behind) => {
                self.metrics.behind.set(i64::try_from(behind).unwrap_or(i64::MAX));
                behind == 0
            }
            Err(error) => {
                self.metrics.unreached.inc();
                tracing::info!(error = chain(&error), "the NATS servers are told later");
                false
            }
        }
    }

    async fn tell_all(&mut self, keyring: &Keyring) -> Result<usize, Failure> {
        let accounts = Account::ALL.map(|account| keyring.folder.account_token(account));
        let tokens = accounts.into_iter().collect::<Result<Vec<_>, _>>()?;
        let servers = Servers {
            urls: self.installation.urls.clone(),
            creds: keyring.creds(Role::Certs)?,
            ca: Some(keyring.authorities.bundle()),
        };
        let certificate = keyring.certificate().map(|certificate| certificate.not_after());
        Ok(self.told.tell(&servers, self.installation.hosts.len(), tokens, certificate).await?)
    }
}
