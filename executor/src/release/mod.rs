//! Lets a change through: reads the live object, verifies, asks the policies, takes a slot, patches. The API server's
//! word about the patch decides; whatever happens in between, a repeat comes to the same.

mod patch;

use ::policy::ruling::Ruling;
use contract::{Digest, Lane, Phase, Pointer};
use ops::{chain, namespaces::Namespaces};

use crate::{
    deployments::Deployments,
    error::{Failure, Remedy},
    live::{Live, now},
    outcome::Reason,
    policy::{Judge, Rules, stamp},
    slots::{Grant, Holder, Slots},
    sweep::Swept,
    verify::{Stale, Standing, Verdict, Wait, verify},
};

/// Times that the object is read again because it changed in between.
const ROUNDS: usize = 5;

/// What became of a change whose turn it was.
#[derive(Debug)]
pub enum Turn {
    /// It was let through just now.
    Released(Box<Released>),
    /// It was let through before, or by a try whose answer got lost, and rolls out.
    InFlight,
    /// Its rollout has come to its end.
    Ended,
    /// It was given up before, or a replay took its place.
    Spent,
    /// It will never be let through. `released`: what was let through last.
    Stale(Stale, Option<Digest>),
    /// A rule of a policy lets it wait.
    Waits(Box<Ruling>),
    /// Not now.
    Later(Reason),
}

/// A change that was let through.
#[derive(Debug)]
pub struct Released {
    /// The object as it is stored since.
    pub live: Live,
    /// What the policies said. Obstacles are there only where somebody ordered to pass them.
    pub ruling: Ruling,
}

/// Lets changes through.
#[derive(Clone)]
pub struct Releaser {
    /// The Deployments.
    pub deployments: Deployments,
    /// Who is opted in, and the lanes.
    pub namespaces: Namespaces,
    /// Which namespaces are swept.
    pub swept: Swept,
    /// The slots.
    pub slots: Slots,
    /// The policies.
    pub judge: Judge,
}

/// A slot that was taken for a release.
struct Taken {
    uid: String,
    generation: i64,
    /// Whether it was free before, so that it is to be given back where nothing is released.
    new: bool,
    /// Whether a patch was sent of which nobody knows whether it was applied.
    unsure: Option<Failure>,
}

/// What became of the wish for a slot.
enum Slot {
    Taken(Taken),
    Full,
    PolicyFull,
}

impl Releaser {
    /// Lets a change through if it is its turn; `granted` is called when it has a slot.
    ///
    /// # Errors
    /// What the API server or the store of slots did not do. Where the patch may have been applied all the same, the
    /// slot is kept: what rolls out is counted from the objects.
    pub async fn turn(&self, pointer: &Pointer, granted: impl Fn() + Send + Sync) -> Result<Turn, Failure> {
        self.turn_from(None, pointer, granted).await
    }

    /// As [`Releaser::turn`]; `live`: the object, where it was read just now.
    ///
    /// # Errors
    /// As [`Releaser::turn`].
    pub async fn turn_from(
        &self,
        live: Option<Live>,
        pointer: &Pointer,
        granted: impl Fn() + Send + Sync,
    ) -> Result<Turn, Failure> {
        let mut taken = None;
        let turn = self.rounds(live, pointer, &granted, &mut taken).await;
        let rolls_out = matches!(turn, Ok(Turn::Released(_) | Turn::InFlight));
        if let Some(taken) = taken
            && taken.new
            && !rolls_out
            && taken.unsure.is_none()
            && let Err(error) = self.slots.free(&taken.uid, taken.generation).await
        {
            tracing::debug!(%error, "a slot is given back by the next count");
        }
        turn
    }

