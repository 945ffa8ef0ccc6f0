//! Bytes that a payload may contain, written as text: `CDEF`, `GET /evil\r\n`, `\x00\xff`.
//!
//! Pure. Must not know where it is searched. In specs and records it is a string with the escapes of a Rust byte string; characters beyond
//! ASCII stand for their UTF-8 bytes.
//! Errors: a text with a broken escape does not parse; it blames the spec. Tests: beside the module.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, shown and read as text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pattern(pub Vec<u8>);

/// A text with an escape that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{escape}` is not an escape (known: \\n \\r \\t \\0 \\\\ \\' \\\" \\xHH)")]
pub struct BrokenEscape {
    /// From its backslash on.
    pub escape: String,
}

impl Pattern {
    /// Whether it matches everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `bytes` contain it.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.is_empty() || bytes.windows(self.0.len()).any(|window| window == self.0)
    }
}

impl FromStr for Pattern {
    type Err = BrokenEscape;

    fn from_str(text: &str) -> Result<Self, BrokenEscape> {
        let mut bytes = vec![];
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            bytes.extend_from_slice(&rest.as_bytes()[..at]);
            let escape = &rest[at..];
            let (byte, length) =
                unescape(escape).ok_or_else(|| BrokenEscape { escape: escape.chars().take(4).collect() })?;
            bytes.push(byte);
            rest = &escape[length..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        Ok(Self(bytes))
    }
}

/// The byte of an escape, and the escape's length.
fn unescape(escape: &str) -> Option<(u8, usize)> {
    let simple = |byte| Some((byte, 2));
    match escape.as_bytes().get(1)? {
        b'n' => simple(b'\n'),
        b'r' => simple(b'\r'),
        b't' => simple(b'\t'),
        b'0' => simple(0),
        same @ (b'\\' | b'\'' | b'"') => simple(*same),
        b'x' => {
            let digits =
                escape.get(2..4).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
            Some((u8::from_str_radix(digits, 16).ok()?, 4))
        }
        _ => None,
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{self}\"")
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        let read = |text: &str| text.parse::<Pattern>().map(|pattern| pattern.0);
        assert_eq!(read("CDEF"), Ok(b"CDEF".to_vec()));
        assert_eq!(read(r"a\r\n\x00\xFf\\"), Ok(b"a\r\n\x00\xff\\".to_vec()));
        assert_eq!(read("ü"), Ok(vec![0xc3, 0xbc]));
        for broken in [r"\", r"\q", r"\x1", r"\x+1", r"\xü"] {
            assert!(read(broken).is_err(), "{broken}");
        }
        assert_eq!(serde_json::to_string(&Pattern(b"CD\x01".to_vec())).expect("text"), r#""CD\\x01""#);
    }

    #[test]
    fn it_is_found_where_it_is() {
        let pattern = Pattern(b"EVIL".to_vec());
        assert!(pattern.is_in(b"..EVIL.."));
        assert!(!pattern.is_in(b"EVI") && !pattern.is_in(b""));
        assert!(Pattern::default().is_in(b""));
    }

    proptest! {
        #[test]
        fn every_pattern_survives(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let pattern = Pattern(bytes);
            prop_assert_eq!(pattern.to_string().parse::<Pattern>(), Ok(pattern.clone()));
        }

        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = text.parse::<Pattern>();
        }
    }
}
