//! Schedules: cron of five fields, as `croner` reads it, and the days and minutes that it names. Clocks and zones are no
//! business of it.
//! <https://docs.rs/croner>

use croner::{
    Cron, Weekday,
    parser::{CronParser, Seconds, Year},
};
use jiff::civil::Date;

const LONGEST: usize = 256;

const MINUTES_A_DAY: u16 = 24 * 60;

/// The fields, in their order.
const FIELDS: [&str; 5] = ["minute", "hour", "day of month", "month", "day of week"];

/// A schedule.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    cron: Cron,
    minutes: u64,
    hours: u32,
    months: u16,
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// What is wrong with it, for its author.
    pub fn read(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().take(60).collect();
        let wrong = |why: &str| format!("{shown:?} is no cron schedule of five fields: {why}");
        if text.len() > LONGEST {
            return Err(wrong(&format!("it is longer than {LONGEST} bytes")));
        }
        let fields: Vec<_> = text.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(wrong(&count(text, fields.len())));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| {
            // The library does not say which field it means.
            let alone = fields.iter().enumerate().find(|(at, field)| {
                let mut every = ["*"; FIELDS.len()];
                every[*at] = field;
                parser.parse(&every.join(" ")).is_err()
            });
            match alone {
                Some((at, field)) => wrong(&format!("its {} {field:?}: {error}{}", FIELDS[at], hint(field))),
                None => wrong(&error.to_string()),
            }
        })?;
        let set = |values: Vec<u16>| values.into_iter().fold(0_u64, |set, value| set | 1 << value);
        let schedule = Self {
            minutes: set(cron.pattern.minutes.values()),
            hours: u32::try_from(set(cron.pattern.hours.values())).unwrap_or_default(),
            months: u16::try_from(set(cron.pattern.months.values())).unwrap_or_default(),
            cron,
        };
        if schedule.is_ever() {
            Ok(schedule)
        } else {
            Err(wrong("no day and no time is like that: it would never begin"))
        }
    }

    /// Whether any month has such a day.
    pub fn names_month_of(&self, date: Date) -> bool {
        self.months & (1 << date.month()) != 0
    }

    /// Whether it names that day.
    pub fn names(&self, date: Date) -> bool {
        let from_sunday = date.weekday().to_sunday_zero_offset().unsigned_abs();
        let weekday = Weekday::from_days_from_sunday(from_sunday.into());
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        self.names_month_of(date)
            && self
                .cron
                .pattern
                .day_match(date.year().into(), month.into(), day.into(), weekday)
                .unwrap_or(false)
    }

    /// The minutes of a day that it names, from one on, in their order.
    pub fn from(&self, minute: u16) -> impl Iterator<Item = u16> {
        let (hours, minutes) = (self.hours, self.minutes);
        let later = move |minute: u16| {
            let hour = minute / 60;
            let rest = minutes & (!0 << (minute % 60));
            if minute < MINUTES_A_DAY && hours & (1 << hour) != 0 && rest != 0 {
                return Some(hour * 60 + low(rest));
            }
            let hour = (hour + 1..24).find(|hour| hours & (1 << hour) != 0)?;
            Some(hour * 60 + low(minutes))
        };
        std::iter::successors(later(minute), move |minute| later(minute + 1))
    }

    /// The minutes of a day that it names, up to one, the last first.
    pub fn down_from(&self, minute: u16) -> impl Iterator<Item = u16> {
        let (hours, minutes) = (self.hours, self.minutes);
        let earlier = move |minute: u16| {
            let hour = minute / 60;
            let rest = minutes & (!0 >> (63 - minute % 60));
            if hours & (1 << hour) != 0 && rest != 0 {
                return Some(hour * 60 + high(rest));
            }
            let hour = (0..hour).rev().find(|hour| hours & (1 << hour) != 0)?;
            Some(hour * 60 + high(minutes))
        };
        std::iter::successors(earlier(minute), move |minute| earlier(minute.checked_sub(1)?))
    }

    /// Whether it ever begins: the calendar repeats after 400 years.
    fn is_ever(&self) -> bool {
        let mut date = jiff::civil::date(2000, 1, 1);
        while date.year() < 2400 && self.minutes != 0 && self.hours != 0 {
            if !self.names_month_of(date) {
                date = date.last_of_month();
            } else if self.names(date) {
                return true;
            }
            let Ok(next) = date.tomorrow() else { break };
            date = next;
        }
        false
    }
}

fn low(set: u64) -> u16 {
    u16::try_from(set.trailing_zeros()).unwrap_or_default()
}

fn high(set: u64) -> u16 {
    u16::try_from(63 - set.leading_zeros().min(63)).unwrap_or_default()
}

