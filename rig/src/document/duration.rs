//! Lengths of time as people write them, in every file and every flag: `250us`, `1.5s`, `2h 30m`.
//!
//! A number with a unit is read exactly, to the nanosecond; anything else as jiff's friendly format or ISO 8601. Must not know what the time is for.
//! Units: nanoseconds, as `Duration`. Errors: [`Wrong`]; it blames the text and shows what a duration looks like.
//! Tests: below.

use std::time::Duration;

use super::problem::Wrong;

/// By the name that is documented; the others are read too.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const LOOKS: &str = "a duration is a number with a unit: `250us`, `5ms`, `1.5s`, `2h 30m`; `0` needs none";

/// Reads a length of time. What is longer than 584 years (2^64 ns) is read as that: no bound is so high.
///
/// # Errors
/// It is no length of time, it is negative, or it is finer than a nanosecond.
pub fn parse_duration(text: &str) -> Result<Duration, Wrong> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = (text[..digits].replace('_', ""), text[digits..].trim());
    if let Some((_, unit_ns)) = UNITS.iter().find(|(name, _)| *name == unit) {
        return exact(&number, *unit_ns).map(Duration::from_nanos);
    }
    if unit.is_empty() && number.contains('0') && number.bytes().all(|b| b == b'0' || b == b'.') {
        return Ok(Duration::ZERO);
    }
    friendly(text).ok_or_else(|| explain(&number, unit))
}

/// For a flag: a length of time over zero, or one sentence that says what is wrong.
///
/// # Errors
/// As [`parse_duration`], and it is zero.
pub fn parse_deadline(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("the time must be longer than zero: `90s`, `30m`, `2h`".to_owned()),
        Ok(duration) => Ok(duration),
        Err(_) if text.trim().strip_prefix('-').is_some_and(|rest| parse_duration(rest).is_ok()) => {
            Err("a time is not negative: `90s`, `30m`, `2h`".to_owned())
        }
        Err(Wrong { label, help }) => {
            Err([Some(label), help].into_iter().flatten().collect::<Vec<_>>().join(": "))
        }
    }
}

/// `number` units in nanoseconds; `number` has digits and points only.
fn exact(number: &str, unit_ns: u64) -> Result<u64, Wrong> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.contains('.') || (whole.is_empty() && part.is_empty()) {
        return Err(Wrong::with_help("expected a duration", LOOKS));
    }
    // Digits without a value are too many.
    let whole = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(u64::MAX) };
    let mut ns = u64::saturating_mul(whole, unit_ns);
    let mut digit_ns = unit_ns;
    for digit in part.bytes() {
        if !digit_ns.is_multiple_of(10) && digit != b'0' {
            return Err(Wrong::with_help("finer than a nanosecond", "the clock counts whole nanoseconds"));
        }
        digit_ns /= 10;
        ns = ns.saturating_add(u64::from(digit - b'0') * digit_ns);
    }
    Ok(ns)
}

/// `2h 30m`, `1 hour, 5 minutes`, `PT2H30M`; not `2h ago`.
fn friendly(text: &str) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.parse().ok()?;
    let duration = Duration::try_from(signed).ok()?;
    Some(duration.min(Duration::from_nanos(u64::MAX)))
}

fn explain(number: &str, unit: &str) -> Wrong {
    if number.is_empty() || number == "." {
        return Wrong::with_help("expected a duration", LOOKS);
    }
    if unit.is_empty() {
        let help = format!("write `{number}ms` or `{number}s`; there are ns, us, ms, s, min, h");
        return Wrong::with_help("the unit is missing", help);
    }
    let label = format!("there is no unit `{unit}`");
    Wrong::with_help(label, "the units are `ns`, `us`, `ms`, `s`, `min` and `h`")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ns(text: &str) -> Option<u64> {
        parse_duration(text).ok().map(|duration| u64::try_from(duration.as_nanos()).unwrap())
    }

    const SECOND_NS: u64 = 1_000_000_000;

    /// What each place that now reads here has always accepted.
    #[test]
    fn every_spelling_that_was_ever_accepted_is_read() {
        let scripts = [
            ("0", 0),
            ("0.0", 0),
            ("0ms", 0),
            ("250us", 250_000),
            (" 1.5s ", 1_500_000_000),
            (".5s", 500_000_000),
            ("5.s", 5 * SECOND_NS),
            ("0.3ms", 300_000),
            ("1_000 ms", SECOND_NS),
            ("1.50000000000s", 1_500_000_000),
            ("2min", 120 * SECOND_NS),
        ];
        let deadlines = [
            ("90s", 90 * SECOND_NS),
            ("30m", 1800 * SECOND_NS),
            ("30 min", 1800 * SECOND_NS),
            ("2h", 7200 * SECOND_NS),
        ];
        let rehearsals = [
            ("2h 30m", 9000 * SECOND_NS),
            ("2h30m", 9000 * SECOND_NS),
            ("1 hour, 5 minutes", 3900 * SECOND_NS),
            ("1.5 hours", 5400 * SECOND_NS),
            ("10 secs", 10 * SECOND_NS),
            ("PT2H30M", 9000 * SECOND_NS),
            ("00:10:00", 600 * SECOND_NS),
        ];
        for (text, wanted) in scripts.into_iter().chain(deadlines).chain(rehearsals) {
            assert_eq!(ns(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, label) in [
            ("", "expected a duration"),
            (".", "expected a duration"),
            (".s", "expected a duration"),
            ("soon", "expected a duration"),
            ("-5ms", "expected a duration"),
            ("1.2.3s", "expected a duration"),
            ("5", "the unit is missing"),
            ("5 parsecs", "there is no unit `parsecs`"),
            ("2h ago", "there is no unit `h ago`"),
            ("0.5ns", "finer than a nanosecond"),
        ] {
            assert_eq!(parse_duration(text).expect_err(text).label, label, "{text}");
        }
    }

    #[test]
    fn a_flag_takes_no_zero_and_is_told_in_one_sentence() {
        assert_eq!(parse_deadline("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(
            parse_deadline("0s"),
            Err("the time must be longer than zero: `90s`, `30m`, `2h`".to_owned())
        );
        assert_eq!(parse_deadline("-3s"), Err("a time is not negative: `90s`, `30m`, `2h`".to_owned()));
        assert_eq!(parse_deadline("soon"), Err(format!("expected a duration: {LOOKS}")));
    }

    #[test]
    fn absurd_lengths_are_the_longest() {
        for text in ["99999999999999999999s", "9999999999999h", "PT2562047788015215H"] {
            assert_eq!(ns(text), Some(u64::MAX), "{text}");
        }
    }

    proptest! {
        /// jiff reads a whole number with a unit as we do.
        #[test]
        fn we_agree_with_jiff(number in 0_u64..10_000, unit in 0..UNITS.len()) {
            let (name, _) = UNITS[unit];
            let text = format!("{number}{name}");
            prop_assert_eq!(parse_duration(&text).ok(), friendly(&text));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = (parse_duration(&text), parse_deadline(&text));
        }
    }
}
