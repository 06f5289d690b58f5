//! What policies come to in an answer, and which are refused when they are written. What an expression, a window or a
//! selector means is tested where it is read.

use contract::{Lane, PolicyKind, PolicyRef};
use ops::{namespaces::Namespaces, policies::Policies as View};
use policy::{
    resource::{Action, ClusterReleasePolicy, Mode, ReleasePolicy},
    set::{Policy, Set},
    validation::Finding,
};
use prometheus_client::registry::Registry;
use serde_json::{Value, json};

use super::{Rules, check, rules::opinion};
use crate::{answer::Answer, hold::Policies as _, metrics::Metrics, review::Request};

fn finding(policy: &str, action: Action, observed: bool) -> Finding {
    let policy =
        PolicyRef { kind: PolicyKind::ReleasePolicy, namespace: Some("shop".into()), name: policy.into() };
    Finding { policy, name: "no-latest".into(), action, observed, message: "pin the tag".into(), error: None }
}

#[test]
fn a_refusal_names_its_policy_and_its_rule_and_all_are_told() {
    let said = opinion(None, &[finding("web", Action::Deny, false), finding("team", Action::Deny, false)]);
    let messages: Vec<_> = said.refusals.iter().map(|refusal| &*refusal.message).collect();
    assert_eq!(
        messages,
        [
            "ReleasePolicy shop/web denied this change: rule no-latest: pin the tag",
            "ReleasePolicy shop/team denied this change: rule no-latest: pin the tag",
        ]
    );
    assert_eq!(said.refusals[0].field.as_deref(), Some("ReleasePolicy shop/web, rule no-latest"));
    assert!(said.warnings.is_empty());
}

#[test]
fn a_warning_is_told_and_what_only_observes_is_not() {
    let said = opinion(None, &[finding("web", Action::Warn, false), finding("eye", Action::Deny, true)]);
    assert!(said.refusals.is_empty());
    assert_eq!(said.warnings, ["ReleasePolicy shop/web: rule no-latest: pin the tag"]);
    assert_eq!(
        said.audit.as_deref(),
        Some(
            "ReleasePolicy shop/web warned: rule no-latest: pin the tag; ReleasePolicy shop/eye would have denied: rule \
             no-latest: pin the tag"
        )
    );
    assert_eq!(opinion(None, &[]), crate::hold::Opinion::default());
}

#[test]
fn the_audit_log_is_told_no_more_than_fits() {
    let many = vec![finding(&"é".repeat(200), Action::Deny, true); 100];
    let audit = opinion(None, &many).audit.unwrap();
    assert!((4000..=4096).contains(&audit.len()), "{}", audit.len());
}

/// A review of a Deployment of team `a` in namespace `shop`.
fn submitted() -> Value {
    let object = json!({
        "metadata": {"name": "web", "labels": {"team": "a"}}, "spec": {"template": {"spec": {"containers": []}}},
    });
    review("CREATE", ("apps", "deployments"), &object, &Value::Null)
}

fn review(operation: &str, (group, resource): (&str, &str), object: &Value, old: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "r", "resource": {"group": group, "version": "v1", "resource": resource}, "name": "web",
            "namespace": "shop", "operation": operation, "userInfo": {"username": "jane"}, "object": object,
            "oldObject": old,
        },
    })
}

/// The lane that policies give to the review's change.
fn lane_under(policies: &[Value]) -> Option<Lane> {
    let mut set = Set::default();
    for policy in policies {
        let policy = if policy["metadata"]["namespace"].is_null() {
            Policy::of_cluster(&serde_json::from_value::<ClusterReleasePolicy>(policy.clone()).unwrap())
        } else {
            Policy::of(&serde_json::from_value::<ReleasePolicy>(policy.clone()).unwrap())
        };
        assert!(policy.problems.is_empty(), "{:?}", policy.problems);
        set.put(policy.into());
    }
    let view = View::default();
    view.replace(set);
    let metrics = Metrics::register(&mut Registry::default());
    let rules = Rules::new(view, Namespaces::new(Vec::new()), metrics);
    let body = submitted().to_string();
    rules.opinion(&Request::parse(body.as_bytes()).unwrap()).unwrap().lane
}

fn policy(name: &str, namespace: Option<&str>, team: &str, spec: &Value) -> Value {
    let kind = if namespace.is_some() { "ReleasePolicy" } else { "ClusterReleasePolicy" };
    let mut policy = json!({
        "apiVersion": "roadstead.dev/v1alpha1", "kind": kind, "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": {"team": team}}},
    });
    json_patch::merge(&mut policy["spec"], spec);
    policy
}

