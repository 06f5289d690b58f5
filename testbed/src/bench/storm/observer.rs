//! Sees when each Deployment of a namespace has rolled out which image, by one watch.

use std::{collections::HashMap, time::Instant};

use anyhow::{Context as _, Result};
use futures::TryStreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Api, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::{sync::watch, task::JoinHandle};

use crate::DeploymentView as _;

/// When a Deployment, by name, was first seen to have rolled out an image.
type Done = HashMap<(String, String), Instant>;

/// A watch of one namespace; it ends with this.
pub(super) struct Observer {
    done: watch::Receiver<Done>,
    task: JoinHandle<()>,
}

impl Observer {
    /// Begins to look.
    pub(super) fn new(deployments: Api<Deployment>) -> Self {
        let (sender, done) = watch::channel(Done::new());
        let task = tokio::spawn(async move {
            let objects =
                watcher(deployments, watcher::Config::default()).default_backoff().applied_objects();
            let mut objects = std::pin::pin!(objects);
            loop {
                match objects.try_next().await {
                    Ok(Some(seen)) => {
                        // The end as Roadstead tells it, too: without a phase.
                        if seen.rolled_out() && seen.gate() != Some("closed") {
                            let key = (seen.name_any(), seen.image().to_owned());
                            sender.send_if_modified(|done| {
                                let known = done.len();
                                done.entry(key).or_insert_with(Instant::now);
                                done.len() > known
                            });
                        }
                    }
                    Ok(None) => return,
                    Err(error) => eprintln!("the watch was interrupted: {error}"),
                }
            }
        });
        Self { done, task }
    }

    /// Waits until these have rolled out the image; answers when each had.
    pub(super) async fn rolled_out(&self, names: &[String], image: &str) -> Result<Vec<Instant>> {
        let mut done = self.done.clone();
        let key = |name: &String| (name.clone(), image.to_owned());
        let all = done.wait_for(|done| names.iter().all(|name| done.contains_key(&key(name))));
        let all = all.await.context("the watch ended")?;
        Ok(names.iter().filter_map(|name| all.get(&key(name)).copied()).collect())
    }

    /// How many have rolled out the image.
    pub(super) fn count(&self, image: &str) -> usize {
        self.done.borrow().keys().filter(|(_, seen)| seen == image).count()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
