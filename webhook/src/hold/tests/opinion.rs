//! What becomes of a change by what policies say of it.

use super::*;

/// Two rules refuse.
const STRICT: Fixed = Fixed(|| {
    let cause = |rule: &str| {
        Cause::of_field("RoadsteadPolicy", format!("p, rule {rule}"), format!("{rule} is broken"))
    };
    Opinion {
        refusals: vec![cause("a"), cause("b")],
        audit: Some("denied".into()),
        warnings: vec!["not told".into()],
        ..Opinion::default()
    }
});

/// One rule warns, and one would have refused.
const MILD: Fixed = Fixed(|| Opinion {
    warnings: vec!["take care".into()],
    audit: Some("found".into()),
    ..Opinion::default()
});

fn update_under(policies: &dyn Policies, old: &Value, new: &Value) -> Said {
    write_as("jane", Some(old), new, "", policies)
}

#[test]
fn a_new_change_is_denied_by_every_rule_that_refuses_it() {
    let old = settled("a");
    for said in [
        update_under(&STRICT, &old, &with_image(&old, "b")),
        write_as("jane", None, &deployment("a"), "", &STRICT),
    ] {
        assert_eq!(said.verdict, Verdict::Denied);
        assert_eq!(said.denial.as_deref(), Some("a is broken; b is broken"));
        let causes = &said.response["status"]["details"]["causes"];
        assert_eq!(
            causes[1],
            json!({"reason": "RoadsteadPolicy", "field": "p, rule b", "message": "b is broken"})
        );
        assert_eq!(said.response["auditAnnotations"], json!({"policy-findings": "denied"}));
        assert!(said.patch.is_empty() && said.warnings.is_empty());
    }
}

#[test]
fn what_is_no_new_change_is_nothing_to_policies() {
    let (held, _) = held_change();
    let mut scaled = held.clone();
    scaled["spec"]["replicas"] = json!(9);
    for (said, verdict) in [
        (update_under(&STRICT, &held, &held), Verdict::Passed),
        (update_under(&STRICT, &held, &scaled), Verdict::Passed),
        (update_under(&STRICT, &held, &with_image(&held, "a")), Verdict::Opened),
        (write_as("jane", Some(&held), &with_image(&held, "c"), "status", &STRICT), Verdict::Passed),
    ] {
        assert_eq!((said.verdict, said.denial), (verdict, None));
    }
}

#[test]
fn a_warning_is_told_and_the_change_waits() {
    let old = settled("a");
    let said = update_under(&MILD, &old, &with_image(&old, "b"));
    assert_eq!(said.verdict, Verdict::Held);
    assert_eq!(said.warnings[1], "take care");
    assert_eq!(said.response["auditAnnotations"], json!({"policy-findings": "found"}));
}

#[test]
fn the_lane_that_policies_give_stands_as_long_as_the_change_does() {
    let old = settled("a");
    let held = update_under(&LANES, &old, &with_image(&old, "b"));
    assert_eq!(held.own(Key::DefaultLane), Some("bulk"));
    assert_eq!(update(&held.stored, &held.stored).own(Key::DefaultLane), Some("bulk"));
    assert_eq!(update(&held.stored, &with_image(&held.stored, "c")).own(Key::DefaultLane), None);
    assert_eq!(update(&held.stored, &with_image(&held.stored, "a")).own(Key::DefaultLane), None);
}
