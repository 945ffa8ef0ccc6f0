//! The atlas: every situation of a connection under every probe, one scenario for each pair.
//!
//! Holds the files of `rig/atlas/`: a situation is two lanes up to a moment, with a step `{ op = "probe" }` where that moment is; a probe is
//! one first look at the connection, and what follows it. A pair is the text of the situation with the steps of the probe in that place, so it
//! is a scenario file like any other. Must not know what an operation means.
//! Units: none. Errors: none; a name that is no pair is no scenario. Tests: below (every pair is a valid scenario).

use crate::document::{Document, Table};

/// Name and text of each situation.
const SITUATIONS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/situations.rs"));
/// Name and text of each probe.
const PROBES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/probes.rs"));

/// Stands in a situation's steps for those of the probe.
const PLACE: &str = "{ op = \"probe\" },";
/// Where the lanes of a situation, and the steps of a probe, begin: what stands before is about it.
const LANES: &str = "\n[lane.";
const STEPS: &str = "\nsteps = [\n";
/// What a pair expects whose right value no file has.
const UNKNOWN: &str = "**";

/// A name of a pair: `SITUATION:PROBE`.
const SEPARATOR: char = ':';

/// Whether a word can only name pairs of the atlas.
pub fn is_pair(word: &str) -> bool {
    word.contains(SEPARATOR)
}

/// Situation and probe of a pair's name.
pub fn pair_of(name: &str) -> Option<(&str, &str)> {
    name.split_once(SEPARATOR)
}

/// The names of all situations, in alphabetical order.
pub fn situations() -> impl Iterator<Item = &'static str> + Clone {
    SITUATIONS.iter().map(|(name, _)| *name)
}

/// The names of all probes, in alphabetical order.
pub fn probes() -> impl Iterator<Item = &'static str> + Clone {
    PROBES.iter().map(|(name, _)| *name)
}

/// The names of all pairs, in alphabetical order of situation and probe.
pub fn pairs() -> impl Iterator<Item = String> {
    situations().flat_map(|situation| probes().map(move |probe| format!("{situation}{SEPARATOR}{probe}")))
}

/// The scenario file of a pair.
pub(super) fn text_of(name: &str) -> Option<String> {
    let (situation, probe) = pair_of(name)?;
    let find = |files: &'static [(&str, &str)], name: &str| {
        files.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    };
    Some(joined(find(SITUATIONS, situation)?, (probe, find(PROBES, probe)?)))
}

/// One text of a situation's and a probe's.
///
/// # Panics
/// Never: a test makes every pair of the shipped files.
fn joined(situation: &str, (probe_name, probe): (&str, &str)) -> String {
    let (head, lanes) = situation.split_at(situation.find(LANES).expect("a situation has lanes"));
    let (probe_head, steps) = probe.split_once(STEPS).expect("a probe has steps");
    let steps = steps.trim_end().strip_suffix(']').expect("its steps end the file").trim_end();
    let (of_situation, of_probe) = (Head::read(head), Head::read(probe_head));
    let expect = of_situation.value(probe_name).unwrap_or_else(|| UNKNOWN.to_owned());
    let expect: Vec<String> = expect.split(" | ").map(|outcome| format!("{outcome:?}")).collect();
    let proof =
        of_situation.text("proof").map(|counter| format!("proof = [{counter:?}]\n")).unwrap_or_default();
    format!(
        "title = {:?}\nabout = {:?}\nexpect = [{}]\n{proof}{}",
        format!("{}: {}", of_situation.said("title"), of_probe.said("title")),
        format!("{}\n\n{}", of_situation.said("about"), of_probe.said("about")),
        expect.join(", "),
        lanes.replace(PLACE, steps.trim_start()),
    )
}

/// What a file says before its lanes or steps.
struct Head(Table);

impl Head {
    fn read(text: &str) -> Self {
        let (document, _) = Document::parse("atlas", text).expect("shipped files are TOML");
        Self(document.root)
    }

    fn text(&self, key: &str) -> Option<String> {
        super::value::spelled(self.0.get(key)?).map(str::to_owned)
    }

    fn said(&self, key: &str) -> String {
        self.text(key).unwrap_or_default().trim().to_owned()
    }

    /// The right value under a probe.
    fn value(&self, probe: &str) -> Option<String> {
        match &self.0.get("values")?.value {
            crate::document::Value::Table(values) => {
                super::value::spelled(values.get(probe)?).map(str::to_owned)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::shipped;

    #[test]
    fn every_pair_is_a_scenario_with_a_right_value() {
        let mut unknown = vec![];
        for name in pairs() {
            let scenario = shipped(&name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(scenario.name, name);
            let script = scenario.resolve(&Default::default()).expect("no parameters").script;
            if script.expect == [UNKNOWN] {
                unknown.push(name);
            }
        }
        assert_eq!(unknown, [""; 0], "the situation's [values] has no line for the probe");
        assert!(situations().count() > 8 && probes().count() > 10);
    }

    #[test]
    fn a_value_for_no_probe_is_a_slip() {
        for (situation, text) in SITUATIONS {
            let head = Head::read(&text[..text.find(LANES).expect("lanes")]);
            let Some(crate::document::Value::Table(values)) = head.0.get("values").map(|node| &node.value)
            else {
                panic!("{situation} has no [values]");
            };
            for (key, _) in &values.entries {
                assert!(probes().any(|probe| probe == key.name), "{situation}: {}", key.name);
            }
        }
    }

    #[test]
    fn a_word_that_is_no_pair_is_no_scenario() {
        assert!(text_of("after-rst").is_none() && text_of("after-rst:nothing").is_none());
        assert!(is_pair("after-rst:*") && !is_pair("rst"));
    }
}
