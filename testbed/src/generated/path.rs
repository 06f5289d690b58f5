//! What a request asks for: a kind by its path, a namespace, a name, and the few parameters that are understood.

use std::collections::BTreeMap;

use hyper::Uri;

/// A kind, all of it or some, or one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Path of the kind in all namespaces.
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    query: BTreeMap<String, String>,
}

impl Asked {
    /// Reads an address; `None` where it is none of an object or a list.
    pub(super) fn read(uri: &Uri) -> Option<Self> {
        let parts: Vec<_> = uri.path().trim_matches('/').split('/').collect();
        let (group, rest) = match parts[..] {
            ["api", version, ref rest @ ..] => (format!("/api/{version}"), rest),
            ["apis", group, version, ref rest @ ..] => (format!("/apis/{group}/{version}"), rest),
            _ => return None,
        };
        let (namespace, kind, name) = match *rest {
            ["namespaces", namespace, kind] => (Some(namespace), kind, None),
            ["namespaces", namespace, kind, name] => (Some(namespace), kind, Some(name)),
            [kind] => (None, kind, None),
            [kind, name] => (None, kind, Some(name)),
            _ => return None,
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let query = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        Some(Self {
            kind: format!("{group}/{kind}"),
            namespace: owned(namespace),
            name: owned(name),
            query: query.map(|(key, value)| (key.to_owned(), decoded(value))).collect(),
        })
    }

    /// A parameter that is there and not empty.
    pub(super) fn parameter(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a parameter says so.
    pub(super) fn is_set(&self, key: &str) -> bool {
        matches!(self.parameter(key), Some("true" | "1"))
    }

    /// The last word of the kind's path.
    pub(super) fn plural(&self) -> &str {
        self.kind.rsplit('/').next().unwrap_or_default()
    }
}

/// Percent-encoding and `+` undone.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.split_at_checked(2).and_then(|(code, tail)| {
            let code = u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok()?;
            Some((code, tail))
        });
        let (byte, tail) = match (first, code) {
            (b'%', Some((code, tail))) => (code, tail),
            (b'+', _) => (b' ', tail),
            (first, _) => (*first, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
