//! Policies and freezes in the API server: what is wrong is refused with the field and the reason, by the schema alone;
//! what is right is taken, shown and explained.

use anyhow::{Context as _, Result, ensure};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};
use testbed::{Options, Stack, eventually};

/// Kind of a namespace, its spec, and what the refusal says: the field, and a part of the reason.
type Bad = (&'static str, Value, &'static str, &'static str);

/// What a schema sees. An expression or a time zone that means nothing is the webhook's to see.
#[allow(clippy::too_many_lines, reason = "one row a rule")]
fn bad() -> Vec<Bad> {
    const POLICY: &str = "ReleasePolicy";
    const FREEZE: &str = "Freeze";
    const UNTIL: &str = "2027-01-02T08:00:00Z";
    let validation = |with: Value| {
        let mut validation = json!({ "name": "a", "expression": "true" });
        validation.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        json!({ "validations": [validation] })
    };
    let window = |with: Value| {
        let mut window = json!({ "name": "a", "kind": "Allow", "schedule": "0 9 * * 1-5", "duration": "8h" });
        window.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        json!({ "windows": [window] })
    };
    let freeze = |with: Value| {
        let mut freeze = json!({ "reason": "holidays", "owner": "ann", "until": UNTIL });
        freeze.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        freeze
    };
    let check = |check: Value| json!({ "checks": [check] });
    let many = |count: usize, one: &dyn Fn(usize) -> Value| (0..count).map(one).collect::<Value>();
    vec![
        (POLICY, json!({ "mode": "Dry" }), "spec.mode", r#"supported values: "Enforce", "Observe""#),
        (POLICY, json!({ "lane": "Urgent" }), "spec.lane", r#"supported values: "urgent", "normal", "bulk""#),
        (POLICY, json!({ "onFailure": "Stop" }), "spec.onFailure", r#""Keep", "Rollback", "Pause""#),
        (
            POLICY,
            json!({ "soak": "5 minutes" }),
            "spec.soak",
            "duration from 1s to 8760h, such as 90s, 5m or 1h30m",
        ),
        (POLICY, json!({ "soak": "0s" }), "spec.soak", "duration from 1s"),
        (POLICY, json!({ "soak": "9999h" }), "spec.soak", "to 8760h"),
        (POLICY, json!({ "soak": 5 }), "spec.soak", "must be of type string"),
        (POLICY, json!({ "approvals": {} }), "spec.approvals.required", "Required value"),
        (
            POLICY,
            json!({ "approvals": { "required": 0 } }),
            "spec.approvals.required",
            "greater than or equal to 1",
        ),
        (
            POLICY,
            json!({ "approvals": { "required": 33 } }),
            "spec.approvals.required",
            "less than or equal to 32",
        ),
        (
            POLICY,
            json!({ "approvals": { "required": 1, "expireAfter": "1d" } }),
            "spec.approvals.expireAfter",
            "must be a duration",
        ),
        (POLICY, json!({ "limits": {} }), "spec.limits", "at least 1 properties"),
        (POLICY, json!({ "limits": { "slots": 0 } }), "spec.limits.slots", "greater than or equal to 1"),
        (POLICY, json!({ "limits": { "slots": 1.5 } }), "spec.limits.slots", "must be of type int32"),
        (
            POLICY,
            json!({ "limits": { "minInterval": "-1m" } }),
            "spec.limits.minInterval",
            "must be a duration",
        ),
        (POLICY, json!({ "limits": { "after": ["db", "db"] } }), "spec.limits.after[1]", "Duplicate value"),
        (POLICY, json!({ "limits": { "after": ["Db_1"] } }), "spec.limits.after[0]", "should match"),
        (
            POLICY,
            json!({ "limits": { "after": many(33, &|number| json!(format!("db-{number}"))) } }),
            "spec.limits.after",
            "must have at most 32 items",
        ),
        (
            POLICY,
            json!({ "retries": { "attempts": 0 } }),
            "spec.retries.attempts",
            "greater than or equal to 1",
        ),
        (POLICY, validation(json!({ "name": "no latest" })), "spec.validations[0].name", "should match"),
        (
            POLICY,
            validation(json!({ "expression": "" })),
            "spec.validations[0].expression",
            "at least 1 chars long",
        ),
        (
            POLICY,
            validation(json!({ "expression": "1".repeat(10_241) })),
            "spec.validations[0].expression",
            "may not be more than 10240",
        ),
        (POLICY, validation(json!({ "message": "a\nb" })), "spec.validations[0].message", "should match"),
        (POLICY, validation(json!({ "action": "deny" })), "spec.validations[0].action", r#""Deny", "Warn""#),
        (
            POLICY,
            validation(json!({ "failurePolicy": "Deny" })),
            "spec.validations[0].failurePolicy",
            r#""Fail", "Ignore""#,
        ),
        (
            POLICY,
            json!({ "validations": [{ "name": "a", "expression": "true" }, { "name": "a", "expression": "false" }] }),
            "spec.validations[1]",
            "Duplicate value",
        ),
        (
            POLICY,
            json!({ "validations": many(65, &|number| json!({ "name": format!("n{number}"), "expression": "true" })) }),
            "spec.validations",
            "must have at most 64 items",
        ),
        (POLICY, json!({ "windows": [{ "name": "a" }] }), "spec.windows[0].schedule", "Required value"),
        (POLICY, window(json!({ "kind": "Open" })), "spec.windows[0].kind", r#""Allow", "Freeze""#),
        (
            POLICY,
            window(json!({ "schedule": "@daily" })),
            "spec.windows[0].schedule",
            "must be cron of five fields",
        ),
        (
            POLICY,
            window(json!({ "schedule": "0 0 9 * * 1" })),
            "spec.windows[0].schedule",
            "cron of five fields",
        ),
        (POLICY, window(json!({ "duration": "8" })), "spec.windows[0].duration", "must be a duration"),
        (POLICY, window(json!({ "timeZone": "+01:00" })), "spec.windows[0].timeZone", "should match"),
        (
            POLICY,
            window(json!({ "allowUrgent": "yes" })),
            "spec.windows[0].allowUrgent",
            "must be of type boolean",
        ),
        (POLICY, check(json!({ "name": "a" })), "spec.checks[0]", "exactly one of promql and job"),
        (
            POLICY,
            check(json!({
                "name": "a", "job": { "cronJob": "smoke" }, "promql": { "endpoint": "main", "query": "up" },
            })),
            "spec.checks[0]",
            "exactly one of promql and job",
        ),
        (
            POLICY,
            check(json!({ "name": "a", "promql": { "endpoint": "http://prometheus", "query": "up" } })),
            "spec.checks[0].promql.endpoint",
            "should match",
        ),
        (POLICY, check(json!({ "name": "a", "job": {} })), "spec.checks[0].job.cronJob", "Required value"),
        (
            POLICY,
            json!({ "selector": { "matchExpressions": [{ "key": "app", "operator": "Equals" }] } }),
            "spec.selector.matchExpressions[0].operator",
            r#""In", "NotIn", "Exists", "DoesNotExist""#,
        ),
        (
            POLICY,
            json!({ "selector": { "matchExpressions": [{ "key": "app", "operator": "In" }] } }),
            "spec.selector.matchExpressions[0]",
            "In and NotIn need values, Exists and DoesNotExist have none",
        ),
        (
            POLICY,
            json!({ "selector": { "matchExpressions": [{ "key": "a b", "operator": "Exists" }] } }),
            "spec.selector.matchExpressions[0].key",
            "should match",
        ),
        (
            POLICY,
            json!({ "selector": { "matchLabels": { "app": "a/b" } } }),
            "spec.selector.matchLabels.app",
            "match",
        ),
        (FREEZE, json!({ "owner": "ann", "until": UNTIL }), "spec.reason", "Required value"),
        (FREEZE, freeze(json!({ "owner": "" })), "spec.owner", "at least 1 chars long"),
        (FREEZE, freeze(json!({ "until": "tomorrow" })), "spec.until", "must be of type date-time"),
        (
            FREEZE,
            freeze(json!({ "from": "2027-03-01T00:00:00Z" })),
            "spec.until",
            "has to be later than from",
        ),
    ]
}

fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "roadstead.dev/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

/// The kind of the cluster that has the same rules.
fn of_the_cluster(kind: &str) -> String {
    format!("Cluster{kind}")
}

fn api(t: &Stack, kind: &str) -> Api<DynamicObject> {
    let plural =
        if kind.ends_with("Policy") { kind.replace("Policy", "Policies") } else { format!("{kind}s") };
    let kind = GroupVersionKind::gvk("roadstead.dev", "v1alpha1", kind);
    let resource = ApiResource::from_gvk_with_plural(&kind, &plural.to_lowercase());
    if kind.kind.starts_with("Cluster") {
        Api::all_with(t.client.clone(), &resource)
    } else {
        Api::namespaced_with(t.client.clone(), &t.namespace, &resource)
    }
}

#[tokio::test]
async fn each_rule_of_the_schema_refuses_with_the_field_and_the_reason() -> Result<()> {
    Stack::options()
        .without_webhook()
        .without_executor()
        .without_nats()
        .not_opted_in()
        .run(async |t| {
            let mut wrong = Vec::new();
            let rows = bad();
            ensure!(rows.len() >= 25, "{} rows", rows.len());
            for (kind, spec, field, reason) in rows {
                for kind in [kind.to_owned(), of_the_cluster(kind)] {
                    let object: DynamicObject = serde_json::from_value(object(&kind, "bad", &spec))?;
                    match api(t, &kind).create(&PostParams::default(), &object).await {
                        Ok(_) => wrong.push(format!("{kind} is taken: {spec}")),
                        Err(kube::Error::Api(status)) => {
                            let causes =
                                status.details.as_ref().map(|details| &*details.causes).unwrap_or_default();
                            let told = |cause: &kube::core::response::StatusCause| {
                                cause.field == field && cause.message.contains(reason)
                            };
                            if status.code != 422 || !causes.iter().any(told) {
                                wrong.push(format!("{kind}, {field}: {}", status.message));
                            }
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
            let misspelt = object("ReleasePolicy", "bad", &json!({ "window": [] })).to_string();
            let told = t
                .admin_kubectl_with(&["create", "-n", &t.namespace, "-f", "-"], &misspelt)
                .await?
                .refused()?;
            ensure!(told.contains(r#"unknown field "spec.window""#), "{told}");
            Ok(())
        })
        .await
}

/// With everything that a policy can say.
fn full() -> Value {
    json!({
        "selector": {
            "matchLabels": { "tier": "front" },
            "matchExpressions": [{ "key": "app.kubernetes.io/name", "operator": "NotIn", "values": ["a", "b"] }],
        },
        "mode": "Observe",
        "validations": [{
            "name": "noLatest", "expression": "!object.spec.template.spec.containers.exists(c, c.image.endsWith(':latest'))",
            "message": "name a version", "messageExpression": "'name a version'", "action": "Warn", "failurePolicy": "Ignore",
        }],
        "windows": [{
            "name": "office", "kind": "Allow", "schedule": "0 9 * * 1-5", "duration": "8h", "timeZone": "Europe/Berlin",
            "allowUrgent": true,
        }],
        "approvals": { "required": 2, "expireAfter": "24h" },
        "limits": { "slots": 3, "minInterval": "10m", "after": ["db-migrate"] },
        "lane": "bulk",
        "retries": { "attempts": 5 },
        "onFailure": "Pause",
        "soak": "1h30m",
        "checks": [
            { "name": "errors", "promql": { "endpoint": "main", "query": "up" }, "timeout": "90s" },
            { "name": "smoke", "job": { "cronJob": "smoke" } },
        ],
    })
}

/// Alone, so that nobody else's policies are selected, and nobody else's webhook is asked.
fn alone() -> Options {
    Stack::options().own_control_plane()
}

#[tokio::test]
async fn a_good_policy_is_taken_as_it_is_shown_and_explained() -> Result<()> {
    alone()
        .run(async |t| {
            let freeze = json!({
                "reason": "holidays", "owner": "ann", "from": "2026-12-24T00:00:00Z", "until": "2027-01-02T08:00:00Z",
                "allowUrgent": true, "selector": { "matchLabels": { "tier": "front" } },
            });
            for (kind, spec) in [("ReleasePolicy", full()), ("Freeze", freeze)] {
                for kind in [kind.to_owned(), of_the_cluster(kind)] {
                    let mut spec = spec.clone();
                    if kind.starts_with("Cluster") {
                        spec["namespaceSelector"] = json!({ "matchLabels": { "team": "shop" } });
                    }
                    let mut object = object(&kind, "full", &spec);
                    object["status"] = json!({ "waiting": 7 });
                    let created = api(t, &kind);
                    let created = created.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
                    ensure!(created.data["spec"] == spec, "{kind}: {}", created.data["spec"]);
                    ensure!(created.data["status"].is_null(), "{kind} has a status: {}", created.data["status"]);
                }
            }
            // What may be left out is.
            let small = object("ReleasePolicy", "small", &json!({})).to_string();
            t.admin_kubectl_with(&["apply", "-n", &t.namespace, "-f", "-"], &small).await?.ok()?;
            let mode = ["get", "rp", "small", "-n", &t.namespace, "-o", "jsonpath={.spec}"];
            ensure!(t.admin_kubectl(&mode).await?.ok()? == r#"{"mode":"Enforce"}"#);

            let table = async |kind: &str| t.kubectl(&["get", kind]).await?.ok();
            let head = |table: &str| table.lines().next().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
            for kind in ["rp", "crp"] {
                let shown = table(kind).await?;
                let wanted = "NAME MODE READY WAITING IN-FLIGHT PAUSED AGE";
                ensure!(head(&shown).as_deref() == Some(wanted), "{shown}");
                ensure!(shown.contains("Observe"), "{shown}");
            }
            for kind in ["fz", "cfz"] {
                let shown = table(kind).await?;
                ensure!(head(&shown).as_deref() == Some("NAME UNTIL ACTIVE OWNER REASON AGE"), "{shown}");
                ensure!(shown.contains("2027-01-02T08:00:00Z"), "{shown}");
            }
            let all = t.kubectl(&["get", "roadstead", "-o", "name"]).await?.ok()?;
            for kind in ["releasepolicy", "clusterreleasepolicy", "freeze", "clusterfreeze"] {
                ensure!(all.contains(&format!("{kind}.roadstead.dev/full")), "{all}");
            }

            eventually("kubectl explains", testbed::PATIENCE, async || {
                let told = t.kubectl(&["explain", "releasepolicy.spec.windows"]).await?.ok()?;
                for text in [
                    "When changes may be let through. With allow windows, one of them must be",
                    "IANA name of the time zone; absent: `UTC`.",
                    "enum: Allow, Freeze",
                    "-required-",
                ] {
                    ensure!(told.contains(text), "not {text:?}: {told}");
                }
                Ok(())
            })
            .await
        })
        .await
}

#[tokio::test]
async fn the_status_is_written_by_itself_and_never_with_the_spec() -> Result<()> {
    alone()
        .without_executor()
        .run(async |t| {
            let policy = |slots: u32, waiting: u32| {
                let mut policy = object("ReleasePolicy", "web", &json!({ "limits": { "slots": slots } }));
                policy["status"] = json!({ "waiting": waiting });
                policy.to_string()
            };
            let apply = ["apply", "-n", &t.namespace, "-f", "-"];
            let replace = ["replace", "-n", &t.namespace, "-f", "-"];
            t.admin_kubectl_with(&apply, &policy(1, 7)).await?.ok()?;
            let seen = async || {
                let policy = api(t, "ReleasePolicy").get("web").await?;
                let slots = policy.data["spec"]["limits"]["slots"].as_i64().context("slots")?;
                Ok::<_, anyhow::Error>((
                    slots,
                    policy.data["status"]["waiting"].as_i64(),
                    policy.metadata.generation,
                ))
            };
            ensure!(seen().await? == (1, None, Some(1)), "{:?}", seen().await?);
            let status = r#"{"spec":{"limits":{"slots":9}},"status":{"waiting":3}}"#;
            let patch = [
                "patch",
                "rp",
                "web",
                "-n",
                &t.namespace,
                "--subresource=status",
                "--type=merge",
                "-p",
                status,
            ];
            t.admin_kubectl(&patch).await?.ok()?;
            ensure!(seen().await? == (1, Some(3), Some(1)), "{:?}", seen().await?);
            t.admin_kubectl_with(&replace, &policy(2, 8)).await?.ok()?;
            ensure!(seen().await? == (2, Some(3), Some(2)), "{:?}", seen().await?);
            Ok(())
        })
        .await
}
