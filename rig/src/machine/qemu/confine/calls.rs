//! What a system call without a library's wrapper said, for a process between fork and exec: no allocation, no lock.
//!
//! Must not know the calls. Units: none. Errors: `io::Error` of the call. Tests: those of the files that use it.

use std::io;

pub(super) fn check(result: libc::c_int) -> io::Result<()> {
    check_long(result.into())
}

pub(super) fn check_long(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
