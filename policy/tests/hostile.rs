//! A hundred expressions that mean harm, or are a mistake that would do as much: none stops the process, and none costs
//! more steps than one expression may. Time is printed and not asserted: the machine decides it, the steps do not.

#![allow(clippy::unwrap_used, reason = "a test that meets what it does not expect is to stop there")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    time::{Duration, Instant},
};

use policy::expression::{Expression, Json, MAX_STEPS, MAX_STEPS_OF_A_REVIEW, RunError, Subject, Yields};

/// What must become of one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    /// It is no expression, or one that may not be.
    Refused,
    /// It fails when it is run.
    Fails,
    /// It is stopped.
    Stopped,
    /// It comes to something, within its bounds.
    Ends,
}

use Fate::{Ends, Fails, Refused, Stopped};

/// Written as they are.
const WRITTEN: &[(Fate, &str)] = &[
    // Comprehensions within comprehensions.
    (Stopped, "object.big.all(a, object.big.all(b, object.big.all(c, true)))"),
    (
        Stopped,
        "object.big.all(a, object.big.all(b, object.big.all(c, object.big.all(d, a + b + c + d >= 0))))",
    ),
    (Stopped, "object.big.map(a, object.big.map(b, object.big.map(c, [a, b, c]))).size() > 0"),
    (Stopped, "object.big.exists(a, object.big.exists(b, a + b < 0))"),
    (Stopped, "object.big.filter(a, object.big.filter(b, b > a).size() >= 0).size() == 0"),
    (Stopped, "object.big.exists_one(a, object.big.exists_one(b, false))"),
    (Stopped, "object.big.transformMap(i, v, object.big.transformMap(j, w, w)).size() == 1"),
    (Stopped, "object.big.transformList(i, v, object.big.map(x, x)).size() == 1"),
    (Stopped, "object.big.sortBy(a, object.big.map(b, b)[0]).size() == 1"),
    (Stopped, "object.big.all(a, object.big.all(b, a / 0 == b))"),
    (Refused, "object.big.all(a, object.big.all(b, nope(b))) || true"),
    (Stopped, "true && object.big.all(a, object.big.all(b, true)) || true"),
    (Stopped, "lists.range(100000).all(x, true)"),
    (Stopped, "lists.range(99999).map(x, lists.range(99999)).size() == 1"),
    (Stopped, "lists.range(9223372036854775807).size() == 1"),
    (Stopped, "lists.range(1000).map(x, lists.range(1000)).flatten().size() == 1"),
    (Stopped, "lists.range(500).distinct().size() == 500"),
    (Stopped, "lists.range(2000).map(x, lists.range(2000).sort()).size() == 1"),
    (Stopped, "lists.range(1000).all(x, x in lists.range(1000))"),
    (Stopped, "sets.equivalent(lists.range(1000), lists.range(1000))"),
    (Stopped, "sets.intersects(lists.range(1000), lists.range(1000).map(x, x - 5000))"),
    (Stopped, "lists.range(1000).map(x, lists.range(1000).indexOf(-1)).sum() == 0"),
    // Texts that grow.
    (
        Stopped,
        "[object.text].map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a + a + a + a + a)[0] == ''",
    ),
    (Stopped, "lists.range(500).map(x, object.text).join(object.text) == ''"),
    (Stopped, "object.text.replace('a', object.text) == ''"),
    (Stopped, "object.text.replace('', object.text) == ''"),
    (Stopped, "object.text.split('').map(c, object.text).join('') == ''"),
    (Stopped, "object.text.split('').map(x, object.text.split('')).size() == 1"),
    (
        Stopped,
        "lists.range(500).map(x, '%s%s%s%s'.format([object.text, object.text, object.text, object.text])).size() == 0",
    ),
    (Stopped, "lists.range(500).map(x, object.text.upperAscii().lowerAscii().trim()).size() == 0"),
    (Stopped, "lists.range(500).map(x, bytes(object.text) + bytes(object.text)).size() == 0"),
    (Stopped, "lists.range(2000).all(x, object.text == object.text + '')"),
    (Stopped, "lists.range(5000).all(x, !object.text.contains('aab'))"),
    (Stopped, "lists.range(5000).all(x, object.text.size() > 0)"),
    (Stopped, "lists.range(5000).all(x, object.text.lastIndexOf('b') == -1)"),
    (Stopped, "lists.range(5000).all(x, object.text.charAt(15999) == 'a')"),
    (Stopped, "lists.range(5000).all(x, object.text.substring(100) != '')"),
    (
        Stopped,
        "[[1]].map(a, [a, a, a, a, a, a, a, a]).map(a, [a, a, a, a, a, a, a, a]).map(a, [a, a, a, a, a, a, a, a]).map(a, [a, a, a, a, a, a, a, a]).map(a, [a, a, a, a, a, a, a, a]).map(a, [a, a, a, a, a, a, a, a]).all(a, a == a)",
    ),
    (
        Stopped,
        "[object.big].map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).map(a, a + a).size() == 0",
    ),
    // Patterns.
    (Ends, "object.text.matches('^(a+)+$') || true"),
    (Ends, "object.text.matches('(a|aa)+$') || true"),
    (Ends, "object.text.matches('(.*)(.*)(.*)(.*)(.*)b') || true"),
    (Ends, "object.text.matches('(x+x+)+y') || true"),
    (Refused, "'a'.matches('((a{0,100}){0,100}){0,100}')"),
    (Refused, "'a'.matches('a{1000}{1000}')"),
    (
        Refused,
        "'a'.matches('(((((((((((((((((((((((((((((((((((((((((((((((((((a)))))))))))))))))))))))))))))))))))))))))))))))))))')",
    ),
    (Refused, "'a'.matches('(?R)')"),
    (Refused, "'a'.matches('(?=a)b')"),
    (Refused, "'a'.matches('a\\\\1')"),
    (Refused, "'a'.matches('[')"),
    (Fails, "'a'.matches('(a{0,100}){0,100}' + '{0,100}')"),
    (Fails, "'a'.matches(object.text + '(')"),
    (Stopped, "object.big.all(x, 'a'.matches('a{0,' + string(x) + '}'))"),
    (Stopped, "lists.range(100).all(x, object.text.findAll('a').size() > 0)"),
    (Stopped, "lists.range(1000).all(x, object.text.find('b') == '')"),
    // Numbers.
    (Fails, "1 / 0 == 1"),
    (Fails, "1 % 0 == 1"),
    (Fails, "1u / 0u == 1u"),
    (Fails, "(-9223372036854775807 - 1) / -1 == 0"),
    (Fails, "(-9223372036854775807 - 1) % -1 == 0"),
    (Fails, "-(-9223372036854775807 - 1) == 0"),
    (Fails, "9223372036854775807 + 1 == 0"),
    (Fails, "9223372036854775807 * 9223372036854775807 == 0"),
    (Fails, "0u - 1u == 0u"),
    (Fails, "int(1e300) == 0"),
    (Fails, "int('99999999999999999999') == 0"),
    (Fails, "uint(-1) == 0u"),
    (Ends, "1.0 / 0.0 == 1.0"),
    (Ends, "0.0 / 0.0 == 0.0 / 0.0"),
    (Fails, "[0.0 / 0.0, 1.0].sort() == []"),
    (Refused, "99999999999999999999999999 == 0"),
    (Refused, "-99999999999999999999999999 == 0"),
    (Fails, "quantity('1e999').isInteger()"),
    (Fails, "quantity('170141183460469231731687303715884105727E').isInteger()"),
    (Refused, "duration('9223372036854775807h') == duration('1h')"),
    (Fails, "timestamp(9223372036854775807) == timestamp(0)"),
    (Refused, "timestamp('9999-12-31T23:59:59Z') + duration('2540400h') == timestamp(0)"),
    (Fails, "'a'.charAt(9223372036854775807) == ''"),
    (Fails, "'a'.substring(-1) == ''"),
    (Fails, "'a'.substring(1, 0) == ''"),
    (Fails, "[1].slice(0, 9223372036854775807) == []"),
    (Fails, "[1][9223372036854775807] == 1"),
    // Types.
    (Fails, "object + 1 == 1"),
    (Fails, "object.big.nope.nope.nope == 1"),
    (Fails, "object.text.all(x, true)"),
    (Fails, "object.text < object.big"),
    (Fails, "-object.text == 1"),
    (Fails, "dyn(1) && true"),
    (Fails, "{dyn(1.5): 1} == {}"),
    (Fails, "{dyn([]): 1} == {}"),
    (Fails, "{'a': 1, 'a': 2} == {}"),
    (Refused, "1 + 'a' == 1"),
    (Refused, "object"),
    (Refused, "true + true"),
    // What is no expression.
    (Refused, "\u{0}"),
    (Refused, "((((("),
    (Refused, "'unterminated"),
    (Refused, "'\\ud800' == ''"),
    (Refused, "'\\U00110000' == ''"),
    (Refused, "object.\u{202e}x == 1"),
    (Refused, "a.b.c.d()"),
    (Refused, "[].map(x)"),
    (Refused, "google.protobuf.Any{} == 1"),
];

