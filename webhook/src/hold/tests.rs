//! The rules of the hold, one case a rule, as a client and the API server would meet them: a review goes in, the
//! patch is applied to the object, and the result is looked at.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::{
    Digest, Key, Lane,
    key::{APPROVE, PHASE_LABEL, RELEASE, REPLAY},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{NoPolicies, Opinion, Policies, Settings, Verdict, decide};
use crate::{
    answer::Cause,
    review::{Malformed, Request},
};

mod consent;
mod opinion;

/// A stored Deployment with an image, as yet unknown to Roadstead.
fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "generation": 3},
        "spec": {
            "replicas": 2,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}},
        },
    })
}

fn digest(deployment: &Value) -> String {
    Digest::of_value(&deployment["spec"]["template"]).unwrap().to_string()
}

/// What the webhook says to a write.
struct Said {
    verdict: Verdict,
    stored: Value,
    patch: Vec<Value>,
    warnings: Vec<String>,
    denial: Option<String>,
    /// The whole answer.
    response: Value,
}

impl Said {
    fn own(&self, key: Key) -> Option<&str> {
        self.stored["metadata"]["annotations"][key.name()].as_str()
    }

    fn phase(&self) -> Option<&str> {
        self.stored["metadata"]["labels"][PHASE_LABEL].as_str()
    }

    fn paused(&self) -> bool {
        self.stored["spec"]["paused"] == true
    }
}

fn write(old: Option<&Value>, new: &Value, sub_resource: &str) -> Said {
    write_as("jane", old, new, sub_resource, &NoPolicies)
}

fn write_as(
    user: &str,
    old: Option<&Value>,
    new: &Value,
    sub_resource: &str,
    policies: &dyn Policies,
) -> Said {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "r", "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "subResource": sub_resource, "name": "web", "namespace": "shop",
            "operation": if old.is_some() { "UPDATE" } else { "CREATE" },
            "userInfo": {"username": user}, "object": new, "oldObject": old,
        },
    });
    let body = review.to_string();
    let request = Request::parse(body.as_bytes()).unwrap();
    let settings = Settings { warnings: true };
    let (verdict, answer) = decide(&request, &settings, policies).unwrap();
    let answer: Value = serde_json::from_slice(&answer.encode("r")).unwrap();
    let response = &answer["response"];
    let patch: Vec<Value> = response["patch"]
        .as_str()
        .map(|patch| serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap())
        .unwrap_or_default();
    let mut stored = new.clone();
    json_patch::patch(&mut stored, &serde_json::from_value::<json_patch::Patch>(json!(patch)).unwrap())
        .unwrap();
    Said {
        verdict,
        stored,
        patch,
        warnings: serde_json::from_value(response["warnings"].clone()).unwrap_or_default(),
        denial: response["status"]["message"].as_str().map(str::to_owned),
        response: response.clone(),
    }
}

fn create(new: &Value) -> Said {
    write(None, new, "")
}

fn update(old: &Value, new: &Value) -> Said {
    write(Some(old), new, "")
}

fn update_as(user: &str, old: &Value, new: &Value) -> Said {
    write_as(user, Some(old), new, "", &NoPolicies)
}

/// The deployment with one annotation more.
fn annotated(deployment: &Value, key: &str, value: &str) -> Value {
    let mut new = deployment.clone();
    new["metadata"]["annotations"][key] = json!(value);
    new
}

/// A Deployment that runs image `a` and whose change to image `b`, requested by jane, waits; and that change.
fn held_change() -> (Value, String) {
    let held = update(&settled("a"), &with_image(&settled("a"), "b")).stored;
    let change = held["metadata"]["annotations"][Key::Change.name()].as_str().unwrap().to_owned();
    (held, change)
}

