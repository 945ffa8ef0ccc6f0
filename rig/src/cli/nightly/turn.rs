//! One night at a time in a folder of runs.
//!
//! A lock (flock(2)) on a file in that folder, which goes with the processes that hold it: rig nightly, and its run should rig nightly be killed. Must not know what is
//! done meanwhile. Units: pids. Errors: [`Failure`]: exit 2 where another night holds it, 4 where the disk is. Tests: below, `tests/nightly.rs`.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};

use super::super::{Exit, Failure};
use crate::clock;

/// The file. A run is never called so.
const FILE: &str = ".nightly.lock";

/// The lock.
#[derive(Debug)]
pub(super) struct Turn {
    file: Flock<File>,
}

/// While this lives, a child that is started holds the lock too.
pub(super) struct Inherited<'t>(&'t Turn);

impl Turn {
    /// Takes the lock, or says who has it.
    pub(super) fn take(results: &Path) -> Result<Self, Failure> {
        let path = results.join(FILE);
        let unusable = |error: &io::Error| {
            let what = format!("cannot lock {}: {error}", path.display());
            Failure::say(Exit::Testbed, what, "look at the folder, its permissions and its disk")
        };
        let mut options = fs_err::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| unusable(&error))?.into_parts().0;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut file) => {
                note(&mut file).map_err(|error| unusable(&error))?;
                Ok(Self { file })
            }
            Err((file, Errno::EWOULDBLOCK)) => Err(taken(path, file)),
            Err((_, errno)) => Err(unusable(&errno.into())),
        }
    }

    /// # Errors
    /// What fcntl(2) says.
    pub(super) fn given_to_children(&self) -> io::Result<Inherited<'_>> {
        fcntl(&*self.file, FcntlArg::F_SETFD(FdFlag::empty()))?;
        Ok(Inherited(self))
    }
}

impl Drop for Inherited<'_> {
    fn drop(&mut self) {
        // It cannot fail: the descriptor is open.
        let _ = fcntl(&*self.0.file, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}

/// Who has it, for whoever comes second.
fn note(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {} since {}", std::process::id(), clock::now_in_seconds())
}

fn taken(path: PathBuf, mut file: File) -> Failure {
    let mut holder = String::new();
    // What was read before an error says enough.
    let _ = file.read_to_string(&mut holder);
    let holder = holder.trim();
    let by = if holder.is_empty() { String::new() } else { format!(" ({holder})") };
    let what = format!("another night is still under way{by}: it holds {}", path.display());
    let how = "wait for it, or give this night another --results; `--deadline 6h` keeps a night from reaching into the next";
    Failure::say(Exit::Input, what, how)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn the_second_night_is_refused_until_the_first_is_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Turn::take(folder.path()).expect("free");
        let refused = format!("{:?}", Turn::take(folder.path()).expect_err("taken"));
        let who = format!("process {} since 2", std::process::id());
        assert!(refused.contains(&who) && refused.contains(FILE), "{refused}");
        drop(first);
        let second = Turn::take(folder.path()).expect("free again");
        // A child that is started now has the lock too, and keeps it when its parent is gone.
        let inherited = second.given_to_children().expect("an open descriptor");
        let mut child = std::process::Command::new("sleep").arg("600").spawn().expect("it starts");
        drop(inherited);
        // Closed, and not unlocked, as when a process is killed.
        let number = second.file.as_raw_fd();
        let _never_unlocked = std::mem::ManuallyDrop::new(second);
        nix::unistd::close(number).expect("an open descriptor");
        let held = Turn::take(folder.path());
        child.kill().and_then(|()| child.wait()).expect("a child of ours");
        assert!(held.is_err(), "the child holds it");
        Turn::take(folder.path()).expect("free again");
    }
}
