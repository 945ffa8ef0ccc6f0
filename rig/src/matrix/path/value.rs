//! The values of a path's keys: durations, shares, rates, directions, patterns, sequence numbers.
//!
//! Must not know which key they stand for. Units: nanoseconds, parts per million, bits per second inside; `5ms`, `1%`, `10mbit` outside.
//! Errors: problems at the value; they blame the matrix file. Tests: below and in `tests.rs`.

use rig_protocol::Delay;

use super::keys::{self, PathKey};
use super::words::{SEQUENCES, TOWARDS, words};
use crate::document::{Findings, Key, Node, Span, Table, Value, hint};
use crate::matrix::configuration::choice;
use crate::middlebox::{Direction, Pattern, Sequence, Towards};
use crate::script::{Wrong, parse_delay, parse_share};

/// The keys of a value that has a direction.
const DIRECTIONS: [&str; 3] = words(&TOWARDS);

/// The largest window of TCP (RFC 7323 section 2.3): no sequence number further off means anything.
const LARGEST_WINDOW: u32 = 1 << 30;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// A value for each direction that the file names.
#[derive(Debug, Clone)]
pub(super) struct Directed<T> {
    pub(super) to_peer: Option<Said<T>>,
    pub(super) to_target: Option<Said<T>>,
}

fn wrong<T>(findings: &mut Findings, span: &Span, what: &str, wrong: Wrong) -> Option<T> {
    findings.report(span.clone(), format!("{what} is wrong"), wrong.label).maybe_help(wrong.help);
    None
}

/// A fixed length of time, in nanoseconds.
pub(super) fn duration(findings: &mut Findings, node: &Node, what: &str) -> Option<u64> {
    let text = match &node.value {
        Value::String(text) => text.as_str(),
        Value::Integer(Some(0)) => "0",
        Value::Integer(_) | Value::Float(_) => {
            let help = format!("write \"{0}ms\" or \"{0}s\", in quotes", node.spelled);
            let label = "the unit is missing".to_owned();
            return wrong(findings, &node.span, what, Wrong { label, help: Some(help) });
        }
        Value::Boolean(_) | Value::Datetime | Value::Array(_) | Value::Table(_) => {
            return findings.mismatch(node, what, "a duration such as \"5ms\"");
        }
    };
    match parse_delay(text) {
        Ok(Delay::Fixed { ns }) => Some(ns),
        Ok(Delay::Uniform { .. }) => {
            findings
                .report(node.span.clone(), format!("{what} is wrong"), "a different one each time")
                .help("give a fixed duration: \"5ms\"; for a random delay of each frame use jitter = { both = \"5ms\" }");
            None
        }
        Err(error) => wrong(findings, &node.span, what, error),
    }
}

/// A fixed length of time that is not nothing; `otherwise` says what nothing would mean.
pub(super) fn span_of_time(findings: &mut Findings, node: &Node, what: &str, otherwise: &str) -> Option<u64> {
    let ns = duration(findings, node, what)?;
    if ns == 0 {
        findings.report(
            node.span.clone(),
            format!("{what} must be longer than zero"),
            format!("0: {otherwise}"),
        );
        return None;
    }
    Some(ns)
}

/// A share of the frames, in parts per million.
pub(super) fn share(findings: &mut Findings, node: &Node, what: &str) -> Option<u32> {
    let text = match &node.value {
        Value::String(text) => text,
        Value::Integer(_) | Value::Float(_) => &node.spelled,
        Value::Boolean(_) | Value::Datetime | Value::Array(_) | Value::Table(_) => {
            return findings.mismatch(node, what, "a share such as \"1%\"");
        }
    };
    match parse_share(text, "frames") {
        Ok(ppm) => Some(ppm),
        Err(error) => wrong(findings, &node.span, what, error),
    }
}

/// Bits per second.
pub(super) fn bit_rate(findings: &mut Findings, node: &Node, what: &str) -> Option<u64> {
    let text = match &node.value {
        Value::String(text) => text,
        Value::Integer(_) | Value::Float(_) => &node.spelled,
        Value::Boolean(_) | Value::Datetime | Value::Array(_) | Value::Table(_) => {
            return findings.mismatch(node, what, "a rate such as \"10mbit\"");
        }
    };
    match parse_bit_rate(text) {
        Ok(bits) => Some(bits),
        Err(error) => wrong(findings, &node.span, what, error),
    }
}

