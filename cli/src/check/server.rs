//! The API server: whether its version is one of those that Roadstead is tested with, and whether its clock is ours.

use k8s_openapi::{apimachinery::pkg::version::Info, jiff::Timestamp, jiff::fmt::rfc2822};
use kube::{Client, api::GetParams, client::Body, core::Request};

use super::finding::Finding;
use crate::{
    connection::Connection,
    failure::{Attempt, Failure},
    trouble::{Trouble, within},
};

/// Minor versions that are tested (docs/install.md).
const TESTED: std::ops::RangeInclusive<u32> = 34..=37;
/// Seconds by which clocks may differ before somebody should look, and before certificates and tokens stop being valid.
const SKEW: (i64, i64) = (10, 300);

/// Looks at both.
///
/// # Errors
/// When nobody answers, or nobody knows who asks: then nothing else can be looked at either.
pub async fn look(connection: &Connection) -> Result<Vec<Finding>, Failure> {
    let Connection { client, server, .. } = connection;
    let info = match within(client.apiserver_version()).await {
        Ok(info) => info,
        Err(Trouble::Api(error)) => {
            return Err(Failure::of(&error, Attempt { what: "get the version", namespace: None, server }));
        }
        Err(trouble) => {
            return Err(Failure::Unreachable { server: server.clone(), cause: trouble.to_string() });
        }
    };
    let skew = match within(skew(client)).await {
        Ok(Some(skew)) => clock(skew),
        Ok(None) => Finding::skipped("clock", "the API server does not say what time it is", None),
        Err(trouble) => Finding::unseen("clock", "get /version", &trouble),
    };
    Ok(vec![version(&info), skew])
}

/// A version as `37` or `37+`.
fn version(info: &Info) -> Finding {
    let minor = info.minor.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse::<u32>();
    let (first, last) = (TESTED.start(), TESTED.end());
    let said = format!("Kubernetes {}", info.git_version);
    match minor {
        Ok(minor) if info.major == "1" && TESTED.contains(&minor) => Finding::ok("version", said),
        Ok(minor) if info.major == "1" && minor < *first => Finding::fail(
            "version",
            format!("{said} is older than 1.{first}, the first that Roadstead works with"),
            "upgrade the cluster",
        ),
        _ => Finding::warn(
            "version",
            format!("{said} is newer than 1.{last}, the last that Roadstead is tested with"),
            "look for a newer Roadstead, and try it on a cluster for tests: kubectl roadstead self-test",
        ),
    }
}

/// Seconds by which the API server is ahead.
async fn skew(client: &Client) -> kube::Result<Option<i64>> {
    let request =
        Request::new("").get("version", &GetParams::default()).map_err(kube::Error::BuildRequest)?;
    let before = Timestamp::now();
    let response = client.send(request.map(Body::from)).await?;
    let here = before.as_second().midpoint(Timestamp::now().as_second());
    let date = response.headers().get("date").and_then(|date| date.to_str().ok());
    let there = date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
    Ok(there.map(|there| there.as_second() - here))
}

fn clock(skew: i64) -> Finding {
    let side = if skew < 0 { "behind" } else { "ahead of" };
    let said = format!("the API server's clock is {} s {side} that of this machine", skew.abs());
    let fix = "compare both with a time server: timedatectl";
    match skew.abs() {
        0..=1 => Finding::ok("clock", "the API server's clock is that of this machine"),
        apart if apart < SKEW.0 => Finding::ok("clock", said),
        apart if apart < SKEW.1 => Finding::warn("clock", said, fix),
        _ => Finding::fail("clock", format!("{said}: certificates and tokens are refused"), fix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status;

    #[test]
    fn a_version_is_tested_or_said_to_be_not() {
        for (major, minor, status) in [
            ("1", "34", Status::Ok),
            ("1", "37+", Status::Ok),
            ("1", "33", Status::Fail),
            ("1", "38", Status::Warn),
            ("2", "0", Status::Warn),
        ] {
            let info = Info { major: major.into(), minor: minor.into(), ..Info::default() };
            assert_eq!(version(&info).status, status, "{major}.{minor}");
        }
    }

    #[test]
    fn clocks_that_differ_are_told_before_they_hurt() {
        for (skew, status) in [(0, Status::Ok), (-5, Status::Ok), (11, Status::Warn), (-400, Status::Fail)] {
            assert_eq!(clock(skew).status, status, "{skew}");
        }
        assert!(clock(-5).message.contains("5 s behind"));
    }
}
