//! Numbers as a chart writes them.
//!
//! Must not know where they stand. Units: in the names. Errors: none; what is not finite is `0`. Tests: below.

use std::borrow::Cow;

/// So many significant digits, without an exponent and without zeros at the end: `0.05`, `12`, `−3.2`.
pub(super) fn significant(value: f64, digits: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let power = value.abs().log10().floor() as i32;
    let decimals = (digits - 1 - power).clamp(0, 12) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    match text.strip_prefix('-') {
        Some("0") => "0".to_owned(),
        // A minus, which is as wide as a digit; the sign of the keyboard is a hyphen.
        Some(rest) => format!("\u{2212}{rest}"),
        None => text.to_owned(),
    }
}

/// A difference of shares in points of per cent, with its sign: `+0.1`.
pub(super) fn points(share: f64) -> String {
    let text = significant(share * 100.0, 3);
    if text == "0" || share < 0.0 { text } else { format!("+{text}") }
}

/// A share in per cent: `0.25 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", significant(share * 100.0, 3))
}

/// `20,000`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `0`, `250 ns`, `1.5 µs`, `10 ms`, `2 s`
pub(super) fn time(ns: f64) -> String {
    let (size, unit) = match ns.abs() {
        size if size >= 1e9 => (1e9, "s"),
        size if size >= 1e6 => (1e6, "ms"),
        size if size >= 1e3 => (1e3, "µs"),
        _ => (1.0, "ns"),
    };
    match significant(ns / size, 3).as_str() {
        "0" => "0".to_owned(),
        figure => format!("{figure} {unit}"),
    }
}

/// In lines of at most so many columns, broken between words (a name with hyphens is one); a text without words is one empty line.
pub(super) fn lines(text: &str, columns: usize) -> Vec<String> {
    let options = textwrap::Options::new(columns.max(8)).word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines: Vec<String> = textwrap::wrap(text.trim(), options).into_iter().map(Cow::into_owned).collect();
    if lines.is_empty() { vec![String::new()] } else { lines }
}

/// At most so many characters; what is left out is an ellipsis.
pub(super) fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    let kept: String = text.chars().take(characters.saturating_sub(1)).collect();
    format!("{}\u{2026}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_say_their_unit() {
        let found =
            [points(0.001), points(-0.000_2), points(0.0), points(1.0), percent(0.002_512), percent(1.0)];
        assert_eq!(found, ["+0.1", "\u{2212}0.02", "0", "+100", "0.251 %", "100 %"]);
        let found = [0.0, 250.0, 1_500.0, 10e6, 2e9, -3e6].map(time);
        assert_eq!(found, ["0", "250 ns", "1.5 µs", "10 ms", "2 s", "\u{2212}3 ms"]);
        assert_eq!(
            [0, 999, 1_000, 20_000, 1_234_567].map(count),
            ["0", "999", "1,000", "20,000", "1,234,567"]
        );
        assert_eq!([f64::NAN, f64::INFINITY, -1e-300].map(|x| significant(x, 3)), ["0", "0", "0"]);
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("virtio-vhost", 12), "virtio-vhost");
        assert_eq!(cut("äöüäöüäöü", 4), "äöü\u{2026}");
        assert_eq!(lines("", 20), [""]);
        assert_eq!(lines("over virtio-vhost", 14), ["over", "virtio-vhost"]);
        assert!(lines(&"x".repeat(90), 30).iter().all(|line| line.chars().count() <= 30));
    }
}
