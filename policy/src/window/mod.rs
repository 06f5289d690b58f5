//! Windows: a cron schedule, a duration and a time zone. Pure; the caller brings the time.

mod calendar;
mod duration;
mod schedule;
mod starts;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

pub use self::{
    calendar::{Calendar, Shut},
    duration::{duration, written},
};
use self::{
    schedule::Schedule,
    starts::{Budget, Spent, Starts},
};
use crate::resource::{self, WindowKind};

/// Milliseconds since 1970.
pub type UnixMillis = i64;

/// How far ahead it is looked for the next edge of a window: five years.
const HORIZON: UnixMillis = 5 * 366 * 24 * 3_600_000;

/// A window that was read.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its name.
    pub name: String,
    /// What it means while it is open.
    pub kind: WindowKind,
    /// Whether urgent changes are let through whatever it says.
    pub allow_urgent: bool,
    starts: Starts,
    length: UnixMillis,
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
        let wrong = |field| move |message| Problem { field, message };
        let schedule = Schedule::read(&window.schedule).map_err(wrong("schedule"));
        let length = duration(&window.duration).map_err(wrong("duration"));
        let zone = zone(window.time_zone.as_deref()).map_err(wrong("timeZone"));
        match (schedule, length, zone) {
            (Ok(schedule), Ok(length), Ok(zone)) => Ok(Self {
                name: window.name.clone(),
                kind: window.kind,
                allow_urgent: window.allow_urgent,
                starts: Starts { schedule, zone },
                length: millis(length),
            }),
            (schedule, length, zone) => {
                Err([schedule.err(), length.err(), zone.err()].into_iter().flatten().collect())
            }
        }
    }

    /// How it stands at a time. It is open from a start on until its duration has passed; occurrences that touch or
    /// overlap are one.
    #[must_use]
    pub fn at(&self, now: UnixMillis) -> State {
        let mut budget = Budget::new();
        match self.starts.last(now, now.saturating_sub(self.length), &mut budget) {
            Ok(Some(start)) => State { open: true, until: self.end(now, start, &mut budget).unwrap_or(None) },
            Ok(None) => {
                let next = self.starts.next(now, now.saturating_add(HORIZON), &mut budget);
                State { open: false, until: next.unwrap_or(None) }
            }
            // Nobody knows: what holds more.
            Err(Spent) => State { open: self.kind == WindowKind::Freeze, until: None },
        }
    }

    /// A moment as its people write it, on their clock.
    #[must_use]
    pub fn local(&self, moment: UnixMillis) -> String {
        match Timestamp::from_millisecond(moment) {
            Ok(moment) => moment.to_zoned(self.starts.zone.clone()).to_string(),
            Err(_) => format!("{moment} ms since 1970"),
        }
    }

    /// When the span ends that it is open in since a start.
    fn end(
        &self,
        now: UnixMillis,
        start: UnixMillis,
        budget: &mut Budget,
    ) -> Result<Option<UnixMillis>, Spent> {
        let mut end = start.saturating_add(self.length);
        while end <= now.saturating_add(HORIZON) {
            match self.starts.last(end, end.saturating_sub(self.length), budget)? {
                Some(later) => end = later.saturating_add(self.length),
                None => return Ok(Some(end)),
            }
        }
        Ok(None)
    }
}

fn zone(name: Option<&str>) -> Result<TimeZone, String> {
    let Some(name) = name else { return Ok(TimeZone::UTC) };
    let zone = TimeZone::get(name).ok().filter(|zone| !zone.is_unknown());
    zone.ok_or_else(|| {
        let shown: String = name.chars().take(60).collect();
        format!("{shown:?} is no time zone: write its IANA name, such as Europe/Berlin or UTC")
    })
}

fn millis(duration: Duration) -> UnixMillis {
    UnixMillis::try_from(duration.as_millis()).unwrap_or(UnixMillis::MAX)
}
