//! What charts look like as text, and that no number and no word breaks one.
//!
//! Snapshots of small ones; every chart with every text and number is well-formed XML whose geometry is finite. The style sheet has the classes that
//! the charts use, and its colours the contrast that WCAG 2.2 asks for (1.4.3: 4.5 for text; 1.4.11: 3 for marks).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use quick_xml::events::{BytesStart, Event};

use super::*;

fn interval(low: f64, high: f64) -> Interval {
    Interval { low, high }
}

fn row<'a>(
    label: &'a str,
    difference: f64,
    boots: (f64, f64),
    trials: (f64, f64),
    state: State,
) -> ForestRow<'a> {
    let (boots, trials) = (interval(boots.0, boots.1), interval(trials.0, trials.1));
    let n = "20 of 20,000 against 0 of 20,000";
    ForestRow { label, n, difference, boots, trials, margin: 0.001, state }
}

fn rows() -> Vec<ForestRow<'static>> {
    vec![
        row("reset-in-wait, virtio-vhost, EBADF", 0.0038, (0.0024, 0.0057), (0.003, 0.0047), State::Differs),
        row(
            "reset-in-wait, virtio-tap, EBADF",
            0.0004,
            (0.0001, 0.0009),
            (0.0002, 0.0007),
            State::DiffersWithin,
        ),
        row("reset-in-wait, e1000e, ENOENT", 0.0, (-0.0004, 0.0004), (-0.0002, 0.0002), State::Same),
        row(
            "fin-then-reset with a proxy on the way, nightly kernel, virtio-user, any -1",
            0.0,
            (-0.3, 0.3),
            (-0.002, 0.002),
            State::NotEnough,
        ),
        row("reset-before-wait, xen, EBADF", 0.0, (0.0, 0.0), (0.0, 0.0), State::Blind),
        row("reset-before-wait, vsock, EBADF", 0.0, (-1.0, 1.0), (-1.0, 1.0), State::NotRun),
        row(
            "close-by-thread, virtio-tap, EBADF",
            -0.0021,
            (-0.0044, -0.0008),
            (-0.003, -0.0012),
            State::Known,
        ),
    ]
}

fn series() -> Vec<Series<'static>> {
    let of = |label, rise: f64, zero: bool| {
        let delays = [0.0, 1e3, 1e4, 1e5, 1e6, 1e7];
        let points = delays.into_iter().enumerate().filter(|(_, x)| zero || *x > 0.0).map(|(at, x)| {
            let share = rise * at as f64;
            Point {
                x,
                share,
                low: share * 0.7,
                high: share * 1.2 + 0.002,
                n: if at < 3 { 2_000 } else { 1_200 },
            }
        });
        Series { label, points: points.collect() }
    };
    vec![
        of("bare metal", 0.001, true),
        of("virtio-vhost", 0.012, true),
        of("virtio-tap and a long name", 0.0115, false),
    ]
}

fn delay() -> XAxis<'static> {
    XAxis { label: "delay between the last byte and the reset", unit: Unit::Nanoseconds }
}

fn rung(lane: usize, (begin_ns, end_ns): (i64, i64), words: &str, state: RungState) -> Rung<'_> {
    Rung { lane, begin_ns, end_ns, words, state, arrow: None }
}

