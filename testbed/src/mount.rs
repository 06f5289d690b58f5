//! A mounted Secret: what the kubelet does for a pod that mounts one. Each version gets a folder of its own, and one
//! rename of the link `..data` makes all its files current at once.
//! <https://github.com/kubernetes/kubernetes/blob/master/pkg/volume/util/atomic_writer.go>

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::{WatchStreamExt as _, watcher::watch_object};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::task::JoinSet;

/// The link that is swapped, and its name before.
const DATA: &str = "..data";
const NEW: &str = "..data_tmp";

/// A mounted Secret; it goes stale, and stays, when this is dropped.
#[derive(Debug)]
pub struct Mount {
    _task: JoinSet<()>,
}

impl Mount {
    /// Mounts a Secret, which may come later, and follows it. `late`: how long after a change the files follow.
    #[must_use]
    pub fn start(secrets: Api<Secret>, name: &str, folder: PathBuf, late: Duration) -> Self {
        let mut versions = watch_object(secrets, name).default_backoff().boxed();
        let mut task = JoinSet::new();
        task.spawn(async move {
            while let Some(version) = versions.next().await {
                // A Secret that is deleted leaves the files as they are; an interrupted watch goes on by itself.
                let Ok(Some(secret)) = version else { continue };
                tokio::time::sleep(late).await;
                if let Err(error) = write(&folder, &secret) {
                    eprintln!("testbed: cannot write the Secret into {}: {error}", folder.display());
                }
            }
        });
        Self { _task: task }
    }
}

fn write(folder: &Path, secret: &Secret) -> anyhow::Result<()> {
    let form = format_description!("..[year]_[month]_[day]_[hour]_[minute]_[second].[subsecond digits:9]");
    let version = OffsetDateTime::now_utc().format(form)?;
    let old = match fs::read_link(folder.join(DATA)) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    fs::create_dir_all(folder.join(&version))?;
    let data = secret.data.iter().flatten();
    for (name, bytes) in data.clone() {
        fs::write(folder.join(&version).join(name), &bytes.0)?;
    }
    symlink(&version, folder.join(NEW))?;
    fs::rename(folder.join(NEW), folder.join(DATA))?;
    for (name, _) in data.filter(|(name, _)| folder.join(name).symlink_metadata().is_err()) {
        symlink(Path::new(DATA).join(name), folder.join(name))?;
    }
    Ok(old.map_or(Ok(()), |old| fs::remove_dir_all(folder.join(old)))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;

    use super::*;

    fn secret(text: &str) -> Secret {
        let data = BTreeMap::from([("tls.crt".to_owned(), ByteString(text.into()))]);
        Secret { data: Some(data), ..Secret::default() }
    }

    #[test]
    fn each_version_takes_the_place_of_the_one_before_by_one_link() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tls.crt");
        for text in ["one", "two", "three"] {
            write(folder.path(), &secret(text)).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::read_link(&file).unwrap(), Path::new("..data/tls.crt"));
            // The link, the file's link and one folder: what was before is gone.
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        }
    }
}
