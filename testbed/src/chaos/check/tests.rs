//! Histories written by hand: one that is well, and for each rule the ones that are not.

use std::collections::BTreeMap;

use contract::{ChangeId, Digest, Gate, Phase, State};

use super::{
    super::history::{
        Deployment, History, Limits, Millis, Name, Namespace, ReplicaSet, Span, Told, What, Write,
    },
    Rule, check,
};

const EXECUTOR: &str = "executor";
const USER: &str = "jane";

/// A history in the making; each line takes a tenth of a second.
struct Story {
    history: History,
    stored: BTreeMap<String, Deployment>,
    sets: BTreeMap<String, i64>,
    now: Millis,
}

fn digest(image: &str) -> Digest {
    Digest::of_value(&serde_json::json!({ "image": image })).unwrap()
}

fn id(change: char) -> ChangeId {
    change.to_string().repeat(10).parse().unwrap()
}

fn web(name: &str) -> Name {
    Name::new("shop", name)
}

fn story() -> Story {
    let limits = Limits { slots: 1, urgent_slots: 0, slot_timeout: 900_000, executor: EXECUTOR.to_owned() };
    let history = History { limits, writes: vec![], told: vec![], lossy: vec![], quiet: true };
    let story = Story { history, stored: BTreeMap::new(), sets: BTreeMap::new(), now: 0 };
    story.namespace(true)
}

impl Story {
    fn write(mut self, by: &str, what: What) -> Self {
        self.now += 100;
        let revision = self.history.writes.len() as u64 + 1;
        self.history.writes.push(Write { revision, at: self.now, by: Some(by.to_owned()), what });
        self
    }

    fn later(mut self, millis: Millis) -> Self {
        self.now += millis;
        self
    }

    fn namespace(self, enabled: bool) -> Self {
        let urgent = Some("allowed".to_owned());
        self.write(USER, What::Namespace(Namespace { name: "shop".into(), enabled, lane: None, urgent }))
    }

    fn store(mut self, by: &str, name: &str, with: impl FnOnce(&mut Deployment)) -> Self {
        let mut stored = self.stored.get(name).cloned().unwrap_or_else(|| Deployment {
            name: web(name),
            uid: format!("uid-{name}"),
            generation: 0,
            digest: digest("nothing"),
            state: State::default(),
            paused: false,
            lane: None,
            looks: String::new(),
        });
        stored.generation += 1;
        with(&mut stored);
        self.stored.insert(name.to_owned(), stored.clone());
        self.write(by, What::Deployment(Box::new(stored)))
    }

    fn held(self, name: &str, image: &str, change: char) -> Self {
        self.store(USER, name, |d| {
            d.digest = digest(image);
            d.state.gate = Some(Gate::Closed);
            d.state.change = Some(id(change));
            d.state.phase = Some(Phase::Held);
        })
    }

    fn released(self, name: &str) -> Self {
        self.store(EXECUTOR, name, |d| {
            d.state.gate = Some(Gate::Open);
            d.state.released = Some(d.digest.clone());
            d.state.phase = Some(Phase::Released);
        })
    }

    /// The webhook opens a way back.
    fn back(self, name: &str, image: &str, change: char) -> Self {
        self.store(USER, name, |d| {
            d.digest = digest(image);
            d.state.gate = Some(Gate::Open);
            d.state.change = Some(id(change));
            d.state.released = Some(digest(image));
            d.state.phase = Some(Phase::Released);
        })
    }

    fn succeeded(self, name: &str) -> Self {
        self.store(EXECUTOR, name, |d| {
            d.state.good = Some(d.digest.clone());
            d.state.phase = None;
        })
    }

    fn gone(mut self, name: &str) -> Self {
        self.stored.remove(name);
        self.write(USER, What::DeploymentGone(web(name)))
    }

    /// The ReplicaSet of that image has so many pods now.
    fn grown(mut self, name: &str, image: &str, replicas: i64) -> Self {
        let set = format!("{name}-{image}");
        self.sets.insert(set.clone(), replicas);
        let owner = format!("uid-{name}");
        let set = ReplicaSet { name: web(&set), owner, digest: digest(image), replicas };
        self.write("controller", What::ReplicaSet(set))
    }

    fn told(mut self, name: &str, change: char, phase: Phase) -> Self {
        let (uid, message) = (format!("uid-{name}"), String::new());
        self.history.told.push(Told {
            at: self.now,
            name: web(name),
            uid,
            change: id(change),
            phase,
            message,
        });
        self
    }

    /// A change that goes its way without anything going wrong.
    fn through(self, name: &str, image: &str, change: char) -> Self {
        let story = self.held(name, image, change).released(name).told(name, change, Phase::Released);
        story.grown(name, image, 2).told(name, change, Phase::Succeeded).succeeded(name)
    }

    fn violated(&self) -> Vec<Rule> {
        check(&self.history).into_iter().map(|violation| violation.rule).collect()
    }
}

