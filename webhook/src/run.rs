//! The order of start-up and shutdown.

use anyhow::Context as _;
use ops::{
    admin, kubernetes, namespaces,
    policies::{self, Policies},
    readiness::Readiness,
    tasks::Tasks,
};

use crate::{
    args::Args,
    gate::Owners,
    hold::Settings,
    metrics::Metrics,
    outbox::Outbox,
    policies::Rules,
    server::{Certificates, Limits, Listener, Reviews, router},
};

/// Runs the webhook until it is told to stop.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let common = &args.common;
    ops::log::start(common.log_format, &common.log).context("--log is no filter")?;
    let mut registry = admin::registry(env!("CARGO_PKG_VERSION"));
    let metrics = Metrics::register(&mut registry);
    let readiness = Readiness::default();
    let mut tasks = Tasks::default();
    let stop = tasks.stop();

    let (outbox_ready, namespaces_ready) =
        (readiness.wait_for("the outbox"), readiness.wait_for("the namespaces"));
    let policies_ready = readiness.wait_for("the policies");
    let listening = readiness.wait_for("the listener");
    let admin_listener = admin::bind(common.admin_listen).await?;
    tasks.spawn("admin endpoint", admin::serve(admin_listener, readiness.clone(), registry, stop.clone()));

    let certificates = Certificates::load(&args.tls_cert, &args.tls_key, metrics.clone(), &readiness);
    let tls =
        certificates.server_config_for(args.client_ca.as_deref()).context("TLS cannot be configured")?;
    tasks.spawn("certificate reload", certificates.keep_fresh(args.tls_reload.into(), stop.clone()));

    let client = kubernetes::client("roadstead-webhook").await?;
    let namespaces = namespaces::Namespaces::new(common.served());
    let followed = namespaces::follow(client.clone(), namespaces.clone(), namespaces_ready, stop.clone());
    tasks.spawn("namespaces", followed);
    let policies = Policies::default();
    let followed =
        policies::follow(client.clone(), namespaces.clone(), policies.clone(), policies_ready, stop.clone());
    tasks.spawn("policies", followed);
    let outbox = Outbox {
        client: client.clone(),
        namespaces: namespaces.clone(),
        cluster: common.cluster.as_str().to_owned(),
        nats: common.nats.clone(),
        metrics: metrics.clone(),
    };
    tasks.spawn("outbox", outbox.run(outbox_ready, stop.clone()));

    let reviews = Reviews {
        settings: Settings { warnings: args.warnings },
        rules: Rules::new(policies, namespaces, metrics.clone()),
        owners: Owners::new(client, metrics.clone()),
        metrics: metrics.clone(),
        limits: Limits::default(),
    };
    let listener = Listener::bind(args.listen, metrics).await?.leaving_with(readiness.clone());
    tasks.spawn("listener", listener.serve(tls, router(reviews), stop));
    drop(listening);
    tracing::info!(address = %args.listen, "answering reviews");
    Ok(tasks.run_after(&readiness, args.shutdown_delay.into()).await?)
}
