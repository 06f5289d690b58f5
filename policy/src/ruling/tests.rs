//! The rules in the words that people read, and what holds of every set of policies.

use std::sync::Arc;

use contract::{Approval, PolicyKind};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    resource::{ClusterReleasePolicy, Freeze, ReleasePolicy},
    set::{Labels, Policy, Set},
};

/// A Tuesday.
const NOW: &str = "2026-12-01T10:00:00Z";

const CHANGE: &str = "aaaaaaaaaa";

/// A change of `shop/web`, and the world around it.
#[derive(Debug)]
struct World {
    now: &'static str,
    lane: Lane,
    approvals: Approvals,
    last_release: Option<&'static str>,
    standing: Standing,
    in_flight: u32,
}

impl Default for World {
    fn default() -> Self {
        let (approvals, standing) = (Approvals::default(), Standing::Succeeded);
        Self { now: NOW, lane: Lane::Normal, approvals, last_release: None, standing, in_flight: 0 }
    }
}

fn ms(time: &str) -> UnixMillis {
    time.parse::<Timestamp>().unwrap().as_millisecond()
}

fn policy(name: &str, spec: &Value, status: &Value) -> Arc<Policy> {
    let object = json!({"metadata": {"namespace": "shop", "name": name}, "spec": spec, "status": status});
    Arc::new(Policy::of(&serde_json::from_value::<ReleasePolicy>(object).unwrap()))
}

fn frost(name: &str, spec: &Value) -> Arc<Frost> {
    let object = json!({"metadata": {"namespace": "shop", "name": name}, "spec": spec});
    Arc::new(Frost::of(&serde_json::from_value::<Freeze>(object).unwrap()))
}

fn of(set: &Set, world: &World) -> Ruling {
    let selected = set.select("shop", &Labels::new(), &Labels::new());
    let facts = Facts {
        now: ms(world.now),
        namespace: "shop",
        name: "web",
        change: &CHANGE.parse().unwrap(),
        requested_by: Some("jane"),
        lane: world.lane,
        approvals: &world.approvals,
        last_release: world.last_release.map(ms),
        standing: &|_| world.standing.clone(),
        in_flight: &|_| world.in_flight,
    };
    ruling(&selected, &facts)
}

/// What one policy says.
fn says(spec: &Value, world: &World) -> Vec<Obstacle> {
    let mut set = Set::default();
    set.put(policy("web", spec, &Value::Null));
    of(&set, world).obstacles
}

/// The only thing that one policy says: its rule, its end and its words.
fn one(spec: &Value, world: &World) -> (Rule, Option<String>, String) {
    let said = says(spec, world);
    let [obstacle] = &said[..] else { panic!("{said:?}") };
    assert!(obstacle.message.len() < 200, "{} bytes: {}", obstacle.message.len(), obstacle.message);
    assert!(!obstacle.message.ends_with('.'), "{}", obstacle.message);
    (obstacle.rule, obstacle.until.clone(), obstacle.message.clone())
}

fn approved(by: &str, at: Option<&str>) -> Approval {
    Approval { by: by.into(), change: CHANGE.parse().unwrap(), at: at.map(str::to_owned) }
}

#[test]
fn a_policy_without_rules_and_no_policy_let_a_change_go() {
    assert_eq!(of(&Set::default(), &World::default()), Ruling::default());
    assert_eq!(says(&json!({}), &World::default()), []);
    assert_eq!(Ruling::default().until(), None);
}

