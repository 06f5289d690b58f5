//! Who may do what on NATS, as data: the subjects that each role may publish and subscribe. The tokens that `certs`
//! signs, the table in docs/security.md and the test that tries every user against every subject come from here.

mod role;
mod subjects;

use std::fmt::Write as _;

pub use role::{Account, Role};

/// Where servers ask the authorization callout who a client is.
pub const QUESTIONS: &str = subjects::QUESTIONS;

use crate::stream::STREAMS;

/// The names that a role's subjects are made for. They are used as they are: whoever takes them from somebody else
/// checks them before ([`is_label`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names<'a> {
    /// Name of the cluster.
    pub cluster: &'a str,
    /// The namespace, for those who have one.
    pub namespace: &'a str,
    /// The user.
    pub user: &'a str,
}

impl Names<'static> {
    /// What a server replaces by the tags and the name in a user's token.
    /// <https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt#template-functions>
    pub const TEMPLATE: Self =
        Self { cluster: "{{tag(cluster)}}", namespace: "{{tag(namespace)}}", user: "{{name()}}" };

    /// For people who read.
    pub const READABLE: Self = Self { cluster: "<cluster>", namespace: "<namespace>", user: "<user>" };
}

/// What a user may do. There is nothing else that it may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Subjects, with wildcards, that it may publish on.
    pub publish: Vec<String>,
    /// Subjects, with wildcards, that it may subscribe.
    pub subscribe: Vec<String>,
    /// Whether it may answer, once, what it is asked.
    pub answers: bool,
}

impl Access {
    /// Whether it may publish on a subject without wildcards.
    #[must_use]
    pub fn publishes(&self, subject: &str) -> bool {
        self.publish.iter().any(|allowed| covers(allowed, subject))
    }

    /// Whether it may subscribe a subject, which may have wildcards of its own.
    #[must_use]
    pub fn subscribes(&self, subject: &str) -> bool {
        self.subscribe.iter().any(|allowed| covers(allowed, subject))
    }

    /// Whether the server answers something that it may publish on whatever subject the message names for the answer,
    /// also one that the user itself may not publish on: calls of APIs, and what a stream keeps and acknowledges.
    #[must_use]
    pub fn reaches_by_reply(&self) -> bool {
        let kept = STREAMS.iter().flat_map(|stream| stream.subjects);
        let answered = ["$JS.API.>", "$SYS.REQ.>"].iter().chain(kept);
        answered.into_iter().any(|answered| self.publish.iter().any(|subject| covers(answered, subject)))
    }
}

/// Whether every subject that `asked` stands for is one that `allowed` stands for.
/// <https://docs.nats.io/nats-concepts/subjects#wildcards>
fn covers(allowed: &str, asked: &str) -> bool {
    let (mut allowed, mut asked) = (allowed.split('.'), asked.split('.'));
    loop {
        match (allowed.next(), asked.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(token), Some(other)) if token == other && other != "*" && other != ">" => {}
            _ => return false,
        }
    }
}

