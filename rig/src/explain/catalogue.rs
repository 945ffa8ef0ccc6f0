//! The explanations that are part of the program.
//!
//! Holds the list of the shipped files and their shape. Must not know how an answer looks.
//! Units: none. Errors: none; a test parses every file.
//! Tests: here.

use std::sync::LazyLock;

use rig_protocol::Errno;
use serde::{Deserialize, Serialize};

use super::name::Named;

/// Name and text of every shipped file. An explicit list; a test holds it together with the folder.
const FILES: &[(&str, &str)] = &[
    ("EAGAIN", include_str!("../../explain/EAGAIN.toml")),
    ("EBADF", include_str!("../../explain/EBADF.toml")),
    ("ECONNREFUSED", include_str!("../../explain/ECONNREFUSED.toml")),
    ("ECONNRESET", include_str!("../../explain/ECONNRESET.toml")),
    ("EINPROGRESS", include_str!("../../explain/EINPROGRESS.toml")),
    ("EINTR", include_str!("../../explain/EINTR.toml")),
    ("EINVAL", include_str!("../../explain/EINVAL.toml")),
    ("ENOENT", include_str!("../../explain/ENOENT.toml")),
    ("ENOTCONN", include_str!("../../explain/ENOTCONN.toml")),
    ("EPIPE", include_str!("../../explain/EPIPE.toml")),
    ("ETIMEDOUT", include_str!("../../explain/ETIMEDOUT.toml")),
];

static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
    let parse = |(name, text): &(&str, &str)| {
        let errno = Named::by_name(name).expect("files are named after errnos").errno();
        (errno, toml::from_str(text).expect("a test parses every shipped file"))
    };
    Catalogue { explanations: FILES.iter().map(parse).collect() }
});

/// The explanations by errno.
#[derive(Debug)]
pub struct Catalogue {
    explanations: Vec<(Errno, Explanation)>,
}

impl Catalogue {
    /// The shipped ones.
    ///
    /// # Panics
    /// Never: a test parses every shipped file.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// What is known of this errno; none where no file explains it.
    pub fn get(&self, errno: Errno) -> Option<&Explanation> {
        self.iter().find(|(known, _)| *known == errno).map(|(_, explanation)| explanation)
    }

    /// All of them, in the alphabetical order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (Errno, &Explanation)> {
        self.explanations.iter().map(|(errno, explanation)| (*errno, explanation))
    }
}

/// What is known of one errno.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// What it says, in one sentence.
    pub meaning: String,
    /// What it has to do with select() and a TCP reset, in two or three sentences.
    pub in_short: String,
    /// How other programs and C libraries than glibc print it.
    #[serde(default)]
    pub also_printed: Vec<String>,
    /// Who can set it; what an on-call reader must rule out first comes first.
    #[serde(rename(deserialize = "source"))]
    pub sources: Vec<Source>,
    /// Commands that tell the sources apart on a live system.
    #[serde(rename(deserialize = "command"))]
    pub commands: Vec<LiveCommand>,
}

/// One way in which a program comes to see the errno, or the statement that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The calls: `select`, `epoll_wait`, `localtime`.
    pub call: Vec<String>,
    /// Who sets it.
    pub who: Who,
    /// Exactly when.
    pub when: String,
    /// Where that can be read: a section of a man page, a kernel file and function, an RFC, a commit.
    pub reference: String,
    /// How to tell it apart on a live system.
    pub tell: String,
}

/// Who sets an errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The kernel returned it from the system call.
    Kernel,
    /// The C library left it in `errno`.
    Libc,
    /// The program, a library of its own, or whoever set up its sandbox.
    Application,
}

impl Who {
    /// As the files spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Libc => "libc",
            Self::Application => "application",
        }
    }
}

/// A command for a shell on the live system. Where it names a process, that is `$PID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveCommand {
    /// The line to paste.
    pub run: String,
    /// What to look for in its output.
    pub look_for: String,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// What a command may begin with: it reads, and changes nothing.
    const PROGRAMS: [&str; 9] = ["bpftrace", "grep", "ls", "lsof", "nft", "nstat", "ss", "strace", "tcpdump"];

    #[test]
    fn the_list_is_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("explain");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.expect("a readable folder").file_name().to_string_lossy().into_owned()
        };
        let mut files: Vec<String> =
            std::fs::read_dir(folder).expect("it lies beside the manifest").map(name).collect();
        files.sort();
        let listed: Vec<String> = FILES.iter().map(|(name, _)| format!("{name}.toml")).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn every_file_parses_and_is_whole() {
        for (name, text) in FILES {
            let parsed: Explanation = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let one_sentence = parsed.meaning.ends_with('.') && !parsed.meaning.contains(". ");
            assert!(one_sentence, "{name}: the meaning is one sentence");
            let sentences = parsed.in_short.matches(". ").count() + 1;
            assert!((1..=4).contains(&sentences), "{name}: in short, {sentences} sentences");
            assert!(!parsed.sources.is_empty() && !parsed.commands.is_empty(), "{name}");
            for source in &parsed.sources {
                assert!(!source.call.is_empty(), "{name}: {source:?}");
                for text in [&source.when, &source.reference, &source.tell] {
                    assert!(text.len() > 5, "{name}: {source:?}");
                }
                assert!(source.when.ends_with('.') && source.tell.ends_with('.'), "{name}: {source:?}");
            }
            for call in ["select", "read", "write"] {
                let known = parsed.sources.iter().any(|source| source.call.iter().any(|one| one == call));
                assert!(known, "{name}: nothing is said of {call}()");
            }
        }
    }

    /// A man page with its section, a file of a source tree, an RFC, a standard or a commit.
    #[test]
    fn every_reference_names_something_that_can_be_looked_up() {
        let page = |part: &str| part.contains('(') && part.contains(')');
        let file = |part: &str| part.contains(".c ") || part.ends_with(".c") || part.contains(".rst");
        let other = |part: &str| ["RFC ", "POSIX", "commit "].iter().any(|word| part.contains(word));
        for (errno, explanation) in Catalogue::shipped().iter() {
            for source in &explanation.sources {
                let parts: Vec<&str> = source.reference.split("; ").collect();
                let known = parts.iter().all(|part| page(part) || file(part) || other(part));
                assert!(known, "{errno}: {}", source.reference);
            }
        }
    }

    #[test]
    fn every_command_only_looks() {
        let mut met = BTreeSet::new();
        for (errno, explanation) in Catalogue::shipped().iter() {
            for command in &explanation.commands {
                let program = command.run.split(' ').next().expect("split gives at least one");
                assert!(PROGRAMS.contains(&program), "{errno}: {}", command.run);
                let writes = [" > ", ">>", ";", "\n", "`"].iter().any(|sign| command.run.contains(sign));
                assert!(!writes, "{errno}: {}", command.run);
                assert!(command.look_for.ends_with('.'), "{errno}: {}", command.look_for);
                met.insert(program.to_owned());
                if program == "nft" {
                    assert!(command.run.contains("list ruleset"), "{errno}: {}", command.run);
                }
            }
        }
        assert_eq!(met.len(), PROGRAMS.len(), "the list has only what is used: {met:?}");
    }

    #[test]
    fn a_word_of_who_is_what_a_file_says() {
        for who in [Who::Kernel, Who::Libc, Who::Application] {
            assert_eq!(serde_json::to_value(who).expect("plain data"), who.word());
        }
    }
}
