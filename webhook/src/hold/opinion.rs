//! What policies say of a change that is about to be held. The hold asks; who answers knows the policies, and gives the
//! same answer to the same question as long as they stay the same.

use contract::Lane;

use crate::{
    answer::Cause,
    review::{Malformed, Request},
};

/// Who knows the policies.
pub trait Policies {
    /// What they say of the change that a review submits.
    ///
    /// # Errors
    /// A review with an object that cannot be read as far as they look.
    fn opinion(&self, request: &Request<'_>) -> Result<Opinion, Malformed>;
}

/// What policies say of a change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opinion {
    /// The lane of the change where its Deployment asks for none.
    pub lane: Option<Lane>,
    /// Why it is refused, a sentence without a final stop for each rule; none: it is not.
    pub refusals: Vec<Cause>,
    /// What its user is warned of.
    pub warnings: Vec<String>,
    /// What the audit log is to say.
    pub audit: Option<String>,
}

/// There are none.
#[derive(Clone, Copy, Debug)]
pub struct NoPolicies;

impl Policies for NoPolicies {
    fn opinion(&self, _: &Request<'_>) -> Result<Opinion, Malformed> {
        Ok(Opinion::default())
    }
}
