//! NATS identities: operator, accounts and users as JWTs, signed with nkeys. The claims are our own, because the
//! crates that exist fail on real servers; they are checked against tokens of the reference implementation and by a
//! real nats-server.

pub mod claims;
pub mod jwt;

pub use jwt::{Claims, JwtError, decode, encode};