#[test]
fn windows_say_when_it_goes_on_in_the_time_of_their_people() {
    let window = |kind: &str, urgent: bool| {
        json!({"windows": [{"name": "lunch", "kind": kind, "schedule": "0 11 * * 1-5", "duration": "2h",
            "timeZone": "Europe/Berlin", "allowUrgent": urgent}]})
    };
    let (rule, until, message) = one(&window("Freeze", false), &World::default());
    assert_eq!((rule, until.as_deref()), (Rule::Window, Some("2026-12-01T12:00:00Z")));
    assert_eq!(
        message,
        "ReleasePolicy shop/web lets nothing through in its freeze window lunch: next at \
         2026-12-01T13:00:00+01:00[Europe/Berlin]"
    );
    let later = World { now: "2026-12-01T12:00:00Z", ..World::default() };
    assert_eq!(says(&window("Freeze", false), &later), []);
    let (rule, until, message) = one(&window("Allow", true), &later);
    assert_eq!((rule, until.as_deref()), (Rule::Window, Some("2026-12-02T10:00:00Z")));
    assert_eq!(
        message,
        "ReleasePolicy shop/web lets changes through in its window lunch only: next at \
         2026-12-02T11:00:00+01:00[Europe/Berlin]; urgent changes pass"
    );
    let urgent = World { lane: Lane::Urgent, ..later };
    assert_eq!(says(&window("Allow", true), &urgent), []);
    assert_eq!(says(&window("Allow", false), &urgent).len(), 1);
    let never = json!({"windows": [
        {"name": "a", "kind": "Allow", "schedule": "0 9 * * *", "duration": "1h"},
        {"name": "b", "kind": "Allow", "schedule": "0 9 * * *", "duration": "1h"},
        {"name": "c", "kind": "Freeze", "schedule": "0 8 * * *", "duration": "3h"},
    ]});
    let (_, until, message) = one(&never, &World { now: "2026-12-01T12:00:00Z", ..World::default() });
    assert_eq!(until, None);
    assert_eq!(
        message,
        "ReleasePolicy shop/web lets changes through in its windows a, b only: no next opening is known: ask \
         who owns the policy"
    );
}

#[test]
fn a_freeze_says_until_when_why_and_whom_to_ask() {
    let spec = json!({"reason": "Black Friday", "owner": "#shop", "from": "2026-12-01T09:00:00Z",
        "until": "2026-12-02T00:00:00Z", "allowUrgent": true});
    let mut set = Set::default();
    set.put_freeze(frost("sale", &spec));
    let said = of(&set, &World::default());
    assert_eq!(
        said.obstacles,
        [Obstacle {
            policy: PolicyRef {
                kind: PolicyKind::Freeze,
                namespace: Some("shop".into()),
                name: "sale".into()
            },
            rule: Rule::Freeze,
            until: Some("2026-12-02T00:00:00Z".into()),
            message: "Freeze shop/sale lets nothing through until 2026-12-02T00:00:00Z: Black Friday (ask \
                #shop); urgent changes pass"
                .into(),
        }]
    );
    assert_eq!(said.until(), Some(ms("2026-12-02T00:00:00Z")));
    for (now, lane, holds) in [
        ("2026-12-01T08:59:59.999Z", Lane::Normal, false),
        ("2026-12-01T09:00:00Z", Lane::Normal, true),
        ("2026-12-01T23:59:59.999Z", Lane::Bulk, true),
        ("2026-12-02T00:00:00Z", Lane::Normal, false),
        (NOW, Lane::Urgent, false),
    ] {
        let world = World { now, lane, ..World::default() };
        assert_eq!(of(&set, &world).obstacles.len(), usize::from(holds), "{now} {lane}");
    }
}

#[test]
fn a_freeze_whose_selector_cannot_be_read_says_so_and_long_words_are_cut() {
    let spec = json!({"reason": "é".repeat(500), "owner": "o".repeat(500), "until": "2026-12-02T00:00:00Z",
        "selector": {"matchLabels": {"a b": "c"}}});
    let mut set = Set::default();
    set.put_freeze(frost("sale", &spec));
    let message = of(&set, &World::default()).obstacles.remove(0).message;
    assert!(message.contains("it freezes everything while spec.selector.matchLabels is wrong"), "{message}");
    assert!(message.len() < 500, "{message}");
}

