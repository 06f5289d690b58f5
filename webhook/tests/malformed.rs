//! Every way in which a review can be wrong: the sender is told the field, and nothing panics.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

use serde_json::{Value, json};
use webhook::{
    gate,
    hold::{self, NoPolicies, Settings},
    review::{Malformed, Request},
};

/// A review of an update that nothing is wrong with.
fn update() -> Value {
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "u", "generation": 3, "annotations": {"a": "b"}},
        "spec": {
            "replicas": 6, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
        },
    });
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "r", "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "name": "web", "namespace": "shop", "operation": "UPDATE", "userInfo": {"username": "jane"},
            "object": object, "oldObject": object,
        },
    })
}

fn create() -> Value {
    let mut review = update();
    review["request"]["operation"] = json!("CREATE");
    review["request"]["oldObject"] = Value::Null;
    review
}

/// The review with one member replaced.
fn with(mut review: Value, pointer: &str, value: Value) -> String {
    *review.pointer_mut(pointer).expect(pointer) = value;
    review.to_string()
}

/// The review with a piece of its text replaced, for what a tree cannot hold.
fn rewritten(review: &Value, from: &str, to: &str) -> String {
    let text = review.to_string();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn judge(body: &[u8]) -> Result<(), Malformed> {
    let request = Request::parse(body)?;
    hold::decide(&request, &Settings { warnings: true }, &NoPolicies)?;
    gate::growth(&request).map(drop)
}

/// Each body is refused with a sentence that says this.
fn refused<const N: usize>(cases: [(String, &str); N]) {
    for (body, says) in cases {
        let problem = judge(body.as_bytes()).expect_err(says).to_string();
        assert!(problem.contains(says), "{problem:?} does not say {says:?}");
        assert!(problem.len() < 1000 && !problem.contains('\n'), "{problem:?}");
    }
}

#[test]
fn nothing_is_wrong_with_what_the_cases_begin_from() {
    judge(update().to_string().as_bytes()).unwrap();
    judge(create().to_string().as_bytes()).unwrap();
}

#[test]
fn what_is_no_review() {
    refused([
        ("no json".into(), "not an AdmissionReview"),
        (String::new(), "not an AdmissionReview"),
        ("null".into(), "not an AdmissionReview"),
        (update().to_string() + "{}", "trailing characters"),
        (with(update(), "/kind", json!("Pod")), "Pod of admission.k8s.io/v1 is not supported"),
        (with(update(), "/apiVersion", json!("admission.k8s.io/v1beta1")), "v1beta1 is not supported"),
        (with(update(), "/kind", json!("x".repeat(10_000))), "is not supported"),
        (with(update(), "/request", Value::Null), "request is missing"),
        (with(update(), "/request", json!("\n".repeat(10_000))), "request: invalid type"),
    ]);
}

#[test]
fn the_uid_and_the_operation() {
    refused([
        (rewritten(&update(), r#","uid":"r""#, ""), "request: missing field `uid`"),
        (with(update(), "/request/uid", json!("")), "request.uid: must have 1 to 128 bytes"),
        (with(update(), "/request/uid", json!("u".repeat(129))), "request.uid: must have 1 to 128 bytes"),
        (with(update(), "/request/uid", json!(7)), "request.uid: invalid type: integer `7`"),
        (with(update(), "/request/operation", json!("APPLY")), "request.operation: must be CREATE"),
        (with(update(), "/request/resource/group", json!(7)), "request.resource.group: invalid type"),
        (with(update(), "/request/userInfo/username", json!(7)), "request.userInfo.username: invalid type"),
    ]);
}

#[test]
fn objects_that_are_not_there() {
    refused([
        (with(create(), "/request/object", Value::Null), "request.object is missing"),
        (with(update(), "/request/object", Value::Null), "request.object is missing"),
        (with(update(), "/request/oldObject", Value::Null), "request.oldObject is missing"),
        (
            with(update(), "/request/object/metadata", Value::Null),
            "request.object.metadata: invalid type: null",
        ),
        (with(update(), "/request/object/spec", json!({})), "request.object.spec: missing field `template`"),
        (
            with(update(), "/request/object/spec/template", Value::Null),
            "request.object.spec.template: must be",
        ),
        (
            with(update(), "/request/oldObject/spec/template", json!(7)),
            "request.oldObject.spec.template: must be",
        ),
    ]);
}

#[test]
fn a_key_that_stands_twice() {
    let gates = r#""roadstead.dev/gate":"open","roadstead.dev/gate":"closed""#;
    let kinds = r#""kind":"AdmissionReview","kind":"AdmissionReview""#;
    refused([
        (rewritten(&update(), r#""kind":"AdmissionReview""#, kinds), "duplicate field `kind`"),
        (rewritten(&update(), r#""uid":"r""#, r#""uid":"r","uid":"s""#), "duplicate field `uid`"),
        (rewritten(&update(), r#""username":"jane""#, r#""username":"a","username":"b""#), "`username`"),
        (rewritten(&update(), r#""generation":3"#, r#""generation":3,"generation":4"#), "field `generation`"),
        (
            rewritten(&update(), r#""replicas":6"#, r#""replicas":6,"replicas":7"#),
            "duplicate field `replicas`",
        ),
        (
            rewritten(&update(), r#""type":"Roll"#, r#""type":"Recreate","type":"Roll"#),
            "duplicate field `type`",
        ),
        (rewritten(&update(), r#""maxSurge":"#, r#""maxSurge":0,"maxSurge":"#), "duplicate field `maxSurge`"),
        (rewritten(&update(), r#""annotations":{"#, r#""annotations":{},"annotations":{"#), "`annotations`"),
        (rewritten(&update(), r#""a":"b""#, gates), r#""roadstead.dev/gate" stands twice"#),
        (rewritten(&create(), r#""containers":[]"#, r#""containers":[],"containers":[]"#), "stands twice"),
    ]);
}

#[test]
fn values_of_a_wrong_type() {
    let replicas = |value| with(update(), "/request/object/spec/replicas", value);
    let surge = |value| with(update(), "/request/object/spec/strategy/rollingUpdate/maxSurge", value);
    let surge_says = "request.object.spec.strategy.rollingUpdate.maxSurge: invalid ";
    let annotations = |value| with(update(), "/request/object/metadata/annotations", value);
    refused([
        (replicas(json!(6.0)), "request.object.spec.replicas: invalid type: floating point `6.0`"),
        (replicas(json!("6")), "request.object.spec.replicas: invalid type: string"),
        (replicas(json!(1_u64 << 31)), "request.object.spec.replicas: invalid value: integer `2147483648`"),
        (surge(json!(0.0)), surge_says),
        (surge(json!(1_u64 << 31)), surge_says),
        (
            with(update(), "/request/object/spec/strategy/type", json!(7)),
            "request.object.spec.strategy.type: ",
        ),
        (with(update(), "/request/object/metadata/generation", json!("3")), "object.metadata.generation: "),
        (with(update(), "/request/oldObject/metadata/uid", json!([])), "request.oldObject.metadata.uid: "),
        (annotations(json!({"roadstead.dev/gate": 7})), "object.metadata.annotations.roadstead.dev/gate: "),
        (annotations(json!("x")), "request.object.metadata.annotations: invalid type"),
    ]);
}

#[test]
fn an_array_in_place_of_an_object() {
    let array = |pointer| with(update(), pointer, json!([]));
    let owners = |owner| {
        with(update(), "/request/object/metadata/annotations", Value::Null).replacen(
            r#""annotations":null"#,
            &format!(r#""ownerReferences":[{owner}]"#),
            1,
        )
    };
    refused([
        (format!("[{}]", update()), "not an AdmissionReview: invalid type: sequence"),
        (array("/request"), "request: invalid type: sequence, expected an object"),
        (array("/request/resource"), "request.resource: invalid type: sequence, expected an object"),
        (array("/request/userInfo"), "request.userInfo: invalid type: sequence, expected an object"),
        (array("/request/object"), "request.object: invalid type: sequence, expected an object"),
        (array("/request/oldObject"), "request.oldObject: invalid type: sequence, expected an object"),
        (array("/request/object/metadata"), "request.object.metadata: invalid type: sequence"),
        (
            array("/request/object/metadata/annotations"),
            "request.object.metadata.annotations: invalid type: sequence",
        ),
        (array("/request/object/spec"), "request.object.spec: invalid type: sequence, expected an object"),
        (array("/request/object/spec/template"), "request.object.spec.template: must be an object"),
        (array("/request/object/spec/strategy"), "request.object.spec.strategy: invalid type: sequence"),
        (
            array("/request/object/spec/strategy/rollingUpdate"),
            "request.object.spec.strategy.rollingUpdate: invalid type: sequence",
        ),
        (
            owners(r#"["Deployment","web","u",true]"#),
            "request.object.metadata.ownerReferences[0]: invalid type: sequence",
        ),
    ]);
}

#[test]
fn names_that_differ_between_the_request_and_its_objects() {
    refused([
        (
            with(update(), "/request/name", json!("api")),
            r#"request.object.metadata.name: is not request.name, "api""#,
        ),
        (
            with(update(), "/request/oldObject/metadata/name", json!("api")),
            "request.oldObject.metadata.name: is not",
        ),
        (with(update(), "/request/namespace", json!("pay")), "request.object.metadata.namespace: is not"),
        (with(update(), "/request/name", Value::Null), "request.object.metadata.name: is not"),
    ]);
    // The name is generated after the webhook has answered.
    let mut generated = create();
    generated["request"]["name"] = json!("");
    generated["request"]["object"]["metadata"] = json!({"generateName": "web-"});
    judge(generated.to_string().as_bytes()).unwrap();
}

#[test]
fn nesting_without_end_and_bytes_that_are_no_text() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_template = rewritten(&create(), r#""containers":[]"#, &format!(r#""containers":{deep}"#));
    refused([
        ("[".repeat(1_000_000), "not an AdmissionReview"),
        (deep_template, "spec.template: recursion limit exceeded"),
        (
            rewritten(&update(), r#""replicas":6"#, &format!(r#""replicas":{deep}"#)),
            "spec.replicas: invalid type",
        ),
    ]);
    let mut body = update().to_string().into_bytes();
    // Also where it is skipped.
    let at = body.windows(3).position(|bytes| bytes == b"\"b\"").unwrap() + 1;
    body[at] = 0xff;
    assert!(judge(&body).unwrap_err().to_string().contains("invalid utf-8"));
}
