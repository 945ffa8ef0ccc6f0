//! Running the host's package tools to their end, and what they complain of.
//!
//! A tool dies with rig ([`process::contain`]), and ends early where rig is asked to end. Must not know what is fetched. Units: seconds.
//! Errors: `ImageError`; they blame the host, the mirror's silence, or nobody where the user stopped it. Tests: below;
//! `tests/enclosure/fetching.rs` (root).

use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::error::ImageError;
use crate::process;

/// For one run of a tool. Lists are 10 MB and packages 60 MB: minutes only on a slow line.
const DEADLINE: Duration = Duration::from_secs(600);

/// How a tool ended.
#[derive(Debug)]
pub(super) struct Output {
    status: ExitStatus,
    pub(super) stdout: String,
    stderr: String,
}

impl Output {
    pub(super) fn success(&self) -> bool {
        self.status.success()
    }

    /// What it complains of; never nothing.
    pub(super) fn complaint(&self) -> String {
        complaint(&self.stderr).unwrap_or_else(|| format!("it said nothing, and ended with {}", self.status))
    }
}

/// Runs a tool to its end or to the deadline.
pub(super) fn run(mut command: Command, tool: &str, what: &str) -> Result<Output, ImageError> {
    let failed = |source| ImageError::Tool { tool: tool.to_owned(), source };
    // Files, so that no pipe fills up; in memory, so that a full disk cannot swallow what the tool says about it.
    let (mut stdout, mut stderr) = (in_memory().map_err(failed)?, in_memory().map_err(failed)?);
    command.stdin(Stdio::null());
    command.stdout(stdout.try_clone().map_err(failed)?).stderr(stderr.try_clone().map_err(failed)?);
    let mut child = process::contain(&mut command).spawn().map_err(failed)?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        let asked = process::is_asked_to_end();
        if asked || started.elapsed() > DEADLINE {
            child.kill().and_then(|()| child.wait()).map_err(failed)?;
            let (tool, what) = (tool.to_owned(), what.to_owned());
            return Err(match asked {
                true => ImageError::Interrupted,
                false => ImageError::Deadline { tool, what, seconds: DEADLINE.as_secs() },
            });
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Ok(Output {
        status,
        stdout: text(&mut stdout).map_err(failed)?,
        stderr: text(&mut stderr).map_err(failed)?,
    })
}

/// An error where rig is asked to end: for between two steps.
pub(super) fn go_on() -> Result<(), ImageError> {
    if process::is_asked_to_end() { Err(ImageError::Interrupted) } else { Ok(()) }
}

fn in_memory() -> io::Result<File> {
    Ok(memfd_create(c"rig-tool", MFdFlags::MFD_CLOEXEC)?.into())
}

fn text(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What apt complains of: its error lines, without repetition and without what is no reason. Nothing where it said nothing.
fn complaint(stderr: &str) -> Option<String> {
    let idle = [
        "have been ignored, or old ones used",
        // True of every download into a folder of root's, whether it fails or not.
        "Download is performed unsandboxed as root",
        "maybe run apt-get update or try with --fix-missing",
    ];
    let mut lines: Vec<&str> = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("E: ").or_else(|| line.strip_prefix("W: ")))
        .filter(|line| !idle.iter().any(|idle| line.contains(idle)))
        .collect();
    lines.dedup();
    let said = if lines.is_empty() { stderr.trim().to_owned() } else { lines.join("; ") };
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Output, ImageError> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, "sh", "nothing")
    }

    #[test]
    fn what_a_tool_says_is_kept_apart() {
        let output = shell("echo out; echo 'E: no' >&2; exit 3").unwrap();
        assert_eq!((output.success(), output.stdout.as_str()), (false, "out\n"));
        assert_eq!(output.complaint(), "no");
    }

    #[test]
    fn a_failure_without_words_is_told_with_its_status() {
        let output = shell("exit 3").unwrap();
        assert_eq!(output.complaint(), "it said nothing, and ended with exit status: 3");
    }

    #[test]
    fn complaints_are_short() {
        let text = "W: Failed to fetch http://m.test/InRelease  Unable to connect\n\
                    E: Some index files failed to download. They have been ignored, or old ones used instead.\n";
        assert_eq!(
            complaint(text).as_deref(),
            Some("Failed to fetch http://m.test/InRelease  Unable to connect")
        );
        let text = "W: Download is performed unsandboxed as root as file '/c/p.deb' couldn't be accessed by user '_apt'. - \
                    pkgAcquire::Run (13: Permission denied)\nE: Failed to fetch http://m.test/p.deb  404  Not Found\n";
        assert_eq!(complaint(text).as_deref(), Some("Failed to fetch http://m.test/p.deb  404  Not Found"));
        assert_eq!(complaint("odd\n").as_deref(), Some("odd"));
        assert_eq!(complaint("\n"), None);
    }

    /// What rig is asked for in a run of a tool ends the tool at once.
    #[test]
    fn a_tool_ends_where_rig_is_asked_to_end() {
        let held = process::HeldSignals::hold();
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM).unwrap();
        assert!(matches!(shell("sleep 1000"), Err(ImageError::Interrupted)));
        assert!(matches!(go_on(), Err(ImageError::Interrupted)));
        drop(held);
        assert!(go_on().is_ok());
    }
}
