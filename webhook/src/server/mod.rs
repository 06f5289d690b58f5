//! The TLS server: HTTP/1.1 only (the API server speaks nothing else to webhooks), every wait limited.

mod body;
mod certificate;
mod limits;
mod listen;
mod routes;
mod seats;

pub use certificate::Certificates;
pub use limits::Limits;
pub use listen::Listener;
pub use routes::{Reviews, router};