#[test]
fn what_goes_its_way_violates_nothing() {
    let story = story()
        .through("web", "a", 'a')
        .through("api", "a", 'b')
        // Superseded while it waits, scaled while it waits, aborted in flight.
        .held("web", "b", 'c')
        .grown("web", "a", 3)
        .held("web", "c", 'd')
        .released("web")
        .grown("web", "c", 1)
        .back("web", "a", 'e')
        .grown("web", "a", 4)
        .succeeded("web")
        .held("api", "b", 'f')
        .gone("api");
    assert_eq!(check(&story.history), []);
}

#[test]
fn a_replica_set_of_a_held_change_is_found() {
    let held = || story().through("web", "a", 'a').held("web", "b", 'b');
    let end = |story: Story| story.released("web").succeeded("web").violated();
    assert_eq!(end(held().grown("web", "b", 1)), [Rule::Growth]);
    assert_eq!(end(held().grown("web", "b", 0)), [], "a ReplicaSet without pods is none that runs");
    assert_eq!(end(held().grown("web", "a", 3)), [], "the old one is scaled");
    let from_none = held().later(60_000).grown("web", "a", 0).later(60_000).grown("web", "a", 3);
    assert_eq!(end(from_none), [], "also from none");
    assert_eq!(end(held().grown("web", "z", 1)), [Rule::Growth], "a template that nobody let through");
}

#[test]
fn what_was_let_through_a_moment_ago_may_still_grow_but_not_for_ever() {
    let both = || story().through("web", "a", 'a').through("web", "b", 'b').grown("web", "a", 0);
    let end = |story: Story| story.grown("web", "a", 1).released("web").succeeded("web").violated();
    assert_eq!(end(both().held("web", "c", 'c')), []);
    assert_eq!(end(both().later(60_000).held("web", "c", 'c').later(60_000)), [Rule::Growth]);
}

#[test]
fn a_namespace_that_is_opted_out_is_nobodys() {
    let story = story().through("web", "a", 'a').namespace(false);
    let story = story.held("web", "b", 'b').grown("web", "b", 2).store(EXECUTOR, "web", |d| {
        d.state.gate = Some(Gate::Open);
        d.state.phase = None;
    });
    assert_eq!(story.violated(), []);
}

#[test]
fn an_older_change_after_a_newer_is_found() {
    let story = story().held("web", "a", 'a').held("web", "b", 'b').store(EXECUTOR, "web", |d| {
        d.state.change = Some(id('a'));
        d.state.gate = Some(Gate::Open);
        d.state.phase = Some(Phase::Released);
        d.state.released = Some(d.digest.clone());
    });
    assert_eq!(story.succeeded("web").violated(), [Rule::Order, Rule::Match]);
}

#[test]
fn a_release_of_another_template_than_the_one_that_was_verified_is_found() {
    let story = story().held("web", "a", 'a').held("web", "b", 'b').store(EXECUTOR, "web", |d| {
        d.state.gate = Some(Gate::Open);
        d.state.phase = Some(Phase::Released);
        d.state.released = Some(digest("a"));
    });
    assert_eq!(story.succeeded("web").violated(), [Rule::Match]);
}

#[test]
fn a_release_that_leaves_our_pause_is_found_at_once_and_at_the_end() {
    let story = story().held("web", "a", 'a').store(USER, "web", |d| d.state.paused = true);
    assert_eq!(story.released("web").succeeded("web").violated(), [Rule::Match, Rule::Quiet]);
}

#[test]
fn a_gate_that_somebody_else_opens_is_found() {
    let opened = |by: &str| {
        story().held("web", "a", 'a').store(by, "web", |d| {
            d.state.gate = Some(Gate::Open);
            d.state.phase = None;
        })
    };
    assert_eq!(opened(USER).violated(), [Rule::Match]);
    assert_eq!(opened(EXECUTOR).violated(), [Rule::Match], "no sweep: the namespace is opted in");
}

#[test]
fn a_late_sweep_may_open_what_waited_before_and_nothing_newer() {
    let opened = |story: Story| {
        let story = story.store(EXECUTOR, "web", |d| {
            d.state.gate = Some(Gate::Open);
            d.state.phase = None;
        });
        story.violated()
    };
    let out = |story: Story| story.namespace(false).namespace(true);
    assert_eq!(opened(out(story().held("web", "a", 'a'))), []);
    assert_eq!(opened(out(story()).later(10_000).held("web", "a", 'a')), [Rule::Match]);
}

#[test]
fn a_template_that_was_let_past_the_hold_is_found() {
    let past = |story: Story, image| story.store(USER, "web", |d| d.digest = digest(image)).violated();
    assert_eq!(past(story().through("web", "a", 'a'), "b"), [Rule::Match]);
    assert_eq!(past(story(), "a"), [Rule::Match], "on creation");
    let rolling = || story().through("web", "a", 'a').held("web", "b", 'b').released("web").succeeded("web");
    assert_eq!(past(rolling(), "a"), [Rule::Match], "what ran before the last success is no way back");
}

