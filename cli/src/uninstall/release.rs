//! What the objects of a release are called. The names are the chart's (charts/roadstead/templates/_names.tpl); they
//! are not looked up, because half of a release may be gone.

use contract::access::Role;

/// Characters of a fullname that the chart keeps.
const LONGEST: usize = 46;

/// A release.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Prefix of its objects' names.
    pub fullname: String,
}

impl Release {
    /// A release whose names follow from its own, unless `fullname` says otherwise.
    #[must_use]
    pub fn new(name: &str, namespace: &str, fullname: Option<&str>) -> Self {
        let own = if name.contains("roadstead") { name.to_owned() } else { format!("{name}-roadstead") };
        let short: String = fullname.unwrap_or(&own).replace('.', "-").chars().take(LONGEST).collect();
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            fullname: short.trim_end_matches('-').to_owned(),
        }
    }

    /// Name of a part: `executor`, `certs`.
    #[must_use]
    pub fn part(&self, part: &str) -> String {
        format!("{}-{part}", self.fullname)
    }

    /// The mutating webhook configuration.
    #[must_use]
    pub fn hold(&self) -> String {
        format!("zz-{}", self.fullname)
    }

    /// The validating webhook configuration.
    #[must_use]
    pub fn gate(&self) -> String {
        self.fullname.clone()
    }

    /// Selects what the chart has made, in any namespace.
    #[must_use]
    pub fn selector(&self) -> String {
        format!("app.kubernetes.io/name=roadstead,app.kubernetes.io/instance={}", self.name)
    }

    /// The Secrets that `roadstead-certs` may have made, but for [`Release::keys`].
    #[must_use]
    pub fn secrets(&self) -> Vec<String> {
        let of_nats = Role::ALL.into_iter().filter(|role| role.is_component()).map(Role::as_str);
        let of_nats = of_nats.chain(["server"]).map(|name| self.part(&format!("nats-{name}")));
        let of_webhook = ["webhook-authorities", "webhook-tls"].map(|name| self.part(name));
        of_webhook.into_iter().chain(of_nats).collect()
    }

    /// The Secret with the keys of the release's own NATS: what it stores is of no use without them.
    #[must_use]
    pub fn keys(&self) -> String {
        self.part("nats-keys")
    }

    /// Whether a claim of that name is a volume of the release's own NATS: `<volume>-<StatefulSet>-<number>`.
    #[must_use]
    pub fn is_volume(&self, claim: &str) -> bool {
        let Some((rest, number)) = claim.rsplit_once('-') else { return false };
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && rest.strip_suffix(&self.part("nats")).is_some_and(|volume| volume.ends_with('-'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(name: &str) -> Release {
        Release::new(name, "ships", None)
    }

    #[test]
    fn names_are_those_of_the_chart() {
        assert_eq!(release("roadstead").hold(), "zz-roadstead");
        assert_eq!(release("x").hold(), "zz-x-roadstead");
        assert_eq!(release("my-roadstead").part("executor"), "my-roadstead-executor");
        assert_eq!(release(&format!("x.{}", "y".repeat(50))).gate().len(), 46);
        assert_eq!(Release::new("x", "ships", Some("our-queue")).hold(), "zz-our-queue");
        let secrets = release("roadstead").secrets();
        for name in [
            "roadstead-webhook-authorities",
            "roadstead-webhook-tls",
            "roadstead-nats-webhook",
            "roadstead-nats-server",
        ] {
            assert!(secrets.iter().any(|secret| secret == name), "{name} of {secrets:?}");
        }
        assert!(!secrets.contains(&release("roadstead").keys()));
    }

    #[test]
    fn a_volume_is_told_from_those_of_others() {
        let volume = |claim| release("roadstead").is_volume(claim);
        assert!(volume("data-roadstead-nats-0") && volume("jetstream-roadstead-nats-12"));
        for other in [
            "data-nats-0",
            "data-roadstead-nats",
            "data-roadstead-nats-x",
            "data-my-roadstead-nats-0x",
            "roadstead-nats-0",
        ] {
            assert!(!volume(other), "{other}");
        }
    }
}
