//! The live table of a wave: how many of its changes are held, in flight and done. In a terminal it is redrawn
//! in place; piped, it is a line a second.

use std::time::{Duration, Instant};

use super::Demo;
use super::console::{Console, Ink};
use super::history::{Counts, History};

/// What a board shows.
pub(super) struct Board<'a> {
    /// The Deployments of the wave.
    pub(super) wave: &'a [String],
    /// One more Deployment, with a line of its own.
    pub(super) beside: Option<&'a str>,
}

impl Board<'_> {
    /// Shows the board until the history says that it is over.
    pub(super) async fn follow(
        &self,
        demo: &Demo,
        what: &str,
        over: impl Fn(&History) -> bool,
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        let mut pace = tokio::time::interval(demo.console.pace());
        let mut end = std::pin::pin!(demo.recorder.until(what, |history| over(history).then_some(())));
        demo.console.line("");
        loop {
            tokio::select! {
                end = &mut end => {
                    self.show(demo, began.elapsed());
                    return end;
                }
                _ = pace.tick() => self.show(demo, began.elapsed()),
            }
        }
    }

    fn show(&self, demo: &Demo, time: Duration) {
        let lines = demo.recorder.read(|history| {
            let beside = self.beside.map(|name| (name, history.state(name)));
            lines(&demo.console, history.counts(self.wave), self.wave.len(), beside, time)
        });
        demo.console.live(&lines);
    }
}

fn lines(
    console: &Console,
    counts: Counts,
    total: usize,
    beside: Option<(&str, &str)>,
    time: Duration,
) -> Vec<String> {
    let Counts { held, in_flight, done } = counts;
    let seconds = time.as_secs_f32();
    let numbers = format!("{held:>2} held, {in_flight:>2} in flight, {done:>2} done");
    if !console.redraws() {
        let beside = beside.map(|(name, state)| format!("   {name}: {state}")).unwrap_or_default();
        return vec![format!("  {seconds:>5.1} s   wave: {numbers}{beside}")];
    }
    let rest = total.saturating_sub(held + in_flight + done);
    let bar = [
        console.ink(Ink::Green, &"█".repeat(done)),
        console.ink(Ink::Cyan, &"▓".repeat(in_flight)),
        console.ink(Ink::Yellow, &"░".repeat(held)),
        console.ink(Ink::Plain, &" ".repeat(rest)),
    ];
    // Less than 80 characters each: a line that wraps could not be redrawn in place.
    let mut lines =
        vec![format!("  wave    {}  {seconds:>5.1} s", bar.concat()), format!("          {numbers}")];
    lines.extend(beside.map(|(name, state)| format!("  {name:<7} {}", console.ink(Ink::Bold, state))));
    lines
}
