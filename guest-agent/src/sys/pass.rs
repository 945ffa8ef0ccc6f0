//! A descriptor on its way through a UNIX socket.
//!
//! Holds the control message of `SCM_RIGHTS`; must not know what the descriptor is for.
//! Units: none. Errors: none, `-errno` is returned. Source: unix(7), cmsg(3), sendmsg(2), recvmsg(2). Tests: `tests/loopback`.

use super::errno::is_failure;
use super::files;
use super::raw::syscall;

/// `struct cmsghdr` with one descriptor, padded to its alignment.
#[derive(Debug)]
#[repr(C)]
struct Rights {
    length: usize,
    level: i32,
    kind: i32,
    fd: i32,
    padding: i32,
}

/// Sends `fd` to the own process: the new descriptor (`O_CLOEXEC`), or `-errno`.
pub(crate) fn to_self(fd: i32) -> i64 {
    let mut pair = [0_i32; 2];
    let kind = (libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC) as usize;
    let place = (&raw mut pair) as usize;
    // SAFETY: the kernel writes two ints to `pair`.
    let made = unsafe { syscall(libc::SYS_socketpair, [libc::AF_UNIX as usize, kind, 0, place, 0, 0]) };
    if is_failure(made) {
        return made;
    }
    // Where an end of the pair has the number, it was free.
    let sent = match fd {
        free if pair.contains(&free) => -i64::from(libc::EBADF),
        fd => transfer(libc::SYS_sendmsg, pair[0], fd, libc::MSG_NOSIGNAL),
    };
    let received = if is_failure(sent) {
        sent
    } else {
        transfer(libc::SYS_recvmsg, pair[1], -1, libc::MSG_CMSG_CLOEXEC)
    };
    for end in pair {
        files::close(end);
    }
    received
}

/// One message of one byte; the descriptor that stands in it afterwards.
fn transfer(call: i64, through: i32, fd: i32, flags: i32) -> i64 {
    let mut byte = 0_u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // Of the header and one descriptor, without the padding.
    let length = size_of::<Rights>() - size_of::<i32>();
    let mut rights = Rights { length, level: libc::SOL_SOCKET, kind: libc::SCM_RIGHTS, fd, padding: 0 };
    // SAFETY: a zeroed msghdr is a valid one.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut rights).cast();
    message.msg_controllen = size_of::<Rights>();
    // SAFETY: the message names memory of ours, which the kernel reads or writes within the lengths that it names.
    let returned =
        unsafe { syscall(call, [through as usize, (&raw mut message) as usize, flags as usize, 0, 0, 0]) };
    match returned {
        failed if is_failure(failed) => failed,
        _ if rights.fd < 0 => -i64::from(libc::EMFILE),
        _ => i64::from(rights.fd),
    }
}
