//! What the outbox takes: two webhooks on a generated API with many Deployments, of which some are held, and a real
//! nats-server. Their memory, while NATS is there and while it is away, and that each change is on the queue once.

mod objects;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use async_nats::jetstream;
use contract::stream::CHANGES;

use self::objects::Objects;
pub use self::objects::Size;
use super::figure;
use crate::{
    Nats, PATIENCE, Part,
    endpoint::Endpoint,
    eventually,
    folder::{RunFolder, binaries_folder},
    generated::{GeneratedApi, Rollouts},
    kubeconfig::{self, User},
    ports::free_port,
    process::{Lifetime, Spec},
    release::Release,
    tools::Tools,
};

/// The whole measurement.
const SIZE: Size = Size { deployments: 150_000, held: 10_000 };
/// Times that each held Deployment is modified while NATS is away.
const TOUCHES: usize = 10;
/// Of the held Deployments, one in so many gets a new change meanwhile.
const RENEWED: usize = 10;
/// How long all of them may take to be published.
const LIMIT: Duration = Duration::from_mins(10);

/// What was measured. Memory is the larger webhook's, in MiB.
#[derive(Clone, Copy, Debug)]
pub struct Outbox {
    /// Resident memory at the most, from the start until every change was published.
    pub peak: f64,
    /// From the start until every change was published.
    pub published_after: Duration,
    /// Resident memory before NATS went away.
    pub before_outage: f64,
    /// Resident memory after all the events that came meanwhile.
    pub after_outage: f64,
    /// Events that came meanwhile.
    pub events: usize,
    /// Changes there were, all in all.
    pub changes: usize,
    /// Messages that stand for them.
    pub messages: usize,
    /// Requests for Deployments in full, or for more than the held ones.
    pub careless: usize,
}

/// Two webhooks, their API and their queue.
struct Bed {
    api: GeneratedApi,
    objects: Objects,
    nats: Nats,
    webhooks: [Part; 2],
    run: RunFolder,
}

impl Bed {
    async fn start(size: Size) -> Result<Self> {
        let run = RunFolder::create()?;
        let tools = Tools::locate_in_background().await?;
        let api = GeneratedApi::start(Rollouts::Never).await?;
        let objects = Objects::put(size, &api);
        let nats = Nats::new(&tools, run.path(), Lifetime::Ours)?;
        let release = Release::prepare("roadstead", run.path())?;
        let kubeconfig = run.path().join("webhook.kubeconfig");
        let user = User { name: "webhook".into(), token: "nobody-asks".into() };
        kubeconfig::write(&kubeconfig, &api.server(), &[user], "default")?;
        let webhook = |name: &str| {
            let (admin, listen) = (free_port()?, free_port()?);
            let files = release.certificate();
            let env = [
                ("KUBECONFIG", kubeconfig.display().to_string()),
                ("ROADSTEAD_ADMIN_LISTEN", format!("127.0.0.1:{admin}")),
                ("ROADSTEAD_LISTEN", format!("127.0.0.1:{listen}")),
                ("ROADSTEAD_NATS_URL", nats.url().to_owned()),
                ("ROADSTEAD_NATS_ALLOW_ANONYMOUS", "true".to_owned()),
                ("ROADSTEAD_TLS_CERT", files.cert().display().to_string()),
                ("ROADSTEAD_TLS_KEY", files.key().display().to_string()),
                ("ROADSTEAD_SHUTDOWN_DELAY", "0s".to_owned()),
                // A line for each of some thousand changes is not what is measured.
                ("ROADSTEAD_LOG", "warn".to_owned()),
            ];
            let spec = Spec {
                name: name.to_owned(),
                program: binaries_folder()?.join("roadstead-webhook"),
                args: vec![],
                env: env.map(|(name, value)| (name.to_owned(), value)).into(),
                log: run.path().join(format!("{name}.log")),
            };
            anyhow::Ok(Part::new(spec, Some(Endpoint::http(admin, "/readyz")), Lifetime::Ours))
        };
        let webhooks = [webhook("webhook")?, webhook("webhook-2")?];
        Ok(Self { api, objects, nats, webhooks, run })
    }

