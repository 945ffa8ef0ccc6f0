//! What a script says of the programs that it needs: its first line, and the words of a shell script.
//!
//! Pure. The first line is read as the kernel reads it (fs/binfmt_script.c), and behind it env(1). Must not know the file system. Units: bytes.
//! Errors: none; a file without such a line is no script. Tests: below.

/// The kernel reads no more of a file (BINPRM_BUF_SIZE, include/uapi/linux/binfmts.h).
const MOST_LINE_BYTES: usize = 256;

/// Shells whose scripts name programs as plain words.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];

/// The first line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FirstLine {
    /// The interpreter's path.
    pub(super) interpreter: String,
    /// The rest of the line: one argument, whatever it has between its words.
    pub(super) argument: Option<String>,
}

/// The first line, where it is one of a script.
pub(super) fn first_line(bytes: &[u8]) -> Option<FirstLine> {
    let line = bytes.get(..bytes.len().min(MOST_LINE_BYTES))?.strip_prefix(b"#!")?;
    let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
    let line = String::from_utf8_lossy(&line[..end]);
    let line = line.trim_matches([' ', '\t']);
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = argument.trim_matches([' ', '\t']);
    (!interpreter.is_empty()).then(|| FirstLine {
        interpreter: interpreter.to_owned(),
        argument: (!argument.is_empty()).then(|| argument.to_owned()),
    })
}

impl FirstLine {
    /// What env(1) looks for on PATH, where it is the interpreter: `#!/usr/bin/env -S python3 -u`.
    pub(super) fn sought_by_env(&self) -> Option<&str> {
        if self.interpreter.rsplit('/').next() != Some("env") {
            return None;
        }
        let argument = self.argument.as_deref()?;
        let Some(split) = argument.strip_prefix("-S").or_else(|| argument.strip_prefix("--split-string="))
        else {
            return Some(argument);
        };
        split.split_whitespace().find(|word| !word.starts_with('-') && !word.contains('='))
    }
}

/// Whether a program of this name reads shell scripts.
pub(super) fn is_shell(name: &str) -> bool {
    SHELLS.contains(&name)
}

/// The words of a shell script that may be names of programs, each once. Which of them are is for the file system to say.
pub(super) fn words(text: &str) -> Vec<&str> {
    let part_of_name = |letter: char| letter.is_alphanumeric() || "_./+-[".contains(letter);
    let mut words: Vec<&str> = text
        .lines()
        .map(without_comment)
        .flat_map(|line| line.split(move |letter: char| !part_of_name(letter)))
        .filter(|word| !word.is_empty() && !word.starts_with('-') && *word != "." && *word != "..")
        .collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// A `#` begins a comment at the beginning of a word only.
fn without_comment(line: &str) -> &str {
    let begins = |at: usize| line[..at].chars().next_back().is_none_or(|before| " \t;&|(".contains(before));
    match line.match_indices('#').map(|(at, _)| at).find(|at| begins(*at)) {
        Some(at) => &line[..at],
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<(String, Option<String>)> {
        first_line(line.as_bytes()).map(|line| (line.interpreter, line.argument))
    }

    #[test]
    fn the_first_line_is_read_as_the_kernel_reads_it() {
        let some = |interpreter: &str, argument: Option<&str>| {
            Some((interpreter.to_owned(), argument.map(str::to_owned)))
        };
        assert_eq!(read("#!/bin/sh\necho"), some("/bin/sh", None));
        assert_eq!(read("#! \t/bin/sh -e  -u \n"), some("/bin/sh", Some("-e  -u")));
        assert_eq!(read("#!/usr/bin/env python3"), some("/usr/bin/env", Some("python3")));
        assert_eq!(read("#!\n/bin/sh"), None);
        assert_eq!(read("# !/bin/sh"), None);
        assert_eq!(read(""), None);
        let long = format!("#!/{}", "x".repeat(1000));
        assert_eq!(read(&long).unwrap().0.len(), MOST_LINE_BYTES - 2);
    }

    #[test]
    fn env_names_what_it_looks_for() {
        let sought = |line: &str| first_line(line.as_bytes()).unwrap().sought_by_env().map(str::to_owned);
        assert_eq!(sought("#!/usr/bin/env python3").as_deref(), Some("python3"));
        assert_eq!(sought("#!/usr/bin/env -S A=1 -i python3 -u").as_deref(), Some("python3"));
        assert_eq!(sought("#!/usr/bin/env -Spython3 -u").as_deref(), Some("python3"));
        assert_eq!(sought("#!/usr/bin/env"), None);
        assert_eq!(sought("#!/usr/bin/python3 env"), None);
    }

    #[test]
    fn words_of_a_shell_script_are_found_and_its_comments_are_not() {
        let text = "#!/bin/sh -e\n# curl is not used\nsleep 1; x=$(nc -w1 127.0.0.1 8083 </dev/null|head -c 4) # wc\n/opt/a/b+c $#\n";
        let words = words(text);
        for word in ["sleep", "nc", "head", "/opt/a/b+c"] {
            assert!(words.contains(&word), "{word} in {words:?}");
        }
        for word in ["curl", "wc", "-w1", "-c"] {
            assert!(!words.contains(&word), "{word} in {words:?}");
        }
    }
}
