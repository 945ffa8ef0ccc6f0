//! What a kernel says on its serial console: bytes made into clean lines, and what a line means.
//!
//! Pure. Must not know whose console it is or what follows from a line. Units: bytes. Errors: none; no byte is trusted.
//! What Linux prints when it dies: kernel/panic.c, arch/x86/kernel/{dumpstack,traps}.c, arch/x86/mm/fault.c. Escape sequences: ECMA-48.
//! Tests: below.

use std::mem;

/// A line longer than this is cut in two.
const LINE_BYTES: usize = 1024;

/// What one line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// `rig: init`: a guest's init has begun.
    Begun,
    /// `rig: ready RELEASE`: a guest's network and SSH server are up.
    Ready(String),
    /// `rig: failed REASON`: an init of ours gave up.
    Failed(String),
    /// The kernel says that it has died.
    Panicked,
    /// Where the kernel was (`RIP: 0010:function+0x9/0x190`).
    At(String),
    /// The first line of an oops: the end of a kernel that was booted with `oops=panic`.
    Oops,
    /// The kernel complains of itself without dying of it.
    Complaint,
}

/// What `line` means. The kernel's own messages may stand in front of init's on the same line, and behind them.
pub fn judge(line: &str) -> Option<Mark> {
    let says = |words: &[&str]| words.iter().any(|words| line.contains(words));
    if let Some((_, rest)) = line.split_once("rig: ready ") {
        let release: String =
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || ".+~_-".contains(*c)).collect();
        return (!release.is_empty()).then_some(Mark::Ready(release));
    }
    if line.contains("rig: init") {
        return Some(Mark::Begun);
    }
    if let Some((_, reason)) = line.split_once("rig: failed") {
        let reason = reason.trim();
        return Some(Mark::Failed(if reason.is_empty() { "it did not say why" } else { reason }.to_owned()));
    }
    if says(&["Kernel panic - not syncing", "end Kernel panic"]) {
        return Some(Mark::Panicked);
    }
    if let Some((_, place)) = line.split_once("RIP: 0010:") {
        return Some(Mark::At(place.trim().to_owned()));
    }
    if says(&["Oops: ", "BUG: unable to handle", "BUG: kernel NULL", "stack guard page was hit"]) {
        return Some(Mark::Oops);
    }
    let complaints = [
        "BUG: ",
        "WARNING: CPU",
        "general protection fault",
        "rcu_sched self-detected stall",
        "blocked for more than",
    ];
    says(&complaints).then_some(Mark::Complaint)
}

/// Cuts a byte stream into clean lines: no control characters, no escape sequences, no invalid UTF-8.
#[derive(Debug, Default)]
pub struct LineCutter {
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
    /// Takes some bytes, and gives the lines that they end, empty ones too.
    pub fn feed(&mut self, bytes: &[u8], mut take: impl FnMut(String)) {
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
    pub fn end(&mut self) -> Option<String> {
        (!self.line.is_empty()).then(|| self.cut())
    }

    fn cut(&mut self) -> String {
        String::from_utf8_lossy(&mem::take(&mut self.line)).replace(char::is_control, "")
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
        assert_eq!(judge("[   10.1] BUG: kernel NULL pointer dereference, address: 00"), Some(Mark::Oops));
        assert_eq!(judge("[   10.1] Oops: 0002 [#1] PREEMPT SMP"), Some(Mark::Oops));
        assert_eq!(
            judge("[   11.1] BUG: TASK stack guard page was hit at 00000000e5f36e63"),
            Some(Mark::Oops)
        );
        assert_eq!(
            judge("[   12.1] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!"),
            Some(Mark::Complaint)
        );
        assert_eq!(
            judge("[   10.1] RIP: 0010:sched_clock_cpu+0x9/0x190"),
            Some(Mark::At("sched_clock_cpu+0x9/0x190".to_owned()))
        );
        assert_eq!(judge("DEBUG=1 Oopsla"), None);
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
