//! What can be typed after the verbs that steer.

use clap::{Args, ValueEnum};
use contract::ChangeId;

use crate::args::Access;

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub struct Approve {
    /// Which Deployments.
    #[command(flatten)]
    pub targets: Targets,
    /// Only if this is the change that waits.
    #[arg(long, value_name = "ID", conflicts_with = "selector")]
    pub change: Option<ChangeId>,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
pub struct Release {
    /// Which Deployments.
    #[command(flatten)]
    pub targets: Targets,
    /// Why it cannot wait: recorded, and told in the Event of the release.
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: String,
    /// Only if this is the change that waits.
    #[arg(long, value_name = "ID", conflicts_with = "selector")]
    pub change: Option<ChangeId>,
    /// Do not ask before it is done. Needed where nobody is there to be asked.
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    /// Which Deployments.
    #[command(flatten)]
    pub targets: Targets,
    /// Only if this is the change that waits.
    #[arg(long, value_name = "ID", conflicts_with = "selector")]
    pub change: Option<ChangeId>,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

/// Arguments of `retry`.
#[derive(Debug, Args)]
pub struct Retry {
    /// Which Deployments.
    #[command(flatten)]
    pub targets: Targets,
    /// Only if this is the change that was given up or has failed.
    #[arg(long, value_name = "ID", conflicts_with = "selector")]
    pub change: Option<ChangeId>,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The Deployments.
    #[arg(required = true, value_name = "NAME", value_parser = deployment)]
    pub names: Vec<String>,
    /// Back to the template of this change.
    #[arg(long, value_name = "CHANGE", conflicts_with = "to_revision")]
    pub to: Option<ChangeId>,
    /// Back to the template of this revision, as `kubectl rollout history` numbers them.
    #[arg(long, value_name = "N")]
    pub to_revision: Option<i64>,
    /// How it is done.
    #[command(flatten)]
    pub manner: Manner,
}

/// Which Deployments.
#[derive(Debug, Args)]
pub struct Targets {
    /// The Deployments, also as `deployment.apps/NAME`.
    #[arg(required_unless_present = "selector", value_name = "NAME", value_parser = deployment)]
    pub names: Vec<String>,
    /// Those with these labels (`app=web,tier!=cache`) that the verb has something to do with.
    #[arg(short = 'l', long, conflicts_with = "names")]
    pub selector: Option<String>,
}

/// How it is done, and told of.
#[derive(Debug, Args)]
pub struct Manner {
    /// Do it (`none`), have the API server try it (`server`), or only say what would be sent (`client`).
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub dry_run: DryRun,
    /// How to print: `json` is for programs, `name` for xargs.
    #[arg(short = 'o', long, value_enum)]
    pub output: Option<Output>,
    /// The namespace; by default that of the context.
    #[arg(short = 'n', long)]
    pub namespace: Option<String>,
    /// Which cluster, as whom.
    #[command(flatten)]
    pub access: Access,
}

/// Whether it is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// It is done.
    #[default]
    None,
    /// The API server and its webhooks answer as if it were done.
    Server,
    /// Nothing is sent but what reads.
    Client,
}

/// How it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A list of what was done; docs/cli/steer.md says what its fields mean.
    Json,
    /// `deployment.apps/NAME`, one a line.
    Name,
}

/// A name as `get -o name` prints it, or as it is. What is none never becomes a part of a path.
fn deployment(text: &str) -> Result<String, String> {
    let name = match text.split_once('/') {
        Some(("deployment" | "deployments" | "deploy" | "deployment.apps" | "deployments.apps", name)) => {
            name
        }
        Some((kind, _)) => return Err(format!("{kind} is no Deployment")),
        None => text,
    };
    self::name(name)
}

/// A name of an object.
pub fn name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    if bytes.len() <= 253 && bytes.iter().copied().all(fits) && ends(bytes.first()) && ends(bytes.last()) {
        Ok(text.to_owned())
    } else {
        Err("a name is made of a-z, 0-9, - and ., and begins and ends with a letter or digit".to_owned())
    }
}

/// What people are to read: not nothing.
pub fn reason(text: &str) -> Result<String, String> {
    let line = text.replace(char::is_control, " ").trim().to_owned();
    if line.is_empty() { Err("say why, for those who read it".to_owned()) } else { Ok(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_as_get_prints_it_and_nothing_else_is_a_name() {
        for text in ["web", "deployment.apps/web", "deploy/web"] {
            assert_eq!(deployment(text).as_deref(), Ok("web"), "{text}");
        }
        assert_eq!(deployment("web.v2").as_deref(), Ok("web.v2"));
        for text in ["", "pod/web", "../web", "web/status", "Web", "-web", "web?dryRun=All", "deployment/"] {
            assert!(deployment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_reason_is_one_line_and_not_nothing() {
        assert_eq!(reason(" the shop\nis down ").as_deref(), Ok("the shop is down"));
        assert!(reason(" \n").is_err());
    }
}
