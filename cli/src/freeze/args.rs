//! What can be typed after `freeze`, `thaw`, `pause` and `resume`.

use std::time::Duration;

use clap::{ArgGroup, Args};
use contract::ChangeId;
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::LabelSelector, jiff::Timestamp};

use super::selector;
use crate::steer::args::{Manner, name, reason};

/// Arguments of `freeze`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("end").required(true).args(["lasts", "until"]))]
pub struct Freeze {
    /// Its name; by default one is made.
    #[arg(value_parser = name)]
    pub name: Option<String>,
    /// How long it lasts: `2h`, `90m`, `1day`.
    #[arg(long = "for", id = "lasts", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub lasts: Option<Duration>,
    /// When it ends: `2026-12-01T06:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// When it begins; by default at once.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// What is frozen.
    #[command(flatten)]
    pub what: What,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

/// Arguments of `pause`.
#[derive(Debug, Args)]
pub struct Pause {
    /// What is paused.
    #[command(flatten)]
    pub what: What,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

/// What a freeze is of.
#[derive(Debug, Args)]
pub struct What {
    /// Why, for those whose changes wait.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// Who can be asked; by default you, by the name that the API server knows.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub owner: Option<String>,
    /// Only Deployments with these labels (`tier=front,env!=test`); by default all.
    #[arg(short = 'l', long, value_parser = selector::parse)]
    pub selector: Option<LabelSelector>,
    /// Of every namespace that is opted in, not of one.
    #[arg(long, conflicts_with = "namespace")]
    pub cluster: bool,
    /// With `--cluster`: only of namespaces with these labels.
    #[arg(long, requires = "cluster", value_name = "SELECTOR", value_parser = selector::parse)]
    pub namespace_selector: Option<LabelSelector>,
    /// Let urgent changes through all the same.
    #[arg(long)]
    pub allow_urgent: bool,
}

/// Arguments of `thaw`.
#[derive(Debug, Args)]
pub struct Thaw {
    /// The freezes; without one it says which there are.
    #[arg(value_name = "NAME", value_parser = name)]
    pub names: Vec<String>,
    /// Freezes of the cluster.
    #[arg(long, conflicts_with = "namespace")]
    pub cluster: bool,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Policies whose queue a failure has paused; without one the pause of `pause` ends.
    #[arg(value_name = "POLICY", value_parser = name)]
    pub policies: Vec<String>,
    /// Only if this is the change that failed.
    #[arg(long, value_name = "ID", requires = "policies")]
    pub change: Option<ChangeId>,
    /// The pause, or policies, of the cluster.
    #[arg(long, conflicts_with = "namespace")]
    pub cluster: bool,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "a time has a date and a zone, as 2026-12-01T06:00:00Z or 2026-12-01T07:00:00+01:00".to_owned()
    })
}
