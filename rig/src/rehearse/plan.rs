//! What a rehearsal is made of: the command with its surroundings, the emulated machine, the bounds.
//!
//! Pure. Must not know QEMU or the guest. Units: MiB, `Duration`.
//! Errors: [`SharesError`]; it blames the arguments.
//! Tests: below.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::wire::{Mount, Sink, Start, Window, tag};
use crate::clock::REHEARSED;

/// Everything that is known before anything is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehearsal {
    /// rig's own file: PID 1 inside. Absolute, and visible under the host's root.
    pub rig: PathBuf,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Working directory, inside as on the host. Absolute.
    pub folder: String,
    /// Of the command; [`REHEARSED`] is added, what names sockets of the host is left out.
    pub environment: BTreeMap<String, String>,
    /// What is written through to the host: see [`normalise_shares`].
    pub shares: Vec<PathBuf>,
    /// The emulated machine.
    pub machine: Machine,
    /// How long it may take.
    pub bounds: Bounds,
}

/// The emulated machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Virtual CPUs, each emulated by one thread.
    pub vcpus: u32,
    /// Memory; half of it may be files.
    pub memory_mib: u32,
}

impl Machine {
    /// Its CPUs, however many the host has: where two threads of QEMU emulate a host of KVM guests, that host dies now and then (seen with
    /// QEMU 7.2: a page fault in the handler of page faults, right after a guest's exit, with the guest's time stamp counter still in force).
    pub const VCPUS: u32 = 1;

    /// Memory for it on a host with so much available: half of it, since the emulator needs some itself, and at most 8 GiB, enough for a
    /// dozen guests. MiB.
    pub fn fitting_memory(available_mib: u64) -> u32 {
        u32::try_from((available_mib / 2).clamp(2048, 8192)).expect("at most 8192")
    }
}

/// How long each part may take; all on a machine that emulates everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// From QEMU's start to PID 1's first word.
    pub boot: Duration,
    /// For the command.
    pub run: Duration,
    /// For the command to end after it was interrupted.
    pub wind_down: Duration,
    /// Without a sign of life while the command runs.
    pub silence: Duration,
    /// From the command's end to QEMU's.
    pub power_off: Duration,
}

impl Default for Bounds {
    /// Booting takes 8 s on an idle machine of two cores; the bound is for a busy one.
    fn default() -> Self {
        Self {
            boot: Duration::from_secs(240),
            run: Duration::from_secs(4 * 3600),
            silence: Duration::from_secs(120),
            wind_down: Duration::from_secs(60),
            power_off: Duration::from_secs(60),
        }
    }
}

/// Sockets and agents that are the host's alone: inside nobody answers there.
const LEFT_OUT: [&str; 7] = [
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "LISTEN_FDS",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "SSH_AUTH_SOCK",
    "XDG_RUNTIME_DIR",
];

impl Rehearsal {
    /// The message that starts the command inside.
    pub(super) fn start(&self, stdout: Sink, stderr: Sink, window: Window) -> Start {
        let mut environment = self.environment.clone();
        environment.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
        environment.insert(REHEARSED.to_owned(), "1".to_owned());
        let mounts = self.shares.iter().enumerate().map(|(number, folder)| Mount {
            tag: tag(number),
            folder: folder.to_str().expect("`normalise_shares` lets only UTF-8 through").to_owned(),
        });
        Start {
            command: self.command.clone(),
            folder: self.folder.clone(),
            environment,
            mounts: mounts.collect(),
            stdout,
            stderr,
            window,
        }
    }
}

/// Why folders cannot be shared.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum SharesError {
    /// `/` is the read-only root.
    #[error("the host's root cannot be shared writable")]
    #[diagnostic(help("share the folder that the command writes to"))]
    Root,
    /// The kernel's own file systems are the emulated kernel's inside.
    #[error("{folder} belongs to the host's kernel and cannot be shared")]
    #[diagnostic(help("share an ordinary folder"))]
    Kernel {
        /// Which.
        folder: String,
    },
    /// The way to the guest is JSON.
    #[error("the name of {} is not UTF-8", .folder.display())]
    #[diagnostic(help("share a folder whose path is UTF-8"))]
    Name {
        /// Which.
        folder: PathBuf,
    },
}

