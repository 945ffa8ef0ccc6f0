//! The forest: one difference of two rates per row, with its intervals and its margin.
//!
//! Must not judge: a row comes with its state. Units: shares of 1 in, points of per cent on the axis. Errors: none; what is not finite is not drawn.
//! Tests: `tests.rs`. Why two intervals: trials of one boot may depend on each other, so the wider one, over boots, is judged by.

use super::mark;
use super::scale::Scale;
use super::svg::{Names, Svg, figure, px, tick_words, word};
use super::words::{lines, points};

/// What can be said of a row: word, shape and class each tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A difference is shown, and it may be larger than the margin.
    Differs,
    /// A difference is shown, and it lies within the margin.
    DiffersWithin,
    /// No difference is shown, and none larger than the margin is possible.
    Same,
    /// Neither can be said.
    NotEnough,
    /// The instrument could not have seen it: nothing is drawn.
    Blind,
    /// There are no trials: nothing is drawn.
    NotRun,
    /// A difference is shown, and the matrix says why it is expected.
    Known,
}

impl State {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::DiffersWithin => "differs within the margin",
            Self::Same => "same within the margin",
            Self::NotEnough => "not enough trials",
            Self::Blind => "blind",
            Self::NotRun => "not run",
            Self::Known => "known difference",
        }
    }

    /// The class of its mark and words in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Differs => "c-differs",
            Self::DiffersWithin => "c-within",
            Self::Same => "c-same",
            Self::NotEnough => "c-not-enough",
            Self::Blind => "c-blind",
            Self::NotRun => "c-not-run",
            Self::Known => "c-known",
        }
    }

    fn shape(self) -> &'static str {
        match self {
            Self::Differs | Self::DiffersWithin => mark::DIAMOND,
            Self::Same | Self::NotEnough => mark::CIRCLE,
            Self::Blind => mark::BARRED,
            Self::NotRun => mark::CROSS,
            Self::Known => mark::SQUARE,
        }
    }

    fn is_measured(self) -> bool {
        !matches!(self, Self::Blind | Self::NotRun)
    }
}

/// Both ends of an interval, shares of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    fn is_finite(self) -> bool {
        self.low.is_finite() && self.high.is_finite()
    }
}

/// One comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForestRow<'a> {
    /// What is compared.
    pub label: &'a str,
    /// How much it was measured: `20 of 20,000 against 0 of 20,000`.
    pub n: &'a str,
    /// The difference of the two rates, a share of 1.
    pub difference: f64,
    /// Its interval with the boot as the unit: what is judged by.
    pub boots: Interval,
    /// Its interval as if trials were independent.
    pub trials: Interval,
    /// The largest difference that does not matter, a share of 1; not finite where there is none.
    pub margin: f64,
    /// What can be said.
    pub state: State,
}

/// Words that fit beside nothing else on a phone.
const COLUMNS: usize = 38;
/// Base line to base line, and the height of the strip in which a row's intervals lie.
const LINE: f64 = 17.0;
const STRIP: f64 = 26.0;
/// Between rows.
const GAP: f64 = 14.0;
/// The width of the plot on the narrowest phone.
const NARROW: f64 = 284.0;
/// An axis of equal steps shows nothing of an interval this many times smaller than it.
const EQUAL_STEPS: f64 = 40.0;
/// More rows than this have the axis above them too.
const FEW: usize = 6;

