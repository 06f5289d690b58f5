//! The policies at the release: which of them select a Deployment, and whether its change may be let through now. What
//! decides is pure and stands in the crate `policy`; here is gathered what it has to know.

mod judge;
mod nudge;
mod rules;
mod stamp;

pub(crate) use self::stamp::stamp;
pub use self::{judge::Judge, nudge::Nudger, rules::Rules};