fn count(text: &str, fields: usize) -> String {
    if text.contains("TZ=") {
        return "the time zone has a field of its own, timeZone".to_owned();
    }
    if text.trim_start().starts_with('@') {
        return "write the fields themselves, such as \"0 0 * * *\" for @daily".to_owned();
    }
    let more = if fields > FIELDS.len() { "; there are none for seconds and years" } else { "" };
    format!("it has {fields}; they are minute, hour, day of month, month and day of week{more}")
}

fn hint(field: &str) -> &'static str {
    let bounds = field.split_once('-').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    if bounds.is_some_and(|(from, to): (u16, u16)| from > to) {
        " A range over the end is written as two, such as 22-23,0-5."
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_schedule_is_refused_with_the_field_and_the_reason() {
        for (text, why) in [
            ("", "it has 0"),
            ("0 9 * *", "it has 4"),
            ("0 0 9 * * 1", "none for seconds and years"),
            ("0 0 9 * * 1 2030", "none for seconds and years"),
            ("@daily", "write the fields themselves"),
            ("@daily * * * *", "is no cron schedule"),
            ("TZ=UTC 0 9 * * 1", "timeZone"),
            ("60 9 * * *", "its minute \"60\""),
            ("0 24 * * *", "its hour \"24\""),
            ("0 9 0 * *", "its day of month \"0\""),
            ("0 9 32 * *", "its day of month \"32\""),
            ("0 9 * 13 *", "its month \"13\""),
            ("0 9 * * 8", "its day of week \"8\""),
            ("0 9 * * MONDAY", "its day of week \"MONDAY\""),
            ("*/0 9 * * *", "its minute \"*/0\""),
            ("0/5 9 * * *", "its minute \"0/5\""),
            ("0 22-5 * * *", "written as two"),
            ("0 9 -1 * *", "its day of month \"-1\""),
            ("0 9 30 2 *", "would never begin"),
            ("0 9 31 4,6,9,11 *", "would never begin"),
            (", 9 * * *", "would never begin"),
            ("0 , * * *", "would never begin"),
        ] {
            let error = Schedule::read(text).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
        }
        assert!(Schedule::read(&"0 9 * * 1 ".repeat(1000)).unwrap_err().len() < 200);
    }

    #[test]
    fn the_days_are_those_of_cron() {
        for (text, day, named) in [
            ("0 9 * * 1-5", date(2026, 11, 30), true),
            ("0 9 * * 1-5", date(2026, 11, 29), false),
            ("0 9 * * 7", date(2026, 11, 29), true),
            ("0 9 * * 0", date(2026, 11, 29), true),
            ("0 9 * * SUN", date(2026, 11, 29), true),
            ("0 9 * NOV *", date(2026, 11, 29), true),
            ("0 9 * DEC *", date(2026, 11, 29), false),
            // Where both days are given, one of them is enough.
            ("0 9 1 * 0", date(2026, 11, 29), true),
            ("0 9 1 * 0", date(2026, 12, 1), true),
            ("0 9 1 * 0", date(2026, 12, 2), false),
            ("0 9 29 2 *", date(2028, 2, 29), true),
            ("0 9 L * *", date(2027, 2, 28), true),
            ("0 9 L * *", date(2028, 2, 28), false),
            ("0 9 * * 5L", date(2026, 11, 27), true),
            ("0 9 * * 5L", date(2026, 11, 20), false),
            ("0 9 * * 1#1", date(2026, 12, 7), true),
            ("0 9 * * 1#1", date(2026, 11, 30), false),
        ] {
            assert_eq!(Schedule::read(text).unwrap().names(day), named, "{text} {day}");
        }
    }

    proptest! {
        #[test]
        fn the_minutes_are_those_of_a_slow_count(
            minutes in prop::collection::btree_set(0_u16..60, 1..5),
            hours in prop::collection::btree_set(0_u16..24, 1..5),
            from in 0_u16..1440,
        ) {
            let list = |set: &std::collections::BTreeSet<u16>| {
                set.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
            };
            let schedule = Schedule::read(&format!("{} {} * * *", list(&minutes), list(&hours))).unwrap();
            let all = |minute: &u16| hours.contains(&(minute / 60)) && minutes.contains(&(minute % 60));
            let later: Vec<_> = (from..1440).filter(all).collect();
            let earlier: Vec<_> = (0..=from).rev().filter(all).collect();
            prop_assert_eq!(schedule.from(from).collect::<Vec<_>>(), later);
            prop_assert_eq!(schedule.down_from(from).collect::<Vec<_>>(), earlier);
            prop_assert_eq!(schedule.from(1440).count(), 0);
        }

        #[test]
        fn no_text_stops_the_process(text in "[-0-9*/,#LW?+@A-Z ]{0,40}") {
            let _ = Schedule::read(&text);
        }
    }
}
