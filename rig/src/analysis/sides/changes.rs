//! What is not the same around cells that are compared, as far as the records have it.
//!
//! What one of two records does not say is no change. Must not judge what a change does. Units: as the records have them. Errors: none. Tests: `tests/golden/compared.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::configuration::{Arm, TargetSpec};
use crate::record::Run;
use crate::record::format::{CaptureWhen, Environment, ImageRecord, RunRecord};

use super::super::comparisons::Pair;
use super::super::measured::Measured;
use super::super::model::{Change, ChangeKind, RanOn, Sides};
use super::super::summaries::releases;
use super::super::words::{count, list};

/// Of two runs, with the cells of both that are compared.
pub(super) fn of_runs(first: &Run, second: &Run, pairs: &[Pair<'_, '_>]) -> Vec<Change> {
    let mut changes = Changes::default();
    changes.kernels([&first.record, &second.record], pairs);
    changes.cells(pairs, Sides::Runs);
    changes.programs([&first.record, &second.record]);
    changes.hosts([&first.record.environment, &second.record.environment]);
    let captured = [first, second].map(|run| captured(run.record.conduct.capture));
    changes.add(ChangeKind::Conduct, "packets captured", captured);
    changes.sorted()
}

/// Of two configurations of one run.
pub(super) fn of_configurations(pairs: &[Pair<'_, '_>]) -> Vec<Change> {
    let mut changes = Changes::default();
    changes.cells(pairs, Sides::Configurations);
    changes.sorted()
}

#[derive(Default)]
struct Changes {
    found: Vec<Change>,
}

impl Changes {
    /// Adds it where both say something, and not the same; a change that is known already is not told again.
    fn add(&mut self, kind: ChangeKind, what: impl Into<String>, [first, second]: [String; 2]) {
        let change = Change { kind, what: what.into(), first, second };
        let is_said = !change.first.is_empty() && !change.second.is_empty();
        if is_said && change.first != change.second && !self.found.contains(&change) {
            self.found.push(change);
        }
    }

    fn sorted(mut self) -> Vec<Change> {
        self.found.sort_by_key(|change| change.kind);
        self.found
    }

    /// The packages of the kernels that guests of compared cells have; where none is recorded, their releases.
    fn kernels(&mut self, runs: [&RunRecord; 2], pairs: &[Pair<'_, '_>]) {
        let of = |pair: &Pair<'_, '_>| {
            let cell = pair.second.cell();
            (!cell.is_baseline()).then(|| cell.subject.kernel.clone())
        };
        let names: BTreeSet<String> = pairs.iter().filter_map(of).collect();
        for name in names {
            let images = runs.map(|run| run.images.get(&name).cloned().unwrap_or_default());
            let packages = images.clone().map(|image| image.package);
            let is_same = packages[0] == packages[1];
            self.add(ChangeKind::Kernel, format!("kernel {name}"), packages);
            let files = images.clone().map(|image| short(&image.kernel_sha256));
            let is_same = is_same && files[0] == files[1];
            self.add(ChangeKind::Kernel, format!("SHA-256 of kernel {name}"), files);
            let configurations = images.clone().map(|image| short(&image.config_sha256));
            self.add(
                ChangeKind::Kernel,
                format!("SHA-256 of the configuration of kernel {name}"),
                configurations,
            );
            if is_same {
                let digests = images.map(|ImageRecord { digest, .. }| short(&digest));
                self.add(ChangeKind::Kernel, format!("image of kernel {name}"), digests);
            }
        }
    }

    fn programs(&mut self, runs: [&RunRecord; 2]) {
        let of = |part: fn(&RunRecord) -> String| runs.map(part);
        self.add(
            ChangeKind::Accelerator,
            "accelerator of the host",
            of(|run| run.environment.accelerator.clone()),
        );
        self.add(ChangeKind::Qemu, "QEMU", of(|run| run.environment.qemu.clone()));
        self.add(ChangeKind::Qemu, "QEMU's file", of(|run| run.environment.qemu_path.clone()));
        self.add(ChangeKind::Qemu, "SHA-256 of QEMU's file", of(|run| short(&run.environment.qemu_sha256)));
        self.add(ChangeKind::Rig, "rig", of(|run| run.rig_version.clone()));
        self.add(ChangeKind::Rig, "SHA-256 of the guest agent", of(|run| short(&run.agent_build_id)));
    }

