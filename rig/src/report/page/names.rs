//! What a cell is called on the page: its scenario and those of its parameters in which the run's cells of that scenario differ.
//!
//! Must not know a section. Units: none. Errors: none. Tests: `tests/golden/page.rs`.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::analysis::model::ReportModel;

/// The parameters that tell cells apart, by scenario.
pub(super) struct Names<'a>(HashMap<&'a str, HashSet<&'a str>>);

impl<'a> Names<'a> {
    pub(super) fn of(model: &'a ReportModel) -> Self {
        let mut values: HashMap<(&str, &str), HashSet<&str>> = HashMap::new();
        for cell in &model.cells {
            for (name, value) in &cell.parameters {
                values.entry((&cell.scenario, name)).or_default().insert(value);
            }
        }
        let mut varied: HashMap<&str, HashSet<&str>> = HashMap::new();
        for ((scenario, name), values) in values {
            if values.len() > 1 {
                varied.entry(scenario).or_default().insert(name);
            }
        }
        Self(varied)
    }

    /// `client_delay=1s`; empty where the scenario's cells have equal parameters.
    pub(super) fn parameters(&self, scenario: &str, parameters: &BTreeMap<String, String>) -> String {
        let Some(varied) = self.0.get(scenario) else { return String::new() };
        let told = parameters.iter().filter(|(name, _)| varied.contains(name.as_str()));
        told.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    /// `rst client_delay=1s`.
    pub(super) fn subject(&self, scenario: &str, parameters: &BTreeMap<String, String>) -> String {
        format!("{scenario} {}", self.parameters(scenario, parameters)).trim_end().to_owned()
    }
}
