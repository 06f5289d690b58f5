//! The subjects of each role. A call of JetStream's API is a subject too: what is not here cannot be asked for.
//! <https://docs.nats.io/reference/reference-protocols/nats_api_reference>

use super::{Access, Names, Role};
use crate::{
    Phase,
    stream::{CHANGES, DEAD, EVENTS, LEASES, STREAMS, WAKE},
};

/// The streams whose messages the executor takes.
const CONSUMED: [&str; 2] = [CHANGES, WAKE];

/// What the servers tell of themselves.
const FIGURES: [&str; 3] = ["STATSZ", "JSZ", "HEALTHZ"];

/// Bringing servers the accounts, seeing which certificate they show, and having them read their files again.
const CARE: [&str; 3] = ["$SYS.REQ.CLAIMS.UPDATE", "$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.SERVER.*.RELOAD"];

/// Where servers ask who a client is.
/// <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_callout>
pub(super) const QUESTIONS: &str = "$SYS.REQ.USER.AUTH";

pub(super) fn of(role: Role, names: &Names<'_>) -> Access {
    let (publish, mut subscribe) = match role {
        Role::Callout => {
            let subscribe = vec![QUESTIONS.to_owned()];
            return Access { subscribe, answers: true, ..Access::default() };
        }
        Role::Guest => return Access::default(),
        Role::Webhook => (webhook(names), vec![]),
        Role::Executor => executor(names),
        Role::Operator => operator(names),
        Role::Reader => reader(names),
        Role::Namespace => namespace(names),
        Role::Certs => (CARE.map(str::to_owned).to_vec(), vec![]),
        Role::Uninstall => (deleted_streams(), vec![]),
        Role::Metrics => (FIGURES.map(|figure| format!("$SYS.REQ.SERVER.PING.{figure}")).to_vec(), vec![]),
    };
    subscribe.push(role.inbox(names));
    Access { publish, subscribe, answers: false }
}

fn webhook(Names { cluster, .. }: &Names<'_>) -> Vec<String> {
    let mut publish = vec![
        format!("roadstead.change.{cluster}.>"),
        format!("roadstead.event.{cluster}.*.*.{}", Phase::Held),
    ];
    publish.extend(made_streams());
    publish.push(format!("$JS.API.STREAM.MSG.GET.{CHANGES}"));
    publish
}

fn executor(Names { cluster, .. }: &Names<'_>) -> (Vec<String>, Vec<String>) {
    let slots = format!("$KV.{LEASES}.slots.{cluster}");
    let mut publish: Vec<_> = ["event", "dead", "queue", "wake", "schedule"]
        .map(|kind| format!("roadstead.{kind}.{cluster}.>"))
        .into();
    publish.push(slots.clone());
    // The client asks for the limits of the account before it makes a bucket.
    publish.push("$JS.API.INFO".to_owned());
    publish.extend(made_streams());
    publish.extend(made(&format!("KV_{LEASES}")));
    publish.push(format!("$JS.API.DIRECT.GET.KV_{LEASES}.$KV.{LEASES}.slots.{cluster}"));
    publish.extend([CHANGES, WAKE, EVENTS, DEAD].map(|stream| format!("$JS.API.STREAM.MSG.GET.{stream}")));
    for stream in CONSUMED {
        publish.extend([
            format!("$JS.API.CONSUMER.LIST.{stream}"),
            format!("$JS.API.CONSUMER.CREATE.{stream}"),
            format!("$JS.API.CONSUMER.CREATE.{stream}.>"),
            format!("$JS.API.CONSUMER.INFO.{stream}.*"),
            format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.*"),
            // The second form names the domain and the account of the stream.
            format!("$JS.ACK.{stream}.>"),
            format!("$JS.ACK.*.*.{stream}.>"),
        ]);
    }
    let mut subscribe: Vec<_> =
        ["change", "wake", "event", "queue"].map(|kind| format!("roadstead.{kind}.{cluster}.>")).into();
    subscribe.push(slots);
    (publish, subscribe)
}

fn operator(Names { cluster, .. }: &Names<'_>) -> (Vec<String>, Vec<String>) {
    let mut publish = vec!["apps.*.*.updated".to_owned(), "roadstead.command.*.*".to_owned()];
    publish.extend(["INFO", "STREAM.LIST", "STREAM.NAMES"].map(|call| format!("$JS.API.{call}")));
    for stream in STREAMS.map(|stream| stream.name) {
        publish.extend([
            format!("$JS.API.STREAM.INFO.{stream}"),
            format!("$JS.API.STREAM.MSG.GET.{stream}"),
            format!("$JS.API.CONSUMER.LIST.{stream}"),
            format!("$JS.API.CONSUMER.INFO.{stream}.*"),
        ]);
    }
    let subscribe =
        ["change", "wake", "event", "dead", "queue"].map(|kind| format!("roadstead.{kind}.{cluster}.>"));
    (publish, subscribe.into())
}

/// What happened, and how the queue does. Not the changes and the dead letters: they hold whole Deployments.
fn reader(Names { cluster, .. }: &Names<'_>) -> (Vec<String>, Vec<String>) {
    let mut publish: Vec<_> =
        STREAMS.iter().map(|stream| format!("$JS.API.STREAM.INFO.{}", stream.name)).collect();
    publish.push(format!("$JS.API.STREAM.MSG.GET.{EVENTS}"));
    publish.extend(CONSUMED.map(|stream| format!("$JS.API.CONSUMER.LIST.{stream}")));
    let subscribe = ["event", "queue"].map(|kind| format!("roadstead.{kind}.{cluster}.>"));
    (publish, subscribe.into())
}

/// Core messages only: the server answers a call of JetStream's API on whatever subject the caller names, also where
/// the caller may not publish.
fn namespace(Names { cluster, namespace, .. }: &Names<'_>) -> (Vec<String>, Vec<String>) {
    let publish = vec![format!("apps.{namespace}.*.updated"), format!("roadstead.command.{namespace}.*")];
    let subscribe = vec![
        format!("roadstead.event.{cluster}.{namespace}.>"),
        format!("roadstead.queue.{cluster}.{namespace}"),
    ];
    (publish, subscribe)
}

/// Looking up every stream, and making the one that is missing.
fn made_streams() -> Vec<String> {
    STREAMS.iter().flat_map(|stream| made(stream.name)).collect()
}

fn made(stream: &str) -> [String; 2] {
    ["INFO", "CREATE"].map(|call| format!("$JS.API.STREAM.{call}.{stream}"))
}

/// Deleting every stream that Roadstead makes, the bucket's included.
fn deleted_streams() -> Vec<String> {
    let leases = format!("KV_{LEASES}");
    let streams = STREAMS.iter().map(|stream| stream.name).chain([leases.as_str()]);
    streams.map(|stream| format!("$JS.API.STREAM.DELETE.{stream}")).collect()
}
