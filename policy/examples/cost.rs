//! What the expressions of twenty policies cost in one review: `cargo run --release -p policy --example cost`.
//! Prints the time of a review and its steps; the time is the machine's, the steps are not.

use std::{collections::BTreeMap, time::Instant};

use policy::expression::{Expression, Json, MAX_STEPS_OF_A_REVIEW, Subject, Yields};

const REVIEWS: u32 = 20_000;

/// Four of the usual kind; each of twenty policies has one.
const SOURCES: [&str; 4] = [
    "object.spec.template.spec.containers.all(c, c.image.startsWith('registry.test/'))",
    "object.spec.replicas >= 1 && object.spec.replicas <= 50",
    "object.metadata.?labels[?'team'].orValue('') != ''",
    "object.spec.template.spec.containers.all(c, quantity(c.resources.limits.memory).compareTo(quantity('2Gi')) <= 0)",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env = (0..60).map(|at| serde_json::json!({ "name": format!("NAME_{at}"), "value": "x".repeat(40) }));
    let container = |name: &str| {
        serde_json::json!({
            "name": name, "image": format!("registry.test/{name}:1"), "env": env.clone().collect::<Vec<_>>(),
            "resources": { "limits": { "memory": "512Mi", "cpu": "1" } },
        })
    };
    let fields = (0..40).map(|at| (format!("f:field-{at}"), serde_json::json!({ ".": {}, "f:name": {} })));
    let object = serde_json::json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": "web", "namespace": "shop", "labels": { "app": "web", "team": "shop" },
            "managedFields": [{ "fieldsV1": fields.collect::<serde_json::Map<_, _>>(), "manager": "kubectl" }],
        },
        "spec": { "replicas": 3, "template": { "spec": { "containers": [container("web"), container("side")] } } },
    })
    .to_string();
    let compiled = SOURCES.iter().cycle().take(20).map(|source| Expression::compile(source, Yields::Bool));
    let expressions = compiled.collect::<Result<Vec<_>, _>>()?;
    let labels = BTreeMap::new();
    let mut steps = 0;
    let begun = Instant::now();
    for _ in 0..REVIEWS {
        let subject = Subject::submitted(&object, None, Json::Text("{}"), "shop", &labels);
        for expression in &expressions {
            if !expression.holds(&subject)? {
                return Err(format!("does not hold: {}", expression.source()).into());
            }
        }
        steps = MAX_STEPS_OF_A_REVIEW - subject.steps_left();
    }
    println!(
        "{} bytes, 20 expressions, {steps} steps: {:?} a review",
        object.len(),
        begun.elapsed() / REVIEWS
    );
    Ok(())
}
