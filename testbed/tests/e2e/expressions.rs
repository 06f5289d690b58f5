//! Expressions of release policies mean what they mean in Kubernetes: each of a hundred is put into a
//! ValidatingAdmissionPolicy of a real API server and compiled by us, and both say the same of every Deployment: true,
//! false, or that it failed. What Kubernetes refuses we refuse.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use policy::expression::{Expression, Json, RunError, Subject, Yields};
use serde_json::{Value, json};
use testbed::{Stack, control_plane::DEVELOPER, eventually};

/// Expressions of one ValidatingAdmissionPolicy: the API server tells no more than 4 KiB of warnings.
const A_POLICY: usize = 10;

const EXPRESSIONS: &[&str] = &[
    // Fields, there and not there.
    "object.spec.replicas == 3",
    "object.spec.replicas >= 2 && object.spec.replicas < 10",
    "object.spec.template.spec.terminationGracePeriodSeconds == 30",
    "object.spec.paused == true",
    "has(object.spec.paused) && object.spec.paused",
    "!has(object.spec.paused)",
    "object.spec.nope == 1",
    "has(object.spec.nope.deeper)",
    "object.metadata.annotations['team'] == 'shop'",
    "'team' in object.metadata.annotations",
    "has(object.metadata.annotations) && 'team' in object.metadata.annotations",
    "object.metadata.?annotations[?'team'].orValue('none') == 'none'",
    "object.metadata.?annotations.hasValue()",
    "object.?spec.?nope.?deeper.orValue(1) == 1",
    "object.spec.template.spec.containers[0].name == 'app'",
    "object.spec.template.spec.containers[1].name == 'side'",
    "object.spec.template.spec.containers[?1].hasValue()",
    "object.spec.template.spec.containers[-1].name == 'app'",
    "object.spec.strategy.rollingUpdate.maxSurge == '25%'",
    "object.spec.strategy.rollingUpdate.maxSurge == 1",
    "type(object.spec.strategy.rollingUpdate.maxSurge) == int",
    "type(object.spec.replicas) == int && type(object.metadata.name) == string",
    "object.kind == 'Deployment' && object.apiVersion == 'apps/v1'",
    // Logic and what fails within it.
    "object.spec.nope == 1 || true",
    "true || object.spec.nope == 1",
    "object.spec.nope == 1 && false",
    "object.spec.nope == 1 && true",
    "object.spec.replicas > 2 ? object.spec.replicas < 5 : object.spec.nope == 1",
    "!(object.spec.replicas == 1)",
    "object.spec.replicas && true",
    // Macros.
    "object.spec.template.spec.containers.all(c, c.image.startsWith('registry.test/'))",
    "object.spec.template.spec.containers.all(c, has(c.resources.limits) && 'memory' in c.resources.limits)",
    "object.spec.template.spec.containers.exists(c, c.resources.limits.memory == '64Mi')",
    "object.spec.template.spec.containers.exists_one(c, c.image.endsWith(':1'))",
    "object.spec.template.spec.containers.filter(c, c.name != 'app').size() == 1",
    "object.spec.template.spec.containers.map(c, c.name) == ['app', 'side']",
    "object.spec.template.spec.containers.map(c, c.name == 'side', c.image).size() > 0",
    "object.spec.template.spec.containers.all(i, c, i < 1 || c.name == 'side')",
    "object.metadata.labels.exists(k, k.startsWith('group'))",
    "object.metadata.labels.all(k, v, k != '' && v != 'x')",
    "object.metadata.labels.transformMap(k, v, v.size())['group'] == 2",
    "object.spec.template.spec.containers.transformList(i, c, i).sum() == 1",
    "['a', 'b'].transformMapEntry(i, v, {v: i}) == {'a': 0, 'b': 1}",
    "[1, 2, 3].existsOne(i, x, i + x > 4) && [1, 2, 3].exists_one(x, x > 2)",
    "['ccc', 'a', 'bb'].sortBy(s, s.size()) == ['a', 'bb', 'ccc']",
    "optional.of(object.spec.replicas).optMap(r, r + 1).value() == 4",
    "[0, 2].exists(x, 4 / x == 2)",
    "[0, 2].all(x, 4 / x == 2)",
    // Quantities and versions.
    "object.spec.template.spec.containers.all(c, has(c.resources.limits) && quantity(c.resources.limits.memory).compareTo(quantity('128Mi')) <= 0)",
    "quantity('1Gi') == quantity('1024Mi') && quantity('1500m').isGreaterThan(quantity('1'))",
    "quantity('0.5').add(quantity('500m')).isInteger() && quantity('2k').asInteger() == 2000",
    "'%s %d'.format(['a', 1]) == 'a 1'",
    "quantity('1.0').isInteger() || quantity('1.5Gi').isInteger() || quantity('3Gi').asInteger() == 3221225472",
    "quantity('1000m').asInteger() == 1",
    "quantity('99999999999999999999') == quantity('9223372036854775807')",
    "quantity('1').sub(2) == quantity('-1') && sign(quantity('-1')) == -1",
    "isQuantity('1e3') && isQuantity('.5') && !isQuantity('1gi') && !isQuantity('')",
    "quantity('x').isInteger()",
    "quantity('1.5').asInteger() == 1",
    "quantity('1.5').asApproximateFloat() == 1.5",
    "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('v1.2', true).minor() == 2",
    "semver('1.0.0-rc.1').compareTo(semver('1.0.0')) == -1 && isSemver('1.0') == false",
    // Texts.
    "object.spec.template.spec.containers[0].image.split(':')[1] == '1'",
    "object.spec.template.spec.containers[0].image.matches('^registry\\\\.test/[a-z]+:\\\\d+$')",
    "object.spec.template.spec.containers[0].image.find('[0-9]+') == '1'",
    "'a1b22'.findAll('[0-9]+') == ['1', '22'] && 'aaa'.findAll('a', 2).size() == 2",
    "'٣'.matches('\\\\d') || 'é'.matches('\\\\w')",
    "'a-b'.matches('^[\\\\w-]+$') && 'x]'.matches('[]x]+')",
    "'héllo'.indexOf('l') == 2 && 'héllo'.lastIndexOf('l') == 3 && 'abc'.indexOf('', 9) == 3",
    "'hello'.indexOf('l', 99) == -1 && 'hello'.lastIndexOf('l', 2) == 2",
    "'hello'.charAt(5) == '' && 'hello'.charAt(1) == 'e'",
    "'hello'.charAt(6) == ''",
    "'hello'.substring(1, 3) == 'el' && 'hello'.substring(5) == ''",
    "'hello'.substring(3, 1) == ''",
    "'a,b,,c'.split(',', 2) == ['a', 'b,,c'] && 'abc'.split('') == ['a', 'b', 'c'] && 'ab'.split('', 1) == ['ab']",
    "'aaa'.replace('a', 'b', 2) == 'bba' && 'ab'.replace('', '-') == '-a-b-'",
    "' x\\t'.trim() == 'x' && 'AbÉ'.lowerAscii() == 'abÉ' && 'abé'.upperAscii() == 'ABé'",
    "['a', 'b'].join('-') == 'a-b' && [].join() == ''",
    "strings.quote('a\"b\\n') == '\"a\\\\\"b\\\\n\"'",
    "'%s %d %x %X %o %b %%'.format(['a', dyn(10), dyn(255), 'hi', dyn(8), dyn(5)]) == 'a 10 ff 6869 10 101 %'",
    "'%s %s %s'.format([dyn(true), [1, 2], {'a': 'b'}]) == 'true [1, 2] {\"a\":\"b\"}'",
    "'%s %s'.format([dyn(1.5), null]) == '1.5 null'",
    "'%d'.format([dyn(object.metadata.name)]) == ''",
    "size('héllo') == 5 && bytes('é').size() == 2 && string(b'abc') == 'abc'",
    // Numbers.
    "object.spec.replicas + 1.5 == 4.5",
    "object.spec.replicas < 3.5 && double(object.spec.replicas) / 2.0 == 1.5",
    "9223372036854775807 + object.spec.replicas == 0",
    "object.spec.replicas / (object.spec.replicas - 3) == 1",
    "-7 / 2 == -3 && -7 % 3 == -1",
    "int(2.9) == 2 && int(-2.9) == -2 && int('12') == 12 && uint(3) == 3u",
    "int(object.metadata.name) == 1",
    "string(1.5) == '1.5' && string(1234567.0) == '1.234567e+06' && string(0.00001) == '1e-05' && string(100.0) == '100'",
    "dyn(1) == 1.0 && dyn(1) == 1u && dyn('1') != 1",
    "1.0 / 0.0 > 1e300 && 0.0 / 0.0 != 0.0 / 0.0",
    "bool('true') && !bool('F') && double('1e3') == 1000.0",
    "dyn(1) in [1.0, 2.0] && {1: 'a'}[dyn(1.0)] == 'a'",
    // Lists and sets.
    "[3, 1, 2].sort() == [1, 2, 3] && [1, 2].isSorted() && [1, 5, 2].max() == 5 && [2, 1].min() == 1",
    "[].max() == 1 || true",
    "[1, 2, 3].slice(1, 3) == [2, 3] && [1, 2].reverse() == [2, 1] && [1, 1, 2].distinct() == [1, 2]",
    "[[1], [2, 3]].flatten() == [1, 2, 3] && lists.range(3) == [0, 1, 2] && [1, 2, 1].lastIndexOf(1) == 2",
    "sets.contains([1, 2], [2]) && sets.equivalent([1, 1], [1]) && !sets.intersects([1], [2])",
    "[1, 2].first().value() == 1 && [1, 2].last() == optional.of(2)",
    "optional.none().orValue(1) == 1 && optional.ofNonZeroValue('').hasValue() == false",
    "optional.none().value() == 1",
    "[?optional.none(), 1] == [1] && {?'a': optional.of(1)} == {'a': 1}",
    "{'a': dyn(1)} == {'a': dyn(1.0)}",
    // Times.
    "duration('90m') > duration('1h') && duration('1h30m').getMinutes() == 90 && string(duration('1.5s')) == '1.5s'",
    "timestamp('2026-11-30T12:34:56Z').getHours() == 12 && timestamp('2026-11-30T12:34:56Z').getMonth() == 10",
    "timestamp('2026-11-30T00:30:00Z').getHours('Europe/Berlin') == 1 && timestamp(0).getFullYear() == 1970",
    "timestamp('2026-11-30T12:00:00Z') - duration('1h') == timestamp('2026-11-30T11:00:00Z')",
    "timestamp(object.metadata.creationTimestamp) > timestamp('2020-01-01T00:00:00Z')",
    // The write and the namespace.
    "oldObject == null",
    "oldObject.spec.replicas <= object.spec.replicas",
    "request.operation == 'CREATE'",
    "request.userInfo.username == 'developer' && 'system:authenticated' in request.userInfo.groups",
    "request.dryRun && request.kind.kind == 'Deployment' && request.resource.resource == 'deployments'",
    "has(request.subResource)",
    "request.namespace == namespaceObject.metadata.name",
    "namespaceObject.metadata.labels['kubernetes.io/metadata.name'] == object.metadata.namespace",
    "namespaceObject.metadata.labels['nope'] == 'x'",
    "namespaceObject.metadata.?labels[?'nope'].orValue('x') == 'x'",
];

