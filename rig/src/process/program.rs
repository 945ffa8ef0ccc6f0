//! Programs of the host: where they are, and what they say of themselves.
//!
//! Must not know what a program is used for. Units: none.
//! Errors: [`NoAnswer`], which blames the host. Tests: below.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use thiserror::Error;

/// The program that guests run in, looked for in PATH where it is started.
pub const QEMU: &str = "qemu-system-x86_64";

/// Where root's programs are when PATH does not say so (as under `su` or cron).
const SYSTEM_FOLDERS: [&str; 4] = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin"];

/// Where `program` is: in PATH, or in a folder of the system that PATH may not name.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    find_among(program, std::env::split_paths(&path).chain(SYSTEM_FOLDERS.iter().map(PathBuf::from)))
}

/// The file that is started where `program` is asked for by its name: PATH's first of that name that can be executed. Links are not followed.
pub fn find_in_path(program: &str) -> Option<PathBuf> {
    // What execvp(3) takes where there is no PATH.
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    find_among(program, std::env::split_paths(&path))
}

fn find_among(program: &str, mut folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.find_map(|folder| Some(folder.join(program)).filter(|candidate| is_executable(candidate)))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Why a program says nothing.
#[derive(Debug, Error)]
pub enum NoAnswer {
    /// It is not there, or not for us.
    #[error("it cannot be started: {0}")]
    NotStarted(#[from] io::Error),
    /// It fails.
    #[error("it ends with {0}")]
    Fails(ExitStatus),
}

/// The first line of what `program` says with this option (its version); empty where it says nothing.
///
/// # Errors
/// [`NoAnswer`]
pub fn first_line(program: impl AsRef<OsStr>, option: &str) -> Result<String, NoAnswer> {
    let output = Command::new(program).arg(option).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(NoAnswer::Fails(output.status));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    Ok(said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_programs_also_outside_of_path() {
        assert!(find_program("sh").is_some());
        assert_eq!(find_program("no-such-program-here"), None);
        assert!(find_in_path("sh").is_some_and(|sh| sh.ends_with("sh")));
        assert_eq!(find_in_path("no-such-program-here"), None);
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("rig-test-program");
        let find = || find_among("rig-test-program", [folder.path().to_owned()].into_iter());
        assert_eq!(find(), None);
        fs_err::write(&program, "#!/bin/sh\n").unwrap();
        assert_eq!(find(), None, "a file without the executable bit is no program");
        fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find(), Some(program));
    }

    #[test]
    fn says_what_a_program_says() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("rig-test-program");
        let write = |text: &str| {
            fs_err::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
            fs_err::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        write("echo; echo \"$1 one\"; echo two");
        assert_eq!(first_line(&program, "--version").unwrap(), "--version one");
        write("echo one; exit 3");
        let error = first_line(&program, "-v").unwrap_err();
        assert!(matches!(error, NoAnswer::Fails(status) if status.code() == Some(3)), "{error}");
        let error = first_line("/nowhere/tool", "-v").unwrap_err();
        assert!(matches!(error, NoAnswer::NotStarted(_)), "{error}");
    }
}
