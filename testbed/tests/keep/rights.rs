//! What keeping the identities needs of Kubernetes: what docs/security.md says. Every test here gets by with it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use testbed::{release::Release, run::Tool, tools::Tools};

/// API group, resource, verbs, which objects.
type Grant = (&'static str, &'static str, &'static [&'static str], Which);

#[derive(Clone, Copy)]
enum Which {
    All,
    Secrets,
    Servers,
}

const PARTS: [&str; 10] =
    ["keys", "callout", "certs", "executor", "guest", "metrics", "reader", "server", "uninstall", "webhook"];

const GRANTS: [Grant; 3] = [
    ("", "secrets", &["get", "list", "watch", "update"], Which::Secrets),
    // A name cannot limit what is created.
    ("", "secrets", &["create"], Which::All),
    ("apps", "statefulsets", &["get", "patch"], Which::Servers),
];

/// The rules of the Role.
pub(crate) fn rules(prefix: &str) -> Value {
    let rules = GRANTS.map(|(group, resource, verbs, which)| {
        let names = match which {
            Which::All => vec![],
            Which::Secrets => PARTS.map(|part| format!("{prefix}-nats-{part}")).into(),
            Which::Servers => vec![format!("{prefix}-nats")],
        };
        json!({"apiGroups": [group], "resources": [resource], "verbs": verbs, "resourceNames": names})
    });
    json!(rules)
}

#[test]
fn the_documentation_names_these_rights() {
    let rows = GRANTS.map(|(group, resource, verbs, which)| {
        let group = if group.is_empty() { "core" } else { group };
        let named = match which {
            Which::All => "",
            Which::Secrets => ", ten by name",
            Which::Servers => ", one by name",
        };
        format!(
            "| certs (`nats keep`) | {group} | `{resource}` | {} | the release's namespace{named} |\n",
            verbs.join(", ")
        )
    });
    let documented = include_str!("../../../docs/security.md");
    assert!(documented.contains(&rows.concat()), "docs/security.md lacks these rows:\n{}", rows.concat());
}

#[tokio::test]
async fn the_chart_grants_these_rights_and_no_others() -> Result<()> {
    let helm = Tool { program: Tools::locate()?.path("helm"), args: vec![], env: vec![] };
    let chart = Release::chart().display().to_string();
    // Whoever else keeps the webhook's certificate, so that no Secret of it is among them.
    let shown = ["--set=certificates.mode=certManager", "--show-only=templates/certs/rbac.yaml"];
    let template = [&["template", "roadstead", &chart, "--namespace=roadstead"], &shown[..]].concat();
    let rendered = helm.run(&template, None).await?.ok()?;
    let objects = rendered.split("\n---\n").map(serde_norway::from_str::<Value>);
    let objects = objects.collect::<Result<Vec<_>, _>>()?;
    let mut granted = objects
        .into_iter()
        .find_map(|mut object| (object["kind"] == "Role").then(|| object["rules"].take()))
        .context("the chart has no Role")?;
    let mut needed = rules("roadstead");
    for rule in [&mut granted, &mut needed].into_iter().filter_map(Value::as_array_mut).flatten() {
        let names = rule["resourceNames"].take();
        let mut names: Vec<String> = serde_json::from_value(names).unwrap_or_default();
        names.sort();
        rule["resourceNames"] = json!(names);
    }
    ensure!(granted == needed, "granted {granted}, needed {needed}");
    Ok(())
}