/// The deployment with another image, everything else as it stands.
fn with_image(deployment: &Value, image: &str) -> Value {
    let mut new = deployment.clone();
    new["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
    new
}

/// What the executor's release makes of a held Deployment.
fn released(held: &Value) -> Value {
    let mut released = held.clone();
    released["metadata"]["annotations"][Key::Gate.name()] = json!("open");
    released["metadata"]["annotations"][Key::Released.name()] = json!(digest(held));
    released["metadata"]["labels"][PHASE_LABEL] = json!("released");
    if held["metadata"]["annotations"][Key::Paused.name()] == "true" {
        released["metadata"]["annotations"].as_object_mut().unwrap().remove(Key::Paused.name());
        released["spec"].as_object_mut().unwrap().remove("paused");
    }
    released
}

/// What the executor makes of a released Deployment whose rollout reached its end.
fn succeeded(released: &Value) -> Value {
    let mut done = released.clone();
    done["metadata"]["labels"].as_object_mut().unwrap().remove(PHASE_LABEL);
    done
}

/// What the executor makes of a held Deployment whose change is refused again and again.
fn dead(held: &Value) -> Value {
    let mut dead = held.clone();
    dead["metadata"]["labels"][PHASE_LABEL] = json!("dead");
    dead["metadata"]["annotations"].as_object_mut().unwrap().remove(REPLAY);
    dead
}

/// A Deployment that runs image `a` and whose change to image `b` is dead, and that change.
fn dead_change() -> (Value, String) {
    let dead = dead(&update(&settled("a"), &with_image(&settled("a"), "b")).stored);
    let change = dead["metadata"]["annotations"][Key::Change.name()].as_str().unwrap().to_owned();
    (dead, change)
}

fn with_order(deployment: &Value, order: &str) -> Value {
    annotated(deployment, REPLAY, order)
}

/// A Deployment that went the whole way with this image.
fn settled(image: &str) -> Value {
    succeeded(&released(&create(&deployment(image)).stored))
}

#[test]
fn a_created_deployment_is_held_and_what_it_claims_is_stripped() {
    let mut new = deployment("a");
    new["metadata"]["annotations"] = json!({
        Key::Gate.name(): "open", Key::Released.name(): digest(&new), Key::Good.name(): digest(&new), "team": "a",
    });
    new["metadata"]["labels"] = json!({PHASE_LABEL: "released", "app": "web"});
    let said = create(&new);
    assert_eq!(
        (said.verdict, said.own(Key::Gate), said.phase()),
        (Verdict::Held, Some("closed"), Some("held"))
    );
    assert_eq!((said.own(Key::Released), said.own(Key::Good)), (None, None));
    assert_eq!(said.own(Key::RequestedBy), Some("jane"));
    assert_eq!(said.stored["metadata"]["annotations"]["team"], "a");
    assert_eq!(said.stored["spec"], new["spec"]);
    assert!(said.warnings[0].contains(said.own(Key::Change).unwrap()), "{:?}", said.warnings);
}

#[test]
fn an_updated_deployment_is_held_and_remembers_what_runs() {
    let old = deployment("a");
    let said = update(&old, &with_image(&old, "b"));
    assert_eq!(
        (said.verdict, said.own(Key::Gate), said.phase()),
        (Verdict::Held, Some("closed"), Some("held"))
    );
    assert_eq!(said.own(Key::Released), Some(digest(&old).as_str()));
    assert_eq!(said.own(Key::Good), Some(digest(&old).as_str()), "what ran before Roadstead is a way back");
}

#[test]
fn a_closed_deployment_without_its_label_gets_it_back() {
    let held = update(&settled("a"), &with_image(&settled("a"), "b")).stored;
    let mut lost = held.clone();
    lost["metadata"]["labels"] = Value::Null;
    assert_eq!(update(&lost, &lost).phase(), Some("held"));
}

#[test]
fn what_leaves_the_template_alone_passes_unchanged() {
    let old = settled("a");
    let mut new = old.clone();
    new["spec"]["replicas"] = json!(9);
    new["metadata"]["labels"]["team"] = json!("a");
    let said = update(&old, &new);
    assert_eq!(said.verdict, Verdict::Passed);
    assert!(said.patch.is_empty() && said.warnings.is_empty(), "{:?}", said.patch);
}

#[test]
fn the_same_change_twice_is_one_change() {
    let held = update(&settled("a"), &with_image(&settled("a"), "b")).stored;
    let mut again = with_image(&deployment("a"), "b");
    again["metadata"]["generation"] = json!(4);
    let said = update(&held, &again);
    assert_eq!(said.verdict, Verdict::Passed);
    assert_eq!(said.own(Key::Change), held["metadata"]["annotations"][Key::Change.name()].as_str());
    assert_eq!((said.own(Key::Gate), said.phase()), (Some("closed"), Some("held")));
}

#[test]
fn a_newer_change_takes_the_place_of_one_that_waits_and_says_so() {
    let held = update(&settled("a"), &with_image(&settled("a"), "b")).stored;
    let older = held["metadata"]["annotations"][Key::Change.name()].as_str().unwrap().to_owned();
    let said = update(&held, &with_image(&held, "c"));
    assert_eq!(said.verdict, Verdict::Held);
    assert_ne!(said.own(Key::Change), Some(older.as_str()));
    assert!(said.warnings[0].contains(&older), "{:?}", said.warnings);
    assert_eq!(said.own(Key::Released), Some(digest(&settled("a")).as_str()));
}

#[test]
fn going_back_to_what_runs_opens_the_gate_at_once() {
    let held = update(&settled("a"), &with_image(&settled("a"), "b")).stored;
    let said = update(&held, &with_image(&held, "a"));
    assert_eq!((said.verdict, said.own(Key::Gate), said.phase()), (Verdict::Opened, Some("open"), None));
    assert!(said.warnings[0].contains("cancelled"), "{:?}", said.warnings);
}

#[test]
fn aborting_a_rollout_opens_at_once_and_the_aborted_template_is_held_again() {
    let in_flight = released(&update(&settled("a"), &with_image(&settled("a"), "b")).stored);
    let aborted = update(&in_flight, &with_image(&in_flight, "a"));
    assert_eq!(
        (aborted.verdict, aborted.own(Key::Gate), aborted.phase()),
        (Verdict::Opened, Some("open"), Some("released"))
    );
    assert_eq!(aborted.own(Key::Released), Some(digest(&settled("a")).as_str()));
    let again = update(&aborted.stored, &with_image(&aborted.stored, "b"));
    assert_eq!((again.verdict, again.own(Key::Gate)), (Verdict::Held, Some("closed")));
}

#[test]
fn a_change_over_a_rollout_in_flight_goes_back_to_that_rollout() {
    let in_flight = released(&update(&settled("a"), &with_image(&settled("a"), "b")).stored);
    let held = update(&in_flight, &with_image(&in_flight, "c"));
    assert_eq!((held.verdict, held.phase()), (Verdict::Held, Some("held")));
    let back = update(&held.stored, &with_image(&held.stored, "b"));
    assert_eq!(
        (back.verdict, back.own(Key::Gate), back.phase()),
        (Verdict::Opened, Some("open"), Some("released"))
    );
}

#[test]
fn a_deployment_changed_and_changed_back_before_anything_ran_stays_held() {
    let created = create(&deployment("a")).stored;
    let changed = update(&created, &with_image(&created, "b")).stored;
    let back = update(&changed, &with_image(&changed, "a"));
    assert_eq!(
        (back.verdict, back.own(Key::Gate), back.own(Key::Released)),
        (Verdict::Held, Some("closed"), None)
    );
}

#[test]
fn a_client_that_sends_none_of_our_keys_loses_none_of_them() {
    let old = settled("a");
    let said = update(&old, &with_image(&deployment("a"), "a"));
    assert_eq!(said.verdict, Verdict::Passed);
    for key in Key::ALL {
        assert_eq!(said.own(key), old["metadata"]["annotations"][key.name()].as_str(), "{}", key.name());
    }
}

#[test]
fn a_forged_key_means_nothing() {
    let held = update(&settled("a"), &with_image(&settled("a"), "b")).stored;
    for (key, value) in
        [(Key::Gate, json!("open")), (Key::Released, json!(digest(&held))), (Key::Change, json!("x"))]
    {
        let mut forged = held.clone();
        forged["metadata"]["annotations"][key.name()] = value;
        assert_eq!(update(&held, &forged).stored, held, "{}", key.name());
    }
    let mut forged = held.clone();
    forged["metadata"]["labels"][PHASE_LABEL] = json!("released");
    assert_eq!(update(&held, &forged).stored, held);
}

#[test]
fn on_a_subresource_the_spec_means_nothing() {
    let held = update(&settled("a"), &with_image(&settled("a"), "b")).stored;
    let mut forged = with_image(&held, "a");
    forged["metadata"]["annotations"][Key::Gate.name()] = json!("open");
    let said = write(Some(&held), &forged, "status");
    assert_eq!(said.verdict, Verdict::Passed);
    assert_eq!(said.stored["metadata"], held["metadata"]);
    assert_eq!(said.patch.len(), 1, "{:?}", said.patch);
}

#[test]
fn where_old_pods_would_go_first_a_held_deployment_is_paused_until_it_opens() {
    for strategy in
        [json!({"type": "Recreate"}), json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}})]
    {
        let mut old = settled("a");
        old["spec"]["strategy"] = strategy;
        let held = update(&old, &with_image(&old, "b"));
        assert!(held.paused() && held.own(Key::Paused) == Some("true"));
        let mut resumed = held.stored.clone();
        resumed["spec"]["paused"] = json!(false);
        assert!(update(&held.stored, &resumed).paused(), "rollout resume while held is put back");
        let back = update(&held.stored, &with_image(&held.stored, "a"));
        assert!(!back.paused() && back.own(Key::Paused).is_none());
    }
}

