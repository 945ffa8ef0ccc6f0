//! Which cells a part of a claim is about.
//!
//! Holds a selection and its globs. Must not know a run. Units: none. Errors: none. Tests: below.

use std::collections::BTreeMap;
use std::fmt;

use crate::matrix::{Cell, glob_matches};

/// Words that a value may be: globs, and with a `!` in front globs that it may not be. None is any value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words(pub Vec<String>);

impl Words {
    /// Whether a value is one of them: one of those without `!` (any, where there is none), and none of those with it.
    pub fn hold(&self, value: &str) -> bool {
        let (not, any): (Vec<&String>, Vec<&String>) = self.0.iter().partition(|word| word.starts_with('!'));
        let is = |glob: &str| glob_matches(glob, value);
        (any.is_empty() || any.iter().any(|glob| is(glob))) && !not.iter().any(|glob| is(&glob[1..]))
    }

    /// Whether it names values one by one.
    pub fn is_plain(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|word| !word.contains(['*', '?', '!']))
    }

    /// A value that it holds, where one can be made of its first glob.
    pub fn example(&self) -> Option<String> {
        let first = self.0.iter().find(|word| !word.starts_with('!'))?;
        Some(first.replace(['*', '?'], "x"))
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self
            .0
            .iter()
            .map(|word| match word.strip_prefix('!') {
                Some(not) => format!("all but {not}"),
                None => word.clone(),
            })
            .collect();
        f.write_str(&words.join(" or "))
    }
}

/// A selection of cells. A key that is not written is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cells {
    /// Names of scenarios. A name takes that scenario's cells; a glob takes those whose scenario names the claim.
    pub scenario: Words,
    /// Values of parameters, as scenarios spell them.
    pub parameters: BTreeMap<String, Words>,
    /// Names of paths.
    pub path: Words,
    /// Names of configurations.
    pub configuration: Words,
    /// Values of the kernel axis.
    pub kernel: Words,
}

impl Cells {
    /// Whether it takes this cell for the claim `id`.
    pub fn take(&self, id: &str, cell: &Cell) -> bool {
        let named = || cell.claims.iter().any(|claim| claim == id);
        (self.scenario.is_plain() || named()) && self.hold(cell)
    }

    /// Whether a cell is as it says, whatever its scenario names.
    pub fn hold(&self, cell: &Cell) -> bool {
        let subject = &cell.subject;
        let has = |(name, words): (&String, &Words)| {
            subject.parameters.get(name).is_some_and(|value| words.hold(value))
        };
        self.scenario.hold(&subject.scenario)
            && self.path.hold(&subject.path.name)
            && self.configuration.hold(subject.configuration_name())
            && self.kernel.hold(&subject.kernel)
            && self.parameters.iter().all(has)
    }

    /// Whether the kernel or the hardware below it is chosen.
    pub fn chooses_place(&self) -> bool {
        !self.configuration.0.is_empty() || !self.kernel.0.is_empty()
    }
}

impl fmt::Display for Cells {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = self.scenario.0 == ["*"];
        let scenario = if any { "scenarios that name it".to_owned() } else { self.scenario.to_string() };
        f.write_str(&scenario)?;
        for (name, words) in &self.parameters {
            write!(f, ", {name} {words}")?;
        }
        for (what, words) in
            [("path", &self.path), ("configuration", &self.configuration), ("kernel", &self.kernel)]
        {
            if !words.0.is_empty() {
                write!(f, ", {what} {words}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_globs_and_what_a_mark_refuses() {
        let words = |all: &[&str]| Words(all.iter().map(|word| (*word).to_owned()).collect());
        assert!(words(&[]).hold("anything"));
        assert!(words(&["rtt-*", "direct"]).hold("rtt-1ms") && !words(&["rtt-*"]).hold("direct"));
        assert!(words(&["!host"]).hold("6.1") && !words(&["!host"]).hold("host"));
        assert!(
            words(&["rtt-*", "!rtt-1ms"]).hold("rtt-9ms") && !words(&["rtt-*", "!rtt-1ms"]).hold("rtt-1ms")
        );
        assert!(words(&["rst"]).is_plain());
        assert!([&["rst*"][..], &["!rst"], &[]].iter().all(|all| !words(all).is_plain()));
        assert_eq!(words(&["a", "!b"]).to_string(), "a or all but b");
    }
}
