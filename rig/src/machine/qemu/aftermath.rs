//! What is made of a guest whose kernel has panicked: its call trace in the source, and what became of its memory.
//!
//! Done after the death has been told and before the guest counts as gone. What comes of it is written behind the console's own lines, never in their
//! place, and is in [`Remains`]. Must not know QEMU's process, blocks or runs. Units: `Duration`.
//! Errors: none; what could not be done is said where the result would be. Tests: below; real panics in `tests/qemu/panic.rs`.

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::console::ConsoleState;
use super::keep_core::Core;
use super::log::LineLog;
use crate::process::lock;
use crate::symbols::Built;

/// To read a kernel's debug information, which is a gigabyte where all of a kernel was built.
const DECODE_DEADLINE: Duration = Duration::from_secs(20);
/// In front of each line that rig adds to a console.
const OWN: &str = "rig: ";

/// What is to be done when this guest's kernel panics.
#[derive(Debug, Clone)]
pub struct Aftermath {
    /// The kernel's file with symbols; or in words what there would have to be.
    pub symbols: Result<Built, String>,
    /// The file that takes the guest's memory; none: it is not kept.
    pub core: Option<PathBuf>,
    /// Where what was found is told.
    pub remains: Remains,
}

/// What guests have left whose kernels panicked, in their order. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Remains(Arc<Mutex<Vec<Remain>>>);

/// What one guest has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remain {
    /// The log of its console.
    pub console: PathBuf,
    /// The places of its call trace with files and lines, none where there is no trace; or why they are not known.
    pub trace: Result<Vec<String>, String>,
    /// The file with its memory, or why it was not kept; none where that was not asked for.
    pub core: Option<Result<Core, String>>,
    /// The kernel's file with symbols, where there is one and it is that kernel's.
    pub vmlinux: Option<PathBuf>,
}

impl Remains {
    /// All of it so far.
    pub fn all(&self) -> Vec<Remain> {
        lock(&self.0).clone()
    }
}

impl Remain {
    /// For a person, line by line.
    pub fn words(&self) -> Vec<String> {
        let trace = match &self.trace {
            Ok(lines) if lines.is_empty() => vec![],
            Ok(lines) => iter::once("the call trace in the source:".to_owned())
                .chain(lines.iter().map(|line| format!("  {line}")))
                .collect(),
            Err(why) => vec![why.clone()],
        };
        trace.into_iter().chain(self.core_words()).collect()
    }

    /// What became of its memory, and the line to type.
    pub fn core_words(&self) -> Option<String> {
        Some(match self.core.as_ref()? {
            Ok(Core { path, named }) => {
                let symbols = self.vmlinux.as_ref().map_or("VMLINUX".to_owned(), |path| quoted(path));
                let unnamed = match named {
                    true => "",
                    false => {
                        " (without the note VMCOREINFO: the kernel panicked before it had one, so crash must be told where it lies: boot it with `nokaslr`)"
                    }
                };
                format!("the guest's memory is kept: crash {symbols} {}{unnamed}", quoted(path))
            }
            Err(why) => format!("the guest's memory is not kept: {why}"),
        })
    }
}

/// For a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

impl Aftermath {
    /// The work. `console` is all that it has said; what is found goes to `log` as well, which lies at `at`.
    pub(super) async fn conduct(
        self,
        console: &ConsoleState,
        core: Option<Result<Core, String>>,
        log: &mut LineLog,
        at: &Path,
    ) {
        let trace = self.trace(console).await;
        let usable = self.symbols.as_ref().ok().filter(|_| trace.is_ok());
        let vmlinux = usable.map(|built| built.vmlinux.clone());
        let remain = Remain { console: at.to_owned(), trace, core, vmlinux };
        for line in remain.words() {
            log.write(&format!("{OWN}{line}"));
        }
        lock(&self.remains.0).push(remain);
    }

    async fn trace(&self, console: &ConsoleState) -> Result<Vec<String>, String> {
        let (report, banner) = (console.report.clone(), console.banner.clone());
        if report.iter().all(|line| crate::symbols::Place::find(line).is_none()) {
            return Ok(vec![]);
        }
        let built = self.symbols.clone()?;
        let decoding = tokio::task::spawn_blocking(move || built.decode(&report, banner.as_deref()));
        match tokio::time::timeout(DECODE_DEADLINE, decoding).await {
            Ok(Ok(decoded)) => decoded.map_err(|error| error.to_string()),
            Ok(Err(error)) => Err(format!("its files and lines are not known: {error}")),
            Err(_) => {
                Err(format!("its files and lines were not found within {} s", DECODE_DEADLINE.as_secs()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn conducted(symbols: Result<Built, String>, report: &[&str]) -> (Remain, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let mut log = LineLog::create(&path, 1 << 20).unwrap();
        log.write("what the kernel said");
        let console = ConsoleState {
            report: report.iter().map(|&line| line.to_owned()).collect(),
            ..ConsoleState::default()
        };
        let remains = Remains::default();
        let aftermath = Aftermath { symbols, core: None, remains: remains.clone() };
        aftermath
            .conduct(&console, Some(Ok(Core { path: "a b.vmcore".into(), named: true })), &mut log, &path)
            .await;
        let [remain] = &remains.all()[..] else { panic!("one guest") };
        (remain.clone(), fs_err::read_to_string(&path).unwrap())
    }

    #[tokio::test]
    async fn a_trace_is_told_behind_the_kernels_own_words() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/symbols/data");
        let built = Built { vmlinux: data.join("vmlinux"), version: None };
        let (remain, log) = conducted(Ok(built), &["Kernel panic", " first+0x5/0x20"]).await;
        assert_eq!(remain.trace, Ok(vec!["first+0x5/0x20: kernel/panic.c:25".to_owned()]));
        let lines: Vec<&str> = log.lines().map(|line| line.trim_start().split_once(' ').unwrap().1).collect();
        assert_eq!(
            lines,
            [
                "what the kernel said",
                "rig: the call trace in the source:",
                "rig:   first+0x5/0x20: kernel/panic.c:25",
                lines.last().unwrap()
            ]
        );
        assert!(
            lines[3].starts_with("rig: the guest's memory is kept: crash '")
                && lines[3].ends_with("' 'a b.vmcore'")
        );
    }

    #[tokio::test]
    async fn without_symbols_it_is_said_what_is_missing_and_without_a_trace_nothing() {
        let (remain, log) = conducted(Err("build one".to_owned()), &["first+0x5/0x20"]).await;
        assert_eq!(remain.trace, Err("build one".to_owned()));
        assert!(log.contains(" rig: build one\n") && !log.contains("in the source"), "{log}");
        assert!(log.ends_with("crash VMLINUX 'a b.vmcore'\n"), "{log}");
        let refused = Remain { core: Some(Err("no room".to_owned())), ..remain };
        assert_eq!(refused.core_words().unwrap(), "the guest's memory is not kept: no room");
        let unnamed = Core { path: "x".into(), named: false };
        let early = Remain { core: Some(Ok(unnamed)), ..refused };
        assert!(early.core_words().unwrap().contains("without the note VMCOREINFO"));
        let (remain, log) = conducted(Err("build one".to_owned()), &["Kernel panic"]).await;
        assert!(remain.trace == Ok(vec![]) && log.lines().count() == 2, "{log}");
    }
}
