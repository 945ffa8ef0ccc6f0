//! A terminal that a program writes to.
//!
//! Holds the opening of a pair; line ends come as they were written. Must not know who writes.
//! Units: none. Errors: the errno of the call that failed (no /dev/ptmx, no devpts). Source: pty(7), ioctl_tty(2). Tests: `tests/program`.

use rig_protocol::Errno;

use super::errno::check;
use super::files;
use super::raw::syscall;

/// Our end and the program's, both close-on-exec.
pub(crate) fn open() -> Result<(i32, i32), Errno> {
    let path = c"/dev/ptmx".as_ptr() as usize;
    let flags = (libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) as usize;
    // SAFETY: the path is terminated.
    let ours =
        check(unsafe { syscall(libc::SYS_openat, [libc::AT_FDCWD as usize, path, flags, 0, 0, 0]) })? as i32;
    let unlocked: libc::c_int = 0;
    let number = &raw const unlocked as usize;
    // SAFETY: the kernel reads one int; the second ioctl takes flags.
    let theirs = unsafe {
        check(syscall(libc::SYS_ioctl, [ours as usize, libc::TIOCSPTLCK as usize, number, 0, 0, 0])).and_then(
            |_| check(syscall(libc::SYS_ioctl, [ours as usize, libc::TIOCGPTPEER as usize, flags, 0, 0, 0])),
        )
    };
    match theirs {
        Ok(theirs) => {
            write_as_it_is(theirs as i32);
            Ok((ours, theirs as i32))
        }
        Err(errno) => {
            files::close(ours);
            Err(errno)
        }
    }
}

/// No carriage return before a line feed. Where that fails, the reader takes it away.
fn write_as_it_is(terminal: i32) {
    // SAFETY: termios is plain integers, which the kernel fills and reads.
    unsafe {
        let mut settings: libc::termios2 = std::mem::zeroed();
        let terminal = terminal as usize;
        let place = &raw mut settings as usize;
        if syscall(libc::SYS_ioctl, [terminal, libc::TCGETS2 as usize, place, 0, 0, 0]) == 0 {
            settings.c_oflag &= !libc::OPOST;
            let place = &raw const settings as usize;
            syscall(libc::SYS_ioctl, [terminal, libc::TCSETS2 as usize, place, 0, 0, 0]);
        }
    }
}
