//! The base program as anybody would write it to try it out: two threads, no record, the same system calls.
//!
//! It is the peer of the agent in a benchmark, and nothing else: it counts trials and looks at nothing.
//! Must not share code with the agent. Units: trials. Errors: `io::Error`, and a trial that ends otherwise than it must.
//! Source: the scenario `rst`; select(2), socket(7), tcp(7).

#![expect(unsafe_code, reason = "the plain loop that the agent is compared with makes bare system calls")]

use std::io::{self, ErrorKind, Read, Write};
use std::mem::size_of;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::ptr;
use std::thread;

/// Plays this many trials over the loopback of the calling thread's namespace.
pub(super) fn play(trials: u64) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::scope(|scope| {
        let peer = scope.spawn(|| (0..trials).try_for_each(|_| answer(&listener)));
        let asked = (0..trials).try_for_each(|_| ask(address));
        if asked.is_err() {
            // Ends an accept(2) that waits for connections which will not come.
            // SAFETY: no pointers.
            unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RD) };
        }
        let answered = peer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        asked.and(answered)
    })
}

/// The peer's part: "CDEF", then a RST.
fn answer(listener: &TcpListener) -> io::Result<()> {
    let (mut socket, _) = listener.accept()?;
    let mut buffer = [0; 1024];
    if socket.read(&mut buffer)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    socket.write_all(b"CDEF")?;
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: the kernel reads one `linger`, which lives.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            ptr::from_ref(&linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The client's part.
fn ask(address: SocketAddr) -> io::Result<()> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(b"ABCD")?;
    look(&socket)?;
    await_readable(socket.as_raw_fd())?;
    let mut buffer = [0; 1024];
    let data = socket.read(&mut buffer)?;
    match (data, socket.read(&mut buffer)) {
        (4, Err(error)) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        (data, then) => Err(io::Error::other(format!("read {data} bytes, then {then:?}"))),
    }
}

/// TCP_INFO, as the agent takes it before the call.
fn look(socket: &TcpStream) -> io::Result<()> {
    // SAFETY: all zeroes is a value of a struct of numbers.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            ptr::from_mut(&mut info).cast(),
            &raw mut length,
        )
    };
    if got < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// select(2) with a time-out of 5 s.
fn await_readable(descriptor: i32) -> io::Result<()> {
    if usize::try_from(descriptor).map_or(true, |number| number >= libc::FD_SETSIZE) {
        return Err(io::Error::other("the descriptor does not fit into a set of select()"));
    }
    // SAFETY: all zeroes is an empty set.
    let mut set: libc::fd_set = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor lies inside the set, as was just checked.
    unsafe { libc::FD_SET(descriptor, &raw mut set) };
    let mut timeout = libc::timeval { tv_sec: 5, tv_usec: 0 };
    // SAFETY: the kernel reads and writes one set and one time, which live.
    let ready = unsafe {
        libc::select(descriptor + 1, &raw mut set, ptr::null_mut(), ptr::null_mut(), &raw mut timeout)
    };
    match ready {
        1 => Ok(()),
        0 => Err(io::Error::new(ErrorKind::TimedOut, "select() saw nothing")),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_ends_as_it_must() {
        play(50).unwrap();
        play(0).unwrap();
    }
}
