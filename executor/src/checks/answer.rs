//! What Prometheus answers to a query, and whether it means success. Pure.
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Standing;

/// Samples that are named in a message.
const NAMED: usize = 3;

/// Longest text of somebody else in a message, in bytes.
const LONGEST: usize = 300;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    status: String,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    result_type: String,
    #[serde(borrow)]
    result: &'a RawValue,
}

/// A sample: its time, and its value as a text, because JSON has no NaN.
type Sample = (f64, String);

/// One series of a vector; a native histogram has no value.
#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: serde_json::Map<String, serde_json::Value>,
    value: Option<Sample>,
}

/// Reads an answer: the query succeeded when there is a sample, and none that is 0 or not a number.
pub(super) fn standing(code: u16, body: &[u8]) -> Standing {
    let answer = match serde_json::from_slice::<Answer<'_>>(body) {
        Ok(answer) => answer,
        Err(_) if !(200..300).contains(&code) => {
            return Standing::NotYet(format!("Prometheus answered with status {code}"));
        }
        Err(error) => return Standing::NotYet(format!("what Prometheus answered cannot be read: {error}")),
    };
    let Some(data) = answer.data.filter(|_| answer.status == "success") else {
        let said = cut(&answer.error);
        let said = format!("Prometheus answered with status {code}, {}: {said}", cut(&answer.error_type));
        // The query itself is wrong: it will be so the next time.
        return if answer.error_type == "bad_data" { Standing::Failed(said) } else { Standing::NotYet(said) };
    };
    match samples(&data) {
        Ok(samples) => judged(&samples),
        Err(said) => said,
    }
}

/// Every sample, with the labels of its series.
fn samples(data: &Data<'_>) -> Result<Vec<(String, String)>, Standing> {
    let unreadable = |error| Standing::NotYet(format!("what Prometheus answered cannot be read: {error}"));
    let result = data.result.get();
    match &*data.result_type {
        "scalar" => {
            let (_, value): Sample = serde_json::from_str(result).map_err(unreadable)?;
            Ok(vec![(String::new(), value)])
        }
        "vector" => {
            let series: Vec<Series> = serde_json::from_str(result).map_err(unreadable)?;
            let has_value = |series: Series| {
                let labels = serde_json::Value::from(series.metric).to_string();
                Some((labels, series.value?.1))
            };
            let all = series.len();
            let samples: Vec<_> = series.into_iter().filter_map(has_value).collect();
            if samples.len() < all {
                return Err(Standing::Failed(
                    "the query gives native histograms; it has to give numbers".to_owned(),
                ));
            }
            Ok(samples)
        }
        kind => Err(Standing::Failed(format!(
            "the query gives a {}; it has to give an instant vector or a scalar",
            cut(kind)
        ))),
    }
}

fn judged(samples: &[(String, String)]) -> Standing {
    if samples.is_empty() {
        return Standing::NotYet("the query gives no sample".to_owned());
    }
    let is_wrong = |value: &str| value.parse::<f64>().is_ok_and(|number| number == 0.0 || number.is_nan());
    let is_number = |value: &str| value.parse::<f64>().is_ok();
    let wrong: Vec<_> = samples.iter().filter(|(_, value)| is_wrong(value) || !is_number(value)).collect();
    if wrong.is_empty() {
        return Standing::Passed;
    }
    let named: Vec<_> =
        wrong.iter().take(NAMED).map(|(labels, value)| format!("{}{}", cut(labels), cut(value))).collect();
    Standing::NotYet(format!(
        "{} of {} samples are 0 or not a number: {}",
        wrong.len(),
        samples.len(),
        named.join(", ")
    ))
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// As in the examples of Prometheus' documentation.
    fn vector(values: &[&str]) -> Value {
        let result: Vec<_> = values
            .iter()
            .map(|value| json!({"metric": {"__name__": "up", "job": "web"}, "value": [1_435_781_451.781, value]}))
            .collect();
        json!({"status": "success", "data": {"resultType": "vector", "result": result}})
    }

    fn judge(answer: &Value) -> Standing {
        standing(200, answer.to_string().as_bytes())
    }

    #[test]
    fn success_is_a_sample_and_none_that_is_0_or_not_a_number() {
        let scalar = |value: &str| json!({"status": "success", "data": {"resultType": "scalar", "result": [1.5, value]}});
        for (what, answer, passed) in [
            ("one", vector(&["1"]), true),
            ("many", vector(&["1", "0.01", "-3", "+Inf", "1e+06"]), true),
            ("none", vector(&[]), false),
            ("one of them is 0", vector(&["1", "0"]), false),
            ("-0", vector(&["-0"]), false),
            ("NaN", vector(&["NaN"]), false),
            ("no number", vector(&["yes"]), false),
            ("a scalar", scalar("1"), true),
            ("a scalar that is 0", scalar("0"), false),
        ] {
            assert_eq!(judge(&answer) == Standing::Passed, passed, "{what}");
        }
        let Standing::NotYet(said) = judge(&vector(&["0"])) else { panic!("it may heal") };
        assert!(said.contains(r#""job":"web""#) && said.ends_with("}0"), "{said}");
    }

    #[test]
    fn what_cannot_succeed_fails_at_once_and_what_may_heal_is_asked_again() {
        let error = |kind: &str| {
            json!({"status": "error", "errorType": kind, "error": "1:1: parse error"}).to_string()
        };
        let histogram = json!({"status": "success", "data": {"resultType": "vector", "result": [
            {"metric": {}, "histogram": [1.5, {"count": "1", "sum": "2"}]},
        ]}});
        let of_type = |kind: &str| json!({"status": "success", "data": {"resultType": kind, "result": []}});
        for (what, code, body, fails) in [
            ("a query that does not parse", 400, error("bad_data"), true),
            ("it took too long", 503, error("timeout"), false),
            ("it could not be executed", 422, error("execution"), false),
            ("a proxy", 502, "<html>".to_owned(), false),
            ("a redirect is not followed", 302, String::new(), false),
            ("no JSON", 200, "{".to_owned(), false),
            ("no data", 200, json!({"status": "success"}).to_string(), false),
            ("a text", 200, of_type("string").to_string(), true),
            ("a range", 200, of_type("matrix").to_string(), true),
            ("a histogram", 200, histogram.to_string(), true),
        ] {
            let standing = standing(code, body.as_bytes());
            assert_ne!(standing, Standing::Passed, "{what}");
            assert_eq!(matches!(standing, Standing::Failed(_)), fails, "{what}: {standing:?}");
        }
    }
}
