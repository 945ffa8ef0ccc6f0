//! Numbers as words of a sentence: shares as per cent, counts with separators, lists.
//!
//! Holds formatting that sentences and reports share. Must not know what is said.
//! Units: shares of 1 in, per cent out. Errors: none.
//! Tests: here.

use std::io;

use rig_protocol::Errno;

/// Which way a figure that is cut to two digits may move: a bound must not promise more than it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// For an upper bound.
    Up,
    /// For a lower bound.
    Down,
    /// For an estimate.
    Nearest,
}

/// `0.062 %`: two significant digits, or as many as stand before the point; at least one decimal from 10 % on, so that 99.9 is not 100.
pub fn percent(share: f64, rounding: Rounding) -> String {
    format!("{} %", percent_number(share, rounding))
}

/// [`percent`] without the sign, for tables.
pub fn percent_number(share: f64, rounding: Rounding) -> String {
    let value = share * 100.0;
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = (1 - magnitude).clamp(1, 12);
    let scale = 10f64.powi(decimals);
    // 5 % is 0.05 * 100 = 5.000000000000001: what only rounding put there must not move a digit.
    let noise = 1e-9 * (value * scale).abs();
    let scaled = match rounding {
        Rounding::Up => (value * scale - noise).ceil(),
        Rounding::Down => (value * scale + noise).floor(),
        Rounding::Nearest => (value * scale).round(),
    };
    let text = format!("{:.*}", decimals as usize, scaled / scale);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if matches!(text, "" | "-0" | "-") { "0".into() } else { text.to_owned() }
}

/// `between 0.01 % and 0.15 %`, `at most 7.6 %`: both bounds of what was seen at least once. A lower one of less than a thousandth of the upper one tells nothing, and
/// boots that tell nothing of either have no bounds.
pub fn bounds(low: f64, high: f64) -> String {
    let (least, most) = (percent(low, Rounding::Down), percent(high, Rounding::Up));
    if are_no_bounds(low, high) {
        "too few boots for a bound".to_owned()
    } else if is_no_bound(low, high) {
        format!("at most {most}")
    } else {
        format!("between {least} and {most}")
    }
}

/// An upper bound of a share, or of a difference to both sides, from which on it tells nothing.
pub const TELLS_NOTHING: f64 = 0.8;

/// Whether neither bound of a share tells anything.
pub fn are_no_bounds(low: f64, high: f64) -> bool {
    is_no_bound(low, high) && high >= TELLS_NOTHING
}

fn is_no_bound(low: f64, high: f64) -> bool {
    low * 1_000.0 <= high
}

