//! `kubectl roadstead dead drop`: the letters of a Deployment go from NATS. No role of NATS may delete there, so it
//! takes a user who may do everything, made for the hour.

use std::io::{BufRead as _, IsTerminal as _};

use contract::{stream::DEAD, subject};

use super::args::DropLetters;
use crate::{
    connection,
    failure::Failure,
    nats::{Absence, Nats},
    screen::Screen,
};

/// Deletes them, once somebody has said yes.
///
/// # Errors
/// When there are none, the user may not, or nobody said yes.
pub async fn run(args: &DropLetters, screen: &mut Screen) -> Result<(), Failure> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("nobody can be asked whether to delete: pass --yes".to_owned()));
    }
    let connection = connection::open(&args.access, args.namespace.as_deref()).await?;
    let nats = Nats::open(&args.reach, &connection).await?;
    let (namespace, name) = (&connection.namespace, &args.name);
    let letters = subject::dead_letters(&nats.cluster, Some(namespace), Some(name));
    let letters = [letters.map_err(|error| Failure::Usage(error.to_string()))?];
    let found = nats.kept(DEAD, &letters, 1).await.map_err(by_whom)?;
    if found.is_empty() {
        return Err(Failure::NotFound(format!(
            "there is no dead letter of Deployment {name} in namespace {namespace}"
        )));
    }
    if !args.yes && !confirmed(screen, found.len(), name, namespace)? {
        return Err(Failure::Partly("nothing was deleted".to_owned()));
    }
    for letter in &found {
        nats.delete(DEAD, letter.sequence).await.map_err(by_whom)?;
    }
    screen.print(&format!("{} dead letters of deployment.apps/{name} deleted\n", found.len()))
}

fn confirmed(screen: &Screen, count: usize, name: &str, namespace: &str) -> Result<bool, Failure> {
    screen.note(&format!(
        "This deletes {count} dead letters of Deployment {name} in namespace {namespace}, and what they say of why. A \
         change that is dead stays so. Go on? (yes/no)"
    ));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::Usage(format!("cannot read the answer: {error}; or pass --yes")))?;
    Ok(["y", "yes"].contains(&answer.trim()))
}

fn by_whom(absence: Absence) -> Failure {
    match absence {
        Absence::Forbidden(why) => Failure::Forbidden(format!(
            "{why}; deleting takes a user made for it: roadstead-certs nats user --unrestricted --life 1h"
        )),
        away @ Absence::Away(_) => away.into(),
    }
}
