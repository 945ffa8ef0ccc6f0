//! `[configuration.NAME]`: complete, with every default filled in.
//!
//! Must not know hosts: what of it a host cannot do is seen later. Units: MiB, vCPUs, queue pairs.
//! Errors: problems with places; they blame the matrix file. Tests: `tests.rs` of this room, `keys/tests.rs`, `tests/diagnostics.rs`.

use super::disk;
use super::hardware::{check_said_twice, read_hardware, read_machine};
use super::keys::KeyRow;
use super::keys::configuration::{self as keys, Kind};
use super::read::{read_known, required_word, small_or_default, word_or_default};
// For `path/`.
pub(super) use super::read::{check_name, choice, optional};
use super::sysctl;
use crate::configuration::{
    Arm, Configuration, Injection, Localtime, Nic, NicModel, QemuSpec, Sysctls, TargetSpec, Tuning,
};
use crate::document::{Findings, Key, Node, Table};
use crate::script;

/// Reads one configuration, and why trials are known to end otherwise there.
pub(super) fn read_configuration(
    findings: &mut Findings,
    key: &Key,
    node: &Node,
) -> Option<(Configuration, Option<String>)> {
    let what = format!("configuration `{}`", key.name);
    check_name(findings, key, "configuration");
    let table = findings.table(node, &what)?;
    let known = read_known(findings, table);
    let timezone = read_timezone(findings, table);
    let localtime = word_or_default(findings, table, &keys::LOCALTIME, keys::LOCALTIMES);
    let target = match required_word(findings, table, (key, &what), &keys::KIND, keys::KINDS)? {
        Kind::Host => {
            refuse_hardware(findings, table, &what);
            TargetSpec::plain_host().tuned(read_tuning(findings, table)?)
        }
        Kind::Qemu => {
            findings.refuse_unknown_keys(table, &what, &keys::CONFIGURATION.names());
            TargetSpec::Qemu(read_qemu(findings, key, table, &what)?)
        }
    };
    let target = target.in_arm(Arm { localtime: localtime?, timezone: timezone? });
    Some((Configuration { name: key.name.clone(), target }, known))
}

/// TZ, where it is said; `None` where it is wrong. It passes a shell of the guest, between single quotes.
fn read_timezone(findings: &mut Findings, table: &Table) -> Option<Option<String>> {
    let Some(node) = table.get(keys::TIMEZONE.name) else { return Some(None) };
    let text = findings.string(node, &keys::TIMEZONE.quoted())?;
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-_,./:<>".contains(c);
    if text.is_empty() || !text.chars().all(fits) {
        findings
            .report(node.span.clone(), "`timezone` is wrong", "not a value of TZ")
            .help("write it as tzset(3) takes it: \"UTC0\", \"CET-1CEST\", \"<+03>-3\"; without the key TZ is unset");
        return None;
    }
    Some(Some(text.to_owned()))
}

/// The host is as it is: a key of a guest's hardware is refused by name.
fn refuse_hardware(findings: &mut Findings, table: &Table, what: &str) {
    let known: Vec<&str> = keys::ANY_KIND.iter().map(|row| row.name).collect();
    for (key, _) in table.entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str())) {
        if keys::GUEST.iter().any(|row| row.name == key.name) {
            findings
                .report(key.span.clone(), format!("a host has no `{}`", key.name), "a key of kind = \"qemu\"")
                .help(
                    "remove it: a configuration of kind = \"host\" uses the machine that runs rig as it is",
                );
        } else {
            findings.unknown_key(key, what, &known);
        }
    }
}

fn read_qemu(findings: &mut Findings, key: &Key, table: &Table, what: &str) -> Option<QemuSpec> {
    // All are read before the first that is wrong ends it: people are told of every problem at once.
    let model = required_word(findings, table, (key, what), &keys::NIC, keys::MODELS);
    let backend = required_word(findings, table, (key, what), &keys::BACKEND, keys::BACKENDS);
    let accelerator = word_or_default(findings, table, &keys::ACCELERATOR, keys::ACCELERATORS);
    let machine = read_machine(findings, table);
    let queues = small_or_default(findings, table, &keys::QUEUES);
    let tuning = read_tuning(findings, table);
    let disk = disk::read(findings, table);
    let vcpus = small_or_default(findings, table, &keys::VCPUS);
    let memory_mib = small_or_default(findings, table, &keys::MEMORY_MIB);
    let hardware = read_hardware(findings, table);
    let spec = QemuSpec {
        accelerator: accelerator?,
        machine: machine?,
        vcpus: vcpus?,
        memory_mib: memory_mib?,
        nic: Nic { model: model?, backend: backend?, queues: queues? },
        localtime: Localtime::default(),
        timezone: None,
        disk: disk?,
        tuning: tuning?,
        hardware: hardware?,
    };
    check_said_twice(findings, table);
    check_hardware(findings, key, table, &spec);
    Some(spec)
}

