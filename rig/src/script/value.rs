//! How a value is spelled in a scenario file, and the JSON from which the protocol builds an operation.
//!
//! Holds one reader per kind of value; must not know which operation takes it.
//! Units: nanoseconds, parts per million, errno numbers. Errors: [`Wrong`], which blames whoever wrote the value.
//! Tests: below.

use rig_protocol::{Delay, Errno, FieldKind, TimeRange};
use serde_json::{Value as Json, json};

use crate::document::{Node, Value, Wrong, hint, parse_count_within, parse_duration};

/// The longest single wait that a script may name: one hour. A longer one is a slip of the unit, and no block's deadline allows it.
pub(crate) const LONGEST_WAIT_NS: u64 = 3_600 * 1_000_000_000;

/// `0`, `250us`, `5ms`, `1.5s`, `uniform(0ms, 20ms)`.
///
/// # Errors
/// Says what a duration looks like.
pub fn parse_delay(text: &str) -> Result<Delay, Wrong> {
    let text = text.trim();
    let Some(inside) = text.strip_prefix("uniform") else {
        return parse_ns(text).map(|ns| Delay::Fixed { ns });
    };
    let bounds = inside
        .trim()
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|inside| inside.split_once(','));
    let Some((low, high)) = bounds else {
        return Err(Wrong::with_help(
            "expected two bounds",
            "a random delay is written `uniform(0ms, 20ms)`",
        ));
    };
    let (low_ns, high_ns) = (parse_ns(low.trim())?, parse_ns(high.trim())?);
    if low_ns > high_ns {
        return Err(Wrong::with_help(
            "the lower bound is above the upper one",
            format!("write `uniform({}, {})`", high.trim(), low.trim()),
        ));
    }
    Ok(Delay::Uniform { low_ns, high_ns })
}

/// A time that is the same in every trial, in nanoseconds.
fn parse_fixed(text: &str) -> Result<u64, Wrong> {
    match parse_delay(text)? {
        Delay::Fixed { ns } => Ok(ns),
        Delay::Uniform { .. } => {
            Err(Wrong::with_help("a random time", "this time is the same in every trial: write `3min`"))
        }
    }
}

/// `950ms..1100ms`: both ends belong to it.
///
/// # Errors
/// Says what a range looks like.
pub(super) fn parse_time_range(text: &str) -> Result<TimeRange, Wrong> {
    let Some((low, high)) = text.split_once("..") else {
        return Err(Wrong::with_help("expected two times", "a range of times is written `950ms..1100ms`"));
    };
    let (low, high) = (low.trim(), high.trim());
    let range = TimeRange { low_ns: parse_ns(low)?, high_ns: parse_ns(high)? };
    if range.low_ns < range.high_ns {
        return Ok(range);
    }
    let help = format!("write `{high}..{low}`");
    Err(Wrong {
        label: "the second time is not above the first".to_owned(),
        help: (low != high).then_some(help),
    })
}

/// A length of time in nanoseconds, as long as a script may wait.
fn parse_ns(text: &str) -> Result<u64, Wrong> {
    let duration = parse_duration(text)?;
    u64::try_from(duration.as_nanos())
        .ok()
        .filter(|ns| *ns <= LONGEST_WAIT_NS)
        .ok_or_else(|| Wrong::with_help("longer than an hour", "check the unit"))
}

/// `1%`, `0.01`: a share of the trials, in parts per million.
///
/// # Errors
/// Out of 0 to 1, or finer than one part per million.
pub fn parse_rate(text: &str) -> Result<u32, Wrong> {
    parse_share(text, "trials")
}

/// `1%`, `0.01`: a share of something (`trials`, `frames`), in parts per million.
///
/// # Errors
/// Out of 0 to 1, or finer than one part per million.
pub(crate) fn parse_share(text: &str, of: &str) -> Result<u32, Wrong> {
    let text = text.trim();
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 10_000.0),
        None => (text, 1_000_000.0),
    };
    let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'_');
    let Some(value) = number.replace('_', "").parse::<f64>().ok().filter(|_| plain) else {
        return Err(Wrong::with_help(
            format!("expected a share of the {of}"),
            "a rate is written `1%` or `0.01`",
        ));
    };
    let ppm = value * scale;
    if !(0.0..=1_000_000.0).contains(&ppm) {
        return Err(Wrong::with_help(
            format!("more than all {of}"),
            "a rate lies between 0 and 1 (`0%` and `100%`)",
        ));
    }
    // Decimal fractions are not exact in binary: 0.29 * 1e6 is 290000.00000000006.
    if (ppm - ppm.round()).abs() > 1e-6 {
        return Err(Wrong::with_help(
            "finer than one part per million",
            format!(
                "rates are whole parts per million of the {of}: `0.0001%` is the smallest that is not zero"
            ),
        ));
    }
    Ok(ppm.round() as u32)
}

