//! The C library's errno of the calling thread.
//!
//! Holds its reading and writing; must not be confused with a raw return value, which is the kernel's word.
//! Units: errno numbers. Errors: none.
//! Source: errno(3). Tests: `tests/loopback` (`stale_errno`, `errno_after_localtime`).

use rig_protocol::Errno;

/// What a program would print now.
#[inline(always)]
pub(crate) fn get() -> i32 {
    // SAFETY: the pointer is valid for the life of the calling thread and no other thread uses it.
    unsafe { *libc::__errno_location() }
}

/// Sets it.
#[inline(always)]
pub(crate) fn set(value: i32) {
    // SAFETY: as in `get`.
    unsafe { *libc::__errno_location() = value }
}

/// Does what a libc wrapper does after its system call: a failure sets errno, a success leaves it as it was.
#[inline(always)]
pub(crate) fn follow(returned: i64) {
    if is_failure(returned) {
        set(-returned as i32);
    }
}

/// Whether a raw return value is `-errno`.
#[inline(always)]
pub(crate) fn is_failure(returned: i64) -> bool {
    (-4095..0).contains(&returned)
}

/// A raw return value as value or errno.
pub(crate) fn check(returned: i64) -> Result<i64, Errno> {
    if is_failure(returned) { Err(Errno(-returned as i32)) } else { Ok(returned) }
}

/// Where the function lies that says where errno is.
#[cfg(test)]
pub(crate) fn location() -> usize {
    libc::__errno_location as *const () as usize
}
