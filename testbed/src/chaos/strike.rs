//! Faults, as the plan says; each is undone at its end.

use std::time::Duration;

use anyhow::Context as _;
use contract::stream::{CHANGES, EVENTS};
use futures::TryStreamExt as _;
use tokio::sync::{Mutex, MutexGuard};

use super::plan::{Due, Fault, Process};
use super::scene::{Cast, Scene};
use super::wire::Cut;
use crate::{Method, Part, Trouble};

/// Longest wait for NATS to do what an operator asks.
const NATS: Duration = Duration::from_secs(10);

/// What can be hit.
pub struct Target<'a> {
    scene: &'a Scene,
    cast: &'a Cast,
    /// One at a time hits the same process, in the order of [`Target::lock`].
    locks: [Mutex<()>; 7],
}

impl<'a> Target<'a> {
    /// Everything on the scene.
    #[must_use]
    pub fn new(scene: &'a Scene, cast: &'a Cast) -> Self {
        Self { scene, cast, locks: Default::default() }
    }

    /// Lets a fault happen, and undoes it.
    ///
    /// # Errors
    /// When it cannot be done or undone: then the run is worth nothing.
    pub async fn strike(&self, due: &Due) -> anyhow::Result<()> {
        let (scene, proxy) = (self.scene, self.scene.stack.proxy());
        let last = || tokio::time::sleep(due.lasts);
        let anything = |_: &crate::Request| true;
        match due.fault {
            Fault::Kill(process) => {
                let (_guard, part) = self.part(process).await?;
                part.kill()?;
                last().await;
                start(part).await?;
            }
            Fault::Stop(process) => {
                let (_guard, part) = self.part(process).await?;
                part.stop().await?;
                last().await;
                start(part).await?;
            }
            Fault::Freeze(process) => {
                let (_guard, part) = self.part(process).await?;
                part.freeze()?;
                last().await;
                part.thaw()?;
            }
            Fault::Wipe => {
                let _guard = self.lock(Process::Nats).await;
                let from = scene.recorder.now();
                scene.stack.nats.wipe().await?;
                scene.recorder.lost_since(from);
            }
            Fault::Purge | Fault::DeleteStream(_) | Fault::DeleteConsumer(_) => {
                let _guard = self.lock(Process::Nats).await;
                let from = scene.recorder.now();
                tokio::time::timeout(NATS, self.operate(due.fault))
                    .await
                    .context("NATS does not answer")??;
                if due.fault == Fault::DeleteStream(EVENTS) {
                    scene.recorder.lost_since(from);
                }
            }
            Fault::Cut => scene.wire.cut(Cut::Now),
            Fault::CutBeforeAck | Fault::CutAfterAck => {
                let before = due.fault == Fault::CutBeforeAck;
                scene.wire.cut(if before { Cut::BeforeAck } else { Cut::AfterAck });
                last().await;
                scene.wire.calm();
            }
            Fault::Slow(millis) => {
                let _slow = proxy.disturb(3, Trouble::Late(Duration::from_millis(millis)), anything);
                last().await;
            }
            Fault::Refuse(status) => {
                let _refused = proxy.disturb(2, Trouble::Refused(status), anything);
                last().await;
            }
            Fault::Hide(status) => {
                let writes = |request: &crate::Request| request.method == Method::PATCH;
                let _hidden = proxy.disturb(2, Trouble::Hidden(status), writes);
                last().await;
            }
        }
        Ok(())
    }

    /// What an operator does to NATS by mistake.
    async fn operate(&self, fault: Fault) -> anyhow::Result<()> {
        let context = self.scene.stack.jetstream().await?;
        match fault {
            // What is to be hit may be gone already, by an earlier fault.
            Fault::Purge => {
                let Ok(stream) = context.get_stream(CHANGES).await else { return Ok(()) };
                stream.purge().await?;
            }
            Fault::DeleteStream(name) => drop(context.delete_stream(name).await),
            Fault::DeleteConsumer(number) => {
                let Ok(stream) = context.get_stream(CHANGES).await else { return Ok(()) };
                let names: Vec<String> = stream.consumer_names().try_collect().await?;
                if let Some(name) = names.get(number % names.len().max(1)) {
                    drop(stream.delete_consumer(name).await);
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn lock(&self, process: Process) -> MutexGuard<'_, ()> {
        let number = match process {
            Process::Webhook(number) => number % 2,
            Process::Executor(number) => 2 + number % 2,
            Process::Nats => 4,
            Process::ApiServer => 5,
            Process::Controllers => 6,
        };
        self.locks[number].lock().await
    }

    async fn part(&self, process: Process) -> anyhow::Result<(MutexGuard<'_, ()>, &Part)> {
        let (stack, cast) = (&self.scene.stack, self.cast);
        let part = match process {
            Process::Webhook(number) => cast.webhooks.get(number).context("no such webhook")?,
            Process::Executor(number) => cast.executors.get(number).context("no such executor")?,
            Process::Nats => &stack.nats.part,
            Process::ApiServer => &stack.control_plane.apiserver,
            Process::Controllers => &stack.control_plane.controllers,
        };
        Ok((self.lock(process).await, part))
    }
}

/// Starts it again; that it becomes ready is awaited only where nothing else could be waited for: the others are not
/// ready while what they need is away.
async fn start(part: &Part) -> anyhow::Result<()> {
    match part.name() {
        "kube-apiserver" | "nats" => part.start().await,
        _ => part.spawn(),
    }
}
