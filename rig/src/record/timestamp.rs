//! Points in time as the record writes them.
//!
//! Holds the civil calendar in UTC, nothing else. Must not know what happened then.
//! Units: milliseconds. Errors: none; a clock before 1970 reads as 1970.
//! Tests: here.

use std::time::{SystemTime, UNIX_EPOCH};

/// Year, month, day, hour, minute, second, millisecond in UTC.
pub(super) fn civil(at: SystemTime) -> [u64; 7] {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // H. Hinnant, "chrono-compatible low-level date algorithms", civil_from_days, for days from 1970 on: eras of 400 years
    // that begin on 1 March of the year 0.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    [year, month, day, second / 3_600, second / 60 % 60, second % 60, u64::from(since.subsec_millis())]
}

/// RFC 3339 in UTC with milliseconds: `2026-11-21T20:19:50.123Z`.
pub fn format_utc(at: SystemTime) -> String {
    let [year, month, day, hour, minute, second, milli] = civil(at);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// [`format_utc`] of now.
pub fn now_utc() -> String {
    format_utc(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn known_moments() {
        let at = |seconds: u64| format_utc(UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 7));
        // date -u -d @N
        assert_eq!(at(0), "1970-01-01T00:00:00.007Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.007Z");
        assert_eq!(at(1_709_251_199), "2024-02-29T23:59:59.007Z");
        assert_eq!(at(1_795_292_390), "2026-11-21T20:19:50.007Z");
        assert_eq!(at(4_102_444_799), "2099-12-31T23:59:59.007Z");
    }
}