/// A name as DNS-1123 has it, which no template of a subject can be widened by: 1 to 63 of a-z, 0-9 and `-`, beginning
/// and ending with a letter or digit.
#[must_use]
pub fn is_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The table of docs/security.md, in Markdown.
#[must_use]
pub fn table() -> String {
    let mut table = String::from("| who | may publish | may subscribe |\n|---|---|---|\n");
    let cell = |subjects: &[String]| {
        let quoted: Vec<_> = subjects.iter().map(|subject| format!("`{subject}`")).collect();
        if quoted.is_empty() { "nothing".to_owned() } else { quoted.join("<br>") }
    };
    for role in Role::ALL {
        let Access { publish, subscribe, answers } = role.access(&Names::READABLE);
        let publish = if answers { "one answer to each question".to_owned() } else { cell(&publish) };
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {role} | {publish} | {} |", cell(&subscribe));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lane, Phase, stream, subject};

    const NAMES: Names<'static> = Names { cluster: "east", namespace: "shop", user: "jane" };

    #[test]
    fn a_subject_is_covered_where_everything_that_it_stands_for_is_allowed() {
        for (allowed, asked, covered) in [
            ("a.b", "a.b", true),
            ("a.*", "a.b", true),
            ("a.*", "a.*", true),
            ("a.>", "a.*", true),
            ("a.>", "a.b.c", true),
            (">", "a", true),
            ("a.b", "a.c", false),
            ("a.b", "a.*", false),
            ("a.*", "a.>", false),
            ("a.*", "a.b.c", false),
            ("a.>", "a", false),
            ("a.b", "a.>", false),
            ("a.b", "a", false),
        ] {
            assert_eq!(covers(allowed, asked), covered, "{allowed} {asked}");
        }
    }

    #[test]
    fn the_workloads_may_do_what_they_do() {
        let change = subject::ChangeSubject {
            cluster: "east".into(),
            lane: Lane::Bulk,
            namespace: "shop".into(),
            name: "web.v2".into(),
        };
        let event = |phase| subject::event("east", "shop", "web.v2", phase).unwrap();
        let webhook = Role::Webhook.access(&NAMES);
        assert!(webhook.publishes(&change.encode().unwrap()) && webhook.publishes(&event(Phase::Held)));
        assert!(!webhook.publishes(&event(Phase::Succeeded)) && !webhook.publishes(&change.wake().unwrap()));
        let executor = Role::Executor.access(&NAMES);
        for subject in [
            event(Phase::Failed),
            subject::progress("east", "shop", "web").unwrap(),
            subject::dead("east", "shop", "web").unwrap(),
            subject::queue("east", "shop").unwrap(),
            change.schedule().unwrap(),
            change.wake().unwrap(),
            format!("$JS.API.CONSUMER.INFO.{}.{}", stream::CHANGES, stream::consumer("east", Lane::Bulk, 3)),
            format!(
                "$JS.API.CONSUMER.CREATE.{}.{}.{}",
                stream::CHANGES,
                stream::consumer("east", Lane::Bulk, 3),
                subject::change_filter("east", Lane::Bulk, 3).unwrap()
            ),
        ] {
            assert!(executor.publishes(&subject), "{subject}");
        }
        assert!(!executor.publishes(&change.encode().unwrap()));
        for subject in [
            subject::all_changes("east").unwrap(),
            subject::all_wakes("east").unwrap(),
            subject::all_queues("east").unwrap(),
            subject::events_of("east", Phase::Released).unwrap(),
        ] {
            assert!(executor.subscribes(&subject), "{subject}");
        }
        assert!(!executor.subscribes(&subject::all_changes("west").unwrap()));
    }

    #[test]
    fn one_alone_deletes_and_nobody_purges_or_reads_the_replies_of_somebody_else() {
        for role in Role::ALL {
            let access = role.access(&NAMES);
            for call in
                ["STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE", "STREAM.UPDATE", "CONSUMER.DELETE"]
            {
                let allowed = (role, call) == (Role::Uninstall, "STREAM.DELETE");
                let subject = format!("$JS.API.{call}.{}", stream::CHANGES);
                assert_eq!(access.publishes(&subject), allowed, "{role} {call}");
            }
            assert!(!access.publishes("$JS.API.STREAM.DELETE.MINE"), "{role}");
            for other in Role::ALL.into_iter().filter(|other| *other != role) {
                assert!(!access.subscribes(&other.inbox(&NAMES)), "{role} {other}");
                assert!(!access.publishes(&other.inbox(&NAMES)), "{role} {other}");
            }
            assert!(!access.subscribes(">") && !access.subscribes("_INBOX.>"), "{role}");
            let reaches = !matches!(role, Role::Namespace | Role::Callout | Role::Guest);
            assert_eq!(access.reaches_by_reply(), reaches, "{role}");
        }
    }

    #[test]
    fn a_namespace_is_its_own_only() {
        let access = Role::Namespace.access(&NAMES);
        for (subject, own) in [
            ("roadstead.event.east.shop.web.held", true),
            ("roadstead.event.east.shop.>", true),
            ("roadstead.queue.east.shop", true),
            ("roadstead.event.east.pay.web.held", false),
            ("roadstead.event.west.shop.web.held", false),
            ("roadstead.event.east.*.web.held", false),
            ("roadstead.change.east.>", false),
            ("$KV.ROADSTEAD_LEASES.>", false),
        ] {
            assert_eq!(access.subscribes(subject), own, "{subject}");
        }
        assert!(access.publishes("apps.shop.web.updated") && access.publishes("roadstead.command.shop.web"));
        assert!(
            !access.publishes("apps.pay.web.updated")
                && !access.publishes("roadstead.event.east.shop.web.held")
        );
    }

    #[test]
    fn a_name_that_would_widen_a_subject_is_no_label() {
        for name in ["", "*", ">", "a.b", "a\0b", "A", "-a", "a-", "a b", "a*", "{{name()}}", "ä"] {
            assert!(!is_label(name), "{name:?}");
        }
        assert!(is_label(&"a".repeat(63)) && !is_label(&"a".repeat(64)) && is_label("a-1"));
    }
}
