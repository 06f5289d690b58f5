//! Certificates of Roadstead: the TLS authority behind the webhook's certificate, and the leaves it signs.
//! Keys are ECDSA P-256 throughout: a handshake costs less than half of RSA-2048's, and the API server makes
//! a new connection for each review beyond its 25 idle ones.

pub mod keep;
pub mod nats;
mod pace;
pub mod rotation;
mod secrets;
pub mod tls;
