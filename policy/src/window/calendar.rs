//! The windows of a policy together: with allow windows one of them must be open, and no freeze window may be. The
//! answer is kept until the next edge, because thousands of changes ask at a time.

use std::{
    ops::Deref,
    sync::{Mutex, PoisonError},
};

use super::{UnixMillis, Window};
use crate::resource::WindowKind;

/// Edges that are looked at for the moment when all windows let go: more than a year of daily ones.
const EDGES: usize = 400;

/// How long an answer counts where no edge is known.
const UNKNOWN: UnixMillis = 60_000;

/// The windows of a policy.
#[derive(Debug, Default)]
pub struct Calendar {
    windows: Vec<Window>,
    /// The last answer for changes that are not urgent, and for those that are.
    kept: [Mutex<Option<Kept>>; 2],
}

/// Windows that let a change wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Which of the windows is in the way, by its index: the freeze window that lasts longest, else the allow window that
    /// opens first.
    pub window: usize,
    /// The earliest moment at which all of them let go; `None`: none is known.
    pub until: Option<UnixMillis>,
}

/// An answer, and from when to when it holds.
#[derive(Clone, Copy, Debug)]
struct Kept {
    from: UnixMillis,
    to: UnixMillis,
    shut: Option<Shut>,
}

/// What is in the way at a moment, and when that is over.
struct Look {
    in_the_way: Option<Shut>,
    /// The next edge of any window.
    edge: Option<UnixMillis>,
}

impl Calendar {
    /// What the windows say of a change: `None` lets it through.
    #[must_use]
    pub fn shut(&self, now: UnixMillis, urgent: bool) -> Option<Shut> {
        if self.windows.is_empty() {
            return None;
        }
        let mut kept = self.kept[usize::from(urgent)].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.filter(|kept| (kept.from..kept.to).contains(&now)) {
            return kept.shut;
        }
        let look = self.look(now, urgent);
        let shut = look.in_the_way.map(|shut| Shut { until: self.earliest(shut.until, urgent), ..shut });
        let to = look.edge.unwrap_or_else(|| now.saturating_add(UNKNOWN));
        *kept = Some(Kept { from: now, to, shut });
        shut
    }

    /// The first moment, from one on, at which nothing is in the way.
    fn earliest(&self, from: Option<UnixMillis>, urgent: bool) -> Option<UnixMillis> {
        let mut moment = from?;
        for _ in 0..EDGES {
            match self.look(moment, urgent).in_the_way {
                None => return Some(moment),
                Some(shut) => moment = shut.until.filter(|until| *until > moment)?,
            }
        }
        None
    }

    fn look(&self, moment: UnixMillis, urgent: bool) -> Look {
        let passes = |window: &Window| urgent && window.allow_urgent;
        let (mut freeze, mut opening) = (None::<Shut>, None::<Shut>);
        let (mut allowed, mut edge) = (false, Some(UnixMillis::MAX));
        for (at, window) in self.windows.iter().enumerate() {
            if window.kind == WindowKind::Freeze && passes(window) {
                continue;
            }
            let state = window.at(moment);
            edge = edge.zip(state.until).map(|(one, other)| one.min(other));
            let shut = Shut { window: at, until: state.until };
            let end = |shut: Shut| shut.until.unwrap_or(UnixMillis::MAX);
            match window.kind {
                WindowKind::Freeze if state.open && freeze.is_none_or(|other| end(shut) > end(other)) => {
                    freeze = Some(shut);
                }
                WindowKind::Freeze => {}
                WindowKind::Allow => {
                    allowed |= state.open || passes(window);
                    if opening.is_none_or(|other| end(shut) < end(other)) {
                        opening = Some(shut);
                    }
                }
            }
        }
        Look { in_the_way: freeze.or_else(|| opening.filter(|_| !allowed)), edge }
    }
}

impl From<Vec<Window>> for Calendar {
    fn from(windows: Vec<Window>) -> Self {
        Self { windows, kept: Default::default() }
    }
}

impl Deref for Calendar {
    type Target = [Window];

    fn deref(&self) -> &[Window] {
        &self.windows
    }
}
