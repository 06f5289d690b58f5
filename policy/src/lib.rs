//! The rules of a team: what stands in a release policy, and what it says of a change. Pure: the webhook asks whether
//! a change may be submitted, the executor whether it may be let through now, and both mean the same by it.

pub mod combined;
pub mod expression;
pub mod resource;
pub mod ruling;
pub mod set;
pub mod validation;
pub mod window;
