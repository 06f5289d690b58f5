//! A table of cells: columns as wide as their widest cell, one of them in colour. Pure. What others chose is made safe
//! for a terminal here.

/// What a cell says where nothing is known, as kubectl does.
pub const UNKNOWN: &str = "<unknown>";
/// Spaces between columns, as kubectl does.
const GAP: usize = 3;

/// One row: its cells, and the colour of one of them.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The cells.
    pub cells: Vec<String>,
    /// Index of the cell in colour, and the parameters of the SGR sequence.
    pub colour: Option<(usize, &'static str)>,
}

/// The table, titles first.
#[must_use]
pub fn grid(titles: &[&str], lines: Vec<Line>) -> String {
    let header = Line { cells: titles.iter().map(|title| (*title).to_owned()).collect(), colour: None };
    let lines: Vec<_> = std::iter::once(header).chain(lines).map(Line::safe).collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.cells.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..titles.len()).map(width).collect();
    lines.iter().map(|line| line.draw(&widths)).collect()
}

/// Without what would move the cursor or end a line.
#[must_use]
pub fn safe(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// SGR parameters of a phase or of what a check came to; `None` for what has none.
#[must_use]
pub fn colour(word: &str) -> Option<&'static str> {
    match word {
        "held" | "warn" => Some("33"),
        "released" => Some("36"),
        "succeeded" | "ok" => Some("32"),
        "failed" | "rolledback" | "dead" | "fail" => Some("31"),
        "superseded" | "cancelled" | "skipped" => Some("2"),
        _ => None,
    }
}

/// A word in its colour, where colour is wanted.
#[must_use]
pub fn painted(word: &str, wanted: bool) -> String {
    match colour(word).filter(|_| wanted) {
        Some(colour) => format!("\x1b[{colour}m{word}\x1b[0m"),
        None => safe(word),
    }
}

impl Line {
    fn safe(self) -> Self {
        Self { cells: self.cells.iter().map(|cell| safe(cell)).collect(), ..self }
    }

    fn draw(&self, widths: &[usize]) -> String {
        let mut text = String::new();
        for (column, cell) in self.cells.iter().enumerate() {
            match self.colour.filter(|(index, _)| *index == column) {
                Some((_, colour)) => text.extend(["\x1b[", colour, "m", cell, "\x1b[0m"]),
                None => text.push_str(cell),
            }
            if column + 1 < self.cells.len() {
                let width = widths.get(column).copied().unwrap_or_default();
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + GAP));
            }
        }
        text.push('\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(cells: [&str; 3]) -> Line {
        Line { cells: cells.map(str::to_owned).to_vec(), colour: None }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_colour_has_no_width() {
        let lines = || vec![line(["web", "held", "a"]), line(["cart-api", "dead", "b"])];
        let plain = grid(&["NAME", "PHASE", "X"], lines());
        assert_eq!(plain, "NAME       PHASE   X\nweb        held    a\ncart-api   dead    b\n");
        let mut coloured = lines();
        coloured[1].colour = colour("dead").map(|colour| (1, colour));
        let coloured = grid(&["NAME", "PHASE", "X"], coloured);
        assert_eq!(coloured.replace("\x1b[31m", "").replace("\x1b[0m", ""), plain);
    }

    #[test]
    fn a_control_sequence_does_not_reach_the_terminal() {
        assert_eq!(grid(&["A"], vec![line(["x\x1b[2J\n", "", ""])]), "A\nx?[2J?      \n");
        assert_eq!(painted("\x07", true), "?");
    }
}
