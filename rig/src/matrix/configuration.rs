//! `[configuration.NAME]`: complete, with every default filled in.

use crate::configuration::{
    Accelerator, Configuration, Localtime, Nic, NicBackend, NicModel, QemuSpec, TargetSpec,
};
use crate::document::{Findings, Key, Node, Table, hint};

const QEMU_KEYS: &[&str] =
    &["kind", "nic", "backend", "queues", "accelerator", "machine", "vcpus", "memory_mib", "localtime"];

/// One of a closed list of words, each with its meaning.
pub(super) fn choice<T: Copy>(
    findings: &mut Findings,
    node: &Node,
    what: &str,
    words: &[(&str, T)],
) -> Option<T> {
    let word = findings.string(node, what)?;
    let found = words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    if found.is_none() {
        let help = hint(word, words.iter().map(|(name, _)| *name), "there are");
        findings
            .report(
                node.span.clone(),
                format!("{what} cannot be `{word}`"),
                "not one of the words that stand here",
            )
            .help(help);
    }
    found
}

/// Reads one configuration.
pub(super) fn read_configuration(findings: &mut Findings, key: &Key, node: &Node) -> Option<Configuration> {
    let what = format!("configuration `{}`", key.name);
    check_name(findings, key, "configuration");
    let table = findings.table(node, &what)?;
    let Some(kind) = table.get("kind") else {
        findings.missing(key.span.clone(), &what, "kind", "kind = \"qemu\" (or \"host\")");
        return None;
    };
    let host = choice(findings, kind, "`kind`", &[("host", true), ("qemu", false)])?;
    let target = if host {
        for (extra, _) in table.entries.iter().filter(|(key, _)| QEMU_KEYS[1..].contains(&key.name.as_str()))
        {
            findings
                .report(
                    extra.span.clone(),
                    format!("a host has no `{}`", extra.name),
                    "a key of kind = \"qemu\"",
                )
                .help("`host` is a namespace of the machine that runs rig, as it is");
        }
        let unknown: Vec<Key> = table
            .entries
            .iter()
            .filter(|(key, _)| !QEMU_KEYS.contains(&key.name.as_str()))
            .map(|(key, _)| key.clone())
            .collect();
        for key in &unknown {
            findings.unknown_key(key, &what, &["kind"]);
        }
        TargetSpec::Host
    } else {
        findings.refuse_unknown_keys(table, &what, QEMU_KEYS);
        TargetSpec::Qemu(read_qemu(findings, key, table, &what)?)
    };
    Some(Configuration { name: key.name.clone(), target })
}

fn read_qemu(findings: &mut Findings, key: &Key, table: &Table, what: &str) -> Option<QemuSpec> {
    let model = match table.get("nic") {
        Some(node) => choice(
            findings,
            node,
            "`nic`",
            &[("virtio-net", NicModel::VirtioNet), ("vmxnet3", NicModel::Vmxnet3)],
        ),
        None => {
            findings.missing(key.span.clone(), what, "nic", "nic = \"virtio-net\"");
            None
        }
    };
    let backend = match table.get("backend") {
        Some(node) => choice(
            findings,
            node,
            "`backend`",
            &[
                ("tap", NicBackend::Tap),
                ("tap-vhost", NicBackend::TapVhost),
                ("user", NicBackend::User),
                ("socket", NicBackend::Socket),
            ],
        ),
        None => {
            findings.missing(key.span.clone(), what, "backend", "backend = \"tap\"");
            None
        }
    };
    let accelerators = [("auto", Accelerator::Auto), ("kvm", Accelerator::Kvm), ("tcg", Accelerator::Tcg)];
    let accelerator = optional(table, "accelerator", Accelerator::Auto, |node| {
        choice(findings, node, "`accelerator`", &accelerators)
    });
    let machine = optional(table, "machine", "q35", |node| {
        choice(findings, node, "`machine`", &[("q35", "q35"), ("pc", "pc"), ("microvm", "microvm")])
    });
    let localtimes = [("present", Localtime::Present), ("absent", Localtime::Absent)];
    let localtime = optional(table, "localtime", Localtime::Present, |node| {
        choice(findings, node, "`localtime`", &localtimes)
    });
    let mut count = |name: &str, default: u32, low: u64, high: u64| {
        optional(table, name, default, |node| {
            let count = findings.count(node, &format!("`{name}`"), &(low..=high))?;
            u32::try_from(count).ok()
        })
    };
    let queues = count("queues", 1, 1, 16);
    let vcpus = count("vcpus", 1, 1, 64);
    let memory_mib = count("memory_mib", 384, 96, 65_536);
    let nic = Nic { model: model?, backend: backend?, queues: queues? };
    let spec = QemuSpec {
        accelerator: accelerator?,
        machine: machine?.to_owned(),
        vcpus: vcpus?,
        memory_mib: memory_mib?,
        nic,
        localtime: localtime?,
    };
    check_hardware(findings, key, table, &spec);
    Some(spec)
}

/// The value of a key that need not be said.
pub(super) fn optional<T>(
    table: &Table,
    name: &str,
    default: T,
    read: impl FnOnce(&Node) -> Option<T>,
) -> Option<T> {
    match table.get(name) {
        Some(node) => read(node),
        None => Some(default),
    }
}

/// What QEMU would refuse, or silently not do.
fn check_hardware(findings: &mut Findings, key: &Key, table: &Table, spec: &QemuSpec) {
    let place = |name: &str| table.get(name).map_or(key.span.clone(), |node| node.span.clone());
    let Nic { model, backend, queues } = spec.nic;
    if model == NicModel::Vmxnet3 && backend == NicBackend::TapVhost {
        findings
            .report(place("backend"), "vhost-net cannot stand behind vmxnet3", "serves virtio only")
            .also(place("nic"), "not a virtio device")
            .help("write backend = \"tap\", or nic = \"virtio-net\"");
    }
    if model == NicModel::Vmxnet3 && spec.machine == "microvm" {
        findings
            .report(place("machine"), "a microvm has no PCI bus for vmxnet3", "virtio devices only")
            .help("write machine = \"q35\"");
    }
    if queues > 1 && (model == NicModel::Vmxnet3 || matches!(backend, NicBackend::User | NicBackend::Socket))
    {
        findings
            .report(place("queues"), "this NIC has one queue", "more than one")
            .help("multiqueue needs nic = \"virtio-net\" with backend = \"tap\" or \"tap-vhost\"");
    } else if queues > spec.vcpus {
        findings
            .report(
                place("queues"),
                format!("{queues} queue pairs for {} vCPU", spec.vcpus),
                "more than vCPUs",
            )
            .help(format!(
                "the guest's driver uses at most one pair per vCPU: write vcpus = {queues}, or fewer queues"
            ));
    }
}

/// Names appear in filters, ids and file names.
pub(super) fn check_name(findings: &mut Findings, key: &Key, what: &str) {
    let formed = key.name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && key.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !formed {
        findings
            .report(key.span.clone(), format!("`{}` cannot be the name of a {what}", key.name), "not a name")
            .help(
                "a name is made of letters, digits, `-`, `_` and `.`: it appears in filters and file names",
            );
    }
}
