//! Expressions: whatever the text, it is refused or comes to the same each time, within the steps that it may cost; and
//! it comes to the same over the text of an object as over what was read from it.

use std::collections::BTreeMap;

use policy::expression::{Expression, Json, MAX_STEPS, MAX_STEPS_OF_A_REVIEW, RunError, Subject, Yields};

const OBJECT: &str = r#"{"metadata":{"name":"web","labels":{"app":"web","a\/b":"c"}},"spec":{"replicas":3,"ratio":0.5,
"paused":false,"list":[1,2,3],"containers":[{"name":"web","image":"registry.test/web:1.2.3","limits":{"memory":"512Mi"}}]}}"#;

/// An expression, or an object and an expression, separated by a zero byte.
pub fn expression(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (object, source) = text.split_once('\0').unwrap_or((OBJECT, &text));
    let yields = if source.len() % 2 == 0 { Yields::Bool } else { Yields::Text };
    let labels = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    for yields in [yields, Yields::Bool] {
        let Ok(expression) = Expression::compile(source, yields) else { continue };
        // Text that is no JSON fails, and does not panic.
        let first = evaluated(
            &expression,
            yields,
            &Subject::submitted(object, None, Json::Text("{}"), "shop", &labels),
        );
        let Ok(value) = serde_json::from_str(object) else { continue };
        let live = evaluated(&expression, yields, &Subject::live(&value, "shop", &labels));
        if !expression.is_about_the_write() {
            assert_eq!(first, live, "{source}");
        }
    }
}

fn evaluated(expression: &Expression, yields: Yields, subject: &Subject<'_>) -> Result<String, RunError> {
    let evaluated = match yields {
        Yields::Bool => expression.holds(subject).map(|holds| holds.to_string()),
        Yields::Text => expression.text(subject),
    };
    let steps = MAX_STEPS_OF_A_REVIEW - subject.steps_left();
    assert!(steps <= MAX_STEPS + 1, "{steps} steps");
    evaluated
}
