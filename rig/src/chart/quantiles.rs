//! Quantiles: how long calls lasted on two sides, on one axis of decades.
//!
//! Must not compare. Units: nanoseconds. Errors: none; a time that is not above 0 lies at the axis's left end. Tests: `tests.rs`.

use super::mark;
use super::scale::Scale;
use super::svg::{Names, Svg, px, tick_words, word};
use super::words::{count, lines, time};

/// How long the calls of one side lasted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Side<'a> {
    /// Which side: `bare metal`, `virtio`.
    pub name: &'a str,
    /// Number of calls.
    pub n: u64,
    /// The median, nanoseconds.
    pub p50_ns: f64,
    /// What nine in ten do not exceed.
    pub p90_ns: f64,
    /// What 99 in 100 do not exceed.
    pub p99_ns: f64,
}

impl Side<'_> {
    fn times(&self) -> [f64; 3] {
        [self.p50_ns, self.p90_ns, self.p99_ns]
    }

    fn is_drawn(&self) -> bool {
        self.n > 0 && self.times().iter().all(|time| time.is_finite())
    }
}

/// One pair of cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantileRow<'a> {
    /// What was called.
    pub label: &'a str,
    /// Bare metal, then virtual.
    pub sides: [Side<'a>; 2],
}

const COLUMNS: usize = 38;
const LINE: f64 = 17.0;
const STRIP: f64 = 18.0;
/// The width of the plot on the narrowest phone.
const NARROW: f64 = 284.0;

/// Medians and tails. `id` begins all ids in it; the title says what it is, `desc` what it shows, for people who do not see it.
pub fn quantiles(id: &str, title: &str, desc: &str, rows: &[QuantileRow<'_>]) -> String {
    let scale = scale_of(rows);
    let mut svg = Svg::new();
    let mut down = 4.0;
    for row in rows {
        for line in lines(row.label, COLUMNS) {
            down += LINE;
            svg.text("c-label", 0.0, 0.0, down - 4.0, &line);
        }
        for (at, one) in row.sides.iter().enumerate() {
            svg.with("g", &[("class", format!("c-s{at}"))], |svg| down = side(svg, &scale, at, one, down));
        }
        down += 12.0;
    }
    down = axis(&mut svg, &scale, down);
    down = legend(&mut svg, down + 10.0);
    svg.framed("chart-quantiles", &Names { id, title, desc }, down + 4.0, 0.0)
}

fn scale_of(rows: &[QuantileRow<'_>]) -> Scale {
    let sides = || rows.iter().flat_map(|row| &row.sides).filter(|side| side.is_drawn());
    let times = || sides().flat_map(|side| side.times()).filter(|time| *time > 0.0);
    let (low, high) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    let (low, high) = if low <= high { (low, high) } else { (1e3, 1e6) };
    // Whole decades, so that each end has its number.
    Scale::log(10_f64.powf(low.log10().floor()), 10_f64.powf(high.log10().ceil()))
}

fn side(svg: &mut Svg, scale: &Scale, at: usize, side: &Side<'_>, top: f64) -> f64 {
    let mut down = top;
    let name = format!("{}, n = {}", side.name, count(side.n));
    let figures =
        if side.is_drawn() { side.times().map(time).join(" \u{b7} ") } else { "nothing measured".to_owned() };
    let together = name.chars().count() + figures.chars().count() + 2 <= COLUMNS + 4;
    for line in lines(&name, COLUMNS) {
        down += LINE;
        svg.text("c-n", 0.0, 0.0, down - 4.0, &line);
    }
    if together {
        svg.text("c-figures c-end", 1.0, 0.0, down - 4.0, &figures);
    } else {
        down += LINE;
        svg.text("c-figures", 0.0, 0.0, down - 4.0, &figures);
    }
    down += 1.0;
    let middle = down + STRIP / 2.0;
    svg.bar("c-strip", (0.0, 1.0), down, STRIP);
    for tick in scale.ticks(0) {
        svg.line("c-grid", (scale.share(tick), down), (scale.share(tick), down + STRIP));
    }
    if side.is_drawn() {
        let [p50, p90, p99] = side.times().map(|time| scale.share(time));
        svg.bar("c-most", (p50, p90), middle - 3.0, 6.0);
        svg.line("c-tail", (p90, middle), (p99, middle));
        svg.at(p90, middle, |svg| svg.path("c-tail", "M0-6V6"));
        svg.at(p99, middle, |svg| svg.path("c-mark c-open", shape(at)));
        svg.at(p50, middle, |svg| svg.path("c-mark", shape(at)));
    }
    down + STRIP + 2.0
}

fn shape(at: usize) -> &'static str {
    if at == 0 { mark::CIRCLE } else { mark::SQUARE }
}

fn axis(svg: &mut Svg, scale: &Scale, top: f64) -> f64 {
    svg.line("c-axis", (0.0, top), (1.0, top));
    let ticks: Vec<(f64, String)> =
        scale.ticks(0).into_iter().map(|value| (scale.share(value), time(value))).collect();
    for (share, _) in &ticks {
        svg.line("c-axis", (*share, top), (*share, top + 4.0));
    }
    tick_words(svg, &ticks, NARROW, top + 17.0);
    svg.text("c-axis-label c-middle", 0.5, 0.0, top + 35.0, "how long the call lasted");
    top + 40.0
}

fn legend(svg: &mut Svg, top: f64) -> f64 {
    let mut down = top;
    let entries = ["median", "nine in ten take no longer", "99 in 100 take no longer"];
    for (at, words) in entries.into_iter().enumerate() {
        svg.at(0.0, down + 9.0, |svg| {
            let place = [("class", word("c-s0")), ("transform", word("translate(10)"))];
            svg.with("g", &place, |svg| match at {
                0 => svg.path("c-mark", shape(0)),
                1 => svg.path("c-tail", "M0-6V6"),
                _ => svg.path("c-mark c-open", shape(0)),
            });
        });
        let at = [("class", word("c-legend")), ("x", px(26.0)), ("y", px(down + 13.0))];
        svg.words("text", &at, words);
        down += 19.0;
    }
    down
}
