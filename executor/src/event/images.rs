//! What a change does to the images of a Deployment, in the words of a note: `app web:1 → web:2`. Pure.

use std::{collections::BTreeMap, fmt::Write as _};

use serde_json::Value;

/// Container name → image, init containers included.
fn images(template: &Value) -> BTreeMap<&str, &str> {
    let lists = ["initContainers", "containers"].map(|list| template["spec"][list].as_array());
    let containers = lists.into_iter().flatten().flatten();
    containers
        .filter_map(|container| Some((container["name"].as_str()?, container["image"].as_str()?)))
        .collect()
}

/// Names the images that differ between two pod templates; `old` is absent where nothing ran before.
pub(crate) fn changes(old: Option<&Value>, new: &Value) -> String {
    let (before, after) = (old.map(images).unwrap_or_default(), images(new));
    let mut text = String::new();
    let mut name = |container: &str, old: Option<&&str>, new: Option<&&str>| {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = match (old, new) {
            (Some(old), Some(new)) => write!(text, "{separator}{container} {old} → {new}"),
            (None, Some(new)) => write!(text, "{separator}{container} {new}"),
            (Some(old), None) => write!(text, "{separator}{container} {old} → none"),
            (None, None) => Ok(()),
        };
    };
    for (container, new) in &after {
        let old = before.get(container);
        if old != Some(new) {
            name(container, old, Some(new));
        }
    }
    for (container, old) in before.iter().filter(|(container, _)| !after.contains_key(*container)) {
        name(container, Some(old), None);
    }
    if text.is_empty() { "the template changed, no image".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(containers: &[(&str, &str)]) -> Value {
        let containers: Vec<_> =
            containers.iter().map(|(name, image)| json!({"name": name, "image": image})).collect();
        json!({"spec": {"containers": containers}})
    }

    #[test]
    fn a_note_names_what_differs() {
        let old = template(&[("app", "web:1"), ("proxy", "envoy:1")]);
        for (what, new, text) in [
            ("one image", template(&[("app", "web:2"), ("proxy", "envoy:1")]), "app web:1 → web:2"),
            (
                "one more, one less",
                template(&[("app", "web:1"), ("log", "log:1")]),
                "log log:1, proxy envoy:1 → none",
            ),
            ("none", old.clone(), "the template changed, no image"),
        ] {
            assert_eq!(changes(Some(&old), &new), text, "{what}");
        }
        assert_eq!(changes(None, &old), "app web:1, proxy envoy:1");
        let init =
            json!({"spec": {"initContainers": [{"name": "init", "image": "init:1"}], "containers": null}});
        assert_eq!(changes(None, &init), "init init:1");
    }
}
