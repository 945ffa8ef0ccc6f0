//! The only writers to standard output and standard error. No command uses `println!` or `eprintln!`: they panic where nobody reads.
//!
//! Holds lines beside a command's answer, which cannot fail it. Must not know exit codes: the answer itself is written in `output.rs`.
//! Units: lines. Errors: none but those of [`write`], which are the caller's to judge. Tests: below; `tests/trouble/deaf.rs`, `tests/trouble/look.rs` (root).

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::called::worded;
use crate::clock;

/// Whether only answers and warnings are wanted (`--quiet`).
static QUIET: AtomicBool = AtomicBool::new(false);

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It says how far a command is; `--quiet` leaves it out.
    Progress,
    /// The reader must know it.
    Warning,
}

impl Weight {
    fn is_wanted(self) -> bool {
        self == Self::Warning || !is_quiet()
    }
}

/// From now on only answers and warnings are written.
pub(super) fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether nobody wants to see how far a command is.
pub(super) fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Writes a line to standard error that says how far a command is; nothing with `--quiet`.
pub(super) fn progress(line: impl fmt::Display) {
    if Weight::Progress.is_wanted() {
        tell(line);
    }
}

/// Writes a line of a long command's log to standard error: with the time (UTC) before it where no terminal shows it, for whoever reads it later.
pub(super) fn log(weight: Weight, line: impl fmt::Display) {
    if !weight.is_wanted() {
        return;
    }
    if io::stderr().is_terminal() {
        tell(line);
    } else {
        tell(stamped(&clock::now_in_seconds(), &line.to_string()));
    }
}

/// Every line of a text with the time before it: each can be found, and each says when.
fn stamped(now: &str, text: &str) -> String {
    text.lines().map(|line| format!("{now} {line}")).collect::<Vec<_>>().join("\n")
}

/// Writes a line to standard output that says how far a command is. The command goes on where it cannot be written.
pub(super) fn say(line: &str) {
    let _ = write(&mut io::stdout().lock(), &format!("{}\n", worded(line)));
}

/// Writes a line to standard error, beside the answer: progress, or why a command failed. The command goes on where it cannot be written:
/// a full disk under the log of a run must not end the run.
pub(super) fn tell(line: impl fmt::Display) {
    let _ = write(&mut io::stderr().lock(), &format!("{}\n", worded(&line.to_string())));
}

/// In one piece, so that the lines of two threads do not mix.
pub(super) fn write(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_a_log_says_when() {
        assert_eq!(stamped("T", "one"), "T one");
        assert_eq!(stamped("T", "one\n  two"), "T one\nT   two");
    }
}
