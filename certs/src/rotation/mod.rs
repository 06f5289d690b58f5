//! The rotation of the webhook's certificate: authorities and leaf in two Secrets, and the `caBundle` of the webhook
//! configurations. A new authority is trusted everywhere before it signs, and an old one is trusted for as long as
//! a leaf of it may be served. What there is to do is a pure function of what is there ([`State::plan`]), one step
//! at a time; so it does not matter who does a step, or when the one before was interrupted.

mod authorities;
mod cluster;
mod error;
mod metrics;
mod objects;
mod plan;
mod rotator;
mod seen;
mod state;
mod view;

pub(crate) use authorities::leaf;
pub use authorities::{Authorities, Retired};
pub use cluster::{Cluster, Names};
pub use error::Failure;
pub use metrics::Metrics;
pub use plan::{Step, Times};
pub use rotator::Rotator;
pub(crate) use seen::Seen;
pub use state::{Issued, Leaf, State};

/// Annotation on the Secret of the authorities, written by people: with any value, a new authority is made now. It is
/// taken away as soon as the new one is there.
pub const ROTATE: &str = "roadstead.dev/rotate";
