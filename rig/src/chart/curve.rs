//! Curves: how a share changes with a delay or a number, one line per series, with its band.
//!
//! Must not estimate. Units: nanoseconds or a plain number along, shares of 1 up (per cent on the axis). Errors: none; a point that is not finite is not drawn.
//! The axis has decades; 0, which has no place among them, stands left of a break. That of nights has equal steps. Tests: `tests.rs`.

use std::fmt::Write as _;

use super::mark;
use super::scale::{Scale, round_step};
use super::svg::{Names, Svg, figure, px, tick_words, word};
use super::words::{count, cut, lines, percent, significant, time};

/// What the numbers along the axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A time in nanoseconds.
    Nanoseconds,
    /// A number of things.
    Number,
    /// Nights, counted from 1: equal steps, no decades.
    Nights,
}

/// The axis along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XAxis<'a> {
    /// What is varied: `delay between the last byte and the reset`.
    pub label: &'a str,
    /// In what it is given.
    pub unit: Unit,
}

/// What was measured at one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The place, 0 or more, in the axis's unit.
    pub x: f64,
    /// The share, of 1.
    pub share: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end of its interval.
    pub high: f64,
    /// In how many trials.
    pub n: u64,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series<'a> {
    /// Its name, the same in the legend and at its end.
    pub label: &'a str,
    /// Its points, in any order.
    pub points: Vec<Point>,
}

/// Height of the plot, and where it begins.
const HEIGHT: f64 = 240.0;
const TOP: f64 = 30.0;
/// The break of the axis: 0 lies at its left, decades from its right on.
const BROKEN: f64 = 0.12;
/// The width of the plot on the narrowest phone, with names at its right and without.
const NARROW: f64 = 178.0;
const NARROW_ALONE: f64 = 254.0;
/// Characters of a name at the end of its line.
const NAME: usize = 12;
/// Line styles in the style sheet; a further series has the first one's again, with another shape.
const STYLES: usize = 6;
const SHAPES: [&str; 7] = [
    mark::CIRCLE,
    mark::SQUARE,
    mark::TRIANGLE,
    mark::DIAMOND,
    mark::TRIANGLE_DOWN,
    mark::HEXAGON,
    mark::BARRED,
];

/// Where things lie in this chart.
struct Plot {
    along: Scale,
    up: Scale,
    /// Where 0 lies, if a point is there.
    zero: bool,
    unit: Unit,
}

impl Plot {
    fn of(unit: Unit, series: &[Series<'_>]) -> Self {
        let points = || series.iter().flat_map(|one| &one.points).filter(|point| is_drawn(point));
        let above = || points().map(|point| point.x).filter(|x| *x > 0.0);
        let (low, high) = (above().fold(f64::INFINITY, f64::min), above().fold(0.0, f64::max));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 10.0) };
        let most = points().map(|point| point.high.max(point.share)).fold(0.0, f64::max).clamp(1e-6, 1.0);
        let step = round_step(most / 4.0);
        let up = Scale::linear(0.0, ((most / step - 1e-9).ceil() * step).min(1.0));
        let zero = points().any(|point| point.x == 0.0);
        let along = match unit {
            Unit::Nanoseconds | Unit::Number => Scale::log(low, high),
            Unit::Nights => Scale::linear(low, high),
        };
        Self { along, up, zero, unit }
    }

    fn x(&self, x: f64) -> f64 {
        let first = if self.zero { BROKEN } else { 0.02 };
        if x <= 0.0 { 0.02 } else { first + (0.98 - first) * self.along.share(x) }
    }

    /// Pixels below the top of the plot.
    fn y(&self, share: f64) -> f64 {
        HEIGHT * (1.0 - self.up.share(share))
    }

    /// Where numbers stand along the axis.
    fn ticks(&self) -> Vec<f64> {
        let ticks = self.along.ticks(5).into_iter();
        // There is no half night.
        ticks.filter(|x| self.unit != Unit::Nights || (x - x.round()).abs() < 1e-9).collect()
    }

    fn written(&self, x: f64) -> String {
        match self.unit {
            Unit::Nanoseconds => time(x),
            Unit::Number if x >= 1_000.0 => count(x.round() as u64),
            Unit::Nights => count(x.round() as u64),
            Unit::Number => significant(x, 3),
        }
    }
}

