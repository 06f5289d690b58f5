//! The chart installs the definitions that the types say, and they are what the API server accepts and people can read.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

use std::{fs, path::Path};

use policy::resource::definitions;
use serde_json::Value;

/// Every schema below this one, with its path.
fn schemas(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    found.push((path.to_owned(), schema.clone()));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        schemas(property, &format!("{path}.{name}"), found);
    }
    if schema["items"].is_object() {
        schemas(&schema["items"], &format!("{path}[]"), found);
    }
    if schema["additionalProperties"].is_object() {
        schemas(&schema["additionalProperties"], &format!("{path}{{}}"), found);
    }
}

fn all() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (plural, definition) in definitions() {
        let definition = serde_json::to_value(definition).unwrap();
        schemas(&definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &plural, &mut found);
    }
    found
}

/// Whether a schema is of a user's own part: the status is ours.
fn is_spec(path: &str) -> bool {
    path.contains(".spec.")
}

#[test]
fn the_chart_has_the_definitions_as_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/roadstead/files/crds");
    let definitions = definitions();
    for (plural, definition) in &definitions {
        let text = fs::read_to_string(folder.join(format!("{plural}.yaml"))).unwrap_or_default();
        let written: Value = serde_norway::from_str(&text).unwrap();
        let now = serde_json::to_value(definition).unwrap();
        assert!(written == now, "{plural}.yaml is older than the types: cargo run -p policy --example crds");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), definitions.len(), "a file is of no kind");
}

#[test]
fn every_field_says_what_it_is_for() {
    for (path, schema) in all().iter().filter(|(path, _)| !path.ends_with("[]") && !path.ends_with("{}")) {
        // kubectl says these three by itself.
        if ["apiVersion", "kind", "metadata"].iter().any(|own| path.ends_with(&format!("es.{own}"))) {
            continue;
        }
        let text = schema["description"].as_str().unwrap_or_default();
        assert!(!text.is_empty() && !text.contains('\n'), "{path}: {text:?}");
    }
}

#[test]
fn the_schemas_are_structural_and_bounded() {
    for (path, schema) in all() {
        for keyword in ["anyOf", "oneOf", "allOf", "not", "x-kubernetes-preserve-unknown-fields"] {
            assert!(schema.get(keyword).is_none(), "{path} has {keyword}: {schema}");
        }
        if !path.ends_with(".metadata") {
            assert!(schema["type"].is_string(), "{path} has no type: {schema}");
        }
        if !is_spec(&path) {
            continue;
        }
        let of = |keyword: &str| schema.get(keyword).is_some();
        match schema["type"].as_str().unwrap() {
            "string" => assert!(of("maxLength") || of("enum") || of("format"), "{path}: {schema}"),
            "array" => assert!(of("maxItems") && of("x-kubernetes-list-type"), "{path}: {schema}"),
            "integer" => assert!(of("minimum") && of("maximum"), "{path}: {schema}"),
            _ => {}
        }
    }
}
