//! What the kernel remembers of the hosts that TCP has talked to: round-trip times, windows, thresholds.
//!
//! Holds the wish to forget all of it, and how much there is; must not know why. Of the caller's network namespace.
//! Units: hosts. Errors: an errno; `ENOENT` where the kernel has no such memory.
//! Source: generic netlink (include/uapi/linux/genetlink.h), include/uapi/linux/tcp_metrics.h, net/ipv4/tcp_metrics.c. Tests: below.

use rig_protocol::Errno;

use super::errno::check;
use super::files;
use super::raw::syscall;
use super::socket;

/// `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME`.
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `TCP_METRICS_GENL_NAME`, with its end.
const NAME: &[u8] = b"tcp_metrics\0";
/// `TCP_METRICS_CMD_GET`, `TCP_METRICS_CMD_DEL`.
#[cfg(test)]
const GET: u8 = 1;
const DELETE: u8 = 2;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
/// `struct nlmsghdr`, and with `struct genlmsghdr` behind it.
const HEADER: usize = 16;
const HEADERS: usize = HEADER + 4;

/// Forgets every host: a request to delete that names none means all (`tcp_metrics_nl_cmd_del`).
pub(crate) fn forget() -> Result<(), Errno> {
    let door = Door::open()?;
    let family = door.family()?;
    match read(&door.ask(family, DELETE, libc::NLM_F_ACK as u16, &[])?)? {
        Answer::Done => Ok(()),
        Answer::Message(_) => Err(Errno(libc::EPROTO)),
    }
}

/// A netlink socket.
struct Door(i32);

impl Door {
    fn open() -> Result<Self, Errno> {
        let kinds = (libc::SOCK_RAW | libc::SOCK_CLOEXEC) as usize;
        let (domain, protocol) = (libc::AF_NETLINK as usize, libc::NETLINK_GENERIC as usize);
        // SAFETY: takes no pointer.
        check(unsafe { syscall(libc::SYS_socket, [domain, kinds, protocol, 0, 0, 0]) })
            .map(|fd| Self(fd as i32))
    }

    /// The number by which this kernel knows the family.
    fn family(&self) -> Result<u16, Errno> {
        let answer = self.ask(libc::GENL_ID_CTRL as u16, GET_FAMILY, 0, &attribute(FAMILY_NAME, NAME))?;
        let Answer::Message(body) = read(&answer)? else { return Err(Errno(libc::EPROTO)) };
        attributes(body)
            .find(|(kind, _)| *kind == FAMILY_ID)
            .and_then(|(_, value)| value.first_chunk())
            .map(|value| u16::from_ne_bytes(*value))
            .ok_or(Errno(libc::EPROTO))
    }

    /// One request, and what is read next.
    fn ask(&self, family: u16, command: u8, flags: u16, body: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut request = Vec::with_capacity(HEADERS + body.len());
        request.extend(((HEADERS + body.len()) as u32).to_ne_bytes());
        request.extend(family.to_ne_bytes());
        request.extend((libc::NLM_F_REQUEST as u16 | flags).to_ne_bytes());
        // Sequence and port: the kernel's answer is the only one that comes here.
        request.extend([0; 8]);
        // Version 1 of both families.
        request.extend([command, 1, 0, 0]);
        request.extend(body);
        check(socket::send_with(self.0, &request, 0))?;
        self.read_more()
    }

    fn read_more(&self) -> Result<Vec<u8>, Errno> {
        let mut answer = vec![0; 16 << 10];
        let told = check(socket::read(self.0, &mut answer))?;
        answer.truncate(told as usize);
        Ok(answer)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        files::close(self.0);
    }
}

/// `struct nlattr` with its value, padded to a multiple of four.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Attributes one after the other; what is cut off is left out.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (length, kind) = (number(bytes, 0)? as usize, number(bytes, 2)?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..at + 2)?.first_chunk()?))
}

/// The first message of an answer.
enum Answer<'a> {
    /// An acknowledgement.
    Done,
    /// What stands behind the two headers.
    Message(&'a [u8]),
}

fn read(answer: &[u8]) -> Result<Answer<'_>, Errno> {
    let short = Errno(libc::EPROTO);
    if number(answer, 4).ok_or(short)? == ERROR {
        let errno = answer.get(HEADER..HEADER + 4).and_then(|part| part.first_chunk()).ok_or(short)?;
        return match i32::from_ne_bytes(*errno) {
            0 => Ok(Answer::Done),
            errno => Err(Errno(-errno)),
        };
    }
    answer.get(HEADERS..).map(Answer::Message).ok_or(short)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// How many hosts are remembered.
    fn remembered() -> usize {
        let door = Door::open().expect("a socket");
        let family = door.family().expect("the kernel has tcp_metrics");
        let dump = (libc::NLM_F_ROOT | libc::NLM_F_MATCH) as u16;
        let mut answer = door.ask(family, GET, dump, &[]).expect("an answer");
        let mut found = 0;
        loop {
            let mut rest = answer.as_slice();
            while let Some(length) = rest.first_chunk().map(|part| u32::from_ne_bytes(*part) as usize) {
                match number(rest, 4).map(i32::from) {
                    Some(libc::NLMSG_DONE) => return found,
                    Some(kind) if kind == i32::from(family) => found += 1,
                    other => panic!("a message of kind {other:?}"),
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
            answer = door.read_more().expect("the rest");
        }
    }

    fn talk() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut near = TcpStream::connect(listener.local_addr().expect("bound")).expect("listens");
        let (mut far, _) = listener.accept().expect("connected");
        near.write_all(b"x").expect("written");
        far.read_exact(&mut [0]).expect("read");
        // Both ends close in order, and remember each other then (`tcp_update_metrics`).
        drop(near);
        assert_eq!(far.read(&mut [0]).expect("the end"), 0);
        drop(far);
    }

    #[test]
    fn what_is_remembered_is_forgotten() {
        // A network of its own where the test may have one; for others it must not forget anything.
        let work = || {
            if unshare_network() != 0 {
                println!("skipped: a network namespace: not root");
                return;
            }
            assert_eq!(up(), 0, "loopback up");
            assert_eq!(remembered(), 0, "a new namespace has talked to nobody");
            talk();
            assert!(remembered() > 0);
            forget().expect("allowed");
            assert_eq!(remembered(), 0);
            forget().expect("nothing to forget is no error");
        };
        std::thread::spawn(work).join().expect("no panic");
    }

    fn unshare_network() -> i64 {
        // SAFETY: takes no pointer.
        unsafe { syscall(libc::SYS_unshare, [libc::CLONE_NEWNET as usize, 0, 0, 0, 0, 0]) }
    }

    fn up() -> i32 {
        let status = std::process::Command::new("ip").args(["link", "set", "lo", "up"]).status();
        status.ok().and_then(|status| status.code()).unwrap_or(-1)
    }

    #[test]
    fn what_is_cut_off_is_no_attribute() {
        let mut bytes = attribute(FAMILY_ID, &7_u16.to_ne_bytes());
        bytes.extend(attribute(FAMILY_NAME, NAME));
        let of =
            |bytes: &[u8]| attributes(bytes).map(|(kind, value)| (kind, value.len())).collect::<Vec<_>>();
        assert_eq!(of(&bytes), [(FAMILY_ID, 2), (FAMILY_NAME, NAME.len())]);
        assert_eq!(of(&bytes[..bytes.len() - 4]), [(FAMILY_ID, 2)]);
        assert_eq!(of(&[3, 0, 1, 0]), []);
        assert!(read(&[0; 10]).is_err() && read(&bytes[..3]).is_err());
    }
}
