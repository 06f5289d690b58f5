//! Quantities of Kubernetes: `500m`, `1.5Gi`, `1e3`. Exact, in billionths, as its own are: what is finer is rounded up.

use std::cmp::Ordering;

use super::Row;
use crate::expression::{
    Fault, Run,
    value::{Text, Value},
};

type Done<'a> = Result<Value<'a>, Fault>;

/// A quantity. Two are equal when they are worth the same, however they are written.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    billionths: i128,
    /// Power of ten of its last digit, as the API server keeps it: `1.0` and `1000m` are worth 1 and no integers
    /// there. None beyond what it keeps in 64 bits, which is never an integer.
    /// <https://github.com/kubernetes/apimachinery/blob/master/pkg/api/resource/amount.go>
    scale: Option<i32>,
}

const WHOLE: i128 = 1_000_000_000;

/// Longest quantity: far above what it takes to write the largest.
const MAX_LENGTH: usize = 64;

/// Most digits that the API server keeps in 64 bits: of a decimal quantity, and of a binary one.
const MAX_DIGITS: (i32, i32) = (18, 14);

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
    (&["sign(quantity) int"], |_, of| {
        Ok(Value::Int(i64::try_from(one(of)?.billionths.signum()).unwrap_or_default()))
    }),
    (&["quantity.isInteger() bool"], |_, of| Ok(Value::Bool(one(of)?.whole().is_some()))),
    (&["quantity.asInteger() int"], |_, of| {
        let whole = one(of)?.whole();
        whole.map(Value::Int).ok_or_else(|| Fault::of("cannot convert value to integer"))
    }),
    (&["quantity.asApproximateFloat() double"], |_, of| Ok(Value::Double(one(of)?.approximate()))),
    (&["quantity.add(quantity) quantity", "quantity.add(int) quantity"], |run, of| {
        sum(run, of, Quantity::plus)
    }),
    (&["quantity.sub(quantity) quantity", "quantity.sub(int) quantity"], |run, of| {
        sum(run, of, |one, other| one.plus(Quantity { billionths: -other.billionths, ..other }))
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

fn sum<'a>(
    _: &mut Run<'_, 'a>,
    of: &[Value<'a>],
    sum: fn(Quantity, Quantity) -> Option<Quantity>,
) -> Done<'a> {
    let other = match &of[1] {
        Value::Quantity(other) => *other,
        Value::Int(other) => Quantity { billionths: i128::from(*other) * WHOLE, scale: Some(0) },
        _ => return Err(Fault::overload("a function of quantities", of)),
    };
    sum(one(of)?, other).map(Value::Quantity).ok_or_else(|| Fault::of("quantity overflow"))
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.billionths.cmp(&other.billionths)
    }
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
        let power_of_ten = exponent - i32::try_from(fraction.len()).ok()?;
        let power = 10_i128.checked_pow(power_of_ten.unsigned_abs());
        let scaled = digits.checked_mul(factor)?;
        let magnitude = if power_of_ten >= 0 {
            if scaled == 0 { 0 } else { scaled.checked_mul(power?)? }
        } else {
            // Away from zero.
            power.map_or(i128::from(scaled > 0), |power| scaled / power + i128::from(scaled % power != 0))
        };
        let scale = scale(whole, fraction, suffix, factor, exponent);
        Some(Self { billionths: if negative { -magnitude } else { magnitude }, scale })
    }

    /// The sum: as fine as the finer of the two, where both are in 64 bits and neither is nothing.
    fn plus(self, other: Self) -> Option<Self> {
        let scale = match (self.scale, other.scale) {
            (Some(_), Some(_)) if other.billionths == 0 => self.scale,
            (Some(_), Some(_)) if self.billionths == 0 => other.scale,
            (Some(one), Some(other)) => Some(one.min(other)),
            _ => None,
        };
        Some(Self { billionths: self.billionths.checked_add(other.billionths)?, scale })
    }

    /// As a whole number, if it is one that fits.
    fn whole(self) -> Option<i64> {
        self.scale.filter(|scale| *scale >= 0)?;
        i64::try_from(self.billionths / WHOLE).ok()
    }

    #[allow(clippy::cast_precision_loss, reason = "approximate, as its name says")]
    fn approximate(self) -> f64 {
        self.whole().map_or_else(|| self.billionths as f64 / WHOLE as f64, |whole| whole as f64)
    }
}

/// The power of ten of the last digit, of what the API server keeps in 64 bits: `factor` and `exponent` are what the
/// suffix `Gi`, `m` or `e3` stands for.
fn scale(whole: &str, fraction: &str, suffix: &str, factor: i128, exponent: i32) -> Option<i32> {
    let whole = whole.trim_start_matches('0').len().max(1);
    let digits = i32::try_from(whole + fraction.len()).ok()?;
    if suffix.ends_with('i') {
        let bits = i32::try_from((factor / WHOLE).ilog2()).ok()?;
        return (fraction.is_empty() && digits + bits * 3 / 10 <= MAX_DIGITS.1).then_some(0);
    }
    let of_suffix = i32::try_from(factor.ilog10()).ok()? - i32::try_from(WHOLE.ilog10()).ok()?;
    let scale = of_suffix + exponent - i32::try_from(fraction.len()).ok()?;
    (digits <= MAX_DIGITS.0 && scale >= -9).then_some(scale)
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
        let billionths = |text| Quantity::parse(text).map(|quantity| quantity.billionths);
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
    #[test]
    fn an_integer_is_one_by_how_it_is_written_as_in_kubernetes() {
        let integer = |text| Quantity::parse(text).and_then(Quantity::whole);
        for (text, is) in [("0", 0), ("12", 12), ("2k", 2000), ("1e3", 1000), ("3Gi", 3 << 30), ("-4", -4)] {
            assert_eq!(integer(text), Some(is), "{text}");
        }
        for none in ["1.0", "1000m", "0.5", "1.5Gi", "1.0Gi", "10e-1", "99999999999999999999", "16Ei", "100E"]
        {
            assert_eq!(integer(none), None, "{none}");
        }
        let sum = |one, other| Quantity::parse(one)?.plus(Quantity::parse(other)?)?.whole();
        assert_eq!(sum("0.5", "500m"), None);
        assert_eq!(sum("1", "0.0"), Some(1));
        assert_eq!(sum("0.0", "1"), Some(1));
        assert_eq!(Quantity::parse("1000m"), Quantity::parse("1"));
    }
}
