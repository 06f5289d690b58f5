//! `kubectl roadstead uninstall`: Roadstead gets out of the way, in the order in which nothing is held again: what holds
//! goes first, then who releases, then every gate opens, then what was made at run time goes. It needs no part of
//! Roadstead to be alive, goes on where a single step fails, and may be run again at any time.

mod args;
mod configurations;
mod definitions;
mod deployments;
mod guard;
mod leftovers;
mod made;
mod open;
mod progress;
mod release;
mod streams;
mod tried;
mod work;
mod workloads;

use tokio::time::Instant;

pub use self::args::Uninstall;
pub use self::release::Release;
use self::work::Work;
use crate::{connection, failure::Failure, screen::Screen};

/// Gets a release out of the cluster.
///
/// # Errors
/// When the API server cannot be reached, the release is another one than meant, or something is left to be done.
pub async fn run(args: &Uninstall, screen: &mut Screen) -> Result<(), Failure> {
    let connection = connection::open(&args.access, Some(&args.namespace)).await?;
    let release = Release::new(&args.release, &args.namespace, args.fullname.as_deref());
    let began = Instant::now();
    let client = connection.client.clone();
    let mut work = Work {
        client,
        dry_run: args.dry_run,
        began,
        until: began + args.timeout,
        screen,
        done: 0,
        left: vec![],
    };
    let home = guard::look(&work, &release, &connection.server).await?;

    configurations::delete(&mut work, &release).await;
    let deleted = Instant::now();
    if home.is_there {
        workloads::stop(&mut work, &release, args.pods_timeout).await;
    }
    deployments::open(&mut work, &args.namespaces, deleted).await;
    // Before the credentials go that are in a Secret.
    if args.streams && args.nats.has_way_in() {
        streams::delete(&mut work, &args.nats, &args.nats_cluster).await;
    }
    if args.crds {
        definitions::delete(&mut work).await;
    }
    let kept = if home.is_there {
        made::delete(&mut work, &release, args.streams).await
    } else {
        leftovers::delete(&mut work, &release).await;
        vec![]
    };
    end(&mut work, &release, home.is_there, &kept)
}

/// Says how it ended, and what to type next.
fn end(work: &mut Work<'_>, release: &Release, is_there: bool, kept: &[String]) -> Result<(), Failure> {
    let Release { name, namespace, .. } = release;
    if !kept.is_empty() {
        let kept = kept.join(", ");
        work.tell(&format!("kept for the queue and the history: {kept}; with --streams they go as well\n"));
    }
    if !work.left.is_empty() {
        let left = work.left.join("\n  ");
        return Err(Failure::Partly(format!(
            "this is left, and Roadstead is not out of the way of it:\n  {left}\nMend what stands in the way, and run \
             the same command again. By hand: docs/break-glass.md"
        )));
    }
    let text = match work.done {
        _ if work.dry_run => "nothing was done: --dry-run\n".to_owned(),
        0 => format!("nothing of release {name} holds, waits or is left to be opened\n"),
        _ if is_there => format!(
            "Roadstead is out of the way. The rest of the chart, unless Helm removes it already: helm uninstall {name} \
             -n {namespace}\n"
        ),
        _ => "Roadstead is out of the way, and nothing of it is left in the cluster\n".to_owned(),
    };
    work.screen.print(&text)
}
