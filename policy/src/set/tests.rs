//! What is selected, and what is read.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::resource::{ClusterFreeze, ClusterReleasePolicy, Freeze, ReleasePolicy};

fn policy(namespace: &str, name: &str, spec: &Value) -> Arc<Policy> {
    let object = json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec});
    Arc::new(Policy::of(&serde_json::from_value::<ReleasePolicy>(object).unwrap()))
}

fn of_cluster(name: &str, spec: &Value) -> Arc<Policy> {
    let object = json!({"metadata": {"name": name}, "spec": spec});
    Arc::new(Policy::of_cluster(&serde_json::from_value::<ClusterReleasePolicy>(object).unwrap()))
}

fn freeze(namespace: &str, name: &str, mut spec: Value) -> Arc<Frost> {
    let fields = json!({"reason": "holidays", "owner": "ops", "until": "2027-01-01T00:00:00Z"});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let object = json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec});
    Arc::new(if namespace.is_empty() {
        let object = json!({"metadata": {"name": name}, "spec": spec});
        Frost::of_cluster(&serde_json::from_value::<ClusterFreeze>(object).unwrap())
    } else {
        Frost::of(&serde_json::from_value::<Freeze>(object).unwrap())
    })
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn names(selected: &Selected<'_>) -> Vec<String> {
    let policies = selected.policies.iter().map(|policy| policy.reference.to_string());
    policies.chain(selected.freezes.iter().map(|frost| frost.reference.to_string())).collect()
}

#[test]
fn a_deployment_is_selected_by_its_labels_its_namespace_and_the_labels_of_that() {
    let mut set = Set::default();
    set.put(policy("shop", "web", &json!({"selector": {"matchLabels": {"app": "web"}}})));
    set.put(policy("shop", "all", &json!({})));
    set.put(policy("other", "all", &json!({})));
    set.put(of_cluster("prod", &json!({"namespaceSelector": {"matchLabels": {"stage": "prod"}}})));
    set.put(of_cluster("floor", &json!({"selector": {"matchLabels": {"app": "web"}}})));
    set.put_freeze(freeze("shop", "party", json!({})));
    set.put_freeze(freeze("", "holidays", json!({"namespaceSelector": {"matchLabels": {"stage": "prod"}}})));

    let (prod, test) = (labels(&[("stage", "prod")]), labels(&[("stage", "test")]));
    let (web, db) = (labels(&[("app", "web")]), labels(&[("app", "db")]));
    let (floor, all) = ("ClusterReleasePolicy floor", "ReleasePolicy shop/all");
    for (namespace, of_namespace, of_deployment, expected) in [
        (
            "shop",
            &prod,
            &web,
            vec![
                floor,
                "ClusterReleasePolicy prod",
                all,
                "ReleasePolicy shop/web",
                "ClusterFreeze holidays",
                "Freeze shop/party",
            ],
        ),
        ("shop", &test, &db, vec![all, "Freeze shop/party"]),
        ("shop", &test, &web, vec![floor, all, "ReleasePolicy shop/web", "Freeze shop/party"]),
        ("other", &test, &db, vec!["ReleasePolicy other/all"]),
        ("third", &test, &db, vec![]),
    ] {
        assert_eq!(names(&set.select(namespace, of_namespace, of_deployment)), expected, "{namespace}");
    }
}

#[test]
fn an_object_replaces_the_one_of_its_name_and_is_gone_when_it_is_removed() {
    let mut set = Set::default();
    set.put(policy("shop", "web", &json!({"limits": {"slots": 1}})));
    set.put(policy("shop", "web", &json!({"limits": {"slots": 2}})));
    set.put(of_cluster("web", &json!({})));
    set.put_freeze(freeze("shop", "web", json!({})));
    let slots = |set: &Set| set.select("shop", &Labels::new(), &Labels::new()).slots();
    let web = policy("shop", "web", &json!({})).reference.clone();
    assert_eq!(slots(&set), [(web.clone(), 2)]);

    set.remove(&web);
    assert_eq!(slots(&set), []);
    assert_eq!((set.policies().count(), set.freezes().count()), (1, 1));
    assert!(set.speaks_of("shop") && set.speaks_of("other"));
    set.remove(&PolicyRef { kind: PolicyKind::Freeze, ..web.clone() });
    set.remove(&PolicyRef { kind: PolicyKind::ClusterReleasePolicy, namespace: None, ..web });
    assert_eq!((set.policies().count(), set.freezes().count()), (0, 0));
    assert!(!set.speaks_of("shop"));
}