/// `0.001`, `0.018`: a share of 1 that is no frequency, two significant digits.
pub fn share(share: f64) -> String {
    let decimals = if share > 0.0 { (1 - share.log10().floor() as i32).clamp(1, 9) as usize } else { 1 };
    let text = format!("{share:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `12,000`
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 in 4,500`: a share as one of so many, two digits, cut so that it does not promise more than an upper bound holds; from 10 % on per cent.
pub fn one_in(share: f64) -> String {
    if !(share > 0.0 && share <= 0.1) {
        return percent(share, Rounding::Up);
    }
    // 0.001 is one of 1,000, not of 999.
    let of = (1.0 / share) * (1.0 + 1e-9);
    let step = 10f64.powi(of.log10().floor() as i32 - 1);
    format!("1 in {}", count(((of / step).floor() * step) as u64))
}

/// `3,900 trials`: a number of trials that is enough, two digits, never fewer than asked for.
pub fn enough(trials: u64) -> String {
    let step = 10u64.pow(trials.max(10).ilog10() - 1);
    format!("{} trials", count(trials.div_ceil(step).saturating_mul(step)))
}

/// What strerror(3) says of an errno, which is what a program prints: `No such file or directory`.
pub fn errno_text(errno: Errno) -> String {
    // std adds the number to what strerror says.
    let said = io::Error::from_raw_os_error(errno.0).to_string();
    said.rsplit_once(" (os error").map_or(said.as_str(), |(text, _)| text).to_owned()
}

/// `130 ms`: a time from a histogram, two digits, as its classes are a sixteenth wide.
pub fn about_time(ns: u64) -> String {
    let (unit, value) = match ns {
        0..1_000 => ("ns", ns as f64),
        1_000..1_000_000 => ("us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => ("ms", ns as f64 / 1e6),
        _ => ("s", ns as f64 / 1e9),
    };
    if value < 10.0 {
        let text = format!("{value:.1}");
        return format!("{} {unit}", text.trim_end_matches(".0"));
    }
    let step = 10f64.powi(value.log10().floor() as i32 - 1);
    format!("{} {unit}", (value / step).round() * step)
}

/// `+12 us`, `-3 ms`: a difference of two such times.
pub fn signed_time(ns: f64) -> String {
    let size = about_time(ns.abs().round() as u64);
    match ns {
        ns if ns.abs() < 0.5 => "0".to_owned(),
        ns if ns < 0.0 => format!("-{size}"),
        _ => format!("+{size}"),
    }
}

/// `1 cell`, `2 cells`
pub fn several(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{} {noun}s", count(n as u64)) }
}

/// `a`, `a and b`, `a, b and c`
pub fn list(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// A p-value: `0.031`, `1`, `<1e-6`.
pub fn p_value(p: f64) -> String {
    if p < 1e-6 {
        return "<1e-6".into();
    }
    let decimals = (1 - p.log10().floor() as i32).clamp(1, 9) as usize;
    let text = format!("{p:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_tell_nothing_are_not_told() {
        for (low, high, text) in [
            (0.000_1, 0.001_5, "between 0.01 % and 0.15 %"),
            (0.998_2, 1.0, "between 99.8 % and 100 %"),
            (0.005_7, 0.999_99, "between 0.57 % and 100 %"),
            (4e-70, 0.075_68, "at most 7.6 %"),
            (1e-7, 0.79, "at most 79 %"),
            (1e-7, 0.993, "too few boots for a bound"),
            (0.0, 1.0, "too few boots for a bound"),
        ] {
            assert_eq!(bounds(low, high), text);
        }
    }

    #[test]
    fn a_time_of_a_histogram_has_two_digits() {
        for (ns, text) in [
            (0, "0 ns"),
            (7, "7 ns"),
            (1_534, "1.5 us"),
            (131_839_000, "130 ms"),
            (44_600_000, "45 ms"),
            (996_000_000, "1000 ms"),
            (3_005_610_000, "3 s"),
            (127_000_000_000, "130 s"),
        ] {
            assert_eq!(about_time(ns), text, "{ns}");
        }
    }

    #[test]
    fn a_difference_of_times_has_its_sign() {
        let cases =
            [(12_000.0, "+12 us"), (-3_000_000.0, "-3 ms"), (0.2, "0"), (-0.4, "0"), (950.0, "+950 ns")];
        for (ns, text) in cases {
            assert_eq!(signed_time(ns), text);
        }
    }

    #[test]
    fn bounds_are_cut_to_the_side_that_promises_less() {
        assert_eq!(percent(0.000_614_6, Rounding::Up), "0.062 %");
        assert_eq!(percent(0.000_614_6, Rounding::Down), "0.061 %");
        assert_eq!(percent(0.005, Rounding::Up), "0.5 %");
        assert_eq!(percent(0.05, Rounding::Up), "5 %");
        assert_eq!(percent(0.999_51, Rounding::Down), "99.9 %");
        assert_eq!(percent(1.0, Rounding::Up), "100 %");
        assert_eq!(percent(-0.001_234, Rounding::Down), "-0.13 %");
        assert_eq!(percent(0.0, Rounding::Up), "0 %");
        assert_eq!(percent(0.406, Rounding::Nearest), "40.6 %");
    }

    #[test]
    fn one_of_so_many_allows_at_least_the_share() {
        assert_eq!(one_in(0.001), "1 in 1,000");
        assert_eq!(one_in(0.000_22), "1 in 4,500");
        assert_eq!(one_in(0.001_001), "1 in 990");
        assert_eq!(one_in(0.1), "1 in 10");
        assert_eq!(one_in(0.090_5), "1 in 11");
        assert_eq!(one_in(0.11), "11 %");
        assert_eq!(one_in(0.0), "0 %");
        assert_eq!(one_in(1e-9), "1 in 1,000,000,000");
    }

    #[test]
    fn enough_is_rounded_up() {
        let words = [0, 1, 99, 100, 101, 3_839, 38_412].map(enough);
        let wanted = ["0", "1", "99", "100", "110", "3,900", "39,000"].map(|n| format!("{n} trials"));
        assert_eq!(words, wanted);
        assert!(enough(u64::MAX).ends_with(" trials"));
    }

    #[test]
    fn counts_lists_and_p_values() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(several(1, "cell"), "1 cell");
        assert_eq!(p_value(1.0), "1");
        assert_eq!(p_value(0.031_4), "0.031");
        assert_eq!(p_value(1e-30), "<1e-6");
    }
}
