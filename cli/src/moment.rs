//! A time that somebody types: `30m` and `2d` are so long ago, `2026-01-01T10:00:00Z` is that moment.

use std::str::FromStr;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// A moment in the past, or one that was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(moment) = text.parse() {
            return Ok(Self(moment));
        }
        let ago = humantime::parse_duration(text).ok().and_then(|ago| SignedDuration::try_from(ago).ok());
        let moment = ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok());
        moment.map(Self).ok_or_else(|| {
            format!("{text:?} is no time: write how long ago (30m, 2d) or when (2026-01-01T10:00:00Z)")
        })
    }
}

/// To the second, as everything here prints times.
#[must_use]
pub fn second(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_moment_or_so_long_ago() {
        let named: Moment = "2026-01-01T11:00:00.25+01:00".parse().unwrap();
        assert_eq!(second(named.0), "2026-01-01T10:00:00Z");
        let ago: Moment = "1h".parse().unwrap();
        assert!((3_599..=3_601).contains(&(Timestamp::now().as_second() - ago.0.as_second())));
        for text in ["", "yesterday", "2026-01-01", "-3h"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
