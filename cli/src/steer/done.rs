//! What was done, an object a line, as kubectl says it; and what could not be.

use contract::ChangeId;
use serde::Serialize;

use super::args::{DryRun, Output};
use crate::{failure::Failure, screen::Screen};

/// What was done to one object; `-o json` prints exactly these fields, and whether it was a dry run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Done {
    /// Resource and group of the object: `deployment.apps`.
    pub resource: &'static str,
    /// Its namespace; `None` for those of the cluster.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The change that stands there now.
    pub change: Option<ChangeId>,
    /// One word: `approved`, `released`, …
    pub did: &'static str,
    /// A sentence for people; it may change.
    pub message: String,
}

/// Tells of a verb's work on several objects, and of what it comes to in the end.
pub struct Report<'a> {
    screen: &'a mut Screen,
    output: Option<Output>,
    dry_run: DryRun,
    /// How many objects there are.
    objects: usize,
    done: Vec<Done>,
    failures: Vec<Failure>,
}

/// What `-o json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<'a> {
    api_version: &'static str,
    kind: &'static str,
    dry_run: &'static str,
    items: &'a [Done],
}

impl<'a> Report<'a> {
    /// A report of so many objects.
    pub fn new(screen: &'a mut Screen, output: Option<Output>, dry_run: DryRun, objects: usize) -> Self {
        Self { screen, output, dry_run, objects, done: vec![], failures: vec![] }
    }

    /// Tells of one object.
    ///
    /// # Errors
    /// When nothing can be told or done any more.
    pub fn settle(&mut self, did: Result<Done, Failure>, warnings: &[String]) -> Result<(), Failure> {
        for warning in warnings {
            self.screen.note(&format!("Warning: {warning}"));
        }
        match did {
            Ok(done) => {
                if let Some(line) = line(&done, self.output, self.dry_run) {
                    self.screen.print(&line)?;
                }
                self.done.push(done);
            }
            Err(failure @ (Failure::Unreachable { .. } | Failure::Unauthorized(_))) => {
                self.list()?;
                return Err(failure);
            }
            Err(failure) => {
                if self.objects > 1 {
                    self.screen.failure(&failure);
                }
                self.failures.push(failure);
            }
        }
        Ok(())
    }

    /// Ends the report.
    ///
    /// # Errors
    /// The failure of the only object, or how many of several were not done.
    pub fn end(mut self) -> Result<(), Failure> {
        self.list()?;
        match (self.failures.pop(), self.objects) {
            (None, _) => Ok(()),
            (Some(failure), 1) => Err(failure),
            (Some(_), objects) => {
                let left = self.failures.len() + 1;
                Err(Failure::Partly(format!("{left} of {objects} were not done: see above")))
            }
        }
    }

    /// For programs: all that was done, also where it goes no further.
    fn list(&mut self) -> Result<(), Failure> {
        if self.output != Some(Output::Json) {
            return Ok(());
        }
        let list = List {
            api_version: "cli.roadstead.dev/v1",
            kind: "ActionList",
            dry_run: word(self.dry_run),
            items: &self.done,
        };
        let text = serde_json::to_string_pretty(&list)? + "\n";
        self.screen.print(&text)
    }
}

/// The line of one object. Names of users and images are chosen by others: no control sequence of theirs reaches a terminal.
fn line(done: &Done, output: Option<Output>, dry_run: DryRun) -> Option<String> {
    let Done { resource, name, did, message, .. } = done;
    let line = match output {
        Some(Output::Json) => return None,
        Some(Output::Name) => format!("{resource}/{name}"),
        None => {
            let dry = match dry_run {
                DryRun::None => String::new(),
                dry => format!(" ({} dry run)", word(dry)),
            };
            format!("{resource}/{name} {did}{dry}: {message}")
        }
    };
    Some(line.replace(char::is_control, "?") + "\n")
}

fn word(dry_run: DryRun) -> &'static str {
    match dry_run {
        DryRun::None => "none",
        DryRun::Server => "server",
        DryRun::Client => "client",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done() -> Done {
        Done {
            resource: "deployment.apps",
            namespace: Some("shop".into()),
            name: "web".into(),
            change: None,
            did: "approved",
            message: "by \x1b[2Jann".into(),
        }
    }

    #[test]
    fn a_line_reads_as_kubectl_writes_it_and_carries_no_control_sequence() {
        for (output, dry_run, text) in [
            (None, DryRun::None, Some("deployment.apps/web approved: by ?[2Jann\n")),
            (None, DryRun::Server, Some("deployment.apps/web approved (server dry run): by ?[2Jann\n")),
            (Some(Output::Name), DryRun::None, Some("deployment.apps/web\n")),
            (Some(Output::Json), DryRun::None, None),
        ] {
            assert_eq!(line(&done(), output, dry_run).as_deref(), text);
        }
    }

    #[test]
    fn one_object_fails_as_it_does_and_of_several_it_is_said_how_many() {
        let ended = |objects, fail: usize| {
            let mut screen = Screen::standard();
            let mut report = Report::new(&mut screen, Some(Output::Name), DryRun::None, objects);
            for _ in 0..fail {
                report.settle(Err(Failure::NotFound("no".into())), &[]).unwrap();
            }
            report.end()
        };
        assert!(ended(1, 0).is_ok());
        assert_eq!(ended(1, 1).unwrap_err().exit(), 3);
        let several = ended(3, 2).unwrap_err();
        assert_eq!((several.exit(), several.to_string()), (6, "2 of 3 were not done: see above".to_owned()));
    }
}