#[test]
fn a_rollback_is_the_executors_and_to_the_good_template_only() {
    let failed = || story().through("web", "a", 'a').held("web", "b", 'b').released("web");
    let rolled_back = |by: &str, image: &str| {
        let story = failed().store(by, "web", |d| {
            d.state.quarantined.push(d.digest.clone());
            d.digest = digest(image);
            d.state.change = Some(id('z'));
            d.state.released = Some(d.digest.clone());
        });
        story.succeeded("web").violated()
    };
    assert_eq!(rolled_back(EXECUTOR, "a"), []);
    assert_eq!(rolled_back(EXECUTOR, "z"), [Rule::Match]);
}

#[test]
fn more_in_flight_than_slots_are_found() {
    let story = story().held("a", "a", 'a').held("b", "a", 'b').released("a").released("b");
    assert_eq!(story.succeeded("a").succeeded("b").violated(), [Rule::Slots]);
}

#[test]
fn urgent_slots_are_for_urgent_changes() {
    let released = |lane: Option<&str>| {
        let lane = lane.map(str::to_owned);
        let mut story = story().held("a", "a", 'a').held("b", "a", 'b').released("a");
        story.history.limits.urgent_slots = 1;
        let story = story.store(USER, "b", |d| d.lane = lane).released("b");
        story.succeeded("a").succeeded("b").violated()
    };
    assert_eq!(released(Some("urgent")), []);
    assert_eq!(released(None), [Rule::Slots]);
    let inherited = |lane: Option<&str>| {
        let lane = lane.map(str::to_owned);
        let mut story = story().held("a", "a", 'a').held("b", "a", 'b').released("a");
        story.history.limits.urgent_slots = 1;
        let story = story.store(USER, "b", |d| d.lane = lane).released("b").held("b", "b", 'c');
        let story = story.store(USER, "b", |d| d.lane = None).released("b");
        story.succeeded("a").succeeded("b").violated()
    };
    assert_eq!(inherited(Some("urgent")), [], "its slot stays what it was");
}

#[test]
fn what_takes_no_slot_does_not_count() {
    let other = |story: Story| story.held("b", "a", 'x').released("b").succeeded("b").succeeded("a");
    let flying = || story().through("a", "a", 'a').held("a", "b", 'b').released("a");
    assert_eq!(other(flying()).violated(), [Rule::Slots], "the slot is taken");
    let back = story().through("a", "a", 'a').held("a", "b", 'b').back("a", "a", 'c');
    assert_eq!(other(back).violated(), [], "a way back");
    let heir = story().through("a", "a", 'a').held("a", "b", 'b').back("a", "a", 'c').held("a", "c", 'd');
    assert_eq!(other(heir.released("a")).violated(), [], "what supersedes a way back");
    assert_eq!(other(flying().later(900_000)).violated(), [], "after the slot timeout");
    let resumed = flying().store(USER, "a", |d| d.paused = true).store(USER, "a", |d| d.paused = false);
    assert_eq!(other(resumed).violated(), [], "what its user paused");
    assert_eq!(
        other(flying().held("a", "c", 'c')).violated().len(),
        1,
        "only what waits is left: it is held"
    );
}

#[test]
fn a_change_whose_end_is_never_told_is_found_unless_nats_lost_it() {
    let story = || {
        let story = story().held("web", "a", 'a').released("web").told("web", 'a', Phase::Released);
        story.grown("web", "a", 1).succeeded("web")
    };
    assert_eq!(story().violated(), [Rule::Ends]);
    assert_eq!(story().told("web", 'a', Phase::Failed).violated(), []);
    let mut lost = story();
    lost.history.lossy.push(Span { from: 200, to: 300 });
    assert_eq!(lost.violated(), []);
}

#[test]
fn a_release_that_is_told_and_never_was_is_found() {
    let story = story().held("web", "a", 'a').told("web", 'a', Phase::Released).gone("web");
    assert_eq!(story.told("web", 'a', Phase::Cancelled).violated(), [Rule::Match]);
}

#[test]
fn what_is_left_behind_is_found_only_when_all_is_quiet() {
    for story in [
        story().held("web", "a", 'a'),
        story().held("web", "a", 'a').released("web"),
        story().through("web", "a", 'a').store(USER, "web", |d| d.state.paused = true),
    ] {
        assert_eq!(story.violated(), [Rule::Quiet]);
        let mut busy = story;
        busy.history.quiet = false;
        assert_eq!(busy.violated(), []);
    }
    let dead = story().held("web", "a", 'a').store(EXECUTOR, "web", |d| d.state.phase = Some(Phase::Dead));
    assert_eq!(dead.violated(), [], "given up is an end");
}
