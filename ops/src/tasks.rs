//! The long-lived tasks of a process, and its end. No task is unobserved: one that ends before the process was
//! told to stop takes the process down, so that a supervisor sees it.

use std::{future::Future, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{BoxError, chain, readiness::Readiness};

/// How long the tasks may take to finish what they hold. Below the 30 s that Kubernetes waits before it kills.
const DRAIN: Duration = Duration::from_secs(20);

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// A task failed.
    #[error("{task} failed")]
    Failed {
        /// Name of the task.
        task: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// A task ended although nothing told it to.
    #[error("{0} ended before it was told to")]
    Early(&'static str),
    /// A task panicked.
    #[error("a task panicked")]
    Panicked(#[source] JoinError),
    /// Signals cannot be received.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
    /// The tasks did not finish in time.
    #[error("the tasks did not finish within {} s of being told to stop", DRAIN.as_secs())]
    Slow,
}

/// The tasks of a process.
#[derive(Default)]
pub struct Tasks {
    set: JoinSet<(&'static str, Result<(), BoxError>)>,
    stop: CancellationToken,
}

impl Tasks {
    /// The token that is cancelled when the process is to stop.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Adds a task, which is to end only after [`Tasks::stop`] was cancelled.
    pub fn spawn<E: Into<BoxError>>(
        &mut self,
        task: &'static str,
        work: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.set.spawn(async move { (task, work.await.map_err(Into::into)) });
    }

    /// Runs until SIGTERM, SIGINT or the first task that ends; then tells the others to stop and waits for them.
    pub async fn run(self, readiness: &Readiness) -> Result<(), Ended> {
        self.run_after(readiness, Duration::ZERO).await
    }

    /// As [`Tasks::run`]; after a signal the process is unready at once and its tasks go on for `delay`, because those
    /// who send it work hear of it late. A second signal, or a task that ends, cuts that short.
    pub async fn run_after(mut self, readiness: &Readiness, delay: Duration) -> Result<(), Ended> {
        let mut terminate = signal(SignalKind::terminate()).map_err(Ended::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Ended::Signals)?;
        let mut first = tokio::select! {
            _ = terminate.recv() => None,
            _ = interrupt.recv() => None,
            ended = self.set.join_next() => ended,
        };
        readiness.stop();
        if first.is_none() && !delay.is_zero() {
            tracing::info!(?delay, "told to stop; going on until others know");
            first = tokio::select! {
                () = tokio::time::sleep(delay) => None,
                _ = terminate.recv() => None,
                _ = interrupt.recv() => None,
                ended = self.set.join_next() => ended,
            };
        }
        self.stop.cancel();
        let result = first.map_or(Ok(()), |ended| match ended {
            Ok((task, Ok(()))) => Err(Ended::Early(task)),
            Ok((task, Err(source))) => Err(Ended::Failed { task, source }),
            Err(panic) => Err(Ended::Panicked(panic)),
        });
        tracing::info!("stopping");
        let drained = tokio::time::timeout(DRAIN, self.drain()).await;
        result.and_then(|()| drained.unwrap_or(Err(Ended::Slow)))
    }

    async fn drain(&mut self) -> Result<(), Ended> {
        let mut result = Ok(());
        while let Some(ended) = self.set.join_next().await {
            let failure = match ended {
                Ok((_, Ok(()))) => continue,
                Ok((task, Err(source))) => Ended::Failed { task, source },
                Err(panic) => Ended::Panicked(panic),
            };
            tracing::warn!(error = chain(&failure), "a task did not end well");
            result = result.and(Err(failure));
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_early_stops_the_others_and_is_an_error() {
        let mut tasks = Tasks::default();
        let stop = tasks.stop();
        tasks.spawn("patient", async move {
            stop.cancelled().await;
            Ok::<_, BoxError>(())
        });
        tasks.spawn("hasty", async { Ok::<_, BoxError>(()) });
        let readiness = Readiness::default();
        let ended = tasks.run(&readiness).await.unwrap_err();
        assert_eq!(ended.to_string(), "hasty ended before it was told to");
        assert_eq!(readiness.check(), Err("stopping".into()));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_the_process() {
        let mut tasks = Tasks::default();
        tasks
            .spawn("shaky", async { if true { panic!("as the test wants") } else { Ok::<_, BoxError>(()) } });
        assert!(matches!(tasks.run(&Readiness::default()).await, Err(Ended::Panicked(_))));
    }
}
