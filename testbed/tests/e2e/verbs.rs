//! Who may approve, release past the rules and use the urgent lane: verbs on `changes.roadstead.dev`, which the API server
//! asks its authorizer for. The webhook is away and ignored, so that the users write by themselves what it would record.

use anyhow::{Result, ensure};
use contract::{Key, key::LANE};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::PostParams;
use serde_json::json;
use testbed::{Options, Stack, deployment, eventually};

const APPROVED: &str = r#"[{"by":"ann","change":"aaaaaaaaaa"}]"#;
const ORDERED: &str = r#"{"by":"ann","change":"aaaaaaaaaa","reason":"fire"}"#;

/// What is written, and for which verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writes {
    Approval,
    Order,
    Urgent,
}

use Writes::{Approval, Order, Urgent};

impl Writes {
    const ALL: [Self; 3] = [Approval, Order, Urgent];

    fn verb(self) -> &'static str {
        match self {
            Approval => "approve",
            Order => "release",
            Urgent => "urgent",
        }
    }

    fn role(self) -> &'static str {
        match self {
            Approval => "approver",
            Order => "releaser",
            Urgent => "urgent",
        }
    }

    fn annotation(self) -> (&'static str, &'static str) {
        match self {
            Approval => (Key::Approvals.name(), APPROVED),
            Order => (Key::Override.name(), ORDERED),
            Urgent => (LANE, "urgent"),
        }
    }
}

/// Somebody, as kubectl is told.
#[derive(Clone, Debug)]
struct Who {
    name: String,
    group: Option<&'static str>,
}

fn user(name: &str) -> Who {
    Who { name: name.to_owned(), group: None }
}

impl Who {
    async fn kubectl(&self, t: &Stack, args: &[&str]) -> Result<testbed::Output> {
        let mut all = [args, &["--as", &self.name]].concat();
        all.extend(self.group.iter().flat_map(|group| ["--as-group", group]));
        t.admin_kubectl(&all).await
    }

    /// Tries to write, without doing it; what the API server says if it refuses.
    async fn tries(&self, t: &Stack, place: (&str, &str), writes: Writes) -> Result<Option<String>> {
        let (namespace, name) = place;
        let (key, value) = writes.annotation();
        let annotation = format!("{key}={value}");
        let args =
            ["annotate", "--overwrite", "--dry-run=server", "-n", namespace, "deployment", name, &annotation];
        let said = self.kubectl(t, &args).await?;
        Ok((!said.success()).then_some(said.stderr))
    }

    async fn may(&self, t: &Stack, place: (&str, &str), writes: Writes) -> Result<()> {
        // What was granted a moment ago may be news to the authorizer.
        eventually(&format!("{} may {} {place:?}", self.name, writes.verb()), testbed::PATIENCE, async || {
            match self.tries(t, place, writes).await? {
                Some(told) => anyhow::bail!("{told}"),
                None => Ok(()),
            }
        })
        .await
    }

    async fn may_not(&self, t: &Stack, place: (&str, &str), writes: Writes) -> Result<()> {
        let told = self.tries(t, place, writes).await?;
        let Some(told) = told else { anyhow::bail!("{} may {} {place:?}", self.name, writes.verb()) };
        let (namespace, name) = place;
        for part in [
            format!("{} may not ", self.name),
            format!(
                "Deployment {namespace}/{name}: it takes the verb {} on changes.roadstead.dev",
                writes.verb()
            ),
            format!("ClusterRole {}-{} gives", t.fullname, writes.role()),
        ] {
            ensure!(told.contains(&part), "not {part:?}: {told}");
        }
        Ok(())
    }
}

fn options() -> Options {
    Stack::options()
        .without_webhook()
        .without_executor()
        .without_nats()
        .namespaces(2)
        .value("webhook.failurePolicy", "Ignore")
}

/// Binds a role in a namespace to a subject of this kind and name.
pub(crate) async fn bind(
    t: &Stack,
    namespace: &str,
    role: (&str, &str),
    subject: (&str, &str),
) -> Result<()> {
    let name = format!("{}-{}", role.1, subject.1).replace(':', "-");
    let group = if subject.0 == "ServiceAccount" { "" } else { "rbac.authorization.k8s.io" };
    let mut to = json!({ "kind": subject.0, "name": subject.1, "apiGroup": group });
    if subject.0 == "ServiceAccount" {
        to["namespace"] = json!(namespace);
    }
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": name, "namespace": namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1 },
        "subjects": [to],
    });
    t.admin_kubectl_with(&["apply", "-f", "-"], &binding.to_string()).await?.ok().map(drop)
}

