//! Number, name and text of every errno of this system.
//!
//! Holds the join of three sources. Must not know what an errno means.
//! Units: none. Errors: none; a number without a name is shown as itself.
//! Sources: names, include/uapi/asm-generic/errno{-base,}.h, by the crate `nix`; texts, strerror(3) of the C library that rig runs with.
//! Tests: here.

use std::sync::LazyLock;

use rig_protocol::Errno;
use serde::Serialize;

use crate::analysis::words::errno_text;

/// Second names of a number on Linux: include/uapi/asm-generic/errno.h, and `ENOTSUP` of the C library (errno(3)).
const SECOND_NAMES: [(&str, &str); 3] =
    [("EWOULDBLOCK", "EAGAIN"), ("EDEADLOCK", "EDEADLK"), ("ENOTSUP", "EOPNOTSUPP")];

/// The largest number that a system call can return as an errno: MAX_ERRNO of include/linux/err.h.
pub(super) const MOST: i32 = 4095;

static ALL: LazyLock<Vec<Named>> = LazyLock::new(|| {
    (1..=MOST).map(|number| Named::of(Errno(number))).filter(|named| named.name.is_some()).collect()
});

/// An errno as people and programs spell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its number on x86-64 Linux.
    pub number: i32,
    /// Its name: `ENOENT`; null where the number has none.
    pub name: Option<String>,
    /// What strerror(3) says: `No such file or directory`.
    pub text: String,
}

impl Named {
    /// Name and text of a number.
    pub fn of(errno: Errno) -> Self {
        let known = nix::errno::Errno::from_raw(errno.0);
        let name = (known != nix::errno::Errno::UnknownErrno).then(|| format!("{known:?}"));
        Self { number: errno.0, name, text: errno_text(errno) }
    }

    /// All that have a name, by number.
    pub fn all() -> impl Iterator<Item = &'static Self> + Clone {
        ALL.iter()
    }

    /// The one of this name, whatever the case of its letters; second names count.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        let second = SECOND_NAMES.iter().find(|(second, _)| second.eq_ignore_ascii_case(name));
        let name = second.map_or(name, |(_, first)| first);
        Self::all().find(|named| named.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)))
    }

    /// The errno itself.
    pub fn errno(&self) -> Errno {
        Errno(self.number)
    }

    /// `ENOENT`, or `errno 41` where the number has no name.
    pub fn word(&self) -> String {
        self.name.clone().unwrap_or_else(|| format!("errno {}", self.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_the_record_uses_are_these() {
        for name in Errno::names() {
            let errno: Errno = name.parse().expect("its own name");
            assert_eq!(Named::of(errno).word(), name);
            assert_eq!(Named::by_name(&name.to_lowercase()).map(Named::errno), Some(errno));
        }
        assert!(Named::all().count() > 130, "Linux has 133 numbers, two of them without a name");
        assert!(Named::all().all(|named| named.number > 0 && !named.text.starts_with("Unknown error")));
    }

    #[test]
    fn texts_are_those_of_the_c_library() {
        assert_eq!(Named::of(Errno::ENOENT).text, "No such file or directory");
        assert_eq!(Named::of(Errno(11)).text, "Resource temporarily unavailable");
        assert_eq!(Named::of(Errno(107)).text, "Transport endpoint is not connected");
    }

    #[test]
    fn second_names_and_numbers_without_a_name() {
        for (second, first) in SECOND_NAMES {
            assert_eq!(Named::by_name(second), Named::by_name(first));
            assert!(Named::by_name(second).is_some(), "{second}");
        }
        assert_eq!(Named::of(Errno(41)).word(), "errno 41");
    }
}
