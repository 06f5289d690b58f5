//! `kubectl roadstead`: see and steer the queue, with the user's own rights at the Kubernetes API. One verb, one
//! file; a verb's answer goes to standard output, everything else to standard error.

mod age;
mod args;
mod check;
mod connection;
mod dead;
mod events;
mod failure;
mod freeze;
mod get;
mod grid;
mod history;
mod images;
mod message;
mod moment;
mod nats;
mod read;
mod replay;
mod row;
mod running;
mod screen;
mod self_test;
mod steer;
mod stop;
mod table;
mod trouble;
mod uninstall;
mod version;
mod warnings;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Args, Verb};
use screen::Screen;

// One thread: a verb waits for one or two answers, and more threads only cost start-up.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args = Args::parse();
    // It fails only where a provider is installed already, and then there is one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut screen = Screen::standard();
    let done = match args.verb {
        Verb::Check(check) => check::run(&check, &mut screen).await,
        Verb::Dead(dead) => dead::run(&dead, &mut screen).await,
        Verb::Replay(replay) => replay::run(&replay, &mut screen).await,
        Verb::Events(events) => events::run(&events, &mut screen).await,
        Verb::History(history) => history::run(&history, &mut screen).await,
        Verb::Get(get) => get::run(&get, &mut screen).await,
        Verb::Approve(approve) => steer::approve(&approve, &mut screen).await,
        Verb::Release(release) => steer::release(&release, &mut screen).await,
        Verb::Cancel(cancel) => steer::cancel(&cancel, &mut screen).await,
        Verb::Retry(retry) => steer::retry(&retry, &mut screen).await,
        Verb::Rollback(rollback) => steer::rollback(&rollback, &mut screen).await,
        Verb::Freeze(freeze) => freeze::freeze(&freeze, &mut screen).await,
        Verb::Thaw(thaw) => freeze::thaw(&thaw, &mut screen).await,
        Verb::Pause(pause) => freeze::pause(&pause, &mut screen).await,
        Verb::Resume(resume) => freeze::resume(&resume, &mut screen).await,
        Verb::SelfTest(test) => self_test::run(&test, &mut screen).await,
        Verb::Uninstall(uninstall) => uninstall::run(&uninstall, &mut screen).await,
        Verb::Version(version) => version::run(&version, &mut screen),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen.failure(&failure);
            failure.exit().into()
        }
    }
}
