//! Socket options by their names.
//!
//! Holds level and number of each; must not know what a value does.
//! Units: as the manual says for each option. Errors: none, `-errno` is returned.
//! Source: socket(7), tcp(7), ip(7), include/uapi/asm-generic/socket.h. Tests: `tests/loopback`.

use std::time::Duration;

use rig_protocol::SocketOption;

use super::socket::{read_option, set_option};
use super::time::timeval;

/// Level and number.
fn place(name: SocketOption) -> (i32, i32) {
    use SocketOption as Name;
    let of_socket = |number| (libc::SOL_SOCKET, number);
    let of_tcp = |number| (libc::IPPROTO_TCP, number);
    match name {
        Name::KeepAlive => of_socket(libc::SO_KEEPALIVE),
        Name::ReceiveBuffer => of_socket(libc::SO_RCVBUF),
        Name::SendBuffer => of_socket(libc::SO_SNDBUF),
        Name::ReceiveLowWater => of_socket(libc::SO_RCVLOWAT),
        Name::ReuseAddress => of_socket(libc::SO_REUSEADDR),
        Name::UrgentInline => of_socket(libc::SO_OOBINLINE),
        Name::BusyPoll => of_socket(libc::SO_BUSY_POLL),
        Name::Error => of_socket(libc::SO_ERROR),
        Name::KeepIdle => of_tcp(libc::TCP_KEEPIDLE),
        Name::KeepInterval => of_tcp(libc::TCP_KEEPINTVL),
        Name::KeepCount => of_tcp(libc::TCP_KEEPCNT),
        Name::SynCount => of_tcp(libc::TCP_SYNCNT),
        Name::UserTimeout => of_tcp(libc::TCP_USER_TIMEOUT),
        Name::Linger2 => of_tcp(libc::TCP_LINGER2),
        Name::DeferAccept => of_tcp(libc::TCP_DEFER_ACCEPT),
        Name::QuickAck => of_tcp(libc::TCP_QUICKACK),
        Name::NoDelay => of_tcp(libc::TCP_NODELAY),
        Name::Cork => of_tcp(libc::TCP_CORK),
        Name::MaxSegment => of_tcp(libc::TCP_MAXSEG),
        Name::WindowClamp => of_tcp(libc::TCP_WINDOW_CLAMP),
        Name::NotSentLowWater => of_tcp(libc::TCP_NOTSENT_LOWAT),
        Name::ReceiveErrors => (libc::IPPROTO_IP, libc::IP_RECVERR),
        Name::TimeToLive => (libc::IPPROTO_IP, libc::IP_TTL),
    }
}

/// setsockopt(2).
pub(crate) fn set(fd: i32, name: SocketOption, value: i32) -> i64 {
    let (level, number) = place(name);
    set_option(fd, level, number, &[value])
}

/// getsockopt(2): the value, or `-errno`. A value below 0 reads as a number over 2147483647, so that it is no errno.
pub(crate) fn get(fd: i32, name: SocketOption) -> i64 {
    let (level, number) = place(name);
    let mut value: i32 = 0;
    let returned = read_option(fd, level, number, &mut value);
    if returned == 0 { i64::from(value.cast_unsigned()) } else { returned }
}

/// `SO_SNDTIMEO`; 0 is for ever.
pub(crate) fn send_timeout(fd: i32, length: Duration) -> i64 {
    set_option(fd, libc::SOL_SOCKET, libc::SO_SNDTIMEO, &[timeval(length)])
}

/// `TCP_USER_TIMEOUT`, in milliseconds.
pub(crate) fn user_timeout(fd: i32, length: Duration) -> i64 {
    set(fd, SocketOption::UserTimeout, i32::try_from(length.as_millis()).unwrap_or(i32::MAX))
}
