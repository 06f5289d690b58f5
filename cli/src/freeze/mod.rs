//! `freeze`, `thaw`, `pause` and `resume`: the queue of a namespace, or of the cluster, stands still for a while.

mod args;
mod create;
mod owner;
mod resume;
mod scope;
mod selector;
mod thaw;

pub use self::{
    args::{Freeze, Pause, Resume, Thaw},
    create::{freeze, pause},
    resume::run as resume,
    thaw::run as thaw,
};

/// Name of the freeze that `pause` makes and `resume` ends.
const PAUSE: &str = "roadstead-paused";
