//! Whether this machine lets a node start: it needs root, cgroups, and some abilities of the kernel. Each is tried, in
//! namespaces of their own, because no file says it reliably.

use std::path::Path;
use std::process::{Command, Stdio};

use super::cgroups::hierarchies;

/// What is tried, and how.
const TRIALS: [(&str, &str); 4] = [
    ("bridges", "ip link add name bridge0 type bridge"),
    ("pairs of virtual interfaces", "ip link add name veth0 type veth peer name veth1"),
    ("nftables", "nft add table inet t"),
    (
        "overlay file systems",
        "mount -t tmpfs tmpfs /mnt && mkdir /mnt/l /mnt/u /mnt/w /mnt/m && \
         mount -t overlay overlay -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w /mnt/m",
    ),
];

/// What is missing here, each in words; empty where a node can start. Installs packages of Debian that are missing.
#[must_use]
pub fn missing() -> Vec<String> {
    if !rustix::process::geteuid().is_root() {
        return vec!["only root may make namespaces and cgroups".to_owned()];
    }
    let mut missing = Vec::new();
    if let Err(error) = hierarchies() {
        missing.push(format!("{error:#}"));
    }
    match packages() {
        Ok(()) => missing.extend(
            TRIALS
                .iter()
                .filter_map(|(what, script)| tried(script).err().map(|why| format!("no {what}: {why}"))),
        ),
        Err(why) => missing.push(why),
    }
    missing
}

fn packages() -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/build.sh");
    let installed = Command::new(script).arg("packages").stdin(Stdio::null()).stdout(Stdio::null()).status();
    match installed {
        Ok(status) if status.success() => Ok(()),
        _ => {
            Err("packages of Debian are missing and cannot be installed; the reason stands above".to_owned())
        }
    }
}

fn tried(script: &str) -> Result<(), String> {
    let namespaces = ["--mount", "--propagation=private", "--net", "--pid", "--fork", "--kill-child=KILL"];
    let ended =
        Command::new("unshare").args(namespaces).args(["sh", "-c", script]).stdin(Stdio::null()).output();
    let ended = ended.map_err(|error| format!("unshare: {error}"))?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(said.lines().next().unwrap_or("it failed without a word").to_owned())
}
