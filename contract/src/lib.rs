//! The wire contract of Roadstead: what is written on a Deployment, what a message says and on which
//! subject it travels. Everything here is pure, so that both binaries, the CLI and the tests mean the
//! same thing by the same word. Nobody formats a subject or an annotation key elsewhere.

pub mod access;
pub mod approval;
pub mod canonical;
pub mod change_id;
pub mod creds;
pub mod dead;
pub mod digest;
pub mod envelope;
pub mod event;
pub mod key;
pub mod lane;
pub mod message;
pub mod on_failure;
pub mod phase;
pub mod pointer;
pub mod progress;
pub mod queue;
pub mod rule;
pub mod state;
pub mod stream;
pub mod subject;
pub mod wake;

pub use approval::{Approval, Approvals, Override};
pub use canonical::Canonical;
pub use change_id::ChangeId;
pub use dead::DeadLetter;
pub use digest::Digest;
pub use event::ChangeEvent;
pub use key::Key;
pub use lane::Lane;
pub use message::Change;
pub use on_failure::OnFailure;
pub use phase::Phase;
pub use pointer::Pointer;
pub use progress::ChangeProgress;
pub use queue::{Queue, Waiting};
pub use rule::{Obstacle, PolicyKind, PolicyRef, Rule};
pub use state::{Gate, ROLLED_BACK_BY, State};
pub use wake::Wake;
