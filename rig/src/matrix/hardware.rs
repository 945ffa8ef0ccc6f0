//! Keys of a guest's hardware that take names of QEMU's: `machine`, `device`, `cpu`, `qemu`, `numa`, `kernel_cmdline`.
//!
//! Only their form is seen here, the same wherever a file is read: whether the QEMU at hand has what they name is asked later (`offered.rs`).
//! Units: nodes. Errors: problems with places; they blame the matrix file. Tests: `tests/diagnostics.rs`, below.

use std::path::{Path, PathBuf};

use super::keys::configuration as keys;
use super::read::{optional, small};
use crate::configuration::{CHECKSUMS, Hardware, MACHINES, Properties, Property, boots};
use crate::document::{Findings, Key, Node, Span, Table, Value};

/// What of the hardware is asked for by name; `None` where any of it is wrong.
pub(super) fn read_hardware(findings: &mut Findings, table: &Table) -> Option<Hardware> {
    let device = optional(table, keys::DEVICE.name, Properties::new(), |node| read_device(findings, node));
    let cpu = optional(table, keys::CPU.name, None, |node| read_cpu(findings, table, node).map(Some));
    let qemu = optional(table, keys::QEMU.name, None, |node| read_qemu_path(findings, node).map(Some));
    let numa = optional(table, keys::NUMA.name, None, |_| small(findings, table, &keys::NUMA).map(Some));
    let words = optional(table, keys::KERNEL_CMDLINE.name, vec![], |node| read_words(findings, node));
    Some(Hardware { device: device?, cpu: cpu?, qemu: qemu?, numa: numa?, kernel_cmdline: words? })
}

/// One of the machine types that rig boots, or of their versions; a QEMU has others.
pub(super) fn read_machine(findings: &mut Findings, table: &Table) -> Option<String> {
    let Some(node) = table.get(keys::MACHINE.name) else {
        return Some(keys::MACHINE.default_word().to_owned());
    };
    let word = findings.string(node, &keys::MACHINE.quoted())?;
    if boots(word) {
        return Some(word.to_owned());
    }
    let help = findings.hint(word, MACHINES.iter().copied(), "rig boots");
    let help = help.map(|help| format!("{help}, and versions of them: pc-q35-7.0, pc-i440fx-7.2"));
    let reason = "a microvm has no PCI bus, and Debian's kernels do not find its devices without one";
    let help = help.map(|help| if word == "microvm" { format!("{help}\n{reason}") } else { help });
    let message = format!("{} cannot be `{word}`", keys::MACHINE.quoted());
    findings.report(node.span.clone(), message, "not a machine type that rig boots").maybe_help(help);
    None
}

/// Properties that are rig's to set: they join the NIC with the testbed.
const OWN: [(&str, &str); 6] = [
    ("id", "rig finds the NIC by it"),
    ("netdev", "`backend` says what the NIC is connected to"),
    ("mac", "the guest's init finds the NIC by it"),
    ("mq", "`queues` says how many queue pairs there are"),
    ("vectors", "they follow from `queues`"),
    ("romfile", "nothing boots from this NIC"),
];

/// `device = { packed = true, rx_queue_size = 512 }`
fn read_device(findings: &mut Findings, node: &Node) -> Option<Properties> {
    let table = findings.table(node, &keys::DEVICE.quoted())?;
    let mut properties = Properties::new();
    let mut sound = true;
    for (key, node) in &table.entries {
        match read_property(findings, key, node) {
            Some(value) => drop(properties.insert(key.name.clone(), value)),
            None => sound = false,
        }
    }
    if table.entries.is_empty() {
        findings
            .report(node.span.clone(), format!("{} is empty", keys::DEVICE.quoted()), "sets nothing")
            .help("name a property of the device: device = { packed = true }");
        return None;
    }
    sound.then_some(properties)
}

fn read_property(findings: &mut Findings, key: &Key, node: &Node) -> Option<Property> {
    let formed = key.name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if !formed || key.name.is_empty() {
        let message = format!("`{}` cannot be a property of a device", key.name);
        findings.report(key.span.clone(), message, "not a name").help(HELP_DEVICE);
        return None;
    }
    if let Some((name, why)) = OWN.iter().find(|(name, _)| *name == key.name) {
        let message = format!("`{name}` of the device is set by rig");
        findings
            .report(key.span.clone(), message, "not for a matrix file")
            .help(format!("leave it out: {why}"));
        return None;
    }
    let what = format!("`{}`", key.name);
    let text = match &node.value {
        Value::Boolean(on) => return Some(Property::Flag(*on)),
        Value::Integer(Some(number)) => return Some(Property::Number(*number)),
        Value::String(text) => text,
        _ => return findings.mismatch(node, &what, "true, false, a whole number or a text"),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-:+/".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(fits) {
        findings
            .report(node.span.clone(), format!("{what} is wrong"), "not a value of a device's property")
            .help("letters, digits and `._-:+/`, as QEMU takes it: \"auto\", \"06.0\", \"64K\"");
        return None;
    }
    Some(Property::Text(text.clone()))
}

const HELP_DEVICE: &str = "`qemu-system-x86_64 -device virtio-net-pci,help` lists the properties of a device";

