//! What must hold for every input. A property that does not hold panics; libFuzzer keeps the input.

mod expression;
mod review;
mod subject;
mod write;

pub use expression::expression;
pub use review::review;
pub use subject::subject;
pub use write::write;
