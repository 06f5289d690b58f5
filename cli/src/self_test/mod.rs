//! `kubectl roadstead self-test`: one change goes the whole way, and each step is told of with its time. Where it stands
//! still, the part that does not do its work is named. Its Deployment is removed in the end, however it ends.

mod args;
mod blame;
mod evidence;
mod object;
mod path;

use tokio::time::Instant;

pub use self::args::SelfTest;
use self::path::Path;
use crate::{connection, failure::Failure, screen::Screen, stop::told_to_stop};

/// Sends a change through.
///
/// # Errors
/// When it did not arrive; the error says which part to look at.
pub async fn run(args: &SelfTest, screen: &mut Screen) -> Result<(), Failure> {
    let connection = connection::open(&args.access, args.namespace.as_deref()).await?;
    let began = Instant::now();
    let mut path = Path::new(&connection, screen, began, args.timeout);
    let went = tokio::select! {
        went = path.go() => went,
        signal = told_to_stop() => match signal {
            Ok(()) => Err(path::Stop::Failure(Failure::Partly("interrupted before the change had arrived".to_owned()))),
            Err(error) => Err(path::Stop::Failure(error.into())),
        },
    };
    // Looked at while its Deployment is still there.
    let went = match went {
        Ok(()) => Ok(()),
        Err(path::Stop::Failure(failure)) => Err(failure),
        Err(path::Stop::At(stage)) => {
            let seen = evidence::gather(&connection, path.name(), args).await;
            Err(Failure::Partly(blame::blame(&stage, &seen)))
        }
    };
    let removed = path.remove().await;
    went?;
    removed?;
    screen.print(&format!("One change went the whole way in {:.1} s.\n", began.elapsed().as_secs_f64()))
}