/// Of a second, in bits. Decimal, as in tc(8).
const RATE_UNITS: &[(&str, u64)] =
    &[("bit", 1), ("kbit", 1_000), ("mbit", 1_000_000), ("gbit", 1_000_000_000)];

/// `64kbit`, `10mbit`, `1.5gbit`: bits of layer-2 frames per second, between a kilobit and a terabit.
fn parse_bit_rate(text: &str) -> Result<u64, Wrong> {
    const BOUNDS: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000_000;
    let refuse = |label: &str, help: String| Err(Wrong { label: label.to_owned(), help: Some(help) });
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let Ok(value) = number.replace('_', "").parse::<f64>() else {
        return refuse("expected a rate", "a rate is a number with a unit: `64kbit`, `10mbit`".to_owned());
    };
    let unit = unit.trim();
    if unit.is_empty() {
        return refuse("the unit is missing", format!("write \"{number}kbit\" or \"{number}mbit\""));
    }
    // tc(8) reads `mbps` as megabytes per second, most people as megabits: neither is guessed.
    let Some((_, of)) = RATE_UNITS.iter().find(|(name, _)| *name == unit) else {
        let units = RATE_UNITS.iter().map(|(name, _)| *name);
        return refuse(
            &format!("there is no unit `{unit}`"),
            hint(unit, units, "the units are bits per second"),
        );
    };
    let bits = (value * *of as f64).round() as u64;
    if BOUNDS.contains(&bits) {
        Ok(bits)
    } else {
        refuse(
            "out of range",
            "a rate lies between \"1kbit\" and \"1000gbit\"; without `rate` a link is unlimited".to_owned(),
        )
    }
}

/// A whole number that fits its field.
pub(super) fn count(findings: &mut Findings, node: &Node, what: &str, low: u32, high: u32) -> Option<u32> {
    let count = findings.count(node, what, &(u64::from(low)..=u64::from(high)))?;
    u32::try_from(count).ok()
}

/// A TCP port.
pub(super) fn port(findings: &mut Findings, node: &Node, what: &str) -> Option<u16> {
    let port = findings.count(node, what, &(1..=65_535))?;
    u16::try_from(port).ok()
}

/// One or both directions.
pub(super) fn towards(findings: &mut Findings, node: &Node, what: &str) -> Option<Towards> {
    choice(findings, node, what, &TOWARDS)
}

/// The direction of a segment; `both` is any.
pub(super) fn direction(findings: &mut Findings, node: &Node, what: &str) -> Option<Option<Direction>> {
    Some(match towards(findings, node, what)? {
        Towards::ToPeer => Some(Direction::ToPeer),
        Towards::ToTarget => Some(Direction::ToTarget),
        Towards::Both => None,
    })
}

/// Bytes of a payload, at least one.
pub(super) fn pattern(findings: &mut Findings, node: &Node, what: &str) -> Option<Pattern> {
    match findings.string(node, what)?.parse() {
        Ok(pattern) if Pattern::is_empty(&pattern) => {
            findings
                .report(
                    node.span.clone(),
                    format!("{what} looks for no bytes"),
                    "empty: every segment contains it",
                )
                .help(
                    "name at least one byte; segments that carry any data are payload = true of a condition",
                );
            None
        }
        Ok(pattern) => Some(pattern),
        Err(broken) => {
            findings
                .report(node.span.clone(), format!("{what} is wrong"), broken.to_string())
                .help("in a TOML string with double quotes a backslash is written twice; 'single quotes' keep it as it is");
            None
        }
    }
}

/// Which sequence number a forged reset carries.
pub(super) fn sequence(findings: &mut Findings, node: &Node, what: &str) -> Option<Sequence> {
    let text = findings.string(node, what)?;
    let offset = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u32>().ok().filter(|offset| plain && (1..=LARGEST_WINDOW).contains(offset))
    };
    let found = match text {
        "exact" => Some(Sequence::Exact),
        "rcv_nxt-1" => Some(Sequence::BeforeNext),
        "sack-edge" => Some(Sequence::SackEdge),
        _ => match (text.strip_prefix('+'), text.strip_prefix("outside+")) {
            (Some(digits), _) => offset(digits).map(|offset| Sequence::InWindow { offset }),
            (None, Some(digits)) => offset(digits).map(|beyond| Sequence::Outside { beyond }),
            (None, None) => None,
        },
    };
    if found.is_none() {
        let help = hint(text, SEQUENCES.iter().copied(), "there are");
        findings
            .report(node.span.clone(), format!("{what} cannot be `{text}`"), "not a sequence number")
            .help(format!(
                "{help}\n+N is N bytes into the window, outside+N beyond its edge, with N from 1 to {LARGEST_WINDOW}"
            ));
    }
    found
}

