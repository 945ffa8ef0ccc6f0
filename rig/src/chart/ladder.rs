//! The ladder: one trial as a sequence diagram. Places are columns, time runs down, in order and not to scale.
//!
//! Must not know what a call or a packet is beyond its state. Units: nanoseconds since a moment of the caller's; milliseconds in words.
//! Errors: none; a column that does not exist is the last one. Tests: `tests.rs`. The same as text: `rig program ladder`.

use super::mark;
use super::svg::{Names, Svg, px, word};
use super::words::{lines, time};

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rung<'a> {
    /// Where: the number of its column, from 0.
    pub lane: usize,
    /// When it began.
    pub begin_ns: i64,
    /// When it ended; the same where it took no time.
    pub end_ns: i64,
    /// What it was.
    pub words: &'a str,
    /// How it went.
    pub state: RungState,
    /// Where it went, if it is a packet.
    pub arrow: Option<Arrow>,
}

/// How something went: shape and class tell it. What a packet carries is shown instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RungState {
    /// As asked.
    Ok,
    /// It returned -1.
    Failed,
    /// It is the observation that its cell counts.
    Verdict,
    /// The rig did it: an injected fault or result.
    Injected,
    /// It did not end by itself.
    Cut,
}

/// A packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrow {
    /// The column where it arrives.
    pub to: usize,
    /// What it carries.
    pub packet: Packet,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// No data: SYN, ACK, FIN.
    Plain,
    /// Data.
    Data,
    /// RST.
    Reset,
}

impl Packet {
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "c-plain-packet",
            Self::Data => "c-data-packet",
            Self::Reset => "c-reset-packet",
        }
    }
}

impl RungState {
    const ALL: [Self; 5] = [Self::Ok, Self::Failed, Self::Verdict, Self::Injected, Self::Cut];

    fn class(self) -> &'static str {
        match self {
            Self::Ok => "c-ok",
            Self::Failed => "c-failed",
            Self::Verdict => "c-verdict",
            Self::Injected => "c-injected",
            Self::Cut => "c-cut",
        }
    }

    fn shape(self) -> &'static str {
        match self {
            Self::Ok => mark::CIRCLE,
            Self::Failed => mark::CROSS,
            Self::Verdict => mark::DIAMOND,
            Self::Injected => mark::HEXAGON,
            Self::Cut => mark::BARRED,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Ok => "went as asked",
            Self::Failed => "returned -1",
            Self::Verdict => "the observation that counts",
            Self::Injected => "injected by rig",
            Self::Cut => "did not end by itself",
        }
    }
}

/// The least width of a column where there are several, of all together, and of a character in it.
const LANE: f64 = 112.0;
const LANES: f64 = 448.0;
const CHARACTER: f64 = 7.0;
/// Width of the times, left of the plot: as in the style sheet.
const TIMES: f64 = 92.0;
const LINE: f64 = 15.0;
/// A gap is this many times longer than the median time between two rungs, and no shorter than a tenth of a millisecond.
const LONG: i64 = 10;
const SHORTEST_GAP_NS: i64 = 100_000;
const GAP: f64 = 30.0;

/// A rung and where it lies.
struct Placed<'a> {
    rung: &'a Rung<'a>,
    /// Its words, in lines.
    lines: Vec<String>,
    /// Base line of the first one.
    first: f64,
    /// Its mark, or its arrow's line.
    middle: f64,
    bottom: f64,
    /// The time before it, if that is a gap, and where.
    gap: Option<(i64, f64)>,
}

