//! The guest's serial console: logged line by line, watched for the few lines that decide something.
//!
//! The guest is not trusted: lines are cut at a length, the log at a size, control characters and escape sequences are dropped.
//! Must not know QEMU or deadlines. Units: bytes, lines.
//! Errors: none of its own; the end of the stream is a state. What a kernel prints when it dies: kernel/panic.c, arch/x86/kernel/dumpstack.c.
//! Tests: below.

use std::collections::VecDeque;
use std::mem;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

use super::log::LineLog;

/// Lines kept for messages.
const TAIL_LINES: usize = 30;
/// A line longer than this is cut in two.
const LINE_BYTES: usize = 1024;
/// The console's log takes this much; a guest that prints more has lost its mind.
pub const CONSOLE_CAP_BYTES: u64 = 4 << 20;

/// What the console has told so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleState {
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
    /// The last lines, oldest first.
    pub tail: VecDeque<String>,
    /// Lines so far: whether the guest still says something.
    pub lines: u64,
    /// Nothing more will come: QEMU has closed the console.
    pub ended: bool,
}

impl ConsoleState {
    /// The last line that is not empty, as the end of a sentence.
    pub fn last_words(&self) -> String {
        match self.tail.iter().rev().find(|line| !line.trim().is_empty()) {
            Some(line) => format!("the last line of its console was {line:?}"),
            None => "its console stayed silent".to_owned(),
        }
    }

    /// The last lines as one text.
    pub fn tail_text(&self) -> String {
        self.tail.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn take(&mut self, line: String) {
        match judge(&line) {
            // The first counts: a kernel that dies prints more panics on its way.
            Some(Mark::Ready(release)) => _ = self.ready.get_or_insert(release),
            Some(Mark::Failed(reason)) => _ = self.failed.get_or_insert(reason),
            Some(Mark::Panicked) => _ = self.panicked.get_or_insert_with(|| line.clone()),
            Some(Mark::At(place)) => _ = self.at.get_or_insert(place),
            Some(Mark::Complaint) if self.complaints.len() < 8 => self.complaints.push(line.clone()),
            Some(Mark::Complaint) | None => {}
        }
        self.lines += 1;
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Mark {
    Ready(String),
    Failed(String),
    Panicked,
    At(String),
    Complaint,
}

/// What one line means. The kernel's own messages may stand in front of init's on the same line, and behind them.
fn judge(line: &str) -> Option<Mark> {
    if let Some((_, rest)) = line.split_once("rig: ready ") {
        let release: String =
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || ".+~_-".contains(*c)).collect();
        return (!release.is_empty()).then_some(Mark::Ready(release));
    }
    if let Some((_, reason)) = line.split_once("rig: failed") {
        let reason = reason.trim();
        return Some(Mark::Failed(if reason.is_empty() { "it did not say why" } else { reason }.to_owned()));
    }
    if line.contains("Kernel panic - not syncing") || line.contains("end Kernel panic") {
        return Some(Mark::Panicked);
    }
    if let Some((_, place)) = line.split_once("RIP: 0010:") {
        return Some(Mark::At(place.trim().to_owned()));
    }
    let complaints = [
        "BUG: ",
        "Oops: ",
        "WARNING: CPU",
        "general protection fault",
        "rcu_sched self-detected stall",
        "blocked for more than",
    ];
    complaints.iter().any(|complaint| line.contains(complaint)).then_some(Mark::Complaint)
}

/// Cuts a byte stream into clean lines: no control characters, no escape sequences, no invalid UTF-8.
#[derive(Debug, Default)]
struct LineCutter {
    line: Vec<u8>,
    escape: Escape,
}

/// Where in an escape sequence (ECMA-48) the stream is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// After ESC.
    Begun,
    /// After `ESC [`, until a final byte.
    Control,
    /// After `ESC ]`, until BEL or the end of the line.
    Command,
}

impl LineCutter {
    fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(String)) {
        for &byte in bytes {
            self.escape = match (self.escape, byte) {
                (_, b'\n') => {
                    take(self.cut());
                    Escape::None
                }
                (_, 0x1b) => Escape::Begun,
                (Escape::Begun, b'[') => Escape::Control,
                (Escape::Begun, b']') => Escape::Command,
                // Two-character sequences; intermediate bytes keep one going.
                (Escape::Begun, 0x20..=0x2f) => Escape::Begun,
                (Escape::Begun, _) => Escape::None,
                (Escape::Control, 0x20..=0x3f) => Escape::Control,
                (Escape::Control, _) => Escape::None,
                (Escape::Command, 0x07) => Escape::None,
                (Escape::Command, _) => Escape::Command,
                (Escape::None, b'\t') => {
                    self.line.push(b' ');
                    Escape::None
                }
                (Escape::None, 0x00..=0x1f | 0x7f) => Escape::None,
                (Escape::None, byte) => {
                    self.line.push(byte);
                    Escape::None
                }
            };
            if self.line.len() == LINE_BYTES {
                take(self.cut());
            }
        }
    }