/// A forest plot. `id` begins all ids in it; the title says what it is, `desc` what it shows, for people who do not see it.
pub fn forest(id: &str, title: &str, desc: &str, rows: &[ForestRow<'_>]) -> String {
    let scale = scale_of(rows);
    let together = rows.iter().all(fits_one_line);
    let mut svg = Svg::new();
    let mut down = 4.0;
    if rows.len() > FEW {
        down = axis(&mut svg, &scale, down + 12.0, Above::Rows);
    }
    for one in rows {
        down = row(&mut svg, &scale, one, together, down);
    }
    down = axis(&mut svg, &scale, down + 2.0, Above::Nothing);
    down = legend(&mut svg, rows, down + 12.0);
    svg.framed("chart-forest", &Names { id, title, desc }, down + 4.0, 0.0)
}

/// Rows of which something can be said decide how far the axis reaches, and every difference lies on it. An interval that is wider, of a row that has
/// not enough trials, leaves it.
fn scale_of(rows: &[ForestRow<'_>]) -> Scale {
    let drawn = || rows.iter().filter(|row| row.state.is_measured());
    let margins = rows.iter().map(|row| row.margin.abs()).filter(|margin| margin.is_finite());
    let margin = margins.fold(0.0, f64::max).min(1.0);
    let reaches = |said: bool| {
        let some = drawn().filter(|row| (row.state != State::NotEnough) == said).filter_map(reach);
        let mut reaches: Vec<f64> = some.filter(|reach| *reach > 0.0).collect();
        reaches.sort_by(f64::total_cmp);
        reaches
    };
    let (said, unsaid) = (reaches(true), reaches(false));
    let reaches = if said.is_empty() { unsaid } else { said };
    let differences = drawn().map(|row| row.difference.abs()).filter(|difference| difference.is_finite());
    let most = differences.fold(margin, f64::max);
    let most = reaches.iter().copied().fold(most, f64::max);
    let limit = (1.25 * most).clamp(1e-6, 1.0);
    let ends = drawn()
        .flat_map(|row| [row.boots.low, row.boots.high, row.trials.low, row.trials.high, row.difference]);
    let ends: Vec<f64> = ends.filter(|end| end.is_finite()).map(|end| end.clamp(-limit, limit)).collect();
    let low = ends.iter().copied().fold(-margin * 1.2, f64::min);
    let high = ends.iter().copied().fold(margin * 1.2, f64::max);
    let (low, high) = if high > low { (low, high) } else { (-0.01, 0.01) };
    let smallest = reaches.first().copied().unwrap_or(high);
    let widest = high.max(-low);
    if widest > EQUAL_STEPS * smallest {
        let near = 10_f64.powf(smallest.max(widest * 1e-4).log10().floor());
        return Scale::symmetric((low * 1.2).min(-near).max(-1.0), (high * 1.2).max(near).min(1.0), near);
    }
    let beside = (high - low) * 0.04;
    Scale::linear((low - beside).max(-1.0), (high + beside).min(1.0))
}

/// How far from 0 a row reaches.
fn reach(row: &ForestRow<'_>) -> Option<f64> {
    let ends = [row.boots.low, row.boots.high].map(f64::abs);
    row.boots.is_finite().then(|| ends[0].max(ends[1]).min(1.0))
}

/// Whether its state and its counts fit in one line on a phone.
fn fits_one_line(row: &ForestRow<'_>) -> bool {
    row.state.words().chars().count() + 2 + row.n.chars().count() <= COLUMNS + 4
}

fn row(svg: &mut Svg, scale: &Scale, row: &ForestRow<'_>, together: bool, top: f64) -> f64 {
    let mut down = top;
    svg.with("g", &[("class", format!("c-row {}", row.state.class()))], |svg| {
        svg.words("title", &[], &told(row));
        for line in lines(row.label, COLUMNS) {
            down += LINE;
            svg.text("c-label", 0.0, 0.0, down - 4.0, &line);
        }
        down += LINE;
        svg.at(0.0, down - 8.5, |svg| {
            let moved = [("transform", word("translate(7)"))];
            svg.with("g", &moved, |svg| svg.path("c-mark", row.state.shape()));
        });
        let state = row.state.words();
        svg.with("text", &[("class", word("c-said")), ("x", word("20")), ("y", px(down - 4.0))], |svg| {
            svg.words("tspan", &[("class", word("c-state"))], state);
            if together {
                svg.words("tspan", &[("class", word("c-n")), ("dx", word("8"))], row.n);
            }
        });
        if !together {
            for line in lines(row.n, COLUMNS - 2) {
                down += LINE;
                svg.text("c-n", 0.0, 20.0, down - 4.0, &line);
            }
        }
        strip(svg, scale, row, down + 3.0);
        down += 3.0 + STRIP;
    });
    down + GAP
}

/// What a pointer that rests on the row shows.
fn told(row: &ForestRow<'_>) -> String {
    let mut text = format!("{}: {}, {}", row.label, row.state.words(), row.n);
    if row.state.is_measured() && row.difference.is_finite() {
        text.push_str(&format!("; difference {} points", points(row.difference)));
        for (words, interval) in [("over boots", row.boots), ("over trials", row.trials)] {
            if interval.is_finite() {
                text.push_str(&format!("; {words} {} to {}", points(interval.low), points(interval.high)));
            }
        }
    }
    text
}

fn strip(svg: &mut Svg, scale: &Scale, row: &ForestRow<'_>, top: f64) {
    let (bottom, middle) = (top + STRIP, top + STRIP / 2.0);
    svg.bar("c-strip", (0.0, 1.0), top, STRIP);
    if row.margin.is_finite() {
        let edges = [-row.margin.abs(), row.margin.abs()].map(|edge| scale.share(edge));
        svg.bar("c-margin", (edges[0], edges[1]), top, STRIP);
        for (edge, inside) in edges.into_iter().zip([edges[0] > 0.0, edges[1] < 1.0]) {
            if inside {
                svg.line("c-margin-edge", (edge, top), (edge, bottom));
            }
        }
    }
    let zero = scale.share(0.0);
    svg.line("c-zero", (zero, top - 2.0), (zero, bottom + 2.0));
    if !row.state.is_measured() {
        return;
    }
    if row.trials.is_finite() && row.trials.low <= scale.high() && row.trials.high >= scale.low() {
        svg.bar("c-trials", (scale.share(row.trials.low), scale.share(row.trials.high)), middle - 4.0, 8.0);
    }
    if row.boots.is_finite() {
        boots(svg, scale, row.boots, middle);
    }
    if row.difference.is_finite() {
        svg.at(scale.share(row.difference), middle, |svg| svg.path("c-mark", row.state.shape()));
    }
}

/// Thin, with a cap at each end; an end beyond the axis is an arrow.
fn boots(svg: &mut Svg, scale: &Scale, interval: Interval, middle: f64) {
    let [left, right] = [interval.low, interval.high].map(|end| scale.share(end));
    svg.line("c-boots", (left, middle), (right, middle));
    let beyond = [interval.low < scale.low() - 1e-12, interval.high > scale.high() + 1e-12];
    for ((share, beyond), arrow) in
        [left, right].into_iter().zip(beyond).zip(["M8-6L0 0L8 6", "M-8-6L0 0L-8 6"])
    {
        if beyond {
            svg.at(share, middle, |svg| svg.path("c-boots c-beyond", arrow));
        } else {
            svg.line("c-boots", (share, middle - 6.0), (share, middle + 6.0));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Above {
    Rows,
    Nothing,
}

fn axis(svg: &mut Svg, scale: &Scale, top: f64, above: Above) -> f64 {
    let ticks: Vec<(f64, String)> =
        scale.ticks(5).into_iter().map(|value| (scale.share(value), figure(value * 100.0))).collect();
    let line = if above == Above::Rows { top + 6.0 } else { top };
    svg.line("c-axis", (0.0, line), (1.0, line));
    for (share, _) in &ticks {
        let end = if above == Above::Rows { line - 4.0 } else { line + 4.0 };
        svg.line("c-axis", (*share, line), (*share, end));
    }
    let down = if above == Above::Rows { line - 8.0 } else { line + 17.0 };
    tick_words(svg, &ticks, NARROW, down);
    if above == Above::Rows {
        return line + 10.0;
    }
    svg.text("c-axis-label c-middle", 0.5, 0.0, line + 35.0, "difference, in points of per cent");
    line + 40.0
}

fn legend(svg: &mut Svg, rows: &[ForestRow<'_>], top: f64) -> f64 {
    let measured = rows.iter().any(|row| row.state.is_measured());
    let margin = rows.iter().any(|row| row.margin.is_finite());
    let mut down = top;
    let mut entry = |words: &str, draw: &dyn Fn(&mut Svg)| {
        svg.at(0.0, down + 9.0, |svg| draw(svg));
        svg.text("c-legend", 0.0, 44.0, down + 13.0, words);
        down += 19.0;
    };
    if measured {
        entry("interval over boots: decides", &|svg| {
            svg.path("c-boots c-plain", "M2 0H34M2-6V6M34-6V6");
        });
        entry("interval over trials", &|svg| svg.path("c-trials c-plain", "M6-4H30V4H6z"));
    }
    if margin {
        entry("within the margin", &|svg| {
            let place = [("x", word("2")), ("y", word("-7")), ("width", word("32")), ("height", word("14"))];
            svg.empty("rect", &[&[("class", word("c-margin"))][..], &place].concat());
            svg.path("c-margin-edge", "M2-7V7M34-7V7");
        });
    }
    down
}
