//! Label selectors, read as strictly as the API server reads those of a Deployment: one that can select nothing by a slip
//! of the pen would be a policy that holds nothing.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::core::Selector;

use super::Problem;

/// Longest prefix of a key, and longest name or value.
const LONGEST: (usize, usize) = (253, 63);

/// A selector; one that cannot be read selects everything, so that the problem shows where it matters.
pub(super) fn selector(field: &str, labels: Option<&LabelSelector>, problems: &mut Vec<Problem>) -> Selector {
    let Some(labels) = labels else { return Selector::default() };
    let before = problems.len();
    let mut wrong =
        |field: &str, message: String| problems.push(Problem { field: field.to_owned(), message });
    for (name, value) in labels.match_labels.iter().flatten() {
        let field = format!("{field}.matchLabels");
        if !is_key(name) {
            wrong(&field, format!("{:?} is no label key", shown(name)));
        }
        if !is_value(value) {
            wrong(&field, format!("{:?} is no label value", shown(value)));
        }
    }
    for (at, requirement) in labels.match_expressions.iter().flatten().enumerate() {
        if let Err((part, message)) = check(requirement) {
            wrong(&format!("{field}.matchExpressions[{at}].{part}"), message);
        }
    }
    if problems.len() > before {
        return Selector::default();
    }
    Selector::try_from(labels.clone()).unwrap_or_else(|error| {
        problems.push(Problem { field: field.to_owned(), message: error.to_string() });
        Selector::default()
    })
}

fn check(requirement: &LabelSelectorRequirement) -> Result<(), (&'static str, String)> {
    if !is_key(&requirement.key) {
        return Err(("key", format!("{:?} is no label key", shown(&requirement.key))));
    }
    let values = requirement.values.as_deref().unwrap_or_default();
    match (&*requirement.operator, values.is_empty()) {
        ("In" | "NotIn", true) => {
            return Err(("values", format!("{} needs at least one value", requirement.operator)));
        }
        ("Exists" | "DoesNotExist", false) => {
            return Err(("values", format!("{} takes no values", requirement.operator)));
        }
        ("In" | "NotIn", false) | ("Exists" | "DoesNotExist", true) => {}
        (other, _) => {
            let message = format!("{:?} is none: write In, NotIn, Exists or DoesNotExist", shown(other));
            return Err(("operator", message));
        }
    }
    match values.iter().find(|value| !is_value(value)) {
        Some(value) => Err(("values", format!("{:?} is no label value", shown(value)))),
        None => Ok(()),
    }
}

fn is_key(key: &str) -> bool {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let is_part = |part: &str| {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let bytes = part.as_bytes();
        bytes.iter().copied().all(is_inner)
            && !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    prefix.is_none_or(|prefix| prefix.len() <= LONGEST.0 && prefix.split('.').all(is_part))
        && !name.is_empty()
        && is_value(name)
}

fn is_value(value: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = value.as_bytes();
    let ends = [bytes.first(), bytes.last()].into_iter().flatten();
    value.len() <= LONGEST.1
        && bytes.iter().copied().all(is_inner)
        && ends.copied().all(|byte| byte.is_ascii_alphanumeric())
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use kube::core::SelectorExt as _;

    use super::*;
    use crate::set::Labels;

    fn read(yaml: serde_json::Value) -> (Selector, Vec<Problem>) {
        let mut problems = Vec::new();
        let labels = serde_json::from_value(yaml).unwrap();
        (selector("spec.selector", Some(&labels), &mut problems), problems)
    }

    #[test]
    fn what_can_select_nothing_by_a_slip_is_a_problem_at_its_field_and_selects_everything() {
        for (labels, field, why) in [
            (serde_json::json!({"matchLabels": {"app ": "web"}}), "matchLabels", "no label key"),
            (serde_json::json!({"matchLabels": {"": "web"}}), "matchLabels", "no label key"),
            (serde_json::json!({"matchLabels": {"Shop.example/app": "web"}}), "matchLabels", "no label key"),
            (serde_json::json!({"matchLabels": {"a/b/c": "web"}}), "matchLabels", "no label key"),
            (serde_json::json!({"matchLabels": {"app": "web shop"}}), "matchLabels", "no label value"),
            (serde_json::json!({"matchLabels": {"app": "x".repeat(64)}}), "matchLabels", "no label value"),
            (
                serde_json::json!({"matchExpressions": [{"key": "app", "operator": "in", "values": ["a"]}]}),
                "matchExpressions[0].operator",
                "write In, NotIn",
            ),
            (
                serde_json::json!({"matchExpressions": [{"key": "app", "operator": "In"}]}),
                "matchExpressions[0].values",
                "at least one value",
            ),
            (
                serde_json::json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": []}]}),
                "matchExpressions[0].values",
                "at least one value",
            ),
            (
                serde_json::json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
                "matchExpressions[0].values",
                "takes no values",
            ),
        ] {
            let (selector, problems) = read(labels.clone());
            assert_eq!(problems.len(), 1, "{labels}");
            assert_eq!(problems[0].field, format!("spec.selector.{field}"), "{labels}");
            assert!(problems[0].message.contains(why), "{labels}: {}", problems[0].message);
            assert!(selector.matches(&Labels::new()), "{labels}");
        }
    }

    #[test]
    fn selectors_select_as_those_of_kubernetes() {
        let labels: Labels =
            [("app".into(), "web".into()), ("example.com/tier".into(), String::new())].into();
        for (selector, selected) in [
            (serde_json::json!({}), true),
            (serde_json::json!({"matchLabels": {"app": "web"}}), true),
            (serde_json::json!({"matchLabels": {"app": "web", "other": "x"}}), false),
            (serde_json::json!({"matchLabels": {"example.com/tier": ""}}), true),
            (
                serde_json::json!({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["x"]}]}),
                true,
            ),
            (serde_json::json!({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}), false),
        ] {
            let (read, problems) = read(selector.clone());
            assert_eq!(problems, [], "{selector}");
            assert_eq!(read.matches(&labels), selected, "{selector}");
        }
    }
}
