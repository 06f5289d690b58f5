//! The webhook's own server under policies, for `make bench-webhook`: the same router, listener and allocator, with a set
//! of policies that stands instead of one that follows an API server. `ruled ADDRESS CERTIFICATE KEY none|many`
//!
//! `many` are 1,000 policies over 50 namespaces, of which 20 select the Deployment of the example reviews: 4 of the
//! cluster, 16 of its namespace. Each has a validation and a window.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use ops::{namespaces::Namespaces, policies::Policies, readiness::Readiness};
use policy::{
    resource::{
        ClusterReleasePolicy, ClusterReleasePolicySpec, ReleasePolicy, ReleasePolicySpec, Validation, Window,
        WindowKind,
    },
    set::{Policy, Set},
};
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;
use webhook::{
    gate::Owners,
    hold::{Opinion, Policies as _, Settings},
    metrics::Metrics,
    policies::Rules,
    review::Request,
    server::{Certificates, Limits, Listener, Reviews, router},
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const UPDATE: &[u8] = include_bytes!("reviews/update.json");

/// Policies in all, and namespaces that they are spread over.
const POLICIES: usize = 1_000;
const NAMESPACES: usize = 50;

/// Policies of the cluster that select every Deployment, and those of the namespace that select the example's.
const OF_THE_CLUSTER: usize = 4;
const OF_THE_NAMESPACE: usize = 16;

/// What teams ask of a change; the example satisfies all of it, so that every expression is evaluated to its end.
const EXPRESSIONS: [&str; 10] = [
    "object.spec.template.spec.containers.all(c, c.image.contains(':') && !c.image.endsWith(':latest'))",
    "object.spec.template.spec.containers.all(c, c.image.startsWith('registry.example.com/'))",
    "object.spec.replicas >= 2",
    "has(object.metadata.labels) && 'team' in object.metadata.labels",
    "object.spec.template.spec.containers.all(c, has(c.resources) && has(c.resources.limits) && 'memory' in c.resources.limits)",
    "object.spec.template.spec.containers.all(c, has(c.livenessProbe) && has(c.readinessProbe))",
    "!has(object.spec.template.spec.hostNetwork) || !object.spec.template.spec.hostNetwork",
    "object.spec.template.spec.containers.all(c, !has(c.securityContext) || !has(c.securityContext.privileged) || !c.securityContext.privileged)",
    "oldObject == null || object.spec.replicas * 2 >= oldObject.spec.replicas",
    "request.userInfo.username.startsWith('system:serviceaccount:ci:')",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, certificate, key, which] = arguments.as_slice() else {
        anyhow::bail!("usage: ruled ADDRESS CERTIFICATE KEY none|many");
    };
    let policies = Policies::default();
    if which == "many" {
        policies.replace(many()?);
    }
    let metrics = Metrics::register(&mut Registry::default());
    let certificates =
        Certificates::load(Path::new(certificate), Path::new(key), metrics.clone(), &Readiness::default());
    let rules = Rules::new(policies, Namespaces::new(Vec::new()), metrics.clone());
    let opinion = rules.opinion(&Request::parse(UPDATE)?)?;
    anyhow::ensure!(opinion == Opinion::default(), "the example does not satisfy the policies: {opinion:?}");
    // Nothing answers there: the hold asks nobody.
    let client = kube::Client::try_from(kube::Config::new("http://127.0.0.1:1".parse()?))?;
    let reviews = Reviews {
        settings: Settings { warnings: true },
        rules,
        owners: Owners::new(client, metrics.clone()),
        metrics: metrics.clone(),
        limits: Limits::default(),
    };
    let listener = Listener::bind(address.parse().context("ADDRESS")?, metrics).await?;
    let served =
        listener.serve(certificates.server_config()?, router(reviews), CancellationToken::new()).await;
    served.map_err(|error| anyhow::anyhow!(error))
}

/// The policies, compiled.
fn many() -> anyhow::Result<Set> {
    let mut set = Set::default();
    for number in 0..POLICIES {
        let policy = if number < OF_THE_CLUSTER {
            let spec = ClusterReleasePolicySpec { rules: spec(number, None), namespace_selector: None };
            Policy::of_cluster(&ClusterReleasePolicy::new(&format!("p{number}"), spec))
        } else {
            let of_example = number < OF_THE_CLUSTER + OF_THE_NAMESPACE;
            let team = if of_example { "payments" } else { "others" };
            let mut policy = ReleasePolicy::new(&format!("p{number}"), spec(number, Some(team)));
            // Namespace 0 is the example's: its other policies are for other teams.
            let namespace = if of_example { 0 } else { number % NAMESPACES };
            policy.metadata.namespace =
                Some(if namespace == 0 { "shop".to_owned() } else { format!("shop-{namespace}") });
            Policy::of(&policy)
        };
        anyhow::ensure!(policy.problems.is_empty(), "{}: {:?}", policy.reference, policy.problems);
        set.put(Arc::new(policy));
    }
    let labels = [("team".to_owned(), "payments".to_owned())].into();
    let selected = set.select("shop", &[].into(), &labels).policies.len();
    anyhow::ensure!(selected == OF_THE_CLUSTER + OF_THE_NAMESPACE, "{selected} policies select the example");
    Ok(set)
}

fn spec(number: usize, team: Option<&str>) -> ReleasePolicySpec {
    let selector = team.map(|team| LabelSelector {
        match_labels: Some([("team".to_owned(), team.to_owned())].into()),
        ..LabelSelector::default()
    });
    ReleasePolicySpec {
        selector,
        validations: vec![Validation {
            name: "rule".into(),
            expression: EXPRESSIONS[number % EXPRESSIONS.len()].into(),
            message: Some("is against the rules".into()),
            ..Validation::default()
        }],
        windows: vec![Window {
            name: "office hours".into(),
            kind: WindowKind::Allow,
            schedule: "0 9 * * 1-5".into(),
            duration: "8h".into(),
            time_zone: Some("Europe/Berlin".into()),
            allow_urgent: true,
        }],
        ..ReleasePolicySpec::default()
    }
}
