//! The cgroups of a node: one folder in each hierarchy of version 1, which becomes the root of what the node sees. The
//! kubelet makes those of its pods below it, and nothing of them is left when the node is gone.
//! <https://docs.kernel.org/admin-guide/cgroup-v1/cgroups.html>

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::eventually::eventually;

/// Begin of the names of our folders.
const PREFIX: &str = "roadstead-node-";
/// What the kubelet and runc cannot do without.
const NEEDED: [&str; 7] = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "pids"];
/// A new cgroup of this controller has neither processors nor memory until it is told.
const CPUSET: [&str; 2] = ["cpuset.cpus", "cpuset.mems"];
/// How long the kernel may take to bury the processes of a cgroup.
const BURIED: Duration = Duration::from_secs(10);

/// A hierarchy: where it is mounted, and what it is mounted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) mounted: PathBuf,
    /// Controllers, or `name=systemd`.
    pub(super) options: Vec<String>,
}

/// The hierarchies of this machine.
///
/// # Errors
/// When they lack what a node needs; the message says what.
pub(super) fn hierarchies() -> anyhow::Result<Vec<Hierarchy>> {
    let known = fs::read_to_string("/proc/self/cgroup").context("cannot read /proc/self/cgroup")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
    let found = parse(&known, &mounts);
    let has = |controller: &&str| found.iter().any(|h| h.options.iter().any(|option| option == controller));
    let missing: Vec<_> = NEEDED.iter().filter(|controller| !has(controller)).copied().collect();
    if missing.is_empty() {
        return Ok(found);
    }
    bail!(
        "no cgroup hierarchy of version 1 with {} (version 2 alone is not supported yet)",
        missing.join(", ")
    )
}

/// `known`: lines `<number>:<controllers>:<path>`. `mounts`: lines `… <root> <mounted> … - cgroup cgroup <options>`.
fn parse(known: &str, mounts: &str) -> Vec<Hierarchy> {
    let known: Vec<&str> = known.lines().filter_map(|line| line.split(':').nth(1)).collect();
    let known: Vec<&str> = known.iter().flat_map(|controllers| controllers.split(',')).collect();
    let hierarchy = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let options = after.strip_prefix("cgroup ")?.split(' ').next_back()?;
        let options = options.split(',').filter(|option| !option.is_empty() && known.contains(option));
        let options: Vec<_> = options.map(str::to_owned).collect();
        let mounted = PathBuf::from(before.split(' ').nth(4)?);
        (!options.is_empty()).then_some(Hierarchy { mounted, options })
    };
    let mut found: Vec<Hierarchy> = Vec::new();
    for hierarchy in mounts.lines().filter_map(hierarchy) {
        // The same hierarchy can be mounted twice.
        if !found.iter().any(|other| other.options == hierarchy.options) {
            found.push(hierarchy);
        }
    }
    found
}

/// The cgroups of one node.
#[derive(Debug)]
pub(super) struct Cgroups(Vec<PathBuf>);

impl Cgroups {
    /// Makes them, after removing what killed keepers left.
    pub(super) fn create(hierarchies: &[Hierarchy], id: &str) -> anyhow::Result<Self> {
        for hierarchy in hierarchies {
            sweep(&hierarchy.mounted);
        }
        let mut made = Self(Vec::new());
        for hierarchy in hierarchies {
            let folder = hierarchy.mounted.join(format!("{PREFIX}{id}"));
            fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            made.0.push(folder.clone());
            if hierarchy.options.iter().any(|option| option == "cpuset") {
                for file in CPUSET {
                    let all = fs::read(hierarchy.mounted.join(file))?;
                    fs::write(folder.join(file), all).with_context(|| format!("cannot set {file}"))?;
                }
            }
        }
        Ok(made)
    }

    /// The files that take a process in.
    pub(super) fn doors(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|folder| folder.join("cgroup.procs").display().to_string())
    }

    /// Waits until no process is left in them, and removes them.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        eventually("the cgroups of the node are empty and removed", BURIED, async || {
            self.0.iter().try_for_each(|folder| remove(folder))
        })
        .await
    }
}

/// Removes a cgroup with those below it.
fn remove(folder: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(folder).with_context(|| format!("cannot remove {}", folder.display()))
}

/// Removes cgroups without processes: those with some are another node's, and cannot be removed.
fn sweep(mounted: &Path) {
    let entries = fs::read_dir(mounted).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        if populated(&entry.path()) == Some(false) {
            let _ = remove(&entry.path());
        }
    }
}

/// Whether a process is in a cgroup or below it; `None` where it is just being removed.
fn populated(folder: &Path) -> Option<bool> {
    let own = fs::read_to_string(folder.join("cgroup.procs")).ok()?;
    let mut below = fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.path().is_dir());
    Some(!own.trim().is_empty() || below.any(|entry| populated(&entry.path()) != Some(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_found_with_what_they_are_mounted_with() {
        let known = "12:cpu,cpuacct:/\n3:name=systemd:/x\n0::/\n";
        let mounts = "\
            29 25 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n\
            30 29 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct\n\
            31 29 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n\
            32 29 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
            33 29 0:27 / /again rw - cgroup cgroup rw,cpu,cpuacct\n";
        let found = parse(known, mounts);
        let options = |hierarchy: &Hierarchy| hierarchy.options.join(",");
        assert_eq!(found.iter().map(options).collect::<Vec<_>>(), ["cpu,cpuacct", "name=systemd"]);
        assert_eq!(found[0].mounted, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
    }
}
