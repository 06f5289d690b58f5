//! Approvals and overrides: the order is obeyed, recorded and taken off, and what a client writes itself is undone.

use contract::{Approvals, Override, approval::MAX_APPROVALS};

use super::*;

fn approvers(said: &Said) -> Vec<String> {
    Approvals::read(said.own(Key::Approvals)).0.into_iter().map(|approval| approval.by).collect()
}

#[test]
fn an_approval_is_recorded_and_its_order_taken_off_so_that_the_next_can_give_it() {
    let (held, change) = held_change();
    let mut stored = held;
    for (user, all) in
        [("ann", &["ann"][..]), ("bob\"\\é", &["ann", "bob\"\\é"]), ("ann", &["bob\"\\é", "ann"])]
    {
        let ordered = annotated(&stored, APPROVE, &change);
        let said = update_as(user, &stored, &ordered);
        assert_eq!((said.verdict, said.denial.as_deref()), (Verdict::Passed, None));
        assert_eq!(approvers(&said), all);
        assert_eq!(said.stored["metadata"]["annotations"][APPROVE], Value::Null);
        assert_eq!((said.own(Key::Change), said.phase()), (Some(&*change), Some("held")));
        assert!(
            said.warnings[0].contains(&format!("approvals in all: {}", all.len())),
            "{:?}",
            said.warnings
        );
        let again = update_as(user, &stored, &said.stored);
        assert!(again.patch.is_empty(), "asked again with our own answer: {:?}", again.patch);
        assert_eq!(again.warnings, said.warnings);
        stored = said.stored;
    }
}

