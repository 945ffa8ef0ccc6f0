//! The two logs of a guest: lines of its console, and JSON lines of everything said to and by its QEMU.
//!
//! A log is always a new file: nothing is written through a link that somebody has put in its place, or in its folder's.
//! Must not know what the lines mean. Units: milliseconds since the log was opened, bytes.
//! A log that cannot be written does not stop a guest: the first failure is kept, and whoever ends the guest asks for it.
//! Errors: `io::Error` when a log cannot be opened, which blames the disk, or who planted the link; later a sentence.
//! Tests: below, and beside `console` and `qmp`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use fs_err::File;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};
use serde_json::{Value, json};

use crate::process::lock;

/// The major version of the QMP log's lines, which its first line names: another one means that lines have another shape.
pub const FORMAT: u32 = 2;
/// The minor version: a higher one only adds keys and kinds of lines.
pub const FORMAT_MINOR: u32 = 0;

/// An open file that takes so many bytes more.
#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    left_bytes: u64,
    opened: Instant,
}

/// The open file; none once the log has ended.
type Shared = Arc<Mutex<Option<Open>>>;

/// Ends a log, whoever still writes it, and lets it go on in another file.
#[derive(Debug)]
pub(super) struct LogEnd {
    log: Option<(Shared, u64)>,
    /// The first line of a file.
    head: Option<String>,
}

impl LogEnd {
    /// What comes later is dropped, so that the file stays as it is from now on.
    pub(super) fn end(&self) {
        if let Some((open, _)) = &self.log {
            *lock(open) = None;
        }
    }

    /// What comes later goes into a new file, whose times begin now.
    pub(super) fn go_on(&self, path: &Path) -> io::Result<()> {
        let Some((open, cap_bytes)) = &self.log else { return Ok(()) };
        let mut next = Open::create(path, *cap_bytes)?;
        if let Some(head) = &self.head {
            next.file.write_all(head.as_bytes())?;
        }
        *lock(open) = Some(next);
        Ok(())
    }
}

impl Open {
    fn create(path: &Path, cap_bytes: u64) -> io::Result<Self> {
        let (path, opened) = (path.to_owned(), Instant::now());
        Ok(Self { file: create_anew(&path)?, path, left_bytes: cap_bytes, opened })
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A file that takes up to so many bytes, and then one line which says so.
#[derive(Debug)]
struct Capped {
    open: Shared,
    cap_bytes: u64,
    trouble: Option<String>,
}

impl Capped {
    fn create(path: &Path, cap_bytes: u64) -> io::Result<Self> {
        let open = Arc::new(Mutex::new(Some(Open::create(path, cap_bytes)?)));
        Ok(Self { open, cap_bytes, trouble: None })
    }

    /// Writes a whole line, made for the milliseconds since the file was opened; or `full` in its place when it does not fit any more.
    fn write(&mut self, line: impl FnOnce(u64) -> String, full: &str) {
        let mut shared = lock(&self.open);
        let Some(open) = &mut *shared else { return };
        let line = line(open.elapsed_ms());
        let bytes = line.len() as u64;
        let fits = bytes <= open.left_bytes;
        open.left_bytes = open.left_bytes.saturating_sub(bytes);
        let written = open.file.write_all(if fits { line.as_bytes() } else { full.as_bytes() });
        if let Err(error) = &written {
            self.trouble = Some(format!("{}: {error}", open.path.display()));
        }
        if written.is_err() || !fits {
            *shared = None;
        }
    }

    fn ender(&self, head: Option<String>) -> LogEnd {
        LogEnd { log: Some((Arc::clone(&self.open), self.cap_bytes)), head }
    }
}

/// Creates an empty file under this name, in the place of whatever lies there: the name is taken away before, and must be free then.
///
/// A link is taken away like a file; what it points to stays as it is. The folder must be a folder and no link to one.
fn create_anew(path: &Path) -> io::Result<File> {
    let blame = |errno: nix::Error| {
        let error = io::Error::from(errno);
        io::Error::new(error.kind(), format!("cannot create {}: {error}", path.display()))
    };
    let name = path.file_name().ok_or_else(|| blame(nix::Error::EINVAL))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let common = OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let folder = open(folder, common | OFlag::O_DIRECTORY | OFlag::O_RDONLY, Mode::empty()).map_err(blame)?;
    match unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(nix::Error::ENOENT) => {}
        Err(errno) => return Err(blame(errno)),
    }
    let flags = common | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY;
    // As `File::create` has it: the user's umask says who may read.
    let file = openat(&folder, name, flags, Mode::from_bits_truncate(0o666)).map_err(blame)?;
    Ok(File::from_parts(file.into(), path))
}

/// `{"at_ms": …, "kind": "sent", "message": {…}}` a line; the first says the format: `{"kind": "format", "format": 2, "format_minor": 0}`.
#[derive(Debug)]
pub struct JsonLog(Option<Capped>);

/// A conversation of this length is one that runs wild.
const JSON_CAP_BYTES: u64 = 16 << 20;
/// The last line of a log that has taken all that it takes.
const FULL: &str = "{\"kind\":\"note\",\"message\":\"log is full\"}\n";

impl JsonLog {
    /// Creates the file, in the place of what lies there, and says the format.
    ///
    /// # Errors
    /// The disk's; the folder is a link.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut log = Capped::create(path, JSON_CAP_BYTES)?;
        log.write(|_| Self::head(), FULL);
        Ok(Self(Some(log)))
    }