/// `ENOENT`.
///
/// # Errors
/// No such name in the table.
pub fn parse_errno(text: &str) -> Result<Errno, Wrong> {
    let help = || hint(&text.to_uppercase(), Errno::names(), "an errno is written by its name");
    text.trim().parse().map_err(|()| Wrong::with_help("not the name of an errno", help()))
}

/// A text (a parameter's value, or a string of the file) as the JSON of a field. Sockets and marks are names, not values:
/// they are resolved where the whole script is known.
///
/// # Errors
/// The text is no value of this kind.
pub(crate) fn from_text(kind: FieldKind, text: &str) -> Result<Json, Wrong> {
    match kind {
        FieldKind::Delay => {
            parse_delay(text).map(|delay| serde_json::to_value(delay).expect("plain data serialises"))
        }
        FieldKind::Duration => parse_fixed(text).map(|ns| json!(ns)),
        FieldKind::TimeRange => {
            parse_time_range(text).map(|range| serde_json::to_value(range).expect("plain data serialises"))
        }
        FieldKind::Text => Ok(json!(text)),
        FieldKind::Count { low, high } => parse_count_within(text, &(low..=high)).map(|count| json!(count)),
        FieldKind::Rate => parse_rate(text).map(|ppm| json!(ppm)),
        FieldKind::Errno => parse_errno(text).map(|errno| json!(errno.0)),
        FieldKind::Choice(words) => {
            if words.contains(&text) {
                Ok(json!(text))
            } else {
                let help = hint(text, words.iter().copied(), "there are");
                Err(Wrong::with_help("not one of the allowed words", help))
            }
        }
        FieldKind::Number { low, high } => match text.trim().replace('_', "").parse::<i64>() {
            Ok(number) if (low..=high).contains(&number) => Ok(json!(number)),
            Ok(_) => Err(Wrong::new(format!("must be between {low} and {high}"))),
            Err(_) => Err(Wrong::with_help("expected a whole number", "it may be negative: `-1`")),
        },
        FieldKind::Flag => match text {
            "true" => Ok(json!(true)),
            "false" => Ok(json!(false)),
            _ => Err(Wrong::new("expected `true` or `false`")),
        },
        // A parameter is one text: `readable+hangup`, as labels join words; nothing is none.
        FieldKind::Words(words) => {
            let given = text.split('+').filter(|word| !word.is_empty());
            let given: Result<Vec<Json>, Wrong> =
                given.map(|word| from_text(FieldKind::Choice(words), word)).collect();
            given.map(Json::Array)
        }
        FieldKind::Socket | FieldKind::Sockets | FieldKind::Mark | FieldKind::Lane => {
            Err(Wrong::new("a parameter cannot name a socket, a mark or a lane"))
        }
    }
}

/// A value of the file as the JSON of a field.
///
/// # Errors
/// Its type or its text is wrong for this kind.
pub(crate) fn from_node(kind: FieldKind, node: &Node) -> Result<Json, Wrong> {
    let found = node.value.kind();
    match (&node.value, kind) {
        (Value::String(text), _) => from_text(kind, text),
        // Hexadecimal digits are TOML's matter.
        (Value::Integer(Some(count)), FieldKind::Count { .. }) => from_text(kind, &count.to_string()),
        (Value::Integer(_) | Value::Float(_), FieldKind::Count { .. } | FieldKind::Rate) => {
            from_text(kind, &node.spelled)
        }
        (Value::Integer(Some(0)), FieldKind::Delay) => from_text(kind, "0"),
        (Value::Integer(_) | Value::Float(_), FieldKind::Delay | FieldKind::Duration) => {
            Err(Wrong::with_help(
                "the unit is missing",
                format!("write \"{0}ms\" or \"{0}s\", in quotes", node.spelled),
            ))
        }
        (Value::Integer(_), FieldKind::Number { .. }) => from_text(kind, &node.spelled),
        (Value::Boolean(given), FieldKind::Flag) => Ok(json!(given)),
        (Value::Array(items), FieldKind::Words(words)) => {
            let items: Result<Vec<Json>, Wrong> =
                items.iter().map(|item| from_node(FieldKind::Choice(words), item)).collect();
            items.map(Json::Array)
        }
        (_, FieldKind::Words(_)) => Err(Wrong::new(format!("expected a list of words, not {found}"))),
        (_, FieldKind::Flag) => Err(Wrong::new(format!("expected true or false, not {found}"))),
        (_, FieldKind::Count { .. } | FieldKind::Number { .. }) => {
            Err(Wrong::new(format!("expected a whole number, not {found}")))
        }
        (_, FieldKind::Rate) => Err(Wrong::new(format!("expected a rate such as \"1%\", not {found}"))),
        (_, FieldKind::Delay | FieldKind::Duration) => {
            Err(Wrong::new(format!("expected a duration such as \"5ms\", not {found}")))
        }
        (_, FieldKind::TimeRange) => {
            Err(Wrong::new(format!("expected a range of times such as \"950ms..1100ms\", not {found}")))
        }
        (_, FieldKind::Errno) => {
            Err(Wrong::new(format!("expected an errno such as \"ENOENT\", not {found}")))
        }
        (
            _,
            FieldKind::Text
            | FieldKind::Choice(_)
            | FieldKind::Socket
            | FieldKind::Sockets
            | FieldKind::Mark
            | FieldKind::Lane,
        ) => Err(Wrong::new(format!("expected a string, not {found}"))),
    }
}

