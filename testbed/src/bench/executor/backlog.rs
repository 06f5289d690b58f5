//! A backlog: held Deployments in a generated API, and the message of each on the queue.

use anyhow::{Context as _, Result, ensure};
use async_nats::{HeaderMap, header::NATS_MESSAGE_ID, jetstream};
use contract::{
    Change, ChangeId, Digest, Lane,
    envelope::{Payload as _, seal},
    key::ENABLED_LABEL,
    stream::{CHANGES, STREAMS},
    subject::ChangeSubject,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    deployment,
    generated::{CONFIG_MAPS, DEPLOYMENTS, GeneratedApi, NAMESPACES},
};

/// Name of the cluster in subjects.
pub(super) const CLUSTER: &str = "bench";
/// Namespace and ConfigMap in which the executor remembers what it swept.
pub(super) const SWEPT: (&str, &str) = ("roadstead", "roadstead-namespaces");
/// Messages on their way to the stream at a time.
const PUBLISHING: usize = 256;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Backlog {
    /// Namespaces; the Deployments are spread over them.
    pub namespaces: usize,
    /// All Deployments.
    pub deployments: usize,
    /// Those that are held, each with its message.
    pub held: usize,
}

impl Backlog {
    /// Makes namespaces, swept before, and Deployments.
    pub(super) fn generate(self, api: &GeneratedApi) -> Result<()> {
        let mut swept = serde_json::Map::new();
        for number in 0..self.namespaces {
            let (name, uid) = (namespace(number), format!("namespace-{number}"));
            let labels = json!({ ENABLED_LABEL: "true", "kubernetes.io/metadata.name": name });
            let metadata = json!({ "name": name, "uid": uid, "labels": labels });
            api.put(NAMESPACES, json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata }));
            swept.insert(name, json!(uid));
        }
        let metadata = json!({ "namespace": SWEPT.0, "name": SWEPT.1 });
        api.put(
            CONFIG_MAPS,
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": swept }),
        );
        (0..self.deployments).try_for_each(|number| {
            api.put(DEPLOYMENTS, self.object(number)?);
            Ok(())
        })
    }

    /// Fills the queue, as the outbox would.
    pub(super) async fn publish(self, nats_url: &str) -> Result<()> {
        let context = jetstream::new(async_nats::connect(nats_url).await?);
        let layout =
            STREAMS.iter().find(|layout| layout.name == CHANGES).context("no layout of the queue")?;
        let config = jetstream::stream::Config {
            name: layout.name.to_owned(),
            subjects: layout.subjects.iter().map(|subject| (*subject).to_owned()).collect(),
            max_messages_per_subject: layout.messages_per_subject,
            ..Default::default()
        };
        context.create_stream(config).await?;
        let published = stream::iter(0..self.held).map(|number| self.publish_one(&context, number));
        published.buffer_unordered(PUBLISHING).try_collect::<()>().await?;
        let stored = context.get_stream(CHANGES).await?.cached_info().state.messages;
        ensure!(stored == u64::try_from(self.held)?, "{stored} of {} messages are stored", self.held);
        Ok(())
    }

    async fn publish_one(self, context: &jetstream::Context, number: usize) -> Result<()> {
        let change = self.change(number)?;
        let subject = ChangeSubject {
            cluster: change.cluster.clone(),
            lane: change.lane,
            namespace: change.namespace.clone(),
            name: change.name.clone(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, change.id().as_str());
        let message = seal(&change, OffsetDateTime::now_utc())?;
        context.publish_with_headers(subject.encode()?, headers, message.into()).await?.await?;
        Ok(())
    }

    /// The Deployment of that number, about 2 kB: the first ones are held.
    fn object(self, number: usize) -> Result<Value> {
        let fixture = deployment(&format!("web-{number}")).namespace(&namespace(number % self.namespaces));
        let fixture = fixture.env("NUMBER", &number.to_string()).replicas(3);
        let mut object = fixture.json();
        let digest = Digest::of_value(&object["spec"]["template"])?;
        let metadata = &mut object["metadata"];
        metadata["uid"] = json!(uid(number));
        metadata["generation"] = json!(2);
        metadata["annotations"]["note"] = json!("x".repeat(1_000));
        if number < self.held {
            metadata["labels"]["roadstead.dev/phase"] = json!("held");
            metadata["annotations"]["roadstead.dev/gate"] = json!("closed");
            metadata["annotations"]["roadstead.dev/change"] = json!(self.id(number, &digest));
            metadata["annotations"]["roadstead.dev/released"] = json!("0".repeat(64));
        } else {
            metadata["annotations"]["roadstead.dev/released"] = json!(digest);
        }
        let status = json!({
            "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
        });
        object["status"] = status;
        Ok(object)
    }

    /// Its message, with the whole Deployment.
    fn change(self, number: usize) -> Result<Change> {
        let object = self.object(number)?;
        let digest = Digest::of_value(&object["spec"]["template"])?;
        let change = Change {
            cluster: CLUSTER.to_owned(),
            namespace: namespace(number % self.namespaces),
            name: format!("web-{number}"),
            uid: uid(number),
            change: self.id(number, &digest),
            digest,
            lane: Lane::Normal,
            attempt: 1,
            generation: 2,
            requested_by: Some("bench".to_owned()),
            released: None,
            traceparent: None,
            truncated: false,
            deployment: None,
        };
        Ok(change.with_deployment(object, 1 << 20))
    }

    fn id(self, number: usize, digest: &Digest) -> ChangeId {
        ChangeId::derive(&namespace(number % self.namespaces), &format!("web-{number}"), digest, None)
    }
}

fn namespace(number: usize) -> String {
    format!("team-{number}")
}

fn uid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}