fn is_drawn(point: &Point) -> bool {
    [point.x, point.share, point.low, point.high].iter().all(|number| number.is_finite()) && point.x >= 0.0
}

/// Curves with bands. `id` begins all ids in it; the title says what it is, `desc` what it shows, for people who do not see it.
pub fn curve(id: &str, title: &str, desc: &str, x_axis: XAxis<'_>, series: &[Series<'_>]) -> String {
    let plot = Plot::of(x_axis.unit, series);
    let mut svg = Svg::new();
    let alone = series.len() < 2;
    let down = axes(&mut svg, &plot, x_axis.label, if alone { NARROW_ALONE } else { NARROW });
    let sorted: Vec<Vec<Point>> = series.iter().map(in_order).collect();
    svg.stretched((TOP, HEIGHT), |svg| {
        for (at, points) in sorted.iter().enumerate() {
            bands(svg, &plot, at, points);
        }
        for (at, points) in sorted.iter().enumerate() {
            svg.path(&format!("c-curve {}", class(at)), &trace(&plot, points));
        }
    });
    for (at, points) in sorted.iter().enumerate() {
        marks(&mut svg, &plot, at, (series[at].label, points));
    }
    if !alone {
        names(&mut svg, &plot, series, &sorted);
    }
    let down = legend(&mut svg, series, down + 10.0);
    svg.framed(
        if alone { "chart-curve c-alone" } else { "chart-curve" },
        &Names { id, title, desc },
        down + 4.0,
        0.0,
    )
}

fn in_order(series: &Series<'_>) -> Vec<Point> {
    let mut points: Vec<Point> = series.points.iter().copied().filter(is_drawn).collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    points
}

fn class(at: usize) -> String {
    format!("c-s{}", at % STYLES)
}

fn axes(svg: &mut Svg, plot: &Plot, label: &str, narrow: f64) -> f64 {
    let bottom = TOP + HEIGHT;
    for share in plot.up.ticks(4) {
        let down = TOP + plot.y(share);
        svg.line(if share == 0.0 { "c-axis" } else { "c-grid" }, (0.0, down), (1.0, down));
        svg.text("c-tick c-end", 0.0, -7.0, down + 4.0, &figure(share * 100.0));
    }
    svg.text("c-axis-label", 0.0, -38.0, TOP - 16.0, "% of trials");
    let mut ticks: Vec<(f64, String)> =
        plot.ticks().into_iter().map(|x| (plot.x(x), plot.written(x))).collect();
    if ticks.len() < 2 {
        // Less than a decade: its two ends.
        ticks = [plot.along.low(), plot.along.high()].map(|x| (plot.x(x), plot.written(x))).to_vec();
    }
    if plot.zero {
        ticks.insert(0, (plot.x(0.0), "0".to_owned()));
        svg.at((plot.x(0.0) + BROKEN) / 2.0, bottom, |svg| {
            svg.path("c-break", "M-5 5L-1-5H5L1 5z");
            svg.path("c-axis", "M-5 5L-1-5M1 5L5-5");
        });
    }
    for (share, _) in &ticks {
        svg.line("c-axis", (*share, bottom), (*share, bottom + 4.0));
    }
    tick_words(svg, &ticks, narrow, bottom + 18.0);
    let mut down = bottom + 22.0;
    for line in lines(label, 34) {
        down += 15.0;
        svg.text("c-axis-label c-middle", 0.5, 0.0, down, &line);
    }
    down
}

/// Thousandths across and pixels down.
fn place(plot: &Plot, x: f64, share: f64) -> String {
    format!("{} {}", px(plot.x(x) * 1000.0), px(plot.y(share)))
}

/// The line; what lies at 0 is not joined to it across the break.
fn trace(plot: &Plot, points: &[Point]) -> String {
    let mut data = String::new();
    for point in points.iter().filter(|point| point.x > 0.0) {
        let _ =
            write!(data, "{}{}", if data.is_empty() { 'M' } else { 'L' }, place(plot, point.x, point.share));
    }
    if data.is_empty() { "M0 0".to_owned() } else { data }
}