/// Made, because they are long.
fn made() -> Vec<(Fate, String)> {
    let repeat = |text: &str, times: usize| text.repeat(times);
    let mut nested = "1".to_owned();
    for at in 0..20 {
        nested = format!("[{nested}].map(x{at}, x{at})");
    }
    let mut huge = String::new();
    for at in 0..1000 {
        write!(huge, "{at}, ").unwrap();
    }
    vec![
        (Refused, format!("{}true{}", repeat("(", 3000), repeat(")", 3000))),
        (Refused, format!("{}1{} == []", repeat("[", 4000), repeat("]", 4000))),
        (Ends, format!("{}true", repeat("!", 9000))),
        (Ends, format!("{}1 == 1", repeat("-", 9000))),
        (Refused, format!("object{} == 1", repeat(".a", 4500))),
        (Refused, format!("1{} == 1", repeat("+1", 4500))),
        (Refused, format!("object{} == 1", repeat("[0]", 3000))),
        (Refused, format!("{}true", repeat("true?true:", 900))),
        (Refused, format!("'a'{} == ''", repeat(".trim()", 1000))),
        (Refused, repeat("{'a':", 2000)),
        (Refused, repeat("a(", 4000)),
        (Refused, format!("'{}' == ''", repeat("a", 20_000))),
        (Ends, format!("'{}' == ''", repeat("a", 10_000))),
        (Ends, format!("[{huge}1000].size() == 1001")),
        (Ends, format!("true{}", repeat(" && true", 1000))),
        (Ends, format!("false{}", repeat(" || false", 900))),
        (Ends, format!("{nested} == []")),
        (Refused, repeat("?", 9000)),
        (Refused, repeat("object ", 1400)),
        (Refused, repeat("/*", 5000)),
        (Refused, repeat("\\", 5000)),
        (Refused, repeat("'", 9999)),
        (Refused, repeat("é", 5000)),
    ]
}