#[test]
fn approvals_count_when_they_are_of_different_people_not_of_the_requester_and_not_expired() {
    let spec = json!({"approvals": {"required": 2, "expireAfter": "24h"}});
    let of = |approvals: Vec<Approval>| World { approvals: Approvals(approvals), ..World::default() };
    let (rule, until, message) = one(&spec, &of(vec![]));
    assert_eq!((rule, until), (Rule::Approval, None));
    assert_eq!(
        message,
        "ReleasePolicy shop/web has 0 of 2 approvals: whoever may approve annotates the Deployment with \
         roadstead.dev/approve=aaaaaaaaaa"
    );
    let missing = [
        vec![approved("ann", None)],
        vec![approved("ann", None), approved("ann", None)],
        vec![approved("ann", None), approved("jane", None)],
        vec![
            approved("ann", None),
            Approval { change: "bbbbbbbbbb".parse().unwrap(), ..approved("bob", None) },
        ],
        vec![approved("ann", None), approved("bob", Some("2026-11-30T10:00:00Z"))],
        vec![approved("ann", None), approved("bob", Some("soon"))],
    ];
    for approvals in missing {
        let (_, _, message) = one(&spec, &of(approvals.clone()));
        assert!(message.contains("has 1 of 2 approvals (by ann)"), "{approvals:?}: {message}");
    }
    let (_, _, message) = one(&spec, &of(vec![approved("bob", Some("2026-11-30T10:00:00Z"))]));
    assert!(message.contains("has 0 of 2 approvals, 1 expired: "), "{message}");
    for approvals in [
        vec![approved("ann", None), approved("bob", None)],
        vec![approved("ann", Some("2026-11-30T10:00:00.001Z")), approved("bob", Some(NOW))],
    ] {
        assert_eq!(says(&spec, &of(approvals)), []);
    }
    let lasting = json!({"approvals": {"required": 1}});
    assert_eq!(says(&lasting, &of(vec![approved("ann", Some("1999-01-01T00:00:00Z"))])), []);
}

#[test]
fn the_least_time_between_two_releases_ends_on_the_moment() {
    let spec = json!({"limits": {"minInterval": "90m"}});
    let world = |last_release| World { last_release, ..World::default() };
    assert_eq!(says(&spec, &world(None)), []);
    assert_eq!(says(&spec, &world(Some("2026-12-01T08:30:00Z"))), []);
    let (rule, until, message) = one(&spec, &world(Some("2026-12-01T08:30:00.001Z")));
    assert_eq!((rule, until.as_deref()), (Rule::Interval, Some("2026-12-01T10:00:00.001Z")));
    assert_eq!(
        message,
        "ReleasePolicy shop/web lets shop/web through once in 1h30m only: next at 2026-12-01T10:00:00.001Z"
    );
}

#[test]
fn what_comes_first_must_have_succeeded_and_each_standing_has_its_own_words() {
    let spec = json!({"limits": {"after": ["db-migrate"]}});
    for (standing, words) in [
        (Standing::Absent, "which does not exist: create it, or take it off spec.limits.after"),
        (Standing::Waits, "which waits itself: it goes when that one succeeded"),
        (Standing::RollsOut, "which rolls out: it goes when that one succeeded"),
        (Standing::Failed, "whose last rollout failed: repair that one"),
    ] {
        let (rule, until, message) = one(&spec, &World { standing, ..World::default() });
        assert_eq!((rule, until), (Rule::After, None));
        assert_eq!(message, format!("ReleasePolicy shop/web lets shop/db-migrate go first, {words}"));
    }
    assert_eq!(says(&spec, &World::default()), []);
}

#[test]
fn a_deployment_that_is_on_the_list_waits_for_those_before_it_only() {
    for (after, waits) in [
        (vec!["web"], 0),
        (vec!["web", "db"], 0),
        (vec!["db", "web", "cache"], 1),
        (vec!["db", "cache", "db"], 2),
    ] {
        let spec = json!({"limits": {"after": after}});
        let world = World { standing: Standing::Waits, ..World::default() };
        assert_eq!(says(&spec, &world).len(), waits, "{after:?}");
    }
}

