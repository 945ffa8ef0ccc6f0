//! Notices: a command of the reader's, once for each alert, with the page of what it is about.
//!
//! The command is split into words here and started without a shell: no name of a cell is ever read as a command. Must not render: pages are given. Units: none.
//! Errors: those of the database; a command that fails is told, and its alert is noticed again the next time. Tests: `tests/golden/history.rs`.

use std::path::Path;
use std::process::{Command, Stdio};

use super::model::{History, HistoryAlert};
use super::{Database, HistoryError};

/// What stands for the path of the page in a command.
const PAGE: &str = "{}";

/// What became of a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The alert's key.
    pub alert: String,
    /// Why it was not given, if it was not.
    pub failed: Option<String>,
}

/// Runs the command once for each alert that is not known and was not noticed before; `{}` in a word of it becomes the path of the page that `page` makes, which is added as a last
/// word where none has it. Words are parted by blanks; `'` and `"` hold some together.
///
/// # Errors
/// Those of the database.
pub fn notify(
    database: &Database,
    history: &History,
    command: &str,
    now: &str,
    mut page: impl FnMut(&HistoryAlert) -> Result<std::path::PathBuf, String>,
) -> Result<Vec<Notice>, HistoryError> {
    let mut notices = Vec::new();
    for alert in history.alerts.iter().filter(|alert| alert.known.is_none()) {
        if !database.claim(&alert.key, now)? {
            continue;
        }
        let failed = page(alert).and_then(|page| run(command, &page)).err();
        if failed.is_some() {
            database.unclaim(&alert.key)?;
        }
        notices.push(Notice { alert: alert.key.clone(), failed });
    }
    Ok(notices)
}

fn run(command: &str, page: &Path) -> Result<(), String> {
    let mut words = words(command)?;
    let page = page.display().to_string();
    if !words.iter().any(|word| word.contains(PAGE)) {
        words.push(PAGE.to_owned());
    }
    let mut words = words.into_iter().map(|word| word.replace(PAGE, &page));
    let program = words.next().filter(|word| !word.is_empty()).ok_or("the command is empty")?;
    let status = Command::new(&program).args(words).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} failed ({status})")),
        Err(error) => Err(format!("{program} does not start: {error}")),
    }
}

/// The words of a command line.
fn words(command: &str) -> Result<Vec<String>, String> {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut quote): (Option<String>, Option<char>) = (None, None);
    for c in command.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quotation mark of the command is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_as_a_shell_would_and_nothing_else_is_read_in_it() {
        let of = |text| words(text).expect("closed");
        assert_eq!(of("mail -s 'a  night' you@x {}"), ["mail", "-s", "a  night", "you@x", "{}"]);
        assert_eq!(of("  a\"b c\"d ''  "), ["ab cd", ""]);
        assert_eq!(of("echo $(reboot); `x` > y"), ["echo", "$(reboot);", "`x`", ">", "y"]);
        assert!(words("a 'b").is_err());
    }
}