#[test]
fn a_hundred_hostile_expressions_neither_stop_the_process_nor_cost_more_than_they_may() {
    let object =
        serde_json::json!({ "big": (0..1000).collect::<Vec<_>>(), "text": "a".repeat(16_000) }).to_string();
    let labels = BTreeMap::new();
    let written = WRITTEN.iter().map(|(fate, source)| (*fate, (*source).to_owned()));
    let all = written.chain(made()).collect::<Vec<_>>();
    assert!(all.len() >= 100, "{}", all.len());
    let (mut longest, mut wrong) = ((Duration::ZERO, String::new()), Vec::new());
    for (expected, source) in all {
        let begun = Instant::now();
        let subject = Subject::submitted(&object, None, Json::Text("{}"), "shop", &labels);
        let fate = match Expression::compile(&source, Yields::Bool) {
            Err(_) => Refused,
            Ok(expression) => match expression.holds(&subject) {
                Ok(_) => Ends,
                Err(RunError::Failed(_)) => Fails,
                Err(RunError::Cost) => Stopped,
            },
        };
        let took = begun.elapsed();
        let shown = source.chars().take(100).collect::<String>();
        let steps = MAX_STEPS_OF_A_REVIEW - subject.steps_left();
        println!("{took:>10.1?} {steps:>7} steps {fate:?}: {shown}");
        if fate != expected || steps > MAX_STEPS + 1 {
            wrong.push(format!("{fate:?}, not {expected:?}, {steps} steps: {shown}"));
        }
        if took > longest.0 {
            longest = (took, shown);
        }
    }
    println!("longest: {:?}: {}", longest.0, longest.1);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_expressions_of_one_review_share_what_they_may_cost() {
    let object = serde_json::json!({ "big": (0..1000).collect::<Vec<_>>() });
    let labels = BTreeMap::new();
    let subject = Subject::live(&object, "shop", &labels);
    let costly = Expression::compile("object.big.all(a, object.big.all(b, true))", Yields::Bool).unwrap();
    let cheap = Expression::compile("object.big.size() == 1000", Yields::Bool).unwrap();
    for _ in 0..9 {
        assert_eq!(costly.holds(&subject), Err(RunError::Cost));
    }
    assert_eq!(cheap.holds(&subject), Ok(true));
    for _ in 0..2 {
        assert_eq!(costly.holds(&subject), Err(RunError::Cost));
    }
    assert_eq!(cheap.holds(&subject), Err(RunError::Cost), "nothing is left for it");
}