fn rungs() -> Vec<Rung<'static>> {
    let packet = |(lane, to), begin_ns, words, packet| Rung {
        lane,
        begin_ns,
        end_ns: begin_ns,
        words,
        state: RungState::Ok,
        arrow: Some(Arrow { to, packet }),
    };
    vec![
        rung(0, (0, 310_000), "connect(192.0.2.1:7000) = 0", RungState::Ok),
        packet((1, 2), 120_000, "SYN", Packet::Plain),
        packet((2, 1), 180_000, "SYN ACK", Packet::Plain),
        rung(
            0,
            (400_000, 2_003_000_000),
            "select({3} read, timeout 5 s) = -1 EBADF after 2.0 s",
            RungState::Verdict,
        ),
        packet((1, 2), 410_000, "PSH ACK 4 bytes", Packet::Data),
        rung(2, (2_000_400_000, 2_000_400_000), "close(4), SO_LINGER 0", RungState::Injected),
        packet((2, 1), 2_000_500_000, "RST", Packet::Reset),
        rung(3, (2_000_600_000, 2_000_600_000), "tcp_reset: sk_err = ECONNRESET", RungState::Ok),
        rung(0, (2_003_100_000, 2_003_140_000), "read(3, 4 bytes) = -1 EBADF", RungState::Failed),
        rung(0, (2_003_200_000, 2_003_200_000), "close(3) never returned", RungState::Cut),
    ]
}

fn lanes() -> Vec<String> {
    ["client", "wire", "peer", "kernel events"].map(str::to_owned).to_vec()
}

fn quantile_rows() -> Vec<QuantileRow<'static>> {
    let side = |name, n, [p50_ns, p90_ns, p99_ns]: [f64; 3]| Side { name, n, p50_ns, p90_ns, p99_ns };
    vec![
        QuantileRow {
            label: "reset-in-wait, select()",
            sides: [
                side("bare metal", 20_000, [11e3, 16e3, 48e3]),
                side("virtio-vhost", 20_000, [96e3, 210e3, 2.4e6]),
            ],
        },
        QuantileRow {
            label: "timeout, select()",
            sides: [side("bare metal", 2_000, [50e6, 50.1e6, 51e6]), side("virtio-vhost", 0, [f64::NAN; 3])],
        },
    ]
}

fn all() -> [(&'static str, String); 6] {
    let parts =
        [0.994, 0.0059, 0.0001].into_iter().enumerate().map(|(pattern, share)| Part { pattern, share });
    let forest = forest("f", "Differences of EBADF", "Seven pairs of cells; one differs.", &rows());
    let curve = curve("c", "EBADF by delay", "The share rises with the delay.", delay(), &series());
    let ladder = ladder("l", "Trial 17", "A select() that returned EBADF.", &lanes(), &rungs());
    let quantiles = quantiles("q", "How long select() lasted", "A guest takes longer.", &quantile_rows());
    let stack = stack(&parts.collect::<Vec<_>>());
    [
        ("forest", forest),
        ("curve", curve),
        ("ladder", ladder),
        ("quantiles", quantiles),
        ("stack", stack),
        ("patterns", patterns()),
    ]
}

#[test]
fn charts_are_as_they_were() {
    for (name, svg) in all() {
        insta::assert_snapshot!(name, svg);
    }
}

/// Its elements, each with its attributes and the classes of those around it; fails unless it is well-formed.
fn elements(xml: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut reader = quick_xml::Reader::from_str(xml);
    let (mut open, mut found) = (vec![], vec![]);
    let read = |tag: &BytesStart<'_>| {
        let attributes = tag.attributes().map(|attribute| {
            let attribute = attribute.expect("well-formed");
            let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).expect("escaped");
            (String::from_utf8_lossy(attribute.key.as_ref()).into_owned(), value.into_owned())
        });
        (String::from_utf8_lossy(tag.name().as_ref()).into_owned(), attributes.collect())
    };
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) => {
                open.push(tag.name().as_ref().to_vec());
                found.push(read(&tag));
            }
            Event::Empty(tag) => found.push(read(&tag)),
            Event::End(tag) => assert_eq!(open.pop().as_deref(), Some(tag.name().as_ref())),
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