/// A single value as its text: parameters are texts until their use says what they are.
pub(crate) fn spelled(node: &Node) -> Option<&str> {
    match &node.value {
        Value::String(text) => Some(text),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime => Some(&node.spelled),
        Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fixed(ns: u64) -> Result<Delay, Wrong> {
        Ok(Delay::Fixed { ns })
    }

    #[test]
    fn durations_are_exact() {
        assert_eq!(parse_delay("0"), fixed(0));
        assert_eq!(parse_delay("0ms"), fixed(0));
        assert_eq!(parse_delay("250us"), fixed(250_000));
        assert_eq!(parse_delay(" 1.5s "), fixed(1_500_000_000));
        assert_eq!(parse_delay("0.3ms"), fixed(300_000));
        assert_eq!(parse_delay("1_000 ms"), fixed(1_000_000_000));
        assert_eq!(parse_delay("2min"), fixed(120_000_000_000));
        assert_eq!(parse_delay("uniform(0ms, 15ms)"), Ok(Delay::Uniform { low_ns: 0, high_ns: 15_000_000 }));
        assert_eq!(parse_delay("uniform(0,1us)"), Ok(Delay::Uniform { low_ns: 0, high_ns: 1_000 }));
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (text, label) in [
            ("", "expected a duration"),
            ("soon", "expected a duration"),
            ("5", "the unit is missing"),
            ("5 parsecs", "there is no unit `parsecs`"),
            ("1.2.3s", "expected a duration"),
            ("-5ms", "expected a duration"),
            ("2000min", "longer than an hour"),
            ("99999999999999999999s", "longer than an hour"),
            ("0.5ns", "finer than a nanosecond"),
            ("uniform(20ms, 5ms)", "the lower bound is above the upper one"),
            ("uniform(20ms)", "expected two bounds"),
            ("uniform 1ms, 2ms", "expected two bounds"),
        ] {
            assert_eq!(parse_delay(text).expect_err(text).label, label, "{text}");
        }
    }

    #[test]
    fn a_range_of_times_has_two_ends_in_order() {
        let range = |low_ns, high_ns| Ok(TimeRange { low_ns, high_ns });
        assert_eq!(parse_time_range("950ms..1100ms"), range(950_000_000, 1_100_000_000));
        assert_eq!(parse_time_range(" 0 .. 1.5s"), range(0, 1_500_000_000));
        for (text, label) in [
            ("950ms", "expected two times"),
            ("..5ms", "expected a duration"),
            ("5..6ms", "the unit is missing"),
            ("2s..1s", "the second time is not above the first"),
            ("1s..1000ms", "the second time is not above the first"),
            ("1s..2000min", "longer than an hour"),
        ] {
            assert_eq!(parse_time_range(text).expect_err(text).label, label, "{text}");
        }
        assert_eq!(parse_time_range("2s..1s").expect_err("swapped").help.as_deref(), Some("write `1s..2s`"));
        assert_eq!(parse_time_range("1s..1s").expect_err("empty").help, None);
    }

    #[test]
    fn rates_are_exact_in_parts_per_million() {
        for (text, ppm) in [
            ("1%", 10_000),
            ("0.01", 10_000),
            ("100%", 1_000_000),
            ("0", 0),
            ("0.29", 290_000),
            ("0.0001%", 1),
        ] {
            assert_eq!(parse_rate(text), Ok(ppm), "{text}");
        }
        for text in ["", "%", "101%", "1.5", "-1%", "1e-3", "0.0000001", "nan", "inf"] {
            assert!(parse_rate(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_delay_prints_reads_back(low_ns in 0..=LONGEST_WAIT_NS, length_ns in 0..=1_000_000_000_u64) {
            let high_ns = (low_ns + length_ns).min(LONGEST_WAIT_NS);
            for delay in [Delay::Fixed { ns: low_ns }, Delay::Uniform { low_ns, high_ns }] {
                prop_assert_eq!(parse_delay(&delay.to_string()), Ok(delay));
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,24}") {
            let _ = (parse_delay(&text), parse_rate(&text), parse_errno(&text));
        }
    }
}