/// `qemu64,+x2apic`
fn read_cpu(findings: &mut Findings, table: &Table, node: &Node) -> Option<String> {
    let text = findings.string(node, &keys::CPU.quoted())?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-+=".contains(c);
    let formed = |part: &str| !part.is_empty() && part.chars().all(fits);
    if !text.split(',').all(formed) || !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        findings
            .report(node.span.clone(), format!("{} is wrong", keys::CPU.quoted()), "not a CPU model")
            .help("a model, and flags behind it: \"qemu64\", \"Skylake-Client,-hle,+x2apic\"");
        return None;
    }
    let emulated = table
        .get(keys::ACCELERATOR.name)
        .is_some_and(|node| matches!(&node.value, Value::String(word) if word == "tcg"));
    if emulated && text.split(',').next() == Some("host") {
        let message = "emulation (accelerator = \"tcg\") has no CPU `host`";
        findings
            .report(node.span.clone(), message, "the host's processor, which only KVM can give a guest")
            .help("write cpu = \"max\" for all that QEMU can emulate");
        return None;
    }
    Some(text.to_owned())
}

fn read_qemu_path(findings: &mut Findings, node: &Node) -> Option<PathBuf> {
    let text = findings.string(node, &keys::QEMU.quoted())?;
    if text.is_empty() || text.contains('\0') {
        findings
            .report(node.span.clone(), format!("{} is wrong", keys::QEMU.quoted()), "not a path")
            .help("the path of a program: \"/opt/qemu/bin/qemu-system-x86_64\"");
        return None;
    }
    Some(text.into())
}

/// What rig itself tells the guest's kernel, or what would keep the guest from starting.
const OWN_WORDS: [&str; 8] =
    ["console=", "quiet", "panic=", "oops=", "no_timer_check", "init=", "rdinit=", "rig."];

fn read_words(findings: &mut Findings, node: &Node) -> Option<Vec<String>> {
    let what = keys::KERNEL_CMDLINE.quoted();
    let text = findings.string(node, &what)?;
    let fits = |c: char| c == ' ' || (c.is_ascii_graphic() && !"\"'\\".contains(c));
    if text.trim().is_empty() || text.len() > 1_000 || !text.chars().all(fits) {
        findings
            .report(node.span.clone(), format!("{what} is wrong"), "no words for a kernel")
            .help("words with spaces between them, without quotes: \"mitigations=off tsc=unstable\"");
        return None;
    }
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let own = words.iter().find(|word| OWN_WORDS.iter().any(|own| word.starts_with(own)));
    if let Some(word) = own {
        let message = format!("{what} has `{word}`, which rig sets");
        findings
            .report(node.span.clone(), message, "not for a matrix file")
            .help("leave it out: rig reads the console, ends a guest that panics, and starts its own init");
        return None;
    }
    Some(words)
}

/// The same of the NIC said by a key of its own and as a property.
pub(super) fn check_said_twice(findings: &mut Findings, table: &Table) {
    let Some(Value::Table(device)) = table.get(keys::DEVICE.name).map(|node| &node.value) else { return };
    let pairs: [(&str, &[&str]); 2] =
        [(keys::MRG_RXBUF.name, &["mrg_rxbuf"]), (keys::CHECKSUM_OFFLOAD.name, &CHECKSUMS)];
    for (key, properties) in pairs {
        let (Some(said), Some((again, _))) = (
            table.get(key),
            device.entries.iter().find(|(name, _)| properties.contains(&name.name.as_str())),
        ) else {
            continue;
        };
        let span: Span = again.span.clone();
        findings
            .report(span, format!("`{}` of the device is said twice", again.name), "here")
            .also(said.span.clone(), format!("and by `{key}`"))
            .help("leave one of them out");
    }
}

/// A QEMU's path is seen from the matrix file; in a cell it is the same from wherever rig is started.
pub(super) fn settle_path(folder: &Path, hardware: &mut Hardware) {
    if let Some(path) = &mut hardware.qemu {
        let seen = folder.join(&*path);
        *path = std::path::absolute(&seen).unwrap_or(seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::TargetSpec;
    use crate::matrix::Matrix;

    fn hardware(keys: &str) -> Hardware {
        let text = format!(
            "[axes]\nscenario = \"fin\"\nconfiguration = \"n\"\nkernel = \"6.1\"\npath = \"direct\"\n[path.direct]\n\
             [configuration.n]\nkind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"tap\"\n{keys}\n"
        );
        let matrix =
            Matrix::parse("m", &text, Path::new("/a/folder")).unwrap_or_else(|wrong| panic!("{wrong}"));
        match &matrix.configurations[0].target {
            TargetSpec::Qemu(spec) => spec.hardware.clone(),
            TargetSpec::Host(_) => panic!("a guest"),
        }
    }

    #[test]
    fn every_key_is_read_and_a_path_is_seen_from_the_file() {
        let found = hardware(
            "device = { packed = true, rx_queue_size = 512, disable-legacy = \"on\" }\ncpu = \"qemu64,+x2apic\"\n\
             qemu = \"bin/qemu\"\nnuma = 2\nkernel_cmdline = \" mitigations=off  nokaslr \"",
        );
        let expected = Hardware {
            device: [
                ("packed", Property::Flag(true)),
                ("rx_queue_size", Property::Number(512)),
                ("disable-legacy", Property::Text("on".into())),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
            cpu: Some("qemu64,+x2apic".into()),
            qemu: Some("/a/folder/bin/qemu".into()),
            numa: Some(2),
            kernel_cmdline: vec!["mitigations=off".into(), "nokaslr".into()],
        };
        assert_eq!(found, expected);
        assert_eq!(hardware("qemu = \"/opt/q\"").qemu, Some("/opt/q".into()));
        assert_eq!(hardware(""), Hardware::default());
    }
}
