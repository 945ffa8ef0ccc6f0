//! rig as its user has it: the built program, a matrix file, a folder, and what is found there afterwards.
//!
//! Holds no assertion about what was measured. Must not use the library but for the shapes of record and report.
//! Every wait has a name and ends at once when rig does. Kills only processes that it started.

pub(crate) mod belongings;
pub(crate) mod packets;
pub(crate) mod processes;
pub(crate) mod programs;
#[path = "../support/schema.rs"]
pub(crate) mod schema;
#[path = "../support/tools.rs"]
pub(crate) mod tools;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::record::format::{BlockRecord, BlockStatus, RunRecord, TrialsLine};
use rig::record::{JournalEntry, Layout};
use rig_protocol::TrialRecord;
use serde_json::Value as Json;
use tempfile::TempDir;

use schema::assert_run;

/// No wait of these tests takes this long unless something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// Says why a tier is not run, past libtest, which keeps what a passing test prints to itself.
pub(crate) fn skip(tier: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED tier {tier}: {why}");
}

/// Whether the tests of namespaces can run; says so where not.
pub(crate) fn is_root(tier: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip(tier, "not root");
    }
    root
}

/// The program under test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_rig"))
}

/// A folder with a matrix file, in which rig is run.
pub(crate) struct Lab {
    folder: TempDir,
}

impl Lab {
    pub(crate) fn new(matrix: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("rig-test-").tempdir().unwrap();
        fs::write(folder.path().join("matrix.toml"), matrix).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn results(&self) -> PathBuf {
        self.path().join("results")
    }

    /// rig with these arguments, in the folder: its matrix.toml and its results.
    pub(crate) fn rig(&self, arguments: &str) -> Command {
        let mut command = Command::new(program());
        command.args(arguments.split_whitespace());
        self.settle(&mut command);
        command
    }

    /// Makes a command run in the folder, undisturbed by what the tests' own environment says.
    pub(crate) fn settle(&self, command: &mut Command) {
        command
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env("NO_COLOR", "1")
            .env("COLUMNS", "")
            .env("RIG_CALLED_AS", "rig")
            .env_remove("RIG_REHEARSED");
    }

    /// Starts it; what it says goes to files, so that no full pipe ever holds it up.
    pub(crate) fn start(&self, mut command: Command) -> Running {
        let said = self.path().join("said");
        fs::create_dir_all(&said).unwrap();
        let number = fs::read_dir(&said).unwrap().count();
        let stdout = said.join(format!("{number:03}.out"));
        let stderr = said.join(format!("{number:03}.err"));
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        let child = command.spawn().unwrap();
        Running { child, status: None, stdout, stderr }
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &str) -> Ended {
        self.start(self.rig(arguments)).end()
    }

    /// The one run in the results folder.
    pub(crate) fn only_run(&self) -> Recorded {
        let runs = self.runs();
        let [run] = &runs[..] else { panic!("one run was expected in {:?}: {runs:?}", self.results()) };
        Recorded::new(run)
    }

    /// Folders of all runs, oldest first.
    pub(crate) fn runs(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.results()) else { return Vec::new() };
        let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        runs.sort();
        runs
    }
}

