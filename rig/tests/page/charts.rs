//! Charts in a page: read at every width, in every view, on paper; no text lies on another one.
//!
//! The page is made here, of made-up data, as small as a page can be. What a chart holds is the snapshots' (`rig/src/chart/tests.rs`).

use std::path::{Path, PathBuf};

use fs_err as fs;
use rig::chart::{
    Arrow, CSS, ForestRow, Interval, Packet, Part, Point, QuantileRow, Rung, RungState, Series, Side, State,
    Unit, XAxis, curve, forest, ladder, patterns, quantiles, stack,
};
use tempfile::TempDir;

use crate::accessible::{Examiner, no_foreign_address, strings, too_wide, views};
use crate::browser::{Browser, Tab, View};

/// A page with one chart of each kind.
fn page() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("charts.html");
    let ladder = format!(
        "<div class=\"chart\" tabindex=\"0\" role=\"region\" aria-label=\"Trial 17 as a ladder\">{}</div>",
        a_ladder()
    );
    let charts: String = [a_forest(), a_curve(), a_quantiles()]
        .iter()
        .map(|svg| format!("<div class=\"chart\">{svg}</div>"))
        .collect();
    let bar = stack(&[Part { pattern: 0, share: 0.99 }, Part { pattern: 1, share: 0.01 }]);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Charts</title>\
        <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><style>{CSS}
        body {{ margin: 16px; background: var(--c-surface); color: var(--c-text); font-family: sans-serif }}
        </style></head><body><main><h1>Charts</h1>{charts}{ladder}<p>{bar} 99 of 100</p>{}</main></body></html>",
        patterns()
    );
    fs::write(&path, html).expect("it is written");
    (folder, path)
}

fn a_forest() -> String {
    use State::{Blind, Differs, DiffersWithin, Known, NotEnough, NotRun, Same};
    let states = [Differs, DiffersWithin, Same, NotEnough, Blind, NotRun, Known];
    let rows = states.into_iter().enumerate().map(|(at, state)| {
        let difference = 0.004 / (1.0 + at as f64);
        let wide = if state == NotEnough { 0.4 } else { 0.001 };
        ForestRow {
            label: "reset-in-wait over a proxy, virtio-vhost, 6.12 nightly, EBADF",
            n: "20 of 20,000 against 0 of 20,000",
            difference,
            boots: Interval { low: difference - wide, high: difference + wide },
            trials: Interval { low: difference - 0.0004, high: difference + 0.0004 },
            margin: 0.001,
            state,
        }
    });
    forest("forest", "Differences", "Seven pairs of cells.", &rows.collect::<Vec<_>>())
}

fn a_curve() -> String {
    let names = ["bare metal", "virtio-tap", "virtio-vhost", "e1000e", "virtio-user with a long name"];
    let series = names.into_iter().enumerate().map(|(line, label)| {
        let points = [0.0, 1e3, 1e4, 1e5, 1e6, 1e7].into_iter().enumerate().map(|(at, x)| {
            let share = 0.003 * (line + 1) as f64 * at as f64;
            Point { x, share, low: share * 0.8, high: share * 1.2 + 0.001, n: 2_000 - at as u64 }
        });
        Series { label, points: points.collect() }
    });
    let x_axis = XAxis { label: "delay between the last byte and the reset", unit: Unit::Nanoseconds };
    curve("curve", "EBADF by delay", "It rises with the delay.", x_axis, &series.collect::<Vec<_>>())
}

fn a_quantiles() -> String {
    let side =
        |name, p50_ns: f64| Side { name, n: 20_000, p50_ns, p90_ns: p50_ns * 3.0, p99_ns: p50_ns * 21.0 };
    let row = |label| QuantileRow { label, sides: [side("bare metal", 12e3), side("virtio-vhost", 1.1e6)] };
    let rows =
        [row("reset-in-wait, select()"), row("close-by-thread over a proxy with a long name, select()")];
    quantiles("quantiles", "How long select() lasted", "A guest takes longer.", &rows)
}

fn a_ladder() -> String {
    let lanes = ["client", "wire at the client", "wire at the peer", "peer", "kernel events"];
    let rung =
        |lane, begin_ns, end_ns, words, state| Rung { lane, begin_ns, end_ns, words, state, arrow: None };
    let packet = |lane, to, begin_ns, words, packet| Rung {
        arrow: Some(Arrow { to, packet }),
        ..rung(lane, begin_ns, begin_ns, words, RungState::Ok)
    };
    let rungs = [
        rung(0, 0, 310_000, "connect(192.0.2.1:7000) = 0", RungState::Ok),
        packet(1, 2, 120_000, "SYN", Packet::Plain),
        packet(2, 1, 180_000, "SYN ACK", Packet::Plain),
        rung(
            0,
            400_000,
            2_003_000_000,
            "select({3} read, timeout 5 s) = -1 EBADF after 2.0 s, libc's errno ENOENT",
            RungState::Verdict,
        ),
        packet(1, 2, 410_000, "PSH ACK 4 bytes", Packet::Data),
        rung(3, 2_000_400_000, 2_000_400_000, "close(4), SO_LINGER 0", RungState::Injected),
        packet(2, 1, 2_000_500_000, "RST", Packet::Reset),
        rung(4, 2_000_600_000, 2_000_600_000, "tcp_reset: sk_err = ECONNRESET", RungState::Ok),
        rung(0, 2_003_100_000, 2_003_140_000, "read(3, 4 bytes) = -1 EBADF", RungState::Failed),
        rung(0, 2_003_200_000, 2_003_200_000, "close(3) never returned", RungState::Cut),
    ];
    ladder("ladder", "Trial 17", "A select() that returned EBADF.", &lanes.map(str::to_owned), &rungs)
}