/// Geometry is digits, and no element and no handler came from a text.
fn is_sound(xml: &str) {
    const KNOWN: [&str; 12] =
        ["svg", "title", "desc", "g", "text", "tspan", "line", "rect", "path", "defs", "pattern", "circle"];
    const DIGITS: [&str; 14] = [
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "width",
        "height",
        "d",
        "dx",
        "viewBox",
        "rx",
        "transform",
        "style",
    ];
    for (element, attributes) in elements(xml) {
        assert!(KNOWN.contains(&element.as_str()), "{element}: {xml}");
        for (name, value) in attributes {
            let known = DIGITS.contains(&name.as_str());
            let figures = known && !value.contains("NaN") && !value.contains("inf") && value.len() < 20_000;
            let words = [
                "class",
                "id",
                "role",
                "aria-labelledby",
                "aria-hidden",
                "xmlns",
                "preserveAspectRatio",
                "patternUnits",
            ];
            assert!(figures || words.contains(&name.as_str()), "{element} {name}={value}");
        }
    }
}

#[test]
fn charts_are_well_formed_and_named() {
    for (name, svg) in all() {
        is_sound(&svg);
        let (_, frame) = &elements(&svg)[0];
        match name {
            "stack" | "patterns" => assert_eq!(frame["aria-hidden"], "true"),
            _ => {
                assert_eq!(frame["role"], "img");
                for id in frame["aria-labelledby"].split(' ') {
                    assert_eq!(svg.matches(&format!("id=\"{id}\"")).count(), 1, "{name}: {id}");
                }
                // Every chart says how much was measured.
                assert!(svg.contains("n = ") || svg.contains(" of 20,000"), "{name}");
            }
        }
    }
}

#[test]
fn an_empty_chart_is_a_chart() {
    for svg in [
        forest("a", "t", "d", &[]),
        curve("a", "t", "d", delay(), &[]),
        ladder("a", "t", "d", &[], &[rung(3, (0, 0), "x", RungState::Ok)]),
        quantiles("a", "t", "d", &[]),
        stack(&[]),
    ] {
        is_sound(&svg);
    }
}

#[test]
fn an_interval_beyond_the_axis_ends_in_an_arrow_and_no_other_does() {
    let svg = forest("f", "t", "d", &rows());
    assert_eq!(svg.matches("c-beyond").count(), 2, "the one from -30 to 30 points");
    let within = forest("f", "t", "d", &rows()[..3]);
    assert_eq!(within.matches("c-beyond").count(), 0);
}

#[test]
fn differences_of_all_sizes_are_seen() {
    let mut wide = rows();
    wide[0] = row("all of them", 0.97, (0.9, 0.99), (0.96, 0.98), State::Differs);
    let svg = forest("f", "t", "d", &wide[..3]);
    let bars = elements(&svg)
        .into_iter()
        .filter(|(_, attributes)| attributes.get("class").is_some_and(|class| class == "c-trials"));
    let widths: Vec<f64> =
        bars.map(|(_, bar)| bar["width"].trim_end_matches('%').parse().expect("per cent")).collect();
    assert!(widths.len() == 3 && widths[2] > 1.0, "the narrowest is no point: {widths:?}");
    assert!(svg.contains(">100<") && svg.contains(">0<"), "{svg}");
}

#[test]
fn a_blind_or_absent_cell_draws_no_interval() {
    for state in [State::Blind, State::NotRun] {
        let svg = forest("f", "t", "d", &[row("x", 0.5, (0.4, 0.6), (0.45, 0.55), state)]);
        assert!(
            !svg.contains("c-boots") && !svg.contains("c-trials") && svg.contains(state.words()),
            "{svg}"
        );
    }
}

#[test]
fn a_long_wait_is_left_out_and_said() {
    let svg = ladder("l", "t", "d", &lanes(), &rungs());
    assert_eq!(svg.matches("class=\"c-gap c-end\"").count(), 2);
    assert!(svg.contains(">+ 2 s<") && svg.contains(">+ 2.5 ms<"), "{svg}");
}

