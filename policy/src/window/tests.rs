//! Windows at their edges: the table of the documentation, a slow count of every minute, and the windows of a policy
//! together.

use std::collections::BTreeSet;

use jiff::{ToSpan as _, civil::DateTime};
use proptest::prelude::*;

use super::*;

const MINUTE: UnixMillis = 60_000;

const DOCUMENTATION: &str = include_str!("../../../docs/policies/windows.md");

fn window(kind: WindowKind, schedule: &str, duration: &str, zone: &str) -> Window {
    Window::read(&resource::Window {
        name: "w".into(),
        kind,
        schedule: schedule.into(),
        duration: duration.into(),
        time_zone: Some(zone.into()),
        allow_urgent: false,
    })
    .unwrap()
}

fn allow(schedule: &str, duration: &str, zone: &str) -> Window {
    window(WindowKind::Allow, schedule, duration, zone)
}

fn freeze(schedule: &str, duration: &str) -> Window {
    window(WindowKind::Freeze, schedule, duration, "UTC")
}

fn ms(time: &str) -> UnixMillis {
    time.parse::<Timestamp>().unwrap().as_millisecond()
}

fn open(until: &str) -> State {
    State { open: true, until: Some(ms(until)) }
}

fn closed(until: &str) -> State {
    State { open: false, until: Some(ms(until)) }
}

#[test]
fn the_edges_are_those_that_the_documentation_tells_of() {
    let rows = DOCUMENTATION.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        cells.collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows.filter(|cells| cells.len() == 6).collect();
    assert!(rows.len() >= 12, "{rows:?}");
    for cells in rows {
        let [zone, schedule, duration, from, until, _] = &cells[..] else { panic!("{cells:?}") };
        let window = allow(schedule, duration, zone);
        assert_eq!(window.at(ms(from) - 1), closed(from), "before {cells:?}");
        assert_eq!(window.at(ms(from)), open(until), "from {cells:?}");
        assert_eq!(window.at(ms(until) - 1), open(until), "until {cells:?}");
        assert!(!window.at(ms(until)).open, "after {cells:?}");
    }
}

#[test]
fn a_start_that_comes_twice_is_the_first_of_the_two_and_none_is_told_of_for_the_second() {
    let window = allow("30 2 * * *", "10m", "Europe/Berlin");
    let second = ms("2027-10-31T02:30+01:00");
    assert_eq!(window.at(second), closed("2027-11-01T02:30+01:00"));
    // Asked from within the hour that comes again, the start of the first pass is still found.
    let long = allow("45 2 * * *", "2h", "Europe/Berlin");
    assert_eq!(long.at(ms("2027-10-31T02:10+01:00")), open("2027-10-31T03:45+01:00"));
    // And what begins in that hour's first pass does not end with it.
    assert_eq!(long.at(ms("2027-10-31T03:45+01:00")), closed("2027-11-01T02:45+01:00"));
}

#[test]
fn occurrences_that_touch_or_overlap_are_one() {
    assert_eq!(allow("0 9,12 * * *", "3h", "UTC").at(ms("2026-12-01T10:00Z")), open("2026-12-01T15:00Z"));
    assert_eq!(allow("0 9,12 * * *", "4h", "UTC").at(ms("2026-12-01T12:30Z")), open("2026-12-01T16:00Z"));
    assert_eq!(allow("0 9,12 * * *", "2h", "UTC").at(ms("2026-12-01T10:00Z")), open("2026-12-01T11:00Z"));
}

#[test]
fn what_is_always_open_or_seldom_so_is_answered_without_an_end() {
    for schedule in ["* * * * *", "*/2 * * * *", "0 0 * * *"] {
        let always = allow(schedule, "24h", "UTC");
        assert_eq!(always.at(ms("2026-12-01T10:00:30Z")), State { open: true, until: None }, "{schedule}");
    }
    let short = allow("* * * * *", "1m", "Europe/Berlin");
    assert!(short.at(ms("2026-12-01T10:00:30Z")).open);
    // The fifth Monday of February comes every 28 years.
    let seldom = allow("0 0 * 2 1#5", "1h", "UTC");
    assert_eq!(seldom.at(ms("2026-12-01T10:00Z")), State { open: false, until: None });
    assert_eq!(seldom.at(ms("2040-12-01T10:00Z")), closed("2044-02-29T00:00Z"));
    let leap = allow("0 0 29 2 *", "24h", "UTC");
    assert_eq!(leap.at(ms("2026-12-01T10:00Z")), closed("2028-02-29T00:00Z"));
}

