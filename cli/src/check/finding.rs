//! What a check came to, and how that is printed. Pure.

use serde::Serialize;

use crate::{
    failure::Failure,
    grid::{painted, safe},
    trouble::Trouble,
};

/// Version of the report in `-o json`.
const API_VERSION: &str = "cli.roadstead.dev/v1";

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and somebody should look.
    Warn,
    /// It does not work, or will not.
    Fail,
    /// It was not looked at.
    Skipped,
}

/// What one check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Name of the check; stable.
    pub check: &'static str,
    /// How it is.
    pub status: Status,
    /// What was seen.
    pub message: String,
    /// What to do.
    pub fix: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    api_version: &'static str,
    kind: &'static str,
    items: &'a [Finding],
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

impl Finding {
    /// All is well.
    #[must_use]
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, message: message.into(), fix: None }
    }

    /// Somebody should look.
    #[must_use]
    pub fn warn(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, status: Status::Warn, message: message.into(), fix: Some(fix.into()) }
    }

    /// It does not work.
    #[must_use]
    pub fn fail(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, status: Status::Fail, message: message.into(), fix: Some(fix.into()) }
    }

    /// It was not looked at.
    #[must_use]
    pub fn skipped(check: &'static str, message: impl Into<String>, fix: Option<String>) -> Self {
        Self { check, status: Status::Skipped, message: message.into(), fix }
    }

    /// It could not be looked at: `right` is what the user needs for it, as `get mutatingwebhookconfigurations`.
    #[must_use]
    pub fn unseen(check: &'static str, right: &str, trouble: &Trouble) -> Self {
        if trouble.is_forbidden() {
            let fix = format!("have somebody run this who may {right}");
            return Self::skipped(check, format!("you may not {right}"), Some(fix));
        }
        Self::skipped(check, format!("{right}: {trouble}"), Some("try again".to_owned()))
    }
}

/// The findings, one a line, each with what to do below.
#[must_use]
pub fn text(findings: &[Finding], colour: bool) -> String {
    let widest = findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
    let mut text = String::new();
    for Finding { check, status, message, fix } in findings {
        let (word, gap) = (status.word(), " ".repeat(10 - status.word().len()));
        let message = safe(message);
        text.extend([painted(word, colour).as_str(), &gap, &format!("{check:widest$}   {message}\n")]);
        if let Some(fix) = fix {
            text.extend([" ".repeat(10 + widest + 3).as_str(), "→ ", &safe(fix), "\n"]);
        }
    }
    text
}

/// The findings for a program.
///
/// # Errors
/// None for findings.
pub fn json(findings: &[Finding]) -> Result<String, Failure> {
    let report = Report { api_version: API_VERSION, kind: "CheckReport", items: findings };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

/// How many failed, as the exit code has to say.
///
/// # Errors
/// When one failed.
pub fn verdict(findings: &[Finding]) -> Result<(), Failure> {
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    match count(Status::Fail) {
        0 => Ok(()),
        1 => Err(Failure::Partly("1 check failed; what to do about it stands below it".to_owned())),
        failed => Err(Failure::Partly(format!("{failed} checks failed; what to do stands below each"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("version", "Kubernetes v1.37.2"),
            Finding::fail("hold-webhook", "it is\x1b[2J gone", "install it again"),
            Finding::skipped("streams", "no NATS", None),
        ]
    }

    #[test]
    fn each_finding_is_a_line_and_what_to_do_stands_below() {
        let plain = text(&findings(), false);
        assert_eq!(
            plain,
            "ok        version        Kubernetes v1.37.2\n\
             fail      hold-webhook   it is?[2J gone\n                         → install it again\n\
             skipped   streams        no NATS\n"
        );
        let coloured = text(&findings(), true);
        assert!(coloured.starts_with("\x1b[32mok\x1b[0m        version"), "{coloured}");
    }

    #[test]
    fn one_failure_is_enough_for_the_exit_code_and_nothing_less_is() {
        assert_eq!(verdict(&findings()).unwrap_err().exit(), 6);
        let skipped = [Finding::warn("a", "b", "c"), Finding::skipped("a", "b", None)];
        assert!(verdict(&skipped).is_ok());
    }

    #[test]
    fn a_program_reads_words() {
        let report: serde_json::Value = serde_json::from_str(&json(&findings()).unwrap()).unwrap();
        assert_eq!(report["kind"], "CheckReport");
        assert_eq!(report["items"][1]["status"], "fail");
        assert_eq!(report["items"][2]["fix"], serde_json::Value::Null);
    }
}
