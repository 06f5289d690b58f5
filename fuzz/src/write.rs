//! Writes of a client to one Deployment, chosen by the input's bytes: keys with `~` and `/` in them, maps that are
//! empty, null or not there, forged keys of ours. What the API server would make of each goes through
//! [`crate::review`].

use contract::{
    Key,
    key::{APPROVE, PHASE_LABEL, RELEASE, REPLAY},
};
use serde_json::{Map, Value, json};

use crate::review;

/// The input's bytes, and zeros when they have come to their end.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn next(&mut self) -> usize {
        self.0.next().copied().unwrap_or_default().into()
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.next() % texts.len()]
    }
}

/// An update or a creation, as the bytes choose.
pub fn write(choices: &[u8]) {
    let mut choices = Choices(choices.iter());
    let operation = choices.of(&["UPDATE", "CREATE"]);
    let sub_resource = choices.of(&["", "", "", "status", "scale"]);
    let (old, new) = (deployment(&mut choices), deployment(&mut choices));
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "r", "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "subResource": sub_resource, "name": "web", "namespace": "shop", "operation": operation,
            "userInfo": {"username": choices.of(&["jane", "", "\"\\\u{0}", "ä~1/"])},
            "object": new, "oldObject": if operation == "CREATE" { Value::Null } else { old },
        },
    });
    review::review(review.to_string().as_bytes());
}

fn deployment(choices: &mut Choices<'_>) -> Value {
    let mut object = json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "generation": choices.next()},
        "spec": {"template": {"spec": {"image": choices.of(&["a", "b", "c", "~", "/"])}}},
    });
    let keys = Key::ALL.map(Key::name);
    if let Some(annotations) = map(choices, &keys) {
        object["metadata"]["annotations"] = annotations;
    }
    if let Some(labels) = map(choices, &[PHASE_LABEL]) {
        object["metadata"]["labels"] = labels;
    }
    match choices.next() % 4 {
        0 => {}
        1 => object["spec"]["paused"] = Value::Null,
        other => object["spec"]["paused"] = json!(other == 2),
    }
    let strategies = ["null", "{}", r#"{"type":"Recreate"}"#, r#"{"rollingUpdate":{"maxSurge":"0%"}}"#];
    object["spec"]["strategy"] = serde_json::from_str(choices.of(&strategies)).expect("as it stands here");
    object
}

/// A map of annotations or labels, `ours` among them; or null, or none.
fn map(choices: &mut Choices<'_>, ours: &[&str]) -> Option<Value> {
    let count = match choices.next() % 8 {
        0 => return None,
        1 => return Some(Value::Null),
        count => count - 2,
    };
    let mut members = Map::new();
    for _ in 0..count {
        let theirs =
            ["", "~", "/", "~1", "~0", "a/b~c", "roadstead.dev/lane", REPLAY, APPROVE, RELEASE, "roadstead.dev", "gate"];
        let key = choices.next();
        let key = if key < 128 { ours[key % ours.len()] } else { theirs[key % theirs.len()] };
        let digest = "0".repeat(64);
        let values = [
            "closed",
            "open",
            "held",
            "released",
            "dead",
            "",
            "true",
            "abcdefghij",
            "urgent",
            digest.as_str(),
            "\n",
            "abcdefghij a fire",
            r#"[{"by":"jane","change":"abcdefghij"}]"#,
            r#"{"by":"jane","change":"abcdefghij","reason":"a fire"}"#,
        ];
        members.insert(key.to_owned(), choices.of(&values).into());
    }
    Some(Value::Object(members))
}
