//! The guest's serial console: logged line by line, watched for the few lines that decide something.
//!
//! The guest is not trusted: the log is cut at a size, and lines are as [`crate::console`] makes them.
//! Must not know QEMU or deadlines. Units: bytes, lines.
//! Errors: none of its own; the end of the stream is a state.
//! Tests: below.

use std::collections::VecDeque;
use std::fmt;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

use super::log::LineLog;
use crate::console::{LineCutter, Mark, judge};

/// Lines kept for messages.
const TAIL_LINES: usize = 30;
/// Lines kept of what a kernel says when it complains of itself and dies of it: an oops, its call trace and the panic's own are about a hundred.
const REPORT_LINES: usize = 300;
/// The kernel's first line is among so many: a firmware may speak before.
const BANNER_WITHIN: u64 = 100;
/// Of these so many are the last words, in one line with the reason.
const LAST_WORDS: usize = 3;
/// As much of each.
const LAST_WORDS_CHARS: usize = 160;
/// The console's log takes this much; a guest that prints more has lost its mind.
pub const CONSOLE_CAP_BYTES: u64 = 4 << 20;

/// How far a boot has come, as the console tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was printed: the kernel did not begin, or has no serial console.
    Silent,
    /// The kernel printed something, and no init began.
    Kernel,
    /// The init began, and the network is not up yet.
    Init,
    /// Network and SSH server are up.
    Ready,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "no console output",
            Self::Kernel => "the kernel began, no init did",
            Self::Init => "init began, the network was not up",
            Self::Ready => "network and SSH server were up",
        })
    }
}

/// What the console has told so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleState {
    /// `rig: init`: the guest's init has begun.
    pub begun: bool,
    /// `rig: ready <release>`: the guest's network and SSH server are up.
    pub ready: Option<String>,
    /// `rig: failed <reason>`: the guest's init gave up.
    pub failed: Option<String>,
    /// The line with which the kernel died.
    pub panicked: Option<String>,
    /// Where the kernel was when it first complained (`RIP: 0010:function+0x9/0x190`).
    pub at: Option<String>,
    /// Lines in which the kernel complained of itself (`BUG:`, `WARNING:`, an oops, a stalled CPU) without dying. The first few.
    pub complaints: Vec<String>,
    /// The line with which the kernel began (`Linux version …`), where it says that on its console.
    pub banner: Option<String>,
    /// The panic's last line: what the kernel had to say it has said.
    pub panic_over: bool,
    /// What the kernel said from its last complaint, or of the one that it died of, to its end: with the whole call trace.
    pub report: Vec<String>,
    /// The last lines up to the panic's, in one line; what follows it are addresses, which no two boots have alike.
    pub(super) words_at_panic: Option<String>,
    /// The kernel has oopsed, which is its end (`oops=panic`).
    pub(super) oopsed: bool,
    /// The last lines, oldest first.
    pub tail: VecDeque<String>,
    /// Lines so far: whether the guest still says something.
    pub lines: u64,
    /// Nothing more will come: QEMU has closed the console.
    pub ended: bool,
}

impl ConsoleState {
    /// How far the boot has come.
    pub fn stage(&self) -> Stage {
        match (&self.ready, self.begun || self.failed.is_some()) {
            (Some(_), _) => Stage::Ready,
            (None, true) => Stage::Init,
            (None, false) if self.lines > 0 => Stage::Kernel,
            (None, false) => Stage::Silent,
        }
    }

    /// The last lines that are not empty, as the end of a sentence; without the kernel's times, so that two boots that end alike say the same.
    /// Of a kernel that panicked they end with the panic's line.
    pub fn last_words(&self) -> String {
        if let Some(words) = &self.words_at_panic {
            return words.clone();
        }
        let said = self.tail.iter().map(|line| strip_time(line)).filter(|line| !line.is_empty());
        let said: Vec<String> = said.map(|line| line.chars().take(LAST_WORDS_CHARS).collect()).collect();
        match &said[said.len().saturating_sub(LAST_WORDS)..] {
            [] => "its console stayed silent".to_owned(),
            [line] => format!("the last line of its console was {line:?}"),
            lines => format!("the last lines of its console were {}", quoted(lines)),
        }
    }

