//! The hold: what becomes of a written Deployment. A pure function of the review and the policies, because the API
//! server asks again on every conflict, for dry runs, and for requests that it refuses later.

mod consent;
mod decide;
mod denial;
mod opinion;
mod orders;
mod patch;
#[cfg(test)]
mod tests;

pub use decide::{Settings, Verdict, decide};
pub use opinion::{NoPolicies, Opinion, Policies};
