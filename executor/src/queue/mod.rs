//! The view of the queue: what waits, in which order it is let through, and when. Nothing here is the truth and no
//! release waits for it: where it is wrong or behind, the order is less exact, and each release is verified against
//! the live object as ever.

mod entry;
mod forecast;
mod index;
mod order;
mod turns;

pub use self::{
    entry::{Held, Queued, Trouble},
    forecast::{Forecast, Rollouts},
    index::{Index, Name},
    order::places,
    turns::{After, Choice, Shards},
};

#[cfg(test)]
mod tests;