    /// The last lines as one text; of a kernel that panicked, all that it said of it.
    pub fn tail_text(&self) -> String {
        if self.panicked.is_some() {
            return self.report.join("\n");
        }
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn take(&mut self, line: String) {
        let mark = judge(&line);
        let first_panic = self.panicked.is_none() && mark == Some(Mark::Panicked);
        self.keep_report(&line, mark.as_ref());
        if self.lines < BANNER_WITHIN && self.banner.is_none() && line.contains("Linux version ") {
            self.banner = Some(line.clone());
        }
        match mark {
            // The first counts: a kernel that dies prints more panics on its way.
            Some(Mark::Begun) => self.begun = true,
            Some(Mark::Ready(release)) => _ = self.ready.get_or_insert(release),
            Some(Mark::Failed(reason)) => _ = self.failed.get_or_insert(reason),
            Some(Mark::Panicked) => _ = self.panicked.get_or_insert_with(|| line.clone()),
            Some(Mark::At(place)) => _ = self.at.get_or_insert(place),
            Some(Mark::Oops | Mark::Complaint) if self.complaints.len() < 8 => {
                self.complaints.push(line.clone());
            }
            Some(Mark::Oops | Mark::Complaint) | None => {}
        }
        self.lines += 1;
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
        if first_panic {
            self.words_at_panic = Some(self.last_words());
        }
    }

    /// A complaint begins a report, which the next one begins anew, until the kernel dies: then it goes on to the end.
    fn keep_report(&mut self, line: &str, mark: Option<&Mark>) {
        let dying = self.panicked.is_some() || self.oopsed;
        let begins = match mark {
            Some(Mark::Oops | Mark::Complaint) => !dying,
            // Of what it died without a complaint shortly before, it says with the panic itself.
            Some(Mark::Panicked) => !dying && self.report.len() == REPORT_LINES,
            _ => false,
        };
        if begins {
            self.report.clear();
        }
        self.oopsed |= mark == Some(&Mark::Oops);
        let goes_on = begins || !self.report.is_empty() || mark == Some(&Mark::Panicked);
        if goes_on && self.report.len() < REPORT_LINES {
            self.report.push(line.to_owned());
        }
        self.panic_over |= mark == Some(&Mark::Panicked) && line.contains("end Kernel panic");
    }
}

fn quoted(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line:?}")).collect::<Vec<_>>().join(", ")
}

/// A line of the kernel's without its time.
pub(super) fn strip_time(line: &str) -> &str {
    match line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((time, rest)) if time.trim().parse::<f64>().is_ok() => rest.trim(),
        Some(_) | None => line.trim(),
    }
}