#[test]
fn a_time_outside_the_calendar_holds_rather_than_lets_through() {
    for now in [UnixMillis::MIN, UnixMillis::MAX] {
        assert_eq!(allow("0 9 * * *", "1h", "UTC").at(now), State { open: false, until: None });
        assert_eq!(freeze("0 9 * * *", "1h").at(now), State { open: true, until: None });
    }
}

#[test]
fn a_window_that_cannot_be_read_says_so_of_each_field() {
    let wrong = Window::read(&resource::Window {
        name: "w".into(),
        kind: WindowKind::Allow,
        schedule: "never".into(),
        duration: "long".into(),
        time_zone: Some("Europe/Berln".into()),
        allow_urgent: false,
    });
    let wrong = wrong.unwrap_err();
    let fields: Vec<_> = wrong.iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["schedule", "duration", "timeZone"]);
    assert!(wrong[2].message.contains("\"Europe/Berln\" is no time zone: write its IANA name"), "{wrong:?}");
    for zone in ["", "Local", "+01:00", "Etc/Unknown", "../../etc/passwd", "Europe/Berlin\0"] {
        assert!(super::zone(Some(zone)).is_err(), "{zone:?}");
    }
}

#[test]
fn a_change_waits_for_the_moment_when_all_windows_let_go() {
    // Open on workdays from 9 to 17; the 1st to the 3rd of December 2026 are frozen, a Tuesday to a Thursday.
    let calendar = Calendar::from(vec![
        allow("0 9 * * 1-5", "8h", "Europe/Berlin"),
        freeze("0 0 1 12 *", "72h"),
        freeze("0 12 2 12 *", "60h"),
    ]);
    let shut = |now: &str| calendar.shut(ms(now), false).map(|shut| (shut.window, shut.until));
    let friday = Some(ms("2026-12-07T09:00+01:00"));
    // A Monday evening: the allow window of Tuesday lies in the freeze.
    assert_eq!(shut("2026-11-30T18:00Z"), Some((0, friday)));
    // Within the first freeze, and an open allow window.
    assert_eq!(shut("2026-12-01T10:00Z"), Some((1, friday)));
    // Both freezes: the one that lasts longest is told of.
    assert_eq!(shut("2026-12-02T13:00Z"), Some((2, friday)));
    assert_eq!(shut("2026-12-07T08:00Z"), None);
    assert_eq!(shut("2026-12-07T15:59:59.999Z"), None);
    assert_eq!(shut("2026-12-07T16:00Z"), Some((0, Some(ms("2026-12-08T09:00+01:00")))));
    // Asked again of the past, it is not the kept answer.
    assert_eq!(shut("2026-11-30T18:00Z"), Some((0, friday)));
}

#[test]
fn one_of_several_allow_windows_is_enough_and_none_at_all_is_no_rule() {
    let calendar = Calendar::from(vec![allow("0 9 * * *", "1h", "UTC"), allow("0 12 * * *", "1h", "UTC")]);
    let shut = |now: &str| calendar.shut(ms(now), false).map(|shut| (shut.window, shut.until));
    assert_eq!(shut("2026-12-01T09:30Z"), None);
    assert_eq!(shut("2026-12-01T12:30Z"), None);
    assert_eq!(shut("2026-12-01T10:30Z"), Some((1, Some(ms("2026-12-01T12:00Z")))));
    assert_eq!(shut("2026-12-01T13:30Z"), Some((0, Some(ms("2026-12-02T09:00Z")))));
    assert_eq!(Calendar::default().shut(0, false), None);
    assert_eq!(Calendar::from(vec![freeze("0 0 1 1 *", "1h")]).shut(ms("2026-12-01T10:30Z"), false), None);
}

