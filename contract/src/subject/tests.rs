//! Subjects of every name that a user may choose.

use proptest::prelude::*;

use super::*;

fn subject(namespace: &str, name: &str) -> ChangeSubject {
    ChangeSubject {
        cluster: "east".into(),
        lane: Lane::Normal,
        namespace: namespace.into(),
        name: name.into(),
    }
}

proptest! {
    #[test]
    fn a_subject_reads_back_whatever_the_names_are(namespace in ".{1,40}", name in ".{1,40}") {
        let subject = subject(&namespace, &name);
        let encoded = subject.encode().unwrap();
        prop_assert_eq!(ChangeSubject::parse(&encoded), Ok(subject));
    }

    #[test]
    fn a_subject_has_seven_tokens_that_the_server_takes_as_they_are(namespace in ".{1,40}", name in ".{1,40}") {
        let encoded = subject(&namespace, &name).encode().unwrap();
        prop_assert_eq!(encoded.split('.').count(), 7);
        prop_assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && !b"*>".contains(&byte)));
    }

    #[test]
    fn a_text_is_read_only_where_it_is_what_encoding_makes(text in "roadstead\\.change\\.[a-z=.*>0-9]{0,40}") {
        if let Ok(subject) = ChangeSubject::parse(&text) {
            prop_assert_eq!(subject.encode().unwrap(), text);
        }
    }
}

#[test]
fn a_dot_in_a_name_stays_within_its_token() {
    assert_eq!(
        subject("shop", "web.v2").encode().unwrap(),
        format!("roadstead.change.east.normal.{}.shop.web=2ev2", shard("shop"))
    );
    assert_eq!(
        event("east", "shop", "web.v2", Phase::Held).unwrap(),
        "roadstead.event.east.shop.web=2ev2.held"
    );
    assert_eq!(progress("east", "shop", "web").unwrap(), "roadstead.event.east.shop.web.progress");
    assert_eq!(dead("east", "a.b", "web").unwrap(), "roadstead.dead.east.a=2eb.web");
    let queue = queue("east", "a.b").unwrap();
    assert_eq!((&*queue, queue_namespace(&queue).as_deref()), ("roadstead.queue.east.a=2eb", Some("a.b")));
}

#[test]
fn a_second_look_has_the_same_address_under_another_word() {
    let subject = subject("shop", "web.v2");
    let wake = subject.wake().unwrap();
    assert_eq!(wake, format!("roadstead.wake.east.normal.{}.shop.web=2ev2", shard("shop")));
    assert_eq!(subject.schedule().unwrap(), wake.replace("wake", "schedule"));
    assert_eq!(ChangeSubject::parse_wake(&wake), Ok(subject));
    assert!(ChangeSubject::parse(&wake).is_err());
    assert!(wake.starts_with(wake_filter("east", Lane::Normal).unwrap().trim_end_matches('>')));
}

#[test]
fn names_that_do_not_fit_are_errors_that_say_which() {
    let error = subject("shop", &"n".repeat(254)).encode().unwrap_err();
    assert_eq!(error.to_string(), "the Deployment's name is 254 bytes long; a subject takes 1 to 253");
    assert!(subject("", "web").encode().is_err());
}

#[test]
fn what_is_not_ours_is_not_read() {
    let shop = shard("shop");
    for text in [
        String::new(),
        "roadstead.change.east.normal.1".into(),
        format!("roadstead.change.east.slow.{shop}.shop.web"),
        format!("roadstead.change.east.normal.{}.shop.web", (shop + 1) % SHARDS),
        format!("roadstead.change.east.normal.{shop}.shop.web.more"),
        format!("roadstead.change.east.normal.{shop}.shop.web=2"),
        format!("roadstead.change.east.normal.{shop}.shop.web=77"),
        format!("roadstead.change.east.normal.{shop}.shop.web=2E"),
    ] {
        assert!(ChangeSubject::parse(&text).is_err(), "{text}");
    }
}

#[test]
fn namespaces_spread_over_the_shards() {
    let mut used: Vec<_> = (0..1_000).map(|n| shard(&format!("team-{n}"))).collect();
    used.sort_unstable();
    used.dedup();
    assert_eq!(used.len(), usize::from(SHARDS));
}

#[test]
fn what_is_not_named_is_any() {
    let of = |namespace, name, phase| events("east", namespace, name, phase).unwrap();
    assert_eq!(of(None, None, None), "roadstead.event.east.*.*.*");
    assert_eq!(
        of(Some("shop"), Some("web.v2"), Some(Phase::Dead)),
        "roadstead.event.east.shop.web=2ev2.dead"
    );
    assert_eq!(dead_letters("east", Some("*"), None).unwrap(), "roadstead.dead.east.=2a.*");
    assert!(events("east", Some(""), None, None).is_err());
}