    fn hosts(&mut self, environments: [&Environment; 2]) {
        let of = |part: fn(&Environment) -> String| environments.map(part);
        self.add(ChangeKind::Host, "the host's kernel", of(|of| of.host.kernel.clone()));
        self.add(ChangeKind::Host, "CPU", of(|of| of.host.cpu.clone()));
        self.add(ChangeKind::Host, "number of CPUs", of(|of| unless_zero(of.host.cpus.into())));
        self.add(ChangeKind::Host, "memory in MiB", of(|of| unless_zero(of.host.memory_mib)));
        self.add(ChangeKind::Host, "hypervisor of the host", of(|of| of.host.virtualized.clone()));
        self.add(ChangeKind::Host, "clock source", of(|of| of.host.clocksource.clone()));
        let known = environments.iter().all(|of| !of.host.kernel.is_empty());
        if known {
            let there = |of: &Environment| if of.host.localtime { "there" } else { "missing" }.to_owned();
            self.add(ChangeKind::Host, "/etc/localtime of the host", environments.map(there));
        }
        let names: BTreeSet<&String> = environments.iter().flat_map(|of| of.sysctls.keys()).collect();
        for name in names {
            let values = environments.map(|of| of.sysctls.get(name).cloned().unwrap_or_default());
            self.add(ChangeKind::Sysctl, format!("sysctl {name}"), values);
        }
    }

    /// What differs in the cells themselves: what ran them, what is measured under their names, how.
    fn cells(&mut self, pairs: &[Pair<'_, '_>], sides: Sides) {
        for pair in pairs {
            let Some(first) = pair.first else { continue };
            let both = [first, pair.second];
            let kernel = |cell: &Measured<'_>| cell.cell().subject.kernel.clone();
            let package = format!("kernel {}", kernel(first));
            // What the host runs is the host's, and a package has its release in its name.
            let is_told = first.cell().is_baseline() || self.found.iter().any(|one| one.what == package);
            if !is_told && kernel(first) == kernel(pair.second) {
                self.add(ChangeKind::Kernel, format!("release of {package}"), both.map(releases));
            }
            let of = match sides {
                Sides::Runs => format!(" of {}", first.configuration()),
                // Its two sides have their names.
                Sides::Configurations => String::new(),
            };
            self.add(ChangeKind::Accelerator, format!("accelerator{of}"), both.map(executors));
            self.declared(&of, both);
            let at_once = both.map(|cell| unless_zero(cell.cell().in_flight.into()));
            self.add(ChangeKind::Conduct, format!("trials at once of {}", first.subject()), at_once);
            self.settings(both);
        }
    }

