//! Counts as people write them, in every file and every flag: `2000`, `10_000`, `10k`, `2M`, `1e6`, `1.5k`.
//!
//! k, M and G stand for 10^3, 10^6 and 10^9; a number with a point or an exponent must come to a whole one. A comma is refused: one half of the world reads
//! `1,000` as one. Must not know what is counted. Units: none. Errors: [`Wrong`]; it blames the text and shows what a count looks like.
//! Tests: below.

use std::ops::RangeInclusive;

use super::problem::Wrong;

/// By what a count ends with.
const FACTORS: &[(char, u32)] = &[('k', 3), ('K', 3), ('M', 6), ('G', 9)];

const LOOKS: &str = "a count is a whole number: `2000`, `10_000`, `10k`, `2M`, `1e6`";

/// Digits of the largest u64.
const MOST_DIGITS: usize = 20;

/// A number without a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// It may be a count.
    Count(u64),
    /// Below zero.
    Negative,
    /// 2^64 or more.
    TooLarge,
}

/// Reads a count.
///
/// # Errors
/// It is no number, not a whole one, negative, or over 2^64.
pub fn parse_count(text: &str) -> Result<u64, Wrong> {
    parse_count_within(text, &(0..=u64::MAX))
}

/// Reads a count within bounds: what is outside is told the bounds.
///
/// # Errors
/// As [`parse_count`], or it lies outside.
pub fn parse_count_within(text: &str, bounds: &RangeInclusive<u64>) -> Result<u64, Wrong> {
    let outside = |label| Err(Wrong::with_help(label, limits(bounds)));
    match read_whole(text)? {
        Whole::Negative => outside("a count is not negative"),
        Whole::Count(count) if count < *bounds.start() => outside("too small"),
        Whole::Count(count) if count <= *bounds.end() => Ok(count),
        Whole::Count(_) | Whole::TooLarge => outside("too large"),
    }
}

/// The bounds, in words.
fn limits(bounds: &RangeInclusive<u64>) -> String {
    match (*bounds.start(), *bounds.end()) {
        (low, u64::MAX) => format!("it must be {low} or more, and less than 2^64"),
        (low, high) => format!("it must lie between {low} and {high}"),
    }
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

/// Reads a number, exactly.
///
/// # Errors
/// It is no number, or not a whole one.
pub(super) fn read_whole(text: &str) -> Result<Whole, Wrong> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('-') {
        return read_positive(rest)
            .map(|whole| if whole == Whole::Count(0) { whole } else { Whole::Negative });
    }
    read_positive(text.strip_prefix('+').unwrap_or(text))
}

fn read_positive(text: &str) -> Result<Whole, Wrong> {
    let looks = || Wrong::with_help("expected a whole number", LOOKS);
    if text.contains(',')
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| is_digit(b) || b == b',')
    {
        let help = format!("write `{}` or `{}`", text.replace([',', '_'], ""), text.replace(',', "_"));
        return Err(Wrong::with_help("this number has a comma", help));
    }
    let with_factor = |(letter, power): &(char, u32)| Some((text.strip_suffix(*letter)?.trim_end(), *power));
    let (text, power) = FACTORS.iter().find_map(with_factor).unwrap_or((text, 0));
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, read_exponent(exponent).ok_or_else(looks)?),
        None => (text, 0),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if !whole.starts_with(|c: char| c.is_ascii_digit()) || !whole.bytes().chain(part.bytes()).all(is_digit) {
        return Err(looks());
    }
    let part = part.replace('_', "");
    shift(&whole.replace('_', ""), part.trim_end_matches('0'), power.saturating_add(exponent))
}

/// What stands behind `e`. What does not fit is far over what any count can be.
fn read_exponent(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let well_formed = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    well_formed.then(|| digits.parse().unwrap_or(u32::MAX))
}

/// `WHOLE.PART` times ten to the power of `power`.
fn shift(whole: &str, part: &str, power: u32) -> Result<Whole, Wrong> {
    let Some(zeros) = (power as usize).checked_sub(part.len()) else {
        return Err(Wrong::with_help("not a whole number", LOOKS));
    };
    let digits = format!("{whole}{part}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Ok(Whole::Count(0));
    }
    // So many zeros that they need not be written to be too many.
    let zeros = "0".repeat(zeros.min(MOST_DIGITS));
    Ok(format!("{digits}{zeros}").parse().map_or(Whole::TooLarge, Whole::Count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_are_read_as_people_write_them() {
        for (text, count) in [
            ("0", 0),
            ("2000", 2_000),
            (" 10_000 ", 10_000),
            ("10k", 10_000),
            ("10K", 10_000),
            ("10 k", 10_000),
            ("2M", 2_000_000),
            ("1G", 1_000_000_000),
            ("1e6", 1_000_000),
            ("1E6", 1_000_000),
            ("1e+6", 1_000_000),
            ("1.5k", 1_500),
            ("1.50e1", 15),
            ("1000000.0", 1_000_000),
            ("0e999999999999", 0),
            ("0.0", 0),
            ("+5", 5),
            ("-0", 0),
            ("007", 7),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_count(text), Ok(count), "{text}");
        }
    }

    #[test]
    fn what_is_no_count_says_why() {
        for (text, label) in [
            ("", "expected a whole number"),
            ("many", "expected a whole number"),
            ("k", "expected a whole number"),
            (".5k", "expected a whole number"),
            ("1e", "expected a whole number"),
            ("1e-3", "expected a whole number"),
            ("1e6.5", "expected a whole number"),
            ("5m", "expected a whole number"),
            ("0x10", "expected a whole number"),
            ("inf", "expected a whole number"),
            ("nan", "expected a whole number"),
            ("-", "expected a whole number"),
            ("-5", "a count is not negative"),
            ("-1e3", "a count is not negative"),
            ("1.5", "not a whole number"),
            ("1.0005k", "not a whole number"),
            ("1,000", "this number has a comma"),
            ("18446744073709551616", "too large"),
            ("1e20", "too large"),
            ("1e99999999999999999999", "too large"),
            ("99999999999G", "too large"),
        ] {
            assert_eq!(parse_count(text).expect_err(text).label, label, "{text}");
        }
        let comma = parse_count("1,000,000").expect_err("a comma");
        assert_eq!(comma.help.as_deref(), Some("write `1000000` or `1_000_000`"));
    }

    #[test]
    fn what_is_outside_is_told_the_bounds() {
        let within = |text| parse_count_within(text, &(1..=20_000));
        assert_eq!(within("20k"), Ok(20_000));
        for (text, label) in [
            ("0", "too small"),
            ("20001", "too large"),
            ("1e30", "too large"),
            ("-5", "a count is not negative"),
        ] {
            let Wrong { label: found, help } = within(text).expect_err(text);
            assert_eq!(
                (found.as_str(), help.as_deref()),
                (label, Some("it must lie between 1 and 20000")),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_number_reads_back(count in any::<u64>()) {
            prop_assert_eq!(parse_count(&count.to_string()), Ok(count));
        }

        /// A whole number that a float holds exactly reads as that float prints.
        #[test]
        fn floats_that_are_whole_read_back(count in 0_u64..1 << 53) {
            prop_assert_eq!(parse_count(&format!("{:?}", count as f64)), Ok(count));
            prop_assert_eq!(parse_count(&format!("{:e}", count as f64)), Ok(count));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9eEkMG._, ]{0,24}|\\PC{0,24}") {
            let _ = parse_count(&text);
        }
    }
}