/// Reads the console to its end, logs it and publishes what it tells.
///
/// `ended` is published in every case, also when the stream breaks. The log's trouble, if any, is the result.
pub async fn watch_console(
    mut stream: impl AsyncRead + Unpin,
    mut log: LineLog,
    state: watch::Sender<ConsoleState>,
) -> Option<String> {
    let mut cutter = LineCutter::default();
    let mut buffer = vec![0; 16 << 10];
    loop {
        // A broken console is an ended one; the process's exit says why.
        let count = stream.read(&mut buffer).await.unwrap_or_default();
        let mut lines = Vec::new();
        cutter.feed(&buffer[..count], |line| lines.push(line));
        if count == 0 {
            lines.extend(cutter.end());
        }
        for line in &lines {
            log.write(line);
        }
        state.send_if_modified(|state| {
            let changed = !lines.is_empty() || count == 0;
            lines.into_iter().for_each(|line| state.take(line));
            state.ended = count == 0;
            changed
        });
        if count == 0 {
            return log.trouble();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn watched(chunks: &[&[u8]]) -> ConsoleState {
        let bytes = chunks.concat();
        let (sender, receiver) = watch::channel(ConsoleState::default());
        assert_eq!(watch_console(bytes.as_slice(), LineLog::none(), sender).await, None);
        receiver.borrow().clone()
    }

    #[tokio::test]
    async fn the_first_panic_counts_and_the_tail_is_bounded() {
        let mut text = b"rig: ready 6.1\nKernel panic - not syncing: first\n".to_vec();
        text.extend(b"Kernel panic - not syncing: second\n");
        for number in 0..2 * TAIL_LINES {
            text.extend(format!("line {number}\n").bytes());
        }
        let state = watched(&[&text, b"no line feed"]).await;
        assert_eq!(state.ready.as_deref(), Some("6.1"));
        assert_eq!(state.panicked.as_deref(), Some("Kernel panic - not syncing: first"));
        assert_eq!(state.tail.len(), TAIL_LINES);
        assert_eq!(
            state.last_words(),
            "the last lines of its console were \"rig: ready 6.1\", \"Kernel panic - not syncing: first\""
        );
        assert!(state.ended);
    }

    #[tokio::test]
    async fn a_boot_has_stages_and_last_words_without_times() {
        let stage = |chunks: &'static [&[u8]]| async move { watched(chunks).await.stage() };
        assert_eq!(stage(&[]).await, Stage::Silent);
        assert_eq!(stage(&[b"[    0.1] Linux version 6.1\n"]).await, Stage::Kernel);
        assert_eq!(stage(&[b"[    0.1] Linux version 6.1\n", b"rig: init\n"]).await, Stage::Init);
        assert_eq!(stage(&[b"rig: failed no\n"]).await, Stage::Init);
        assert_eq!(stage(&[b"rig: init\nrig: ready 6.1\n"]).await, Stage::Ready);
        let two = watched(&[b"[    0.123456] a\n\n[x] b\n"]).await;
        assert_eq!(two.last_words(), "the last lines of its console were \"a\", \"[x] b\"");
        let one = watched(&[b"[    0.123456] a\n"]).await;
        assert_eq!(one.last_words(), "the last line of its console was \"a\"");
    }

    #[tokio::test]
    async fn a_panics_report_is_whole_and_begins_with_what_it_died_of() {
        let mut text = "Linux version 6.1 (a@b) #1\nfine\nWARNING: CPU: 0\n of no weight\n".to_owned();
        text += "BUG: kernel NULL pointer dereference\nOops: 0002 [#1]\nRIP: 0010:x+0x1/0x2\nCall Trace:\n";
        (0..2 * TAIL_LINES).for_each(|number| text += &format!(" f{number}+0x1/0x2\n"));
        text += "WARNING: CPU: 1\nKernel panic - not syncing: Fatal exception\nKernel Offset: 0x1\n";
        let state = watched(&[text.as_bytes()]).await;
        assert_eq!(state.banner.as_deref(), Some("Linux version 6.1 (a@b) #1"));
        assert_eq!(state.report.len(), 2 * TAIL_LINES + 7);
        assert_eq!(state.report[0], "BUG: kernel NULL pointer dereference");
        assert_eq!(state.tail_text(), state.report.join("\n"));
        assert!(state.last_words().ends_with("\"Kernel panic - not syncing: Fatal exception\""), "no offset");
        assert!(!state.panic_over);
        let over = watched(&[text.as_bytes(), b"---[ end Kernel panic - not syncing: x ]---\n"]).await;
        assert!(over.panic_over && over.report.len() == 2 * TAIL_LINES + 8);
        let plain = watched(&[b"a\nKernel panic - not syncing: x\nCPU: 0\nCall Trace:\n"]).await;
        assert_eq!(plain.report, ["Kernel panic - not syncing: x", "CPU: 0", "Call Trace:"]);
    }

    #[tokio::test]
    async fn silence_is_told_as_such() {
        assert_eq!(watched(&[]).await.last_words(), "its console stayed silent");
        assert_eq!(watched(&[b"\r\n \r\n"]).await.last_words(), "its console stayed silent");
    }

    #[tokio::test]
    async fn the_log_is_cut_with_a_note() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let (sender, _receiver) = watch::channel(ConsoleState::default());
        let text = "0123456789\n".repeat(100);
        let log = LineLog::create(&path, 200).unwrap();
        assert_eq!(watch_console(text.as_bytes(), log, sender).await, None);
        let written = fs_err::read_to_string(&path).unwrap();
        assert!(written.len() < 300, "{written}");
        assert_eq!(written.lines().last(), Some("rig: this log is full, what follows is lost"));
        assert!(written.lines().next().unwrap().ends_with(" 0123456789"), "{written}");
    }
}
