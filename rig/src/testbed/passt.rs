//! A running passt: it ends the guest's TCP, and connects in the guest's name from the namespace in which it runs.
//!
//! Holds the process, its private folder, and the socket over which it and QEMU exchange frames. It confines itself: it becomes nobody, with
//! an empty root and a filter of system calls (passt(1), "SECURITY"). It ends when QEMU closes its end. Must not know trials.
//! Units: `Duration`. Errors: a `String`, what went wrong in one sentence. Source: passt(1). Tests: `tests/netns.rs` (root), and below.

#![expect(unsafe_code, reason = "a descriptor that stays open across exec")]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use tempfile::TempDir;

use super::namespace::Namespace;
use crate::path::passt;
use crate::process;

/// From its start until it answers.
const READY: Duration = Duration::from_secs(20);

/// Where passt is.
pub(super) fn find() -> Option<PathBuf> {
    process::find_program("passt")
}

/// passt in a namespace. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Passt {
    child: Child,
    qemu: Option<OwnedFd>,
    /// It writes what it says in here.
    _folder: TempDir,
}

impl Passt {
    /// Starts it in `target`, whose link is up and has its address, and waits until it answers for the gateway. `spawn` is
    /// [`process::spawn`], or for whoever may have no thread yet [`Command::spawn`].
    pub(super) fn start(
        target: &Namespace,
        spawn: impl FnOnce(Command) -> io::Result<Child>,
    ) -> Result<Self, String> {
        let (ours, its) = UnixStream::pair().map_err(|error| format!("no socket pair: {error}"))?;
        let folder = process::new_run_dir().map_err(|error| format!("no private folder: {error}"))?;
        let log = folder.path().join("passt.log");
        let file = File::create(&log).map_err(|error| format!("its log cannot be written: {error}"))?;
        let mut command = Command::new(find().ok_or("it is not installed")?);
        command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        command.args(passt::arguments(its.as_raw_fd()));
        target.enter_on_spawn(&mut command).map_err(|error| error.to_string())?;
        let kept = its.as_raw_fd();
        // SAFETY: the closure makes system calls only, between fork and exec, on a descriptor that is open until the spawn is over.
        unsafe { command.pre_exec(move || keep(kept)) };
        let child = spawn(command).map_err(|error| format!("it cannot be started: {error}"))?;
        drop(its);
        let mut running = Self { child, qemu: None, _folder: folder };
        match await_answer(ours) {
            Ok(ours) => running.qemu = Some(ours.into()),
            Err(why) => return Err(running.explain(&why, &fs::read_to_string(&log).unwrap_or_default())),
        }
        Ok(running)
    }

    fn explain(&mut self, why: &io::Error, log: &str) -> String {
        let last = log.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("no output");
        match process::wait_exit(&mut self.child, Duration::from_millis(200)) {
            Ok(Some(status)) => format!("it ended with {status}: {last}"),
            Ok(None) | Err(_) => {
                format!("it does not answer for the guest's gateway: {why}; it said last: {last}")
            }
        }
    }

    /// QEMU's end of the socket; once.
    pub(super) fn take_socket(&mut self) -> Option<OwnedFd> {
        self.qemu.take()
    }
}

impl Drop for Passt {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the child: no other descriptor than this and the three of every program goes on into passt.
fn keep(descriptor: i32) -> io::Result<()> {
    process::seal_descriptors()?;
    // SAFETY: it is open in this process, whose parent owns it until the spawn is over.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

/// Asks for the gateway as the guest will, and waits for the answer: then passt is at work.
fn await_answer(mut stream: UnixStream) -> io::Result<UnixStream> {
    let deadline = Instant::now() + READY;
    stream.write_all(&framed(&question()))?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let frame = next_frame(&mut stream)?;
        if is_answer(&frame) {
            stream.set_read_timeout(None)?;
            return Ok(stream);
        }
    }
}

/// As QEMU and passt exchange them: the length of the frame in four bytes, most significant first, and the frame (net/stream.c).
fn framed(frame: &[u8]) -> Vec<u8> {
    let length = u32::try_from(frame.len()).expect("a frame of ours is short");
    [&length.to_be_bytes()[..], frame].concat()
}

fn next_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    /// The longest frame that passt sends is one of a packet of 64 KiB.
    const LONGEST: usize = (64 << 10) + 18;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame)?;
    Ok(frame)
}

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
/// Ethernet, IPv4, addresses of 6 and 4 bytes (RFC 826).
const ARP_HEAD: [u8; 6] = [0, 1, 0x08, 0, 6, 4];

/// Who has the gateway? (RFC 826.)
fn question() -> Vec<u8> {
    let mac = passt::GUEST_MAC;
    let mut frame = [0xff; 6].to_vec();
    frame.extend(mac);
    frame.extend(ETHERTYPE_ARP);
    frame.extend(ARP_HEAD);
    frame.extend([0, 1]);
    frame.extend(mac);
    frame.extend(passt::GUEST.octets());
    frame.extend([0; 6]);
    frame.extend(passt::GATEWAY.octets());
    frame
}

/// Whether it is a reply that says who has the gateway.
fn is_answer(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&ETHERTYPE_ARP)
        && frame.get(20..22) == Some(&[0, 2])
        && frame.get(28..32) == Some(&passt::GATEWAY.octets())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_the_question_is_recognised_and_nothing_else_is() {
        assert!(!is_answer(&question()), "a question is no answer");
        let mut reply = question();
        reply[21] = 2;
        assert!(!is_answer(&reply), "it speaks of the guest");
        reply[28..32].copy_from_slice(&passt::GATEWAY.octets());
        assert!(is_answer(&reply));
        assert!((0..reply.len().min(32)).all(|end| !is_answer(&reply[..end])), "cut short");
        assert!(!is_answer(&[]));
    }

    #[test]
    fn frames_come_as_they_were_sent_and_a_mad_length_is_refused() {
        let bytes = [framed(b"first"), framed(b""), framed(&question())].concat();
        let mut bytes = &bytes[..];
        assert_eq!(next_frame(&mut bytes).unwrap(), b"first");
        assert_eq!(next_frame(&mut bytes).unwrap(), b"");
        assert_eq!(next_frame(&mut bytes).unwrap(), question());
        assert_eq!(next_frame(&mut bytes).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(next_frame(&mut &[0xff; 8][..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
