//! Programs of the host: where they are, and which Debian package brings them.
//!
//! Must not know what they are used for beyond the reason given. Units: none. Errors: none.
//! Tests: below.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that the rig runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub program: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
    /// What for.
    pub reason: &'static str,
    /// What does not work without it.
    pub purpose: Purpose,
}

/// What does not work without a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Runs.
    Runs,
    /// Runs over some paths: their cells are skipped.
    SomePaths,
    /// The tests of rig itself, and looking closer.
    Tests,
}

/// All of them. What is not listed here is not run.
pub const TOOLS: [Tool; 7] = [
    Tool {
        program: "qemu-system-x86_64",
        package: "qemu-system-x86",
        reason: "runs the guests",
        purpose: Purpose::Runs,
    },
    Tool {
        program: "tc",
        package: "iproute2",
        reason: "delays and drops packets on a path (netem)",
        purpose: Purpose::Runs,
    },
    Tool {
        program: "nft",
        package: "nftables",
        reason: "drops and resets packets on a path",
        purpose: Purpose::Runs,
    },
    Tool {
        program: "dpkg-deb",
        package: "dpkg",
        reason: "unpacks the guests' kernel and programs",
        purpose: Purpose::Runs,
    },
    Tool {
        program: "haproxy",
        package: "haproxy",
        reason: "a real load balancer on a path",
        purpose: Purpose::SomePaths,
    },
    Tool {
        program: "strace",
        package: "strace",
        reason: "the independent witness of what select() returned (tests, `rig replay`)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "tshark",
        package: "tshark",
        reason: "looks into captured packets (tests, and you)",
        purpose: Purpose::Tests,
    },
];

/// Where root's tools are when PATH does not say so (as under `su` or cron).
const SYSTEM_FOLDERS: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"];

/// Those that this host lacks.
pub fn missing() -> Vec<Tool> {
    TOOLS.into_iter().filter(|tool| find(tool.program).is_none()).collect()
}

/// Where `program` is.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    find_in(program, &path)
}

fn find_in(program: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The first line of what `program` says with `arguments`, or why it does not.
pub fn first_line(program: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} does not start: {error}", program.display()))?;
    let said = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
    let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned();
    if output.status.success() {
        Ok(line)
    } else {
        Err(format!("{} fails: {line} ({})", program.display(), output.status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_programs_also_outside_of_path() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-such-program-here"), None);
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("tool"), "#!/bin/sh\n").unwrap();
        assert_eq!(
            find_in("tool", folder.path().as_os_str()),
            None,
            "a file without the executable bit is no program"
        );
        fs_err::set_permissions(folder.path().join("tool"), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_in("tool", folder.path().as_os_str()), Some(folder.path().join("tool")));
    }

    #[test]
    fn says_what_a_program_says() {
        let sh = find("sh").unwrap();
        assert_eq!(first_line(&sh, &["-c", "echo; echo one; echo two"]), Ok("one".to_owned()));
        let error = first_line(&sh, &["-c", "echo no >&2; exit 3"]).unwrap_err();
        assert!(error.contains("no") && error.contains("exit status: 3"), "{error}");
        assert!(first_line(Path::new("/nowhere/tool"), &[]).unwrap_err().contains("does not start"));
    }
}
