//! Counts on the command line: as people write them (`10k`, `1e6`), within the bounds that a matrix file has for them.
//!
//! Must not know what is done with a count. Units: trials. Errors: one sentence each, for clap to show; they blame the argument.
//! Tests: below, `tests/cli_input.rs`.

use std::ops::RangeInclusive;

use crate::document::{Wrong, parse_count_within};
use crate::matrix::keys::{in_flight_bounds, trial_bounds};

/// `--trials`
pub(super) fn trials(text: &str) -> Result<u64, String> {
    within(text, &trial_bounds())
}

/// `--in-flight`
pub(super) fn in_flight(text: &str) -> Result<u32, String> {
    small(text, &in_flight_bounds())
}

/// Examples of each outcome: none is as good an answer as many.
pub(super) fn examples(text: &str) -> Result<u32, String> {
    small(text, &(0..=10_000))
}

/// `--seed`: any number.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    within(text, &(0..=u64::MAX))
}

/// `--bound`, `--fix`: a share of 1, or per cent with the sign; more than 0 and less than 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text, 1.0),
    };
    match number.parse::<f64>().map(|number| number / scale) {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        Ok(_) => Err("a rate is more than 0 and less than 1: `1e-4` or `0.01%`".to_owned()),
        Err(_) => Err("this is not a rate: write `1e-4` or `0.01%`".to_owned()),
    }
}

fn small(text: &str, bounds: &RangeInclusive<u64>) -> Result<u32, String> {
    within(text, bounds).map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

fn within(text: &str, bounds: &RangeInclusive<u64>) -> Result<u64, String> {
    parse_count_within(text, bounds).map_err(|Wrong { label, help }| match help {
        Some(help) => format!("{label}: {help}"),
        None => label,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_shares_or_per_cent() {
        assert_eq!((share("1e-4"), share("0.01%"), share("50 %")), (Ok(1e-4), Ok(1e-4), Ok(0.5)));
        for refused in ["0", "1", "100%", "-0.1", "NaN", "inf"] {
            assert_eq!(
                share(refused),
                Err("a rate is more than 0 and less than 1: `1e-4` or `0.01%`".to_owned())
            );
        }
        assert_eq!(share("0,1"), Err("this is not a rate: write `1e-4` or `0.01%`".to_owned()));
    }

    #[test]
    fn counts_have_the_bounds_of_a_matrix_file() {
        assert_eq!(trials("1e6"), Ok(1_000_000));
        assert_eq!((in_flight("20k"), examples("0")), (Ok(20_000), Ok(0)));
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        for (refused, wanted) in [
            (trials("0"), "too small: it must lie between 1 and 100000000"),
            (trials("18446744073709551615"), "too large: it must lie between 1 and 100000000"),
            (trials("-5"), "a count is not negative: it must lie between 1 and 100000000"),
            (in_flight("20001").map(u64::from), "too large: it must lie between 1 and 20000"),
            (seed("-1"), "a count is not negative: it must be 0 or more, and less than 2^64"),
            (seed("1,5"), "this number has a comma: write `15` or `1_5`"),
        ] {
            assert_eq!(refused, Err(wanted.to_owned()));
        }
    }
}
