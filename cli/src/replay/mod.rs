//! `kubectl roadstead replay --at TIME`: the Deployments of a namespace as they were, as manifests. The events say which
//! change had been let through, and the ReplicaSet that is left of it has its template; what neither says is named, and
//! not guessed.

mod args;
mod manifest;
mod standing;
mod then;

use k8s_openapi::jiff::Timestamp;

pub use self::args::Replay;
use self::{manifest::manifests, then::picture};
use crate::{
    connection,
    failure::Failure,
    grid::safe,
    history::{Sources, gather},
    nats::Nats,
    read::Reader,
    screen::Screen,
};

/// Prints the manifests.
///
/// # Errors
/// When the API server refuses; and, once all is printed that can be told, when something cannot.
pub async fn run(args: &Replay, screen: &mut Screen) -> Result<(), Failure> {
    let at = args.at.0;
    if at > Timestamp::now() {
        return Err(Failure::Usage("--at is in the future: name a moment that has been".to_owned()));
    }
    let connection = connection::open(&args.access, args.namespace.as_deref()).await?;
    let nats = Nats::open(&args.reach, &connection).await;
    let reader = Reader::new(connection, false);
    let Sources { live, ran, told } = gather(&reader, None, nats, Timestamp::UNIX_EPOCH).await?;
    let namespace = reader.namespace.clone().unwrap_or_default();
    let ran = ran.ok_or_else(|| {
        Failure::Forbidden(format!(
            "you may not list ReplicaSets in namespace {namespace}, and they alone keep the templates of then"
        ))
    })?;
    let mut left_out = Vec::new();
    let told = told.unwrap_or_else(|absence| {
        left_out.push(format!("the events on NATS, so ReplicaSets alone tell: {absence}"));
        vec![]
    });
    let picture = picture(&live, &ran, &told, at);
    let text = manifests(&picture, &namespace, at);
    screen.print(&text.map_err(|error| Failure::Api(format!("write the manifests: {error}")))?)?;
    left_out.extend(picture.left_out);
    if left_out.is_empty() {
        return Ok(());
    }
    let left_out: Vec<_> = left_out.iter().map(|why| safe(why)).collect();
    Err(Failure::Partly(format!("not all of it can be told:\n  {}", left_out.join("\n  "))))
}
