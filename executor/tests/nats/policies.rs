//! Changes that rules of policies let wait: they hold no slot and no message, say why, and go as soon as the rule ends
//! or is taken away; in the order of the queue.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ::policy::{
    resource::{Freeze, ReleasePolicy},
    set::{Frost, Policy, Set},
};
use contract::{ChangeEvent, Lane, Phase, Rule};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    api::NAMESPACE,
    roadstead::{Roadstead, eventually},
};

/// A policy of that name with those rules.
fn policy(name: &str, generation: i64, spec: &Value) -> Arc<Policy> {
    let policy: ReleasePolicy = serde_json::from_value(json!({
        "apiVersion": "roadstead.dev/v1alpha1", "kind": "ReleasePolicy",
        "metadata": {"namespace": NAMESPACE, "name": name, "uid": name, "generation": generation}, "spec": spec,
    }))
    .unwrap();
    let policy = Policy::of(&policy);
    assert_eq!(policy.problems, []);
    Arc::new(policy)
}

/// A freeze that ends after that long.
fn freeze(ends: Duration) -> Arc<Frost> {
    let until = (OffsetDateTime::now_utc() + ends).format(&Rfc3339).unwrap();
    let freeze: Freeze = serde_json::from_value(json!({
        "apiVersion": "roadstead.dev/v1alpha1", "kind": "Freeze",
        "metadata": {"namespace": NAMESPACE, "name": "inventory", "uid": "f", "generation": 1},
        "spec": {"reason": "we count the stock", "owner": "ann", "until": until},
    }))
    .unwrap();
    Arc::new(Frost::of(&freeze))
}

fn policies(policies: impl IntoIterator<Item = Arc<Policy>>) -> Set {
    let mut set = Set::default();
    policies.into_iter().for_each(|policy| set.put(policy));
    set
}

fn frozen(ends: Duration) -> Set {
    let mut set = Set::default();
    set.put_freeze(freeze(ends));
    set
}

/// Waits until it is told that a change waits for these rules.
async fn waits_for(roadstead: &Roadstead, name: &str, rules: &[Rule]) -> ChangeEvent {
    eventually("it is told for which rules it waits", async || {
        let event = roadstead.told(name, Phase::Held).await;
        let told: Vec<_> = event.obstacles.iter().map(|obstacle| obstacle.rule).collect();
        if told == rules { Ok(event) } else { Err(format!("{event:?}")) }
    })
    .await
}

#[tokio::test]
async fn what_a_freeze_lets_wait_says_so_once_and_goes_as_soon_as_it_is_deleted() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.policies.replace(frozen(Duration::from_hours(8)));
    roadstead.start().await;
    for name in ["web", "api"] {
        roadstead.submit(name, "web:2", Lane::Normal).await;
        let event = waits_for(&roadstead, name, &[Rule::Freeze]).await;
        assert!(event.message.contains("we count the stock"), "{}", event.message);
    }
    roadstead.settled(Lane::Normal).await;
    let wake = roadstead.scheduled("web", 0).await;
    assert_eq!((wake.obstacles[0].rule, &wake.last_error), (Rule::Freeze, &wake.obstacles[0].message));
    // A second look that is early finds what is known, and says nothing new.
    roadstead.wake(&wake).await;
    eventually("it was looked at again", async || {
        let again = roadstead.scheduled("web", 0).await;
        if again.tries > wake.tries { Ok(()) } else { Err("not yet") }
    })
    .await;
    assert_eq!(roadstead.story("web").await, [Phase::Held]);
    assert_eq!(roadstead.api.released(), Vec::<String>::new());
    roadstead.policies.replace(Set::default());
    for name in ["web", "api"] {
        roadstead.told(name, Phase::Succeeded).await;
    }
    eventually("it is an Event on the Deployment", async || {
        let reasons = roadstead.api.events("web");
        let held = reasons.iter().filter(|reason| *reason == "HeldByPolicy").count();
        if held == 1 { Ok(()) } else { Err(format!("{reasons:?}")) }
    })
    .await;
    roadstead.stop().await;
}