/// Everybody who is somebody may edit; two Deployments in each namespace; the policy is in force.
async fn set_up(t: &Stack) -> Result<()> {
    for namespace in &t.namespaces {
        bind(t, namespace, ("ClusterRole", "edit"), ("Group", "system:authenticated")).await?;
        for name in ["web", "shop"] {
            let web = deployment(name).namespace(namespace).replicas(0).object();
            t.api_in::<Deployment>(namespace).create(&PostParams::default(), &web).await?;
        }
    }
    eventually("the policy is in force", testbed::PATIENCE, async || {
        user("nobody").may_not(t, (&t.namespace, "web"), Approval).await
    })
    .await
}

#[tokio::test]
async fn each_verb_is_granted_by_itself_for_a_namespace_a_deployment_a_group_or_an_account() -> Result<()> {
    options()
        .run(async |t| {
            set_up(t).await?;
            let (here, there) = ((&*t.namespace, "web"), (&*t.namespaces[1], "web"));
            for writes in Writes::ALL {
                let role = format!("{}-{}", t.fullname, writes.role());
                let granted = user(&format!("ann-{}", writes.verb()));
                granted.may_not(t, here, writes).await?;
                bind(t, here.0, ("ClusterRole", &role), ("User", &granted.name)).await?;
                granted.may(t, here, writes).await?;
                granted.may_not(t, there, writes).await?;
                for other in Writes::ALL.into_iter().filter(|other| *other != writes) {
                    granted.may_not(t, here, other).await?;
                }

                let one = json!({
                    "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                    "metadata": { "name": format!("one-{}", writes.verb()), "namespace": here.0 },
                    "rules": [{
                        "apiGroups": ["roadstead.dev"], "resources": ["changes"],
                        "verbs": [writes.verb()], "resourceNames": ["web"],
                    }],
                });
                t.admin_kubectl_with(&["apply", "-f", "-"], &one.to_string()).await?.ok()?;
                bind(t, here.0, ("Role", &format!("one-{}", writes.verb())), ("User", "bob")).await?;
                user("bob").may(t, here, writes).await?;
                user("bob").may_not(t, (here.0, "shop"), writes).await?;

                bind(t, here.0, ("ClusterRole", &role), ("Group", "release-team")).await?;
                let member = Who { name: "carol".into(), group: Some("release-team") };
                member.may(t, here, writes).await?;
                user("carol").may_not(t, here, writes).await?;

                let account = format!("system:serviceaccount:{}:deployer", here.0);
                user(&account).may_not(t, here, writes).await?;
                bind(t, here.0, ("ClusterRole", &role), ("ServiceAccount", "deployer")).await?;
                user(&account).may(t, here, writes).await?;

                // Who may do everything may do this; who administers a namespace may not give it to himself.
                Who { name: "root".into(), group: Some("system:masters") }.may(t, there, writes).await?;
                bind(t, there.0, ("ClusterRole", "admin"), ("User", "dan")).await?;
                user("dan").may_not(t, there, writes).await?;
                let grants =
                    ["create", "rolebinding", "mine", "-n", there.0, "--clusterrole", &role, "--user=dan"];
                let told = user("dan").kubectl(t, &grants).await?.refused()?;
                ensure!(told.contains("attempting to grant RBAC permissions not currently held"), "{told}");
            }
            Ok(())
        })
        .await
}

