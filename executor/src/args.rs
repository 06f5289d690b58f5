//! Arguments of the executor; every flag is also an environment variable.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use hyper::Uri;
use ops::args::{Common, DnsLabel};

use crate::checks::Named;

/// Executor of Roadstead: lets held changes through, one slot each, and follows each rollout to its end
#[derive(Clone, Debug, clap::Parser)]
#[command(version, name = "roadstead-executor")]
pub struct Args {
    /// Arguments of every workload
    #[command(flatten)]
    pub common: Common,
    /// Rollouts in flight at a time, over all replicas
    #[arg(long, env = "ROADSTEAD_SLOTS", default_value = "8")]
    pub slots: NonZeroU32,
    /// So many more rollouts in flight at a time in the urgent lane
    #[arg(long, env = "ROADSTEAD_URGENT_SLOTS", default_value_t = 2)]
    pub urgent_slots: u32,
    /// A rollout that has not ended after this long gives its slot to the next change; following goes on
    #[arg(long, env = "ROADSTEAD_SLOT_TIMEOUT", default_value = "15m", value_parser = humantime::parse_duration)]
    pub slot_timeout: Duration,
    /// A rollout fails once a container of its pods restarted this often and waits for its next start; 0: never
    #[arg(long, env = "ROADSTEAD_CRASH_LOOP_RESTARTS", default_value_t = 5)]
    pub crash_loop_restarts: u32,
    /// A change that was refused this often (by a webhook, a policy, a quota, as invalid) is given up
    #[arg(long, env = "ROADSTEAD_ATTEMPTS", default_value = "10")]
    pub attempts: NonZeroU32,
    /// A Prometheus that checks of policies may ask, as NAME=URL; may be given more than once
    #[arg(long, env = "ROADSTEAD_PROMETHEUS", value_delimiter = ',', value_name = "NAME=URL")]
    pub prometheus: Vec<Named<Uri>>,
    /// File with the bearer token for one of them, as NAME=FILE; it is read for each query
    #[arg(long, env = "ROADSTEAD_PROMETHEUS_TOKEN_FILE", value_delimiter = ',', value_name = "NAME=FILE")]
    pub prometheus_token_file: Vec<Named<PathBuf>>,
    /// File with the authorities that may sign the certificate of one of them, as NAME=FILE; it is read for each query
    #[arg(long, env = "ROADSTEAD_PROMETHEUS_CA_FILE", value_delimiter = ',', value_name = "NAME=FILE")]
    pub prometheus_ca_file: Vec<Named<PathBuf>>,
    /// Namespace that Roadstead is installed in
    #[arg(long, env = "ROADSTEAD_NAMESPACE", default_value = "roadstead")]
    pub release_namespace: DnsLabel,
    /// ConfigMap in the release namespace that remembers which namespaces were swept
    #[arg(long, env = "ROADSTEAD_SWEPT", default_value = "roadstead-namespaces")]
    pub swept: String,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn slots_are_one_or_more_and_the_timeout_is_a_duration() {
        let parse = |arguments: &[&str]| Args::try_parse_from([&["x"], arguments].concat());
        let args = parse(&["--slots", "3", "--slot-timeout", "90s"]).unwrap();
        assert_eq!((args.slots.get(), args.slot_timeout), (3, Duration::from_secs(90)));
        assert_eq!(parse(&["--urgent-slots", "0"]).unwrap().urgent_slots, 0, "none has to be reserved");
        assert_eq!(parse(&[]).unwrap().attempts.get(), 10);
        assert!(parse(&["--slots", "0"]).is_err() && parse(&["--attempts", "0"]).is_err());
        assert!(parse(&["--slot-timeout", "soon"]).is_err());
    }

    #[test]
    fn prometheus_is_named_as_often_as_there_are_endpoints() {
        let parse = |arguments: &[&str]| Args::try_parse_from([&["x"], arguments].concat());
        let args = parse(&["--prometheus", "a=http://a,b=https://b", "--prometheus", "c=http://c"]).unwrap();
        let names: Vec<_> = args.prometheus.iter().map(|named| &*named.name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let error = parse(&["--prometheus", "http://a"]).unwrap_err().to_string();
        assert!(error.contains("NAME=VALUE"), "{error}");
    }
}