    /// What is measured under one name: each key that is not the same.
    fn declared(&mut self, of: &str, both: [&Measured<'_>; 2]) {
        let subjects = both.map(|cell| &cell.cell().subject);
        if subjects[0].script != subjects[1].script {
            let digests = subjects.map(|subject| digest_of(subject.script.as_ref()));
            self.add(ChangeKind::Measured, format!("script of {}", both[0].subject()), digests);
        }
        let targets = subjects.map(|subject| &subject.configuration.target);
        if targets[0].is_host() == targets[1].is_host() {
            for (key, values) in differing(targets.map(TargetSpec::machine).each_ref()) {
                self.add(ChangeKind::Measured, format!("`{key}`{of}"), values);
            }
        } else {
            // Then all of the hardware is another.
            let place = |target: &TargetSpec| if target.is_host() { "the host" } else { "a QEMU guest" };
            let places = targets.map(|target| place(target).to_owned());
            self.add(ChangeKind::Measured, format!("where the kernel runs{of}"), places);
        }
        let arms = targets.map(TargetSpec::arm);
        let file = |arm: &Arm| if arm.localtime.is_present() { "there" } else { "missing" }.to_owned();
        self.add(
            ChangeKind::Measured,
            format!("/etc/localtime of the program{of}"),
            arms.each_ref().map(file),
        );
        let zone = |arm: &Arm| arm.timezone.clone().unwrap_or_else(|| "not set".to_owned());
        self.add(ChangeKind::Measured, format!("TZ of the program{of}"), arms.each_ref().map(zone));
        for (key, values) in differing(subjects.map(|subject| &subject.path)) {
            self.add(ChangeKind::Measured, format!("`{key}` of path {}", subjects[0].path.name), values);
        }
    }

    /// Kernel settings that blocks changed or found.
    fn settings(&mut self, both: [&Measured<'_>; 2]) {
        let of = |cell: &Measured<'_>| {
            let mut settings: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
            for one in cell.blocks.iter().flat_map(|block| &block.sysctls) {
                let key = (one.end.clone(), one.name.clone());
                settings.entry(key).or_default().insert(format!("{} (was {})", one.after, one.before));
            }
            settings
        };
        let [first, second] = both.map(of);
        for ((end, name), values) in &first {
            let Some(other) = second.get(&(end.clone(), name.clone())) else { continue };
            let values = [values, other].map(|values| list(&values.iter().collect::<Vec<_>>()));
            self.add(ChangeKind::Sysctl, format!("sysctl {name} of the {end}"), values);
        }
    }
}

/// What executed a cell's target.
fn executors(cell: &Measured<'_>) -> String {
    let word = |name| match RanOn::of(name) {
        RanOn::Kvm => "KVM",
        RanOn::Tcg => "emulation (TCG)",
        RanOn::NotKnown => "not known",
        RanOn::Other("none") => "the host itself",
        RanOn::Other(other) => other,
    };
    list(&cell.accelerators().into_iter().map(word).collect::<Vec<_>>())
}

fn captured(when: CaptureWhen) -> String {
    match when {
        CaptureWhen::Never => "never",
        CaptureWhen::Anomaly => "of blocks with an anomaly",
        CaptureWhen::Always => "always",
    }
    .to_owned()
}

fn unless_zero(n: u64) -> String {
    if n == 0 { String::new() } else { count(n) }
}

/// Enough of a digest to tell it from another.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

fn digest_of(declared: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(declared).expect("what is declared is plain data with string keys");
    format!("{:.12x}", Sha256::digest(bytes))
}

/// The keys of two declared things that are not the same, with their values; `none` where one has no such key.
fn differing(both: [&impl Serialize; 2]) -> BTreeMap<String, [String; 2]> {
    let [first, second] = both.map(|declared| {
        let tree = serde_json::to_value(declared).expect("what is declared is plain data with string keys");
        let mut leaves = BTreeMap::new();
        gather(&tree, String::new(), &mut leaves);
        leaves
    });
    let keys: BTreeSet<&String> = first.keys().chain(second.keys()).filter(|key| *key != "name").collect();
    let of = |leaves: &BTreeMap<String, String>, key: &String| {
        leaves.get(key).cloned().unwrap_or_else(|| "none".to_owned())
    };
    let values = keys.into_iter().map(|key| (key.clone(), [of(&first, key), of(&second, key)]));
    values.filter(|(_, [first, second])| first != second).collect()
}

fn gather(tree: &Value, key: String, leaves: &mut BTreeMap<String, String>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match tree {
        Value::Object(members) => members.iter().for_each(|(name, value)| gather(value, below(name), leaves)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| gather(value, below(&at.to_string()), leaves));
        }
        Value::String(word) => drop(leaves.insert(key, word.clone())),
        Value::Null => {}
        other => drop(leaves.insert(key, other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_keys_that_differ_are_told() {
        let first = json!({ "name": "a", "nic": { "model": "virtio-net", "queues": 1 }, "vcpus": 2 });
        let second =
            json!({ "name": "b", "nic": { "model": "virtio-net", "queues": 4 }, "vcpus": 2, "gro": false });
        let found = differing([&first, &second]);
        let wanted = [("gro", ["none", "false"]), ("nic.queues", ["1", "4"])];
        let wanted = wanted.map(|(key, values)| (key.to_owned(), values.map(str::to_owned)));
        assert_eq!(found, BTreeMap::from(wanted));
    }

    #[test]
    fn what_a_record_does_not_say_is_no_change() {
        let mut changes = Changes::default();
        let of = |first: &str, second: &str| [first.to_owned(), second.to_owned()];
        changes.add(ChangeKind::Qemu, "QEMU", of("", "QEMU 7.2"));
        changes.add(ChangeKind::Qemu, "QEMU", of("QEMU 7.2", "QEMU 7.2"));
        assert!(changes.found.is_empty());
        changes.add(ChangeKind::Qemu, "QEMU", of("QEMU 7.2", "QEMU 8.0"));
        changes.add(ChangeKind::Kernel, "kernel 6.1", of("6.1.190", "6.1.192"));
        changes.add(ChangeKind::Qemu, "QEMU", of("QEMU 7.2", "QEMU 8.0"));
        let told: Vec<String> = changes.sorted().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["kernel 6.1: 6.1.190 -> 6.1.192", "QEMU: QEMU 7.2 -> QEMU 8.0"]);
    }
}
