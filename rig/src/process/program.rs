//! Programs of the host: where they are, and what they say of themselves.
//!
//! Must not know what a program is used for. Units: none.
//! Errors: [`NoAnswer`], which blames the host. Tests: below.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use thiserror::Error;

/// The program that guests run in.
pub const QEMU: &str = "qemu-system-x86_64";

/// Where Debian and administrators put programs, in the order of root's PATH. The PATH of `su`, cron or a service does not name them all.
const SYSTEM_FOLDERS: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// The file that is started where `program` is asked for by its name: the first of that name that can be executed, in the folders of PATH
/// and then in those of the system. Links are not followed. Who looks for a program and who starts it both ask here.
pub fn find_program(program: &str) -> Option<PathBuf> {
    find_among(program, folders())
}

/// As [`find_program`]. A program that is nowhere keeps its name, and its start says that it is not there.
pub fn program_file(program: &str) -> PathBuf {
    find_program(program).unwrap_or_else(|| program.into())
}

/// PATH, with the system's folders that it does not name after it: for programs that look for programs themselves, as apt-get does.
pub fn complete_path() -> OsString {
    let mut folders: Vec<PathBuf> = folders().collect();
    let mut seen = BTreeSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    // It came apart at the colons, so it goes together again.
    std::env::join_paths(folders).unwrap_or_default()
}

fn folders() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    named.into_iter().chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
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
        assert!(program_file("sh").is_absolute());
        assert_eq!(program_file("no-such-program-here"), Path::new("no-such-program-here"));
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
    fn the_complete_path_has_each_folder_once_and_those_of_the_user_first() {
        let complete = complete_path();
        let folders: Vec<PathBuf> = std::env::split_paths(&complete).collect();
        assert_eq!(folders.iter().collect::<BTreeSet<_>>().len(), folders.len(), "{folders:?}");
        assert!(SYSTEM_FOLDERS.iter().all(|folder| folders.contains(&folder.into())), "{folders:?}");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let first = std::env::split_paths(&path).find(|folder| folder.is_absolute());
        assert!(first.is_none_or(|first| first == folders[0]), "{folders:?}");
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
