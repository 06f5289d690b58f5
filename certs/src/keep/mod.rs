//! Keeps the identities of the embedded NATS in the cluster: the keys in one Secret, which nobody else reads, and a
//! Secret for each component and for the servers that is made of it. What there is to do follows from what is there,
//! one write at a time; so it does not matter who does it, or when the one before was interrupted.

mod cluster;
mod conf;
mod error;
mod installation;
mod keeper;
mod keyring;
mod metrics;
mod restart;
mod told;

pub use error::Failure;
pub use installation::Installation;
pub use keeper::{Keeper, Lives};
pub use metrics::Metrics;