#[test]
fn the_pause_follows_the_strategy_while_held() {
    let held = update(&settled("a"), &with_image(&settled("a"), "b")).stored;
    let mut recreate = held.clone();
    recreate["spec"]["strategy"] = json!({"type": "Recreate"});
    let paused = update(&held, &recreate);
    assert!(paused.paused() && paused.own(Key::Paused) == Some("true"));
    let mut rolling = paused.stored.clone();
    rolling["spec"]["strategy"] = held["spec"]["strategy"].clone();
    let said = update(&paused.stored, &rolling);
    assert!(!said.paused() && said.own(Key::Paused).is_none());
}

#[test]
fn a_users_own_pause_stays_his() {
    let mut old = settled("a");
    old["spec"]["strategy"] = json!({"type": "Recreate"});
    old["spec"]["paused"] = json!(true);
    let held = update(&old, &with_image(&old, "b"));
    assert!(held.paused() && held.own(Key::Paused).is_none());
    assert!(update(&held.stored, &with_image(&held.stored, "a")).paused());
}

#[test]
fn a_quarantined_template_is_denied_with_the_way_out() {
    let mut old = settled("a");
    let bad = with_image(&old, "bad");
    old["metadata"]["annotations"][Key::Quarantined.name()] = json!(digest(&bad));
    let said = update(&old, &with_image(&old, "bad"));
    let message = said.denial.unwrap();
    assert_eq!(said.verdict, Verdict::Denied);
    let order = format!("roadstead.dev/lift={}", &digest(&bad)[..12]);
    assert!(message.contains("rolled back") && message.contains(&order), "{message}");
    assert_eq!(update(&old, &with_image(&old, "good")).verdict, Verdict::Held);
}

