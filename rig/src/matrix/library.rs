//! The scenarios that one matrix file names: shipped ones by name, the user's own by path.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::document::{Findings, Span};
use crate::script::{self, Scenario};

/// Scenarios by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Library {
    folder: PathBuf,
    scenarios: BTreeMap<String, Scenario>,
    /// Every word of the file that was looked up, with its scenario's name; `None`: reported already.
    words: BTreeMap<String, Option<String>>,
}

impl Library {
    /// Paths are seen from `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..Self::default() }
    }

    /// The name of the scenario that `word` stands for.
    pub(super) fn look_up(&mut self, findings: &mut Findings, word: &str, span: &Span) -> Option<String> {
        if let Some(known) = self.words.get(word) {
            return known.clone();
        }
        let name = if script::is_path(word) {
            self.read_file(findings, word, span)
        } else {
            self.take_shipped(findings, word, span)
        };
        self.words.insert(word.to_owned(), name.clone());
        name
    }

    fn take_shipped(&mut self, findings: &mut Findings, word: &str, span: &Span) -> Option<String> {
        if self.scenarios.contains_key(word) {
            return Some(word.to_owned());
        }
        let Some(scenario) = script::shipped(word) else {
            let help = findings.hint(word, script::shipped_names(), "there are");
            let own = |help| format!("{help}\ngive your own file by its path: \"./{word}.toml\"");
            findings
                .report(span.clone(), format!("there is no scenario `{word}`"), "not a scenario")
                .maybe_help(help.map(own));
            return None;
        };
        self.scenarios.insert(word.to_owned(), scenario);
        Some(word.to_owned())
    }

    fn read_file(&mut self, findings: &mut Findings, word: &str, span: &Span) -> Option<String> {
        // Without the `.` of "./mine.toml" in the middle of what diagnostics print.
        let path: PathBuf = self.folder.join(word).components().collect();
        let scenario = match Scenario::read(&path) {
            Ok(scenario) => scenario,
            Err(problems) => {
                findings
                    .report(span.clone(), format!("scenario `{word}` cannot be used"), "named here")
                    .help("its own problems are listed besides this one");
                findings.absorb(problems);
                return None;
            }
        };
        let name = scenario.name.clone();
        if script::shipped_names().any(|shipped| shipped == name) || self.scenarios.contains_key(&name) {
            findings
                .report(
                    span.clone(),
                    format!("there is another scenario called `{name}`"),
                    "a name that is taken",
                )
                .help("a scenario has the name of its file: rename the file");
            return None;
        }
        self.scenarios.insert(name.clone(), scenario);
        Some(name)
    }

    /// The scenario of that name, if the file named it somewhere.
    pub(super) fn get(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.get(name)
    }

    /// All that were named.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Scenario> + Clone {
        self.scenarios.values()
    }
}
