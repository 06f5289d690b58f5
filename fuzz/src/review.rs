//! A body that anybody may send: it is refused, or it is answered with a patch that makes a valid object, changes
//! nothing but what is ours, and is empty when the API server asks again.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::{
    Key, Lane,
    key::{APPROVE, PHASE_LABEL, RELEASE},
};
use serde_json::{Value, json};
use webhook::{
    answer::Cause,
    hold::{self, Opinion, Policies, Settings, Verdict},
    review::{Malformed, Request},
    room,
};

/// A body, as `/hold` gets it.
pub fn review(body: &[u8]) {
    let Some(answer) = answer(body) else { return };
    // What our parser takes and this one does not is taken on purpose: what we skip may be nested deeper.
    let Ok(mut review) = serde_json::from_slice::<Value>(body) else { return };
    let sent = review["request"]["object"].clone();
    let object = &mut review["request"]["object"];
    json_patch::patch(object, &answer.patch).expect("the patch fits its object");
    assert_eq!(without_ours(object), without_ours(&sent), "only what is ours changes");
    assert!(answer.allowed || answer.patch.0.is_empty(), "what is denied is not changed");
    if answer.allowed {
        let again = self::answer(review.to_string().as_bytes()).expect("what we made of it can be read");
        assert!(again.allowed && again.patch.0.is_empty(), "asked again: {}", json!(again.patch));
    }
}

/// Policies that say something of every change, chosen by its user.
struct Strict;

impl Policies for Strict {
    fn opinion(&self, request: &Request<'_>) -> Result<Opinion, Malformed> {
        // What they look at can be found in every review that was read.
        let texts = request.texts()?;
        assert_eq!(texts.object, Some(request.object_text()?));
        request.labels()?;
        let refusals = if request.user_info.username.is_empty() {
            vec![Cause::of_field("RoadsteadPolicy", "p", "nobody asks")]
        } else {
            Vec::new()
        };
        Ok(Opinion { lane: Some(Lane::Bulk), refusals, warnings: vec!["w".into()], audit: Some("a".into()) })
    }
}

struct Answered {
    allowed: bool,
    patch: json_patch::Patch,
}

/// What is answered; `None` where the body is malformed or the review is none of the hold's.
fn answer(body: &[u8]) -> Option<Answered> {
    let request = Request::parse(body).map_err(one_line).ok()?;
    if !request.is_about("deployments") || !(request.is_create() || request.is_update()) {
        return None;
    }
    let settings = Settings { warnings: true };
    let (verdict, answer) = hold::decide(&request, &settings, &Strict).map_err(one_line).ok()?;
    // Too many annotations, or none that can be counted.
    if !matches!(room::denial(&request, &answer), Ok(None)) {
        return None;
    }
    let response: Value = serde_json::from_slice(&answer.encode(&request.uid)).expect("the answer is JSON");
    let response = &response["response"];
    assert_eq!(response["uid"], *request.uid);
    let patch = response["patch"].as_str().map(|patch| STANDARD.decode(patch).expect("base64"));
    let patch = patch
        .map_or(json_patch::Patch::default(), |patch| serde_json::from_slice(&patch).expect("a JSON Patch"));
    let allowed = response["allowed"] == true;
    assert_eq!(allowed, verdict != Verdict::Denied);
    Some(Answered { allowed, patch })
}

/// The sender is told in one line, whatever he sent.
#[expect(clippy::needless_pass_by_value, reason = "it takes what `map_err` gives")]
fn one_line(malformed: Malformed) {
    let text = malformed.to_string();
    assert!(text.len() < 4000 && !text.contains(['\n', '\r']), "{text:?}");
}

/// The object without our keys, our label and the pause, and without maps that are left empty.
pub fn without_ours(object: &Value) -> Value {
    let mut object = object.clone();
    for (map, keys) in [("annotations", Key::ALL.map(Key::name).to_vec()), ("labels", vec![PHASE_LABEL])] {
        let Some(metadata) = object["metadata"].as_object_mut() else { continue };
        let Some(Value::Object(members)) = metadata.get_mut(map) else {
            // Null is absent.
            metadata.remove(map);
            continue;
        };
        // An order is taken off by the write that gives it.
        members.retain(|key, _| !keys.contains(&key.as_str()) && ![APPROVE, RELEASE].contains(&key.as_str()));
        if members.is_empty() {
            metadata.remove(map);
        }
    }
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("paused");
    }
    object
}
