//! The scenarios that are part of the program.
//!
//! Holds the list of the shipped files, and finding a scenario by name or path; must not know what is in them.
//! Units: none. Errors: an unknown name, or a file's problems; they blame whoever named it.
//! Tests: below.

use std::borrow::Cow;
use std::path::Path;

use super::atlas;
use super::template::Scenario;
use crate::document::{Problems, hint};

/// Name and text of every shipped file, in alphabetical order.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

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
        self.get(word).cloned().or_else(|| shipped(word)).ok_or_else(|| {
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

/// The shipped scenario called `name`, or the pair of the atlas: for a matrix that needs a few of them.
///
/// # Panics
/// Never: a test parses every shipped file.
pub fn shipped(name: &str) -> Option<Scenario> {
    let text = shipped_text(name)?;
    let parsed = Scenario::parse(name, &format!("{name}.toml"), &text);
    Some(parsed.unwrap_or_else(|wrong| panic!("{name} is shipped: {wrong}\n{text}")))
}

/// The file of the shipped scenario called `name`, as it is; of a pair of the atlas, the file that it would be.
pub fn shipped_text(name: &str) -> Option<Cow<'static, str>> {
    let file = FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| Cow::Borrowed(*text));
    file.or_else(|| atlas::text_of(name).map(Cow::Owned))
}

/// Whether a scenario is named by its file.
pub fn is_path(word: &str) -> bool {
    word.contains('/') || word.ends_with(".toml")
}

#[cfg(test)]
mod tests {
    use super::*;

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
