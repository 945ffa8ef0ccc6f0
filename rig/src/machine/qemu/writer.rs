//! Which process writes to one of our sockets, as the kernel says.
//!
//! A pair of sockets has no peer that could be asked for (`SO_PEERCRED` names who made the pair, which is rig). So the kernel is asked to attach
//! the writer to each message (`SO_PASSCRED`, unix(7)): a program that was started by another, and got the socket from it, is named itself.
//! Must not know what is said. Units: pids, as this PID namespace numbers them.
//! Errors: `io::Error` of the option; a sentence where no writer can be named. Tests: below.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, UnixAddr, UnixCredentials, recvmsg, setsockopt, sockopt,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// Has the kernel attach its writer to all that comes in here from now on. To be called before anybody can write.
///
/// # Errors
/// What setsockopt(2) says.
pub(super) fn attach_writers(stream: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(stream, sockopt::PassCred, &true)?)
}

/// Waits for something to read, leaves it where it is, and gives the pid of the process that wrote it. Cancel-safe.
///
/// # Errors
/// Why there is nobody to name.
pub(super) async fn writer_of_next(stream: &UnixStream) -> Result<u32, String> {
    loop {
        stream.readable().await.map_err(|error| error.to_string())?;
        match stream.try_io(Interest::READABLE, || peek_writer(stream)) {
            Ok(writer) => return writer,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

fn peek_writer(stream: &UnixStream) -> io::Result<Result<u32, String>> {
    let mut byte = [0];
    let mut data = [IoSliceMut::new(&mut byte)];
    let mut attached = nix::cmsg_space!(UnixCredentials);
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<UnixAddr>(stream.as_raw_fd(), &mut data, Some(&mut attached), flags)?;
    if message.bytes == 0 {
        return Ok(Err("the connection was closed before anything was said".to_owned()));
    }
    let pid = message.cmsgs()?.find_map(|attachment| match attachment {
        ControlMessageOwned::ScmCredentials(writer) => Some(writer.pid()),
        _ => None,
    });
    Ok(match pid.map(u32::try_from) {
        // 0: the kernel has no number for it here (`pid_vnr`, kernel/pid.c).
        Some(Ok(0)) => Err("its writer is in a PID namespace that cannot be seen from here".to_owned()),
        Some(Ok(pid)) => Ok(pid),
        Some(Err(_)) | None => Err("the kernel does not say who wrote it".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    use tokio::io::AsyncReadExt;

    use super::*;

    fn pair() -> (UnixStream, OwnedFd) {
        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        (UnixStream::from_std(near).unwrap(), far.into())
    }

    /// Runs a shell whose output is the far end; what it says is the pid of whoever says it.
    async fn writer_in(script: &str) -> (Result<u32, String>, String, u32) {
        let (mut near, far) = pair();
        attach_writers(&near).unwrap();
        let mut shell =
            Command::new("sh").args(["-c", script]).stdin(Stdio::null()).stdout(far).spawn().unwrap();
        let writer = writer_of_next(&near).await;
        shell.wait().unwrap();
        let mut said = String::new();
        near.read_to_string(&mut said).await.unwrap();
        (writer, said.trim().to_owned(), shell.id())
    }

    #[tokio::test]
    async fn a_writer_is_named_itself_and_nothing_is_taken_from_it() {
        let (writer, said, shell) = writer_in("echo $$").await;
        assert_eq!((writer, said), (Ok(shell), shell.to_string()));
        let (writer, said, shell) = writer_in("exec sh -c 'echo $$'").await;
        assert_eq!((writer, said), (Ok(shell), shell.to_string()));
        // `true` keeps the shell from becoming its child.
        let (writer, said, shell) = writer_in("sh -c 'echo $$'; true").await;
        assert_eq!(writer, Ok(said.parse().unwrap()));
        assert_ne!(writer, Ok(shell));
    }

    #[tokio::test]
    async fn without_a_writer_the_reason_is_said() {
        let (near, far) = pair();
        drop(far);
        assert_eq!(
            writer_of_next(&near).await.unwrap_err(),
            "the connection was closed before anything was said"
        );
        let (near, far) = pair();
        nix::unistd::write(&far, b"x").unwrap();
        assert_eq!(writer_of_next(&near).await.unwrap_err(), "the kernel does not say who wrote it");
    }
}
