//! One look at everything: the objects, and the state that they amount to.

use std::collections::BTreeSet;

use super::{
    Authorities, Cluster, Failure, State,
    authorities::leaf,
    objects::{Configuration, Stored},
    state::Leaf,
};
use crate::tls::{Certificate, Fingerprint, LeafRequest};

/// What was read.
pub(super) struct View {
    pub(super) state: State,
    pub(super) authorities: Authorities,
    /// Who signed the leaf.
    pub(super) signer: Option<Certificate>,
    pub(super) stored: Secrets,
    configurations: Vec<Configuration>,
}

/// The Secrets as they were read.
pub(super) struct Secrets {
    pub(super) authorities: Stored,
    pub(super) leaf: Stored,
}

impl View {
    /// Reads everything; tells how many configurations are missing.
    ///
    /// The order matters where somebody else writes meanwhile: what is written is fenced by the version of the object
    /// that was read earlier, and decided by those read later. So no bundle is written that lacks an authority that is
    /// published already, and no leaf is written by an authority that had retired before the last one was.
    pub(super) async fn of(cluster: &Cluster, request: &LeafRequest) -> Result<(Self, usize), Failure> {
        let (configurations, missing) = cluster.configurations().await?;
        let leaf = cluster.leaf().await?;
        let stored = Secrets { authorities: cluster.authorities().await?, leaf };
        let authorities = stored.authorities.document().map(Authorities::read_or_none).unwrap_or_default();
        let mut view = Self { state: State::default(), authorities, signer: None, stored, configurations };
        view.look(request);
        Ok((view, missing))
    }

    /// The configurations that do not trust whom they are to trust.
    pub(super) fn unpublished(&self) -> impl Iterator<Item = &Configuration> {
        let wanted = self.state.wanted();
        self.configurations.iter().filter(move |configuration| {
            configuration.bundles().any(|bundle| certificates(&bundle).is_none_or(|all| ids(&all) != wanted))
        })
    }

    fn look(&mut self, request: &LeafRequest) {
        let bundles = || self.configurations.iter().flat_map(Configuration::bundles);
        let mut state = State {
            trusted: bundles().map(|bundle| certificates(&bundle).map(|all| ids(&all))).collect(),
            asked: self.stored.authorities.asks(),
            ..self.authorities.state()
        };
        if let Some(leaf) = readable_leaf(&self.stored.leaf) {
            let signer_among = |all: Vec<Certificate>| all.into_iter().find(|one| leaf.is_signed_by(one));
            let mut signer = signer_among(self.authorities.certificates());
            if signer.is_none() {
                let mut published =
                    bundles().next().and_then(|bundle| certificates(&bundle)).unwrap_or_default();
                published.retain(|one| one.check_authority().is_ok() && state.all_trust(one.fingerprint()));
                signer = signer_among(published);
                state.stray = signer.as_ref().map(Certificate::fingerprint);
            }
            state.leaf = signer.as_ref().map(|signer| Leaf::of(&leaf, signer, request));
            self.signer = signer;
        }
        self.state = state;
    }
}

fn readable_leaf(stored: &Stored) -> Option<Certificate> {
    let (certificate, key) = stored.pair()?;
    match leaf(&certificate, &key) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            tracing::warn!(
                error = ops::chain(&error),
                "the certificate in the Secret cannot be served; it is made anew"
            );
            None
        }
    }
}

/// The certificates of a bundle; `None` where it cannot be read.
fn certificates(bundle: &[u8]) -> Option<Vec<Certificate>> {
    Certificate::all(bundle).ok()
}

fn ids(certificates: &[Certificate]) -> BTreeSet<Fingerprint> {
    certificates.iter().map(Certificate::fingerprint).collect()
}
