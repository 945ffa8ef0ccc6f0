//! A user's program on its way into a guest: unpacked below [`ROOT`], at the paths that it has on this host.
//!
//! The archive is read, sent and unpacked at the same time; it lies nowhere. /etc, /dev, /proc, /sys, /run and /tmp are the guest's own.
//! Must not know what a program consists of. Units: bytes, `Duration`.
//! Errors: [`DeliveryError`]; the guest is full, a file has changed, or the way in broke. A block becomes void.
//! Tests: below; `tests/qemu/program.rs` (a real guest).

use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use miette::Diagnostic;
use rig_protocol::{Program, plain};
use thiserror::Error;

use super::launch_ssh::{self, Exit, Finished, SshError, SshPlan, SshSession};
use super::qemu::Guest;
use crate::program::{bytes, write_archive};

/// The root folder of a program in a guest.
pub const ROOT: &str = "/run/program";

/// An emulated guest takes no less in a second, unpacked.
const BYTES_PER_SECOND: u64 = 512 << 10;

/// What a program may write beside its own files, in MiB.
const ROOM_MIB: u64 = 64;

/// Why a guest does not have the program.
#[derive(Debug, Error, Diagnostic)]
pub enum DeliveryError {
    /// No way into the guest.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ssh(#[from] SshError),
    /// A file cannot be read, or is not as long as it was.
    #[error("it cannot be packed: {0}")]
    #[diagnostic(help("leave the program's files alone while rig runs"))]
    NotPacked(io::Error),
    /// The guest could not unpack it.
    #[error("the guest could not unpack it: {how}: {said}")]
    #[diagnostic(help("a guest without free memory cannot hold the program; raise memory_mib"))]
    NotUnpacked {
        /// How its command ended.
        how: String,
        /// What it said.
        said: String,
    },
}

/// Sends the program and unpacks it; `exchange` is the time for all but its bytes.
///
/// # Errors
/// [`DeliveryError`]
pub async fn deliver(
    guest: &Guest,
    plan: SshPlan,
    program: &Program,
    exchange: Duration,
) -> Result<(), DeliveryError> {
    let within = exchange + Duration::from_secs(bytes(&program.parts) / BYTES_PER_SECOND);
    let program = Arc::new(program.clone());
    let work = move |session: SshSession, left: &dyn Fn() -> Duration| Ok(send(&session, &program, left()));
    launch_ssh::with_session(guest, plan, within, work).await?
}

/// What a guest's shell is told: a file system for the program, the guest's own folders in it, and the archive over them.
fn unpack(program: &Program) -> String {
    let files = bytes(&program.parts).div_ceil(1 << 20);
    // Each file ends in a page of its own.
    let size = files + files / 8 + ROOM_MIB;
    // The guest's own file systems take half of its memory, which may be too little for what comes to lie in them.
    let lies_in = |own: &&str| program.parts.iter().any(|part| part.path.starts_with(&format!("/{own}/")));
    let grown: String = ["run", "tmp"]
        .into_iter()
        .filter(lies_in)
        .map(|own| format!("mount -o remount,size=90% /{own}; "))
        .collect();
    format!(
        "set -e; {grown}mkdir -p {ROOT}; mount -t tmpfs -o mode=0755,size={size}m program {ROOT}; cd {ROOT}; \
         mkdir -p dev etc proc root run sys tmp; \
         for own in dev sys; do mount -o rbind /$own $own; done; \
         for own in etc proc run tmp; do mount -o bind /$own $own; done; \
         exec tar -x -z -f -"
    )
}

/// Writes the archive on a thread of its own while the session takes it: compressed, because an emulated guest unpacks faster than it deciphers.
fn send(session: &SshSession, program: &Program, within: Duration) -> Result<(), DeliveryError> {
    let (mut reader, writer) = io::pipe().map_err(DeliveryError::NotPacked)?;
    let (packed, finished) = thread::scope(|scope| {
        let packing = scope.spawn(move || {
            let writer = BufWriter::with_capacity(64 << 10, writer);
            let mut gzip = GzEncoder::new(writer, Compression::fast());
            write_archive(program, &mut gzip)?;
            gzip.finish()?.flush()
        });
        let finished = session.run_from(&unpack(program), &mut reader, within);
        // Whoever still writes is told that nobody reads.
        drop(reader);
        let packed = packing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (packed, finished)
    });
    judge(packed, finished)
}

/// What came of it: a file that could not be read explains whatever the guest says, and what the guest says explains that nobody read on.
fn judge(packed: io::Result<()>, finished: Result<Finished, SshError>) -> Result<(), DeliveryError> {
    match (packed, finished?) {
        (Err(error), _) if error.kind() != io::ErrorKind::BrokenPipe => Err(DeliveryError::NotPacked(error)),
        (packed, Finished { exit, stderr, .. }) if packed.is_err() || exit != Exit::Status(0) => {
            let said = plain(String::from_utf8_lossy(&stderr).trim());
            Err(DeliveryError::NotUnpacked { how: exit.to_string(), said })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use rig_protocol::Part;

    use super::*;

    #[test]
    fn a_guest_makes_room_for_what_it_gets() {
        let part = |bytes| Part { path: "/a".into(), digest: String::new(), bytes };
        let program = Program { parts: vec![part(8 << 20), part(1)], ..Program::default() };
        let command = unpack(&program);
        assert!(command.contains("size=74m"), "{command}");
        let (mounts, tar) = (command.find("bind /$own").unwrap(), command.find("tar").unwrap());
        assert!(mounts < tar, "what lies in /tmp goes into the guest's own: {command}");
        assert!(!command.contains("remount"), "{command}");
        let in_tmp = Part { path: "/tmp/a".into(), ..part(1) };
        let command = unpack(&Program { parts: vec![in_tmp], ..Program::default() });
        assert!(command.contains("remount,size=90% /tmp;") && !command.contains("90% /run"), "{command}");
    }

    #[test]
    fn the_cause_is_told_and_not_what_followed_from_it() {
        let ended = |status, said: &str| {
            Ok(Finished { exit: Exit::Status(status), stdout: vec![], stderr: said.into() })
        };
        let told = |packed, finished| judge(packed, finished).unwrap_err().to_string();
        let broken = || Err(io::ErrorKind::BrokenPipe.into());
        assert_eq!(
            told(broken(), ended(1, "tar: write error: No space left on device\n")),
            "the guest could not unpack it: exit status 1: tar: write error: No space left on device"
        );
        let shrunk = Err(io::Error::other("/a: it has become shorter"));
        assert_eq!(
            told(shrunk, ended(1, "tar: short read")),
            "it cannot be packed: /a: it has become shorter"
        );
        assert_eq!(told(broken(), ended(0, "")), "the guest could not unpack it: exit status 0: ");
        assert!(judge(Ok(()), ended(0, "")).is_ok());
    }
}
