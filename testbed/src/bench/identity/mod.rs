//! Tries every user of NATS against every subject of the contract, on a real nats-server, and compares what it says
//! with the table of docs/security.md; then tries to write through the subjects of replies.

mod subjects;
mod wire;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use certs::nats::{Creds, UserRequest};
use contract::access::{Access, Account, Names, Role};
use contract::stream::DEAD;

use self::subjects::{CLUSTERS, NAMESPACES};
use self::wire::{Answer, Wire};
use super::figure;
use crate::nats::Nats;
use crate::process::Lifetime;
use crate::tools::Tools;

/// What was tried and what was not as the table says.
#[derive(Debug, Default)]
pub struct Matrix {
    /// Users times subjects times publish and subscribe.
    pub pairs: usize,
    /// A sentence each.
    pub mismatches: Vec<String>,
}

/// Prints the figures.
pub(super) async fn run() -> Result<()> {
    let matrix = Matrix::measure().await?;
    for mismatch in &matrix.mismatches {
        println!("{mismatch}");
    }
    figure("pairs", f64::from(u32::try_from(matrix.pairs)?), "count");
    figure("mismatches", f64::from(u32::try_from(matrix.mismatches.len())?), "count");
    ensure!(matrix.mismatches.is_empty(), "the server does not do what the table says");
    Ok(())
}

/// Somebody with credentials.
struct Somebody {
    name: String,
    role: Role,
    creds: Creds,
    access: Access,
}

impl Matrix {
    /// Starts a nats-server, and tries.
    ///
    /// # Errors
    /// When the server does not start or says something that is neither a yes nor a no.
    pub async fn measure() -> Result<Self> {
        let tools = Tools::locate_in_background().await?;
        let folder = tempfile::tempdir()?;
        let nats = Nats::with_identities(&tools, folder.path(), Lifetime::Ours, CLUSTERS[0])?;
        nats.start().await?;
        let context = async_nats::jetstream::new(nats.client().await?);
        ops::streams::ensure(&context, 1).await?;
        let mut matrix = Self::default();
        let nobody = Wire::connect(nats.url(), None).await;
        matrix.check(nobody.is_err(), || "a client without credentials is let in".to_owned());
        let guest = read(&nats.identities().context("no identities")?.component(Role::Guest))?;
        let guest = Wire::connect(nats.url(), Some(&guest)).await;
        matrix.check(guest.is_err(), || "a guest is let in without a word of the callout".to_owned());
        let everybody = everybody(&nats)?;
        for somebody in &everybody {
            matrix.compare(&nats, somebody).await?;
        }
        // Whoever may do what he should not may have removed what the rest needs.
        if matrix.mismatches.is_empty() {
            for somebody in &everybody {
                matrix.reach(&nats, &context, somebody).await?;
            }
        }
        Ok(matrix)
    }

    async fn compare(&mut self, nats: &Nats, somebody: &Somebody) -> Result<()> {
        let mut wire = Wire::connect(nats.url(), Some(&somebody.creds)).await?;
        let Somebody { name, access, .. } = somebody;
        for subject in unique(subjects::published()?) {
            let answer = wire.publish(&subject).await?;
            self.check(access.publishes(&subject) == (answer == Answer::Allowed), || {
                format!("{name} publishes {subject}: {answer:?}")
            });
        }
        for subject in unique(subjects::subscribed()?) {
            let answer = wire.subscribe(&subject).await?;
            self.check(access.subscribes(&subject) == (answer == Answer::Allowed), || {
                format!("{name} subscribes {subject}: {answer:?}")
            });
        }
        Ok(())
    }

    /// Names a subject that it may not publish on as the one for the answer, wherever it may publish; says whether
    /// anything arrived there.
    async fn reach(
        &mut self,
        nats: &Nats,
        context: &async_nats::jetstream::Context,
        somebody: &Somebody,
    ) -> Result<()> {
        let Somebody { name, role, creds, access } = somebody;
        let victim = format!("roadstead.dead.victim.{}.{}", name.replace(' ', "-"), "web");
        ensure!(!access.publishes(&victim), "{name} may publish what it is to reach by a reply");
        let mut wire = Wire::connect(nats.url(), Some(creds)).await?;
        for subject in unique(subjects::published()?).into_iter().filter(|subject| access.publishes(subject))
        {
            let last = r#"{"last_by_subj":"roadstead.change.>"}"#;
            let payload = if subject.contains(".MSG.GET.") { last } else { wire::payload(&subject) };
            wire.request(&subject, &victim, payload).await?;
        }
        // What it asked for is answered in its order, and what this asks comes last.
        let marker = format!("roadstead.dead.marker.{}.web", name.replace(' ', "-"));
        context.publish(marker, "".into()).await?.await?;
        let stream = context.get_stream(DEAD).await?;
        let reached = stream.get_last_raw_message_by_subject(&victim).await.is_ok();
        let expected = access.reaches_by_reply() && role.account() == Account::Roadstead;
        self.check(reached == expected, || format!("{name} writes through replies: {reached}"));
        Ok(())
    }

    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.pairs += 1;
        if !holds {
            self.mismatches.push(what());
        }
    }
}

/// Each subject once.
fn unique(subjects: Vec<String>) -> BTreeSet<String> {
    subjects.into_iter().collect()
}

/// A user of each role in the first cluster, and one of the second namespace.
fn everybody(nats: &Nats) -> Result<Vec<Somebody>> {
    let folder = nats.identities().context("the server has no identities")?;
    let mut everybody = Vec::new();
    // A guest is not let in by its credentials alone: that is tried before.
    let users = Role::ALL.into_iter().filter(|role| *role != Role::Guest);
    let users = users.map(|role| (role, "jane", NAMESPACES[0]));
    for (role, user, namespace) in users.chain([(Role::Namespace, "joe", NAMESPACES[1])]) {
        let cluster = CLUSTERS[0];
        let path = if role.is_component() {
            folder.component(role)
        } else {
            let request = UserRequest {
                role,
                name: user.into(),
                cluster: cluster.into(),
                namespace: (role == Role::Namespace).then(|| namespace.into()),
                life: None,
            };
            folder.user(&request)?;
            folder.creds(&request)
        };
        everybody.push(Somebody {
            name: format!("{role} {user}"),
            role,
            creds: read(&path)?,
            access: role.access(&Names { cluster, namespace, user }),
        });
    }
    Ok(everybody)
}

fn read(path: &Path) -> Result<Creds> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(Creds::parse(&text)?)
}