#[test]
fn urgent_changes_pass_the_windows_that_allow_it_only() {
    let urgent = |mut window: Window| {
        window.allow_urgent = true;
        window
    };
    let now = ms("2026-12-01T10:30Z");
    let both = |windows: Vec<Window>| {
        let calendar = Calendar::from(windows);
        (calendar.shut(now, false).is_some(), calendar.shut(now, true).is_some())
    };
    let (shut, frozen) = (allow("0 9 * * *", "1h", "UTC"), freeze("0 10 * * *", "1h"));
    assert_eq!(both(vec![shut.clone()]), (true, true));
    assert_eq!(both(vec![urgent(shut.clone())]), (true, false));
    assert_eq!(both(vec![frozen.clone()]), (true, true));
    assert_eq!(both(vec![urgent(frozen.clone())]), (true, false));
    assert_eq!(both(vec![urgent(frozen.clone()), shut.clone()]), (true, true));
    assert_eq!(both(vec![frozen, urgent(shut.clone())]), (true, true));
    assert_eq!(both(vec![shut.clone(), urgent(shut)]), (true, false));
}

#[test]
fn windows_that_never_let_go_together_have_no_end() {
    let calendar = Calendar::from(vec![allow("0 9 * * *", "1h", "UTC"), freeze("0 8 * * *", "3h")]);
    let shut = calendar.shut(ms("2026-12-01T07:00Z"), false);
    assert_eq!(shut, Some(Shut { window: 0, until: None }));
}

/// A schedule as sets of numbers, which is what a slow count needs.
#[derive(Clone, Debug)]
struct Plain {
    minutes: BTreeSet<i8>,
    hours: BTreeSet<i8>,
    days: BTreeSet<i8>,
    weekdays: BTreeSet<i8>,
}

impl Plain {
    fn cron(&self) -> String {
        let list = |set: &BTreeSet<i8>| {
            let numbers: Vec<_> = set.iter().map(i8::to_string).collect();
            if numbers.is_empty() { "*".to_owned() } else { numbers.join(",") }
        };
        let [minutes, hours, days, weekdays] =
            [&self.minutes, &self.hours, &self.days, &self.weekdays].map(list);
        format!("{minutes} {hours} {days} * {weekdays}")
    }

    fn names(&self, time: DateTime) -> bool {
        let among = |set: &BTreeSet<i8>, number: i8| set.is_empty() || set.contains(&number);
        let (day, weekday) = (time.day(), time.weekday().to_sunday_zero_offset());
        let named = if self.days.is_empty() || self.weekdays.is_empty() {
            among(&self.days, day) && among(&self.weekdays, weekday)
        } else {
            self.days.contains(&day) || self.weekdays.contains(&weekday)
        };
        named && among(&self.minutes, time.minute()) && among(&self.hours, time.hour())
    }

    /// The starts within some minutes, by looking at the clock at each of them.
    fn starts(&self, zone: &TimeZone, from: UnixMillis, minutes: i64) -> Vec<UnixMillis> {
        let clock =
            |minute: i64| zone.to_datetime(Timestamp::from_millisecond(from + minute * MINUTE).unwrap());
        let mut starts = Vec::new();
        let mut shown = clock(-1);
        for minute in 0..minutes {
            let now = clock(minute);
            let mut started = false;
            while shown < now {
                shown = shown.checked_add(1.minute()).unwrap();
                started |= self.names(shown);
            }
            if started {
                starts.push(from + minute * MINUTE);
            }
        }
        starts
    }
}

fn plain() -> impl Strategy<Value = Plain> {
    let set =
        |range: std::ops::Range<i8>, size: std::ops::Range<usize>| prop::collection::btree_set(range, size);
    (set(0..60, 0..4), set(0..24, 0..4), set(1..32, 0..3), set(0..7, 0..3))
        .prop_map(|(minutes, hours, days, weekdays)| Plain { minutes, hours, days, weekdays })
}

