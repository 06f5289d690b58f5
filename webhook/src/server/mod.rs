//! The TLS server: HTTP/1.1 only (the API server speaks nothing else to webhooks), every wait limited.

mod certificate;
mod listen;
mod routes;

pub use certificate::Certificates;
pub use listen::Listener;
pub use routes::{Reviews, router};
