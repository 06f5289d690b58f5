//! What a review costs the webhook: the real process over TLS, next to a bare echo of the same bodies on the same
//! core in the same run. A cost is processor time of the server's process, so that a busy machine blurs it little.

mod driver;
mod server;

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use self::{driver::Driver, server::Server};
use super::figure;

const UPDATE: &[u8] = include_bytes!("../../../../webhook/examples/reviews/update.json");
const CREATE: &[u8] = include_bytes!("../../../../webhook/examples/reviews/create.json");

/// Rounds in which the servers take turns, and reviews of each kind for each server in one round.
const ROUNDS: usize = 6;
const ROUND: usize = 4_000;
/// Connections that the turns are driven over; the API server keeps 25 idle ones.
const KEPT: usize = 16;
/// Connections with one review each.
const FRESH: usize = 4_000;
/// Reviews in flight for the latency, and how many are measured.
const IN_FLIGHT: usize = 200;
const TIMED: usize = 60_000;
/// Connections for the memory; growth is watched over so many reviews, or as many as fit the time.
const MANY: usize = 256;
const GROWTH: usize = 1_000_000;
const GROWTH_TIME: Duration = Duration::from_secs(150);

/// Measures and prints.
pub(super) async fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    server::certificates(folder.path())?;
    let allocations = [allocations("update")?, allocations("create")?];
    let Costs { update, create, fresh } = costs(folder.path()).await?;
    let [unruled, ruled] = ruled(folder.path()).await?;
    let p99 = p99(folder.path()).await?.as_secs_f64() * 1e3;
    let (before, after, reviews) = memory(folder.path()).await?;

    println!("processor time of the server, microseconds   echo   webhook   ratio");
    for (name, [echo, webhook]) in [("UPDATE", update), ("CREATE", create)] {
        println!("{name} review {echo:>37.1} {webhook:>9.1} {:>7.2}", webhook / echo);
    }
    println!("UPDATE review on a new TLS connection {fresh:>21.1}");
    println!(
        "UPDATE review under no policies, and under 1,000 of which 20 select it {unruled:.1} {ruled:.1}"
    );
    println!("resident memory: {before:.1} MiB, after {reviews} more reviews {after:.1} MiB");
    figure("update_review_echo_ratio", update[1] / update[0], "x");
    figure("create_review_echo_ratio", create[1] / create[0], "x");
    figure("update_review_allocations", allocations[0], "allocations");
    figure("create_review_allocations", allocations[1], "allocations");
    figure("policies_20_ratio", ruled / unruled, "x");
    figure("update_reviews_per_second_core", 1e6 / update[1], "reviews/s");
    figure("new_connection_reviews_per_second_core", 1e6 / fresh, "reviews/s");
    figure("p99_ms_200_in_flight", p99, "ms");
    figure("rss_256_connections_mib", after, "MiB");
    figure("rss_growth_mib", after - before, "MiB");
    #[expect(clippy::cast_precision_loss, reason = "a million")]
    figure("rss_growth_reviews", reviews as f64, "reviews");
    Ok(())
}

/// Microseconds of the servers' processor time per review, the echo's first.
struct Costs {
    update: [f64; 2],
    create: [f64; 2],
    /// The webhook's for an UPDATE on a new connection.
    fresh: f64,
}

/// Both servers on the first core, in turns.
async fn costs(folder: &Path) -> Result<Costs> {
    let servers = [Server::echo(folder, "0").await?, Server::webhook(folder, "0").await?];
    let mut spent = [[0.0; 2]; 2];
    for round in 0..=ROUNDS {
        for (server, spent) in servers.iter().zip(&mut spent) {
            let driver = Driver::new(server, folder)?;
            let mut connections = driver.connect(KEPT).await?;
            for (body, spent) in [UPDATE, CREATE].into_iter().zip(spent) {
                let before = server.cpu()?;
                driver.drive(&mut connections, body, ROUND).await?;
                // The first round warms up.
                *spent += if round == 0 {
                    0.0
                } else {
                    micros(server.cpu()?.saturating_sub(before), ROUNDS * ROUND)
                };
            }
        }
    }
    let driver = Driver::new(&servers[1], folder)?;
    let before = servers[1].cpu()?;
    driver.fresh(UPDATE, FRESH).await?;
    let fresh = micros(servers[1].cpu()?.saturating_sub(before), FRESH);
    let [echo, webhook] = spent;
    Ok(Costs { update: [echo[0], webhook[0]], create: [echo[1], webhook[1]], fresh })
}

/// Microseconds of the server's processor time per held UPDATE, without policies and with them, in turns.
async fn ruled(folder: &Path) -> Result<[f64; 2]> {
    let servers = [Server::ruled(folder, "0", "none").await?, Server::ruled(folder, "0", "many").await?];
    let mut spent = [0.0; 2];
    for round in 0..=ROUNDS {
        for (server, spent) in servers.iter().zip(&mut spent) {
            let driver = Driver::new(server, folder)?;
            let mut connections = driver.connect(KEPT).await?;
            let before = server.cpu()?;
            driver.drive(&mut connections, UPDATE, ROUND).await?;
            // The first round warms up.
            if round > 0 {
                *spent += micros(server.cpu()?.saturating_sub(before), ROUNDS * ROUND);
            }
        }
    }
    Ok(spent)
}

/// Time from the first byte sent to the last byte received with [`IN_FLIGHT`] reviews in flight, for 99 of 100; the
/// server has both cores, the second together with the driver.
async fn p99(folder: &Path) -> Result<Duration> {
    let webhook = Server::webhook(folder, "0,1").await?;
    let driver = Driver::new(&webhook, folder)?;
    let mut connections = driver.connect(IN_FLIGHT).await?;
    driver.drive(&mut connections, UPDATE, TIMED / 10).await?;
    let mut times = driver.drive(&mut connections, UPDATE, TIMED).await?;
    times.sort_unstable();
    Ok(times[(times.len() - 1) * 99 / 100])
}

/// Resident memory in MiB with [`MANY`] connections: after a tenth of a million reviews, and at the end, with the
/// number of reviews between.
async fn memory(folder: &Path) -> Result<(f64, f64, usize)> {
    let webhook = Server::webhook(folder, "0").await?;
    let driver = Driver::new(&webhook, folder)?;
    let mut connections = driver.connect(MANY).await?;
    let step = GROWTH / 20;
    driver.drive(&mut connections, UPDATE, 2 * step).await?;
    let (begun, before) = (Instant::now(), webhook.resident_mib()?);
    let mut reviews = 0;
    while reviews < GROWTH && begun.elapsed() < GROWTH_TIME {
        driver.drive(&mut connections, UPDATE, step).await?;
        reviews += step;
    }
    Ok((before, webhook.resident_mib()?, reviews))
}

/// Allocations that one review takes, from the example that counts them.
fn allocations(which: &str) -> Result<f64> {
    let output = Command::new(server::beside("examples/decide")?).arg("allocations").output()?;
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().find_map(|line| line.strip_prefix(which));
    Ok(line.context("examples/decide did not count")?.trim().parse()?)
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn micros(time: Duration, reviews: usize) -> f64 {
    time.as_secs_f64() * 1e6 / reviews as f64
}
