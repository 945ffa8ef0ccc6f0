//! What a verdict call returned, as the keys of a tally spell it: `1`, `0`, `-1/EBADF`.
//!
//! Holds both ways of that spelling, and nothing else may take such a key apart.
//! Units: none. Errors: [`NotAReturn`]; a key that comes from elsewhere stays a key, and is only shown.
//! Tests: here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rig_protocol::Errno;

/// A raw return value, and the errno where it is -1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Returned {
    /// As the C library returns it.
    pub value: i64,
    /// Only with -1.
    pub errno: Option<Errno>,
}

/// A key that spells no return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAReturn;

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

    /// How often a tally, or a cell of a report, has it.
    pub fn count_in(self, returns: &BTreeMap<String, u64>) -> u64 {
        returns.get(&self.to_string()).copied().unwrap_or(0)
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
            Some(name) => Self::failed(errno(name).ok_or(NotAReturn)?),
            None => Self::value(key.parse().map_err(|_| NotAReturn)?),
        };
        if read.to_string() == key { Ok(read) } else { Err(NotAReturn) }
    }
}

fn errno(name: &str) -> Option<Errno> {
    // A number without a name is written `errno 4095`.
    let number = || name.strip_prefix("errno ")?.parse().ok().map(Errno);
    name.parse().ok().or_else(number)
}

#[cfg(test)]
mod tests {
    use rig_protocol::Tally;

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
    fn the_spelling_is_that_of_a_tally() {
        let tally =
            Tally { returns: [("-1/EBADF".to_owned(), 3), ("1".to_owned(), 4)].into(), ..Tally::default() };
        assert_eq!(Returned::failed(Errno::EBADF).count_in(&tally.returns), tally.returned(Errno::EBADF));
        let counts = [Returned::ONE, Returned::ZERO].map(|returned| returned.count_in(&tally.returns));
        assert_eq!(counts, [4, 0]);
    }
}