#[test]
fn a_new_order_lifts_a_quarantine_and_one_that_stands_does_not() {
    let mut old = settled("a");
    let bad = with_image(&old, "bad");
    let both = format!("{},{}", digest(&bad), "9".repeat(64));
    old["metadata"]["annotations"][Key::Quarantined.name()] = json!(both);
    for (order, lifts) in
        [(&digest(&bad)[..12], true), (&digest(&bad)[..11], false), ("999999999999z", false)]
    {
        let mut ordered = bad.clone();
        ordered["metadata"]["annotations"]["roadstead.dev/lift"] = json!(order);
        assert_eq!(
            update(&old, &ordered).verdict,
            if lifts { Verdict::Held } else { Verdict::Denied },
            "{order}"
        );
        let mut before = old.clone();
        before["metadata"]["annotations"]["roadstead.dev/lift"] = json!(order);
        assert_eq!(update(&before, &ordered).verdict, Verdict::Denied, "{order} stood before");
    }
    let mut ordered = old.clone();
    ordered["metadata"]["annotations"]["roadstead.dev/lift"] = json!(digest(&bad));
    let lifted = update(&old, &ordered);
    assert_eq!(lifted.own(Key::Quarantined), Some(&*"9".repeat(64)));
}

#[test]
fn an_order_has_the_dead_change_wait_again_as_a_new_attempt_each_time() {
    let (mut stored, change) = dead_change();
    for attempt in ["2", "3"] {
        let said = update(&stored, &with_order(&stored, &change));
        assert_eq!((said.verdict, said.phase()), (Verdict::Held, Some("held")));
        assert_eq!((said.own(Key::Gate), said.own(Key::Attempt)), (Some("closed"), Some(attempt)));
        assert_eq!(said.own(Key::Change), Some(&*change));
        assert!(said.warnings[0].contains(&change), "{:?}", said.warnings);
        assert!(update(&stored, &said.stored).patch.is_empty(), "asked again with our own answer");
        let again = update(&said.stored, &said.stored);
        assert_eq!((again.verdict, again.own(Key::Attempt)), (Verdict::Passed, Some(attempt)));
        // The executor takes the order away.
        stored = dead(&said.stored);
    }
}

