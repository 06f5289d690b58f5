//! Draws a plan. The generator keeps what it has drawn so far, so that most actions make sense: it reverts to a
//! template that was there, and does not update what it has deleted.

use std::time::Duration;

use contract::stream::{CHANGES, EVENTS};
use fastrand::Rng;

use super::{Act, Action, Due, Fault, Manifest, Plan, Process, Strategy, Template};

/// Namespaces that users act in.
pub const NAMESPACES: usize = 4;
/// Deployments in each.
pub const DEPLOYMENTS: usize = 9;
/// The bucket of the slots is a stream, too.
const SLOTS: &str = "KV_ROADSTEAD_LEASES";
/// Templates of a Deployment that it may go back to.
const REMEMBERED: usize = 4;
/// Lanes that users write.
const LANES: [&str; 3] = ["urgent", "normal", "bulk"];

/// What the generator believes of one Deployment.
#[derive(Clone, Default)]
struct Belief {
    exists: bool,
    paused: bool,
    now: Manifest,
    earlier: Vec<Template>,
}

/// Draws a plan.
#[must_use]
pub fn draw(seed: u64, actions: usize, faults: usize) -> Plan {
    let mut rng = Rng::with_seed(seed);
    let mut beliefs = vec![Belief::default(); NAMESPACES * DEPLOYMENTS];
    let mut opted_out = [false; NAMESPACES];
    let acts = (0..actions).map(|number| act(&mut rng, number, &mut beliefs, &mut opted_out)).collect();
    let mut deck = Vec::new();
    let faults = (0..faults).map(|number| {
        let before = (number + 1) * actions / (faults + 1);
        if deck.is_empty() {
            deck = every_fault(&mut rng);
            rng.shuffle(&mut deck);
        }
        let fault = deck.pop().unwrap_or(Fault::Cut);
        Due { before, lasts: lasts(&mut rng, fault), fault }
    });
    Plan { seed, faults: faults.collect(), acts }
}

fn act(rng: &mut Rng, number: usize, beliefs: &mut [Belief], opted_out: &mut [bool]) -> Act {
    let namespace = rng.usize(..NAMESPACES);
    let deployment = rng.usize(..DEPLOYMENTS);
    let action = of_namespace(rng, &mut opted_out[namespace]).unwrap_or_else(|| {
        let version = u32::try_from(number).unwrap_or(u32::MAX);
        of_deployment(rng, version, &mut beliefs[namespace * DEPLOYMENTS + deployment])
    });
    Act { namespace, deployment, action }
}

/// Sometimes something is done to the namespace; one that is opted out comes back soon.
fn of_namespace(rng: &mut Rng, out: &mut bool) -> Option<Action> {
    if *out && rng.u32(..4) == 0 {
        *out = false;
        return Some(Action::OptIn);
    }
    match rng.u32(..100) {
        0 if !*out => {
            *out = true;
            Some(Action::OptOut)
        }
        1 => Some(Action::DefaultLane(LANES[rng.usize(..LANES.len())])),
        _ => None,
    }
}

fn of_deployment(rng: &mut Rng, version: u32, belief: &mut Belief) -> Action {
    if !belief.exists {
        belief.exists = true;
        belief.paused = false;
        belief.now = manifest(rng, version);
        return Action::Create(belief.now);
    }
    if belief.paused && rng.bool() {
        belief.paused = false;
        return Action::Resume;
    }
    let template = belief.now.template;
    match rng.u32(..100) {
        0..28 => belief.next(Template { image: version, broken: false, ..template }, Action::Image(version)),
        28..36 => belief.next(Template { env: version, ..template }, Action::Env(version)),
        36..40 => belief.next(Template { broken: true, ..template }, Action::Break),
        40..52 => {
            let earlier = belief.earlier.get(rng.usize(..belief.earlier.len().max(1))).copied();
            belief.now.template = earlier.unwrap_or(template);
            Action::Put(belief.now)
        }
        52..55 => Action::Put(belief.now),
        55..67 => {
            belief.now.replicas = rng.u32(..5);
            Action::Scale(belief.now.replicas)
        }
        67..71 => {
            belief.now.strategy = strategy(rng);
            Action::Replace(belief.now.strategy)
        }
        71..77 => Action::Restart,
        77..83 => Action::Undo,
        83..87 => {
            *belief = Belief::default();
            Action::Delete
        }
        87..90 => {
            belief.now.template = Template { broken: false, ..template };
            Action::Recreate(belief.now)
        }
        90..94 => Action::Lane(LANES[rng.usize(..LANES.len())]),
        94..97 => {
            belief.paused = true;
            Action::Pause
        }
        _ => Action::Forge,
    }
}

