//! What the chart's ServiceAccounts may do in Kubernetes: what docs/security.md says, and nothing else.

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, api::PostParams};
use testbed::Stack;

const READ: &[&str] = &["get", "list", "watch"];
const VERBS: [&str; 9] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate"];
/// Asked for at the same time.
const AT_ONCE: usize = 16;

/// Where a grant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Cluster,
    Served,
    Release,
}

/// Workload, API group, resource, verbs, where. The one ConfigMap is by name.
type Grant = (&'static str, &'static str, &'static str, &'static [&'static str], Place);

const GRANTS: [Grant; 8] = [
    ("webhook", "", "namespaces", READ, Place::Cluster),
    ("webhook", "apps", "deployments", READ, Place::Served),
    ("executor", "", "namespaces", READ, Place::Cluster),
    ("executor", "apps", "deployments", &["get", "list", "watch", "patch"], Place::Served),
    ("executor", "apps", "replicasets", &["list"], Place::Served),
    ("executor", "", "pods", &["list", "watch"], Place::Served),
    ("executor", "events.k8s.io", "events", &["create"], Place::Served),
    ("executor", "", "configmaps", &["get", "update", "patch"], Place::Release),
];

/// What is tried: all that is granted, and what somebody would like to have.
const RESOURCES: [(&str, &str, Option<&str>); 18] = [
    ("", "namespaces", None),
    ("", "pods", None),
    ("", "pods", Some("exec")),
    ("", "pods", Some("eviction")),
    ("", "secrets", None),
    ("", "configmaps", None),
    ("", "services", None),
    ("", "serviceaccounts", None),
    ("", "serviceaccounts", Some("token")),
    ("", "nodes", None),
    ("", "events", None),
    ("events.k8s.io", "events", None),
    ("apps", "deployments", None),
    ("apps", "deployments", Some("scale")),
    ("apps", "deployments", Some("status")),
    ("apps", "replicasets", None),
    ("rbac.authorization.k8s.io", "clusterrolebindings", None),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", None),
];

/// One question.
#[derive(Clone, Debug)]
struct Question {
    part: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: Option<&'static str>,
    verb: &'static str,
    /// `None`: in the cluster as a whole.
    namespace: Option<String>,
    name: Option<String>,
}

impl Question {
    /// What the table answers.
    fn expected(&self, t: &Stack) -> bool {
        GRANTS.iter().any(|(part, group, resource, verbs, place)| {
            let record = self.name.as_deref() == Some(&*format!("{}-namespaces", t.fullname));
            let here = match place {
                Place::Cluster => true,
                Place::Served => self.namespace.as_deref() == Some(&*t.namespace),
                Place::Release => self.namespace.as_deref() == Some(&*t.release) && record,
            };
            let what = (*part, *group, *resource) == (self.part, self.group, self.resource);
            what && here && self.subresource.is_none() && verbs.contains(&self.verb)
        })
    }

    async fn answer(&self, t: &Stack) -> Result<bool> {
        let text = |text: &str| Some(text.to_owned());
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(format!("system:serviceaccount:{}:{}-{}", t.release, t.fullname, self.part)),
                resource_attributes: Some(ResourceAttributes {
                    group: text(self.group),
                    resource: text(self.resource),
                    subresource: self.subresource.and_then(text),
                    verb: text(self.verb),
                    namespace: self.namespace.clone(),
                    name: self.name.clone(),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews = Api::<SubjectAccessReview>::all(t.client.clone());
        let answer = reviews.create(&PostParams::default(), &review).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

fn questions(t: &Stack) -> Vec<Question> {
    let record = format!("{}-namespaces", t.fullname);
    let names = [None, Some(record), Some("another".to_owned())];
    let namespaces =
        [Some(t.namespace.clone()), Some(t.release.clone()), Some("kube-system".to_owned()), None];
    let mut questions = Vec::new();
    for (part, (group, resource, subresource)) in
        ["webhook", "executor"].into_iter().flat_map(|part| RESOURCES.map(|resource| (part, resource)))
    {
        for (verb, namespace) in
            VERBS.into_iter().flat_map(|verb| namespaces.clone().map(|namespace| (verb, namespace)))
        {
            // A name matters where a grant has one.
            let names = if resource == "configmaps" { names.to_vec() } else { vec![None] };
            questions.extend(names.into_iter().map(|name| Question {
                part,
                group,
                resource,
                subresource,
                verb,
                namespace: namespace.clone(),
                name,
            }));
        }
    }
    questions
}

#[tokio::test]
async fn the_service_accounts_may_do_what_the_table_says_and_nothing_else() -> Result<()> {
    Stack::options()
        .without_webhook()
        .without_executor()
        .without_nats()
        .run(async |t| {
            let questions = questions(t);
            let asked = questions.len();
            let wrong = futures::stream::iter(questions)
                .map(async |question| {
                    let answer = question.answer(t).await?;
                    Ok::<_, anyhow::Error>((answer != question.expected(t)).then_some((answer, question)))
                })
                .buffer_unordered(AT_ONCE)
                .try_filter_map(async |wrong| Ok(wrong))
                .try_collect::<Vec<_>>()
                .await?;
            ensure!(wrong.is_empty(), "{asked} were asked, and answered otherwise: {wrong:#?}");
            ensure!(asked > 1_000, "only {asked} were asked");
            Ok(())
        })
        .await
}

#[test]
fn the_table_of_the_documentation_is_what_is_tried() {
    let rows = GRANTS.map(|(part, group, resource, verbs, place)| {
        let group = if group.is_empty() { "core" } else { group };
        let place = match place {
            Place::Cluster => "the cluster",
            Place::Served => "served namespaces",
            Place::Release => "the release's namespace, one by name",
        };
        format!("| {part} | {group} | `{resource}` | {} | {place} |\n", verbs.join(", "))
    });
    let head = "| identity | API group | resource | verbs | where |\n|---|---|---|---|---|\n";
    let table = head.to_owned() + &rows.concat();
    let documented = include_str!("../../../docs/security.md");
    assert!(documented.contains(&table), "docs/security.md lacks this table:\n{table}");
}
