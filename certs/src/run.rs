//! Does what the command line asks and says, in one line, what was done.

use anyhow::Context as _;
use certs::tls::{Files, Kept, LeafRequest, Usage};

use crate::args::{Args, Command, Tls};
use crate::{callout, identities};

const AUTHORITY_NAME: &str = "roadstead";
pub(crate) const LEAF_NAME: &str = "roadstead-webhook";

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    // It fails only where one is installed already, and then there is one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tokio::runtime::Runtime::new()?.block_on(async {
        match args.command {
            Command::Tls(tls) => make(&tls),
            Command::Rotate(rotate) => crate::rotate::run(*rotate).await,
            Command::Nats(nats) => identities::run(nats).await,
            Command::Callout(callout) => callout::run(*callout).await,
        }
    })
}

fn make(tls: &Tls) -> anyhow::Result<()> {
    let leaf = LeafRequest {
        common_name: LEAF_NAME.to_owned(),
        organizations: vec![],
        dns_names: tls.dns.clone(),
        ips: tls.ip.clone(),
        usage: Usage::Server,
        life: tls.life,
    };
    let dir = tls.dir.display();
    let kept = Files::new(&tls.dir)
        .ensure(AUTHORITY_NAME, tls.authority_life, &leaf)
        .context("no certificate was made")?;
    match kept {
        Kept::Everything => println!("{dir}: kept ca.crt, ca.key, tls.crt and tls.key: they are good"),
        Kept::Authority(reason) => {
            println!("{dir}: kept ca.crt and ca.key; made tls.crt and tls.key anew: {reason}");
        }
        Kept::Nothing(reason) => println!("{dir}: made ca.crt, ca.key, tls.crt and tls.key: {reason}"),
    }
    Ok(())
}
