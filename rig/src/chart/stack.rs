//! The stack: shares of a whole as one bar in a line of text, each with a pattern of its own.
//!
//! Decoration: the numbers stand beside it, so it has no words and assistive software does not see it. Must not know what a part is. Units: shares of 1.
//! Errors: none; shares that are not above 0 are not drawn, and what exceeds 1 is cut. Tests: `tests.rs`.

use super::svg::{Svg, px, word};

/// A part of the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Which pattern, below [`PATTERNS`]; a larger number begins anew.
    pub pattern: usize,
    /// How much, of 1.
    pub share: f64,
}

/// Number of patterns. The first is plain: it is for what is expected.
pub const PATTERNS: usize = 7;

/// The least width at which a part is seen, so that one in a million does not vanish; of 1.
const SEEN: f64 = 0.02;

/// A bar, 1 em high, as wide as the style sheet says. The page needs [`patterns`] once.
pub fn stack(parts: &[Part]) -> String {
    let shares: Vec<f64> =
        parts.iter().map(|part| if part.share > 0.0 { part.share.clamp(SEEN, 1.0) } else { 0.0 }).collect();
    let whole = shares.iter().sum::<f64>().max(1.0);
    let mut svg = Svg::new();
    svg.with("svg", &[("class", word("c-stack")), ("aria-hidden", word("true"))], |svg| {
        let mut left = 0.0;
        for (part, share) in parts.iter().zip(&shares).filter(|(_, share)| **share > 0.0) {
            let width = share / whole;
            svg.bar(&format!("c-p{}", part.pattern % PATTERNS), (left, left + width), 0.0, 10.0);
            left += width;
        }
    });
    svg.bare().replace('\n', "")
}

/// What the patterns look like: once in a page, anywhere in its body. It takes no room.
pub fn patterns() -> String {
    const LINES: [&str; PATTERNS - 1] = [
        "M-1 1L1-1M0 6L6 0M5 7L7 5",
        "M2 2h2v2h-2z",
        "M1 0V6M4 0V6",
        "M0 0L6 6M-1 5L1 7M5-1L7 1",
        "M0 3H6M3 0V6",
        "M0 1.5H6M0 4.5H6",
    ];
    let mut svg = Svg::new();
    let hidden = [
        ("class", word("c-patterns")),
        ("width", word("0")),
        ("height", word("0")),
        ("aria-hidden", word("true")),
    ];
    svg.with("svg", &hidden, |svg| {
        svg.with("defs", &[], |svg| {
            for (at, lines) in LINES.iter().enumerate() {
                let place = [
                    ("id", format!("c-pattern-{}", at + 1)),
                    ("width", px(6.0)),
                    ("height", px(6.0)),
                    ("patternUnits", word("userSpaceOnUse")),
                ];
                svg.with("pattern", &place, |svg| {
                    let ground = [("width", px(6.0)), ("height", px(6.0))];
                    svg.empty("rect", &[&[("class", format!("c-ground{}", at + 1))][..], &ground].concat());
                    svg.path("c-hatch", lines);
                });
            }
        });
    });
    svg.bare()
}