#[test]
fn slots_are_those_of_the_policy() {
    let spec = json!({"limits": {"slots": 2}});
    assert_eq!(says(&spec, &World { in_flight: 1, ..World::default() }), []);
    let (rule, until, message) = one(&spec, &World { in_flight: 2, ..World::default() });
    assert_eq!((rule, until), (Rule::Slots, None));
    assert_eq!(
        message,
        "ReleasePolicy shop/web has 2 in flight, all that it allows: one goes when one of them ends"
    );
    let (_, _, message) = one(&json!({"limits": {"slots": 0}}), &World::default());
    assert!(message.contains("raise spec.limits.slots"), "{message}");
}

#[test]
fn a_paused_policy_says_what_failed_and_how_it_goes_on() {
    let paused = json!({"paused": {"since": NOW, "namespace": "shop", "deployment": "db",
        "change": "bbbbbbbbbb", "reason": "check smoke failed"}});
    let mut set = Set::default();
    set.put(policy("web", &json!({}), &paused));
    let said = of(&set, &World::default());
    assert_eq!((said.obstacles[0].rule, said.until()), (Rule::Paused, None));
    assert_eq!(
        said.obstacles[0].message,
        "ReleasePolicy shop/web is paused since Deployment shop/db failed: check smoke failed; when that is \
         settled, annotate ReleasePolicy shop/web with roadstead.dev/resume=bbbbbbbbbb"
    );
}

#[test]
fn a_policy_that_cannot_be_read_lets_everything_wait_and_names_the_field() {
    let spec = json!({"soak": "1d"});
    let (rule, until, message) = one(&spec, &World::default());
    assert_eq!((rule, until), (Rule::Invalid, None));
    assert_eq!(
        message,
        "ReleasePolicy shop/web cannot be obeyed until its author corrects spec.soak: \"1d\" is no duration: \
         its units are h, m and s; write 24h"
    );
}

#[test]
fn a_policy_that_observes_holds_nothing_and_records_everything() {
    let spec = json!({"mode": "Observe", "limits": {"slots": 1, "after": ["db"]}, "soak": "1d",
        "approvals": {"required": 1}});
    let mut set = Set::default();
    set.put(policy("web", &spec, &Value::Null));
    let world = World { in_flight: 1, standing: Standing::Waits, ..World::default() };
    let said = of(&set, &world);
    assert_eq!(said.obstacles, []);
    let rules: Vec<_> = said.observed.iter().map(|obstacle| obstacle.rule).collect();
    assert_eq!(rules, [Rule::Invalid, Rule::Approval, Rule::Slots, Rule::After]);
    assert_eq!(said.until(), None);
}

#[test]
fn what_has_no_end_comes_first_then_what_ends_last() {
    let mut set = Set::default();
    set.put_freeze(frost("short", &json!({"reason": "r", "owner": "o", "until": "2026-12-01T11:00:00Z"})));
    set.put_freeze(frost("long", &json!({"reason": "r", "owner": "o", "until": "2027-12-01T11:00:00Z"})));
    set.put(policy("interval", &json!({"limits": {"minInterval": "2h"}}), &Value::Null));
    let world = World { last_release: Some("2026-12-01T09:30:00Z"), ..World::default() };
    let names = |said: &Ruling| {
        said.obstacles.iter().map(|obstacle| obstacle.policy.name.clone()).collect::<Vec<_>>()
    };
    let said = of(&set, &world);
    assert_eq!(names(&said), ["long", "interval", "short"]);
    assert_eq!(said.until(), Some(ms("2027-12-01T11:00:00Z")));
    set.put(policy("approval", &json!({"approvals": {"required": 1}}), &Value::Null));
    let said = of(&set, &world);
    assert_eq!(names(&said), ["approval", "long", "interval", "short"]);
    assert_eq!(said.until(), None);
}

