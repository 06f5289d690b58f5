//! The files that a cluster needs, by the Secrets that bring them: one a component, and one for the servers. Keys are
//! not among them, but for the two that the callout signs with: the others stay in the folder.

use std::{collections::BTreeMap, path::PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use contract::access::Role;
use serde_json::{Map, Value, json};

use super::{Folder, IdentityError, file::absent};
use crate::secrets::labels;

/// Key of a component's Secret that holds what it connects with.
pub const CREDS: &str = "nats.creds";
/// Key of the servers' Secret that holds what they include.
pub const RESOLVER: &str = "resolver.conf";
/// The Secret of the servers.
pub const SERVER: &str = "server";

/// Texts by the keys of a Secret.
pub type Texts = BTreeMap<String, String>;

/// What the Secret of each component and of the servers holds, by what its name ends with.
///
/// # Errors
/// When a file of [`Folder::ensure`] cannot be read.
pub fn contents(folder: &Folder) -> Result<BTreeMap<&'static str, Texts>, IdentityError> {
    let texts = |files: Vec<(&str, PathBuf)>| {
        let text = |path: PathBuf| folder.read(&path)?.ok_or_else(|| absent(&path));
        let texts = files.into_iter().map(|(key, path)| Ok((key.to_owned(), text(path)?)));
        texts.collect::<Result<Texts, IdentityError>>()
    };
    let mut contents = BTreeMap::new();
    for role in Role::ALL.into_iter().filter(|role| role.is_component()) {
        let mut files = vec![(CREDS, folder.component(role))];
        let notary = folder.notary_files();
        if role == Role::Callout {
            files.extend(notary.iter().filter_map(|path| Some((path.file_name()?.to_str()?, path.clone()))));
        }
        contents.insert(role.as_str(), texts(files)?);
    }
    contents.insert(SERVER, texts(vec![(RESOLVER, folder.resolver())])?);
    Ok(contents)
}

/// A List of these Secrets to be applied in `namespace`; their names begin with `prefix`.
///
/// # Errors
/// As [`contents`].
pub fn secrets(folder: &Folder, namespace: &str, prefix: &str) -> Result<Value, IdentityError> {
    let secret = |(part, texts): (&str, Texts)| {
        let encoded = |(key, text): (String, String)| (key, BASE64_STANDARD.encode(text).into());
        let data: Map<String, Value> = texts.into_iter().map(encoded).collect();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {
                "name": format!("{prefix}-nats-{part}"), "namespace": namespace, "labels": labels(prefix),
            },
            "data": data,
        })
    };
    let items: Vec<_> = contents(folder)?.into_iter().map(secret).collect();
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}))
}
