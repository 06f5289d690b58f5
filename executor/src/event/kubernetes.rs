//! Kubernetes Events on the Deployment: what became of a change, where people look first. They are a courtesy: what
//! lets changes through hands them over and never waits, and where there is too much or the API server will not
//! have them they are lost, and counted. Their names follow from what happened, so several replicas write one.

use contract::ChangeId;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::{EventReason, Subject};
use crate::metrics::Metrics;

/// Events that wait to be written. A wave of some thousands fits in.
const WAITING: usize = 8_192;

/// Longest note that an API server takes, in bytes.
const NOTE: usize = 1_024;

/// Longest name of an object, in bytes.
const NAME: usize = 253;

/// What happened.
#[derive(Clone, Debug)]
pub(super) struct Note {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) change: ChangeId,
    /// Which attempt of the change, and which try within it.
    pub(super) attempt: (u32, u32),
    pub(super) reason: EventReason,
    pub(super) message: String,
    /// What the change does to the images, where that is known already.
    pub(super) images: Option<String>,
    pub(super) at: Timestamp,
}

/// What the writer is asked for.
pub(super) enum Wish {
    /// To write this.
    Write(Note),
    /// To look whether a change waits there, and to say so.
    Look { namespace: String, name: String },
}

/// Takes Events and hands them on.
#[derive(Clone)]
pub struct Recorder {
    wishes: mpsc::Sender<Wish>,
    metrics: Metrics,
}

impl Recorder {
    /// A recorder, and what its writer reads.
    pub(super) fn new(metrics: Metrics) -> (Self, mpsc::Receiver<Wish>) {
        let (wishes, receiver) = mpsc::channel(WAITING);
        (Self { wishes, metrics }, receiver)
    }

    /// Something happened to a change. `tries`: how often it could not be let through.
    pub(super) fn note(&self, about: &Subject<'_>, reason: EventReason, message: &str, tries: u32) {
        self.wish(Wish::Write(Note::of(about, reason, message, tries)));
    }

    /// Something was put on the queue.
    pub(super) fn look(&self, namespace: &str, name: &str) {
        self.wish(Wish::Look { namespace: namespace.to_owned(), name: name.to_owned() });
    }

    fn wish(&self, wish: Wish) {
        if self.wishes.try_send(wish).is_err() {
            self.metrics.kubernetes_event_lost();
        }
    }
}

impl Note {
    pub(super) fn of(about: &Subject<'_>, reason: EventReason, message: &str, tries: u32) -> Self {
        Self {
            namespace: about.namespace.to_owned(),
            name: about.name.to_owned(),
            uid: about.uid.to_owned(),
            change: about.change.clone(),
            attempt: (about.attempt, tries),
            reason,
            message: message.to_owned(),
            images: about.images.map(str::to_owned),
            at: Timestamp::now(),
        }
    }

    /// The Event's name: the same for whoever tells of the same. Names of Deployments may be as long as names can be.
    pub(super) fn event_name(&self) -> String {
        let (attempt, tries) = self.attempt;
        let what = format!("{}.{}.{}.{attempt}.{tries}", self.uid, self.change, self.reason.as_str());
        let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(what)[..8]);
        let room = NAME - hash.len() - 1;
        let name = cut(&self.name, room).trim_end_matches(['.', '-']);
        format!("{name}.{hash}")
    }

    /// The Event as it is written.
    pub(super) fn event(&self, images: Option<&str>, instance: &str) -> Event {
        let note = match images {
            Some(images) => format!("{}: {images}", self.message),
            None => self.message.clone(),
        };
        Event {
            metadata: ObjectMeta {
                name: Some(self.event_name()),
                namespace: Some(self.namespace.clone()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(self.at)),
            action: Some(self.reason.action().to_owned()),
            reason: Some(self.reason.as_str().to_owned()),
            note: Some(cut(&note, NOTE).to_owned()),
            type_: Some(self.reason.kind().to_owned()),
            regarding: Some(ObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: Some("Deployment".to_owned()),
                namespace: Some(self.namespace.clone()),
                name: Some(self.name.clone()),
                uid: Some(self.uid.clone()),
                ..ObjectReference::default()
            }),
            reporting_controller: Some("roadstead.dev/executor".to_owned()),
            reporting_instance: Some(instance.to_owned()),
            ..Event::default()
        }
    }
}

/// The text up to that many bytes, never within a character.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &str, message: &str) -> Note {
        Note {
            namespace: "shop".into(),
            name: name.into(),
            uid: "u-1".into(),
            change: "aaaaaaaaaa".parse().unwrap(),
            attempt: (1, 0),
            reason: EventReason::Failed,
            message: message.into(),
            images: None,
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_same_happening_has_the_same_name_and_every_other_another() {
        let first = note("web", "one replica's words");
        assert_eq!(first.event_name(), note("web", "another's").event_name());
        for other in [
            Note { reason: EventReason::Released, ..first.clone() },
            Note { attempt: (2, 0), ..first.clone() },
            Note { attempt: (1, 1), ..first.clone() },
            Note { uid: "u-2".into(), ..first.clone() },
            Note { change: "bbbbbbbbbb".parse().unwrap(), ..first.clone() },
        ] {
            assert_ne!(first.event_name(), other.event_name(), "{other:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_where_the_api_server_would_refuse_it() {
        let long = note(&format!("{}.{}", "a".repeat(235), "b".repeat(17)), &"ä".repeat(600));
        let event = long.event(Some("app web:1 → web:2"), "executor-0");
        let name = event.metadata.name.unwrap();
        assert!(name.len() <= 253 && !name.contains(".."), "{name}");
        assert_eq!(event.note.unwrap().len(), 1_024);
    }

    #[test]
    fn an_event_says_what_it_regards_and_who_says_so() {
        let event = note("web", "0 of 3 pods are new").event(Some("app web:1 → web:2"), "executor-0");
        assert_eq!(event.note.as_deref(), Some("0 of 3 pods are new: app web:1 → web:2"));
        assert_eq!(
            (event.reason.as_deref(), event.type_.as_deref()),
            (Some("ChangeFailed"), Some("Warning"))
        );
        let regarding = event.regarding.unwrap();
        assert_eq!((regarding.kind.as_deref(), regarding.uid.as_deref()), (Some("Deployment"), Some("u-1")));
    }
}
