//! The tables of fields in docs/policies/README.md, from the definitions.

use serde_json::Value;

/// Each table by the word in its markers.
pub fn tables() -> Vec<(&'static str, String)> {
    let of = |plural: &str, part: &str| {
        let definitions = policy::resource::definitions();
        let definition = definitions.into_iter().find(|(of, _)| of == plural);
        let definition =
            serde_json::to_value(definition.map(|(_, definition)| definition)).unwrap_or_default();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part];
        let mut table = "| field | value | meaning |\n|---|---|---|\n".to_owned();
        rows(schema, "", &mut table);
        table
    };
    vec![
        ("policies", of("clusterreleasepolicies", "spec")),
        ("freezes", of("clusterfreezes", "spec")),
        ("status of policies", of("releasepolicies", "status")),
        ("status of freezes", of("freezes", "status")),
    ]
}

/// The page with its tables as they are now.
pub fn page(page: &str) -> String {
    tables().into_iter().fold(page.to_owned(), |page, (word, table)| {
        let (begin, end) = (format!("<!-- fields of {word} -->\n"), format!("<!-- end of {word} -->\n"));
        let Some((before, rest)) = page.split_once(&begin) else { return page };
        let Some((_, after)) = rest.split_once(&end) else { return page };
        [before, &begin, &table, &end, after].concat()
    })
}

fn rows(schema: &Value, path: &str, table: &mut String) {
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|of| of == name));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let meaning = field["description"].as_str().unwrap_or_default().replace('|', "\\|");
        let must = if required(name) { ", required" } else { "" };
        *table += &["| `", &path, "` | ", &value(name, field), must, " | ", &meaning, " |\n"].concat();
        if is_selector(name) || name == "conditions" {
            continue;
        }
        rows(field, &path, table);
        rows(&field["items"], &format!("{path}[]"), table);
    }
}

fn is_selector(name: &str) -> bool {
    name == "selector" || name == "namespaceSelector"
}

/// What may stand there.
fn value(name: &str, field: &Value) -> String {
    let default = |value: &Value| if *value == field["default"] { " (default)" } else { "" };
    if is_selector(name) {
        return "label selector".to_owned();
    }
    if let Some(values) = field["enum"].as_array() {
        let words =
            values.iter().map(|value| format!("`{}`{}", value.as_str().unwrap_or_default(), default(value)));
        return words.collect::<Vec<_>>().join(", ");
    }
    match field["type"].as_str().unwrap_or_default() {
        "boolean" => "`false` (default), `true`".to_owned(),
        "integer" if field["maximum"].is_number() => {
            format!("{} to {}", whole(&field["minimum"]), whole(&field["maximum"]))
        }
        "integer" => "number".to_owned(),
        "array" => match field["maxItems"].as_i64() {
            Some(most) => format!("list, at most {most}"),
            None => "list".to_owned(),
        },
        "string" if field["format"] == "date-time" => "time, such as `2027-01-02T08:00:00Z`".to_owned(),
        "string" if field["x-kubernetes-validations"].to_string().contains("duration(self)") => {
            "duration, `1s` to `8760h`".to_owned()
        }
        "string" => match field["maxLength"].as_i64() {
            Some(most) => format!("text, at most {most} characters"),
            None => "text".to_owned(),
        },
        kind => kind.to_owned(),
    }
}

/// Limits are floating-point numbers in a definition.
fn whole(number: &Value) -> String {
    number.as_f64().map(|number| format!("{number:.0}")).unwrap_or_default()
}
