//! What the chart's ServiceAccounts may do in Kubernetes: what docs/security.md says, and nothing else.

use anyhow::{Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::{Api, api::PostParams};
use testbed::Stack;

const READ: &[&str] = &["get", "list", "watch"];
const VERBS: [&str; 12] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "impersonate",
    "approve",
    "release",
    "urgent",
];
/// Asked for at the same time.
const AT_ONCE: usize = 16;

/// Where a grant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Cluster,
    Served,
    Release,
}

/// Which objects a grant is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    /// What remembers the swept namespaces.
    Record,
    /// Those of the certificates.
    Secrets,
    Hold,
    Gate,
}

/// Workload, API group, resource and its subresource, verbs, where, which.
type Grant = (&'static str, &'static str, &'static str, &'static [&'static str], Place, Which);

const ADMISSION: &str = "admissionregistration.k8s.io";
const KEEP: &[&str] = &["get", "list", "watch", "patch"];

const OURS: &str = "roadstead.dev";

const GRANTS: [Grant; 26] = [
    ("webhook", "", "namespaces", READ, Place::Cluster, Which::All),
    ("webhook", "apps", "deployments", READ, Place::Served, Which::All),
    ("webhook", OURS, "releasepolicies", READ, Place::Served, Which::All),
    ("webhook", OURS, "freezes", READ, Place::Served, Which::All),
    ("webhook", OURS, "clusterreleasepolicies", READ, Place::Cluster, Which::All),
    ("webhook", OURS, "clusterfreezes", READ, Place::Cluster, Which::All),
    ("executor", "", "namespaces", READ, Place::Cluster, Which::All),
    ("executor", "apps", "deployments", KEEP, Place::Served, Which::All),
    ("executor", "apps", "replicasets", &["list"], Place::Served, Which::All),
    ("executor", "", "pods", &["list", "watch"], Place::Served, Which::All),
    ("executor", "events.k8s.io", "events", &["create"], Place::Served, Which::All),
    ("executor", OURS, "releasepolicies", READ, Place::Served, Which::All),
    ("executor", OURS, "releasepolicies/status", &["patch"], Place::Served, Which::All),
    ("executor", OURS, "freezes", READ, Place::Served, Which::All),
    ("executor", OURS, "freezes/status", &["patch"], Place::Served, Which::All),
    ("executor", OURS, "clusterreleasepolicies", READ, Place::Cluster, Which::All),
    ("executor", OURS, "clusterreleasepolicies/status", &["patch"], Place::Cluster, Which::All),
    ("executor", OURS, "clusterfreezes", READ, Place::Cluster, Which::All),
    ("executor", OURS, "clusterfreezes/status", &["patch"], Place::Cluster, Which::All),
    ("executor", "batch", "cronjobs", &["get"], Place::Served, Which::All),
    ("executor", "batch", "jobs", &["get", "list", "watch", "create"], Place::Served, Which::All),
    ("executor", "", "configmaps", &["get", "update", "patch"], Place::Release, Which::Record),
    ("certs", "", "secrets", &["get", "list", "watch", "update"], Place::Release, Which::Secrets),
    // A name cannot limit what is created.
    ("certs", "", "secrets", &["create"], Place::Release, Which::All),
    ("certs", ADMISSION, "mutatingwebhookconfigurations", KEEP, Place::Cluster, Which::Hold),
    ("certs", ADMISSION, "validatingwebhookconfigurations", KEEP, Place::Cluster, Which::Gate),
];

impl Which {
    fn names(self, t: &Stack) -> Vec<String> {
        let name = &t.fullname;
        match self {
            Self::All => vec![],
            Self::Record => vec![format!("{name}-namespaces")],
            Self::Secrets => vec![format!("{name}-webhook-authorities"), format!("{name}-webhook-tls")],
            Self::Hold => vec![format!("zz-{name}")],
            Self::Gate => vec![name.clone()],
        }
    }

    fn covers(self, t: &Stack, name: Option<&str>) -> bool {
        self == Self::All || name.is_some_and(|name| self.names(t).iter().any(|own| own == name))
    }
}

/// What is tried: all that is granted, and what somebody would like to have.
const RESOURCES: [(&str, &str, Option<&str>); 30] = [
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
    ("batch", "jobs", None),
    ("batch", "cronjobs", None),
    (OURS, "releasepolicies", None),
    (OURS, "releasepolicies", Some("status")),
    (OURS, "freezes", None),
    (OURS, "freezes", Some("status")),
    (OURS, "clusterreleasepolicies", None),
    (OURS, "clusterreleasepolicies", Some("status")),
    (OURS, "clusterfreezes", None),
    (OURS, "clusterfreezes", Some("status")),
    (OURS, "changes", None),
    ("rbac.authorization.k8s.io", "clusterrolebindings", None),
    (ADMISSION, "mutatingwebhookconfigurations", None),
    (ADMISSION, "validatingwebhookconfigurations", None),
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
        GRANTS.iter().any(|(part, group, resource, verbs, place, which)| {
            let here = match place {
                Place::Cluster => true,
                Place::Served => self.namespace.as_deref() == Some(&*t.namespace),
                Place::Release => self.namespace.as_deref() == Some(&*t.release),
            };
            let asked =
                self.subresource.map_or(self.resource.to_owned(), |sub| format!("{}/{sub}", self.resource));
            let what = (*part, *group, *resource) == (self.part, self.group, &asked);
            what && here && which.covers(t, self.name.as_deref()) && verbs.contains(&self.verb)
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
    let namespaces =
        [Some(t.namespace.clone()), Some(t.release.clone()), Some("kube-system".to_owned()), None];
    let mut questions = Vec::new();
    for (part, (group, resource, subresource)) in ["webhook", "executor", "certs"]
        .into_iter()
        .flat_map(|part| RESOURCES.map(|resource| (part, resource)))
    {
        for (verb, namespace) in
            VERBS.into_iter().flat_map(|verb| namespaces.clone().map(|namespace| (verb, namespace)))
        {
            // A name matters where a grant has one.
            let of_resource = GRANTS.iter().filter(|grant| grant.2 == resource);
            let mut names: Vec<_> = of_resource.flat_map(|grant| grant.5.names(t)).collect();
            if !names.is_empty() {
                names.push("another".to_owned());
            }
            let names = names.into_iter().map(Some).chain([None]);
            questions.extend(names.map(|name| Question {
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
        .rotating(1)
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
    let rows = GRANTS.map(|(part, group, resource, verbs, place, which)| {
        let group = if group.is_empty() { "core" } else { group };
        let place = match place {
            Place::Cluster => "the cluster",
            Place::Served => "served namespaces",
            Place::Release => "the release's namespace",
        };
        let named = match which {
            Which::All => "",
            Which::Secrets => ", two by name",
            Which::Record | Which::Hold | Which::Gate => ", one by name",
        };
        format!("| {part} | {group} | `{resource}` | {} | {place}{named} |\n", verbs.join(", "))
    });
    let head = "| identity | API group | resource | verbs | where |\n|---|---|---|---|---|\n";
    let table = head.to_owned() + &rows.concat();
    let documented = include_str!("../../../docs/security.md");
    assert!(documented.contains(&table), "docs/security.md lacks this table:\n{table}");
}
