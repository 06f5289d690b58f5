//! Looks, does the next step, and looks again. Between two steps it remembers only since when it has seen everybody
//! trust the next authority; everything else is on the API server.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use ops::{BoxError, readiness::Handle};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::{Cluster, Failure, Metrics, Seen, Step, Times, view::View};
use crate::{
    pace::Pace,
    tls::{Authority, LeafRequest},
};

/// Name of each authority.
const AUTHORITY_NAME: &str = "roadstead";
/// Longest time without a look: clocks are set, and a watch can miss something.
const LOOK: Duration = Duration::from_mins(1);
/// What was seen so long ago, in a process that was frozen meanwhile, decides nothing any more.
const STALE: Duration = Duration::from_secs(20);

/// Keeps the certificates of one installation.
pub struct Rotator {
    cluster: Cluster,
    leaf: LeafRequest,
    authority_life: Duration,
    times: Times,
    metrics: Metrics,
    seen: Seen,
    pace: Pace<Step>,
}

impl Rotator {
    /// Signs what `leaf` asks for, by authorities with a life of `authority_life`. `settle`: how long after a new
    /// authority was published every API server is sure to trust it.
    #[must_use]
    pub fn new(
        cluster: Cluster,
        leaf: LeafRequest,
        authority_life: Duration,
        settle: Duration,
        metrics: Metrics,
    ) -> Self {
        let times = Times { settle, leaf: leaf.life };
        Self { cluster, leaf, authority_life, times, metrics, seen: Seen::default(), pace: Pace::default() }
    }

    /// Keeps them until told to stop. Drops `ready` when all is done for the first time.
    pub async fn run(mut self, ready: Handle, stop: CancellationToken) -> Result<(), BoxError> {
        let mut ready = Some(ready);
        let mut changes = self.cluster.changes();
        loop {
            // A step that is cut off is done again after the next start, or was done.
            let done = tokio::select! { done = self.step() => done, () = stop.cancelled() => return Ok(()) };
            let (wait, idle) = match done {
                Ok((Step::Wait(wait), missing)) => {
                    if missing == 0 {
                        ready = None;
                    }
                    self.pace.calm();
                    (wait.min(LOOK), true)
                }
                Ok((done, _)) => (self.pace.done(done), false),
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

    /// Does the next step; tells which, and how many configurations are missing.
    async fn step(&mut self) -> Result<(Step, usize), Failure> {
        let began = Instant::now();
        let (view, missing) = View::of(&self.cluster, &self.leaf).await?;
        let state = &view.state;
        self.metrics.saw(state, missing);
        let seen = self.seen.look(state);
        let now = OffsetDateTime::now_utc();
        if began.elapsed() > STALE {
            return Ok((Step::Wait(Duration::ZERO), missing));
        }
        let step = state.plan(seen, &self.times, now);
        self.act(step, view, now).await?;
        Ok((step, missing))
    }

    async fn act(&mut self, step: Step, mut view: View, now: OffsetDateTime) -> Result<(), Failure> {
        let until = view.state.last_leaf_ends(&self.times, now);
        let authorities = &mut view.authorities;
        match step {
            Step::Wait(_) => return Ok(()),
            Step::Sign => return self.sign(view).await,
            Step::Publish => return self.publish(&view).await,
            Step::Adopt => view.signer.iter().for_each(|signer| authorities.trust(signer, until)),
            Step::Drop => authorities.drop_retired(now, view.state.leaf.map(|leaf| leaf.signer)),
            Step::Mint => authorities.next = Some(Authority::generate(AUTHORITY_NAME, self.authority_life)?),
            Step::Promote => authorities.promote(until),
        }
        let trusted = authorities.certificates().len();
        self.cluster.write_authorities(view.stored.authorities, authorities, step == Step::Mint).await?;
        match step {
            Step::Adopt => tracing::warn!(
                trusted,
                "the certificate is of an authority that does not sign; it stays trusted"
            ),
            Step::Drop => tracing::info!(trusted, "dropped what no certificate needs any more"),
            Step::Mint => tracing::info!(trusted, asked = view.state.asked, "made a new authority"),
            _ => {
                self.metrics.rotations.inc();
                tracing::info!(trusted, "the new authority is trusted everywhere; it signs from now on");
            }
        }
        Ok(())
    }

    async fn sign(&self, view: View) -> Result<(), Failure> {
        let Some(signing) = &view.authorities.signing else { return Ok(()) };
        let leaf = signing.issue(&self.leaf)?;
        self.cluster.write_leaf(view.stored.leaf, &leaf).await?;
        self.metrics.leaves.inc();
        tracing::info!(authority = %signing.certificate().fingerprint(), "signed a new certificate");
        Ok(())
    }

    async fn publish(&mut self, view: &View) -> Result<(), Failure> {
        let bundle = view.authorities.bundle();
        for configuration in view.unpublished() {
            self.cluster.publish(configuration, &bundle).await?;
            self.metrics.bundles.inc();
        }
        let authorities = view.authorities.certificates().len();
        tracing::info!(authorities, "wrote the caBundle of the webhook configurations");
        Ok(())
    }
}
