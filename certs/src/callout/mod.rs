//! The authorization callout: servers ask it about clients that present the token of a ServiceAccount, and it makes
//! them users of their namespace. Whom the cluster does not know is refused; while it is away, those with credentials
//! of their own go on.

mod account;
mod reviews;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use certs::nats::{Folder, Notary};
use contract::access::{QUESTIONS, Role};
use futures::StreamExt as _;
use ops::{BoxError, admin, args::Common, chain, kubernetes, nats, readiness::Readiness, tasks::Tasks};
use tokio_util::sync::CancellationToken;

use self::reviews::Reviews;

/// Replicas share the questions.
const GROUP: &str = "roadstead-callout";

/// Questions that are answered at the same time; more wait in the client, and are answered too late in the end.
const AT_ONCE: usize = 64;

/// Answer for NATS servers that ask who a client is that presents a ServiceAccount's token
#[derive(Debug, clap::Args)]
pub(crate) struct Callout {
    #[command(flatten)]
    common: Common,
    /// Folder of the identities, or what of it the callout needs: see docs/security.md
    #[arg(long, env = "ROADSTEAD_CERTS_NATS_DIR")]
    dir: PathBuf,
    /// Audience that a token must be made for; one that was made for the API server is not to be shown to NATS
    #[arg(long, env = "ROADSTEAD_CALLOUT_AUDIENCE", default_value = "roadstead-nats")]
    audience: String,
    /// How long a client stays before it is asked again
    #[arg(long, env = "ROADSTEAD_CALLOUT_LIFE", default_value = "10m", value_parser = humantime::parse_duration)]
    life: Duration,
}

/// Runs until told to stop.
pub(crate) async fn run(callout: Callout) -> anyhow::Result<()> {
    let Callout { mut common, dir, audience, life } = callout;
    ops::log::start(common.log_format, &common.log).context("--log is no filter")?;
    let folder = Folder::new(dir);
    common.nats.creds.get_or_insert_with(|| folder.component(Role::Callout));
    let notary = folder.notary(common.cluster.as_str(), life)?;
    let readiness = Readiness::default();
    let connected = readiness.wait_for("NATS");
    let mut tasks = Tasks::default();
    let stop = tasks.stop();
    let listener = admin::bind(common.admin_listen).await?;
    let registry = admin::registry(env!("CARGO_PKG_VERSION"));
    tasks.spawn("admin endpoint", admin::serve(listener, readiness.clone(), registry, stop.clone()));
    let client = kubernetes::client("roadstead-callout").await?;
    let answering = async move {
        let connect = nats::connect(&common.nats, Role::Callout, common.cluster.as_str());
        let nats = tokio::select! { nats = connect => nats?, () = stop.cancelled() => return Ok(()) };
        let asked = nats.queue_subscribe(QUESTIONS, GROUP.to_owned()).await?;
        nats.flush().await?;
        drop(connected);
        let desk = Arc::new(Desk { reviews: Reviews::new(client, audience), notary });
        answer(&nats, asked, &desk, &stop).await;
        Ok::<_, BoxError>(())
    };
    tasks.spawn("answers", answering);
    Ok(tasks.run(&readiness).await?)
}

/// What it takes to answer.
struct Desk {
    reviews: Reviews,
    notary: Notary,
}

async fn answer(
    nats: &async_nats::Client,
    asked: async_nats::Subscriber,
    desk: &Arc<Desk>,
    stop: &CancellationToken,
) {
    asked
        .take_until(stop.cancelled())
        .for_each_concurrent(AT_ONCE, async |message| {
            let Some(reply) = message.reply else { return };
            let answer = match desk.decide(&message.payload).await {
                Ok(answer) => answer,
                // Nobody to answer: what is no question of a server names no user.
                Err(error) => return tracing::warn!(error = chain(&*error), "no question of a server"),
            };
            if let Err(error) = nats.publish(reply, answer.into()).await {
                tracing::warn!(error = chain(&error), "an answer is lost; the server refuses its client");
            }
        })
        .await;
}

impl Desk {
    async fn decide(&self, question: &[u8]) -> Result<String, BoxError> {
        let question = Notary::question(question)?;
        let token = question.nats.claims.connect_opts.auth_token.as_deref();
        let who = match token {
            Some(token) => self.reviews.who(token).await,
            None => Err("present the token of a ServiceAccount".to_owned()),
        };
        match &who {
            Ok(who) => tracing::info!(namespace = who.namespace, service_account = who.name, "let in"),
            Err(reason) => tracing::info!(reason, "refused"),
        }
        let who = who.as_ref().map(|who| (who.namespace.as_str(), who.name.as_str()));
        Ok(self.notary.verdict(&question, who.map_err(String::as_str))?)
    }
}
