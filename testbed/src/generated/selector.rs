//! Label selectors: `a=b`, `a==b`, `a!=b`, `a`, `!a`, joined by commas. Sets are refused, because no client of ours
//! writes them.

use serde_json::Value;

/// What a list or a watch is limited to.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector(Vec<Requirement>);

#[derive(Clone, Debug)]
struct Requirement {
    key: String,
    /// `None`: any value.
    value: Option<String>,
    /// Whether it must not be so.
    not: bool,
}

impl Selector {
    /// Reads a selector; `None` where it is not understood.
    pub(super) fn read(text: &str) -> Option<Self> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(Requirement::read).collect::<Option<_>>().map(Self)
    }

    /// Whether an object with these labels is meant.
    pub(super) fn selects(&self, labels: &Labels) -> bool {
        self.0.iter().all(|one| one.not != one.is_so(labels))
    }
}

impl Requirement {
    fn read(part: &str) -> Option<Self> {
        if part.contains(['(', ')', ' ']) {
            return None;
        }
        let of = |key: &str, value: Option<&str>, not| Self {
            key: key.to_owned(),
            value: value.map(str::to_owned),
            not,
        };
        Some(if let Some((key, value)) = part.split_once("!=") {
            of(key, Some(value), true)
        } else if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            of(key, Some(value), false)
        } else if let Some(key) = part.strip_prefix('!') {
            of(key, None, true)
        } else {
            of(part, None, false)
        })
    }

    fn is_so(&self, labels: &Labels) -> bool {
        labels
            .iter()
            .any(|(key, value)| *key == self.key && self.value.as_ref().is_none_or(|own| own == value))
    }
}

/// The labels of an object.
pub(super) type Labels = Box<[(String, String)]>;

/// Takes them from an object.
pub(super) fn labels(object: &Value) -> Labels {
    let map = object["metadata"]["labels"].as_object().into_iter().flatten();
    map.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}