/// rig under way. Dropped while it runs, it is killed, and its enclosure goes with it.
pub(crate) struct Running {
    child: Child,
    status: Option<ExitStatus>,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        assert!(self.status.is_none(), "it has ended");
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Waits until `look` finds something; rig's end before that is a failure.
    pub(crate) fn await_that<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                self.status = Some(status);
                panic!("rig ended ({status}) before {what}:\n{}", self.stderr());
            }
            assert!(Instant::now() < deadline, "waited {PATIENCE:?} until {what}:\n{}", self.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end.
    pub(crate) fn end(self) -> Ended {
        self.end_while(|| ())
    }

    /// Waits for its end and keeps looking at something meanwhile.
    pub(crate) fn end_while(mut self, mut look: impl FnMut()) -> Ended {
        let deadline = Instant::now() + 2 * PATIENCE;
        let status = loop {
            look();
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "rig does not end:\n{}", self.stderr());
            thread::sleep(Duration::from_millis(10));
        };
        self.status = Some(status);
        Ended { status, stdout: fs::read_to_string(&self.stdout).unwrap(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.status.is_none() {
            // For a test that failed; it may have ended meanwhile.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What rig said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails with all that it said unless it ended with this exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        let text = format!("stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert_eq!(self.status.signal(), None, "ended by a signal\n{text}");
        assert_eq!(self.status.code(), Some(code), "{text}");
        assert!(!self.stderr.contains("panicked"), "{text}");
        self
    }

    /// Both, as a terminal shows them, with the line breaks of a diagnostic folded.
    pub(crate) fn words(&self) -> String {
        let text = format!("{}\n{}", self.stdout, self.stderr);
        text.split(['\n', ' ', '│', '×', '╰', '├', '─', '▶'])
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Fails unless all of these can be read in what it said.
    #[track_caller]
    pub(crate) fn says(self, all: &[&str]) -> Self {
        let words = self.words();
        for one in all {
            assert!(words.contains(one), "{one:?} is not in:\n{}\n{}", self.stdout, self.stderr);
        }
        self
    }
}

/// A run on disk.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) folder: PathBuf,
}

impl Recorded {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    pub(crate) fn id(&self) -> String {
        self.folder.file_name().unwrap().to_str().unwrap().to_owned()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn record(&self) -> RunRecord {
        serde_json::from_str(&self.read("run.json")).unwrap()
    }

    pub(crate) fn report(&self) -> Json {
        assert_run(&self.folder);
        serde_json::from_str(&self.read("report.json")).unwrap()
    }

    /// Every line of the journal, none of which may be torn.
    pub(crate) fn journal(&self) -> Vec<JournalEntry> {
        let text = self.read("journal.jsonl");
        assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn: {text}");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    /// How many blocks lie on disk.
    pub(crate) fn played(&self) -> Vec<BlockRecord> {
        let entries = self.journal().into_iter();
        let files = entries.filter_map(|entry| match entry {
            JournalEntry::Block { id, attempt, .. } => Some(Layout::block(&id, attempt)),
            JournalEntry::Started { .. } | JournalEntry::Ended { .. } => None,
        });
        files.map(|file| serde_json::from_str(&self.read(&file)).unwrap()).collect()
    }

    /// The trials of a block that were kept whole.
    pub(crate) fn kept(&self, block: &BlockRecord) -> Vec<TrialRecord> {
        if block.records == 0 {
            return Vec::new();
        }
        let lines = self.read(&format!("anomalies/{}.{}.jsonl", block.id, block.attempt));
        let kept = |line| match serde_json::from_str(line).unwrap() {
            TrialsLine::Head(head) => {
                assert_eq!((&head.block, head.attempt), (&block.id, block.attempt));
                None
            }
            TrialsLine::Trial(trial) => Some(TrialRecord::try_from(trial).unwrap()),
        };
        lines.lines().filter_map(kept).collect()
    }

    /// Ids of complete blocks, in the order in which they were played.
    pub(crate) fn order(&self) -> Vec<String> {
        let complete = self.played().into_iter().filter(|block| block.status == BlockStatus::Complete);
        complete.map(|block| block.id.0).collect()
    }

    /// Ids of the planned blocks, in the recorded order.
    pub(crate) fn plan(&self) -> Vec<String> {
        self.record().blocks.into_iter().map(|block| block.id.0).collect()
    }

    /// Whether the journal's last word is that the run ended, and with all its blocks or not.
    pub(crate) fn ended(&self) -> Option<bool> {
        match self.journal().last() {
            Some(JournalEntry::Ended { complete, .. }) => Some(*complete),
            Some(JournalEntry::Started { .. } | JournalEntry::Block { .. }) | None => None,
        }
    }

    /// The report's cells of this configuration.
    pub(crate) fn cells(&self, configuration: &str) -> Vec<Json> {
        let report = self.report();
        let cells = report["cells"].as_array().unwrap().iter();
        cells.filter(|cell| cell["configuration"] == configuration).cloned().collect()
    }
}

/// A matrix of what these tests need: `rst` and `watcher`, three controls, kernel 6.1.
pub(crate) fn matrix(run: &str, scenarios: &str, configurations: &str) -> String {
    format!(
        r#"
[run]
aa_pair = false
{run}

[axes]
scenario = [{scenarios}]
configuration = [{configurations}]
kernel = ["6.1"]
path = ["direct"]

[configuration.bare-metal]
kind = "host"

[configuration.virtio-tap]
kind = "qemu"
nic = "virtio-net"
backend = "tap"
vcpus = 2

[configuration.virtio-vhost]
kind = "qemu"
nic = "virtio-net"
backend = "tap-vhost"
vcpus = 2

[path.direct]
mtu_bytes = 1500

[control.closed-descriptor]
scenario = "control-closed-descriptor"

[control.inject-enoent]
scenario = "control-inject-enoent"
parameters = {{ rate = "20%", client_delay = "1s" }}
in_flight = 150

[control.negative]
scenario = "control-negative"
"#
    )
}