/// What no policy may say, in Kubernetes or here.
const REFUSED: &[&str] = &[
    "object.spec.replicas",
    "'a'",
    "1 + 'a' == 2",
    "1 == 1.0",
    "{'a': 1} == {'a': 1.0}",
    "[1, 2, 3].existsOne(x, x > 2)",
    "objekt.spec == 1",
    "'a'.nope()",
    "request.nope == 1",
    "[1, 'a'] == []",
    "'a'.matches('(')",
    "duration('1x') == duration('1s')",
    "object.all(1, true)",
    "has(object)",
    "1 && true",
    "size(1) == 1",
    "'a' < 1",
    "object.spec.",
    "cel.bind(x, 1, x == 1)",
    "'a' == null",
    "object.?spec.?paused.orValue(false)",
];

/// What the API server takes and we do not (docs/policies/validations.md).
const REFUSED_HERE: &[&str] = &["object.metadata.`name` == 'web'"];

/// Deployments that differ in what expressions look at.
fn deployments(group: &str) -> Vec<Value> {
    let container = |name: &str, image: &str, resources: Value| json!({ "name": name, "image": image, "resources": resources });
    let of = |replicas: u32, annotations: Option<Value>, containers: Value| {
        let mut deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "labels": { "group": group } },
            "spec": {
                "replicas": replicas,
                "selector": { "matchLabels": { "app": "web" } },
                "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": containers } },
            },
        });
        if let Some(annotations) = annotations {
            deployment["metadata"]["annotations"] = annotations;
        }
        deployment
    };
    let small = json!({ "limits": { "memory": "64Mi", "cpu": "500m" } });
    let large = json!({ "limits": { "memory": "1Gi" } });
    let mut paused = of(3, None, json!([container("app", "elsewhere.test/web:2", json!({}))]));
    paused["spec"]["paused"] = json!(true);
    paused["spec"]["strategy"] = json!({ "rollingUpdate": { "maxSurge": 1 } });
    vec![
        of(
            3,
            Some(json!({ "team": "shop" })),
            json!([container("app", "registry.test/web:1", small.clone())]),
        ),
        of(
            1,
            None,
            json!([
                container("app", "registry.test/web:1", small),
                container("side", "registry.test/side:2", large)
            ]),
        ),
        paused,
    ]
}

