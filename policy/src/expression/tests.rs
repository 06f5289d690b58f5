//! What expressions come to.

use std::collections::BTreeMap;

use super::*;

const OBJECT: &str = r#"{"metadata":{"name":"web","labels":{"app":"web","team\/x":"a"},"annotations":null},
 "spec":{"replicas":3,"ratio":0.5,"paused":false,"template":{"spec":{"containers":[
 {"name":"web","image":"registry.test/web:1.2.3","resources":{"limits":{"memory":"512Mi","cpu":1}}},
 {"name":"side","image":"registry.test/side@sha256:00","resources":{}}]}}}}"#;

fn outcome(source: &str) -> Result<bool, String> {
    let expression =
        Expression::compile(source, Yields::Bool).map_err(|error| format!("compile: {error}"))?;
    let labels = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    let request = r#"{"uid":"1","operation":"UPDATE","object":{},"userInfo":{"username":"ann","groups":["dev"]},"dryRun":false}"#;
    let subject = Subject::submitted(OBJECT, None, Json::Text(request), "shop", &labels);
    let text = expression.holds(&subject).map_err(|error| error.to_string());
    let value = serde_json::from_str(OBJECT).unwrap();
    let live = Subject::live(&value, "shop", &labels);
    if !expression.is_about_the_write() {
        assert_eq!(expression.holds(&live).map_err(|error| error.to_string()), text, "{source} over a value");
    }
    text
}

#[test]
fn expressions_that_hold() {
    for source in [
        "object.spec.replicas == 3 && object.spec.replicas < 3.5",
        "object.spec.ratio == 0.5",
        "object.spec.template.spec.containers.all(c, c.image.startsWith('registry.test/'))",
        "object.spec.template.spec.containers.exists(c, c.name == 'side')",
        "object.spec.template.spec.containers.filter(c, has(c.resources.limits)).size() == 1",
        "object.spec.template.spec.containers.map(c, c.name).join(',') == 'web,side'",
        "object.spec.template.spec.containers.all(i, c, i < 2 && c.name != '')",
        "object.metadata.labels['team/x'] == 'a'",
        "object.metadata.annotations == null",
        "!has(object.metadata.generateName)",
        "object.metadata.?generateName.orValue('x') == 'x'",
        "object.?spec.?template.?metadata.labels.app.hasValue() == false",
        "object[?'nope'].optMap(x, x == 1).orValue(true)",
        "oldObject == null && request.operation == 'UPDATE' && 'dev' in request.userInfo.groups",
        "namespaceObject.metadata.labels['env'] == 'prod' && namespaceObject.metadata.name == 'shop'",
        "quantity('512Mi').compareTo(quantity(object.spec.template.spec.containers[0].resources.limits.memory)) == 0",
        "quantity('1').isLessThan(quantity('1500m')) && quantity('1Gi') == quantity('1024Mi')",
        "semver('1.2.3').isLessThan(semver('1.10.0'))",
        "'a1b22'.findAll('[0-9]+') == ['1', '22'] && 'abc'.matches('^a.c$')",
        "'%s has %d of %s'.format(['x', dyn(3), dyn([1, 2])]) == 'x has 3 of [1, 2]'",
        "{'a': 1, 'b': 2}.transformMap(k, v, v * 2)['b'] == 4",
        "[3, 1, 2].sort() == [1, 2, 3] && [1, 2].sum() == 3 && [1, 5, 2].max() == 5",
        "['bb', 'a'].sortBy(s, s.size()) == ['a', 'bb']",
        "sets.contains([1, 2, 3], [2]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 1], [1])",
        "1 / 0 == 1 || true",
        "true || object.nope",
        "[0, 1].exists(x, 1 / x == 1)",
        "type(object.spec.replicas) == int && type('a') == string",
        "int('12') + 1 == 13 && string(1.5) == '1.5' && string(1234567.0) == '1.234567e+06'",
        "duration('90m') > duration('1h') && timestamp('2026-11-30T12:00:00Z').getHours() == 12",
        "'héllo'.indexOf('l') == 2 && 'héllo'.substring(1, 3) == 'él' && 'hello'.lastIndexOf('l') == 3",
        "{1: 'a'}[dyn(1u)] == 'a' && 1 in [1, 2] && dyn(1) == 1.0",
        "(object.spec.replicas > 1 ? 'many' : 'one') == 'many'",
        "[1, 2, 3].exists_one(x, x > 2) && [[1], [2]].flatten() == [1, 2] && lists.range(3) == [0, 1, 2]",
        "optional.none().orValue(1) == 1 && [?optional.none(), 1] == [1]",
    ] {
        assert_eq!(outcome(source), Ok(true), "{source}");
    }
}