#[tokio::test]
async fn when_a_freeze_ends_they_go_in_the_order_of_the_lanes_and_of_the_queue() {
    let mut roadstead = Roadstead::new(1).await;
    roadstead.policies.replace(frozen(Duration::from_secs(4)));
    roadstead.start().await;
    let mut names = Vec::new();
    for (lane, letter) in [(Lane::Bulk, 'c'), (Lane::Normal, 'b'), (Lane::Urgent, 'a')] {
        for number in 0..5 {
            let name = format!("{letter}-{number}");
            roadstead.submit(&name, "web:2", lane).await;
            names.push(name);
        }
    }
    for name in &names {
        waits_for(&roadstead, name, &[Rule::Freeze]).await;
    }
    assert_eq!(roadstead.api.released(), Vec::<String>::new());
    for name in &names {
        roadstead.told(name, Phase::Succeeded).await;
    }
    names.sort();
    assert_eq!(roadstead.api.released(), names);
    roadstead.stop().await;
}

#[tokio::test]
async fn a_policy_lets_no_more_rollouts_be_in_flight_than_it_says() {
    let mut roadstead = Roadstead::new(8).await;
    roadstead.api.hold_rollouts();
    roadstead.policies.replace(policies([policy("one", 1, &json!({"limits": {"slots": 1}}))]));
    roadstead.start().await;
    let names = ["one", "two", "three"];
    for name in names {
        roadstead.submit(name, "web:2", Lane::Normal).await;
    }
    roadstead.told("one", Phase::Released).await;
    for name in &names[1..] {
        waits_for(&roadstead, name, &[Rule::Slots]).await;
    }
    assert_eq!(roadstead.api.released(), ["one"]);
    for pair in names.windows(2) {
        roadstead.api.roll_out(pair[0]);
        roadstead.told(pair[1], Phase::Released).await;
    }
    assert_eq!(roadstead.api.released(), names);
    // More slots by an edit of the policy, while one has the only one.
    for name in ["four", "five"] {
        roadstead.submit(name, "web:2", Lane::Normal).await;
        waits_for(&roadstead, name, &[Rule::Slots]).await;
    }
    roadstead.policies.replace(policies([policy("one", 2, &json!({"limits": {"slots": 3}}))]));
    for name in ["four", "five"] {
        roadstead.told(name, Phase::Released).await;
    }
    roadstead.stop().await;
}

#[tokio::test]
async fn a_change_that_comes_after_another_goes_when_that_one_succeeded() {
    let mut roadstead = Roadstead::new(8).await;
    roadstead.api.hold_rollouts();
    roadstead.policies.replace(policies([policy("order", 1, &json!({"limits": {"after": ["migrate"]}}))]));
    roadstead.start().await;
    roadstead.submit("migrate", "web:2", Lane::Normal).await;
    roadstead.told("migrate", Phase::Released).await;
    roadstead.submit("web", "web:2", Lane::Normal).await;
    waits_for(&roadstead, "web", &[Rule::After]).await;
    roadstead.api.roll_out("migrate");
    roadstead.told("web", Phase::Released).await;
    assert_eq!(roadstead.api.released(), ["migrate", "web"]);
    roadstead.stop().await;
}

