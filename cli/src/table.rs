//! Rows as text. Pure: what is printed follows from the rows, the style and the time.

use contract::Phase;
use k8s_openapi::jiff::Timestamp;

use crate::{age::age, images::images, row::Row};

/// What a cell says where nothing is known, as kubectl does.
const UNKNOWN: &str = "<unknown>";
/// Spaces between columns, as kubectl does.
const GAP: usize = 3;
/// How a table is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With a column for the namespace.
    pub namespaces: bool,
    /// More columns, and nothing shortened.
    pub wide: bool,
    /// The phase in colour.
    pub colour: bool,
}

/// A table whose columns stay as wide as the first rows made them.
pub struct Table {
    style: Style,
    widths: Vec<usize>,
}

impl Table {
    /// A table wide enough for these rows.
    #[must_use]
    pub fn fitting(rows: &[Row], style: Style, now: Timestamp) -> Self {
        let mut widths: Vec<_> = header(style).iter().map(|title| title.chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(cells(row, style, now)) {
                *width = (*width).max(cell.chars().count());
            }
        }
        Self { style, widths }
    }

    /// With room for every phase, because later rows have others than the first.
    #[must_use]
    pub fn with_room(mut self) -> Self {
        let longest = Phase::ALL.map(|phase| phase.as_str().len()).into_iter().max();
        let width = &mut self.widths[phase_column(self.style)];
        *width = (*width).max(longest.unwrap_or_default());
        self
    }

    /// The line of titles.
    #[must_use]
    pub fn header(&self) -> String {
        self.line(&header(self.style), None)
    }

    /// The line of one row.
    #[must_use]
    pub fn row(&self, row: &Row, now: Timestamp) -> String {
        let colour = self.style.colour.then(|| colour(row)).flatten();
        self.line(&cells(row, self.style, now), colour)
    }

    /// Padded cells; the one of the phase in colour, which has no width.
    fn line(&self, cells: &[String], colour: Option<&str>) -> String {
        let phase = phase_column(self.style);
        let mut line = String::new();
        for (index, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            match colour.filter(|_| index == phase) {
                Some(colour) => line.extend(["\x1b[", colour, "m", cell, "\x1b[0m"]),
                None => line.push_str(cell),
            }
            if index + 1 < cells.len() {
                let padding = width.saturating_sub(cell.chars().count()) + GAP;
                line.extend(std::iter::repeat_n(' ', padding));
            }
        }
        line.push('\n');
        line
    }
}

/// A whole table.
#[must_use]
pub fn table(rows: &[Row], style: Style, now: Timestamp) -> String {
    let table = Table::fitting(rows, style, now);
    let lines = rows.iter().map(|row| table.row(row, now));
    std::iter::once(table.header()).chain(lines).collect()
}

fn phase_column(style: Style) -> usize {
    if style.namespaces { 2 } else { 1 }
}

fn header(style: Style) -> Vec<String> {
    let mut titles = if style.namespaces { vec!["NAMESPACE"] } else { vec![] };
    titles.extend(["DEPLOYMENT", "PHASE", "LANE", "CHANGE", "AGE"]);
    if style.wide {
        titles.extend(["SINCE", "PODS"]);
    }
    titles.extend(["REQUESTER", "IMAGES", "MESSAGE"]);
    titles.into_iter().map(str::to_owned).collect()
}

fn cells(row: &Row, style: Style, now: Timestamp) -> Vec<String> {
    let unknown = || UNKNOWN.to_owned();
    let mut cells = if style.namespaces { vec![row.namespace.clone()] } else { vec![] };
    cells.extend([
        row.name.clone(),
        row.phase.clone(),
        row.lane.map_or_else(unknown, |lane| lane.to_string()),
        row.change.as_ref().map_or_else(unknown, ToString::to_string),
        row.since.as_ref().map_or_else(unknown, |since| age(since.0, now)),
    ]);
    if style.wide {
        cells.push(row.since.as_ref().map_or_else(unknown, |since| since.0.to_string()));
        cells.push(format!("{}/{}", row.replicas.available, row.replicas.wanted));
    }
    cells.extend([
        row.requested_by.clone().unwrap_or_else(unknown),
        images(&row.images, style.wide),
        row.message.clone(),
    ]);
    // User names and images are chosen by others: no control sequence of theirs reaches a terminal.
    cells.iter().map(|cell| cell.replace(char::is_control, "?")).collect()
}

/// SGR parameters of a phase.
fn colour(row: &Row) -> Option<&'static str> {
    match row.known_phase()? {
        Phase::Held => Some("33"),
        Phase::Released => Some("36"),
        Phase::Succeeded => Some("32"),
        Phase::Failed | Phase::RolledBack | Phase::Dead => Some("31"),
        Phase::Superseded | Phase::Cancelled => Some("2"),
    }
}

#[cfg(test)]
mod tests {
    use contract::Lane;

    use super::*;
    use crate::row::{Found, tests::held};

    fn now() -> Timestamp {
        "2026-01-01T10:03:12Z".parse().unwrap()
    }

    fn row() -> Row {
        let mut row = Found::of(held()).row;
        row.lane = Some(Lane::Bulk);
        row.remember(&[("app".to_owned(), "nginx:1".to_owned())].into());
        row
    }

    #[test]
    fn a_table_has_a_line_for_each_row() {
        let mut other = row();
        (other.name, other.lane, other.since, other.requested_by) = ("cart-api".into(), None, None, None);
        other.images = vec![];
        let drawn = table(&[row(), other], Style::default(), now());
        let expected = "\
DEPLOYMENT   PHASE   LANE        CHANGE       AGE         REQUESTER   IMAGES              MESSAGE
web          held    bulk        abcdefghij   3m12s       jane        nginx:1 → nginx:2   waits for its turn
cart-api     held    <unknown>   abcdefghij   <unknown>   <unknown>                       waits for its turn
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn namespaces_and_wide_add_columns() {
        let style = Style { namespaces: true, wide: true, colour: false };
        let drawn = table(&[row()], style, now());
        let expected = "\
NAMESPACE   DEPLOYMENT   PHASE   LANE   CHANGE       AGE     SINCE                  PODS   REQUESTER   IMAGES              MESSAGE
shop        web          held    bulk   abcdefghij   3m12s   2026-01-01T10:00:00Z   3/3    jane        nginx:1 → nginx:2   waits for its turn
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn colour_changes_no_column() {
        let plain = table(&[row()], Style::default(), now());
        let coloured = table(&[row()], Style { colour: true, ..Style::default() }, now());
        assert!(coloured.contains("\x1b[33mheld\x1b[0m    bulk"), "{coloured}");
        assert_eq!(coloured.replace("\x1b[33m", "").replace("\x1b[0m", ""), plain);
    }

    #[test]
    fn a_control_sequence_in_a_name_does_not_reach_the_terminal() {
        let mut row = row();
        row.requested_by = Some("jane\x1b[2J\n".into());
        assert!(table(&[row], Style::default(), now()).contains("jane?[2J?"));
    }
}
