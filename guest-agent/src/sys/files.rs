//! Descriptors and descriptor tables.
//!
//! Holds close, fcntl, SIOCINQ and its kin, and the making of a table of one's own; must not know what a descriptor is for.
//! Units: bytes. Errors: none, `-errno` is returned.
//! Source: close(2), close_range(2), unshare(2) `CLONE_FILES`, tcp(7).
//! Tests: `tests/loopback` (descriptor 3 in every trial).

use rig_protocol::Errno;

use super::errno::{check, is_failure};
use super::raw::syscall;

/// Gives the calling thread a descriptor table of its own (a copy); threads that it starts afterwards share it.
pub(crate) fn unshare_table() -> i64 {
    // SAFETY: takes no pointer; descriptors that other parts of the process use live on in their own table.
    unsafe { syscall(libc::SYS_unshare, [libc::CLONE_FILES as usize, 0, 0, 0, 0, 0]) }
}

/// Closes every descriptor from `first` up, in the calling thread's table. Kernels before 5.9 have no close_range(2): there the
/// first 1024 are closed one by one, more than a worker ever opens.
pub(crate) fn close_from(first: i32) {
    // SAFETY: takes no pointer; only workers call this, on a table of their own in which nothing else owns a descriptor.
    let returned = unsafe { syscall(libc::SYS_close_range, [first as usize, u32::MAX as usize, 0, 0, 0, 0]) };
    if returned == -i64::from(libc::ENOSYS) {
        for fd in first..1024 {
            close(fd);
        }
    }
}

/// close(2).
#[inline]
pub(crate) fn close(fd: i32) -> i64 {
    // SAFETY: takes no pointer; only script descriptors, which nothing else owns, are closed here.
    unsafe { syscall(libc::SYS_close, [fd as usize, 0, 0, 0, 0, 0]) }
}

/// pipe2(2): a close-on-exec pipe, its end to read from first.
pub(crate) fn pipe() -> Result<(i32, i32), Errno> {
    let mut ends = [0_i32; 2];
    let place = (&raw mut ends) as usize;
    // SAFETY: the kernel writes two ints to `ends`.
    check(unsafe { syscall(libc::SYS_pipe2, [place, libc::O_CLOEXEC as usize, 0, 0, 0, 0]) })?;
    Ok((ends[0], ends[1]))
}

/// read(2), once more where a signal interrupts it; 0 where nothing could be read.
pub(crate) fn read(fd: i32, into: &mut [u8]) -> usize {
    loop {
        let (place, length) = (into.as_mut_ptr() as usize, into.len());
        // SAFETY: the kernel writes at most `length` bytes to `into`.
        let read = unsafe { syscall(libc::SYS_read, [fd as usize, place, length, 0, 0, 0]) };
        if read != -i64::from(libc::EINTR) {
            return usize::try_from(read).unwrap_or(0);
        }
    }
}

/// poll(2) for something to read, or the end of it: which of the descriptors have it, by their place. None where the time was up or a signal came.
pub(crate) fn poll_all(fds: &[i32], timeout_ms: i32) -> Vec<usize> {
    let mut polled: Vec<_> =
        fds.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 }).collect();
    let place = polled.as_mut_ptr() as usize;
    // SAFETY: the kernel reads and writes as many structures of ours.
    let ready = unsafe { syscall(libc::SYS_poll, [place, fds.len(), timeout_ms as usize, 0, 0, 0]) };
    let has = |one: &(usize, &libc::pollfd)| ready > 0 && one.1.revents != 0;
    polled.iter().enumerate().filter(has).map(|(index, _)| index).collect()
}

/// dup3(2), close-on-exec: `fd` also as number `at`, whatever that was; they must differ.
pub(crate) fn place(fd: i32, at: i32) -> i64 {
    // SAFETY: takes no pointer; only workers call this, on a table of their own.
    unsafe { syscall(libc::SYS_dup3, [fd as usize, at as usize, libc::O_CLOEXEC as usize, 0, 0, 0]) }
}

/// fcntl(2) `F_GETFD`.
pub(crate) fn descriptor_flags(fd: i32) -> i64 {
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_fcntl, [fd as usize, libc::F_GETFD as usize, 0, 0, 0, 0]) }
}

/// fcntl(2) `F_GETFL`.
pub(crate) fn status_flags(fd: i32) -> i64 {
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_fcntl, [fd as usize, libc::F_GETFL as usize, 0, 0, 0, 0]) }
}

/// fcntl(2) `F_SETFL`.
pub(crate) fn set_status_flags(fd: i32, flags: i64) -> i64 {
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_fcntl, [fd as usize, libc::F_SETFL as usize, flags as usize, 0, 0, 0]) }
}

/// `O_NONBLOCK` besides the flags that there are.
pub(crate) fn set_nonblock(fd: i32) -> i64 {
    match status_flags(fd) {
        flags if is_failure(flags) => flags,
        flags => set_status_flags(fd, flags | i64::from(libc::O_NONBLOCK)),
    }
}

/// fcntl(2) `F_DUPFD_CLOEXEC`: the lowest free number.
pub(crate) fn duplicate(fd: i32) -> i64 {
    let command = libc::F_DUPFD_CLOEXEC as usize;
    // SAFETY: takes no pointer.
    unsafe { syscall(libc::SYS_fcntl, [fd as usize, command, 0, 0, 0, 0]) }
}

/// open(2) `O_PATH` of the root folder.
pub(crate) fn open_path() -> i64 {
    let flags = (libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is terminated and only read.
    unsafe { syscall(libc::SYS_open, [c"/".as_ptr() as usize, flags, 0, 0, 0, 0]) }
}

/// ioctl `SIOCOUTQ` (the number of `TIOCOUTQ`): bytes that are not acknowledged, or `-errno`.
pub(crate) fn unsent_bytes(fd: i32) -> i64 {
    counted_bytes(fd, libc::TIOCOUTQ as usize)
}

/// ioctl `SIOCINQ` (the number of `FIONREAD`): unread bytes, or `-errno`.
pub(crate) fn pending_bytes(fd: i32) -> i64 {
    counted_bytes(fd, libc::FIONREAD as usize)
}

fn counted_bytes(fd: i32, request: usize) -> i64 {
    let mut bytes: libc::c_int = 0;
    let place = &raw mut bytes as usize;
    // SAFETY: both ioctls write one int to `bytes`.
    let returned = unsafe { syscall(libc::SYS_ioctl, [fd as usize, request, place, 0, 0, 0]) };
    if returned == 0 { i64::from(bytes) } else { returned }
}