    fn head() -> String {
        format!("{}\n", json!({ "kind": "format", "format": FORMAT, "format_minor": FORMAT_MINOR }))
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// What ends it.
    pub(super) fn ender(&self) -> LogEnd {
        let none = LogEnd { log: None, head: None };
        self.0.as_ref().map_or(none, |log| log.ender(Some(Self::head())))
    }

    pub(super) fn write(&mut self, kind: &str, message: &Value) {
        let Some(log) = &mut self.0 else { return };
        let line = |at_ms| format!("{}\n", json!({ "at_ms": at_ms, "kind": kind, "message": message }));
        log.write(line, FULL);
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.0.as_ref().and_then(|log| log.trouble.clone())
    }
}

/// `   1.234 text` a line: seconds since the log was opened, then what the guest printed.
#[derive(Debug)]
pub struct LineLog(Option<Capped>);

impl LineLog {
    /// Creates the file, in the place of what lies there; it takes up to `cap_bytes`.
    ///
    /// # Errors
    /// The disk's; the folder is a link.
    pub fn create(path: &Path, cap_bytes: u64) -> io::Result<Self> {
        Ok(Self(Some(Capped::create(path, cap_bytes)?)))
    }

    /// Keeps nothing.
    pub fn none() -> Self {
        Self(None)
    }

    /// The same file, for another who writes into it.
    pub(super) fn another(&self) -> Self {
        let again =
            |log: &Capped| Capped { open: Arc::clone(&log.open), cap_bytes: log.cap_bytes, trouble: None };
        Self(self.0.as_ref().map(again))
    }

    /// What ends it.
    pub(super) fn ender(&self) -> LogEnd {
        self.0.as_ref().map_or(LogEnd { log: None, head: None }, |log| log.ender(None))
    }