#[tokio::test]
async fn a_verb_is_asked_for_where_something_is_added_and_not_where_it_stays_or_goes() -> Result<()> {
    options()
        .run(async |t| {
            set_up(t).await?;
            let here = (&*t.namespace, "web");
            let ann = user("ann");
            let annotate = async |who: &Who, annotation: &str| {
                let args = ["annotate", "--overwrite", "-n", here.0, "deployment", "web", annotation];
                who.kubectl(t, &args).await
            };
            let executor = user(&format!("system:serviceaccount:{}:{}-executor", t.release, t.fullname));
            for writes in Writes::ALL {
                let (key, value) = writes.annotation();
                let write = format!("{key}={value}");
                annotate(&ann, &write).await?.refused()?;
                annotate(&executor, &write).await?.ok()?;
                // It stays, whatever else is written; another value is news.
                annotate(&ann, "team=web").await?.ok()?;
                let args = ["scale", "-n", here.0, "deployment/web", "--replicas=1"];
                ann.kubectl(t, &args).await?.ok()?;
                if writes != Urgent {
                    let other = format!("{key}={}", value.replace("ann", "bob"));
                    annotate(&ann, &other).await?.refused()?;
                }
                annotate(&ann, &format!("{key}-")).await?.ok()?;
                annotate(&ann, &write).await?.refused()?;
            }
            annotate(&ann, &format!("{LANE}=bulk")).await?.ok()?;

            let create = async |who: &Who, lane: &str| {
                let new = deployment("new").namespace(here.0).lane(lane).yaml();
                let args = ["create", "--dry-run=server", "-f", "-", "--as", &who.name];
                t.admin_kubectl_with(&args, &new).await
            };
            create(&ann, "bulk").await?.ok()?;
            let told = create(&ann, "urgent").await?.refused()?;
            ensure!(told.contains("ann may not use the urgent lane for Deployment"), "{told}");

            // The status subresource writes annotations, too.
            let patch =
                json!({ "metadata": { "annotations": { (Key::Override.name()): ORDERED } } }).to_string();
            let args = [
                "patch",
                "-n",
                here.0,
                "deployment",
                "web",
                "--subresource=status",
                "--type=merge",
                "-p",
                &patch,
            ];
            let controller = Who { name: "ctrl".into(), group: None };
            let status = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                "metadata": { "name": "status", "namespace": here.0 },
                "rules": [{ "apiGroups": ["apps"], "resources": ["deployments/status"], "verbs": ["patch"] }],
            });
            t.admin_kubectl_with(&["apply", "-f", "-"], &status.to_string()).await?.ok()?;
            bind(t, here.0, ("Role", "status"), ("User", "ctrl")).await?;
            eventually("the verb is asked for", testbed::PATIENCE, async || {
                let told = controller.kubectl(t, &args).await?.refused()?;
                ensure!(told.contains("ctrl may not order the release of Deployment"), "{told}");
                Ok(())
            })
            .await?;

            // Whoever did not opt in is asked nothing.
            t.admin_kubectl(&["label", "namespace", here.0, "roadstead.dev/enabled-"]).await?.ok()?;
            ann.may(t, here, Urgent).await
        })
        .await
}

#[tokio::test]
async fn reading_rules_comes_with_view_and_writing_them_with_admin() -> Result<()> {
    options()
        .run(async |t| {
            let namespace = &*t.namespace;
            for role in ["view", "edit", "admin"] {
                bind(t, namespace, ("ClusterRole", role), ("User", role)).await?;
            }
            let can = async |who: &str, verb: &str, resource: &str| {
                let args = ["auth", "can-i", verb, resource, "-n", namespace, "--as", who];
                Ok::<_, anyhow::Error>(t.admin_kubectl(&args).await?.stdout.trim() == "yes")
            };
            eventually("the roles are put together", testbed::PATIENCE, async || {
                for who in ["view", "edit", "admin"] {
                    ensure!(can(who, "list", "freezes.roadstead.dev").await?, "{who} may not read");
                }
                ensure!(can("admin", "create", "freezes.roadstead.dev").await?, "admin may not write");
                Ok(())
            })
            .await?;
            let mut seen = Vec::new();
            for verb in ["get", "create", "update", "patch", "delete"] {
                for resource in ["releasepolicies.roadstead.dev", "freezes.roadstead.dev"] {
                    for who in ["view", "edit", "admin"] {
                        let expected = who == "admin" || verb == "get";
                        let answer = can(who, verb, resource).await?;
                        if answer != expected {
                            seen.push(format!("{who} {verb} {resource}: {answer}"));
                        }
                    }
                }
            }
            ensure!(seen.is_empty(), "{seen:?}");
            // Not even an administrator of the namespace writes the status, or the floor.
            ensure!(
                !can("admin", "patch", "clusterreleasepolicies.roadstead.dev").await?,
                "admin may patch the floor"
            );
            let status = ["auth", "can-i", "patch", "releasepolicies.roadstead.dev", "--subresource=status"];
            let asked = [&status[..], &["-n", namespace, "--as", "admin"]].concat();
            ensure!(t.admin_kubectl(&asked).await?.stdout.trim() == "no", "admin may patch the status");
            Ok(())
        })
        .await
}
