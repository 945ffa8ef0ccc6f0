//! The kernel's log, from a moment on.
//!
//! Holds the opening of /dev/kmsg and the reading of its records; must not know what is looked for.
//! Units: records. Errors: `-errno` (EPERM, EACCES: not allowed).
//! Source: Documentation/ABI/testing/dev-kmsg. Tests: `tests/loopback/kernel_log.rs`.

use super::errno::is_failure;
use super::files;
use super::raw::syscall;

/// The descriptor lies above those that a trial makes, and below the 64 for which a table has room anyway (include/linux/fdtable.h): it moves no number
/// and makes no table larger.
const LOWEST: usize = 60;
/// `CONSOLE_EXT_LOG_MAX` of kernel/printk: no record is longer.
const MOST_BYTES: usize = 8192;

/// Opens it behind its last record: the descriptor, or `-errno`.
pub(crate) fn open_at_end() -> i64 {
    let path = c"/dev/kmsg".as_ptr() as usize;
    let flags = (libc::O_RDONLY | libc::O_NONBLOCK | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is terminated and only read.
    let opened = unsafe { syscall(libc::SYS_openat, [libc::AT_FDCWD as usize, path, flags, 0, 0, 0]) };
    if is_failure(opened) {
        return opened;
    }
    let fd = opened as usize;
    // SAFETY: neither takes a pointer.
    let (sought, moved) = unsafe {
        (
            syscall(libc::SYS_lseek, [fd, 0, libc::SEEK_END as usize, 0, 0, 0]),
            syscall(libc::SYS_fcntl, [fd, libc::F_DUPFD_CLOEXEC as usize, LOWEST, 0, 0, 0]),
        )
    };
    files::close(opened as i32);
    if is_failure(sought) && !is_failure(moved) {
        files::close(moved as i32);
        return sought;
    }
    moved
}

/// Reads what has been logged since; gives the text of each record. 0, or `-errno`.
pub(crate) fn read(fd: i32, mut each: impl FnMut(&str)) -> i64 {
    let mut record = [0_u8; MOST_BYTES];
    loop {
        let place = record.as_mut_ptr() as usize;
        // SAFETY: the kernel writes at most the buffer's length.
        let read = unsafe { syscall(libc::SYS_read, [fd as usize, place, MOST_BYTES, 0, 0, 0]) };
        match read {
            0 => return 0,
            length if length > 0 => each(text(&record[..length as usize])),
            again if again == -i64::from(libc::EAGAIN) => return 0,
            // Records were overwritten before they were read: the next call gives the oldest that is left.
            gone if gone == -i64::from(libc::EPIPE) => {}
            failed => return failed,
        }
    }
}

/// `6,339,5140900,-;message` and lines that begin with a space; what is no printable ASCII is escaped.
fn text(record: &[u8]) -> &str {
    let record = std::str::from_utf8(record).unwrap_or_default();
    let message = record.split_once(';').map_or("", |(_, message)| message);
    message.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_record_is_its_first_line() {
        assert_eq!(text(b"6,339,5140900,-;TCP: a; b\n SUBSYSTEM=net\n"), "TCP: a; b");
        assert_eq!(text(b"garbage"), "");
    }
}