#[test]
fn an_order_for_anything_else_is_not_obeyed_and_says_so() {
    let (stored, change) = dead_change();
    let said = update(&stored, &with_order(&stored, "zzzzzzzzzz"));
    assert_eq!((said.verdict, said.phase(), said.own(Key::Attempt)), (Verdict::Passed, Some("dead"), None));
    assert!(said.warnings[0].contains(&format!("the dead change is {change}")), "{:?}", said.warnings);
    let held = update(&settled("a"), &with_image(&settled("a"), "b")).stored;
    for alive in [settled("a"), held.clone(), released(&held)] {
        let said = update(&alive, &with_order(&alive, &change));
        assert_eq!((said.verdict, said.own(Key::Attempt)), (Verdict::Passed, None));
        assert!(said.warnings[0].contains("no change is dead here"), "{:?}", said.warnings);
    }
    let stood = with_order(&stored, &change);
    assert_eq!(update(&stood, &stood).phase(), Some("dead"), "an order that stands is not given again");
    let status = write(Some(&stored), &stood, "status");
    assert_eq!(status.phase(), Some("dead"), "nor on a subresource");
}

#[test]
fn what_follows_a_dead_change_is_a_change_like_any_other() {
    let (stored, change) = dead_change();
    let replayed = dead(&update(&stored, &with_order(&stored, &change)).stored);
    assert_eq!(update(&replayed, &replayed).phase(), Some("dead"), "the same again stays dead");
    let next = update(&replayed, &with_image(&replayed, "c"));
    assert_eq!((next.verdict, next.phase(), next.own(Key::Attempt)), (Verdict::Held, Some("held"), None));
    assert_ne!(next.own(Key::Change), Some(&*change));
    let back = update(&replayed, &with_image(&replayed, "a"));
    assert_eq!((back.verdict, back.phase()), (Verdict::Opened, None));
    let with_template = with_order(&with_image(&stored, "c"), &change);
    let said = update(&stored, &with_template);
    assert_eq!((said.verdict, said.own(Key::Attempt)), (Verdict::Held, None), "the new template wins");
}

#[test]
fn what_is_to_be_done_on_failure_is_said_in_one_of_two_words() {
    let mut new = settled("a");
    new["metadata"]["annotations"]["roadstead.dev/on-failure"] = json!("rollback");
    let denial = update(&settled("a"), &new).denial.unwrap();
    assert!(
        denial.contains("metadata.annotations[roadstead.dev/on-failure]")
            && denial.contains("Rollback or Keep")
    );
    assert_eq!(update(&new, &new).verdict, Verdict::Passed);
}

#[test]
fn a_lane_that_is_none_is_refused_where_it_is_new() {
    let mut new = settled("a");
    new["metadata"]["annotations"]["roadstead.dev/lane"] = json!("fast");
    let said = update(&settled("a"), &new);
    assert!(said.denial.unwrap().contains("metadata.annotations[roadstead.dev/lane]"));
    assert_eq!(update(&new, &new).verdict, Verdict::Passed);
}

/// What a client may do to a stored Deployment.
fn write_of_a_client() -> impl Strategy<Value = Vec<(u8, u8)>> {
    prop::collection::vec((0..12_u8, 0..4_u8), 1..4)
}

/// The id of the change that stands, or of none.
fn order(stored: &Value, which: u8) -> String {
    let change = stored["metadata"]["annotations"][Key::Change.name()].as_str();
    change.filter(|_| which < 3).unwrap_or("zzzzzzzzzz").to_owned()
}

