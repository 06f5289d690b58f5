//! What the running servers know. They are asked every time, and told what is new: an account's token is pushed, and a
//! server that shows an older certificate reads its files again, over and over, because the kubelet brings them late.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::nats::{Servers, ServersError};

/// Who knew everything need not be asked again for so long, but for news.
const CALM: Duration = Duration::from_secs(30);

/// What was told, and to whom.
#[derive(Default)]
pub(super) struct Told {
    tokens: Vec<String>,
    servers: BTreeSet<String>,
    certificate: Option<OffsetDateTime>,
    calm: Option<Instant>,
}

impl Told {
    /// Tells the servers, of which so many are known to be there, and answers how many of them show another certificate
    /// than the one that ends then.
    pub(super) async fn tell(
        &mut self,
        servers: &Servers,
        known: usize,
        tokens: Vec<String>,
        certificate: Option<OffsetDateTime>,
    ) -> Result<usize, ServersError> {
        let news = self.tokens != tokens || self.certificate != certificate;
        if !news && self.calm.is_some_and(|calm| calm.elapsed() < CALM) {
            return Ok(0);
        }
        self.calm = None;
        let line = servers.connect().await?;
        let running = line.servers(known).await?;
        let ids: BTreeSet<_> = running.iter().map(|server| server.id.clone()).collect();
        // One that has started meanwhile may have read files that were not yet there in their newest form.
        if self.tokens != tokens || !ids.is_subset(&self.servers) {
            for token in &tokens {
                line.push(token).await?;
            }
            tracing::info!(servers = ids.len(), "told the NATS servers the accounts");
        }
        (self.tokens, self.servers, self.certificate) = (tokens, ids, certificate);
        let late = |end: &OffsetDateTime| certificate.is_some_and(|wanted| *end != wanted);
        let behind: Vec<_> = running.iter().filter(|server| server.certificates.iter().any(late)).collect();
        for server in &behind {
            line.reload(server).await?;
        }
        if !behind.is_empty() {
            tracing::info!(servers = behind.len(), "had NATS servers read their certificate again");
        }
        self.calm = behind.is_empty().then(Instant::now);
        Ok(behind.len())
    }
}
