//! Quantities of Kubernetes: `500m`, `1.5Gi`, `1e3`. Exact, in billionths, as its own are: what is finer is rounded up.

use std::cmp::Ordering;

use super::Row;
use crate::expression::{
    Fault, Run,
    value::{Text, Value},
};

type Done<'a> = Result<Value<'a>, Fault>;

/// A quantity, in billionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

const WHOLE: i128 = 1_000_000_000;

/// Longest quantity: far above what it takes to write the largest.
const MAX_LENGTH: usize = 64;

/// Suffixes, and how many billionths one of each is.
const SUFFIXES: [(&str, i128); 16] = [
    ("", WHOLE),
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("k", WHOLE * 1_000),
    ("M", WHOLE * 1_000_000),
    ("G", WHOLE * 1_000_000_000),
    ("T", WHOLE * 1_000_000_000_000),
    ("P", WHOLE * 1_000_000_000_000_000),
    ("E", WHOLE * 1_000_000_000_000_000_000),
    ("Ki", WHOLE << 10),
    ("Mi", WHOLE << 20),
    ("Gi", WHOLE << 30),
    ("Ti", WHOLE << 40),
    ("Pi", WHOLE << 50),
    ("Ei", WHOLE << 60),
];

pub const TABLE: &[Row] = &[
    (&["quantity(string) quantity"], |_, of| match &of[0] {
        Value::Text(text) => parsed(text).map(Value::Quantity),
        _ => Err(Fault::overload("quantity", of)),
    }),
    (&["isQuantity(string) bool"], |_, of| match &of[0] {
        Value::Text(text) => Ok(Value::Bool(Quantity::parse(text.as_str()).is_some())),
        _ => Err(Fault::overload("isQuantity", of)),
    }),
    (&["sign(quantity) int"], |_, of| Ok(Value::Int(i64::try_from(one(of)?.0.signum()).unwrap_or_default()))),
    (&["quantity.isInteger() bool"], |_, of| Ok(Value::Bool(one(of)?.whole().is_some()))),
    (&["quantity.asInteger() int"], |_, of| {
        let whole = one(of)?.whole();
        whole.map(Value::Int).ok_or_else(|| Fault::of("cannot convert value to integer"))
    }),
    (&["quantity.asApproximateFloat() double"], |_, of| Ok(Value::Double(one(of)?.approximate()))),
    (&["quantity.add(quantity) quantity", "quantity.add(int) quantity"], |run, of| {
        sum(run, of, i128::checked_add)
    }),
    (&["quantity.sub(quantity) quantity", "quantity.sub(int) quantity"], |run, of| {
        sum(run, of, i128::checked_sub)
    }),
];

/// How two quantities compare; what has these names compares versions too.
pub fn compare(of: &[Value<'_>]) -> Option<Ordering> {
    match of {
        [Value::Quantity(one), Value::Quantity(other)] => Some(one.cmp(other)),
        _ => None,
    }
}

fn one(of: &[Value<'_>]) -> Result<Quantity, Fault> {
    match of.first() {
        Some(Value::Quantity(quantity)) => Ok(*quantity),
        _ => Err(Fault::overload("a function of quantities", of)),
    }
}

fn parsed(text: &Text<'_>) -> Result<Quantity, Fault> {
    let text = text.as_str();
    Quantity::parse(text)
        .ok_or_else(|| Fault::of(format!("'{text:.64}' is no quantity: write 500m, 2 or 1.5Gi")))
}

fn sum<'a>(_: &mut Run<'_, 'a>, of: &[Value<'a>], sum: fn(i128, i128) -> Option<i128>) -> Done<'a> {
    let other = match &of[1] {
        Value::Quantity(other) => other.0,
        Value::Int(other) => i128::from(*other) * WHOLE,
        _ => return Err(Fault::overload("a function of quantities", of)),
    };
    let sum = sum(one(of)?.0, other).map(Quantity).map(Value::Quantity);
    sum.ok_or_else(|| Fault::of("quantity overflow"))
}

impl Quantity {
    /// Reads one.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = unsigned.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, suffix) = unsigned.split_at(end.unwrap_or(unsigned.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return None;
        }
        let digits = whole.chars().chain(fraction.chars()).try_fold(0_i128, |value, digit| {
            value.checked_mul(10)?.checked_add(i128::from(digit.to_digit(10)?))
        })?;
        let (factor, exponent) = match SUFFIXES.iter().find(|(known, _)| *known == suffix) {
            Some((_, factor)) => (*factor, 0),
            None => (WHOLE, exponent(suffix)?),
        };
        let exponent = exponent - i32::try_from(fraction.len()).ok()?;
        let power = 10_i128.checked_pow(exponent.unsigned_abs());
        let scaled = digits.checked_mul(factor)?;
        let magnitude = if exponent >= 0 {
            if scaled == 0 { 0 } else { scaled.checked_mul(power?)? }
        } else {
            // Away from zero.
            power.map_or(i128::from(scaled > 0), |power| scaled / power + i128::from(scaled % power != 0))
        };
        Some(Self(if negative { -magnitude } else { magnitude }))
    }

    /// As a whole number, if it is one that fits.
    fn whole(self) -> Option<i64> {
        (self.0 % WHOLE == 0).then(|| i64::try_from(self.0 / WHOLE).ok()).flatten()
    }

    #[allow(clippy::cast_precision_loss, reason = "approximate, as its name says")]
    fn approximate(self) -> f64 {
        self.whole().map_or_else(|| self.0 as f64 / WHOLE as f64, |whole| whole as f64)
    }
}

/// `e3`, `E-2`
fn exponent(suffix: &str) -> Option<i32> {
    let digits = suffix.strip_prefix(['e', 'E'])?;
    let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let plain = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten().filter(|exponent: &i32| exponent.abs() < 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_exact_and_what_is_finer_than_a_billionth_is_rounded_up() {
        let billionths = |text| Quantity::parse(text).map(|quantity| quantity.0);
        assert_eq!(billionths("500m"), Some(500_000_000));
        assert_eq!(billionths("1.5Gi"), Some(1_610_612_736 * WHOLE));
        assert_eq!(billionths("1e3"), billionths("1k"));
        assert_eq!(billionths("1E"), billionths("1e18"));
        assert_eq!(billionths("0.1n"), Some(1));
        assert_eq!(billionths("-0.1n"), Some(-1));
        assert_eq!(billionths("1e-900"), Some(1));
        assert_eq!(billionths(".5"), billionths("500m"));
        for none in ["", "Mi", "1.2.3", "1 Gi", "1gi", "--1", "1e", "1ee3", "0x10", "1e9999999999"] {
            assert_eq!(billionths(none), None, "{none}");
        }
    }
}