/// Policies of every kind of rule, of the cluster and of the namespace, and freezes.
#[derive(Clone, Debug)]
enum Piece {
    Policy(bool, Value),
    Freeze(Value),
}

fn piece() -> impl Strategy<Value = Piece> {
    let spec = prop::sample::select(vec![
        json!({}),
        json!({"windows": [{"name": "w", "kind": "Allow", "schedule": "0 8 * * *", "duration": "1h"}]}),
        json!({"windows": [{"name": "w", "kind": "Allow", "schedule": "0 * * * *", "duration": "1h"}]}),
        json!({"windows": [{"name": "w", "kind": "Allow", "schedule": "0 8 * * *", "duration": "1h",
            "allowUrgent": true}]}),
        json!({"windows": [{"name": "w", "kind": "Freeze", "schedule": "0 8 * * *", "duration": "9h"}]}),
        json!({"approvals": {"required": 1}}),
        json!({"approvals": {"required": 3, "expireAfter": "1h"}}),
        json!({"limits": {"slots": 1}}),
        json!({"limits": {"slots": 9, "minInterval": "24h"}}),
        json!({"limits": {"after": ["db", "web"]}}),
        json!({"limits": {"after": ["web", "db"]}}),
        json!({"soak": "1d"}),
        json!({"mode": "Observe", "approvals": {"required": 1}}),
        json!({"lane": "urgent", "retries": {"attempts": 3}, "onFailure": "Keep"}),
    ]);
    let freeze = |until: &str, urgent: bool| {
        Piece::Freeze(json!({"reason": "r", "owner": "o", "until": until, "allowUrgent": urgent}))
    };
    let freezes = prop::sample::select(vec![
        freeze("2026-12-02T00:00:00Z", false),
        freeze("2026-12-03T00:00:00Z", true),
        freeze("2026-11-01T00:00:00Z", false),
    ]);
    prop_oneof![4 => (any::<bool>(), spec).prop_map(|(is_of_cluster, spec)| Piece::Policy(is_of_cluster, spec)), 1 => freezes]
}

fn put(set: &mut Set, name: &str, piece: &Piece) {
    match piece {
        Piece::Policy(true, spec) => {
            let object = json!({"metadata": {"name": name}, "spec": spec});
            let policy = serde_json::from_value::<ClusterReleasePolicy>(object).unwrap();
            set.put(Arc::new(Policy::of_cluster(&policy)));
        }
        Piece::Policy(false, spec) => set.put(policy(name, spec, &Value::Null)),
        Piece::Freeze(spec) => set.put_freeze(frost(name, spec)),
    }
}

fn world() -> impl Strategy<Value = World> {
    let lane = prop::sample::select(Lane::ALL.to_vec());
    let standing = prop::sample::select(vec![Standing::Absent, Standing::Failed, Standing::Succeeded]);
    let last_release = prop::sample::select(vec![None, Some("2026-12-01T09:30:00Z")]);
    (lane, standing, last_release, 0_u32..3, 0_usize..3).prop_map(
        |(lane, standing, last_release, in_flight, approvals)| {
            let by = ["ann", "bob"].into_iter().take(approvals);
            let approvals = Approvals(by.map(|by| approved(by, Some("2026-12-01T09:30:00Z"))).collect());
            World { lane, approvals, last_release, standing, in_flight, ..World::default() }
        },
    )
}