#[test]
fn a_packet_is_told_by_what_it_carries() {
    let svg = ladder("l", "t", "d", &lanes(), &rungs());
    for (class, number) in
        [("c-plain-packet", 2), ("c-data-packet", 1), ("c-reset-packet", 1), ("c-verdict", 1)]
    {
        assert_eq!(svg.matches(&format!("class=\"c-rung {class}\"")).count(), number, "{class}");
    }
    // The reset is crossed, not only of another colour.
    assert_eq!(svg.matches("class=\"c-reset\"").count(), 1);
}

#[test]
fn every_series_has_a_shape_and_a_dash_of_its_own() {
    let svg = curve("c", "t", "d", delay(), &series());
    let shape = |at: usize| {
        let group = svg.split(&format!("<g class=\"c-s{at}\">")).nth(1).expect("its marks");
        let path = group.split("class=\"c-mark\" d=\"").nth(1).expect("a mark");
        path.split('"').next().expect("data").to_owned()
    };
    let (shapes, mut unique) = ([0, 1, 2].map(shape), vec![]);
    for (at, shape) in shapes.iter().enumerate() {
        assert!(!unique.contains(shape), "{shapes:?}");
        unique.push(shape.clone());
        assert!(CSS.contains(&format!(".c-s{at} {{ --c-own: var(--c-")), "no style for {at}");
    }
}

#[test]
fn a_rare_part_is_seen_and_the_whole_is_not_exceeded() {
    let svg = stack(&[
        Part { pattern: 0, share: 0.999_999 },
        Part { pattern: 1, share: 0.000_001 },
        Part { pattern: 2, share: 0.0 },
    ]);
    let number = |attributes: &BTreeMap<String, String>, name: &str| -> f64 {
        attributes[name].trim_end_matches('%').parse().expect("per cent")
    };
    let bars: Vec<(f64, f64)> =
        elements(&svg)[1..].iter().map(|(_, bar)| (number(bar, "x"), number(bar, "width"))).collect();
    assert_eq!(bars.len(), 2);
    assert!(bars[1].1 > 1.0 && (bars[1].0 + bars[1].1 - 100.0).abs() < 0.1, "{bars:?}");
}

#[test]
fn the_style_sheet_knows_every_class_and_holds_no_address() {
    // What is only there to be found.
    const FOUND: [&str; 4] = ["c-row", "c-rung", "c-said", "c-figures"];
    for (name, svg) in all() {
        for (_, attributes) in elements(&svg) {
            for class in attributes.get("class").map_or("", String::as_str).split_whitespace() {
                assert!(CSS.contains(&format!(".{class}")) || FOUND.contains(&class), "{name}: {class}");
            }
        }
    }
    for foreign in ["http:", "https:", "@import", "//fonts"] {
        assert!(!CSS.contains(foreign), "{foreign}");
    }
}

/// The colours of one theme: what stands in the first block after `begin`.
fn colours(begin: &str) -> BTreeMap<String, [f64; 3]> {
    let block = CSS.split(begin).nth(1).expect("the theme").split('}').next().expect("its end");
    let rows =
        block.lines().filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": #"));
    let channel =
        |hex: &str, at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")) / 255.0;
    rows.map(|(name, hex)| (name.to_owned(), [0, 2, 4].map(|at| channel(hex, at)))).collect()
}

/// WCAG 2.2, contrast ratio.
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let linear = |channel: f64| {
        if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
    };
    let light =
        |[red, green, blue]: [f64; 3]| 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    let (a, b) = (light(a), light(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn colours_have_contrast_in_both_themes() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    let mut weak = String::new();
    for (theme, begin) in [("light", ":root {"), ("dark", "dark) {\n  :root {")] {
        let all = colours(begin);
        assert!(all.len() > 12, "{theme}: {all:?}");
        for (name, colour) in &all {
            let least = match name.as_str() {
                // States and series are words too.
                "c-text" | "c-muted" | "c-red" | "c-orange" | "c-green" | "c-blue" | "c-purple"
                | "c-cyan" | "c-grey" => 4.5,
                "c-edge" | "c-strong" => 3.0,
                // Grounds, and lines that only lead the eye.
                _ => 1.0,
            };
            for ground in ["c-surface", "c-strip"] {
                let found = contrast(*colour, all[ground]);
                if found < least {
                    let _ = writeln!(weak, "{theme}: {name} on {ground}: {found:.2}, not {least}");
                }
            }
        }
    }
    assert!(weak.is_empty(), "{weak}");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("<script>alert(1)</script>".to_owned()),
        Just("\" onload=\"alert(1)".to_owned()),
        Just("]]>&amp;<!--".to_owned()),
        Just("x".repeat(300)),
        any::<String>(),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), -1.0..1.0_f64, Just(0.0), Just(f64::NAN), Just(f64::INFINITY), Just(1e-300)]
}

