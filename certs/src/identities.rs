//! `roadstead-certs nats`: makes NATS identities, renews and revokes them, and tells the servers.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use certs::nats::{Creds, Folder, Made, UserRequest, secrets};
use clap::{Subcommand, ValueEnum};
use contract::access::{Account, Role};

use crate::kept::{self, Keep};
use crate::push::{self, Servers};

#[derive(Debug, Subcommand)]
pub(crate) enum Nats {
    /// Make operator, accounts, a user for each component, and the servers' configuration
    ///
    /// What is there and good is kept; a user is renewed when less than a third of its life is left. Run it again from
    /// time to time: connected components read their new file when the server closes what has expired.
    Init(Init),
    /// Make credentials of a person, or of a user of one namespace
    User(User),
    /// Declare every token of a user void that was issued until now; its connections are closed
    Revoke(Revoke),
    /// Tell running servers the accounts as they are in the folder
    Push(Push),
    /// Keep all of it in Secrets, for the NATS servers that the chart brings; runs until stopped
    ///
    /// What is missing or ends soon is made, and running servers are told. Any number of these may run.
    Keep(Box<Keep>),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Init {
    #[command(flatten)]
    place: Place,
    /// How long the components' users are valid
    #[arg(long, value_parser = humantime::parse_duration, default_value = "90days")]
    life: Duration,
    /// Folder in which each server keeps the accounts, as the server sees it [default: as the last time, or accounts]
    #[arg(long)]
    accounts_dir: Option<String>,
    /// Print Secrets of the components and the servers for this namespace, to be applied
    #[arg(long, value_name = "NAMESPACE")]
    secrets: Option<String>,
    /// What the names of the Secrets begin with
    #[arg(long, default_value = "roadstead", requires = "secrets")]
    prefix: String,
}

#[derive(Debug, clap::Args)]
struct Place {
    /// Folder of the identities; made when missing
    #[arg(long, env = "ROADSTEAD_CERTS_NATS_DIR")]
    dir: PathBuf,
    /// Name of the cluster that users belong to
    #[arg(long, env = "ROADSTEAD_CLUSTER", default_value = "default")]
    cluster: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct User {
    #[command(flatten)]
    place: Place,
    /// Name of the user
    name: String,
    /// Namespace that it sees and commands; none: it is a person who runs Roadstead, and sees all of the cluster
    #[arg(long)]
    namespace: Option<String>,
    /// It may do everything in the account, also delete streams: for an emergency
    #[arg(long, conflicts_with = "namespace")]
    unrestricted: bool,
    /// How long it is valid
    #[arg(long, value_parser = humantime::parse_duration, default_value = "30days")]
    life: Duration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Revoke {
    /// Folder of the identities
    #[arg(long, env = "ROADSTEAD_CERTS_NATS_DIR")]
    dir: PathBuf,
    /// The user's public key (`U…`), or its credentials file
    user: String,
    /// Account of the user
    #[arg(long, default_value = "roadstead")]
    account: Of,
    #[command(flatten)]
    servers: Servers,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Push {
    /// Folder of the identities
    #[arg(long, env = "ROADSTEAD_CERTS_NATS_DIR")]
    dir: PathBuf,
    #[command(flatten)]
    servers: Servers,
}

/// An account on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Of {
    /// Changes, events and commands
    Roadstead,
    /// The authorization callout
    Callout,
    /// The servers themselves
    System,
}

pub(crate) async fn run(nats: Nats) -> anyhow::Result<()> {
    match nats {
        Nats::Init(init) => make(&init),
        Nats::User(user) => add(&user),
        Nats::Revoke(revoke) => void(&revoke).await,
        Nats::Push(push) => {
            let folder = Folder::new(&push.dir);
            let tokens = Account::ALL.map(|account| folder.account_token(account));
            let tokens: Vec<_> = tokens.into_iter().collect::<Result<_, _>>()?;
            push::push(&folder, &tokens, &push.servers).await?;
            println!("the servers know the accounts");
            Ok(())
        }
        Nats::Keep(keep) => kept::run(*keep).await,
    }
}

fn make(init: &Init) -> anyhow::Result<()> {
    let folder = Folder::new(&init.place.dir);
    let accounts_dir = init.accounts_dir.clone().map_or_else(|| folder.accounts_dir(), Ok)?;
    let made = folder.ensure(&init.place.cluster, init.life, &accounts_dir)?;
    // The manifests are to be piped.
    tell(&made, |line| eprintln!("{line}"));
    if let Some(namespace) = &init.secrets {
        println!("{:#}", secrets(&folder, namespace, &init.prefix)?);
    }
    Ok(())
}

fn add(user: &User) -> anyhow::Result<()> {
    let folder = Folder::new(&user.place.dir);
    if user.unrestricted {
        let path = folder.unrestricted(&user.name, user.life)?;
        println!("made {}: it may do everything in the account", path.display());
        return Ok(());
    }
    let role = if user.namespace.is_some() { Role::Namespace } else { Role::Operator };
    let (name, cluster, namespace) = (user.name.clone(), user.place.cluster.clone(), user.namespace.clone());
    let request = UserRequest { role, name, cluster, namespace, life: Some(user.life) };
    tell(&folder.user(&request)?, |line| println!("{line}"));
    println!(
        "use it with: nats --creds {} --inbox-prefix {} …",
        folder.creds(&request).display(),
        request.inbox_prefix()
    );
    Ok(())
}

async fn void(revoke: &Revoke) -> anyhow::Result<()> {
    let user = if revoke.user.starts_with('U') && revoke.user.len() == 56 {
        revoke.user.clone()
    } else {
        let text = std::fs::read_to_string(&revoke.user).with_context(|| {
            format!("{} is no public key of a user, and no file that can be read", revoke.user)
        })?;
        Creds::parse(&text)?.claims.sub
    };
    let folder = Folder::new(&revoke.dir);
    let account = match revoke.account {
        Of::Roadstead => Account::Roadstead,
        Of::Callout => Account::Callout,
        Of::System => Account::System,
    };
    let token = folder.revoke(account, &user)?;
    println!("{user}: what was issued until now is void");
    if revoke.servers.is_none() {
        bail!("the servers do not know it yet: name them by --nats-url, or run `roadstead-certs nats push`");
    }
    push::push(&folder, &[token], &revoke.servers).await?;
    println!("the servers know it and have closed its connections");
    Ok(())
}

fn tell(made: &Made, say: impl Fn(String)) {
    for path in &made.0 {
        say(format!("made {}", path.display()));
    }
    if made.0.is_empty() {
        say("everything is there and good: nothing was made".to_owned());
    }
}
