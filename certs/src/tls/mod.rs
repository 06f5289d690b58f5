//! TLS: an authority, leaves signed by it, and the four files a webhook is started with.

mod authority;
mod certificate;
mod check;
mod error;
mod files;
mod leaf;

pub use authority::Authority;
pub use certificate::{Certificate, Fingerprint};
pub use check::Pair;
pub use error::TlsError;
pub use files::{Files, Kept};
pub use leaf::{Leaf, LeafRequest, Usage};

use time::OffsetDateTime;

/// How far back a certificate's validity begins: a peer's clock may be behind ours by this much.
pub const CLOCK_SKEW: std::time::Duration = std::time::Duration::from_mins(5);

/// The validity of a certificate made now, with `life` from now on.
fn validity(life: std::time::Duration) -> Result<(OffsetDateTime, OffsetDateTime), TlsError> {
    if life.is_zero() {
        return Err(TlsError::Life);
    }
    let now = OffsetDateTime::now_utc();
    let life = time::Duration::try_from(life).map_err(|_| TlsError::Life)?;
    let end = now.checked_add(life).filter(|end| end.year() < 9999).ok_or(TlsError::Life)?;
    Ok((now - CLOCK_SKEW, end))
}
