//! The hold: what becomes of a written Deployment. A pure function of the review, because the API server asks
//! again on every conflict, for dry runs, and for requests that it refuses later.

mod decide;
mod orders;
mod patch;
#[cfg(test)]
mod tests;

pub use decide::{Settings, Verdict, decide};