/// What an expression says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    True,
    False,
    Failed,
}

fn ours(expression: &Expression, subject: &Subject<'_>) -> Result<Said> {
    match expression.holds(subject) {
        Ok(true) => Ok(Said::True),
        Ok(false) => Ok(Said::False),
        Err(RunError::Failed(_)) => Ok(Said::Failed),
        Err(RunError::Cost) => anyhow::bail!("{} costs too much", expression.source()),
    }
}

/// The policy of some expressions, and its binding: who fails says so by its number.
fn policy(group: &str, expressions: &[&str], namespace: &str) -> String {
    let validations = expressions.iter().enumerate();
    let validations =
        validations.map(|(at, expression)| json!({ "expression": expression, "message": format!("<{at}>") }));
    let rule = json!({
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"],
    });
    let matches = json!({
        "resourceRules": [rule],
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
        "objectSelector": { "matchLabels": { "group": group } },
    });
    let name = format!("{namespace}-{group}");
    let of = |kind: &str, spec: Value| json!({ "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": { "name": name }, "spec": spec });
    let policy = json!({ "matchConstraints": matches, "validations": validations.collect::<Vec<_>>() });
    let binding = json!({ "policyName": name, "validationActions": ["Warn"] });
    let items = [of("ValidatingAdmissionPolicy", policy), of("ValidatingAdmissionPolicyBinding", binding)];
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// What the API server says of each, read from its warnings.
fn theirs(expressions: &[&str], warnings: &str) -> Vec<Said> {
    let of = |at: usize, expression: &str| {
        if warnings.contains(&format!("<{at}>")) {
            Said::False
        } else if warnings.contains(&format!("expression '{expression}' resulted in error")) {
            Said::Failed
        } else {
            Said::True
        }
    };
    expressions.iter().enumerate().map(|(at, expression)| of(at, expression)).collect()
}

#[tokio::test]
async fn expressions_say_what_a_validating_admission_policy_says() -> Result<()> {
    // Nothing but the API server decides.
    let options = Stack::options().without_webhook().without_executor().without_nats().not_opted_in();
    options.run(async |t| differences(t).await).await
}

async fn differences(t: &Stack) -> Result<()> {
    let stored = deployments("none").remove(1).to_string();
    let stored = t.kubectl_with(&["create", "-o", "json", "-f", "-"], &stored).await?.ok()?;
    let namespace = t.admin_kubectl(&["get", "namespace", &t.namespace, "-o", "json"]).await?.ok()?;
    let namespace: Value = serde_json::from_str(&namespace)?;
    let labels: BTreeMap<String, String> = serde_json::from_value(namespace["metadata"]["labels"].clone())?;
    let (mut groups, mut differences) = (Vec::new(), Vec::new());
    for (at, expressions) in EXPRESSIONS.chunks(A_POLICY).enumerate() {
        let group = format!("g{at}");
        // A sentinel that is always false: it is there as soon as the policy is in force.
        let with_sentinel = [expressions, &["1 == 2"]].concat();
        let created = policy(&group, &with_sentinel, &t.namespace);
        let created = t.admin_kubectl_with(&["create", "-f", "-"], &created).await?;
        if !created.success() {
            differences.push(created.stderr);
        }
        for source in expressions {
            if let Err(error) = Expression::compile(source, Yields::Bool) {
                differences.push(format!("{source}\n    refused here: {error}"));
            }
        }
        groups.push((group, expressions));
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    let mut seen = BTreeSet::new();
    for (group, expressions) in &groups {
        let compiled = expressions.iter().map(|source| Expression::compile(source, Yields::Bool));
        let compiled = compiled.collect::<Result<Vec<_>, _>>().with_context(|| format!("{expressions:?}"))?;
        for (operation, mut deployment) in ["CREATE", "UPDATE"]
            .into_iter()
            .flat_map(|operation| deployments(group).into_iter().map(move |it| (operation, it)))
        {
            let create = operation == "CREATE";
            if create {
                deployment["metadata"]["name"] = json!("new");
            }
            let verb = if create { "create" } else { "replace" };
            let text = deployment.to_string();
            let sentinel = format!("<{}>", expressions.len());
            let output = eventually("the policy is in force", testbed::PATIENCE, async || {
                let output =
                    t.kubectl_with(&[verb, "--dry-run=server", "-o", "json", "-f", "-"], &text).await?;
                ensure!(output.stderr.contains(&sentinel), "{output}");
                Ok(output)
            })
            .await?;
            let request = json!({
                "operation": operation, "name": deployment["metadata"]["name"], "namespace": t.namespace, "dryRun": true,
                "kind": { "group": "apps", "version": "v1", "kind": "Deployment" },
                "resource": { "group": "apps", "version": "v1", "resource": "deployments" },
                "userInfo": { "username": DEVELOPER, "groups": ["system:authenticated"] },
                "subResource": null,
            });
            let old = (!create).then_some(stored.as_str());
            let subject =
                Subject::submitted(&output.stdout, old, Json::Value(&request), &t.namespace, &labels);
            for ((expression, source), theirs) in
                compiled.iter().zip(*expressions).zip(theirs(expressions, &output.stderr))
            {
                let ours = ours(expression, &subject)?;
                seen.insert(format!("{ours:?}"));
                if ours != theirs {
                    differences.push(format!("{source}\n    {operation}: {theirs:?} there, {ours:?} here"));
                }
            }
        }
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    ensure!(seen.len() == 3, "only {seen:?} was seen");
    refusals(t).await
}

async fn refusals(t: &Stack) -> Result<()> {
    let mut differences = Vec::new();
    for (at, source) in REFUSED.iter().chain(REFUSED_HERE).enumerate() {
        let created = policy(&format!("r{at}"), &[source], &t.namespace);
        let there =
            t.admin_kubectl_with(&["create", "--dry-run=server", "-f", "-"], &created).await?.success();
        let here = Expression::compile(source, Yields::Bool).is_ok();
        if here || there != REFUSED_HERE.contains(source) {
            differences.push(format!("{source}: allowed there: {there}, here: {here}"));
        }
    }
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}
