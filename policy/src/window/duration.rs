//! Durations as Go writes them, which is how Kubernetes writes them: `90s`, `1h30m`. One reader for every duration of a
//! policy.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(1);

/// 365 days.
const LONGEST: Duration = Duration::from_hours(8760);

/// The unit's name and its length in milliseconds.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration as Go writes it: `90s`, `1h30m`. At least a second, at most a year.
///
/// # Errors
/// What is wrong with it, for its author.
pub fn duration(text: &str) -> Result<Duration, String> {
    let shown: String = text.chars().take(40).collect();
    let wrong = |why: &str| format!("{shown:?} is no duration: {why}");
    if text.is_empty() {
        return Err(wrong("write one such as 30m or 1h30m"));
    }
    let mut millis: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(wrong("write whole numbers, each with its unit, such as 30m or 1h30m"));
        }
        let Ok(number) = number.parse::<u64>() else { return Err(wrong("it is longer than 8760h, a year")) };
        let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(wrong(&unknown(number, unit)));
        };
        let sum = number.checked_mul(*length).and_then(|part| millis.checked_add(part));
        millis = sum.ok_or_else(|| wrong("it is longer than 8760h, a year"))?;
        rest = after;
    }
    let duration = Duration::from_millis(millis);
    if duration < SHORTEST {
        return Err(wrong("it is shorter than 1s"));
    }
    if duration > LONGEST {
        return Err(wrong("it is longer than 8760h, a year"));
    }
    Ok(duration)
}

fn unknown(number: u64, unit: &str) -> String {
    let hours = match unit {
        "d" => number.checked_mul(24),
        "w" => number.checked_mul(7 * 24),
        _ => None,
    };
    match (unit, hours) {
        ("", _) => format!("{number} has no unit behind it; write whole numbers of h, m or s"),
        (_, Some(hours)) => format!("its units are h, m and s; write {hours}h"),
        _ => "its units are h, m and s".to_owned(),
    }
}

/// Writes a duration so that [`duration`] reads it.
#[must_use]
pub fn written(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, length) in UNITS {
        if millis >= length {
            text = format!("{text}{}{unit}", millis / length);
            millis %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_go_writes_is_read() {
        for (text, seconds) in [
            ("1s", 1),
            ("90s", 90),
            ("1m30s", 90),
            ("1h30m", 5_400),
            ("8h", 28_800),
            ("30m1h", 5_400),
            ("1000ms", 1),
            ("0h1s", 1),
            ("8760h", 31_536_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_would_be_right() {
        for (text, why) in [
            ("", "write one such as 30m or 1h30m"),
            ("1d", "write 24h"),
            ("2w", "write 336h"),
            ("1h2d", "write 48h"),
            ("30", "30 has no unit"),
            ("1h30", "30 has no unit"),
            ("h", "whole numbers"),
            ("-5m", "whole numbers"),
            ("+5m", "whole numbers"),
            ("1.5h", "write whole numbers of h, m or s"),
            (" 5m", "whole numbers"),
            ("5 m", "5 has no unit"),
            ("5M", "units are h, m and s"),
            ("1y", "units are h, m and s"),
            ("5µs", "units are h, m and s"),
            ("٣m", "whole numbers"),
            ("999ms", "shorter than 1s"),
            ("0s", "shorter than 1s"),
            ("8760h1s", "longer than 8760h"),
            ("18446744073709551615h", "longer than 8760h"),
            ("99999999999999999999h", "longer than 8760h"),
            ("768614336404564651d", "units are h, m and s"),
        ] {
            let error = duration(text).unwrap_err();
            assert!(error.contains(why), "{text:?}: {error}");
            assert!(error.contains(&format!("{text:?}")), "{text:?}: {error}");
        }
        assert!(duration(&"9".repeat(1_000_000)).unwrap_err().len() < 100);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(millis in 1_000_u64..31_536_000_000) {
            let length = Duration::from_millis(millis);
            prop_assert_eq!(duration(&written(length)), Ok(length));
        }

        #[test]
        fn no_text_stops_the_process(text in "\\PC{0,20}") {
            let _ = duration(&text);
        }
    }
}
