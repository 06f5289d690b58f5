//! Who wrote which version: the API server's audit log says for each write who asked for it, and its answer carries
//! the resourceVersion, which is etcd's revision.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind};
use std::path::Path;

use serde::Deserialize;

use super::history::Revision;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    user: User,
    #[serde(default)]
    response_object: Option<Answer>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    resource_version: Option<String>,
}

/// Who wrote the version of each revision. A request that changes nothing is answered with the version that is there,
/// so several may claim one: the executor is believed, else the first.
///
/// # Errors
/// When the log cannot be read.
pub(super) fn writers(path: &Path, executor: &str) -> anyhow::Result<BTreeMap<Revision, String>> {
    let mut writers = BTreeMap::new();
    let log = match File::open(path) {
        Ok(log) => BufReader::new(log),
        // Nothing was written yet.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(writers),
        Err(error) => return Err(error.into()),
    };
    for line in log.lines() {
        // A line that the API server did not finish before it was killed says nothing.
        let Ok(event) = serde_json::from_str::<Event>(&line?) else { continue };
        let version = event.response_object.and_then(|answer| answer.metadata.resource_version);
        let Some(revision) = version.and_then(|version| version.parse().ok()) else { continue };
        let user = event.user.username;
        if user == executor {
            writers.insert(revision, user);
        } else {
            writers.entry(revision).or_insert(user);
        }
    }
    Ok(writers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executor_is_believed_else_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let line = |user: &str, version: &str| {
            serde_json::json!({
                "user": { "username": user }, "responseObject": { "metadata": { "resourceVersion": version } },
            })
            .to_string()
        };
        let refused =
            r#"{"user": {"username": "jane"}, "responseObject": {"kind": "Status", "metadata": {}}}"#;
        let log = [
            &line("jane", "7"),
            &line("executor", "7"),
            &line("jane", "8"),
            &line("joe", "8"),
            refused,
            "{cut",
        ];
        std::fs::write(&path, log.join("\n")).unwrap();
        let writers = writers(&path, "executor").unwrap();
        assert_eq!(writers, BTreeMap::from([(7, "executor".to_owned()), (8, "jane".to_owned())]));
        assert!(super::writers(&dir.path().join("none"), "x").unwrap().is_empty());
    }
}
