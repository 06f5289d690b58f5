//! NATS identities: operator, accounts and users as JWTs, signed with nkeys. The claims are our own, because the
//! crates that exist fail on real servers; they are checked against tokens of the reference implementation and by a
//! real nats-server.

pub mod callout;
pub mod claims;
mod creds;
mod error;
mod file;
mod folder;
mod identity;
pub mod jwt;
pub mod manifest;
mod notary;
mod servers;

pub use creds::Creds;
pub use error::IdentityError;
pub use folder::{Folder, Made};
pub use identity::{Keys, UserRequest, permissions};
pub use jwt::{Claims, JwtError, decode, encode};
pub use manifest::secrets;
pub use notary::Notary;
pub use servers::{Line, Server, Servers, ServersError};
