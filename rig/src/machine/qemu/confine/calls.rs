//! The few system calls of this room, for a process between fork and exec: no allocation, no lock.
//!
//! Must not know what they are for. Units: none. Errors: `io::Error` of the call. Tests: those of the files that use it.

#![expect(unsafe_code, reason = "system calls that no library offers without an allocation")]

use std::ffi::CStr;
use std::io;

pub(super) fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    data: Option<&CStr>,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: mount(2) with C strings or null.
    check(unsafe {
        libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, pointer(data).cast())
    })
}

pub(super) fn check(result: libc::c_int) -> io::Result<()> {
    check_long(result.into())
}

pub(super) fn check_long(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