/// `folders` as absolute paths, each once and none inside another; relative ones are taken from `base`, which is absolute.
///
/// # Errors
/// [`SharesError`]
pub fn normalise_shares(base: &Path, folders: &[PathBuf]) -> Result<Vec<PathBuf>, SharesError> {
    let mut absolute = Vec::new();
    for folder in folders {
        let folder = lexical(&base.join(folder));
        if folder == Path::new("/") {
            return Err(SharesError::Root);
        }
        let Some(text) = folder.to_str() else { return Err(SharesError::Name { folder }) };
        if ["/dev", "/proc", "/sys"].iter().any(|kernel| folder.starts_with(kernel)) {
            return Err(SharesError::Kernel { folder: text.to_owned() });
        }
        absolute.push(folder);
    }
    // A parent sorts before what is in it.
    absolute.sort();
    let mut shares: Vec<PathBuf> = Vec::new();
    for folder in absolute {
        if !shares.iter().any(|share| folder.starts_with(share)) {
            shares.push(folder);
        }
    }
    Ok(shares)
}

/// Without `.` and `..`, as text.
fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => out.push(part),
        }
    }
    out
}

/// Where a rig command puts its results: its `--results`, or `results`.
pub fn results_folder(arguments: &[String]) -> PathBuf {
    let mut words = arguments.iter().take_while(|word| *word != "--");
    let mut folder = None;
    while let Some(word) = words.next() {
        if word == "--results" {
            folder = words.next().cloned();
        } else if let Some(value) = word.strip_prefix("--results=") {
            folder = Some(value.to_owned());
        }
    }
    folder.unwrap_or_else(|| "results".to_owned()).into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::rehearse) fn sample() -> Rehearsal {
        Rehearsal {
            rig: "/opt/rig/rig".into(),
            command: vec!["/opt/rig/rig".to_owned(), "doctor".to_owned()],
            folder: "/home/user".to_owned(),
            environment: BTreeMap::from([
                ("LANG".to_owned(), "C.UTF-8".to_owned()),
                ("SSH_AUTH_SOCK".to_owned(), "/run/user/0/agent".to_owned()),
            ]),
            shares: vec!["/home/user/results".into(), "/srv/a,b".into()],
            machine: Machine { vcpus: 2, memory_mib: 4096 },
            bounds: Bounds::default(),
        }
    }

    fn shares(folders: &[&str]) -> Result<Vec<String>, SharesError> {
        let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
        let shares = normalise_shares(Path::new("/home/user"), &folders)?;
        Ok(shares.into_iter().map(|share| share.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn shares_are_absolute_and_none_lies_in_another() {
        assert_eq!(
            shares(&["results", "./results/", "results/2026", "../other/x", "/srv", "resultsets"]).unwrap(),
            ["/home/other/x", "/home/user/results", "/home/user/resultsets", "/srv"]
        );
    }

    #[test]
    fn the_root_and_the_kernels_folders_are_refused() {
        assert_eq!(shares(&["../.."]), Err(SharesError::Root));
        assert_eq!(shares(&["/proc/1"]), Err(SharesError::Kernel { folder: "/proc/1".to_owned() }));
        assert_eq!(shares(&["/device"]).unwrap(), ["/device"]);
    }

    #[test]
    fn the_results_folder_is_what_the_command_says() {
        let folder = |words: &str| {
            let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
            results_folder(&words).to_str().unwrap().to_owned()
        };
        assert_eq!(folder("matrix run"), "results");
        assert_eq!(folder("matrix run --results /tmp/r --seed 1"), "/tmp/r");
        assert_eq!(folder("matrix run --results=r"), "r");
        assert_eq!(folder("matrix run -- --results=r"), "results");
        assert_eq!(folder("matrix run --results"), "results");
    }

    #[test]
    fn the_machine_fits_the_host() {
        assert_eq!([1000, 10_000, 1 << 20].map(Machine::fitting_memory), [2048, 5000, 8192]);
    }

    #[test]
    fn the_command_knows_that_it_is_rehearsed_and_no_socket_of_the_host() {
        let start = sample().start(Sink::Pipe, Sink::Pipe, Window { rows: 24, columns: 80 });
        let names: Vec<(&str, &str)> =
            start.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(names, [("LANG", "C.UTF-8"), ("RIG_REHEARSED", "1")]);
        assert_eq!(start.mounts[1], Mount { tag: "share1".to_owned(), folder: "/srv/a,b".to_owned() });
    }
}