    /// The last line, if the stream ended without a line feed.
    fn end(&mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| self.cut())
    }

    fn cut(&mut self) -> String {
        String::from_utf8_lossy(&mem::take(&mut self.line)).replace(char::is_control, "")
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
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut cutter = LineCutter::default();
        let mut lines = Vec::new();
        for chunk in chunks {
            cutter.feed(chunk, |line| lines.push(line));
        }
        lines.extend(cutter.end());
        lines
    }

    async fn watched(chunks: &[&[u8]]) -> ConsoleState {
        let bytes = chunks.concat();
        let (sender, receiver) = watch::channel(ConsoleState::default());
        assert_eq!(watch_console(bytes.as_slice(), LineLog::none(), sender).await, None);
        receiver.borrow().clone()
    }

    #[test]
    fn lines_lose_carriage_returns_escapes_and_garbage_wherever_chunks_are_cut() {
        let text: &[u8] = b"\x1b[2J\x1b[1;31mred\x1b[0m\ttext\r\n\x1b]0;title\x07\x00\xff\xfeend\x1b(B";
        let whole = lines(&[text]);
        assert_eq!(whole, ["red text", "\u{fffd}\u{fffd}end"]);
        for cut in 0..text.len() {
            assert_eq!(lines(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = vec![b'x'; 3 * LINE_BYTES + 1];
        assert_eq!(lines(&[&long]).iter().map(String::len).collect::<Vec<_>>(), [1024, 1024, 1024, 1]);
    }

    #[test]
    fn lines_mean_what_they_say() {
        let ready = |release: &str| Some(Mark::Ready(release.to_owned()));
        assert_eq!(judge("rig: ready 6.1.0-56-cloud-amd64"), ready("6.1.0-56-cloud-amd64"));
        assert_eq!(
            judge("[    3.1] foo rig: ready 6.12.107+deb12-amd64[    3.2] bar"),
            ready("6.12.107+deb12-amd64")
        );
        assert_eq!(judge("rig: ready "), None);
        assert_eq!(judge("rig: failed no control NIC"), Some(Mark::Failed("no control NIC".to_owned())));
        assert_eq!(judge("rig: failed"), Some(Mark::Failed("it did not say why".to_owned())));
        assert_eq!(
            judge("[   10.1] Kernel panic - not syncing: sysrq triggered crash"),
            Some(Mark::Panicked)
        );
        assert_eq!(
            judge("[   10.1] BUG: kernel NULL pointer dereference, address: 00"),
            Some(Mark::Complaint)
        );
        assert_eq!(judge("[   10.1] Oops: 0002 [#1] PREEMPT SMP"), Some(Mark::Complaint));
        assert_eq!(
            judge("[   10.1] RIP: 0010:sched_clock_cpu+0x9/0x190"),
            Some(Mark::At("sched_clock_cpu+0x9/0x190".to_owned()))
        );
        assert_eq!(judge("DEBUG=1 Oopsla"), None);
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
        assert_eq!(state.last_words(), "the last line of its console was \"no line feed\"");
        assert!(state.ended);
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

    proptest! {
        #[test]
        fn no_byte_stream_makes_a_line_that_a_terminal_would_obey(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            for line in lines(&[&bytes]) {
                prop_assert!(!line.chars().any(char::is_control));
                prop_assert!(line.len() <= 3 * LINE_BYTES);
            }
        }
    }
}
