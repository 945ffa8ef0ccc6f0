//! The line that is being typed, as far as a value depends on what stands before it.
//!
//! Must not know values. Units: words. Errors: none: what is not there yet is not found. Tests: below.

/// Words after the `--` that a shell puts before them, the program's name first.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    words: Vec<String>,
}

impl Line {
    /// What this process was asked about.
    pub(super) fn of_process() -> Self {
        let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        Self { words: words.skip_while(|word| word != "--").skip(1).collect() }
    }

    /// The value of an option: `--matrix FILE` or `--matrix=FILE`.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let joined = format!("{name}=");
        self.words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix(&joined) {
            Some(value) => Some(value),
            None if word == name => self.words.get(at + 1).map(String::as_str),
            None => None,
        })
    }

    /// The words between the one that is `command` and the last one, which is being typed.
    pub(super) fn after(&self, command: &str) -> &[String] {
        let begin = self.words.iter().position(|word| word == command).map_or(self.words.len(), |at| at + 1);
        let end = self.words.len().saturating_sub(1);
        self.words.get(begin..end).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { words: text.split(' ').map(str::to_owned).collect() }
    }

    #[test]
    fn options_and_words_are_found_where_they_are_typed() {
        let run = line("rig scenario run rst --matrix=a.toml --path x cli");
        assert_eq!((run.option("--matrix"), run.option("--path")), (Some("a.toml"), Some("x")));
        assert_eq!(run.option("--seed"), None);
        assert_eq!(run.after("run"), ["rst", "--matrix=a.toml", "--path", "x"]);
        assert!(run.after("show").is_empty() && line("rig man").after("man").is_empty());
    }
}
