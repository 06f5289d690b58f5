//! Each Deployment of a namespace as it was, or why that cannot be told. Pure.

use std::collections::BTreeMap;

use contract::Digest;
use k8s_openapi::{
    api::{apps::v1::Deployment, core::v1::PodTemplateSpec},
    jiff::Timestamp,
};
use kube::ResourceExt as _;

use super::standing::{Standing, standing};
use crate::{
    history::{ran::Ran, told::Told},
    moment::second,
};

/// A Deployment as it was.
pub struct Then<'a> {
    /// As it is.
    pub live: &'a Deployment,
    /// The template of then.
    pub template: &'a PodTemplateSpec,
    /// Where that is known from.
    pub source: String,
}

/// What can be told, and sentences about what cannot.
#[derive(Default)]
pub struct Picture<'a> {
    /// The Deployments of which it can.
    pub then: Vec<Then<'a>>,
    /// The others.
    pub left_out: Vec<String>,
}

/// The picture of a moment.
#[must_use]
pub fn picture<'a>(live: &'a [Deployment], ran: &'a [Ran], told: &[Told], at: Timestamp) -> Picture<'a> {
    let mut picture = Picture::default();
    for deployment in live {
        match one(deployment, ran, told, at) {
            Ok(then) => picture.then.push(then),
            Err(why) => picture.left_out.push(format!("{}: {why}", deployment.name_any())),
        }
    }
    let is_live = |uid: &str| live.iter().any(|deployment| deployment.metadata.uid.as_deref() == Some(uid));
    let gone: BTreeMap<_, _> = told
        .iter()
        .filter(|told| told.time <= at && !is_live(&told.event.uid))
        .map(|told| (told.event.uid.as_str(), told.event.name.as_str()))
        .collect();
    for (uid, name) in gone {
        if let Some(Standing { change, .. }) = standing(told, uid, at) {
            let why = "it is deleted, before or since, and its ReplicaSets with it";
            picture.left_out.push(format!("{name}: change {change} had been let through; {why}"));
        }
    }
    picture
}

fn one<'a>(live: &'a Deployment, ran: &'a [Ran], told: &[Told], at: Timestamp) -> Result<Then<'a>, String> {
    let uid = live.metadata.uid.as_deref().unwrap_or_default();
    let made = live.metadata.creation_timestamp.as_ref().map(|made| made.0);
    if let Some(made) = made.filter(|made| *made > at) {
        return Err(format!("it was made later, at {}", second(made)));
    }
    let own = || ran.iter().filter(|ran| ran.uid == uid);
    if let Some(stood) = standing(told, uid, at) {
        let by_digest = own().find(|ran| stood.digest.is_some() && digest(&ran.template) == stood.digest);
        let found = by_digest.or_else(|| own().find(|ran| ran.change.as_deref() == Some(&stood.change)));
        let Standing { change, since, .. } = &stood;
        let since = second(*since);
        return match found {
            Some(ran) => Ok(Then {
                live,
                template: &ran.template,
                source: format!("change {change}, let through at {since}; ReplicaSet {}", ran.set),
            }),
            None => Err(format!("change {change} had been let through at {since}; its ReplicaSet is gone")),
        };
    }
    let found =
        own().filter(|ran| ran.began().is_some_and(|began| began <= at)).max_by_key(|ran| ran.order());
    let Some(ran) = found else { return Err("nothing that is kept says what ran".to_owned()) };
    let began = ran.began().map(second).unwrap_or_default();
    let source = format!(
        "ReplicaSet {}, which began at {began}: no event says so; one that began later and is gone, or came back, is not seen",
        ran.set
    );
    Ok(Then { live, template: &ran.template, source })
}

fn digest(template: &PodTemplateSpec) -> Option<Digest> {
    Digest::of_value(&serde_json::to_value(template).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{history::ran::tests::ran, row::tests::held};

    fn released(change: &str, uid: &str, at: &str) -> Told {
        let event = serde_json::from_value(json!({
            "cluster": "east", "namespace": "shop", "name": "web", "uid": uid, "change": change,
            "phase": "released", "message": "",
        }));
        Told { time: at.parse().unwrap(), event: event.unwrap() }
    }

    fn images(picture: &Picture<'_>) -> Vec<String> {
        let image =
            |then: &Then<'_>| then.template.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
        picture.then.iter().map(image).collect()
    }

    #[test]
    fn a_template_is_told_where_its_replica_set_is_left_and_named_where_not() {
        let (live, at) = ([held()], |text: &str| text.parse::<Timestamp>().unwrap());
        let sets = [
            ran("aaaaaaaaaa", "web:1", Some("2026-01-01T09:00:00Z"), "2026-01-01T09:00:01Z"),
            ran("cccccccccc", "web:3", Some("2026-01-01T11:00:00Z"), "2026-01-01T11:00:01Z"),
        ];
        let told = [
            released("aaaaaaaaaa", "u-1", "2026-01-01T09:00:00Z"),
            released("bbbbbbbbbb", "u-1", "2026-01-01T10:00:00Z"),
            released("cccccccccc", "u-1", "2026-01-01T11:00:00Z"),
            released("dddddddddd", "u-gone", "2026-01-01T11:00:00Z"),
        ];
        assert_eq!(images(&picture(&live, &sets, &told, at("2026-01-01T09:30:00Z"))), ["web:1"]);
        let unknown = picture(&live, &sets, &told, at("2026-01-01T10:30:00Z"));
        assert!(
            unknown.then.is_empty() && unknown.left_out[0].contains("bbbbbbbbbb"),
            "{:?}",
            unknown.left_out
        );
        let last = picture(&live, &sets, &told, at("2026-01-01T11:30:00Z"));
        assert_eq!(images(&last), ["web:3"]);
        assert!(last.left_out[0].contains("dddddddddd"), "{:?}", last.left_out);
    }

    #[test]
    fn without_events_the_replica_sets_are_believed_and_that_is_said() {
        let live = [held()];
        let sets = [ran("aaaaaaaaaa", "web:1", None, "2026-01-01T09:00:00Z")];
        let found = picture(&live, &sets, &[], "2026-01-01T10:00:00Z".parse().unwrap());
        assert!(found.then[0].source.contains("no event says so"));
        let before = picture(&live, &sets, &[], "2026-01-01T08:00:00Z".parse().unwrap());
        assert_eq!(before.left_out, ["web: nothing that is kept says what ran"]);
    }
}