#[tokio::test]
async fn approvals_get_their_time_and_let_a_change_go_as_soon_as_there_are_enough() {
    let mut roadstead = Roadstead::new(8).await;
    roadstead.policies.replace(policies([policy("two", 1, &json!({"approvals": {"required": 2}}))]));
    roadstead.start().await;
    let change = roadstead.submit("web", "web:2", Lane::Normal).await.change;
    waits_for(&roadstead, "web", &[Rule::Approval]).await;
    let approvals = |by: &[&str]| {
        json!(by.iter().map(|by| json!({"by": by, "change": change})).collect::<Vec<_>>()).to_string()
    };
    roadstead.api.annotate("web", "roadstead.dev/approvals", &approvals(&["ann"]));
    eventually("the approval has its time", async || {
        let written = roadstead.api.annotation("web", "roadstead.dev/approvals").unwrap();
        if written.contains(r#""at":"#) { Ok(()) } else { Err(written) }
    })
    .await;
    assert_eq!(roadstead.api.released(), Vec::<String>::new());
    roadstead.api.annotate("web", "roadstead.dev/approvals", &approvals(&["ann", "bob"]));
    roadstead.told("web", Phase::Succeeded).await;
    roadstead.stop().await;
}

#[tokio::test]
async fn an_order_to_release_passes_every_rule_and_is_told_of() {
    let mut roadstead = Roadstead::new(8).await;
    roadstead.policies.replace(frozen(Duration::from_hours(8)));
    roadstead.start().await;
    let change = roadstead.submit("web", "web:2", Lane::Normal).await.change;
    waits_for(&roadstead, "web", &[Rule::Freeze]).await;
    let order = json!({"by": "ann", "change": change, "reason": "the shop is down"});
    roadstead.api.annotate("web", "roadstead.dev/override", &order.to_string());
    let event = roadstead.told("web", Phase::Released).await;
    assert!(event.message.contains("by ann, who says: the shop is down"), "{}", event.message);
    assert_eq!(event.r#override.unwrap().by, "ann");
    assert_eq!(event.obstacles[0].rule, Rule::Freeze);
    roadstead.stop().await;
}

#[tokio::test]
async fn a_policy_that_observes_holds_nothing_and_tells_what_it_would_have_held() {
    let mut roadstead = Roadstead::new(8).await;
    let spec = json!({"mode": "Observe", "approvals": {"required": 1}});
    roadstead.policies.replace(policies([policy("watch", 1, &spec)]));
    roadstead.start().await;
    roadstead.submit("web", "web:2", Lane::Normal).await;
    let event = roadstead.told("web", Phase::Released).await;
    assert_eq!((event.observed[0].rule, event.obstacles), (Rule::Approval, vec![]));
    eventually("it is an Event on the Deployment", async || {
        let reasons = roadstead.api.events("web");
        if reasons.iter().any(|reason| reason == "WouldBeHeld") {
            Ok(())
        } else {
            Err(format!("{reasons:?}"))
        }
    })
    .await;
    roadstead.stop().await;
}

#[tokio::test]
async fn fewer_refusals_than_the_executor_allows_give_a_change_up_where_a_policy_says_so() {
    let mut roadstead = Roadstead::new(8).await;
    roadstead.policies.replace(policies([policy("once", 1, &json!({"retries": {"attempts": 1}}))]));
    roadstead.api.deny("web");
    roadstead.start().await;
    roadstead.submit("web", "web:2", Lane::Normal).await;
    assert_eq!(roadstead.buried("web").await.attempts, 1);
    roadstead.stop().await;
}

/// Mebibytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4 / 1_024
}

/// So many changes, a third in each lane, wait for one moment and go then.
async fn open_for(count: usize, submitted_within: Duration, patience: Duration) {
    let mut roadstead = Roadstead::new(8).await;
    let begun = Instant::now();
    roadstead.policies.replace(frozen(submitted_within));
    roadstead.start().await;
    let before = resident();
    let mut names = Vec::new();
    for (lane, letter) in [(Lane::Bulk, 'c'), (Lane::Normal, 'b'), (Lane::Urgent, 'a')] {
        for number in 0..count / 3 {
            let name = format!("{letter}-{number:05}");
            roadstead.submit(&name, "web:2", lane).await;
            names.push(name);
        }
    }
    names.sort();
    let until = async |what: &str, patience: Duration, so: &dyn Fn() -> usize| {
        let since = Instant::now();
        while so() < names.len() {
            assert!(since.elapsed() < patience, "waited in vain: {what}: {} of {}", so(), names.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    until("all of them wait", submitted_within, &|| roadstead.waiting_for(Rule::Freeze)).await;
    assert!(begun.elapsed() < submitted_within && roadstead.api.released().is_empty());
    println!("{} changes wait: {} MiB, {before} MiB before", names.len(), resident());
    tokio::time::sleep_until((begun + submitted_within).into()).await;
    let opened = Instant::now();
    until("all of them go", patience, &|| roadstead.api.released().len()).await;
    let pace = f64::from(u32::try_from(names.len()).unwrap()) / opened.elapsed().as_secs_f64();
    println!("let through in {:?}, {pace:.0} a second: {} MiB", opened.elapsed(), resident());
    let order = roadstead.api.released();
    // Those that are let through at the same time may overtake each other.
    let out = order.iter().zip(&names).filter(|(name, expected)| name[..1] != expected[..1]).count();
    assert!(out <= 64, "{out} of {} went in the turn of another lane", names.len());
    roadstead.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_wait_for_one_moment_go_in_the_order_of_the_lanes() {
    open_for(600, Duration::from_secs(15), Duration::from_mins(1)).await;
}

/// `cargo test -p executor --test nats ten_thousand -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes; it prints how long, and how much memory"]
async fn ten_thousand_that_wait_for_one_moment_go_in_the_order_of_the_lanes() {
    open_for(10_000, Duration::from_secs(150), Duration::from_secs(400)).await;
}