/// The value of each direction that `node` names; `options` are keys that stand beside the directions.
pub(super) fn directed<'n, T: Clone>(
    findings: &mut Findings,
    key: &Key,
    node: &'n Node,
    options: &[PathKey],
    mut read: impl FnMut(&mut Findings, &Node, &str) -> Option<T>,
) -> Option<(&'n Table, Directed<T>)> {
    let name = &key.name;
    let Value::Table(table) = &node.value else {
        undirected(findings, key, node);
        return None;
    };
    let options = keys::names(options);
    let known: Vec<&str> = DIRECTIONS.iter().chain(&options).copied().collect();
    findings.refuse_unknown_keys(table, &format!("`{name}`"), &known);
    let mut of = |direction: &str| {
        let (key, node) = table.entry(direction)?;
        let value = read(findings, node, &format!("`{name}.{direction}`"))?;
        Some(Said { value, span: key.span.start..node.span.end })
    };
    let (to_peer, to_target, both) = (of("to_peer"), of("to_target"), of("both"));
    let single = table.entries.iter().find(|(key, _)| ["to_peer", "to_target"].contains(&key.name.as_str()));
    match (table.entry("both"), single) {
        (Some((both, _)), Some((single, _))) => {
            findings
                .report(both.span.clone(), format!("`{name}` names a direction twice"), "both directions")
                .also(single.span.clone(), "one of them again")
                .help("write `both`, or `to_peer` and `to_target`");
        }
        (None, None) => {
            // A key that is none may be the direction that was meant, and is reported already.
            if table.entries.iter().all(|(key, _)| options.contains(&key.name.as_str())) {
                lost(findings, key, node, table);
            }
            return None;
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    Some((table, Directed { to_peer: to_peer.or(both.clone()), to_target: to_target.or(both) }))
}

/// A value that does not say which way: the commonest slip of all.
fn undirected(findings: &mut Findings, key: &Key, node: &Node) {
    let name = &key.name;
    let said = match &node.value {
        Value::String(text) => format!("\"{text}\""),
        Value::Integer(_) | Value::Float(_) => match name.as_str() {
            "delay" | "jitter" => format!("\"{}ms\"", node.spelled),
            "rate" => format!("\"{}mbit\"", node.spelled),
            _ => node.spelled.clone(),
        },
        Value::Boolean(_) | Value::Datetime | Value::Array(_) | Value::Table(_) => "...".to_owned(),
    };
    findings
        .report(node.span.clone(), format!("`{name}` has no direction"), "which way?")
        .help(format!("write {name} = {{ to_target = {said} }} for what travels to the target, to_peer for the other way, or both"));
}

/// A table that names no direction.
fn lost(findings: &mut Findings, key: &Key, node: &Node, table: &Table) {
    let label = if table.entries.is_empty() { "empty: it does nothing" } else { "no direction is named" };
    findings
        .report(node.span.clone(), format!("`{}` has no direction", key.name), label)
        .help(format!("add to_peer, to_target or both: {} = {{ to_target = ... }}", key.name));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_decimal_and_have_a_unit() {
        let read = |text: &str| parse_bit_rate(text).map_err(|wrong| wrong.label);
        assert_eq!(read("1kbit"), Ok(1_000));
        assert_eq!(read("10mbit"), Ok(10_000_000));
        assert_eq!(read("1.5 gbit"), Ok(1_500_000_000));
        assert_eq!(read("1_000gbit"), Ok(1_000_000_000_000));
        assert_eq!(read("2000bit"), Ok(2_000));
        for (text, label) in [
            ("10", "the unit is missing"),
            ("10mbps", "there is no unit `mbps`"),
            ("10MBit", "there is no unit `MBit`"),
            ("fast", "expected a rate"),
            ("", "expected a rate"),
            ("1.2.3mbit", "expected a rate"),
            ("999bit", "out of range"),
            ("1001gbit", "out of range"),
            ("99999999999999999999999gbit", "out of range"),
        ] {
            assert_eq!(read(text), Err(label.to_owned()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_rate_panics(text in "\\PC{0,20}") {
            let _ = parse_bit_rate(&text);
        }
    }
}
