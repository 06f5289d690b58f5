//! `kubectl roadstead thaw`: a freeze ends before its time. Without a name it says which freezes there are.

use k8s_openapi::jiff::Timestamp;
use kube::{
    ResourceExt as _,
    api::{DeleteParams, DynamicObject, ListParams},
};
use policy::resource::FreezeSpec;

use super::{
    args,
    scope::{Kind, Scope},
};
use crate::{
    failure::Failure,
    read::pages,
    screen::Screen,
    steer::{
        args::DryRun,
        desk::Desk,
        done::{Done, Report},
    },
    trouble::within,
};

/// Ends freezes, or lists them.
///
/// # Errors
/// When there is no such freeze, none was named, or the user may not.
pub async fn run(args: &args::Thaw, screen: &mut Screen) -> Result<(), Failure> {
    let desk = Desk::open(&args.manner).await?;
    let scope = Scope::of(args.cluster);
    if args.names.is_empty() {
        if args.manner.output.is_some() {
            let listed =
                "-o is for what is done, and nothing is named; for programs: kubectl get freezes -o json";
            return Err(Failure::Usage(listed.to_owned()));
        }
        return list(&desk, scope, screen).await;
    }
    let mut report = Report::new(screen, args.manner.output, args.manner.dry_run, args.names.len());
    for name in &args.names {
        let done = end(&desk, scope, name).await;
        report.settle(done, &desk.warnings.take())?;
    }
    report.end()
}

/// Ends one freeze.
///
/// # Errors
/// When it is not there, or the user may not.
pub async fn end(desk: &Desk, scope: Scope, name: &str) -> Result<Done, Failure> {
    let (api, flag) = (scope.api(desk, Kind::Freeze), scope.flag(desk));
    let what = format!("thaw {name} in {}", scope.called(desk));
    let ended = if desk.dry_run == DryRun::Client {
        within(api.get(name)).await.map(drop)
    } else {
        let parameters =
            DeleteParams { dry_run: desk.dry_run == DryRun::Server, ..DeleteParams::background() };
        within(api.delete(name, &parameters)).await.map(drop)
    };
    match ended {
        Ok(()) => Ok(Done {
            resource: scope.resource(Kind::Freeze),
            namespace: scope.namespace(desk),
            name: name.to_owned(),
            change: None,
            did: "deleted",
            message: "what waited for it goes on, unless something else lets it wait".to_owned(),
        }),
        Err(trouble) => Err(match scope.failure(desk, &what, trouble) {
            Failure::NotFound(told) => {
                Failure::NotFound(format!("{told}; which there are: kubectl roadstead thaw {flag}"))
            }
            failure => failure,
        }),
    }
}

async fn list(desk: &Desk, scope: Scope, screen: &mut Screen) -> Result<(), Failure> {
    let mut freezes = Vec::new();
    let api = scope.api(desk, Kind::Freeze);
    let listed = within(pages(&api, ListParams::default(), |freeze| freezes.push(freeze))).await;
    listed.map_err(|trouble| scope.failure(desk, "list freezes", trouble))?;
    if freezes.is_empty() {
        screen.note(&format!("No freezes in {}.", scope.called(desk)));
        return Ok(());
    }
    let now = Timestamp::now();
    screen.print(&table(&freezes, now))?;
    Err(Failure::Usage(format!("say which is to end: kubectl roadstead thaw NAME {}", scope.flag(desk))))
}

fn table(freezes: &[DynamicObject], now: Timestamp) -> String {
    let title = ["NAME", "HOLDS", "UNTIL", "OWNER", "REASON"].map(str::to_owned);
    let rows: Vec<_> = std::iter::once(title).chain(freezes.iter().map(|freeze| row(freeze, now))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let line = |row: &[String; 5]| {
        let cells =
            row.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}   ", width = width(column)));
        cells.collect::<String>().trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Reasons and owners are written by others: no control sequence of theirs reaches a terminal.
fn row(freeze: &DynamicObject, now: Timestamp) -> [String; 5] {
    let name = freeze.name_any();
    let cells = match serde_json::from_value::<FreezeSpec>(freeze.data["spec"].clone()) {
        Ok(spec) => {
            let holds = match spec.from.filter(|from| from.0 > now) {
                Some(from) => format!("from {}", from.0),
                None if spec.until.0 > now => "now".to_owned(),
                None => "no more".to_owned(),
            };
            [name, holds, spec.until.0.to_string(), spec.owner, spec.reason]
        }
        Err(_) => [name, "<unknown>".to_owned(), "<unknown>".to_owned(), String::new(), String::new()],
    };
    cells.map(|cell| cell.replace(char::is_control, "?"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn freeze(name: &str, spec: Value) -> DynamicObject {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
    }

    #[test]
    fn a_table_says_what_holds_now_until_when_and_whom_to_ask() {
        let spec = |from: Value, until: &str| json!({"reason": "sale\x1b[2J", "owner": "ann", "from": from, "until": until});
        let freezes = [
            freeze("a", spec(Value::Null, "2027-01-01T00:00:00Z")),
            freeze("b", spec(json!("2026-12-24T00:00:00Z"), "2027-01-01T00:00:00Z")),
            freeze("c", spec(Value::Null, "2026-11-01T00:00:00Z")),
            freeze("newer", json!({"while": "unknown"})),
        ];
        assert_eq!(
            table(&freezes, "2026-12-01T00:00:00Z".parse().unwrap()),
            "NAME    HOLDS                       UNTIL                  OWNER   REASON\n\
             a       now                         2027-01-01T00:00:00Z   ann     sale?[2J\n\
             b       from 2026-12-24T00:00:00Z   2027-01-01T00:00:00Z   ann     sale?[2J\n\
             c       no more                     2026-11-01T00:00:00Z   ann     sale?[2J\n\
             newer   <unknown>                   <unknown>\n"
        );
    }
}
