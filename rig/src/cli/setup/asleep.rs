//! Keeps daemons that only the tests need from being started by their installation.
//!
//! The packages of Slurm and munge start their services when they are configured, unless /usr/sbin/policy-rc.d says no (invoke-rc.d(8), deb-systemd-invoke(1)). They also
//! make the users `slurm` and `munge` and /etc/munge/munge.key, and enable their units: after the next boot of a host with systemd munged runs, and Slurm's
//! daemons do only where /etc/slurm/slurm.conf is. Must not know apt. Units: none. Errors: [`Failure`], which blames the host. Tests: below.

use std::io;
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt as _;

use super::super::{Exit, Failure};

/// Where Debian's packages ask whether they may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Packages of daemons that the tests start themselves; their services have the same names.
const DAEMONS: [&str; 3] = ["munge", "slurmctld", "slurmd"];

/// 101: may not; 0: may.
const SCRIPT: &str = "#!/bin/sh
# `rig setup --tests` wrote this for the time of an installation. It may be removed.
case \"${1%.service}\" in munge | slurmctld | slurmd) exit 101 ;; esac
exit 0
";

/// While this lives, installing the daemons does not start them.
pub(super) struct Asleep {
    file: Option<PathBuf>,
}

impl Asleep {
    /// Where none of these packages has such a daemon, or the host has a policy already, nothing is done.
    pub(super) fn during_installation(packages: &[&str]) -> Result<Self, Failure> {
        let concerned = packages.iter().any(|package| DAEMONS.contains(package));
        Self::at(Path::new(POLICY), concerned).map_err(|error| {
            let what = format!("cannot write {POLICY}, which keeps Slurm from being started: {error}");
            Failure::say(Exit::Testbed, what, "look at the folder, its permissions and its disk")
        })
    }

    fn at(file: &Path, concerned: bool) -> io::Result<Self> {
        if !concerned {
            return Ok(Self { file: None });
        }
        let mut options = fs_err::OpenOptions::new();
        // In one step: a policy of the host is never overwritten.
        match options.write(true).create_new(true).mode(0o755).open(file) {
            Ok(mut made) => {
                let asleep = Self { file: Some(file.to_owned()) };
                io::Write::write_all(&mut made, SCRIPT.as_bytes())?;
                Ok(asleep)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Self { file: None }),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // What is left says that it may be removed.
            let _ = fs_err::remove_file(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn services_of_the_tests_may_not_be_started_and_others_may() {
        let folder = tempfile::tempdir().expect("a folder");
        let policy = folder.path().join("policy-rc.d");
        let asleep = Asleep::at(&policy, true).expect("written");
        let asked = |service: &str| {
            let status = Command::new("sh").arg(&policy).args([service, "start"]).status();
            status.expect("a shell").code()
        };
        for daemon in DAEMONS {
            assert_eq!((asked(daemon), asked(&format!("{daemon}.service"))), (Some(101), Some(101)));
        }
        assert_eq!(asked("ssh"), Some(0));
        drop(asleep);
        assert!(!policy.exists());
    }

    #[test]
    fn a_policy_of_the_host_stays_and_nothing_is_written_for_other_packages() {
        let folder = tempfile::tempdir().expect("a folder");
        let policy = folder.path().join("policy-rc.d");
        drop(Asleep::at(&policy, false).expect("nothing to do"));
        assert!(!policy.exists());
        fs_err::write(&policy, "its own").expect("written");
        drop(Asleep::at(&policy, true).expect("left alone"));
        assert_eq!(fs_err::read_to_string(&policy).expect("there"), "its own");
    }
}