fn state() -> impl Strategy<Value = State> {
    use State::{Blind, Differs, DiffersWithin, Known, NotEnough, NotRun, Same};
    prop_oneof![
        Just(Differs),
        Just(DiffersWithin),
        Just(Same),
        Just(NotEnough),
        Just(Blind),
        Just(NotRun),
        Just(Known)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_text_and_no_number_breaks_a_forest(words in text(), rows in prop::collection::vec((prop::array::uniform6(number()), state()), 0..12)) {
        let rows = rows.iter().map(|([difference, a, b, c, d, margin], state)| ForestRow {
            label: &words,
            n: &words,
            difference: *difference,
            boots: interval(*a, *b),
            trials: interval(*c, *d),
            margin: *margin,
            state: *state,
        });
        is_sound(&forest(&words, &words, &words, &rows.collect::<Vec<_>>()));
    }

    #[test]
    fn no_text_and_no_number_breaks_a_curve(words in text(), points in prop::collection::vec((prop::array::uniform4(number()), any::<u64>()), 0..20)) {
        let points: Vec<Point> = points.iter().map(|([x, share, low, high], n)| Point { x: *x, share: *share, low: *low, high: *high, n: *n }).collect();
        for unit in [Unit::Nanoseconds, Unit::Number, Unit::Nights] {
            let series = points.chunks(6).map(|points| Series { label: &words, points: points.to_vec() }).collect::<Vec<_>>();
            is_sound(&curve(&words, &words, &words, XAxis { label: &words, unit }, &series));
        }
    }

    #[test]
    fn no_text_and_no_number_breaks_a_ladder(words in text(), rungs in prop::collection::vec((0..9_usize, any::<i64>(), any::<i64>(), prop::option::of(0..9_usize)), 0..12), columns in 0..7_usize) {
        let rungs = rungs.iter().map(|(lane, begin_ns, end_ns, to)| Rung {
            lane: *lane,
            begin_ns: *begin_ns,
            end_ns: *end_ns,
            words: &words,
            state: RungState::Failed,
            arrow: to.map(|to| Arrow { to, packet: Packet::Reset }),
        });
        is_sound(&ladder(&words, &words, &words, &vec![words.clone(); columns], &rungs.collect::<Vec<_>>()));
    }

    #[test]
    fn no_text_and_no_number_breaks_quantiles_or_a_stack(words in text(), times in prop::collection::vec((prop::array::uniform3(number()), any::<u64>()), 0..9)) {
        let sides: Vec<Side<'_>> = times.iter().map(|([p50_ns, p90_ns, p99_ns], n)| Side { name: &words, n: *n, p50_ns: *p50_ns, p90_ns: *p90_ns, p99_ns: *p99_ns }).collect();
        let rows: Vec<QuantileRow<'_>> = sides.chunks_exact(2).map(|pair| QuantileRow { label: &words, sides: [pair[0], pair[1]] }).collect();
        is_sound(&quantiles(&words, &words, &words, &rows));
        let parts: Vec<Part> = times.iter().enumerate().map(|(pattern, (shares, _))| Part { pattern, share: shares[0] }).collect();
        is_sound(&stack(&parts));
    }
}