/// A zone, and a moment near a change of its clock.
fn place() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("UTC", "2028-02-28T12:00Z"),
        ("Europe/Berlin", "2027-03-27T12:00Z"),
        ("Europe/Berlin", "2027-10-30T12:00Z"),
        ("America/New_York", "2027-03-13T12:00Z"),
        ("America/New_York", "2027-11-06T12:00Z"),
        ("Australia/Lord_Howe", "2027-04-03T00:00Z"),
        ("Australia/Lord_Howe", "2027-10-02T00:00Z"),
        ("Pacific/Apia", "2011-12-29T12:00Z"),
        ("America/Havana", "2027-11-06T12:00Z"),
        ("Africa/Cairo", "2027-10-28T06:00Z"),
        ("America/Santiago", "2027-09-04T12:00Z"),
        ("Asia/Kathmandu", "2026-12-31T00:00Z"),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_window_stands_as_a_slow_count_of_every_minute_says(
        plain in plain(),
        (zone, from) in place(),
        length in prop_oneof![1_i64..90, 60_i64..2_000],
        asked in prop::collection::vec(0_i64..3 * 24 * 60 * MINUTE, 30),
    ) {
        let window = allow(&plain.cron(), &format!("{length}m"), zone);
        let (from, before, minutes) = (ms(from), 2_000 + 24 * 60, 4 * 24 * 60);
        let zone = TimeZone::get(zone).unwrap();
        let starts = plain.starts(&zone, from - before * MINUTE, before + minutes);
        let is_open = |now: UnixMillis| {
            let begun = starts.partition_point(|start| *start <= now);
            begun > 0 && now < starts[begun - 1] + length * MINUTE
        };
        let edges: Vec<_> = (0..minutes)
            .map(|minute| from + minute * MINUTE)
            .filter(|now| is_open(*now) != is_open(now - 1))
            .collect();
        let moments = asked.iter().map(|asked| from + asked).chain(edges.iter().flat_map(|edge| [edge - 1, *edge]));
        for now in moments {
            let state = window.at(now);
            prop_assert_eq!(state.open, is_open(now), "{} {:?} {}", plain.cron(), zone, now);
            match edges.iter().find(|edge| **edge > now) {
                Some(edge) => prop_assert_eq!(state.until, Some(*edge), "{} {:?} {}", plain.cron(), zone, now),
                None => prop_assert!(state.until.is_none_or(|until| until >= from + minutes * MINUTE)),
            }
        }
    }

    #[test]
    fn the_earliest_moment_of_several_windows_is_that_of_a_slow_count(
        windows in prop::collection::vec((any::<bool>(), 0_u8..24, 0_u8..7, 1_u8..60), 1..5),
        now in 0_i64..7 * 24 * 60,
    ) {
        let windows: Vec<_> = windows
            .into_iter()
            .map(|(is_allow, hour, weekday, hours)| {
                let schedule = format!("0 {hour} * * {weekday}");
                if is_allow { allow(&schedule, &format!("{hours}h"), "UTC") } else { freeze(&schedule, &format!("{hours}h")) }
            })
            .collect();
        let now = ms("2026-12-01T00:00Z") + now * MINUTE;
        let free = |moment: UnixMillis| {
            let open = |kind| windows.iter().filter(move |window| window.kind == kind && window.at(moment).open).count();
            let allows = windows.iter().filter(|window| window.kind == WindowKind::Allow).count();
            open(WindowKind::Freeze) == 0 && (allows == 0 || open(WindowKind::Allow) > 0)
        };
        let calendar = Calendar::from(windows.clone());
        let shut = calendar.shut(now, false);
        prop_assert_eq!(shut.is_none(), free(now));
        if let Some(shut) = shut {
            let hour = now - now.rem_euclid(60 * MINUTE);
            // Every edge is a full hour, and all comes again after a week.
            let slow = (1..=2 * 7 * 24).map(|hours| hour + hours * 60 * MINUTE).find(|moment| free(*moment));
            prop_assert_eq!(shut.until, slow);
        }
    }
}