#[test]
fn the_least_urgent_lane_of_the_policies_that_select_the_deployment_is_its_default() {
    let lane = |name: &str, lane: &str| policy(name, Some("shop"), "a", &json!({"lane": lane}));
    let observing = policy("eye", Some("shop"), "a", &json!({"lane": "bulk", "mode": Mode::Observe}));
    for (policies, given) in [
        (vec![], None),
        (vec![lane("one", "urgent")], Some(Lane::Urgent)),
        (vec![lane("one", "urgent"), lane("two", "normal")], Some(Lane::Normal)),
        (vec![lane("one", "normal"), policy("all", None, "a", &json!({"lane": "bulk"}))], Some(Lane::Bulk)),
        (vec![lane("one", "normal"), observing], Some(Lane::Normal)),
        (vec![policy("theirs", Some("shop"), "b", &json!({"lane": "bulk"}))], None),
        (vec![policy("elsewhere", Some("sea"), "a", &json!({"lane": "bulk"}))], None),
    ] {
        assert_eq!(lane_under(&policies), given, "{policies:?}");
    }
}

/// What is answered to a write of an object of ours: `None`: the review is nothing of this webhook's.
fn checked(review: &Value) -> Option<Value> {
    let body = review.to_string();
    let request = Request::parse(body.as_bytes()).unwrap();
    let denial = check(&request).unwrap()?;
    let answer: Value = serde_json::from_slice(&Answer { denial, ..Answer::default() }.encode("r")).unwrap();
    Some(answer["response"].clone())
}

fn bad(spec: &Value) -> Value {
    let bad = json!({"matchExpressions": [{"key": "a", "operator": "Like", "values": ["b"]}]});
    let mut object = json!({"metadata": {"name": "web"}, "spec": {"selector": bad}});
    json_patch::merge(&mut object["spec"], spec);
    object
}

const KINDS: [(&str, &str); 4] = [
    ("releasepolicies", "ReleasePolicy"),
    ("clusterreleasepolicies", "ClusterReleasePolicy"),
    ("freezes", "Freeze"),
    ("clusterfreezes", "ClusterFreeze"),
];

#[test]
fn what_cannot_be_obeyed_is_refused_with_its_field() {
    for (resource, kind) in KINDS {
        let spec = json!({"reason": "r", "owner": "o", "until": "2027-01-01T00:00:00Z"});
        let spec = if kind.ends_with("Freeze") { spec } else { json!({}) };
        let said =
            checked(&review("CREATE", ("roadstead.dev", resource), &bad(&spec), &Value::Null)).unwrap();
        assert_eq!((&said["allowed"], &said["status"]["code"]), (&json!(false), &json!(422)), "{kind}");
        assert_eq!(said["status"]["reason"], "Invalid");
        let details = &said["status"]["details"];
        assert_eq!((&details["kind"], &details["name"]), (&json!(kind), &json!("web")));
        assert_eq!(details["causes"][0]["field"], "spec.selector.matchExpressions[0].operator");
        let message = said["status"]["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("{kind} shop/web cannot be obeyed: spec.selector.")),
            "{message}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_field() {
    for (resource, spec, field) in [
        ("releasepolicies", json!({"mode": "Dream"}), "spec.mode"),
        ("releasepolicies", json!({"validations": [{"name": 7}]}), "spec.validations[0].name"),
        ("freezes", json!({"reason": "r", "owner": "o", "until": "soon"}), "spec.until"),
    ] {
        let object = json!({"metadata": {"name": "web"}, "spec": spec});
        let said = checked(&review("CREATE", ("roadstead.dev", resource), &object, &Value::Null)).unwrap();
        assert_eq!(said["status"]["details"]["causes"][0]["field"], field, "{said}");
    }
}

#[test]
fn a_write_that_leaves_the_spec_alone_passes_whatever_it_says() {
    let old = bad(&json!({}));
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({"a": "b"});
    let said = checked(&review("UPDATE", ("roadstead.dev", "releasepolicies"), &new, &old)).unwrap();
    assert_eq!(said, json!({"uid": "r", "allowed": true}));
    new["spec"]["mode"] = json!("Observe");
    let said = checked(&review("UPDATE", ("roadstead.dev", "releasepolicies"), &new, &old)).unwrap();
    assert_eq!(said["allowed"], false);
}

#[test]
fn good_ones_pass_and_what_is_nothing_of_ours_is_left_alone() {
    let good = json!({"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": {"team": "a"}}}});
    let said = checked(&review("CREATE", ("roadstead.dev", "releasepolicies"), &good, &Value::Null)).unwrap();
    assert_eq!(said, json!({"uid": "r", "allowed": true}));
    for (operation, resource) in [
        ("DELETE", ("roadstead.dev", "releasepolicies")),
        ("CREATE", ("roadstead.dev", "others")),
        ("CREATE", ("example.com", "releasepolicies")),
    ] {
        assert_eq!(checked(&review(operation, resource, &bad(&json!({})), &Value::Null)), None);
    }
    let mut status = review("UPDATE", ("roadstead.dev", "releasepolicies"), &bad(&json!({})), &good);
    status["request"]["subResource"] = json!("status");
    assert_eq!(checked(&status), None);
}
