//! Every subject of the contract, in two clusters and two namespaces, and those that somebody would try who is up to
//! no good: other people's inboxes, all of JetStream's API, the servers' own subjects, wildcards.

use anyhow::Result;
use contract::{
    Lane, Phase,
    access::{Names, Role},
    stream::{self, LEASES, STREAMS},
    subject::{self, ChangeSubject},
};

/// Clusters and namespaces; the users belong to the first of each, and one to the second namespace.
pub(super) const CLUSTERS: [&str; 2] = ["east", "west"];
pub(super) const NAMESPACES: [&str; 2] = ["shop", "pay"];

/// Calls of JetStream's API about a stream.
const OF_STREAM: [&str; 18] = [
    "STREAM.INFO",
    "STREAM.CREATE",
    "STREAM.UPDATE",
    "STREAM.DELETE",
    "STREAM.PURGE",
    "STREAM.MSG.GET",
    "STREAM.MSG.DELETE",
    "STREAM.SNAPSHOT",
    "STREAM.RESTORE",
    "STREAM.PEER.REMOVE",
    "STREAM.LEADER.STEPDOWN",
    "CONSUMER.LIST",
    "CONSUMER.NAMES",
    "CONSUMER.CREATE",
    "DIRECT.GET",
    "DIRECT.GET.LAST",
    "STREAM.TEMPLATE.CREATE",
    "STREAM.TEMPLATE.DELETE",
];

/// About a consumer of it.
const OF_CONSUMER: [&str; 8] = [
    "CONSUMER.CREATE",
    "CONSUMER.DURABLE.CREATE",
    "CONSUMER.INFO",
    "CONSUMER.DELETE",
    "CONSUMER.PAUSE",
    "CONSUMER.RESET",
    "CONSUMER.UNPIN",
    "CONSUMER.MSG.NEXT",
];

/// About the account or the servers.
const OF_NOTHING: [&str; 8] = [
    "$JS.API.INFO",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.NAMES",
    "$JS.API.META.LEADER.STEPDOWN",
    "$JS.API.SERVER.REMOVE",
    "$JS.API.ACCOUNT.PURGE.ROADSTEAD",
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.CONSUMER.CREATE.MINE",
];

/// The servers' own.
const SYSTEM: [&str; 16] = [
    "$SYS.REQ.CLAIMS.UPDATE",
    "$SYS.REQ.CLAIMS.DELETE",
    "$SYS.REQ.CLAIMS.LIST",
    "$SYS.REQ.CLAIMS.PACK",
    "$SYS.REQ.ACCOUNT.ROADSTEAD.CLAIMS.UPDATE",
    "$SYS.REQ.ACCOUNT.ROADSTEAD.CLAIMS.LOOKUP",
    "$SYS.REQ.ACCOUNT.ROADSTEAD.CONNZ",
    "$SYS.REQ.SERVER.PING",
    "$SYS.REQ.SERVER.PING.STATSZ",
    "$SYS.REQ.SERVER.PING.JSZ",
    "$SYS.REQ.SERVER.PING.HEALTHZ",
    "$SYS.REQ.SERVER.PING.CONNZ",
    "$SYS.REQ.SERVER.PING.VARZ",
    "$SYS.REQ.SERVER.X.RELOAD",
    "$SYS.REQ.SERVER.X.KICK",
    "$SYS.ACCOUNT.ROADSTEAD.CONNECT",
];

/// What is only ever subscribed.
const WIDE: [&str; 16] = [
    ">",
    "*",
    "*.>",
    "roadstead.>",
    "roadstead.*.>",
    "roadstead.event.>",
    "roadstead.event.*.shop.>",
    "roadstead.event.east.*.*.held",
    "roadstead.event.east.*.web.held",
    "_INBOX.>",
    "_INBOX_executor.>",
    "_INBOX_namespace.east.>",
    "$KV.ROADSTEAD_LEASES.>",
    "$JS.API.>",
    "$JS.ACK.>",
    "$SYS.>",
];

/// What is published: none has a wildcard that means one.
pub(super) fn published() -> Result<Vec<String>> {
    let mut subjects = Vec::new();
    for cluster in CLUSTERS {
        for namespace in NAMESPACES {
            let change = ChangeSubject {
                cluster: cluster.into(),
                lane: Lane::Urgent,
                namespace: namespace.into(),
                name: "web.v2".into(),
            };
            subjects.extend([change.encode()?, change.wake()?, change.schedule()?]);
            for phase in Phase::ALL {
                subjects.push(subject::event(cluster, namespace, "web", phase)?);
            }
            subjects.extend([
                subject::progress(cluster, namespace, "web")?,
                subject::dead(cluster, namespace, "web")?,
                subject::queue(cluster, namespace)?,
                format!("apps.{namespace}.web.updated"),
                format!("roadstead.command.{namespace}.web"),
            ]);
        }
        subjects.extend([format!("$KV.{LEASES}.slots.{cluster}"), format!("$KV.{LEASES}.lease.{cluster}")]);
        subjects.extend(inboxes(cluster).map(|inbox| inbox.replace('>', "forged")));
    }
    subjects
        .extend(["apps.*.web.updated", "roadstead.command.*.web", "roadstead", "other"].map(str::to_owned));
    subjects.extend(calls());
    subjects.extend(SYSTEM.map(str::to_owned));
    Ok(subjects)
}

/// What is subscribed: all that is published, whole streams and clusters, and more.
pub(super) fn subscribed() -> Result<Vec<String>> {
    let mut subjects = published()?;
    for cluster in CLUSTERS {
        subjects.extend([
            subject::all_changes(cluster)?,
            subject::all_wakes(cluster)?,
            subject::all_queues(cluster)?,
            subject::all_schedules(cluster)?,
        ]);
        subjects.extend(NAMESPACES.map(|namespace| format!("roadstead.event.{cluster}.{namespace}.>")));
        subjects.extend(inboxes(cluster));
    }
    subjects.extend(STREAMS.iter().flat_map(|stream| stream.subjects).map(|subject| (*subject).to_owned()));
    subjects.extend(WIDE.map(str::to_owned));
    Ok(subjects)
}

/// The inboxes of everybody.
fn inboxes(cluster: &str) -> impl Iterator<Item = String> {
    let users = Role::ALL.into_iter().flat_map(|role| NAMESPACES.map(|namespace| (role, namespace)));
    users.map(move |(role, namespace)| role.inbox(&Names { cluster, namespace, user: "jane" }))
}

fn calls() -> Vec<String> {
    let mut calls: Vec<_> = OF_NOTHING.map(str::to_owned).into();
    let leases = format!("KV_{LEASES}");
    for stream in STREAMS.map(|stream| stream.name).into_iter().chain([leases.as_str()]) {
        calls.extend(OF_STREAM.map(|call| format!("$JS.API.{call}.{stream}")));
        let consumer = stream::consumer("east", Lane::Normal, 3);
        calls.extend(OF_CONSUMER.map(|call| format!("$JS.API.{call}.{stream}.{consumer}")));
        calls.extend([
            format!("$JS.API.CONSUMER.CREATE.{stream}.{consumer}.roadstead.change.east.normal.3.>"),
            format!("$JS.API.DIRECT.GET.{stream}.roadstead.event.east.shop.web.held"),
            format!("$JS.API.DIRECT.GET.{stream}.$KV.{LEASES}.slots.east"),
            format!("$JS.ACK.{stream}.{consumer}.1.1.1.1.1"),
            format!("$JS.ACK._.hash.{stream}.{consumer}.1.1.1.1.1"),
            format!("$JS.FC.{stream}.{consumer}.1"),
        ]);
    }
    calls
}
