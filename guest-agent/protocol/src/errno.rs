//! Errno values and their names on x86-64 Linux.
//!
//! Holds the numbers of include/uapi/asm-generic/errno{-base,}.h that a socket program can meet, and their names.
//! Units: none. Errors: none; an unknown number prints as itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The value that a system call returned as `-errno`: a measured value, not a failure of the rig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Errno(pub i32);

/// Number and name, from include/uapi/asm-generic/errno-base.h and errno.h.
const NAMES: &[(i32, &str)] = &[
    (1, "EPERM"),
    (2, "ENOENT"),
    (4, "EINTR"),
    (5, "EIO"),
    (7, "E2BIG"),
    (9, "EBADF"),
    (11, "EAGAIN"),
    (12, "ENOMEM"),
    (13, "EACCES"),
    (14, "EFAULT"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (20, "ENOTDIR"),
    (21, "EISDIR"),
    (22, "EINVAL"),
    (23, "ENFILE"),
    (24, "EMFILE"),
    (25, "ENOTTY"),
    (27, "EFBIG"),
    (28, "ENOSPC"),
    (32, "EPIPE"),
    (38, "ENOSYS"),
    (40, "ELOOP"),
    (62, "ETIME"),
    (71, "EPROTO"),
    (75, "EOVERFLOW"),
    (88, "ENOTSOCK"),
    (89, "EDESTADDRREQ"),
    (90, "EMSGSIZE"),
    (92, "ENOPROTOOPT"),
    (93, "EPROTONOSUPPORT"),
    (95, "EOPNOTSUPP"),
    (97, "EAFNOSUPPORT"),
    (98, "EADDRINUSE"),
    (99, "EADDRNOTAVAIL"),
    (100, "ENETDOWN"),
    (101, "ENETUNREACH"),
    (102, "ENETRESET"),
    (103, "ECONNABORTED"),
    (104, "ECONNRESET"),
    (105, "ENOBUFS"),
    (106, "EISCONN"),
    (107, "ENOTCONN"),
    (110, "ETIMEDOUT"),
    (111, "ECONNREFUSED"),
    (112, "EHOSTDOWN"),
    (113, "EHOSTUNREACH"),
    (114, "EALREADY"),
    (115, "EINPROGRESS"),
];

impl Errno {
    /// No such file or directory: the first of the two values that the reports name.
    pub const ENOENT: Self = Self(2);
    /// Bad file descriptor: the second.
    pub const EBADF: Self = Self(9);

    /// The errno in a raw return value, which reports failure as -4095..=-1 (arch/x86/include/asm/syscall.h, MAX_ERRNO).
    pub fn of_return(returned: i64) -> Option<Self> {
        (-4095..0).contains(&returned).then(|| Self(-(returned as i32)))
    }

    /// The symbolic name, where this table has it.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(number, _)| *number == self.0).map(|(_, name)| *name)
    }

    /// Reads what `Display` writes: a name of the table, or `errno 4095` for a number without one; nothing else.
    pub fn from_word(word: &str) -> Option<Self> {
        let errno = word.parse().ok().or_else(|| word.strip_prefix("errno ")?.parse().ok().map(Self))?;
        (errno.to_string() == word).then_some(errno)
    }

    /// All names of the table: for did-you-mean hints.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl FromStr for Errno {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(number, _)| Self(*number)).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_its_number() {
        for &(number, name) in NAMES {
            assert_eq!(name.parse(), Ok(Errno(number)));
            assert_eq!(Errno(number).to_string(), name);
        }
        assert_eq!(Errno(4095).to_string(), "errno 4095");
    }
}
