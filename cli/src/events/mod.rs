//! `kubectl roadstead events`: what happens, as it is told on NATS. With `-f` it goes on until interrupted; what was
//! told while the connection was lost is caught up on where the credentials may read what was kept.

mod args;
mod line;

use std::collections::HashSet;

use contract::{
    Phase,
    stream::EVENTS,
    subject::{self, SubjectError},
};
use futures::StreamExt as _;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

pub use self::args::Events;
use self::line::{Event, Style};
use crate::{
    connection,
    failure::Failure,
    nats::{Link, Nats},
    screen::Screen,
    stop::{reader_gone, told_to_stop},
};

/// What is printed where nobody says since when.
const LAST: SignedDuration = SignedDuration::from_hours(1);
/// Clocks of servers, publishers and this machine differ by so much.
const SLACK: SignedDuration = SignedDuration::from_secs(10);

/// A tail of events.
struct Tail<'a> {
    nats: &'a Nats,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    style: Style,
    screen: &'a mut Screen,
    /// What was printed from what was kept, and may come again.
    printed: HashSet<(String, String)>,
}

/// Prints events.
///
/// # Errors
/// When there is no way to NATS, the user may not see them, or nothing can be printed.
pub async fn run(args: &Events, screen: &mut Screen) -> Result<(), Failure> {
    let connection = connection::open(&args.cluster.access, args.cluster.namespace.as_deref()).await?;
    let namespace = (!args.all_namespaces).then(|| connection.namespace.clone());
    let nats = Nats::open(&args.reach, &connection).await?;
    if let Some(own) = nats.namespace.as_ref().filter(|own| Some(*own) != namespace.as_ref()) {
        return Err(Failure::Forbidden(format!("the credentials are of namespace {own}: -n {own}")));
    }
    let style = Style { output: args.output, colour: screen.colour(), progress: args.progress };
    let (namespace, name) = (namespace.as_deref(), args.name.as_deref());
    let mut tail = Tail { nats: &nats, namespace, name, style, screen, printed: HashSet::new() };
    let since = args.since.map(|since| since.0);
    if args.follow {
        return tokio::select! {
            followed = tail.follow(since) => followed,
            stopped = told_to_stop() => Ok(stopped?),
            () = reader_gone() => Ok(()),
        };
    }
    let now = Timestamp::now();
    tail.kept(since.unwrap_or_else(|| now.checked_sub(LAST).unwrap_or(now))).await
}

impl Tail<'_> {
    /// What was kept since then.
    async fn kept(&mut self, since: Timestamp) -> Result<(), Failure> {
        if !self.nats.reads_history() {
            return Err(Failure::Forbidden(
                "the credentials are of one namespace, and see what happens from now on only: -f without --since"
                    .to_owned(),
            ));
        }
        let from = self.nats.first_since(EVENTS, since).await?;
        for stored in self.nats.kept(EVENTS, &self.filters()?, from).await? {
            if let Some(event) = Event::of(&stored.payload) {
                self.print(&event)?;
                self.printed.insert(event.key());
            }
        }
        Ok(())
    }

    async fn follow(&mut self, since: Option<Timestamp>) -> Result<(), Failure> {
        let all = subject::events(&self.nats.cluster, self.namespace, self.name, None)
            .map_err(|error| unfit(&error))?;
        let mut link = self.nats.link();
        // First, so that nothing falls between what was kept and what comes.
        let mut events = self.nats.subscribe(&all).await?;
        if let Some(since) = since {
            self.kept(since).await?;
        }
        let mut last = Timestamp::now();
        let mut losses = link.borrow_and_update().losses;
        loop {
            tokio::select! {
                message = events.next() => {
                    let Some(message) = message else {
                        return Err(Failure::Nats("the connection to NATS was closed".to_owned()));
                    };
                    last = Timestamp::now();
                    let Some(event) = Event::of(&message.payload) else { continue };
                    if !self.printed.remove(&event.key()) {
                        self.print(&event)?;
                    }
                }
                changed = link.changed() => {
                    let state = changed.map(|()| link.borrow_and_update().clone()).unwrap_or_default();
                    if let Some(refusal) = state.refusal(&all) {
                        return Err(refusal.into());
                    }
                    if !state.connected && state.losses > losses {
                        losses = state.losses;
                        self.catch_up(&mut link, last).await?;
                    }
                }
            }
        }
    }

    /// Waits for the connection to come back, and prints what was told meanwhile.
    async fn catch_up(&mut self, link: &mut watch::Receiver<Link>, last: Timestamp) -> Result<(), Failure> {
        self.screen.note("The connection to NATS is lost; trying again.");
        let gone = || Failure::Nats("the connection to NATS was closed".to_owned());
        link.wait_for(|link| link.connected).await.map_err(|_| gone())?;
        if !self.nats.reads_history() {
            self.screen.note("Connected to NATS again; what happened meanwhile cannot be shown.");
            return Ok(());
        }
        self.screen.note("Connected to NATS again.");
        self.printed.clear();
        let since = last.checked_sub(SLACK).unwrap_or(last);
        let from = self.nats.first_since(EVENTS, since).await?;
        for stored in self.nats.kept(EVENTS, &self.filters()?, from).await? {
            let Some(event) = Event::of(&stored.payload) else { continue };
            if stored.time > last {
                self.print(&event)?;
            }
            self.printed.insert(event.key());
        }
        Ok(())
    }

    /// Subjects that have nothing in common, so that they are read at the same time.
    fn filters(&self) -> Result<Vec<String>, Failure> {
        let cluster = &self.nats.cluster;
        let of = |phase| subject::events(cluster, self.namespace, self.name, Some(phase));
        let mut filters: Vec<_> =
            Phase::ALL.map(of).into_iter().collect::<Result<_, _>>().map_err(|error| unfit(&error))?;
        if self.style.progress {
            filters = vec![
                subject::events(cluster, self.namespace, self.name, None).map_err(|error| unfit(&error))?,
            ];
        }
        Ok(filters)
    }

    fn print(&mut self, event: &Event) -> Result<(), Failure> {
        match event.line(self.style) {
            Some(line) => self.screen.print(&line),
            None => Ok(()),
        }
    }
}

/// A name that no Deployment has.
fn unfit(error: &SubjectError) -> Failure {
    Failure::Usage(error.to_string())
}
