//! Which QEMU it is: its file, what is in it, and what it was really started with.
//!
//! What rig asked for is not what runs where a script of QEMU's name stands in PATH and adds options. So what runs is asked: the process that
//! speaks QMP, whoever started it, through its /proc folder. Must not know what an option means. Units: none.
//! Errors: `io::Error` with the file; for a guest a sentence, which blames nobody: no guest is void because of it.
//! Tests: below; with scripts in QEMU's place in `tests/qemu/identity.rs`.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::configuration::Executable;
use crate::process::file_digest;

/// The QEMU that runs a guest, as its process shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its program: the target of /proc/PID/exe (proc_pid_exe(5)), and what is in that file. A path that ends in ` (deleted)` is no file's
    /// any more; the digest is the running one's all the same.
    pub executable: Executable,
    /// Its own name and its arguments, of /proc/PID/cmdline (proc_pid_cmdline(5)). Bytes that are not UTF-8 are replaced.
    pub command_line: Vec<String>,
    /// What it may do.
    pub credentials: Credentials,
}

/// What a process may do, as its /proc folder shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its effective user, in rig's user namespace.
    pub uid: u32,
    /// Its effective capabilities, sixteen hexadecimal digits (proc_pid_status(5)).
    pub capabilities: String,
    /// Bytes of the environment that it was started with.
    pub environment_bytes: usize,
}

impl Credentials {
    fn read(folder: &Path) -> io::Result<Self> {
        let status = fs_err::read_to_string(folder.join("status"))?;
        let field = |name: &str, word: usize| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().nth(word)).unwrap_or_default().to_owned()
        };
        let uid = field("Uid:", 1).parse();
        Ok(Self {
            uid: uid.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
            capabilities: field("CapEff:", 0),
            environment_bytes: fs_err::read(folder.join("environ"))?.len(),
        })
    }
}

impl Executable {
    /// Of the file that this path leads to. The file is read once in the life of this process, unless it changes.
    ///
    /// # Errors
    /// There is no such file, or it may not be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let path = fs_err::canonicalize(path)?;
        let sha256 = file_digest(&File::open(&path)?)?;
        Ok(Self { path, sha256 })
    }
}

impl Running {
    /// Of the process with this number.
    ///
    /// # Errors
    /// It has ended, or is another user's.
    pub(super) fn read(pid: u32) -> io::Result<Self> {
        let folder = Path::new("/proc").join(pid.to_string());
        let exe = folder.join("exe");
        // Through the process, not by the path: under that there may be another file by now.
        let file = File::open(&exe)?;
        let path = as_seen_here(fs_err::read_link(&exe)?, &file)?;
        let sha256 = file_digest(&file)?;
        let words = fs_err::read(folder.join("cmdline"))?;
        let words = words.strip_suffix(b"\0").unwrap_or(&words);
        let command_line =
            words.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        let credentials = Credentials::read(&folder)?;
        Ok(Self { executable: Executable { path, sha256 }, command_line, credentials })
    }

    /// Of the process that was found to speak QMP, if one was.
    pub(super) async fn of_speaker(pid: Result<u32, String>) -> Result<Self, String> {
        let pid = pid.map_err(|reason| format!("which process speaks qmp is not known: {reason}"))?;
        // The first look at a program reads all of it.
        let read = tokio::task::spawn_blocking(move || Self::read(pid)).await;
        let read = read.map_err(io::Error::from).and_then(|read| read);
        read.map_err(|error| format!("process {pid} speaks qmp, and cannot be inspected: {error}"))
    }
}

/// The path under which this process finds the file. In a chroot the kernel tells the path from outside, because QEMU has mounts of its own: the end of it is
/// the path in here. Where no end of it leads to that file, the path is what the kernel told.
fn as_seen_here(told: PathBuf, file: &File) -> io::Result<PathBuf> {
    let of = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    let wanted = of(file.metadata()?);
    let names: Vec<_> = told.iter().skip(1).collect();
    let ends = (0..names.len()).map(|from| Path::new("/").join(names[from..].iter().collect::<PathBuf>()));
    let here = ends.into_iter().find(|end| std::fs::metadata(end).is_ok_and(|found| of(found) == wanted));
    Ok(here.unwrap_or(told))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_path_from_outside_of_a_chroot_is_told_as_it_is_here() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs_err::canonicalize(folder.path()).unwrap().join("program");
        fs_err::write(&real, "abc").unwrap();
        let file = File::open(&real).unwrap();
        let told = |path: &str| as_seen_here(path.into(), &file).unwrap();
        let outside = Path::new("/a/tree").join(real.strip_prefix("/").unwrap());
        assert_eq!(as_seen_here(outside, &file).unwrap(), real);
        assert_eq!(as_seen_here(real.clone(), &file).unwrap(), real);
        // No end of it leads there: another file of that name is not taken for it.
        assert_eq!(told("/a/tree/usr/bin/env"), Path::new("/a/tree/usr/bin/env"));
        assert_eq!(told("/a/tree/program (deleted)"), Path::new("/a/tree/program (deleted)"));
    }

    #[test]
    fn an_executable_is_the_file_behind_all_links() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs_err::canonicalize(folder.path()).unwrap();
        fs_err::write(folder.join("real"), "abc").unwrap();
        symlink("real", folder.join("one")).unwrap();
        symlink(folder.join("one"), folder.join("two")).unwrap();
        let executable = Executable::of(&folder.join("two")).unwrap();
        assert_eq!(executable.path, folder.join("real"));
        // FIPS 180-2, appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(executable.sha256, abc);
        fs_err::write(folder.join("real"), "abcd").unwrap();
        assert_ne!(Executable::of(&folder.join("two")).unwrap().sha256, abc);
        assert_eq!(Executable::of(&folder.join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_process_shows_its_own_program_and_arguments_also_when_another_file_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let folder = fs_err::canonicalize(folder.path()).unwrap();
        let program = folder.join("program");
        let real = fs_err::canonicalize("/bin/sh").unwrap();
        // By another process: a child that another test forks meanwhile would hold the file open for writing (ETXTBSY).
        assert!(Command::new("cp").args([&real, &program]).status().unwrap().success());
        let words = ["-c", "echo on; read line", "", "two words"];
        let mut command = Command::new(&program);
        let mut child = command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // Right after execve(2) it has no arguments to show yet.
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        fs_err::remove_file(&program).unwrap();
        fs_err::write(&program, "another").unwrap();
        let running = Running::of_speaker(Ok(child.id())).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let running = running.unwrap();
        assert_eq!(running.command_line[0], program.to_str().unwrap());
        assert_eq!(running.command_line[1..], words);
        assert_eq!(running.executable.path, Path::new(&format!("{} (deleted)", program.display())));
        assert_eq!(running.executable.sha256, Executable::of(&real).unwrap().sha256);
        assert_eq!(running.credentials.uid, nix::unistd::geteuid().as_raw());
        assert!(running.credentials.environment_bytes > 0 && running.credentials.capabilities.len() == 16);

        let gone = Running::of_speaker(Ok(child.id())).await.unwrap_err();
        assert!(gone.contains("cannot be inspected") && gone.contains("exe"), "{gone}");
        let unknown = Running::of_speaker(Err("nobody spoke".to_owned())).await.unwrap_err();
        assert_eq!(unknown, "which process speaks qmp is not known: nobody spoke");
    }
}
