//! The moments at which a schedule begins in a time zone. A start that the clock jumps over happens at the moment of the
//! jump; one that comes twice happens the first time. Every search is bounded in steps.

use jiff::{
    Timestamp, ToSpan as _,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone},
};

use super::{UnixMillis, schedule::Schedule};

/// Days and starts that are looked at for one answer. Five years of days fit in.
const STEPS: u32 = 4_096;

/// The moments.
#[derive(Clone, Debug)]
pub(super) struct Starts {
    pub schedule: Schedule,
    pub zone: TimeZone,
}

/// What a search may still cost.
pub(super) struct Budget(u32);

/// The search cost more than it may, or left the calendar.
#[derive(Debug)]
pub(super) struct Spent;

impl Budget {
    pub const fn new() -> Self {
        Self(STEPS)
    }

    fn step(&mut self) -> Result<(), Spent> {
        self.0 = self.0.checked_sub(1).ok_or(Spent)?;
        Ok(())
    }
}

impl From<jiff::Error> for Spent {
    fn from(_: jiff::Error) -> Self {
        Self
    }
}

impl Starts {
    /// The first start after one moment, up to another.
    pub fn next(
        &self,
        after: UnixMillis,
        until: UnixMillis,
        budget: &mut Budget,
    ) -> Result<Option<UnixMillis>, Spent> {
        let local = self.zone.to_datetime(Timestamp::from_millisecond(after)?);
        let (mut date, mut from) = (local.date(), minute(local) + 1);
        let last = self.zone.to_datetime(Timestamp::from_millisecond(until)?).date();
        while date <= last {
            budget.step()?;
            if self.schedule.names(date) {
                for minute in self.schedule.from(from) {
                    budget.step()?;
                    let start = self.moment(date, minute)?;
                    if start > after {
                        return Ok((start <= until).then_some(start));
                    }
                }
            }
            if !self.schedule.names_month_of(date) {
                date = date.last_of_month();
            }
            (date, from) = (date.tomorrow()?, 0);
        }
        Ok(None)
    }

    /// The last start at or before one moment, but after another.
    pub fn last(
        &self,
        before: UnixMillis,
        after: UnixMillis,
        budget: &mut Budget,
    ) -> Result<Option<UnixMillis>, Spent> {
        let local = self.seen(Timestamp::from_millisecond(before)?)?;
        let (mut date, mut from) = (local.date(), minute(local));
        let first = self.zone.to_datetime(Timestamp::from_millisecond(after)?).date();
        while date >= first {
            budget.step()?;
            if self.schedule.names(date) {
                for minute in self.schedule.down_from(from) {
                    budget.step()?;
                    let start = self.moment(date, minute)?;
                    if start <= before {
                        return Ok((start > after).then_some(start));
                    }
                }
            }
            if !self.schedule.names_month_of(date) {
                date = date.first_of_month();
            }
            (date, from) = (date.yesterday()?, 24 * 60 - 1);
        }
        Ok(None)
    }

    /// The moment of a time on the clock.
    fn moment(&self, date: Date, minute: u16) -> Result<UnixMillis, Spent> {
        let (hour, minute) = (minute / 60, minute % 60);
        let hour = i8::try_from(hour).map_err(|_| Spent)?;
        let time = date.at(hour, i8::try_from(minute).map_err(|_| Spent)?, 0, 0);
        let offset = self.zone.to_ambiguous_timestamp(time).offset();
        let moment = match offset {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(time)?
            }
            AmbiguousOffset::Gap { before, .. } => self.turn(before.to_timestamp(time)?)?,
        };
        Ok(moment.as_millisecond())
    }

    /// The latest time that the clock has shown up to a moment. It shows less than that where it was put back shortly
    /// before.
    fn seen(&self, moment: Timestamp) -> Result<DateTime, Spent> {
        let local = self.zone.to_datetime(moment);
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { before, after } if self.zone.to_offset(moment) == after => {
                Ok(before.to_datetime(self.turn(moment)? - 1.nanosecond()))
            }
            _ => Ok(local),
        }
    }

    /// When the clock was last changed, at a moment or before.
    fn turn(&self, moment: Timestamp) -> Result<Timestamp, Spent> {
        let turn = self.zone.preceding(moment.checked_add(1.nanosecond())?).next();
        turn.map(|turn| turn.timestamp()).ok_or(Spent)
    }
}

fn minute(time: DateTime) -> u16 {
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}