/// What is set otherwise than QEMU and the kernel have it. A host's file has no key of hardware: those are refused by name.
fn read_tuning(findings: &mut Findings, table: &Table) -> Option<Tuning> {
    let mut flag = |row: &KeyRow| {
        optional(table, row.name, None, |node| findings.boolean(node, &row.quoted()).map(Some))
    };
    let (checksum_offload, gro) = (flag(&keys::CHECKSUM_OFFLOAD), flag(&keys::GRO));
    let (mrg_rxbuf, vsock) = (flag(&keys::MRG_RXBUF), flag(&keys::VSOCK));
    let sysctl = optional(table, keys::SYSCTL.name, Sysctls::new(), |node| {
        sysctl::read(findings, node, &keys::SYSCTL.quoted())
    });
    let inject = optional(table, keys::INJECT.name, None, |node| read_injection(findings, node).map(Some));
    let (checksum_offload, mrg_rxbuf, gro, inject) = (checksum_offload?, mrg_rxbuf?, gro?, inject?);
    let vsock = vsock?.unwrap_or_default();
    Some(Tuning { checksum_offload, mrg_rxbuf, gro, vsock, inject, sysctl: sysctl? })
}

/// `inject = { errno = "EBADF", rate = "0.1%" }`
fn read_injection(findings: &mut Findings, node: &Node) -> Option<Injection> {
    let what = keys::INJECT.quoted();
    let table = findings.table(node, &what)?;
    findings.refuse_unknown_keys(table, &what, &keys::CONFIGURATION_INJECT.names());
    let errno = dose_part(findings, (node, table), &keys::INJECT_ERRNO, script::parse_errno);
    let rate_ppm = dose_part(findings, (node, table), &keys::INJECT_RATE, script::parse_rate);
    Some(Injection { errno: errno?, rate_ppm: rate_ppm? })
}

/// One of the two keys of a dose, which has both.
fn dose_part<T>(
    findings: &mut Findings,
    (dose, table): (&Node, &Table),
    row: &KeyRow,
    parse: fn(&str) -> Result<T, script::Wrong>,
) -> Option<T> {
    let what = keys::INJECT.quoted();
    let Some(node) = table.get(row.name) else {
        findings
            .report(dose.span.clone(), format!("{what} has no {}", row.quoted()), "not a whole dose")
            .help("inject = { errno = \"EBADF\", rate = \"0.1%\" }");
        return None;
    };
    let wrong = match parse(script::spelled(node).unwrap_or("")) {
        Ok(value) => return Some(value),
        Err(wrong) => wrong,
    };
    findings
        .report(node.span.clone(), format!("{} of {what} is wrong", row.quoted()), wrong.label)
        .maybe_help(wrong.help);
    None
}

/// Offloads are virtio's, and of a backend that knows them.
fn check_offloads(findings: &mut Findings, table: &Table, spec: &QemuSpec) {
    let Nic { model, backend, .. } = spec.nic;
    for row in [&keys::CHECKSUM_OFFLOAD, &keys::MRG_RXBUF] {
        if let (Some(node), true) = (table.get(row.name), model != NicModel::VirtioNet) {
            findings
                .report(
                    node.span.clone(),
                    format!("{} is a key of virtio", row.quoted()),
                    format!("this NIC is {}", model.word()),
                )
                .help("leave it out, or write nic = \"virtio-net\"");
        }
    }
    if let (Some(node), Some(true), false) =
        (table.get(keys::CHECKSUM_OFFLOAD.name), spec.tuning.checksum_offload, backend.is_tap())
    {
        findings
            .report(
                node.span.clone(),
                "this NIC has no checksum offload",
                "its backend takes whole packets only",
            )
            .help("leave it out, or write backend = \"tap\" or \"tap-vhost\"");
    }
}

/// What QEMU would refuse, or silently not do.
fn check_hardware(findings: &mut Findings, key: &Key, table: &Table, spec: &QemuSpec) {
    let place = |name: &str| table.get(name).map_or(key.span.clone(), |node| node.span.clone());
    let Nic { model, backend, queues } = spec.nic;
    check_offloads(findings, table, spec);
    disk::check(findings, table, spec);
    if model != NicModel::VirtioNet && backend.has_vhost() {
        let message = format!("vhost-net cannot drive a {} NIC", model.word());
        findings
            .report(place("backend"), message, "for virtio only")
            .also(place("nic"), "not a virtio device")
            .help("write the backend without `-vhost`, or nic = \"virtio-net\"");
    }
    if queues > 1 && (model != NicModel::VirtioNet || !backend.is_tap()) {
        findings
            .report(place("queues"), "this NIC has one queue", "more than one")
            .help("multiqueue needs nic = \"virtio-net\" with a backend that is a tap or a macvtap");
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