    pub(super) fn write(&mut self, text: &str) {
        let Some(log) = &mut self.0 else { return };
        let line = |at_ms| format!("{:4}.{:03} {text}\n", at_ms / 1000, at_ms % 1000);
        log.write(line, "rig: this log is full, what follows is lost\n");
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.0.as_ref().and_then(|log| log.trouble.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_log_that_has_ended_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (lines, json) = (folder.path().join("console.log"), folder.path().join("qmp.jsonl"));
        let (mut line_log, mut json_log) =
            (LineLog::create(&lines, 100).unwrap(), JsonLog::create(&json).unwrap());
        let read = || [&lines, &json].map(|path| fs_err::read_to_string(path).unwrap());
        line_log.write("before");
        json_log.write("note", &json!("before"));
        let before = read();
        assert!(before.iter().all(|text| text.contains("before")));
        [line_log.ender(), json_log.ender()].iter().for_each(LogEnd::end);
        line_log.write("after");
        json_log.write("note", &json!("after"));
        assert_eq!((read(), line_log.trouble(), json_log.trouble()), (before, None, None));
        LineLog::none().ender().end();
    }

    #[test]
    fn a_log_goes_on_in_another_file_and_the_first_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let paths =
            ["a", "b"].map(|name| [folder.path().join(name), folder.path().join(format!("{name}.json"))]);
        let [[lines, json], [next_lines, next_json]] = &paths;
        let (mut line_log, mut json_log) =
            (LineLog::create(lines, 16).unwrap(), JsonLog::create(json).unwrap());
        line_log.write("first, and more than fits");
        json_log.write("note", &json!("first"));
        let ends = [line_log.ender(), json_log.ender()];
        ends.iter().for_each(LogEnd::end);
        line_log.write("between");
        json_log.write("note", &json!("between"));
        ends[0].go_on(next_lines).unwrap();
        ends[1].go_on(next_json).unwrap();
        line_log.write("second");
        json_log.write("note", &json!("second"));
        let read = |path: &PathBuf| fs_err::read_to_string(path).unwrap();
        assert_eq!(read(lines), "rig: this log is full, what follows is lost\n");
        assert!(read(next_lines).ends_with(" second\n") && read(next_lines).lines().count() == 1);
        assert!(read(json).contains("first") && !read(json).contains("between"));
        assert!(read(next_json).starts_with(&JsonLog::head()) && read(next_json).contains("second"));
        assert_eq!(read(next_json).lines().count(), 2);
        ends[0].go_on(folder.path()).unwrap_err();
    }

    #[test]
    fn the_first_line_of_the_qmp_log_says_the_format() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qmp.jsonl");
        JsonLog::create(&path).unwrap().write("note", &json!("first"));
        let text = fs_err::read_to_string(&path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0], json!({ "kind": "format", "format": 2, "format_minor": 0 }));
        assert_eq!(
            (lines.len(), &lines[1]["kind"], &lines[1]["message"]),
            (2, &"note".into(), &"first".into())
        );
    }

    #[test]
    fn a_link_in_a_logs_place_is_replaced_and_what_it_points_to_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs_err::write(&victim, "precious").unwrap();
        for (name, target) in [("qmp.jsonl", victim.clone()), ("console.log", folder.path().join("not-yet"))]
        {
            let path = folder.path().join(name);
            symlink(&target, &path).unwrap();
            drop(JsonLog::create(&path).unwrap());
            LineLog::create(&path, 100).unwrap().write("a line");
            assert!(path.symlink_metadata().unwrap().is_file());
            assert!(fs_err::read_to_string(&path).unwrap().ends_with(" a line\n"));
        }
        assert_eq!(fs_err::read_to_string(&victim).unwrap(), "precious");
        assert!(!folder.path().join("not-yet").exists());

        // A second name of a file is no link that could be seen: the name is taken away, the file stays as it is.
        let name = folder.path().join("hard");
        fs_err::hard_link(&victim, &name).unwrap();
        drop(JsonLog::create(&name).unwrap());
        assert_eq!(fs_err::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn no_log_is_made_in_a_folder_that_is_a_link_nor_in_the_place_of_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        fs_err::create_dir(&elsewhere).unwrap();
        fs_err::write(elsewhere.join("qmp.jsonl"), "precious").unwrap();
        symlink(&elsewhere, folder.path().join("guest")).unwrap();
        let path = folder.path().join("guest/qmp.jsonl");
        let error = JsonLog::create(&path).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        LineLog::create(&folder.path().join("guest/new"), 100).unwrap_err();
        assert_eq!(fs_err::read_to_string(elsewhere.join("qmp.jsonl")).unwrap(), "precious");
        assert!(!elsewhere.join("new").exists());
        JsonLog::create(&elsewhere).unwrap_err();
        assert!(elsewhere.is_dir());
    }
}
