//! The view of the queue: what waits, in which order it is let through, and when. Nothing here is the truth and no
//! release waits for it: where it is wrong or behind, the order is less exact, and each release is verified against
//! the live object as ever.

mod entry;
mod forecast;
mod index;
mod order;
mod picture;
mod publish;
mod ripe;
mod role;
mod space;
mod stranded;
mod tail;
mod turns;
mod view;

pub use self::{
    entry::{Held, Queued, Trouble},
    forecast::{Forecast, Rollouts},
    index::Index,
    order::{Row, places},
    publish::{INTERVAL, Publisher},
    ripe::Ripe,
    space::Name,
    stranded::Stranded,
    turns::{After, Choice, Shards},
    view::{View, Viewer},
};

#[cfg(test)]
mod tests;