proptest! {
    #[test]
    fn a_policy_more_takes_no_obstacle_away_and_lets_nothing_go_earlier(
        pieces in prop::collection::vec(piece(), 0..5),
        more in piece(),
        world in world(),
    ) {
        let mut set = Set::default();
        for (at, piece) in pieces.iter().enumerate() {
            put(&mut set, &format!("p{at}"), piece);
        }
        let before = of(&set, &world);
        put(&mut set, "more", &more);
        let after = of(&set, &world);
        for (before, after) in [(&before.obstacles, &after.obstacles), (&before.observed, &after.observed)] {
            prop_assert!(before.iter().all(|obstacle| after.contains(obstacle)), "{:?} {:?}", before, after);
        }
        if !before.obstacles.is_empty() {
            let end = |ruling: &Ruling| ruling.until().unwrap_or(UnixMillis::MAX);
            prop_assert!(end(&before) <= end(&after));
        }
    }

    #[test]
    fn obstacles_stand_in_their_order_and_end_later_than_now(
        pieces in prop::collection::vec(piece(), 0..6),
        world in world(),
    ) {
        let mut set = Set::default();
        for (at, piece) in pieces.iter().enumerate() {
            put(&mut set, &format!("p{at}"), piece);
        }
        let said = of(&set, &world);
        let ends: Vec<_> = said.obstacles.iter().map(|obstacle| obstacle.until.as_deref().map_or(UnixMillis::MAX, ms)).collect();
        prop_assert!(ends.is_sorted_by(|one, other| one >= other), "{:?}", ends);
        prop_assert!(ends.iter().all(|end| *end > ms(world.now)), "{:?}", ends);
        let expected = if said.obstacles.iter().any(|obstacle| obstacle.until.is_none()) { None } else { ends.first().copied() };
        prop_assert_eq!(said.until(), expected);
    }
}

#[test]
fn a_deployment_that_comes_first_stands_as_its_own_keys_say() {
    let standing = |gate: &str, by: &str, phase: Option<&str>| {
        let annotation = |key: &str| match key {
            "roadstead.dev/gate" => Some(gate),
            "roadstead.dev/requested-by" => Some(by),
            _ => None,
        };
        Standing::of(&State::read(annotation, |_| phase))
    };
    for (what, gate, by, phase, is) in [
        ("held", "closed", "jane", Some("held"), Standing::Waits),
        ("given up", "closed", "jane", Some("dead"), Standing::Waits),
        ("in flight", "open", "jane", Some("released"), Standing::RollsOut),
        ("a rollback in flight", "open", "roadstead", Some("released"), Standing::RollsOut),
        ("failed", "open", "jane", Some("failed"), Standing::Failed),
        ("rolled back", "open", "roadstead", None, Standing::Failed),
        ("succeeded", "open", "jane", None, Standing::Succeeded),
    ] {
        assert_eq!(standing(gate, by, phase), is, "{what}");
    }
}

#[test]
fn what_a_validation_denies_has_no_end_and_stands_before_what_has_one() {
    let reference =
        PolicyRef { kind: PolicyKind::ReleasePolicy, namespace: Some("shop".into()), name: "web".into() };
    let obstacle = |message: &str, until: Option<&str>| Obstacle {
        policy: reference.clone(),
        rule: Rule::Window,
        until: until.map(str::to_owned),
        message: message.into(),
    };
    let finding = |name: &str, action, observed| Finding {
        policy: reference.clone(),
        name: name.into(),
        action,
        observed,
        message: "the image has no tag".into(),
        error: None,
    };
    let obstacles = vec![obstacle("a", None), obstacle("z", Some("2026-01-01T00:00:00Z"))];
    let mut ruling = Ruling { obstacles, observed: Vec::new() };
    ruling.deny([
        finding("warns", Action::Warn, false),
        finding("first", Action::Deny, false),
        finding("second", Action::Deny, false),
        finding("looks", Action::Deny, true),
    ]);
    let says =
        |obstacles: &[Obstacle]| -> Vec<_> { obstacles.iter().map(|one| one.message.clone()).collect() };
    let denied = |rule: &str| {
        format!("ReleasePolicy shop/web does not let it through, rule {rule}: the image has no tag")
    };
    assert_eq!(says(&ruling.obstacles), ["a".into(), denied("first"), denied("second"), "z".into()]);
    assert_eq!(says(&ruling.observed), [denied("looks")]);
    assert!(ruling.obstacles[1].rule == Rule::Validation && ruling.obstacles[1].until.is_none());
}