#[test]
fn what_cannot_be_obeyed_is_a_problem_at_its_field() {
    let spec = json!({
        "selector": {"matchLabels": {"a b": "c"}},
        "namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": []}]},
        "windows": [
            {"name": "good", "kind": "Allow", "schedule": "0 9 * * 1-5", "duration": "8h"},
            {"name": "bad", "kind": "Freeze", "schedule": "0 25 * * *", "duration": "1d", "timeZone": "Mars/Base"},
        ],
        "approvals": {"required": 1, "expireAfter": "soon"},
        "limits": {"minInterval": "5"},
        "soak": "0s",
        "checks": [
            {"name": "none"},
            {"name": "both", "promql": {"endpoint": "a", "query": "b"}, "job": {"cronJob": "c"}},
            {"name": "late", "job": {"cronJob": "c"}, "timeout": "2d"},
        ],
    });
    let policy = of_cluster("bad", &spec);
    let fields: Vec<_> = policy.problems.iter().map(|problem| &*problem.field).collect();
    assert_eq!(
        fields,
        [
            "spec.windows[1].schedule",
            "spec.windows[1].duration",
            "spec.windows[1].timeZone",
            "spec.checks[0]",
            "spec.checks[1]",
            "spec.checks[2].timeout",
            "spec.selector.matchLabels",
            "spec.namespaceSelector.matchExpressions[0].values",
            "spec.approvals.expireAfter",
            "spec.limits.minInterval",
            "spec.soak",
        ]
    );
    assert_eq!(policy.windows.len(), 1);
    // Whom it was meant for is not known: everybody's changes wait, rather than nobody's.
    let mut set = Set::default();
    set.put(policy);
    assert_eq!(set.select("shop", &Labels::new(), &Labels::new()).policies.len(), 1);
}

#[test]
fn a_freeze_that_cannot_be_read_freezes_more_rather_than_less() {
    let frost = freeze("shop", "bad", json!({"selector": {"matchLabels": {"a b": "c"}}}));
    assert_eq!(frost.problems[0].field, "spec.selector.matchLabels");
    let late = freeze("shop", "late", json!({"from": "2027-01-01T00:00:00Z"}));
    assert_eq!(late.problems[0].field, "spec.until");
    let mut set = Set::default();
    set.put_freeze(frost);
    assert_eq!(set.select("shop", &Labels::new(), &Labels::new()).freezes.len(), 1);
}

#[test]
fn what_stands_on_the_object_besides_its_rules_is_kept() {
    let object = json!({
        "metadata": {"namespace": "shop", "name": "web", "uid": "u", "generation": 3,
            "annotations": {"roadstead.dev/resume": "aaaaaaaaaa"}},
        "spec": {},
        "status": {"waiting": 2, "paused": {"since": "2026-12-01T10:00:00Z", "namespace": "shop",
            "deployment": "db", "change": "aaaaaaaaaa", "reason": "it failed"}},
    });
    let policy = Policy::of(&serde_json::from_value::<ReleasePolicy>(object).unwrap());
    assert_eq!((&*policy.uid, policy.generation, policy.status.waiting), ("u", 3, Some(2)));
    assert_eq!(policy.resume.as_deref(), Some("aaaaaaaaaa"));
    assert_eq!(policy.paused.map(|paused| paused.deployment).as_deref(), Some("db"));
    let object = json!({
        "metadata": {"namespace": "shop", "name": "sale", "generation": 4},
        "spec": {"reason": "r", "owner": "o", "until": "2026-12-01T10:00:00Z"},
        "status": {"waiting": 5},
    });
    let frost = Frost::of(&serde_json::from_value::<Freeze>(object).unwrap());
    assert_eq!((frost.generation, frost.status.waiting), (4, Some(5)));
}

#[test]
fn a_policy_of_endless_expressions_is_refused_before_they_are_read() {
    let validation = |at: usize| json!({"name": format!("v{at}"), "expression": format!("'{}' != ''", "a".repeat(10_000))});
    let of = |count: usize| {
        policy("shop", "long", &json!({"validations": (0..count).map(validation).collect::<Vec<_>>()}))
    };
    let read = of(6);
    assert!(read.problems.is_empty() && read.validations.len() == 6, "{:?}", read.problems);
    let refused = of(7);
    assert_eq!(refused.problems[0].field, "spec.validations");
    assert!(
        refused.problems[0].message.contains("at most 65536 bytes of expressions, not 70056"),
        "{:?}",
        refused.problems
    );
    assert!(refused.validations.is_empty());
}
