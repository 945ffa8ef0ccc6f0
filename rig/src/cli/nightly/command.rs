//! The command of `--notify`: its words, and running it.
//!
//! No shell reads it, so no name of a file is ever read as a command. Must not know what is told. Units: seconds. Errors: a command that fails is a value.
//! Tests: below.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What becomes the path of the notice.
const PLACE: &str = "{}";

/// A command that takes longer does not end: a night does not wait for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The words of a command, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    words: Vec<String>,
    text: String,
}

/// What became of the command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    /// In words.
    Failed(String),
}

/// Splits a command at blanks, outside of quotes of either kind; where no word has `{}`, it is the last one.
pub(super) fn parse(text: &str) -> Result<Words, String> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut open: Option<char> = None;
    for letter in text.chars() {
        match (open, letter) {
            (Some(quote), _) if quote == letter => open = None,
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                open = Some(letter);
                word.get_or_insert_default();
            }
            (None, blank) if blank.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    if let Some(quote) = open {
        return Err(format!("the quote {quote} is not closed"));
    }
    words.extend(word);
    if words.first().is_none_or(String::is_empty) {
        return Err("there is no command in it: write `mail -s night me@example.org -A {}`".to_owned());
    }
    if !words.iter().any(|word| word.contains(PLACE)) {
        words.push(PLACE.to_owned());
    }
    Ok(Words { words, text: text.to_owned() })
}

impl Words {
    /// As it was typed.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Runs it with this path, and waits for its end.
    pub(super) fn run(&self, notice: &Path, exit: u8) -> Told {
        self.run_within(notice, exit, PATIENCE)
    }

    fn run_within(&self, notice: &Path, exit: u8, patience: Duration) -> Told {
        let path = notice.to_string_lossy();
        let words: Vec<String> = self.words.iter().map(|word| word.replace(PLACE, &path)).collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).env("RIG_NIGHTLY_EXIT", exit.to_string());
        let failed = |why: &dyn std::fmt::Display| Told::Failed(format!("{}: {why}", words[0]));
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return failed(&error),
        };
        let deadline = Instant::now() + patience;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Told::Done,
                Ok(Some(status)) => return failed(&status),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(20)),
                Ok(None) => {
                    // It may have ended just now.
                    let _ = child.kill();
                    let _ = child.wait();
                    return failed(&format_args!(
                        "it did not end within {} s and was killed",
                        patience.as_secs()
                    ));
                }
                Err(error) => return failed(&error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Vec<String>, String> {
        parse(text).map(|words| words.words)
    }

    #[test]
    fn a_command_is_split_at_blanks_outside_of_quotes() {
        let of = |words: &[&str]| Ok(words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(words("mail -s 'a night' me {}"), of(&["mail", "-s", "a night", "me", "{}"]));
        assert_eq!(words("  tell  "), of(&["tell", "{}"]));
        assert_eq!(words("tell --file={} \"it's\" ''"), of(&["tell", "--file={}", "it's", ""]));
        assert_eq!(words("tell $(reboot) `x` $HOME"), of(&["tell", "$(reboot)", "`x`", "$HOME", "{}"]));
        for wrong in ["", "   ", "''", "'' x"] {
            assert!(words(wrong).expect_err(wrong).contains("there is no command"), "{wrong:?}");
        }
        assert!(words("tell 'x").expect_err("open").contains("not closed"));
    }

    #[test]
    fn a_command_gets_the_path_as_one_word_and_its_failure_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let notice = folder.path().join("a b; $(reboot) 'x'.md");
        let run = |text: &str| parse(text).expect("words").run(&notice, 5);
        std::fs::write(&notice, "").expect("written");
        assert_eq!(run("test -f {}"), Told::Done);
        assert_eq!(run("sh -c 'test \"$RIG_NIGHTLY_EXIT\" = 5 && test -f \"$0\"'"), Told::Done);
        let Told::Failed(why) = run("false") else { panic!("it failed") };
        assert_eq!(why, "false: exit status: 1");
        let Told::Failed(why) = run("/nowhere/tell") else { panic!("it failed") };
        assert!(why.starts_with("/nowhere/tell: "), "{why}");
        let hanging = parse("sleep 600").expect("words").run_within(Path::new("600"), 5, Duration::ZERO);
        let Told::Failed(why) = hanging else { panic!("it hangs") };
        assert!(why.contains("did not end within 0 s"), "{why}");
    }
}