fn client_writes(stored: &Value, writes: &[(u8, u8)]) -> Value {
    let mut new = stored.clone();
    for (what, which) in writes {
        let image = ["a", "b", "c", "d"][usize::from(*which)];
        match what {
            0 | 1 => new = with_image(&new, image),
            2 => new["spec"]["replicas"] = json!(which),
            3 => new["spec"]["paused"] = json!(which % 2 == 0),
            4 => new["spec"]["strategy"] = if *which < 2 { json!({"type": "Recreate"}) } else { json!({}) },
            5 => drop(new["metadata"].as_object_mut().unwrap().remove("annotations")),
            6 => new["metadata"]["labels"] = Value::Null,
            7 => {
                new["metadata"]["annotations"] =
                    json!({Key::ALL[usize::from(*which)].name(): "open", "x/y~z": image});
            }
            8 => {
                let change = stored["metadata"]["annotations"][Key::Change.name()].clone();
                new["metadata"]["annotations"] =
                    json!({REPLAY: if *which < 3 { change } else { json!("z") }});
            }
            9 => new["metadata"]["annotations"] = json!({APPROVE: order(stored, *which)}),
            10 => new["metadata"]["annotations"] = json!({RELEASE: order(stored, *which) + " why"}),
            _ => new["metadata"]["labels"] = json!({PHASE_LABEL: "released", "app": image}),
        }
    }
    new
}

/// The object without what is ours to write.
fn without_ours(object: &Value) -> Value {
    let mut object = object.clone();
    for (map, keys) in [("annotations", Key::ALL.map(Key::name).to_vec()), ("labels", vec![PHASE_LABEL])] {
        if let Some(members) = object["metadata"][map].as_object_mut() {
            // An order is taken off by the write that gives it.
            members.retain(|key, _| {
                !keys.contains(&key.as_str()) && ![APPROVE, RELEASE].contains(&key.as_str())
            });
        }
        if object["metadata"][map].as_object().is_none_or(serde_json::Map::is_empty) {
            object["metadata"].as_object_mut().unwrap().remove(map);
        }
    }
    object["spec"].as_object_mut().unwrap().remove("paused");
    object
}

/// Policies that give a lane to every change.
const LANES: Fixed = Fixed(|| Opinion { lane: Some(Lane::Bulk), ..Opinion::default() });

/// Policies that say the same of every change.
struct Fixed(fn() -> Opinion);

impl Policies for Fixed {
    fn opinion(&self, _: &Request<'_>) -> Result<Opinion, Malformed> {
        Ok(self.0())
    }
}

proptest! {
    /// Every write of a history of them: only what is ours changes; the webhook's own output, sent again in its
    /// place, gives an empty patch; a template that was never let through is never open.
    #[test]
    fn only_ours_changes_and_our_own_output_needs_no_patch(
        history in prop::collection::vec((write_of_a_client(), 0..4_u8, 0..2_usize), 1..8),
    ) {
        let mut stored = write_as("jane", None, &deployment("a"), "", &LANES).stored;
        for (generation, (writes, then, user)) in history.into_iter().enumerate() {
            let user = ["jane", "ann"][user];
            let new = client_writes(&stored, &writes);
            let said = write_as(user, Some(&stored), &new, "", &LANES);
            if said.denial.is_some() {
                prop_assert_eq!(said.patch, Vec::<Value>::new());
                continue;
            }
            prop_assert_eq!(without_ours(&said.stored), without_ours(&new));
            let again = write_as(user, Some(&stored), &said.stored, "", &LANES);
            prop_assert!(again.patch.is_empty() && again.verdict == said.verdict, "{:?}", again.patch);
            let open = said.own(Key::Gate) == Some("open");
            prop_assert!(!open || said.own(Key::Released) == Some(digest(&said.stored).as_str()));
            stored = said.stored;
            stored["metadata"]["generation"] = json!(generation + 4);
            let phase = stored["metadata"]["labels"][PHASE_LABEL].as_str().map(str::to_owned);
            match (then, phase.as_deref()) {
                (1 | 2, Some("held")) => stored = released(&stored),
                (3, Some("held")) => stored = dead(&stored),
                (2, Some("released")) => stored = succeeded(&stored),
                _ => {}
            }
        }
    }
}
