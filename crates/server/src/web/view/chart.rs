//! Charts as SVG that the server draws: geometry in attributes, colours by class, so the content security policy stays strict.

use std::f64::consts::TAU;

use askama::{Template, filters::HtmlSafe};

use crate::web::view::part::Tone;

/// One share of a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// Its name.
    pub label: String,
    /// How many.
    pub count: u64,
    /// Its colour.
    pub tone: Tone,
    /// Where its devices are listed.
    pub href: Option<String>,
}

/// Shares of a whole as a ring, with a legend that says the same in figures.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "part/ring.html")]
pub struct Ring {
    /// What the chart is about, for screen readers.
    pub title: String,
    /// Under the figure in the middle.
    pub unit: String,
    /// In drawing order.
    pub slices: Vec<Slice>,
}

impl HtmlSafe for Ring {}

/// A piece of the ring.
#[derive(Debug, Clone, PartialEq)]
struct Arc {
    path: String,
    class: &'static str,
    title: String,
}

impl Ring {
    const RADIUS: f64 = 50.0;
    const CENTRE: f64 = 64.0;

    /// All slices together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.slices.iter().map(|slice| slice.count).sum()
    }

    /// A share in whole percent; small shares are never shown as none.
    #[must_use]
    pub fn percent(&self, slice: &Slice) -> String {
        let total = self.total();
        if total == 0 {
            return "0 %".to_owned();
        }
        match slice.count.saturating_mul(100) / total {
            0 if slice.count > 0 => "< 1 %".to_owned(),
            whole => format!("{whole} %"),
        }
    }

    fn arcs(&self) -> Vec<Arc> {
        let total = self.total() as f64;
        let mut turned = 0.0;
        let mut arcs = Vec::new();
        for slice in self.slices.iter().filter(|slice| slice.count > 0) {
            // A full circle has equal ends and would vanish, so it stops a hair earlier.
            let share = (slice.count as f64 / total).min(0.99999);
            let (from, to) = (point(turned), point(turned + share));
            let large = u8::from(share > 0.5);
            let radius = Self::RADIUS;
            arcs.push(Arc {
                path: format!(
                    "M{:.3} {:.3}A{radius} {radius} 0 {large} 1 {:.3} {:.3}",
                    from.0, from.1, to.0, to.1
                ),
                class: slice.tone.class(),
                title: format!("{}: {} ({})", slice.label, slice.count, self.percent(slice)),
            });
            turned += share;
        }
        arcs
    }
}

/// A point on the ring, by turns clockwise from the top.
fn point(turns: f64) -> (f64, f64) {
    let angle = turns * TAU;
    (
        Ring::CENTRE + Ring::RADIUS * angle.sin(),
        Ring::CENTRE - Ring::RADIUS * angle.cos(),
    )
}

/// One bar: a kind of drive, split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// The kind of drive.
    pub label: String,
    /// Its parts, from the left.
    pub parts: Vec<(Tone, String, u64)>,
}

impl Bar {
    /// All parts together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.parts.iter().map(|part| part.2).sum()
    }
}

/// A filled rectangle within a bar.
#[derive(Debug, Clone, PartialEq)]
struct Block {
    x: f64,
    width: f64,
    class: &'static str,
    title: String,
}

/// Bars of equal length, each split into shares, with a legend.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "part/bars.html")]
pub struct Bars {
    /// What the chart is about, for screen readers.
    pub title: String,
    /// From the top.
    pub bars: Vec<Bar>,
}

impl HtmlSafe for Bars {}

impl Bars {
    fn blocks(&self, bar: &Bar) -> Vec<Block> {
        let total = bar.total() as f64;
        let mut x = 0.0;
        let mut blocks = Vec::new();
        for (tone, label, count) in bar.parts.iter().filter(|part| part.2 > 0) {
            let width = *count as f64 / total * 100.0;
            blocks.push(Block {
                x,
                width,
                class: tone.class(),
                title: format!("{}: {label} {count}", bar.label),
            });
            x += width;
        }
        blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(counts: &[u64]) -> Ring {
        let slices = counts
            .iter()
            .map(|&count| Slice {
                label: "x".to_owned(),
                count,
                tone: Tone::Good,
                href: None,
            })
            .collect();
        Ring {
            title: String::new(),
            unit: String::new(),
            slices,
        }
    }

    #[test]
    fn a_quarter_ends_where_the_next_begins() {
        let arcs = ring(&[1, 1, 2]).arcs();
        assert_eq!(arcs[0].path, "M64.000 14.000A50 50 0 0 1 114.000 64.000");
        assert!(arcs[1].path.starts_with("M114.000 64.000"), "{}", arcs[1].path);
    }

    #[test]
    fn a_single_share_still_draws_a_circle() {
        let arcs = ring(&[7]).arcs();
        assert_eq!(arcs.len(), 1);
        assert!(!arcs[0].path.ends_with("64.000 14.000"), "{}", arcs[0].path);
    }

    #[test]
    fn one_in_a_thousand_is_not_called_zero_percent() {
        let ring = ring(&[1, 999]);
        assert_eq!(ring.percent(&ring.slices[0]), "< 1 %");
        assert_eq!(ring.percent(&ring.slices[1]), "99 %");
    }
}
