//! `kubectl roadstead check`: what holds, releases and queues is there and works, as far as its user may look; and
//! before an install, whether the cluster will do. Each failure comes with what to do about it.

mod admission;
mod args;
mod before;
mod finding;
mod orphans;
mod parts;
mod queue;
mod server;
mod serving;

use kube::Client;

pub use self::args::{Check, CheckOutput};
use self::finding::Finding;
use crate::{
    connection, connection::Connection, failure::Failure, nats::Nats, screen::Screen, uninstall::Release,
};

/// Where it is looked.
struct Look {
    client: Client,
    release: Release,
}

/// Looks at everything, and says what it came to.
///
/// # Errors
/// When a check failed, or the API server does not answer.
pub async fn run(args: &Check, screen: &mut Screen) -> Result<(), Failure> {
    let connection = connection::open(&args.access, None).await?;
    let look = Look { client: connection.client.clone(), release: args.reach.release() };
    let findings =
        if args.pre { before(&look, &connection).await? } else { health(&look, args, &connection).await? };
    let text = match args.output {
        Some(CheckOutput::Json) => finding::json(&findings)?,
        None => finding::text(&findings, screen.colour()),
    };
    screen.print(&text)?;
    finding::verdict(&findings)
}

async fn health(look: &Look, args: &Check, connection: &Connection) -> Result<Vec<Finding>, Failure> {
    let mut findings = server::look(connection).await?;
    let configurations = admission::Configurations::read(look).await;
    findings.extend(configurations.findings(look));
    findings.extend(serving::look(look, &configurations).await);
    findings.extend(parts::look(look, configurations.by_service()).await);
    let nats = Nats::open(&args.reach, connection).await;
    findings.extend(queue::look(nats.as_ref()).await);
    findings.extend(orphans::look(look, &configurations).await);
    Ok(findings)
}

async fn before(look: &Look, connection: &Connection) -> Result<Vec<Finding>, Failure> {
    let mut findings = server::look(connection).await?;
    findings.extend(before::look(look).await);
    Ok(findings)
}
