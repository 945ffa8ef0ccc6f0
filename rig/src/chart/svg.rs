//! SVG as text: elements, attributes, escaped words.
//!
//! Must not know a chart. Units: pixels of CSS, and shares of the width that become per cent. Errors: none: what is not finite becomes 0, and a character that
//! XML 1.0 does not have becomes U+FFFD. Tests: below.

use std::fmt::Write as _;

use super::words::significant;

/// A chart that is being written.
pub(super) struct Svg {
    body: String,
}

/// An attribute: its name and its value, which is escaped.
pub(super) type Attribute<'a> = (&'a str, String);

/// A number of pixels, to 0.01.
pub(super) fn px(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{:.2}", value.clamp(-1e6, 1e6));
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A share of the width, as per cent to 0.01.
pub(super) fn across(share: f64) -> String {
    format!("{}%", px(share * 100.0))
}

/// A word as an attribute's value.
pub(super) fn word(text: &str) -> String {
    text.to_owned()
}

impl Svg {
    pub(super) fn new() -> Self {
        Self { body: String::new() }
    }

    /// An element without content.
    pub(super) fn empty(&mut self, name: &str, attributes: &[Attribute<'_>]) {
        self.tag(name, attributes);
        self.body.push_str("/>\n");
    }

    /// An element with what `inside` writes.
    pub(super) fn with(&mut self, name: &str, attributes: &[Attribute<'_>], inside: impl FnOnce(&mut Self)) {
        self.tag(name, attributes);
        self.body.push_str(">\n");
        inside(self);
        let _ = writeln!(self.body, "</{name}>");
    }

    /// An element with words.
    pub(super) fn words(&mut self, name: &str, attributes: &[Attribute<'_>], words: &str) {
        self.tag(name, attributes);
        let _ = writeln!(self.body, ">{}</{name}>", escaped(words));
    }

    /// Words at a share of the width, `right` pixels right of it, on the base line `down`.
    pub(super) fn text(&mut self, class: &str, share: f64, right: f64, down: f64, words: &str) {
        let at = [("class", word(class)), ("x", across(share)), ("dx", px(right)), ("y", px(down))];
        self.words("text", &at, words);
    }

    /// A line between two places, each a share of the width and pixels down.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ends = [("x1", across(from.0)), ("y1", px(from.1)), ("x2", across(to.0)), ("y2", px(to.1))];
        let mut all = vec![("class", word(class))];
        all.extend(ends);
        self.empty("line", &all);
    }

    /// A rectangle over shares of the width.
    pub(super) fn bar(&mut self, class: &str, (left, right): (f64, f64), top: f64, height: f64) {
        let place = [
            ("x", across(left)),
            ("y", px(top)),
            ("width", across((right - left).max(0.0))),
            ("height", px(height)),
        ];
        let mut all = vec![("class", word(class))];
        all.extend(place);
        self.empty("rect", &all);
    }

    /// What is drawn in pixels around a place: a mark keeps its size at every width.
    pub(super) fn at(&mut self, share: f64, down: f64, inside: impl FnOnce(&mut Self)) {
        self.with("svg", &[("class", word("c-at")), ("x", across(share)), ("y", px(down))], inside);
    }

    /// A path in pixels.
    pub(super) fn path(&mut self, class: &str, data: &str) {
        self.empty("path", &[("class", word(class)), ("d", word(data))]);
    }

    /// A path whose coordinates are thousandths of the width across, and pixels down: it is stretched with the width, and its stroke is not.
    pub(super) fn stretched(&mut self, (top, height): (f64, f64), inside: impl FnOnce(&mut Self)) {
        let place = [
            ("class", word("c-at")),
            ("x", word("0")),
            ("y", px(top)),
            ("width", word("100%")),
            ("height", px(height)),
            ("viewBox", format!("0 0 1000 {}", px(height))),
            ("preserveAspectRatio", word("none")),
        ];
        self.with("svg", &place, inside);
    }

    fn tag(&mut self, name: &str, attributes: &[Attribute<'_>]) {
        let _ = write!(self.body, "<{name}");
        for (name, value) in attributes {
            let _ = write!(self.body, " {name}=\"{}\"", escaped(value));
        }
    }

    /// What was written, without a frame.
    pub(super) fn bare(self) -> String {
        self.body
    }

    /// The whole chart: named for people who do not see it, with ids that begin with `id`. `least` is its least width, 0 for none.
    pub(super) fn framed(self, kind: &str, names: &Names<'_>, height: f64, least: f64) -> String {
        let id = identifier(names.id);
        let mut out = Self::new();
        let mut all = vec![
            ("xmlns", word("http://www.w3.org/2000/svg")),
            ("class", format!("chart-svg {kind}")),
            ("role", word("img")),
            ("aria-labelledby", format!("{id}-t {id}-d")),
            ("width", word("100%")),
            ("height", px(height)),
        ];
        if least > 0.0 {
            all.push(("style", format!("min-width:{}px", px(least))));
        }
        out.with("svg", &all, |out| {
            out.words("title", &[("id", format!("{id}-t"))], names.title);
            out.words("desc", &[("id", format!("{id}-d"))], names.desc);
            out.body.push_str(&self.body);
        });
        out.body
    }
}

/// How a chart is called.
pub(super) struct Names<'a> {
    /// What its ids begin with.
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    pub(super) desc: &'a str,
}

/// Letters, digits, `-` and `_`, and a letter first.
fn identifier(id: &str) -> String {
    let kept: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' }).collect();
    if kept.starts_with(|c: char| c.is_ascii_alphabetic()) { kept } else { format!("c{kept}") }
}

/// Words as text or as an attribute's value: XML 1.0, section 2.2 (characters) and 2.4 (markup).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' | '\r' => out.push(' '),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

/// The width of a plot on a page that is not narrow.
const WIDE: f64 = 560.0;

/// The words of an axis's ticks, on the base line `down`: those that have room in so many pixels, and, where the page is wider, more of them.
pub(super) fn tick_words(svg: &mut Svg, ticks: &[(f64, String)], narrow: f64, down: f64) {
    let always = with_room(ticks, narrow, vec![]);
    for at in with_room(ticks, WIDE, always.clone()) {
        let (share, words) = &ticks[at];
        let class = if always.contains(&at) { "c-tick c-middle" } else { "c-tick c-middle c-wide" };
        svg.text(class, *share, 0.0, down, words);
    }
}

/// Which ticks have room for their words beside those that are `kept` already: zero and the outermost first.
fn with_room(ticks: &[(f64, String)], pixels: f64, mut kept: Vec<usize>) -> Vec<usize> {
    const CHARACTER: f64 = 7.0;
    const APART: f64 = 8.0;
    let half = |words: &str| words.chars().count() as f64 * CHARACTER / 2.0;
    let middle = (ticks.len() as f64 - 1.0) / 2.0;
    let mut order: Vec<usize> = (0..ticks.len()).collect();
    order.sort_by(|a, b| {
        let inner = |at: &usize| (ticks[*at].1 != "0", -(*at as f64 - middle).abs());
        inner(a).partial_cmp(&inner(b)).unwrap_or(std::cmp::Ordering::Equal)
    });
    for at in order {
        let (share, words) = &ticks[at];
        let fits = |other: &usize| {
            let (there, said) = &ticks[*other];
            *other != at && (share - there).abs() * pixels >= half(words) + half(said) + APART
        };
        if kept.iter().all(fits) {
            kept.push(at);
        }
    }
    kept.sort_unstable();
    kept
}

/// A figure of an axis, without more digits than it needs.
pub(super) fn figure(value: f64) -> String {
    significant(value, 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_and_finite() {
        assert_eq!([1.0, 0.126, -0.001, 1e12].map(px), ["1", "0.13", "0", "1000000"]);
        assert_eq!([f64::NAN, f64::INFINITY].map(px), ["0", "0"]);
        assert_eq!(across(1.0 / 3.0), "33.33%");
    }

    #[test]
    fn words_cannot_leave_their_place() {
        assert_eq!(escaped("<a b='\"&\">\0\u{1b}\n"), "&lt;a b=&#39;&quot;&amp;&quot;&gt;\u{fffd}\u{fffd} ");
        assert_eq!(identifier("a\" onload=\"x"), "a--onload--x");
        assert_eq!((identifier(""), identifier("1")), ("c".to_owned(), "c1".to_owned()));
    }

    #[test]
    fn words_of_ticks_do_not_touch() {
        let ticks: Vec<(f64, String)> =
            (0..=20).map(|at| (f64::from(at) / 20.0, format!("{}", at * 100))).collect();
        let kept = with_room(&ticks, 290.0, vec![]);
        assert!(kept.len() > 3 && kept.len() < 10 && kept.contains(&0), "{kept:?}");
        assert!(
            kept.windows(2).all(|pair| (ticks[pair[1]].0 - ticks[pair[0]].0) * 290.0 >= 20.0),
            "{kept:?}"
        );
        let wider = with_room(&ticks, 580.0, kept.clone());
        assert!(wider.len() > kept.len() && kept.iter().all(|at| wider.contains(at)), "{wider:?}");
    }
}
