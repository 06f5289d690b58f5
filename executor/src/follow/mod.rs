//! The follower: watches what rolls out to its end. Every replica follows every rollout; a test in the patch lets
//! one write the end. What needs the clock is looked at once a second, over the few that are in flight.

mod crash;
mod end;
mod errand;
mod following;
mod pausing;
mod pods;
mod progress;
mod proofs;
mod rules;
mod soak;
mod stage;
mod view;
mod way_back;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use contract::{Phase, key::PHASE_LABEL};
use futures::{StreamExt as _, stream::select_all};
use kube::runtime::{
    WatchStreamExt as _,
    watcher::{self, Event, watcher},
};
use ops::{BoxError, chain, policies::Policies, readiness::Handle};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

pub use self::progress::is_complete;
pub(crate) use self::stage::Detail;
use self::{errand::Errands, following::Following};
use crate::{checks::Checks, consume::Worker, status::Reports};

/// How often deadlines and slots are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Follows what rolls out.
pub struct Follower {
    /// What the follower's errands are done with.
    pub worker: Arc<Worker>,
    /// What policies ask of rollouts.
    pub policies: Policies,
    /// Runs the checks that they ask for.
    pub checks: Checks,
    /// Takes what is seen of them here.
    pub reports: Reports,
    /// Restarts of one container that fail a rollout; `None`: its deadline alone counts.
    pub crash_loop: Option<NonZeroU32>,
}

impl Follower {
    /// Follows until told to stop; then finishes what it has begun. Drops `ready` when what rolls out was counted.
    pub async fn run(self, ready: Handle, stop: CancellationToken) -> Result<(), BoxError> {
        let releaser = &self.worker.releaser;
        let selected = watcher::Config::default().labels(&format!("{PHASE_LABEL}={}", Phase::Released));
        let deployments = releaser.deployments.clone();
        let client = deployments.client();
        let apis =
            releaser.namespaces.apis(client, |_| deployments.all(), |_, namespace| deployments.of(namespace));
        let watches = apis.len();
        let mut events = select_all(apis.into_iter().enumerate().map(|(source, api)| {
            watcher(api, selected.clone()).default_backoff().map(move |event| (source, event)).boxed()
        }));
        let errands = Errands {
            worker: Arc::clone(&self.worker),
            policies: self.policies.clone(),
            checks: self.checks.clone(),
            stop: stop.clone(),
        };
        let mut following = Following::new(self, errands, watches, ready);
        let mut interrupted = false;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some((source, event)) = events.next() => match event {
                    Ok(event) => {
                        // A new list that only begins may fail as the one before.
                        interrupted &= matches!(event, Event::Init);
                        if let Err(error) = following.learn(source, event) {
                            tracing::error!(%error, "a rollout is not followed: its Deployment is not readable");
                        }
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut interrupted, true) {
                            tracing::warn!(error = chain(&error), "the watch of rollouts was interrupted; watching again");
                        }
                    }
                },
                _ = tick.tick() => following.tick(),
                Some(done) = following.errand() => following.done(done?),
            }
        }
        while let Some(done) = following.errand().await {
            done?;
        }
        Ok(())
    }
}
