//! The scenarios that are part of the program.
//!
//! Holds the list of the shipped files, and finding a scenario by name or path; must not know what is in them.
//! Units: none. Errors: an unknown name, or a file's problems; they blame whoever named it.
//! Tests: below.

use std::path::Path;

use super::template::Scenario;
use crate::document::{Problems, hint};

/// Name and text of every shipped file. An explicit list; a test holds it together with the folder.
const FILES: &[(&str, &str)] = &[
    ("answer-in-two", include_str!("../../scenarios/answer-in-two.toml")),
    ("blocked-writer", include_str!("../../scenarios/blocked-writer.toml")),
    ("control-closed-descriptor", include_str!("../../scenarios/control-closed-descriptor.toml")),
    ("control-inject-ebadf", include_str!("../../scenarios/control-inject-ebadf.toml")),
    ("control-inject-enoent", include_str!("../../scenarios/control-inject-enoent.toml")),
    ("control-negative", include_str!("../../scenarios/control-negative.toml")),
    ("data", include_str!("../../scenarios/data.toml")),
    ("double-close", include_str!("../../scenarios/double-close.toml")),
    ("fin", include_str!("../../scenarios/fin.toml")),
    ("forged-after-fin", include_str!("../../scenarios/forged-after-fin.toml")),
    ("forged-rst", include_str!("../../scenarios/forged-rst.toml")),
    ("full-queue", include_str!("../../scenarios/full-queue.toml")),
    ("high-descriptor", include_str!("../../scenarios/high-descriptor.toml")),
    ("lingering-close", include_str!("../../scenarios/lingering-close.toml")),
    ("nonblocking-connect", include_str!("../../scenarios/nonblocking-connect.toml")),
    ("path-resets", include_str!("../../scenarios/path-resets.toml")),
    ("refused", include_str!("../../scenarios/refused.toml")),
    ("rst", include_str!("../../scenarios/rst.toml")),
    ("rst-alone", include_str!("../../scenarios/rst-alone.toml")),
    ("rst-corked", include_str!("../../scenarios/rst-corked.toml")),
    ("rst-fd-check", include_str!("../../scenarios/rst-fd-check.toml")),
    ("rst-patient", include_str!("../../scenarios/rst-patient.toml")),
    ("server-side", include_str!("../../scenarios/server-side.toml")),
    ("shutdown-while-connecting", include_str!("../../scenarios/shutdown-while-connecting.toml")),
    ("silent", include_str!("../../scenarios/silent.toml")),
    ("state-lost", include_str!("../../scenarios/state-lost.toml")),
    ("truncated-answer", include_str!("../../scenarios/truncated-answer.toml")),
    ("user-timeout", include_str!("../../scenarios/user-timeout.toml")),
    ("vanished-syn", include_str!("../../scenarios/vanished-syn.toml")),
    ("watcher", include_str!("../../scenarios/watcher.toml")),
];

/// Scenarios by name, in alphabetical order.
#[derive(Debug, Clone)]
pub struct Catalogue {
    scenarios: Vec<Scenario>,
}

impl Catalogue {
    /// The shipped ones.
    ///
    /// # Panics
    /// Never: a test parses every shipped file.
    pub fn embedded() -> Self {
        Self { scenarios: shipped_names().filter_map(shipped).collect() }
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Scenario> {
        self.scenarios.iter()
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.scenarios.iter().map(|scenario| scenario.name.as_str())
    }

    /// The one called `name`.
    pub fn get(&self, name: &str) -> Option<&Scenario> {
        self.scenarios.iter().find(|scenario| scenario.name == name)
    }

    /// The one called `word`, or the file at `word` where it is a path (it has a `/` or ends in `.toml`), seen from `folder`.
    ///
    /// # Errors
    /// There is none of that name; or the file's problems.
    pub fn find(&self, word: &str, folder: &Path) -> Result<Scenario, Problems> {
        if is_path(word) {
            return Scenario::read(&folder.join(word));
        }
        self.get(word).cloned().ok_or_else(|| {
            let message = format!("there is no scenario `{word}`");
            let mut problem = crate::document::Problem::in_text(
                "command line",
                word,
                0..word.len(),
                message,
                "not a scenario",
            );
            let file = format!("{word}.toml");
            problem.help(if folder.join(&file).is_file() {
                format!("`{file}` is here: write it with its ending")
            } else {
                hint(word, self.names(), "there are")
            });
            problem.into()
        })
    }
}

/// Names of the shipped scenarios, in alphabetical order.
pub fn shipped_names() -> impl Iterator<Item = &'static str> + Clone {
    FILES.iter().map(|(name, _)| *name)
}

/// The shipped scenario called `name`: for a matrix that needs a few of them.
///
/// # Panics
/// Never: a test parses every shipped file.
pub fn shipped(name: &str) -> Option<Scenario> {
    let (name, text) = FILES.iter().find(|(known, _)| *known == name)?;
    Some(Scenario::parse(name, &format!("{name}.toml"), text).expect("shipped scenarios are valid"))
}

/// The file of the shipped scenario called `name`, as it is.
pub fn shipped_text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Whether a scenario is named by its file.
pub fn is_path(word: &str) -> bool {
    word.contains('/') || word.ends_with(".toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("the scenarios lie beside the manifest")
            .map(|entry| entry.expect("a readable folder").file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        let mut listed: Vec<String> = FILES.iter().map(|(name, _)| format!("{name}.toml")).collect();
        listed.sort();
        assert_eq!(files, listed);
        assert!(FILES.is_sorted_by_key(|(name, _)| *name), "the list is alphabetical");
    }

    #[test]
    fn every_shipped_scenario_is_valid_and_teaches() {
        for (name, text) in FILES {
            let scenario =
                Scenario::parse(name, name, text).unwrap_or_else(|problems| panic!("{name}: {problems}"));
            assert!(scenario.about.len() > 100, "{name} explains itself");
            assert_eq!(scenario.is_control(), name.starts_with("control-"), "{name}");
            for parameter in &scenario.parameters {
                assert!(!parameter.about.is_empty(), "{name}: {} is explained", parameter.name);
            }
        }
    }
}