/// Texts of a chart that lie on each other, or outside of it.
const CROWDED: &str = "[...document.querySelectorAll('.chart-svg')].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].map(one => [one.textContent, one.getBoundingClientRect()])
        .filter(([, box]) => box.width > 0);
    const outside = texts.filter(([, box]) => box.left < frame.left - 1 || box.right > frame.right + 1
        || box.top < frame.top - 1 || box.bottom > frame.bottom + 1).map(([words]) => 'outside: ' + words);
    const on = texts.flatMap(([words, a], at) => texts.slice(at + 1)
        .filter(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4)
        .map(([other]) => words + ' lies on ' + other));
    return [...outside, ...on];
})";

#[test]
fn a_page_of_charts_is_accessible() {
    let Some(examiner) = Examiner::find() else { return };
    let (_folder, page) = page();
    examiner.accessible(&page);
}

#[test]
fn charts_fit_every_width_and_their_texts_do_not_touch() {
    let Some(browser) = Browser::find() else { return };
    let (_folder, page) = page();
    let mut tab = browser.start();
    for width in [320, 360, 720, 1200] {
        tab.show(&page, View { width, ..View::default() });
        assert_eq!(too_wide(&mut tab), 0, "at {width} pixels");
        assert_eq!(strings(&tab.evaluate(CROWDED)), [""; 0], "at {width} pixels");
        let scrolls = tab.evaluate(
            "[...document.querySelectorAll('.chart')].map(one => one.scrollWidth > one.clientWidth)",
        );
        let only_the_ladder = serde_json::json!([false, false, false, width < 700]);
        assert_eq!(scrolls, only_the_ladder, "at {width} pixels");
    }
}

#[test]
fn what_lies_on_another_text_is_found() {
    let Some(browser) = Browser::find() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.html");
    let text = |x: u32, words| format!("<text x=\"{x}\" y=\"20\">{words}</text>");
    let html = format!(
        "<!doctype html><svg class=\"chart-svg\" width=\"300\" height=\"40\">{}{}{}</svg>",
        text(0, "first"),
        text(10, "second"),
        text(290, "third")
    );
    fs::write(&page, html).expect("it is written");
    let mut tab = browser.start();
    tab.show(&page, View::default());
    assert_eq!(strings(&tab.evaluate(CROWDED)), ["outside: third", "first lies on second"]);
}

#[test]
fn a_page_of_charts_has_all_that_it_needs() {
    let Some(browser) = Browser::find() else { return };
    let (_folder, page) = page();
    no_foreign_address(&mut browser.start(), &page);
}

#[test]
fn the_ladder_is_reached_and_moved_with_keys() {
    let Some(browser) = Browser::find() else { return };
    let (_folder, page) = page();
    let mut tab = browser.start();
    tab.show(&page, View { width: 360, scripts: false, ..View::default() });
    tab.press("Tab");
    assert_eq!(tab.evaluate("document.activeElement.getAttribute('aria-label')"), "Trial 17 as a ladder");
    tab.press("ArrowRight");
    // It moves smoothly: until it has begun to.
    let moved = "new Promise(done => { const look = () =>
        document.activeElement.scrollLeft > 0 ? done(true) : requestAnimationFrame(look); look() })";
    assert_eq!(tab.evaluate(moved), true);
}

#[test]
fn charts_are_painted_and_printed_in_every_view() {
    let Some(browser) = Browser::find() else { return };
    let (_folder, page) = page();
    let mut tab = browser.start();
    let mut pictures = vec![];
    for view in views() {
        tab.show(&page, view);
        let picture = picture(&mut tab, "charts", view);
        // PNG, section 11.2.2: the width is the first word of the header.
        let width = u32::from_be_bytes(picture[16..20].try_into().expect("a header"));
        assert_eq!((&picture[1..4], width), (&b"PNG"[..], view.width), "{view:?}");
        assert!(tab.first_paint_ms().is_some_and(|ms| ms > 0.0), "{view:?}");
        if !pictures.contains(&picture) {
            pictures.push(picture);
        }
    }
    // Light and dark, narrow and wide; scripts change nothing, for there are none.
    assert_eq!(pictures.len(), 4);
    let printed = [false, true].map(|dark| {
        let view = View { width: 720, dark, paper: true, ..View::default() };
        tab.show(&page, view);
        picture(&mut tab, "charts", view)
    });
    assert_eq!(printed[0], printed[1], "paper is light");
    let paper = tab.print();
    assert!(paper.starts_with(b"%PDF-"), "{:?}", &paper[..8]);
    keep("charts.pdf", &paper);
}

/// A picture of the page that is shown; kept, if somebody wants to look.
fn picture(tab: &mut Tab, name: &str, View { width, dark, scripts, paper }: View) -> Vec<u8> {
    let picture = tab.screenshot();
    let (theme, scripts) = (if dark { "dark" } else { "light" }, if scripts { "" } else { "-no-scripts" });
    let paper = if paper { "-paper" } else { "" };
    keep(&format!("{name}-{width}-{theme}{scripts}{paper}.png"), &picture);
    picture
}

fn keep(name: &str, bytes: &[u8]) {
    if let Some(folder) = std::env::var_os("RIG_PICTURES") {
        fs::write(Path::new(&folder).join(name), bytes).expect("the folder is there");
    }
}