impl Belief {
    fn next(&mut self, template: Template, action: Action) -> Action {
        self.earlier.push(self.now.template);
        if self.earlier.len() > REMEMBERED {
            self.earlier.remove(0);
        }
        self.now.template = template;
        action
    }
}

fn manifest(rng: &mut Rng, version: u32) -> Manifest {
    let template = Template { image: version, env: 0, broken: false };
    Manifest { template, replicas: 1 + rng.u32(..3), strategy: strategy(rng) }
}

fn strategy(rng: &mut Rng) -> Strategy {
    match rng.u32(..6) {
        0 => Strategy::Recreate,
        1 => Strategy::NoSurge,
        _ => Strategy::Rolling,
    }
}

/// Each kind of fault once; the deck is drawn to its end before it is shuffled again.
fn every_fault(rng: &mut Rng) -> Vec<Fault> {
    let mut replica = || rng.usize(..2);
    let (webhook, executor) = (Process::Webhook(replica()), Process::Executor(replica()));
    vec![
        Fault::Kill(webhook),
        Fault::Freeze(Process::Webhook(replica())),
        Fault::Stop(Process::Webhook(replica())),
        Fault::Kill(executor),
        Fault::Kill(Process::Executor(replica())),
        Fault::Freeze(Process::Executor(replica())),
        Fault::Stop(Process::Executor(replica())),
        Fault::Kill(Process::Nats),
        Fault::Freeze(Process::Nats),
        Fault::Wipe,
        Fault::Purge,
        Fault::DeleteStream([CHANGES, EVENTS, SLOTS][rng.usize(..3)]),
        Fault::DeleteConsumer(rng.usize(..96)),
        Fault::Cut,
        Fault::CutBeforeAck,
        Fault::CutAfterAck,
        if rng.bool() { Fault::Kill(Process::ApiServer) } else { Fault::Stop(Process::ApiServer) },
        if rng.bool() { Fault::Kill(Process::Controllers) } else { Fault::Stop(Process::Controllers) },
        Fault::Slow(50 + rng.u64(..1_500)),
        Fault::Refuse(429),
        Fault::Refuse(500),
        Fault::Hide([500, 504][rng.usize(..2)]),
    ]
}

fn lasts(rng: &mut Rng, fault: Fault) -> Duration {
    let millis = match fault {
        // The API server and the controllers take seconds to come back by themselves.
        Fault::Kill(Process::ApiServer | Process::Controllers)
        | Fault::Stop(Process::ApiServer | Process::Controllers) => rng.u64(..500),
        // Sometimes longer than the ack wait: what was pulled is delivered to somebody else meanwhile.
        Fault::Freeze(Process::Executor(_)) if rng.u32(..8) == 0 => 33_000,
        Fault::Freeze(_) => 500 + rng.u64(..6_000),
        Fault::Kill(_) | Fault::Stop(_) => rng.u64(..3_000),
        Fault::Slow(_) | Fault::Refuse(_) | Fault::Hide(_) => 1_000 + rng.u64(..3_000),
        Fault::CutBeforeAck | Fault::CutAfterAck => 2_000,
        Fault::Wipe | Fault::Purge | Fault::DeleteStream(_) | Fault::DeleteConsumer(_) | Fault::Cut => 200,
    };
    Duration::from_millis(millis)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::mem::discriminant;

    use super::*;

    #[test]
    fn a_plan_follows_from_its_seed() {
        assert_eq!(draw(7, 500, 50), draw(7, 500, 50));
        assert_ne!(draw(7, 500, 50).acts, draw(8, 500, 50).acts);
    }

    #[test]
    fn the_share_of_ci_has_every_kind_of_action_and_fault() {
        for seed in 0..20 {
            let plan = draw(seed, 500, 50);
            assert_eq!((plan.acts.len(), plan.faults.len()), (500, 50));
            let faults: HashSet<_> = plan.faults.iter().map(|due| discriminant(&due.fault)).collect();
            assert_eq!(faults.len(), 13, "seed {seed}");
            let actions: HashSet<_> = plan.acts.iter().map(|act| discriminant(&act.action)).collect();
            assert!(actions.len() >= 17, "seed {seed} has {} kinds of actions", actions.len());
        }
    }

    #[test]
    fn faults_come_in_order_and_between_the_actions() {
        let plan = draw(3, 100, 10);
        assert!(plan.faults.is_sorted_by_key(|due| due.before));
        assert!(plan.faults.iter().all(|due| due.before > 0 && due.before < 100));
    }
}
