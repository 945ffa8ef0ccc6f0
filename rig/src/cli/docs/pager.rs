//! A long text on a terminal, through the reader's pager, as git does it.
//!
//! This process becomes the pager: a Ctrl-C is the pager's alone, and its exit code is the command's. Must not know the text. Units: lines.
//! Errors: none: where no pager can be started, the caller prints. Tests: below; `tests/cli_input.rs` (on a terminal of script(1)).

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use console::Term;

use crate::process::find_program;

/// What the reader named; `cat` and nothing mean none.
const VARIABLE: &str = "PAGER";

/// Shows it and does not come back; comes back where the text fits into the terminal, or there is no pager.
pub(super) fn show(text: &str) {
    let (rows, _) = Term::stdout().size();
    let named = std::env::var(VARIABLE).ok();
    let Some(pager) = pager(named.as_deref()) else { return };
    if fits(text, usize::from(rows)) {
        return;
    }
    let Ok(file) = as_file(text) else { return };
    // A shell, as PAGER may have options. less gets git's: colours stay, a short text ends it, the screen is left as it is.
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {pager}")]).stdin(file);
    if std::env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    // Only a failure comes back, and then the text is printed.
    let _ = command.exec();
}

/// Without a name: a pager reads it as its standard input.
fn as_file(text: &str) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

fn pager(named: Option<&str>) -> Option<&str> {
    let pager = named.unwrap_or("less").trim();
    let program = pager.split_whitespace().next()?;
    (program != "cat" && find_program(program).is_some()).then_some(pager)
}

/// One line is the prompt's.
fn fits(text: &str, rows: usize) -> bool {
    text.lines().count() < rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_fits_where_the_prompt_has_a_line_too() {
        assert!(fits("1\n2\n", 3) && !fits("1\n2\n3\n", 3));
    }

    #[test]
    fn only_a_pager_that_is_there_and_pages_is_used() {
        assert_eq!(pager(Some("sh -c cat")), Some("sh -c cat"));
        for none in ["", " ", "cat", "cat -v", "no-such-pager -R"] {
            assert_eq!(pager(Some(none)), None, "{none:?}");
        }
    }

    #[test]
    fn a_pager_reads_the_text_from_its_beginning() {
        let text = io::read_to_string(as_file("one\ntwo\n").expect("a file")).expect("readable");
        assert_eq!(text, "one\ntwo\n");
    }
}
