//! The authorities as they stand in their Secret: one document, so that a step changes them as a whole.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Issued, State};
use crate::tls::{Authority, Certificate, Fingerprint, Pair, TlsError};

/// The authorities of one installation.
#[derive(Debug, Default)]
pub struct Authorities {
    /// The one that signs.
    pub signing: Option<Authority>,
    /// The one that is to sign next.
    pub next: Option<Authority>,
    /// Those that sign no more and are still trusted. Their keys are gone.
    pub retired: Vec<Retired>,
}

/// An authority that signs no more.
#[derive(Clone, Debug)]
pub struct Retired {
    /// Its certificate.
    pub certificate: Certificate,
    /// Until when a leaf of it may be served.
    pub until: OffsetDateTime,
}

/// What cannot be used of a document, and why.
pub type Defects = Vec<(&'static str, TlsError)>;

/// The document: PEM texts, times in seconds since 1970.
#[derive(Default, Serialize, Deserialize)]
struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing: Option<PairText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<PairText>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retired: Vec<RetiredText>,
}

#[derive(Serialize, Deserialize)]
struct PairText {
    certificate: String,
    key: String,
}

#[derive(Serialize, Deserialize)]
struct RetiredText {
    certificate: String,
    until: i64,
}

impl Authorities {
    /// Reads what the Secret holds. What cannot be used is left out and told of; of an authority without its key the
    /// certificate stays trusted, because a leaf of it may be served.
    ///
    /// # Errors
    /// When it is no document of ours at all.
    pub fn read(text: &[u8]) -> Result<(Self, Defects), serde_json::Error> {
        let document: Document = serde_json::from_slice(text)?;
        let (mut this, mut defects) = (Self::default(), Defects::new());
        for retired in document.retired {
            match retired.read() {
                Ok(retired) => this.retired.push(retired),
                Err(error) => defects.push(("a retired authority", error)),
            }
        }
        for (name, pair, place) in [
            ("the signing authority", document.signing, &mut this.signing),
            ("the next authority", document.next, &mut this.next),
        ] {
            let Some(pair) = pair else { continue };
            match Authority::from_pem(&pair.certificate, &pair.key) {
                Ok(authority) => *place = Some(authority),
                Err(error) => {
                    this.retired.extend(trust_only(&pair.certificate));
                    defects.push((name, error));
                }
            }
        }
        Ok((this, defects))
    }

    /// As [`Self::read`]; what cannot be used is told of in the log, and left out by the next write.
    pub(crate) fn read_or_none(text: &[u8]) -> Self {
        match Self::read(text) {
            Ok((authorities, defects)) => {
                for (what, why) in defects {
                    tracing::warn!(error = ops::chain(&why), "{what} in the Secret cannot be used");
                }
                authorities
            }
            Err(error) => {
                let error = ops::chain(&error);
                tracing::warn!(error, "the Secret of the authorities cannot be read; they are made anew");
                Self::default()
            }
        }
    }

    /// What a decision needs of them.
    pub(crate) fn state(&self) -> State {
        let issued = |authority: &Authority| Issued::from(authority.certificate());
        let retired = self.retired.iter().map(|one| (one.certificate.fingerprint(), one.until));
        State {
            signing: self.signing.as_ref().map(issued),
            next: self.next.as_ref().map(issued),
            retired: retired.collect(),
            ..State::default()
        }
    }

    /// The document that [`Self::read`] reads.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn write(&self) -> Result<Vec<u8>, serde_json::Error> {
        let pair = |authority: &Authority| PairText {
            certificate: authority.cert_pem().to_owned(),
            key: authority.key_pem().to_owned(),
        };
        let retired = |retired: &Retired| RetiredText {
            certificate: retired.certificate.pem(),
            until: retired.until.unix_timestamp(),
        };
        serde_json::to_vec(&Document {
            signing: self.signing.as_ref().map(pair),
            next: self.next.as_ref().map(pair),
            retired: self.retired.iter().map(retired).collect(),
        })
    }

    /// Every certificate that is to be trusted, the newest first.
    #[must_use]
    pub fn certificates(&self) -> Vec<Certificate> {
        let able = self.next.iter().chain(&self.signing).map(|authority| authority.certificate().clone());
        able.chain(self.retired.iter().map(|retired| retired.certificate.clone())).collect()
    }

    /// The same as one PEM text: the `caBundle`.
    #[must_use]
    pub fn bundle(&self) -> String {
        self.certificates().iter().map(Certificate::pem).collect()
    }

    /// Lets the next authority sign, and trusts the one that did until then for as long as a leaf of it may be served.
    pub fn promote(&mut self, until: OffsetDateTime) {
        let old = std::mem::replace(&mut self.signing, self.next.take());
        if let Some(old) = old {
            self.trust(old.certificate(), until);
        }
    }

    /// Trusts an authority that does not sign, until then at least.
    pub fn trust(&mut self, certificate: &Certificate, until: OffsetDateTime) {
        let wanted = Retired::of(certificate.clone(), until);
        match self.retired.iter_mut().find(|known| known.certificate == *certificate) {
            Some(known) => known.until = known.until.max(wanted.until),
            None => self.retired.push(wanted),
        }
    }

    /// Forgets the retired whose time is over, but for the one that has signed the leaf.
    pub fn drop_retired(&mut self, now: OffsetDateTime, signer: Option<Fingerprint>) {
        let signer = |retired: &Retired| Some(retired.certificate.fingerprint()) == signer;
        self.retired.retain(|retired| now < retired.until || signer(retired));
    }
}