#[test]
fn nobody_approves_his_own_change() {
    let (held, change) = held_change();
    let said = update_as("jane", &held, &annotated(&held, APPROVE, &change));
    assert_eq!(said.verdict, Verdict::Denied);
    let message = said.denial.unwrap();
    assert!(message.contains(&change) && message.contains("was requested by jane"), "{message}");
    let cause = &said.response["status"]["details"]["causes"][0];
    assert_eq!(cause["field"], "metadata.annotations[roadstead.dev/approve]");
    let forged =
        annotated(&held, Key::Approvals.name(), &format!(r#"[{{"by":"jane","change":"{change}"}}]"#));
    assert_eq!(update_as("jane", &held, &forged).stored, held);
}

#[test]
fn an_approval_is_for_the_change_that_waits_and_ends_with_it() {
    let (held, change) = held_change();
    let said = update_as("ann", &held, &annotated(&held, APPROVE, "zzzzzzzzzz"));
    assert_eq!(said.stored, held);
    assert_eq!(said.warnings, [format!("Roadstead: nothing is approved: the change that waits is {change}")]);
    for gone in [released(&held), settled("a"), dead(&held)] {
        let said = update_as("ann", &gone, &annotated(&gone, APPROVE, &change));
        assert_eq!(said.stored, gone);
        assert_eq!(said.warnings, ["Roadstead: nothing is approved: no change waits here"]);
    }
    let approved = update_as("ann", &held, &annotated(&held, APPROVE, &change)).stored;
    assert_eq!(
        approvers(&update_as("jane", &approved, &approved)),
        ["ann"],
        "a write of anything else leaves it"
    );
    for image in ["c", "a"] {
        let said = update_as("jane", &approved, &with_image(&approved, image));
        assert_eq!((said.own(Key::Approvals), said.own(Key::Override)), (None, None), "{image}");
    }
}

#[test]
fn an_order_in_a_write_of_a_new_template_is_taken_off_and_not_obeyed() {
    let (held, change) = held_change();
    for order in [APPROVE, RELEASE] {
        let new = annotated(&with_image(&held, "c"), order, &format!("{change} why"));
        let said = update_as("ann", &held, &new);
        assert_eq!(
            (said.verdict, said.own(Key::Approvals), said.own(Key::Override)),
            (Verdict::Held, None, None)
        );
        assert_eq!(said.stored["metadata"]["annotations"][order], Value::Null);
        assert!(said.warnings[1].contains(&format!("{order} is not obeyed")), "{:?}", said.warnings);
        let mut new = deployment("a");
        new["metadata"]["annotations"] = json!({order: change});
        let said = create(&new);
        assert_eq!(
            (said.verdict, said.own(Key::Approvals), said.own(Key::Override)),
            (Verdict::Held, None, None)
        );
        assert_eq!(said.stored["metadata"]["annotations"][order], Value::Null);
    }
}

#[test]
fn an_order_that_stood_before_is_nobodys_and_taken_off() {
    let (held, change) = held_change();
    let stood = annotated(&held, APPROVE, &change);
    let said = update_as("ann", &stood, &stood);
    assert_eq!(said.stored, held);
    assert!(said.warnings[0].contains("write it anew"), "{:?}", said.warnings);
    let status = write_as("ann", Some(&held), &stood, "status", &NoPolicies);
    assert_eq!(status.stored, held, "on a subresource it is taken off");
    assert!(status.warnings.is_empty());
}

#[test]
fn a_release_order_is_recorded_with_who_and_why() {
    let (held, change) = held_change();
    let reason = format!("  payments are down,\n{}", "é".repeat(400));
    let said = update_as("jane", &held, &annotated(&held, RELEASE, &format!("{change} {reason}")));
    let order = Override::read(said.own(Key::Override), &change.parse().unwrap()).unwrap();
    assert_eq!(order.by, "jane", "also the one who requested it");
    assert!(
        order.reason.starts_with("payments are down, éé") && order.reason.len() <= 512,
        "{}",
        order.reason
    );
    assert_eq!(
        (said.phase(), said.own(Key::Gate)),
        (Some("held"), Some("closed")),
        "the executor lets it through"
    );
    assert_eq!(said.stored["metadata"]["annotations"][RELEASE], Value::Null);
    let again = update_as("jane", &held, &said.stored);
    assert!(again.patch.is_empty(), "asked again with our own answer: {:?}", again.patch);
}

#[test]
fn a_release_order_without_a_reason_is_denied_and_one_for_another_change_is_not_obeyed() {
    let (held, change) = held_change();
    for order in [change.clone(), format!(" {change}  \n")] {
        let message = update_as("ann", &held, &annotated(&held, RELEASE, &order)).denial.unwrap();
        assert!(
            message.starts_with("metadata.annotations[roadstead.dev/release]: the reason is missing"),
            "{message}"
        );
    }
    let said = update_as("ann", &held, &annotated(&held, RELEASE, "zzzzzzzzzz why"));
    assert_eq!(said.stored, held);
    assert!(said.warnings[0].contains("nothing is released"), "{:?}", said.warnings);
}

#[test]
fn what_a_client_writes_into_the_record_is_undone_but_for_an_order_in_our_own_words() {
    let (held, change) = held_change();
    let approval = |by: &str| format!(r#"[{{"by":"{by}","change":"{change}"}}]"#);
    let released = |by: &str, why: &str| format!(r#"{{"by":"{by}","change":"{change}","reason":"{why}"}}"#);
    for (key, value) in [
        (Key::Approvals, approval("bob")),
        (Key::Approvals, format!(r#"[{{"by":"ann","change":"{change}","at":"2026-01-01T00:00:00Z"}}]"#)),
        (Key::Approvals, r#"[{"by":"ann","change":"zzzzzzzzzz"}]"#.to_owned()),
        (Key::Approvals, "[]".to_owned()),
        (Key::Override, released("bob", "why")),
        (Key::Override, released("ann", "")),
        (Key::Override, released("ann", " why")),
        (Key::Override, released("ann", &"x".repeat(513))),
        (Key::DefaultLane, "urgent".to_owned()),
        (Key::ReleasedAt, "2026-01-01T00:00:00Z".to_owned()),
    ] {
        let forged = annotated(&held, key.name(), &value);
        assert_eq!(update_as("ann", &held, &forged).stored, held, "{value}");
    }
    // Who may write this may as well write the order; the API server asks for the verb by what is recorded.
    for (key, value) in [(Key::Approvals, approval("ann")), (Key::Override, released("ann", "why"))] {
        let said = update_as("ann", &held, &annotated(&held, key.name(), &value));
        assert_eq!(said.own(key), Some(&*value));
    }
    let approved = update_as("ann", &held, &annotated(&held, APPROVE, &change)).stored;
    let mut dropped = approved.clone();
    dropped["metadata"]["annotations"].as_object_mut().unwrap().remove(Key::Approvals.name());
    assert_eq!(update_as("bob", &approved, &dropped).stored, approved);
}

#[test]
fn no_more_than_so_many_approvals_are_kept() {
    let (mut stored, change) = held_change();
    for number in 0..MAX_APPROVALS {
        stored = update_as(&format!("u{number}"), &stored, &annotated(&stored, APPROVE, &change)).stored;
    }
    let said = update_as("late", &stored, &annotated(&stored, APPROVE, &change));
    assert_eq!(said.stored, stored);
    assert!(said.warnings[0].contains("takes no more"), "{:?}", said.warnings);
    let renewed = update_as("u0", &stored, &annotated(&stored, APPROVE, &change));
    assert_eq!(approvers(&renewed).len(), MAX_APPROVALS, "who is among them can still renew");
}
