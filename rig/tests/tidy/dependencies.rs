//! What is depended on, held against `.deny.toml`: licences, bans and sources, as `cargo deny` reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value as Json;

/// The rules that are held here.
pub(crate) struct Rules {
    licences: Vec<spdx::Licensee>,
    /// Crate -> who may depend on it all the same, and why nobody else.
    banned: BTreeMap<String, (BTreeSet<String>, String)>,
    registries: Vec<String>,
}

fn texts(value: Option<&toml::Value>) -> Vec<String> {
    let list = value.and_then(toml::Value::as_array).cloned().unwrap_or_default();
    list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

impl Rules {
    pub(crate) fn parse(text: &str) -> Self {
        let file: toml::Table = text.parse().expect(".deny.toml is TOML");
        let licences = texts(file["licenses"].get("allow"));
        let banned = file["bans"]["deny"].as_array().expect("a list").iter().map(|ban| {
            let word = |key: &str| ban[key].as_str().expect("a string").to_owned();
            (word("crate"), (texts(ban.get("wrappers")).into_iter().collect(), word("reason")))
        });
        Self {
            licences: licences
                .iter()
                .map(|one| spdx::Licensee::parse(one).expect("a licence of SPDX"))
                .collect(),
            banned: banned.collect(),
            registries: texts(file["sources"].get("allow-registry")),
        }
    }

    /// What of these packages (`cargo metadata`) is against the rules: where they come from, under which licence, who depends on whom.
    pub(crate) fn broken_by(&self, metadata: &Json) -> Vec<String> {
        let list = |value: &Json| value.as_array().cloned().unwrap_or_default();
        let mut wrong = vec![];
        let mut names = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            let word = |key: &str| package[key].as_str().unwrap_or_default();
            let name = word("name");
            // Ours have no source.
            if let Some(source) = package["source"].as_str()
                && !self.registries.iter().any(|one| source.strip_prefix("registry+") == Some(one))
            {
                wrong.push(format!("{name} comes from {source}"));
            }
            let licence = spdx::Expression::parse_mode(word("license"), spdx::ParseMode::LAX);
            let allowed = |asked: &spdx::LicenseReq| self.licences.iter().any(|one| one.satisfies(asked));
            if !licence.is_ok_and(|licence| licence.evaluate(allowed)) {
                wrong.push(format!("{name} has the licence {:?}", word("license")));
            }
            names.insert(package["id"].to_string(), name.to_owned());
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let name = &names[&node["id"].to_string()];
            for needed in list(&node["dependencies"]) {
                let needed = &names[&needed.to_string()];
                if let Some((wrappers, reason)) = self.banned.get(needed)
                    && !wrappers.contains(name)
                {
                    wrong.push(format!("{name} depends on {needed}: {reason}"));
                }
            }
        }
        wrong
    }
}

/// `cargo metadata` of the workspace, without asking a registry.
pub(crate) fn metadata(root: &Path) -> Json {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform"])
        .arg("x86_64-unknown-linux-gnu")
        .current_dir(root)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo writes JSON")
}
