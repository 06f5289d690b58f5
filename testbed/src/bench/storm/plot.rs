//! The plot of a storm, as SVG: how the wave rolls out on both sides, and what each urgent change took.

use std::{fmt::Write as _, time::Duration};

use super::side::Wave;

/// The picture, in pixels, and the room around each panel.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 56.0;
const PANEL: (f64, f64) = (340.0, 220.0);
const GAP: f64 = 90.0;

/// Each side's name and colour; both are told apart without colour, too: the second is dashed.
const SIDES: [(&str, &str, &str); 2] =
    [("without Roadstead", "#b3412e", ""), ("with Roadstead", "#1f6f8b", "6 3")];

/// A panel with its axes.
struct Panel {
    left: f64,
    most: (f64, f64),
    svg: String,
}

/// Draws both waves.
pub(super) fn svg(size: usize, plain: &Wave, held: &Wave) -> String {
    let waves = [plain, held];
    let seconds = plain.took().max(held.took()) * 1.05;
    let urgents = || waves.iter().flat_map(|wave| &wave.urgents);
    let slowest = urgents().map(|(_, took)| took.as_secs_f64()).fold(1.0, f64::max) * 1.1;
    #[expect(clippy::cast_precision_loss, reason = "some thousands")]
    let all = size as f64;
    let mut wave = Panel::new(LEFT, (seconds, all), "Deployments rolled out");
    let mut urgent = Panel::new(LEFT + PANEL.0 + GAP, (seconds, slowest), "an urgent change took, seconds");
    for (of, (_, colour, dashes)) in waves.iter().zip(SIDES) {
        wave.line(&of.done, colour, dashes);
        urgent.dots(&of.urgents, colour, dashes.is_empty());
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"22\" \
         font-size=\"15\">{size} Deployments changed at once, an urgent change every 15 s</text>\n{}{}{}</svg>\n",
        legend(),
        wave.svg,
        urgent.svg
    )
}

fn legend() -> String {
    let mut svg = String::new();
    let mut x = LEFT;
    for (name, colour, dashes) in SIDES {
        let _ = writeln!(
            svg,
            "<path d=\"M{x} 40h30\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-dasharray=\"{dashes}\"/>\
             <text x=\"{}\" y=\"44\">{name}</text>",
            x + 36.0
        );
        x += 170.0;
    }
    svg
}

impl Panel {
    fn new(left: f64, most: (f64, f64), title: &str) -> Self {
        let (width, height) = PANEL;
        let mut svg = format!(
            "<text x=\"{left}\" y=\"{:.0}\" fill=\"#444\">{title}</text>\n<path d=\"M{left} {TOP}v{height}h{width}\" \
             fill=\"none\" stroke=\"#444\"/>\n",
            TOP + 2.0
        );
        let panel = Self { left, most, svg: String::new() };
        for part in 0..=4 {
            let share = f64::from(part) / 4.0;
            let (x, y) = panel.place(most.0 * share, most.1 * share);
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444\">{:.0}</text>\
                 <text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\" fill=\"#444\">{:.0}</text>",
                TOP + height + 16.0,
                most.0 * share,
                left - 6.0,
                most.1 * share
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" fill=\"#444\">seconds since the first change</text>",
            left + width / 2.0,
            TOP + height + 34.0
        );
        Self { svg, ..panel }
    }

    /// Where a value stands in the picture.
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (width, height) = PANEL;
        (self.left + x / self.most.0 * width, TOP + height - y / self.most.1 * height)
    }

    /// A line that rises by one at each time.
    fn line(&mut self, times: &[Duration], colour: &str, dashes: &str) {
        let mut path = String::new();
        for (count, at) in (1_u32..).zip(times) {
            let (x, y) = self.place(at.as_secs_f64(), f64::from(count));
            let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
        }
        let _ = writeln!(
            self.svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-dasharray=\"{dashes}\"/>"
        );
    }

    /// A dot for each time and what it took.
    fn dots(&mut self, points: &[(Duration, Duration)], colour: &str, filled: bool) {
        for (at, took) in points {
            let (x, y) = self.place(at.as_secs_f64(), took.as_secs_f64());
            let fill = if filled { colour } else { "#fff" };
            let _ = writeln!(
                self.svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{fill}\" stroke=\"{colour}\" stroke-width=\"2\"/>"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_lies_within_its_panel() {
        let second = Duration::from_secs(1);
        let wave = Wave {
            done: vec![second, second * 40],
            urgents: vec![(second, second * 70)],
            drained: second,
            denied: 2.0,
        };
        let panel = Panel::new(LEFT, (42.0, 2.0), "x");
        for (x, y) in [panel.place(0.0, 0.0), panel.place(42.0, 2.0)] {
            assert!((LEFT..=LEFT + PANEL.0).contains(&x) && (TOP..=TOP + PANEL.1).contains(&y), "{x} {y}");
        }
        let svg = svg(2, &wave, &wave);
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{svg}");
    }
}
