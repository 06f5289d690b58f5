//! Semantic versions, <https://semver.org>, and the comparisons that quantities have too.

use std::{cmp::Ordering, rc::Rc};

use super::{Row, quantity};
use crate::expression::{Fault, Run, value::Value};

type Done<'a> = Result<Value<'a>, Fault>;

/// A version; what is after `+` does not count.
#[derive(Debug, PartialEq, Eq)]
pub struct Semver {
    numbers: [u64; 3],
    before: Vec<Part>,
}

/// A part of what is after `-`: a number is before any text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Text(String),
}

pub const TABLE: &[Row] = &[
    (&["semver(string) semver", "semver(string, bool) semver"], |run, of| {
        let version = read(run, of)?.ok_or_else(|| Fault::of("no semantic version: write 1.2.3"))?;
        Ok(Value::Semver(Rc::new(version)))
    }),
    (&["isSemver(string) bool", "isSemver(string, bool) bool"], |run, of| {
        Ok(Value::Bool(read(run, of)?.is_some()))
    }),
    (&["semver.major() int"], |_, of| number(of, 0)),
    (&["semver.minor() int"], |_, of| number(of, 1)),
    (&["semver.patch() int"], |_, of| number(of, 2)),
    (&["quantity.isGreaterThan(quantity) bool", "semver.isGreaterThan(semver) bool"], |_, of| {
        Ok(Value::Bool(compare(of)?.is_gt()))
    }),
    (&["quantity.isLessThan(quantity) bool", "semver.isLessThan(semver) bool"], |_, of| {
        Ok(Value::Bool(compare(of)?.is_lt()))
    }),
    (&["quantity.compareTo(quantity) int", "semver.compareTo(semver) int"], |_, of| {
        Ok(Value::Int(compare(of)? as i64))
    }),
];

fn compare(of: &[Value<'_>]) -> Result<Ordering, Fault> {
    match of {
        [Value::Semver(one), Value::Semver(other)] => Ok(one.compare(other)),
        _ => quantity::compare(of).ok_or_else(|| Fault::overload("comparison", of)),
    }
}

fn number<'a>(of: &[Value<'a>], at: usize) -> Done<'a> {
    match &of[0] {
        Value::Semver(version) => Ok(Value::Int(i64::try_from(version.numbers[at]).unwrap_or(i64::MAX))),
        _ => Err(Fault::overload("a function of versions", of)),
    }
}

fn read<'a>(run: &mut Run<'_, 'a>, of: &[Value<'a>]) -> Result<Option<Semver>, Fault> {
    let Value::Text(text) = &of[0] else { return Err(Fault::overload("semver", of)) };
    run.spend_bytes(text.as_str().len())?;
    match of.get(1) {
        None | Some(Value::Bool(false)) => Ok(Semver::parse(text.as_str())),
        Some(Value::Bool(true)) => Ok(normal(text.as_str()).and_then(|text| Semver::parse(&text))),
        Some(_) => Err(Fault::overload("semver", of)),
    }
}

impl Semver {
    fn parse(text: &str) -> Option<Self> {
        let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
        let named = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if build.is_some_and(|build| !build.split('.').all(named)) {
            return None;
        }
        let (numbers, before) =
            text.split_once('-').map_or((text, None), |(numbers, before)| (numbers, Some(before)));
        let numbers = numbers.split('.').map(plain).collect::<Option<Vec<_>>>()?.try_into().ok()?;
        let before = before.into_iter().flat_map(|before| before.split('.'));
        let before = before.map(|part| match part {
            digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                plain(digits).map(Part::Number)
            }
            text => named(text).then(|| Part::Text(text.to_owned())),
        });
        Some(Self { numbers, before: before.collect::<Option<_>>()? })
    }

    /// How two versions compare.
    pub fn compare(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.before.is_empty(), other.before.is_empty()) {
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                _ => self.before.cmp(&other.before),
            }
        })
    }
}

/// A number without leading zeros.
fn plain(digits: &str) -> Option<u64> {
    let plain =
        digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    plain.then(|| digits.parse().ok()).flatten()
}

/// Without `v`, with what a short one leaves out, without leading zeros.
fn normal(text: &str) -> Option<String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let parts = text.splitn(3, '.').map(|part| {
        let stripped = part.trim_start_matches('0');
        match stripped.bytes().next() {
            _ if part.len() < 2 => part.to_owned(),
            Some(digit) if digit.is_ascii_digit() => stripped.to_owned(),
            _ => format!("0{stripped}"),
        }
    });
    let mut parts = parts.collect::<Vec<_>>();
    if parts.len() < 3 && parts.last().is_some_and(|part| part.contains(['+', '-'])) {
        return None;
    }
    parts.resize(3, "0".to_owned());
    Some(parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_semver_says() {
        let order =
            ["1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta", "1.0.0", "1.0.1", "1.10.0", "2.0.0"];
        for pair in order.windows(2) {
            let [one, other] = [pair[0], pair[1]].map(|text| Semver::parse(text).unwrap());
            assert_eq!(one.compare(&other), Ordering::Less, "{pair:?}");
        }
        for none in ["", "1", "1.2", "01.2.3", "1.2.3.4", "1.2.3-", "1.2.3-01", "v1.2.3", "1.2.3+", "1.-2.3"]
        {
            assert_eq!(Semver::parse(none), None, "{none}");
        }
        assert_eq!(normal("v1.02").as_deref(), Some("1.2.0"));
        assert_eq!(normal("1.2-rc"), None);
    }
}
