//! Which part does not do its work, and what to look at. Pure: from where the change stands, and what was seen.

use std::fmt::Write as _;

use crate::uninstall::Release;

/// The stage that the change did not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The API server was to have it held; what it said instead, if it refused.
    Held {
        /// The refusal.
        said: Option<String>,
    },
    /// Its ReplicaSet was to be denied.
    Denied,
    /// Its gate was to be opened.
    Released {
        /// Whether it was given up instead.
        dead: bool,
    },
    /// The deployment controller was to act on it.
    RolledOut,
    /// The executor was to follow it to the end.
    Followed,
}

/// What was seen; `None`: the user may not look.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The namespace of the change.
    pub namespace: String,
    /// Whether that is opted in.
    pub opted_in: Option<bool>,
    /// Whether the mutating webhook configuration is there.
    pub hold: Option<bool>,
    /// Whether the validating one is.
    pub gate: Option<bool>,
    /// Whether the executor has swept the namespace.
    pub swept: Option<bool>,
    /// Reasons and notes of the Events about the Deployment.
    pub told: Option<Vec<(String, String)>>,
    /// Parts of the release: what it is called, pods that are ready, pods that are wanted.
    pub parts: Vec<(String, i32, i32)>,
    /// The release.
    pub release: Release,
}

/// What is wrong, as far as can be seen, and where to look.
#[must_use]
pub fn blame(stage: &Stage, seen: &Seen) -> String {
    let mut text = match stage {
        Stage::Held { said } => held(said.as_deref(), seen),
        Stage::Denied => denied(seen),
        Stage::Released { dead } => released(*dead, seen),
        Stage::RolledOut => {
            "the change was let through, but no ReplicaSet was made of it: the deployment controller \
             (kube-controller-manager) does not act, or a quota or a policy refuses its ReplicaSet"
                .to_owned()
        }
        Stage::Followed => "the change rolled out, but the executor did not follow it to its end".to_owned(),
    };
    for (reason, note) in seen.told.iter().flatten() {
        let _ = write!(text, "\n  event: {reason}: {}", note.replace(char::is_control, " "));
    }
    let namespace = &seen.release.namespace;
    for (part, ready, wanted) in &seen.parts {
        let look = if ready < wanted {
            format!("; see: kubectl -n {namespace} describe {part}; kubectl -n {namespace} logs {part}")
        } else {
            String::new()
        };
        let _ = write!(text, "\n  {part}: {ready} of {wanted} ready{look}");
    }
    text
}

fn held(said: Option<&str>, seen: &Seen) -> String {
    let Seen { namespace, release, .. } = seen;
    if let Some(said) = said {
        return format!(
            "the webhook does not answer the API server, so no Deployment can be written in namespace {namespace} \
             ({said}). Look at the pods, the Service and the certificate of the webhook: kubectl -n {} logs \
             deployment/{}",
            release.namespace,
            release.part("webhook")
        );
    }
    let why = match (seen.opted_in, seen.hold) {
        (Some(false), _) => {
            format!(
                "the namespace is not opted in: kubectl label namespace {namespace} roadstead.dev/enabled=true"
            )
        }
        (_, Some(false)) => format!(
            "there is no MutatingWebhookConfiguration {}: install the chart again, or name its release with --release",
            release.hold()
        ),
        _ => format!(
            "the webhook is not asked: the release does not serve the namespace (chart value `namespaces`), or it is \
             away and webhook.failurePolicy is Ignore; see: kubectl get mutatingwebhookconfiguration {} -o yaml",
            release.hold()
        ),
    };
    format!("the change was not held. {why}")
}

fn denied(seen: &Seen) -> String {
    let gate = seen.release.gate();
    let why = match seen.gate {
        Some(false) => format!("there is no ValidatingWebhookConfiguration {gate}: install the chart again"),
        _ => format!("see: kubectl get validatingwebhookconfiguration {gate} -o yaml"),
    };
    format!("a ReplicaSet was made while the change was held: the gate is not asked. {why}")
}

fn released(dead: bool, seen: &Seen) -> String {
    if dead {
        return "the change was given up: it was refused too often (docs/retries.md)".to_owned();
    }
    let Release { namespace, .. } = &seen.release;
    let (webhook, executor) = (seen.release.part("webhook"), seen.release.part("executor"));
    let is_queued = seen.told.iter().flatten().any(|(reason, _)| reason == "ChangeHeld");
    let why = if is_queued {
        "it is on the queue and the executor knows it: all slots are taken, or it waits behind others. See: kubectl \
         roadstead get -A; longer: --timeout; more: the chart value `slots`"
            .to_owned()
    } else if seen.swept == Some(false) {
        format!(
            "the executor has not swept namespace {}: it does not run, or cannot reach NATS. See: kubectl -n \
             {namespace} logs deployment/{executor}",
            seen.namespace
        )
    } else {
        format!(
            "the executor has not told of it: the outbox of the webhook cannot publish to NATS (kubectl -n {namespace} \
             logs deployment/{webhook}), or the executor does not run or cannot read from NATS (kubectl -n {namespace} \
             logs deployment/{executor})"
        )
    };
    format!("the change is held, but was not released in time. {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen {
            namespace: "shop".into(),
            opted_in: Some(true),
            hold: Some(true),
            gate: None,
            swept: None,
            told: None,
            parts: vec![],
            release: Release::new("roadstead", "roadstead", None),
        }
    }

    #[test]
    fn each_stage_names_the_part_and_what_to_look_at() {
        let not_held = || Stage::Held { said: None };
        let waits = || Stage::Released { dead: false };
        let queued = Some(vec![("ChangeHeld".to_owned(), "waits".to_owned())]);
        for (stage, seen, part) in [
            (Stage::Held { said: Some("connection refused".into()) }, seen(), "(connection refused)"),
            (not_held(), Seen { opted_in: Some(false), ..seen() }, "kubectl label namespace shop"),
            (
                not_held(),
                Seen { hold: Some(false), ..seen() },
                "no MutatingWebhookConfiguration zz-roadstead",
            ),
            (not_held(), seen(), "failurePolicy is Ignore"),
            (
                Stage::Denied,
                Seen { gate: Some(false), ..seen() },
                "no ValidatingWebhookConfiguration roadstead",
            ),
            (waits(), Seen { told: queued, ..seen() }, "all slots are taken"),
            (waits(), Seen { swept: Some(false), ..seen() }, "has not swept namespace shop"),
            (waits(), seen(), "logs deployment/roadstead-webhook"),
            (Stage::Released { dead: true }, seen(), "docs/retries.md"),
            (Stage::RolledOut, seen(), "kube-controller-manager"),
            (Stage::Followed, seen(), "did not follow"),
        ] {
            let text = blame(&stage, &seen);
            assert!(text.contains(part), "{stage:?}: {text}");
        }
    }

    #[test]
    fn a_part_that_is_not_ready_is_named_with_the_command_that_says_why() {
        let parts =
            vec![("deployment/roadstead-executor".into(), 0, 2), ("statefulset/roadstead-nats".into(), 1, 1)];
        let text = blame(&Stage::Released { dead: false }, &Seen { parts, ..seen() });
        assert!(
            text.contains("executor: 0 of 2 ready; see: kubectl -n roadstead describe deployment/"),
            "{text}"
        );
        assert!(text.ends_with("nats: 1 of 1 ready"), "{text}");
    }
}
