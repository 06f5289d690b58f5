//! Plays a plan: several users take up one action after the other, faults begin where the plan puts them, and the
//! users wait for a fault to begin before they go on, so that the two stay mixed on a machine of any speed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use futures::future::{join_all, try_join_all};
use tokio::sync::watch;

use super::history::Millis;
use super::plan::Plan;
use super::progress::Progress;
use super::scene::{Cast, Scene};
use super::strike::Target;
use super::users::{Answer, Users};

/// Users who act at the same time.
const USERS: usize = 4;
/// Faults at the same time.
const FAULTS: usize = 2;

/// What was done.
#[derive(Debug, Default)]
pub struct Played {
    /// One line an action or fault: when it was over, and what it was.
    pub log: Vec<(Millis, String)>,
    /// Actions that were done.
    pub done: usize,
    /// Actions that were refused, as some are bound to be.
    pub refused: usize,
    /// Actions without an answer.
    pub gave_up: usize,
    /// Faults that happened.
    pub faults: usize,
}

/// How far both sides are.
struct Pace {
    /// The number of the newest action that was taken up.
    acts: watch::Sender<usize>,
    /// How many faults have begun.
    begun: watch::Sender<usize>,
    next_act: AtomicUsize,
    next_fault: AtomicUsize,
    played: Mutex<Played>,
}

/// Plays all of it.
///
/// # Errors
/// When a fault cannot be done or undone.
pub async fn play(scene: &Scene, cast: &Cast, plan: &Plan, progress: &Progress) -> anyhow::Result<Played> {
    let users = Users::of(&scene.stack).await?;
    let target = Target::new(scene, cast);
    let pace = Pace {
        acts: watch::Sender::new(0),
        begun: watch::Sender::new(0),
        next_act: AtomicUsize::new(0),
        next_fault: AtomicUsize::new(0),
        played: Mutex::default(),
    };
    let acting = join_all((0..USERS).map(|_| pace.act(scene, &users, plan, progress)));
    let striking = try_join_all((0..FAULTS).map(|_| pace.strike(scene, &target, plan, progress)));
    // A fault that cannot be undone ends the run: nobody waits for the users then.
    let acting = async { anyhow::Ok(acting.await) };
    tokio::try_join!(acting, striking)?;
    Ok(pace.played.into_inner().unwrap_or_else(PoisonError::into_inner))
}

impl Pace {
    async fn act(&self, scene: &Scene, users: &Users<'_>, plan: &Plan, progress: &Progress) {
        loop {
            let number = self.next_act.fetch_add(1, Ordering::Relaxed);
            let Some(act) = plan.acts.get(number) else { return };
            self.acts.send_modify(|newest| *newest = number.max(*newest));
            let due = plan.faults.iter().filter(|fault| fault.before <= number).count();
            // Ends with an error only when the faults are given up, and then the run is over.
            let _ = self.begun.subscribe().wait_for(|begun| *begun >= due).await;
            let answer = users.act(act).await;
            self.note(scene, format!("action {number}, {act}: {answer:?}"), |played| match answer {
                Answer::Done => played.done += 1,
                Answer::Refused => played.refused += 1,
                Answer::GaveUp => played.gave_up += 1,
            });
            progress.acted();
        }
    }

    async fn strike(
        &self,
        scene: &Scene,
        target: &Target<'_>,
        plan: &Plan,
        progress: &Progress,
    ) -> anyhow::Result<()> {
        loop {
            let number = self.next_fault.fetch_add(1, Ordering::Relaxed);
            let Some(due) = plan.faults.get(number) else { return Ok(()) };
            let _ = self.acts.subscribe().wait_for(|newest| *newest >= due.before).await;
            self.begun.send_modify(|begun| *begun = (number + 1).max(*begun));
            self.note(scene, format!("fault {number} begins: {due}"), |_| ());
            target.strike(due).await.with_context(|| format!("fault {number}, {due}"))?;
            self.note(scene, format!("fault {number} is over: {due}"), |played| played.faults += 1);
            progress.struck();
        }
    }

    fn note(&self, scene: &Scene, line: String, count: impl FnOnce(&mut Played)) {
        let mut played = self.played.lock().unwrap_or_else(PoisonError::into_inner);
        played.log.push((scene.recorder.now(), line));
        count(&mut played);
    }
}
