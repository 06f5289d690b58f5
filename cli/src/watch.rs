//! `kubectl roadstead get --watch`: the rows, then a line for each change of one, until interrupted.

use std::{
    collections::{BTreeSet, HashMap},
    pin::pin,
};

use futures::TryStreamExt as _;
use k8s_openapi::{api::apps::v1::Deployment, jiff::Timestamp};
use kube::{
    ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};

use crate::{
    args::{Get, GetOutput},
    failure::Failure,
    get, message,
    read::Reader,
    row::{Found, Row},
    screen::Screen,
    table::Table,
};

/// What was printed, by uid.
struct Watch<'a> {
    args: &'a Get,
    reader: &'a Reader,
    screen: &'a mut Screen,
    /// Whether there was a first answer.
    answered: bool,
    table: Option<Table>,
    printed: HashMap<String, Row>,
}

/// Prints until interrupted. An outage is told once and waited for.
///
/// # Errors
/// When nothing can be read in the beginning, the user may not watch, or nothing can be printed.
pub async fn run(args: &Get, reader: &Reader, screen: &mut Screen) -> Result<(), Failure> {
    let mut watch = Watch { args, reader, screen, answered: false, table: None, printed: HashMap::new() };
    let selection = get::selection(args);
    let config = watcher::Config {
        label_selector: selection.label_selector,
        field_selector: selection.field_selector,
        ..watcher::Config::default()
    };
    let mut events = pin!(kube::runtime::watcher(reader.api::<Deployment>(), config).default_backoff());
    let (mut listed, mut away) = (Vec::new(), false);
    loop {
        let event = match events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(()),
            Err(error) => {
                watch.outage(&error, &mut away)?;
                continue;
            }
        };
        away = false;
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(deployment) => listed.push(Found::of(deployment)),
            Event::InitDone => watch.all(std::mem::take(&mut listed)).await?,
            Event::Apply(deployment) => watch.rows(vec![Found::of(deployment)]).await?,
            Event::Delete(deployment) => watch.gone(&deployment.uid().unwrap_or_default()).await?,
        }
    }
}

impl Watch<'_> {
    /// An error before anything was printed, or one that lasts, ends the watch.
    fn outage(&self, error: &watcher::Error, away: &mut bool) -> Result<(), Failure> {
        let source = match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => error,
            // The API server asks for a new list: nothing is lost.
            watcher::Error::WatchError(_) => return Ok(()),
            watcher::Error::NoResourceVersion => return Err(Failure::Api(error.to_string())),
        };
        let failure = self.reader.failure("watch Deployments", source);
        let lasts = matches!(failure, Failure::Forbidden(_) | Failure::Unauthorized(_));
        if !self.answered || lasts {
            return Err(failure);
        }
        if !std::mem::replace(away, true) {
            self.screen.note(&format!("{failure}; trying again"));
        }
        Ok(())
    }

    /// A whole list: the first one is the table, a later one (after an outage) is compared with what was printed.
    async fn all(&mut self, found: Vec<Found>) -> Result<(), Failure> {
        let here: BTreeSet<_> = found.iter().map(|found| found.row.uid.clone()).collect();
        if found.is_empty() && !self.answered {
            self.screen.note(&get::nothing(self.args, self.reader).await?);
        }
        self.answered = true;
        let gone: Vec<_> = self.printed.keys().filter(|uid| !here.contains(*uid)).cloned().collect();
        self.rows(found).await?;
        for uid in gone {
            self.gone(&uid).await?;
        }
        Ok(())
    }

    async fn rows(&mut self, found: Vec<Found>) -> Result<(), Failure> {
        let mut rows = self.reader.complete(found).await?;
        for row in &mut rows {
            // While a change rolls out, what ran before goes away; what was known of it stays.
            if let Some(before) = self.printed.get(&row.uid)
                && before.change == row.change
            {
                row.images.clone_from(&before.images);
            }
        }
        let pods = matches!(self.args.output, Some(GetOutput::Wide | GetOutput::Json));
        rows.retain(|row| !self.printed.get(&row.uid).is_some_and(|before| row.looks_like(before, pods)));
        self.print(&rows)?;
        self.reader.left_out().into_iter().for_each(|note| self.screen.note(note));
        self.printed.extend(rows.into_iter().map(|row| (row.uid.clone(), row)));
        Ok(())
    }

    /// A Deployment that has no phase any more: a last line says what became of its change.
    async fn gone(&mut self, uid: &str) -> Result<(), Failure> {
        let Some(mut row) = self.printed.remove(uid) else { return Ok(()) };
        let live = self.reader.deployment(&row.namespace, &row.name).await?;
        let live = live.filter(|live| live.metadata.uid.as_deref() == Some(uid));
        let change = row.change.as_ref().map(contract::ChangeId::as_str);
        let Some((phase, message)) = message::ended(change, live.as_ref()) else { return Ok(()) };
        row.phase = phase.to_owned();
        row.message = message.to_owned();
        if let Some(live) = live {
            row.replicas = Found::of(live).row.replicas;
        }
        self.print(&[row])
    }

    fn print(&mut self, rows: &[Row]) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let now = Timestamp::now();
        let style = get::style(self.args, self.screen);
        let mut text = String::new();
        let first = self.table.is_none();
        let table = self.table.get_or_insert_with(|| Table::fitting(rows, style, now).with_room());
        match self.args.output {
            Some(GetOutput::Json) => {
                for row in rows {
                    let line = serde_json::to_string(row)?;
                    text.extend([&line, "\n"]);
                }
            }
            Some(GetOutput::Name) => text.extend(rows.iter().map(get::name)),
            _ => {
                text.extend(first.then(|| table.header()));
                text.extend(rows.iter().map(|row| table.row(row, now)));
            }
        }
        self.screen.print(&text)
    }
}
