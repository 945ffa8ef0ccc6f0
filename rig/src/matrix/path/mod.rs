//! `[path.NAME]`: complete, with every default filled in.
//!
//! Holds the reading of what lies between target and peer, and the places of its keys for what is found out on a host.
//! Must not know mechanisms, hosts or the middlebox's doings. Units: nanoseconds, parts per million, bits per second, bytes.
//! Errors: problems with spans, all at once; they blame the matrix file.
//! Tests: `tests.rs`; wrong files in `tests/diagnostics/path`.

mod action;
mod boxes;
mod fault;
pub mod keys;
mod link;
mod piece;
mod places;
mod rule;
mod value;
mod whole;
mod words;

pub(super) use places::Places;

use super::configuration::{check_name, choice, optional};
use crate::document::{Findings, Key, Node};
use crate::path::{Family, Medium, PathSpec};

/// A path of the file, and where its keys stand.
#[derive(Debug)]
pub(super) struct DeclaredPath {
    pub(super) spec: PathSpec,
    pub(super) places: Places,
}

/// Reads one path. What it says is whole only where nothing was reported.
pub(super) fn read_path(findings: &mut Findings, key: &Key, node: &Node) -> Option<DeclaredPath> {
    let what = format!("path `{}`", key.name);
    check_name(findings, key, "path");
    let table = findings.table(node, &what)?;
    findings.refuse_unknown_keys(table, &what, &keys::all());
    let (least, most) = keys::MTU_BYTES;
    let mtu_bytes =
        optional(table, "mtu_bytes", 1500, |node| value::count(findings, node, "`mtu_bytes`", least, most));
    let medium =
        optional(table, "medium", Medium::Link, |node| choice(findings, node, "`medium`", &words::MEDIA));
    let family =
        optional(table, "family", Family::Ipv4, |node| choice(findings, node, "`family`", &words::FAMILIES));
    let family = family.unwrap_or_default();
    let spec = PathSpec {
        medium: medium.unwrap_or_default(),
        family,
        impairments: link::read(findings, table, mtu_bytes),
        actions: piece::each(findings, table, "action", action::read),
        firewall: boxes::firewall(findings, table),
        ips: boxes::ips(findings, table),
        balancer: boxes::balancer(findings, table, family),
        haproxy: boxes::haproxy(findings, table),
        nat: boxes::nat(findings, table),
        sysctl: boxes::sysctl(findings, table).unwrap_or_default(),
        rules: piece::each(findings, table, "rule", rule::read),
        faults: piece::each(findings, table, "fault", fault::read),
        // One that is wrong is reported; the rest is still looked at.
        ..PathSpec::plain(&key.name, mtu_bytes.unwrap_or(1500))
    };
    whole::check(findings, table, &spec);
    Some(DeclaredPath { spec, places: Places::of(key, table) })
}

#[cfg(test)]
mod tests;
