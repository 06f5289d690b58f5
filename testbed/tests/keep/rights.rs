//! What keeping the identities needs of Kubernetes: what docs/security.md says. Every test here gets by with it.

use serde_json::{Value, json};

/// API group, resource, verbs, which objects.
type Grant = (&'static str, &'static str, &'static [&'static str], Which);

#[derive(Clone, Copy)]
enum Which {
    All,
    Secrets,
    Servers,
}

const PARTS: [&str; 9] =
    ["keys", "callout", "certs", "executor", "guest", "metrics", "server", "uninstall", "webhook"];

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
            Which::Secrets => ", nine by name",
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

#[test]
fn the_chart_grants_these_rights() {
    let template = include_str!("../../../charts/roadstead/templates/certs/rbac.yaml");
    let parts = PARTS.map(|part| format!("{{{{ $name }}}}-{part}")).join(", ");
    for line in [
        format!("resourceNames: [{parts}]"),
        "verbs: [get, list, watch, update]".to_owned(),
        "resourceNames: [{{ $name }}]\n  verbs: [get, patch]".to_owned(),
    ] {
        assert!(template.contains(&line), "templates/certs/rbac.yaml lacks {line:?}");
    }
}
