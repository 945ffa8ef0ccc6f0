//! Moments of a record as other formats write them.
//!
//! Must not ask a clock. Units: in the names. Errors: none: a text that is no moment has none. Tests: below.

use jiff::Timestamp;

/// The moment of RFC 3339 that a record tells.
fn of(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// RFC 3339, UTC, to the millisecond.
pub(super) fn rfc3339(text: &str) -> Option<String> {
    of(text).map(|moment| format!("{moment:.3}"))
}

/// Milliseconds since 1970, UTC.
pub(super) fn unix_ms(text: &str) -> Option<i64> {
    of(text).map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_one_in_every_notation() {
        assert_eq!(rfc3339("2026-11-21T21:19:50+01:00").as_deref(), Some("2026-11-21T20:19:50.000Z"));
        assert_eq!(unix_ms("1970-01-01T00:00:01.25Z"), Some(1_250));
        for text in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-11-21"] {
            assert_eq!((rfc3339(text), unix_ms(text)), (None, None), "{text}");
        }
    }
}
