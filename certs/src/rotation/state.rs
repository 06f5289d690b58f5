//! What is there, reduced to what a decision needs: which certificates, how long they are good, and who trusts them.

use std::collections::BTreeSet;

use time::{Duration, OffsetDateTime};

use crate::tls::{Certificate, Fingerprint, LeafRequest};

/// A certificate with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Which one.
    pub id: Fingerprint,
    /// Begin of its life.
    pub issued: OffsetDateTime,
    /// End of its life.
    pub not_after: OffsetDateTime,
}

/// The leaf that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its time; it ends with its signer's at the latest.
    pub issued: Issued,
    /// Who signed it.
    pub signer: Fingerprint,
    /// Whether it has every name that it should have.
    pub has_names: bool,
}

/// Everything that the rotation looks at, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The authority that signs.
    pub signing: Option<Issued>,
    /// The one that is to sign next, once everybody trusts it.
    pub next: Option<Issued>,
    /// Those that sign no more, and until when a leaf of theirs may be served.
    pub retired: Vec<(Fingerprint, OffsetDateTime)>,
    /// The leaf, if it can be served: it is valid, its key fits, and who signed it is known.
    pub leaf: Option<Leaf>,
    /// Who signed the leaf, where it is none of the above but trusted by every configuration: the Secret of the
    /// authorities was lost.
    pub stray: Option<Fingerprint>,
    /// Whom each webhook of the configurations trusts; `None` where that cannot be read.
    pub trusted: Vec<Option<BTreeSet<Fingerprint>>>,
    /// Whether somebody has asked for a new authority.
    pub asked: bool,
}

impl Issued {
    /// When it is to be replaced: at two thirds of its life.
    #[must_use]
    pub fn due(&self) -> OffsetDateTime {
        self.issued + (self.not_after - self.issued).max(Duration::ZERO) * 2 / 3
    }
}

impl Leaf {
    /// The leaf of this signer, and whether it is what `request` asks for.
    pub(crate) fn of(leaf: &Certificate, signer: &Certificate, request: &LeafRequest) -> Self {
        Self {
            issued: Issued { not_after: leaf.not_after().min(signer.not_after()), ..Issued::from(leaf) },
            signer: signer.fingerprint(),
            has_names: leaf.check_names(request).is_ok(),
        }
    }
}

impl From<&Certificate> for Issued {
    fn from(certificate: &Certificate) -> Self {
        Self {
            id: certificate.fingerprint(),
            issued: certificate.issued(),
            not_after: certificate.not_after(),
        }
    }
}

impl State {
    /// Whom every webhook is to trust, and nobody else.
    #[must_use]
    pub fn wanted(&self) -> BTreeSet<Fingerprint> {
        let able = self.next.iter().chain(&self.signing).map(|authority| authority.id);
        able.chain(self.retired.iter().map(|(id, _)| *id)).collect()
    }

    /// Whether every webhook trusts this authority.
    #[must_use]
    pub fn all_trust(&self, authority: Fingerprint) -> bool {
        self.trusted.iter().all(|known| known.as_ref().is_some_and(|ids| ids.contains(&authority)))
    }

    /// Whether every webhook trusts whom it is to trust, and nobody else.
    #[must_use]
    pub fn is_published(&self) -> bool {
        let wanted = self.wanted();
        self.trusted.iter().all(|known| known.as_ref() == Some(&wanted))
    }
}