fn bands(svg: &mut Svg, plot: &Plot, at: usize, points: &[Point]) {
    let joined: Vec<&Point> = points.iter().filter(|point| point.x > 0.0).collect();
    if joined.len() > 1 {
        let highs = joined.iter().map(|point| place(plot, point.x, point.high));
        let lows = joined.iter().rev().map(|point| place(plot, point.x, point.low));
        let outline: Vec<String> = highs.chain(lows).collect();
        svg.path(&format!("c-band {}", class(at)), &format!("M{}z", outline.join("L")));
    }
}

fn marks(svg: &mut Svg, plot: &Plot, at: usize, (label, points): (&str, &[Point])) {
    let joined = points.iter().filter(|point| point.x > 0.0).count() > 1;
    svg.with("g", &[("class", class(at))], |svg| {
        for point in points {
            let share = plot.x(point.x);
            if point.x == 0.0 || !joined {
                let ends = [point.low, point.high].map(|end| TOP + plot.y(end));
                svg.line("c-whisker", (share, ends[0]), (share, ends[1]));
            }
            svg.at(share, TOP + plot.y(point.share), |svg| {
                svg.with("g", &[("class", word("c-dot"))], |svg| {
                    svg.words("title", &[], &told(plot, label, point));
                    svg.path("c-mark", SHAPES[at % SHAPES.len()]);
                });
            });
        }
    });
}

/// What a pointer that rests on a point shows.
fn told(plot: &Plot, label: &str, point: &Point) -> String {
    let Point { x, share, low, high, n } = point;
    let (x, n) = (plot.written(*x), count(*n));
    format!("{label}, {x}: {} ({} to {}), n = {n}", percent(*share), percent(*low), percent(*high))
}

/// Each line's name at its right end, moved down where it would lie on another one.
fn names(svg: &mut Svg, plot: &Plot, series: &[Series<'_>], sorted: &[Vec<Point>]) {
    const APART: f64 = 15.0;
    let ends = sorted.iter().enumerate().filter_map(|(at, points)| Some((at, plot.y(points.last()?.share))));
    let mut ends: Vec<(usize, f64)> = ends.collect();
    ends.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    let mut last = f64::NEG_INFINITY;
    for (_, down) in &mut ends {
        *down = down.max(last + APART);
        last = *down;
    }
    let mut below = HEIGHT + APART;
    for (_, down) in ends.iter_mut().rev() {
        *down = down.min(below - APART);
        below = *down;
    }
    for (at, down) in ends {
        let words = format!("c-name {}", class(at));
        svg.text(&words, 1.0, 4.0, TOP + down + 4.0, &cut(series[at].label, NAME));
    }
}

fn legend(svg: &mut Svg, series: &[Series<'_>], top: f64) -> f64 {
    let mut down = top;
    for (at, one) in series.iter().enumerate() {
        svg.with("g", &[("class", class(at))], |svg| {
            svg.at(0.0, down + 9.0, |svg| {
                svg.path(&format!("c-curve {}", class(at)), "M-36 0H0");
                svg.with("g", &[("transform", word("translate(-18)"))], |svg| {
                    svg.path("c-mark", SHAPES[at % SHAPES.len()]);
                });
            });
            let words = format!("{}, {}", one.label, trials(&one.points));
            for line in lines(&words, 40) {
                svg.text("c-legend", 0.0, 8.0, down + 13.0, &line);
                down += 16.0;
            }
        });
        down += 3.0;
    }
    down
}

/// `n = 2,000 each`, `n = 1,200 to 2,000 each`
fn trials(points: &[Point]) -> String {
    let all = || points.iter().map(|point| point.n);
    match (all().min(), all().max()) {
        (Some(least), Some(most)) if least == most => format!("n = {} each", count(least)),
        (Some(least), Some(most)) => format!("n = {} to {} each", count(least), count(most)),
        _ => "n = 0".to_owned(),
    }
}
