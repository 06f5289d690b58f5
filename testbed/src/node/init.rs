//! The first process inside a node's namespaces: gives it file systems and a network of its own, starts its parts, and
//! buries what they leave behind. It ends with the first part that ends, and everything inside with it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};
use rustix::process::{WaitOptions, wait};
use rustix::system::sethostname;

use super::cgroups::{Hierarchy, hierarchies};
use super::commands::NODE_NAME;
use super::plan::Plan;
use crate::control_plane::identities::NODE;
use crate::eventually::{PATIENCE, eventually};
use crate::process::Spec;

/// Subcommand of `testbed node`.
pub(super) const COMMAND: &str = "init";
/// Folders that the node writes to and the machine must not: hidden by empty ones.
pub(super) const OWN: [&str; 3] = ["/run", "/var/lib", "/var/log"];
/// The kubelet writes these, and they are the whole machine's. It is shown files that hold its values already.
const SYSCTLS: [(&str, &str); 3] =
    [("kernel/panic", "10"), ("kernel/panic_on_oops", "1"), ("vm/overcommit_memory", "1")];
/// The node's address is on a bridge of its own, because an address on loopback cannot be reached from pods.
const BRIDGE: &str = "node0";

type Parts = Arc<Mutex<BTreeMap<i32, String>>>;

/// Starts the node of this folder. Does not return while it runs.
///
/// # Errors
/// When a part cannot be started or ends.
pub(super) async fn init(folder: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(std::process::id() == 1, "this is for the first process of a namespace");
    let plan = Plan::read(folder)?;
    file_systems(&hierarchies()?)?;
    network()?;
    let parts = Parts::default();
    start(&plan.first, &parts)?;
    let (tell, ended) = tokio::sync::oneshot::channel();
    let started = Arc::clone(&parts);
    std::thread::spawn(move || tell.send(first_end(&started)));
    let rest = async {
        eventually("kube-apiserver is ready", 2 * PATIENCE, async || plan.api.get(&plan.api.ready).await)
            .await?;
        start(&plan.then, &parts)?;
        std::future::pending::<anyhow::Result<()>>().await
    };
    tokio::select! {
        rest = rest => rest,
        ended = ended => anyhow::bail!("{}", ended.unwrap_or_else(|_| "the one who buries is gone".to_owned())),
    }
}

fn file_systems(hierarchies: &[Hierarchy]) -> anyhow::Result<()> {
    sethostname(NODE_NAME.as_bytes())?;
    // Shared only with the containers inside: the namespace itself is private.
    mount_change("/", MountPropagationFlags::SHARED | MountPropagationFlags::REC)?;
    fresh("sysfs", "/sys", None)?;
    fresh("tmpfs", "/sys/fs/cgroup", Some("mode=755"))?;
    for hierarchy in hierarchies {
        let name = hierarchy.mounted.file_name().context("a hierarchy is mounted in a folder with a name")?;
        let path = Path::new("/sys/fs/cgroup").join(name);
        fs::create_dir(&path)?;
        let named = hierarchy.options.iter().any(|option| option.starts_with("name="));
        let options = if named { "none," } else { "" }.to_owned() + &hierarchy.options.join(",");
        fresh("cgroup", &path.display().to_string(), Some(&options))?;
    }
    for folder in OWN {
        fresh("tmpfs", folder, Some("mode=755"))?;
    }
    fs::create_dir("/run/lock")?;
    for (name, value) in SYSCTLS {
        let file = format!("/run/{}", name.replace('/', "-"));
        fs::write(&file, value)?;
        mount_bind(&file, format!("/proc/sys/{name}"))?;
    }
    Ok(())
}

fn fresh(kind: &str, on: &str, options: Option<&str>) -> anyhow::Result<()> {
    let options = options.map(std::ffi::CString::new).transpose()?;
    mount(kind, on, kind, MountFlags::empty(), options.as_deref())
        .with_context(|| format!("cannot mount {kind} on {on}"))
}

fn network() -> anyhow::Result<()> {
    let address = format!("{NODE}/24");
    for args in [
        &["link", "set", "lo", "up"][..],
        &["link", "add", BRIDGE, "type", "bridge"],
        &["addr", "add", &address, "dev", BRIDGE],
        &["link", "set", BRIDGE, "up"],
        // Services have addresses that no interface has: without a route nobody would send to them.
        &["route", "add", "default", "dev", BRIDGE],
    ] {
        let ended = Command::new("ip").args(args).status().context("cannot run ip")?;
        anyhow::ensure!(ended.success(), "ip {}: {ended}", args.join(" "));
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    // Absent where bridged traffic does not pass the packet filter, which is as good with one node.
    let bridged = "/proc/sys/net/bridge/bridge-nf-call-iptables";
    if Path::new(bridged).exists() {
        fs::write(bridged, "1")?;
    }
    Ok(())
}

fn start(specs: &[Spec], parts: &Parts) -> anyhow::Result<()> {
    for spec in specs {
        let log = File::options().create(true).append(true).open(&spec.log)?;
        let mut command = Command::new(&spec.program);
        command.args(&spec.args).env_clear().envs(spec.env.iter().cloned()).stdin(Stdio::null());
        // Held while it starts, so that nobody buries a part that has no name yet.
        let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
        let child = command.stdout(log.try_clone()?).stderr(log).spawn();
        let child = child.with_context(|| format!("cannot start {}", spec.program.display()))?;
        parts.insert(i32::try_from(child.id())?, spec.name.clone());
    }
    Ok(())
}

/// Waits for every process that ends, until one of them is a part.
fn first_end(parts: &Parts) -> String {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => {
                let parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(name) = parts.get(&pid.as_raw_nonzero().get()) {
                    return format!("{name} ended: {status:?}; its log says why");
                }
            }
            // A signal, or no child just now.
            Ok(None) | Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}