    async fn rounds(
        &self,
        mut known: Option<Live>,
        pointer: &Pointer,
        granted: &(impl Fn() + Send + Sync),
        taken: &mut Option<Taken>,
    ) -> Result<Turn, Failure> {
        for _ in 0..ROUNDS {
            let live = match known.take() {
                Some(live) => Some(live),
                None => self.deployments.get(&pointer.namespace, &pointer.name).await?,
            };
            let verdict = verify(pointer, live.as_ref(), self.standing(&pointer.namespace, live.as_ref()));
            #[cfg(feature = "seeded-bugs")]
            let (live, verdict) = older(pointer, live, verdict);
            if let Some(failure) = taken.as_mut().and_then(|taken| taken.unsure.take())
                && verdict == Verdict::Release
            {
                // It was not applied: the message comes again after a pause.
                return Err(failure);
            }
            let live = match (verdict, live) {
                (Verdict::Release, Some(live)) => live,
                (Verdict::Released, _) => return Ok(Turn::InFlight),
                (Verdict::Ended, _) => return Ok(Turn::Ended),
                (Verdict::Spent, _) => return Ok(Turn::Spent),
                (Verdict::Wait(wait), _) => return Ok(Turn::Later(wait.into())),
                (Verdict::Stale(stale), live) => {
                    return Ok(Turn::Stale(stale, live.and_then(|live| live.state.released)));
                }
                (Verdict::Release, None) => return Ok(Turn::Stale(Stale::Gone, None)),
            };
            let live = self.stamped(live).await;
            let rules = self.judge.selected(&live);
            let Some(ruling) = self.judge.judge(&live, &rules, pointer.lane).await? else { continue };
            if !ruling.obstacles.is_empty() && live.state.r#override.is_none() {
                return Ok(Turn::Waits(Box::new(ruling)));
            }
            if taken.is_none() {
                match self.take(&live, pointer.lane, &rules).await? {
                    Slot::Taken(slot) => *taken = Some(slot),
                    Slot::Full => return Ok(Turn::Later(Reason::NoSlot)),
                    // The ruling says so now.
                    Slot::PolicyFull => continue,
                }
                granted();
            }
            let Some(patch) = patch::patch(&live, now()) else { continue };
            match self.deployments.patch(&live, patch).await {
                Ok(live) => return Ok(Turn::Released(Box::new(Released { live, ruling }))),
                Err(failure) if failure.may_have_been_applied() => {
                    if let Some(taken) = taken {
                        taken.unsure = Some(failure);
                    }
                }
                Err(failure) if failure.remedy() == Remedy::ReadAgain => {}
                Err(failure) if failure.remedy() == Remedy::Gone => {
                    return Ok(Turn::Stale(Stale::Gone, live.state.released));
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(Turn::Later(Reason::Conflict))
    }

    /// How a Deployment's namespace stands now.
    #[must_use]
    pub fn standing(&self, namespace: &str, live: Option<&Live>) -> Standing {
        match self.namespaces.get(namespace) {
            None => Standing::OptedOut,
            Some(opted_in) if !self.swept.contains(namespace, &opted_in.uid) => Standing::NotSwept,
            Some(opted_in) => Standing::Served(opted_in.lane(
                live.and_then(|live| live.lane.as_deref()),
                live.and_then(|live| live.state.default_lane),
            )),
        }
    }

    /// The object with the time on its approvals. What fails here is done at the next look: until then they count as
    /// given just now.
    async fn stamped(&self, live: Live) -> Live {
        let Some(patch) = stamp(&live, now()) else { return live };
        match self.deployments.patch(&live, patch).await {
            Ok(stamped) => stamped,
            Err(failure) => {
                tracing::debug!(
                    deployment = live.name,
                    error = chain(&failure),
                    "an approval has no time yet"
                );
                live
            }
        }
    }

    async fn take(&self, live: &Live, lane: Lane, rules: &Rules) -> Result<Slot, Failure> {
        let mut limits = rules.limits();
        let Some(holder) = Holder::of(live, lane, now(), &limits) else { return Ok(Slot::Full) };
        if live.state.r#override.is_some() {
            // It is counted, but not kept back.
            limits.clear();
        }
        let new = match self.slots.acquire(&live.uid, holder, limits).await? {
            Grant::Full => return Ok(Slot::Full),
            Grant::PolicyFull => return Ok(Slot::PolicyFull),
            Grant::New => true,
            Grant::Inherited => false,
        };
        Ok(Slot::Taken(Taken { uid: live.uid.clone(), generation: live.generation, new, unsure: None }))
    }

    /// The change of a Deployment that is held, as a pointer to it; one that was given up waits no more.
    #[must_use]
    pub fn held(&self, live: &Live) -> Option<Pointer> {
        let waits = live.state.is_closed() && live.state.phase != Some(Phase::Dead);
        let change = live.state.change.clone().filter(|_| waits)?;
        let Standing::Served(lane) = self.standing(&live.namespace, Some(live)) else { return None };
        Some(Pointer {
            namespace: live.namespace.clone(),
            name: live.name.clone(),
            uid: live.uid.clone(),
            change,
            digest: live.digest.clone(),
            lane,
            attempt: live.state.attempt(),
            requested_by: live.state.requested_by.clone(),
        })
    }
}

/// Seeded bug: an older change is let through although a newer one waits.
#[cfg(feature = "seeded-bugs")]
fn older(pointer: &Pointer, live: Option<Live>, verdict: Verdict) -> (Option<Live>, Verdict) {
    match (live, verdict) {
        (Some(mut live), Verdict::Stale(Stale::Superseded(_)))
            if ops::seeded::seeded("older-after-newer") =>
        {
            live.state.change = Some(pointer.change.clone());
            (Some(live), Verdict::Release)
        }
        unchanged => unchanged,
    }
}

impl From<Wait> for Reason {
    fn from(wait: Wait) -> Self {
        match wait {
            Wait::OptedOut => Self::OptedOut,
            Wait::NotSwept => Self::NotSwept,
            Wait::OtherLane => Self::OtherLane,
        }
    }
}