#[test]
fn what_fails_at_run_time_says_why() {
    for (source, why) in [
        ("object.nope.x == 1", "no such key: nope"),
        ("object.spec.replicas / 0 == 1", "division by zero"),
        ("object.spec.replicas + 'a' == 'b'", "no such overload: + of (int, string)"),
        ("object.spec.replicas + 1.0 == 4.0", "no such overload: + of (int, double)"),
        ("object.spec.template.spec.containers[7].name == ''", "index out of bounds or no such key: 7"),
        ("has(object.nope.x)", "no such key: nope"),
        ("9223372036854775807 + object.spec.replicas == 0", "integer overflow"),
        ("request.subResource == ''", "no such key: subResource"),
    ] {
        assert_eq!(outcome(source), Err(why.to_owned()), "{source}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_refused_when_it_is_compiled() {
    for (source, why) in [
        ("", "must not be empty"),
        ("object.", "Syntax error"),
        ("objekt.spec == 1", "there is no 'objekt'"),
        ("params.x == 1", "a policy has no parameters"),
        ("object.spec.replicas", "must come to bool, and comes to dyn"),
        ("'a'", "must come to bool, and comes to string"),
        ("1 + 'a' == 2", "there is no '+' of (int, string)"),
        ("1 == 1.0", "there is no '==' of (int, double)"),
        ("'a'.nope()", "there is no function 'nope'"),
        ("isURL('a')", "startsWith or matches"),
        ("request.object == 1", "request has no field 'object'"),
        ("namespaceObject.metadata.annotations == {}", "it has name, labels"),
        ("'a'.matches('(')", "is no pattern"),
        ("'a'.matches('\\\\Qa')", "not supported in a pattern"),
        ("duration('1x') == duration('1s')", "is no duration"),
        ("'%f'.format([1.0]) == ''", "%f is not supported"),
        ("[1, 'a'] == []", "must be int like those before, and is string"),
        ("object.all(1, true)", "must be the name of a variable"),
        ("has(object)", "has() wants a field"),
        ("1 && true", "must be bool, and is int"),
        ("Foo{a: 1} == 1", "objects of types are not supported"),
    ] {
        let refused = outcome(source).unwrap_err();
        assert!(refused.starts_with("compile: ") && refused.contains(why), "{source}: {refused}");
    }
}

/// The page that lists what there is.
const PAGE: &str = include_str!("../../../docs/policies/validations.md");

#[test]
fn the_page_lists_every_function_as_it_is_called() {
    let signatures = function::TABLES.into_iter().flatten().flat_map(|(texts, _)| *texts);
    let named = signatures.filter(|text| !text.contains(['_', '@', '!']) && !text.starts_with('-'));
    let listed = format!("```\n{}\n```", named.copied().collect::<Vec<_>>().join("\n"));
    let (_, rest) = PAGE.split_once("<!-- functions: checked by a test -->\n").unwrap();
    let (page, _) = rest.split_once("\n<!-- end of functions -->").unwrap();
    assert_eq!(page, listed, "the page must say:\n{listed}");
}

#[test]
fn the_examples_of_the_page_compile_and_hold_of_a_deployment_that_is_as_it_should_be() {
    let examples = PAGE.split("```cel\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let object = |image: &str| {
        let container = format!(
            r#"{{"name":"web","image":"{image}","resources":{{"limits":{{"memory":"1Gi"}}}},"securityContext":{{"runAsNonRoot":true}}}}"#
        );
        let annotations = r#"{"example.test/ticket":"SHOP-1"}"#;
        format!(
            r#"{{"metadata":{{"name":"web","labels":{{"version":"1.2.3"}},"annotations":{annotations}}},
                "spec":{{"replicas":2,"template":{{"spec":{{"containers":[{container}]}}}}}}}}"#
        )
    };
    let good = object("registry.test/web:1.2.3");
    let bad = r#"{"metadata":{"name":"web","labels":{"version":"1.2.2"}},"spec":{"replicas":0,"template":{"spec":{"containers":[
        {"name":"proxy","image":"elsewhere.test/web:latest"}]}}}}"#;
    let labels = BTreeMap::from([("env".to_owned(), "prod".to_owned())]);
    let by = |user: &str| {
        format!(r#"{{"operation":"UPDATE","userInfo":{{"username":"{user}","groups":["dev"]}}}}"#)
    };
    let (pipeline, ann) = (by("system:serviceaccount:ci:deploy"), by("ann"));
    let mut count = 0;
    for example in examples {
        let expression =
            Expression::compile(example, Yields::Bool).unwrap_or_else(|error| panic!("{example}: {error}"));
        let subject = Subject::submitted(&good, Some(&good), Json::Text(&pipeline), "shop", &labels);
        assert_eq!(expression.holds(&subject), Ok(true), "{example}");
        let subject = Subject::submitted(bad, Some(&good), Json::Text(&ann), "shop", &labels);
        assert_eq!(expression.holds(&subject), Ok(false), "{example}");
        count += 1;
    }
    assert_eq!(count, 10);
}
