//! The files that a cluster needs, as Kubernetes Secrets: one a component, and one for the servers. Keys are not among
//! them, but for the two that the callout signs with: the others stay in the folder.

use std::{fs, path::PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use contract::access::Role;
use serde_json::{Map, Value, json};

use super::{Folder, IdentityError};

/// Key of a component's Secret that holds what it connects with.
pub const CREDS: &str = "nats.creds";
/// Key of the servers' Secret that holds what they include.
pub const RESOLVER: &str = "resolver.conf";

/// A List of Secrets to be applied in `namespace`; their names begin with `prefix`.
///
/// # Errors
/// When a file of [`Folder::ensure`] cannot be read.
pub fn secrets(folder: &Folder, namespace: &str, prefix: &str) -> Result<Value, IdentityError> {
    let secret = |name: &str, files: &[(&str, PathBuf)]| {
        let data = files.iter().map(|(key, path)| {
            let file_error = |source| IdentityError::File { path: path.clone(), action: "read", source };
            let text = fs::read(path).map_err(file_error)?;
            Ok(((*key).to_owned(), BASE64_STANDARD.encode(text).into()))
        });
        let data: Map<String, Value> = data.collect::<Result<_, IdentityError>>()?;
        Ok::<_, IdentityError>(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {
                "name": format!("{prefix}-nats-{name}"), "namespace": namespace,
                "labels": {"app.kubernetes.io/name": "roadstead", "app.kubernetes.io/managed-by": "roadstead-certs"},
            },
            "data": data,
        }))
    };
    let mut items = Vec::new();
    for role in Role::ALL.into_iter().filter(|role| role.is_component()) {
        let mut files = vec![(CREDS, folder.component(role))];
        let notary = folder.notary_files();
        if role == Role::Callout {
            files.extend(notary.iter().filter_map(|path| Some((path.file_name()?.to_str()?, path.clone()))));
        }
        items.push(secret(role.as_str(), &files)?);
    }
    items.push(secret("server", &[(RESOLVER, folder.resolver())])?);
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}))
}
