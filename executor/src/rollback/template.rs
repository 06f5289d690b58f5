//! Finds a template again by its digest: in a ReplicaSet that the Deployment keeps, or in the history of changes on
//! NATS. Where it comes from does not matter: its digest is computed anew. The ReplicaSets are asked first, because
//! they are there when NATS is not.

use std::time::Duration;

use async_nats::jetstream::{Context, stream::LastRawMessageErrorKind};
use contract::{Change, Digest, Lane, envelope, stream, subject::ChangeSubject};
use kube::{Client, api::DynamicObject};
use serde_json::Value;

use crate::{
    error::Failure,
    live::Live,
    replica_sets::{self, Fresh},
};

/// Longest look through the history of one Deployment: at most 64 messages in each lane.
const HISTORY: Duration = Duration::from_secs(20);

/// `JetStream`'s code for a stream that is not there.
const NO_STREAM: async_nats::jetstream::ErrorCode = async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND;

/// The template of a digest; `None` where nobody has it any more.
pub(super) async fn find(
    client: &Client,
    context: &Context,
    cluster: &str,
    (object, live): (&DynamicObject, &Live),
    digest: &Digest,
) -> Result<Option<Value>, Failure> {
    let revisions = replica_sets::of(client, object, Fresh::Stored).await?;
    if let Some(found) = revisions.into_iter().find(|revision| revision.digest == *digest) {
        return Ok(Some(found.template));
    }
    let search = in_history(context, cluster, live, digest);
    let found = tokio::time::timeout(HISTORY, search).await;
    found.unwrap_or(Err(Failure::Publish(ops::publish::Error::Timeout)))
}

async fn in_history(
    context: &Context,
    cluster: &str,
    live: &Live,
    digest: &Digest,
) -> Result<Option<Value>, Failure> {
    let Ok(history) = context.get_stream_no_info(stream::CHANGES).await else { return Ok(None) };
    for lane in Lane::ALL {
        let address = ChangeSubject {
            cluster: cluster.to_owned(),
            lane,
            namespace: live.namespace.clone(),
            name: live.name.clone(),
        };
        let subject = address.encode()?;
        let mut next = 1;
        loop {
            let look = history.raw_message_builder().sequence(next).next_by_subject(&subject).send().await;
            let message = match look {
                Ok(message) => message,
                Err(error) => match error.kind() {
                    LastRawMessageErrorKind::NoMessageFound => break,
                    LastRawMessageErrorKind::JetStream(error) if error.error_code() == NO_STREAM => {
                        return Ok(None);
                    }
                    _ => return Err(error.into()),
                },
            };
            if let Some(template) = template(&message.payload, digest) {
                return Ok(Some(template));
            }
            next = message.sequence + 1;
        }
    }
    Ok(None)
}

/// The template in a message, if it is the one. What the message says of it is only a hint.
fn template(payload: &[u8], digest: &Digest) -> Option<Value> {
    let change = envelope::open::<Change>(payload).ok().filter(|change| change.digest == *digest)?;
    let template = change.deployment?["spec"]["template"].take();
    (Digest::of_value(&template).ok()? == *digest).then_some(template)
}

#[cfg(test)]
mod tests {
    use contract::envelope::seal;
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_message_that_lies_about_its_digest_gives_nothing() {
        let wanted = json!({"spec": {"containers": []}});
        let digest = Digest::of_value(&wanted).unwrap();
        let message = |template: &Value, claimed: &Digest| {
            let change = json!({
                "cluster": "east", "namespace": "shop", "name": "web", "uid": "u", "change": "aaaaaaaaaa",
                "digest": claimed, "lane": "normal", "attempt": 1, "generation": 1,
                "deployment": {"spec": {"template": template}},
            });
            let change: Change = serde_json::from_value(change).unwrap();
            seal(&change, OffsetDateTime::UNIX_EPOCH).unwrap()
        };
        assert_eq!(template(&message(&wanted, &digest), &digest), Some(wanted));
        let other = json!({"spec": {"containers": [], "hostNetwork": true}});
        assert_eq!(template(&message(&other, &digest), &digest), None);
        assert_eq!(template(b"{}", &digest), None);
    }
}