impl Retired {
    /// Trusted until then, but never longer than its own life.
    #[must_use]
    pub fn of(certificate: Certificate, until: OffsetDateTime) -> Self {
        let until = until.min(certificate.not_after());
        Self { certificate, until }
    }
}

impl RetiredText {
    fn read(&self) -> Result<Retired, TlsError> {
        let certificate = Certificate::parse(&self.certificate)?;
        let until = OffsetDateTime::from_unix_timestamp(self.until).map_err(|_| TlsError::Life)?;
        Ok(Retired::of(certificate, until))
    }
}

/// The certificate of an authority that cannot sign, where it still can be trusted.
fn trust_only(pem: &str) -> Option<Retired> {
    let certificate = Certificate::parse(pem).ok()?;
    certificate.check_authority().ok()?;
    let until = certificate.not_after();
    Some(Retired::of(certificate, until))
}

/// The leaf of a Secret, if its key fits and it is valid now.
///
/// # Errors
/// Why it cannot be served.
pub(crate) fn leaf(certificate: &str, key: &str) -> Result<Certificate, TlsError> {
    let pair = Pair::parse(certificate, key)?;
    pair.check_time()?;
    Ok(pair.into_certificate())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn authority() -> Authority {
        Authority::generate("test", DAY).unwrap()
    }

    fn ids(certificates: &[Certificate]) -> Vec<Fingerprint> {
        certificates.iter().map(Certificate::fingerprint).collect()
    }

    #[test]
    fn what_is_written_is_read_back_and_the_bundle_holds_all_of_it() {
        let now = OffsetDateTime::now_utc();
        let retired = Retired::of(authority().certificate().clone(), now + Duration::from_hours(1));
        let written =
            Authorities { signing: Some(authority()), next: Some(authority()), retired: vec![retired] };
        let (read, defects) = Authorities::read(&written.write().unwrap()).unwrap();
        assert!(defects.is_empty(), "{defects:?}");
        assert_eq!(ids(&read.certificates()), ids(&written.certificates()));
        assert_eq!(read.retired[0].until, written.retired[0].until.replace_nanosecond(0).unwrap());
        let bundle = Certificate::all(written.bundle().as_bytes()).unwrap();
        assert_eq!(ids(&bundle), ids(&written.certificates()));
        assert_eq!(bundle.len(), 3);
    }

    #[test]
    fn an_authority_without_its_key_is_told_of_and_still_trusted() {
        let (one, other) = (authority(), authority());
        let mut document: serde_json::Value = serde_json::from_slice(
            &Authorities { signing: Some(one), next: None, retired: vec![] }.write().unwrap(),
        )
        .unwrap();
        let certificate = document["signing"]["certificate"].as_str().unwrap().to_owned();
        for key in [other.key_pem(), "", "no key"] {
            document["signing"]["key"] = key.into();
            let (read, defects) = Authorities::read(document.to_string().as_bytes()).unwrap();
            assert!(read.signing.is_none());
            assert_eq!(defects[0].0, "the signing authority");
            assert_eq!(read.bundle(), certificate);
        }
        document["signing"]["certificate"] = "nothing".into();
        let (read, defects) = Authorities::read(document.to_string().as_bytes()).unwrap();
        assert_eq!((read.certificates().len(), defects.len()), (0, 1));
        assert!(Authorities::read(b"no document").is_err());
    }

    #[test]
    fn a_promotion_leaves_no_key_of_the_old_authority_behind() {
        let (old, next) = (authority(), authority());
        let (old_id, old_key) = (old.certificate().fingerprint(), old.key_pem().to_owned());
        let mut authorities = Authorities { signing: Some(old), next: Some(next), retired: vec![] };
        let now = OffsetDateTime::now_utc();
        authorities.promote(now + 365 * DAY);
        assert!(authorities.next.is_none() && authorities.signing.is_some());
        let written = String::from_utf8(authorities.write().unwrap()).unwrap();
        let body = old_key.lines().nth(1).unwrap();
        assert!(!written.contains(body), "the key is still there");
        // Nobody is trusted for longer than its own life.
        assert!(authorities.retired[0].until <= now + DAY);
        authorities.drop_retired(now + 2 * DAY, Some(old_id));
        assert_eq!(authorities.retired.len(), 1, "it has signed the leaf that is served");
        authorities.drop_retired(now, None);
        assert_eq!(authorities.retired.len(), 1, "its time is not over");
        authorities.drop_retired(now + 2 * DAY, None);
        assert!(authorities.retired.is_empty());
    }
}
