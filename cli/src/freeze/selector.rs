//! A label selector as kubectl takes it after `-l`, as the field of an object. Pure.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

/// Reads `app=web,tier!=cache,env in (a,b),!old`. What the labels may be is the API server's to say.
///
/// # Errors
/// What cannot be read in it.
pub fn parse(text: &str) -> Result<LabelSelector, String> {
    let (mut labels, mut expressions) = (BTreeMap::new(), Vec::new());
    for part in parts(text) {
        let unread = || {
            format!(
                "{part:?} is no part of a selector: app=web, app!=web, app in (a,b), app notin (a,b), app or !app"
            )
        };
        let mut require = |key: &str, operator: &str, values: Option<Vec<String>>| {
            let key = key.trim();
            let is_word = !key.is_empty() && !key.contains([' ', '!', '=', '(', ')']);
            let requirement =
                LabelSelectorRequirement { key: key.to_owned(), operator: operator.to_owned(), values };
            is_word.then(|| expressions.push(requirement)).ok_or_else(unread)
        };
        if let Some((key, value)) = part.split_once("!=") {
            require(key, "NotIn", Some(vec![word(value).ok_or_else(unread)?]))?;
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            let value = word(value).ok_or_else(unread)?;
            let same = labels.insert(key.trim().to_owned(), value.clone());
            if word(key).is_none_or(|key| key.is_empty()) || same.is_some_and(|same| same != value) {
                return Err(unread());
            }
        } else if let Some(rest) = part.strip_suffix(')') {
            let (head, values) = rest.split_once('(').ok_or_else(unread)?;
            let values = values.split(',').map(word).collect::<Option<Vec<_>>>().ok_or_else(unread)?;
            let (key, operator) = head.trim().rsplit_once(' ').ok_or_else(unread)?;
            let operator = match operator {
                "in" => "In",
                "notin" => "NotIn",
                _ => return Err(unread()),
            };
            require(key, operator, Some(values))?;
        } else if let Some(key) = part.strip_prefix('!') {
            require(key, "DoesNotExist", None)?;
        } else {
            require(part, "Exists", None)?;
        }
    }
    let match_labels = (!labels.is_empty()).then_some(labels);
    let match_expressions = (!expressions.is_empty()).then_some(expressions);
    Ok(LabelSelector { match_labels, match_expressions })
}

/// Parts between commas, but for those in brackets.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let cut = move |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    };
    text.split(cut).map(str::trim)
}

/// A value of a label; it may be empty.
fn word(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.contains([' ', '!', '=', '(', ')', ','])).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_is_read_as_kubectl_reads_it() {
        let read = parse("app=web, tier==front,env!=test,zone in (a, b),kind notin (c),owner,!old").unwrap();
        assert_eq!(
            serde_json::to_value(read).unwrap(),
            json!({
                "matchLabels": {"app": "web", "tier": "front"},
                "matchExpressions": [
                    {"key": "env", "operator": "NotIn", "values": ["test"]},
                    {"key": "zone", "operator": "In", "values": ["a", "b"]},
                    {"key": "kind", "operator": "NotIn", "values": ["c"]},
                    {"key": "owner", "operator": "Exists"},
                    {"key": "old", "operator": "DoesNotExist"},
                ],
            })
        );
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in [
            "",
            "=web",
            "app=web,",
            "app in a",
            "app within (a)",
            "app=a=b",
            "a b",
            "!",
            "app=a,app=b",
            "(a)",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
