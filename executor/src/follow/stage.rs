//! How far a rollout is, with all that policies ask of it: first complete, then soaked, then checked. Pure.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    progress::{Progress, progress},
    proofs::Proofs,
    rules::Rules,
    view::Followed,
};
use crate::live::UnixMillis;

/// What is told of how far a rollout is, beside its pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Step {
    /// It is not complete.
    #[default]
    Rolls,
    /// It is complete, and has to stay so until then.
    Soaks(UnixMillis),
    /// It is checked.
    Checks,
}

/// The same in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Detail {
    /// In RFC 3339.
    pub(crate) soaking_until: Option<String>,
    /// Names of the checks.
    pub(crate) checking: Vec<String>,
}

impl Followed {
    /// How a rollout stands that began at `since`; what was seen of it and what its checks came to is remembered.
    pub(super) fn stands(
        &mut self,
        rules: &Rules,
        proofs: &Proofs,
        since: UnixMillis,
        now: UnixMillis,
    ) -> Progress {
        self.steady.see(&self.live, now);
        let stands = self.judged(rules, proofs, since, now);
        self.step = Step::of(&stands);
        stands
    }

    fn judged(&self, rules: &Rules, proofs: &Proofs, since: UnixMillis, now: UnixMillis) -> Progress {
        let Self { live, steady, .. } = self;
        match progress(live, since, now) {
            Progress::Succeeded => {}
            waiting @ Progress::Waiting { .. } => {
                let crashed = self.crashed.clone().filter(|_| !live.paused);
                let reason = crashed.or_else(|| steady.failure(live, now));
                return reason.map_or(waiting, |reason| Progress::Failed { reason });
            }
            ended => return ended,
        }
        if let Some(until) = steady.soaks_until(live, since, rules.soak, now) {
            return Progress::Soaking { until };
        }
        match proofs.of(live, &rules.checks) {
            _ if rules.checks.is_empty() => Progress::Succeeded,
            None => Progress::Checking,
            Some(Ok(())) => Progress::Succeeded,
            Some(Err(reason)) => Progress::Failed { reason: reason.clone() },
        }
    }
}

impl Step {
    fn of(progress: &Progress) -> Self {
        match progress {
            Progress::Soaking { until } => Self::Soaks(*until),
            Progress::Checking => Self::Checks,
            Progress::Waiting { .. } | Progress::Succeeded | Progress::Failed { .. } => Self::Rolls,
        }
    }

    /// Whether it soaks.
    pub(super) fn is_soaking(self) -> bool {
        matches!(self, Self::Soaks(_))
    }

    /// In words.
    pub(super) fn told(self, rules: &Rules) -> Detail {
        match self {
            Self::Rolls => Detail::default(),
            Self::Soaks(until) => Detail { soaking_until: rfc3339(until), checking: Vec::new() },
            Self::Checks => Detail {
                soaking_until: None,
                checking: rules.checks.iter().map(|asked| asked.check.name.clone()).collect(),
            },
        }
    }
}

fn rfc3339(at: UnixMillis) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(at / 1_000).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use contract::{PolicyKind, PolicyRef};
    use kube::runtime::watcher::Event;
    use policy::resource::Check;
    use serde_json::{Value, json};
    use tokio_util::sync::CancellationToken;

    use super::{
        super::{rules::Way, view::View},
        *,
    };
    use crate::{checks::Asked, live::tests::live};

    const SINCE: UnixMillis = 1_000_000;

    fn rules(soak: u64, checks: &[&str]) -> Rules {
        let policy =
            PolicyRef { kind: PolicyKind::ClusterReleasePolicy, namespace: None, name: "calm".into() };
        let asked = |name: &&str| Asked {
            policy: policy.clone(),
            check: Check { name: (*name).into(), ..Check::default() },
        };
        Rules { soak: Duration::from_secs(soak), checks: checks.iter().map(asked).collect(), way: Way::Keep }
    }

    fn followed(case: &Value) -> Followed {
        let mut view = View::new(1);
        let live = live(case);
        let uid = live.uid.clone();
        view.learn(0, Event::Apply(live), SINCE);
        view.get_mut(&uid).unwrap().clone()
    }

    #[test]
    fn first_complete_then_soaked_then_checked() {
        let (whole, half) = (json!({}), json!({"status": {"availableReplicas": 1}}));
        let soaking = Progress::Soaking { until: SINCE + 61_000 };
        let waiting = Progress::Waiting { updated: 3, wanted: 3 };
        for (what, case, rules, after, stands) in [
            ("no policy", &whole, rules(0, &[]), 0, Progress::Succeeded),
            ("not complete", &half, rules(60, &["a"]), 0, waiting),
            ("complete", &whole, rules(60, &["a"]), 60_000, soaking),
            ("soaked", &whole, rules(60, &[]), 61_000, Progress::Succeeded),
            ("soaked, and to be checked", &whole, rules(60, &["a"]), 61_000, Progress::Checking),
            ("to be checked at once", &whole, rules(0, &["a"]), 0, Progress::Checking),
        ] {
            let mut followed = followed(case);
            let first = followed.stands(&rules, &Proofs::default(), SINCE, SINCE);
            assert!(after == 0 || first != Progress::Succeeded, "{what}: too early");
            assert_eq!(followed.stands(&rules, &Proofs::default(), SINCE, SINCE + after), stands, "{what}");
        }
    }

    #[test]
    fn what_the_checks_came_to_decides() {
        let (rules, mut proofs, mut followed) =
            (rules(0, &["a", "b"]), Proofs::default(), followed(&json!({})));
        proofs.begin(&followed.live, &rules.checks, &CancellationToken::new()).unwrap();
        assert_eq!(followed.stands(&rules, &proofs, SINCE, SINCE), Progress::Checking);
        assert_eq!(followed.step.told(&rules).checking, ["a", "b"]);
        proofs.ended(&followed.live, &rules.checks, Ok(()));
        assert_eq!(followed.stands(&rules, &proofs, SINCE, SINCE), Progress::Succeeded);
        proofs.ended(&followed.live, &rules.checks, Err("check a failed".into()));
        let reason = "check a failed".to_owned();
        assert_eq!(followed.stands(&rules, &proofs, SINCE, SINCE), Progress::Failed { reason });
    }

    #[test]
    fn what_breaks_while_it_soaks_fails_as_it_would_have_before() {
        let (rules, mut followed) = (rules(60, &[]), followed(&json!({})));
        followed.stands(&rules, &Proofs::default(), SINCE, SINCE);
        assert!(followed.step.is_soaking());
        assert_eq!(followed.step.told(&rules).soaking_until.as_deref(), Some("1970-01-01T00:17:41Z"));
        followed.live = live(&json!({"status": {"availableReplicas": 2}}));
        let waiting = Progress::Waiting { updated: 3, wanted: 3 };
        assert_eq!(followed.stands(&rules, &Proofs::default(), SINCE, SINCE + 1), waiting);
        let mut crashed = followed.clone();
        crashed.crashed = Some("CrashLoopBackOff".into());
        let failed = crashed.stands(&rules, &Proofs::default(), SINCE, SINCE + 2);
        assert_eq!(failed, Progress::Failed { reason: "CrashLoopBackOff".into() });
        let failed = followed.stands(&rules, &Proofs::default(), SINCE, SINCE + 600_002);
        assert!(matches!(failed, Progress::Failed { .. }), "{failed:?}");
    }
}