    /// Requests for Deployments so far that fit.
    fn requests(&self, fits: impl Fn(&str) -> bool) -> usize {
        let requests = self.api.requests().into_iter().filter(|(request, _)| fits(request));
        usize::try_from(requests.map(|(_, count)| count).sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// How often a single Deployment was read.
    fn reads(&self) -> usize {
        self.requests(|request| request.starts_with("get deployments "))
    }

    /// How often Deployments were listed or watched in full, or all of them.
    fn careless(&self) -> usize {
        self.requests(|request| {
            ["list deployments ", "watch deployments "].iter().any(|many| request.starts_with(many))
                && !request.contains(" metadata roadstead.dev/phase=held ")
        })
    }

    /// How many messages there are on the queue.
    async fn messages(&self) -> Result<usize> {
        let client = tokio::time::timeout(PATIENCE, async_nats::connect(self.nats.url())).await;
        let context = jetstream::new(client.context("nats-server does not answer")??);
        let messages = context.get_stream(CHANGES).await?.cached_info().state.messages;
        Ok(usize::try_from(messages)?)
    }

    /// Waits until so many messages are on the queue and both webhooks are done with all that they know. What is
    /// added last is looked at last: a change after the others marks their end.
    async fn all_published(&self, changes: usize, reads: usize) -> Result<()> {
        eventually("every change is on the queue", LIMIT, async || {
            let (messages, read) = (self.messages().await?, self.reads());
            ensure!(messages >= changes && read >= reads, "{messages} of {changes}, {read} of {reads} reads");
            Ok(())
        })
        .await
    }

    /// The larger of a figure of both webhooks.
    fn memory(&self, of: impl Fn(crate::usage::Memory) -> f64) -> Result<f64> {
        let [first, second] = &self.webhooks;
        Ok(of(first.memory()?).max(of(second.memory()?)))
    }

    /// Waits until both webhooks count what waits, and know since when the oldest does.
    async fn counted(&self, size: Size) -> Result<()> {
        for webhook in &self.webhooks {
            eventually("it counts what waits", PATIENCE, async || {
                let held = webhook.metric("roadstead_held_changes").await?;
                let oldest = webhook.metric("roadstead_oldest_held_timestamp_seconds").await?;
                ensure!(held.to_string() == size.held.to_string(), "{held} changes wait");
                ensure!(oldest > 0.0, "since {oldest}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

/// Measures.
///
/// # Errors
/// When a part cannot be started, or not every change comes to be on the queue.
pub async fn measure(size: Size) -> Result<Outbox> {
    let mut bed = Bed::start(size).await?;
    let measured = Box::pin(measure_on(&mut bed, size)).await;
    measured.inspect_err(|_| {
        bed.run.keep();
        eprintln!("testbed: the logs are in {}", bed.run.path().display());
    })
}

async fn measure_on(bed: &mut Bed, size: Size) -> Result<Outbox> {
    let began = Instant::now();
    bed.nats.start().await?;
    // Both at once: they find the same changes at the same time.
    bed.webhooks.iter().try_for_each(Part::spawn)?;
    for webhook in &bed.webhooks {
        webhook.ready().await?;
    }
    bed.all_published(size.held, 2 * size.held).await?;
    let published_after = began.elapsed();
    bed.counted(size).await?;
    let (peak, before_outage) = (bed.memory(|memory| memory.peak)?, bed.memory(|memory| memory.now)?);

    let reads = bed.reads();
    bed.nats.stop().await?;
    for round in 0..TOUCHES {
        for number in 0..size.held {
            if round == 0 && number % RENEWED == 0 {
                bed.objects.renew(number, &bed.api);
            } else {
                bed.objects.touch(number, &bed.api);
            }
        }
        eventually("the webhooks take the events", LIMIT, async || {
            let untold = bed.api.untold();
            ensure!(untold == 0, "{untold} events are not taken");
            Ok(())
        })
        .await?;
    }
    let after_outage = bed.memory(|memory| memory.now)?;
    bed.nats.start().await?;
    let renewed = size.held.div_ceil(RENEWED);
    bed.all_published(size.held + renewed, reads + 2 * size.held).await?;
    // One more, which comes after all that the webhooks still had to look at.
    bed.objects.renew(0, &bed.api);
    let changes = size.held + renewed + 1;
    bed.all_published(changes, reads).await?;
    Ok(Outbox {
        peak,
        published_after,
        before_outage,
        after_outage,
        events: TOUCHES * size.held,
        changes,
        messages: bed.messages().await?,
        careless: bed.careless(),
    })
}

/// Measures and prints.
pub(super) async fn run() -> Result<()> {
    let outbox = measure(SIZE).await?;
    let Outbox { peak, before_outage, after_outage, .. } = outbox;
    let seconds = outbox.published_after.as_secs_f64();
    println!("two webhooks, {} Deployments, {} of them held:", SIZE.deployments, SIZE.held);
    println!("resident memory at the most {peak:.1} MiB, all published after {seconds:.1} s");
    println!("NATS away, {} events: from {before_outage:.1} to {after_outage:.1} MiB", outbox.events);
    println!("{} messages for {} changes", outbox.messages, outbox.changes);
    figure("outbox_rss_mib", peak.max(after_outage), "MiB");
    figure("outbox_published_s", seconds, "s");
    figure("outbox_outage_growth_mib", after_outage - before_outage, "MiB");
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    for (name, count) in [
        ("outbox_changes", outbox.changes),
        ("outbox_messages", outbox.messages),
        ("outbox_careless_requests", outbox.careless),
    ] {
        figure(name, count as f64, "");
    }
    Ok(())
}
