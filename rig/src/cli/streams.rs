//! The only writers to standard output and standard error. No command uses `println!` or `eprintln!`: they panic where nobody reads.
//!
//! Holds lines beside a command's answer, which cannot fail it. Must not know exit codes: the answer itself is written in `output.rs`.
//! Units: lines. Errors: none but those of [`write`], which are the caller's to judge. Tests: `tests/trouble/deaf.rs` (root).

use std::fmt;
use std::io::{self, Write};

use super::called::worded;

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