/// A sequence diagram. `id` begins all ids in it; the title says what it is, `desc` what it shows, for people who do not see it. It is the one chart with a
/// least width: its parent must scroll.
pub fn ladder(id: &str, title: &str, desc: &str, lanes: &[String], rungs: &[Rung<'_>]) -> String {
    let mut svg = Svg::new();
    let columns = lanes.len().max(1);
    let heads: Vec<Vec<String>> = lanes.iter().map(|lane| lines(lane, 14)).collect();
    let head = 12.0 + LINE * heads.iter().map(Vec::len).max().unwrap_or(1) as f64;
    let (placed, bottom) = place(columns, rungs, head + 8.0);
    lives(&mut svg, columns, &placed, (head, bottom));
    for (at, one) in placed.iter().enumerate() {
        bar(&mut svg, columns, &placed, at, one);
    }
    for one in &placed {
        draw(&mut svg, columns, one);
    }
    for (at, head_lines) in heads.iter().enumerate() {
        svg.at(share(columns, at), 0.0, |svg| {
            let size = [
                ("x", px(-52.0)),
                ("y", px(1.0)),
                ("width", px(104.0)),
                ("height", px(head - 2.0)),
                ("rx", px(4.0)),
            ];
            svg.empty("rect", &[&[("class", word("c-head"))][..], &size].concat());
        });
        let first = head / 2.0 + 5.0 - LINE * (head_lines.len() - 1) as f64 / 2.0;
        for (down, line) in head_lines.iter().enumerate() {
            svg.text("c-lane c-middle", share(columns, at), 0.0, first + LINE * down as f64, line);
        }
    }
    svg.text("c-tick c-end", 0.0, -8.0, 17.0, "time");
    let down = legend(&mut svg, rungs, bottom + 10.0);
    let least = TIMES + width(columns);
    svg.framed("chart-ladder", &Names { id, title, desc }, down + 4.0, least)
}

/// The least width of all columns: few of them have room for words.
fn width(columns: usize) -> f64 {
    (LANE * columns as f64).max(LANES)
}

fn share(columns: usize, lane: usize) -> f64 {
    (lane.min(columns - 1) as f64 + 0.5) / columns as f64
}

/// Whether words at this place run to the right: to where there is more room.
fn runs_right(share: f64) -> bool {
    share <= 0.5
}

/// The column at which words of a rung begin, or end.
fn anchor(columns: usize, rung: &Rung<'_>) -> f64 {
    let own = share(columns, rung.lane);
    let Some(arrow) = rung.arrow else { return own };
    let other = share(columns, arrow.to);
    let left = own.min(other);
    if runs_right(left) { left } else { own.max(other) }
}

fn place<'a>(columns: usize, rungs: &'a [Rung<'a>], top: f64) -> (Vec<Placed<'a>>, f64) {
    let mut sorted: Vec<&Rung<'_>> = rungs.iter().collect();
    sorted.sort_by_key(|rung| rung.begin_ns);
    let mut between: Vec<i64> = sorted
        .windows(2)
        .map(|pair| pair[1].begin_ns.saturating_sub(pair[0].begin_ns))
        .filter(|ns| *ns > 0)
        .collect();
    between.sort_unstable();
    let median = between.get(between.len() / 2).copied().unwrap_or(0);
    let long = median.saturating_mul(LONG).max(SHORTEST_GAP_NS);
    let mut down = top;
    let mut placed: Vec<Placed<'a>> = vec![];
    for rung in sorted {
        let since = placed.last().map_or(0, |before| rung.begin_ns.saturating_sub(before.rung.begin_ns));
        let gap = (since >= long).then_some((since, down));
        if gap.is_some() {
            down += GAP;
        }
        let anchor = anchor(columns, rung);
        let room = if runs_right(anchor) { 1.0 - anchor } else { anchor } * width(columns) - 14.0;
        let lines = lines(rung.words, (room / CHARACTER) as usize);
        let height = LINE * lines.len() as f64;
        let first = down + 13.0;
        let middle = if rung.arrow.is_some() { down + height + 5.0 } else { first - 4.0 };
        let bottom = down + height + if rung.arrow.is_some() { 12.0 } else { 7.0 };
        placed.push(Placed { rung, lines, first, middle, bottom, gap });
        down = bottom;
    }
    (placed, down + 6.0)
}

/// A line down for each column, dotted where time was left out.
fn lives(svg: &mut Svg, columns: usize, placed: &[Placed<'_>], (top, bottom): (f64, f64)) {
    let gaps: Vec<(i64, f64)> = placed.iter().filter_map(|one| one.gap).collect();
    for lane in 0..columns {
        let share = share(columns, lane);
        let mut from = top;
        for (_, down) in &gaps {
            svg.line("c-life", (share, from), (share, down + 3.0));
            svg.line("c-life c-left-out", (share, down + 3.0), (share, down + GAP - 3.0));
            from = down + GAP - 3.0;
        }
        svg.line("c-life", (share, from), (share, bottom));
    }
    for (ns, down) in gaps {
        svg.text("c-gap c-end", 0.0, -8.0, down + 19.0, &format!("+ {}", time(ns as f64)));
        svg.line("c-gap-line", (0.0, down + GAP / 2.0), (1.0, down + GAP / 2.0));
    }
}

/// How long a call lasted: down to the last rung that began within it.
fn bar(svg: &mut Svg, columns: usize, placed: &[Placed<'_>], at: usize, one: &Placed<'_>) {
    let Placed { rung, middle, .. } = one;
    if rung.arrow.is_some() || rung.end_ns <= rung.begin_ns {
        return;
    }
    let within = placed[at + 1..].iter().take_while(|other| other.rung.begin_ns < rung.end_ns).last();
    let bottom = within.map_or(middle + 8.0, |other| other.bottom);
    svg.at(share(columns, rung.lane), *middle, |svg| {
        let size = [
            ("x", px(-3.5)),
            ("y", px(0.0)),
            ("width", px(7.0)),
            ("height", px(bottom - middle)),
            ("rx", px(3.0)),
        ];
        svg.empty("rect", &[&[("class", format!("c-bar {}", rung.state.class()))][..], &size].concat());
    });
}

fn draw(svg: &mut Svg, columns: usize, one: &Placed<'_>) {
    let Placed { rung, middle, first, .. } = one;
    let own = share(columns, rung.lane);
    // A packet is told by what it carries.
    let class = rung.arrow.map_or(rung.state.class(), |arrow| arrow.packet.class());
    svg.with("g", &[("class", format!("c-rung {class}"))], |svg| {
        svg.words("title", &[], &told(rung));
        svg.text("c-time c-end", 0.0, -8.0, *first, &milliseconds(rung.begin_ns));
        match rung.arrow {
            Some(arrow) => packet(svg, (own, share(columns, arrow.to)), *middle, arrow.packet),
            None => svg.at(own, *middle, |svg| svg.path("c-mark", rung.state.shape())),
        }
        let anchor = anchor(columns, rung);
        let (class, right) = if runs_right(anchor) { ("c-words", 10.0) } else { ("c-words c-end", -10.0) };
        for (at, line) in one.lines.iter().enumerate() {
            svg.text(class, anchor, right, first + LINE * at as f64, line);
        }
    });
}

fn packet(svg: &mut Svg, (from, to): (f64, f64), middle: f64, packet: Packet) {
    svg.line("c-packet", (from, middle), (to, middle));
    svg.at(from, middle, |svg| svg.path("c-start", "M0-3V3"));
    let head = if to >= from { "M-9-5L0 0L-9 5z" } else { "M9-5L0 0L9 5z" };
    svg.at(to, middle, |svg| svg.path("c-arrow", head));
    if packet == Packet::Reset {
        svg.at((from + to) / 2.0, middle, |svg| svg.path("c-reset", mark::CROSS));
    }
}

/// `0.600 ms`
fn milliseconds(ns: i64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6).replace('-', "\u{2212}")
}

/// What a pointer that rests on the rung shows.
fn told(rung: &Rung<'_>) -> String {
    let lasted = rung.end_ns.saturating_sub(rung.begin_ns);
    let lasted = if lasted > 0 { format!(", lasted {}", time(lasted as f64)) } else { String::new() };
    format!("{}: {}{lasted}", milliseconds(rung.begin_ns), rung.words)
}

/// What the marks that are there mean.
fn legend(svg: &mut Svg, rungs: &[Rung<'_>], top: f64) -> f64 {
    let mut down = top;
    let left = 16.0 - TIMES;
    for state in RungState::ALL {
        if rungs.iter().any(|rung| rung.state == state && rung.arrow.is_none()) {
            svg.with("g", &[("class", word(state.class()))], |svg| {
                svg.at(0.0, down + 9.0, |svg| {
                    svg.with("g", &[("transform", format!("translate({})", px(left)))], |svg| {
                        svg.path("c-mark", state.shape())
                    });
                });
                svg.text("c-legend", 0.0, left + 14.0, down + 13.0, state.words());
            });
            down += 19.0;
        }
    }
    let words = format!(
        "n = 1 trial; {} rungs, in the order in which they began; the distance is not the time",
        rungs.len()
    );
    for line in lines(&words, 50) {
        svg.text("c-legend", 0.0, left - 6.0, down + 13.0, &line);
        down += 16.0;
    }
    down
}
