//! What a verdict call returned, as the C library returns it: a value, and the errno where it is -1.
//!
//! Holds the one spelling that is a key of counts (`1`, `0`, `-1/EBADF`), both ways; nothing else may take such a key apart.
//! Units: none. Errors: [`NotAReturn`] for a key that spells no return. Tests: here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Errno;

/// What a call returned. As a key of JSON it is its spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Returned {
    /// As the C library returns it.
    pub value: i64,
    /// Only with -1.
    pub errno: Option<Errno>,
}

/// A key that spells no return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAReturn;

impl fmt::Display for NotAReturn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a return is written `1`, `0` or `-1/EBADF`")
    }
}

impl std::error::Error for NotAReturn {}

impl Returned {
    /// One descriptor is ready.
    pub const ONE: Self = Self::value(1);
    /// The time is up.
    pub const ZERO: Self = Self::value(0);

    /// A call that succeeded with this.
    pub const fn value(value: i64) -> Self {
        Self { value, errno: None }
    }

    /// A call that failed with this.
    pub const fn failed(errno: Errno) -> Self {
        Self { value: -1, errno: Some(errno) }
    }

    /// From the kernel's raw return value, which reports failure as -4095..=-1.
    pub fn of_raw(returned: i64) -> Self {
        Errno::of_return(returned).map_or(Self::value(returned), Self::failed)
    }

    /// How often these counts have it.
    pub fn count_in(self, returns: &BTreeMap<Self, u64>) -> u64 {
        returns.get(&self).copied().unwrap_or(0)
    }
}

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            Some(errno) => write!(f, "{}/{errno}", self.value),
            None => write!(f, "{}", self.value),
        }
    }
}

impl FromStr for Returned {
    type Err = NotAReturn;

    /// Only the one spelling that is ever written: two keys never mean the same.
    fn from_str(key: &str) -> Result<Self, NotAReturn> {
        let read = match key.strip_prefix("-1/") {
            Some(word) => Self::failed(Errno::from_word(word).ok_or(NotAReturn)?),
            None => Self::value(key.parse().map_err(|_| NotAReturn)?),
        };
        if read.to_string() == key { Ok(read) } else { Err(NotAReturn) }
    }
}

impl Serialize for Returned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Returned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        // Not the guest's words: whoever reads this error shows it.
        key.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_return_reads_back_and_nothing_else_is_one() {
        for returned in [
            Returned::ONE,
            Returned::ZERO,
            Returned::value(64),
            Returned::value(-5_000),
            Returned::failed(Errno::EBADF),
            Returned::failed(Errno(4_095)),
        ] {
            assert_eq!(returned.to_string().parse(), Ok(returned));
        }
        for foreign in ["", "+1", "01", "one", "-1/", "-1/EFOO", "-1/errno 9", "-2/EBADF"] {
            assert_eq!(foreign.parse::<Returned>(), Err(NotAReturn), "{foreign:?}");
        }
    }

    #[test]
    fn a_raw_return_is_a_value_or_an_errno() {
        let spelled = [1, 0, -2, -9, -4_095, -4_096].map(|raw| Returned::of_raw(raw).to_string());
        assert_eq!(spelled, ["1", "0", "-1/ENOENT", "-1/EBADF", "-1/errno 4095", "-4096"]);
    }

    #[test]
    fn counts_keep_their_keys_on_the_wire() {
        let counts = BTreeMap::from([(Returned::failed(Errno::EBADF), 3), (Returned::ONE, 4)]);
        let json = serde_json::to_string(&counts).expect("plain data");
        assert_eq!(json, r#"{"-1/EBADF":3,"1":4}"#);
        assert_eq!(serde_json::from_str::<BTreeMap<Returned, u64>>(&json).expect("read back"), counts);
        assert!(serde_json::from_str::<BTreeMap<Returned, u64>>(r#"{"-1/EFOO":1}"#).is_err());
    }
}
