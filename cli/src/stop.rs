//! When a verb that goes on is told to stop.

use std::{
    io::{self, IsTerminal as _},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::signal::unix::{SignalKind, signal};

/// How often it is looked whether somebody still reads.
const LOOK: Duration = Duration::from_millis(500);

/// Ctrl-C, or the end of a pod.
///
/// # Errors
/// When this process cannot be told.
pub async fn told_to_stop() -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Whoever read standard output is gone (`| head`): told without anything being written, for there may be nothing to
/// write for hours.
pub async fn reader_gone() {
    let out = io::stdout();
    if out.is_terminal() {
        return std::future::pending().await;
    }
    loop {
        let mut look = [PollFd::new(&out, PollFlags::empty())];
        let looked = poll(&mut look, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        if looked.is_ok() && look[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}
