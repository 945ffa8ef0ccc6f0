//! What this host can do for the cells that were asked for, and which of them it cannot run.
//!
//! Asks the probes, each at most once, and only what a cell needs. Must not know images or records. Units: none.
//! Errors: none; what is missing is a reason. Tests: those of the probes and of `configuration/requirement.rs`.

use std::process::Command;

use crate::configuration::HostAbilities;
use crate::matrix::{Cell, Subject};
use crate::path::{Lack, Mechanism, Mechanisms, PathSpec, Place};
use crate::record::format::CellRecord;
use crate::testbed::probe as network;

use super::laboratory::QEMU;

/// Why this cell cannot be run here, if it cannot.
pub fn lack(abilities: &HostAbilities, cell: &Cell) -> Option<String> {
    abilities.lack_of(&cell.subject.configuration.target, &cell.subject.path)
}

/// What this host can do for these cells, but for the accelerator, which costs a boot. What none of them needs is not looked at.
pub fn look<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> HostAbilities {
    HostAbilities {
        namespaces: network::netns(),
        qemu: qemu_version(),
        tap: network::tap(),
        tap_multiqueue: network::tap_multiqueue(),
        vhost_net: network::vhost_net(),
        accelerator: None,
        mechanisms: mechanisms(cells.into_iter().map(|cell| &cell.subject.path)),
    }
}

/// What this host has to make these paths with.
fn mechanisms<'a>(paths: impl Iterator<Item = &'a PathSpec>) -> Mechanisms {
    let (mut netem, mut nft, mut on_bridge, mut haproxy) = (false, false, false, false);
    for path in paths {
        netem |= path.impairments.as_ref().is_some_and(|one| one.mechanism != Mechanism::Middlebox);
        nft |= !path.rules.is_empty();
        on_bridge |= path.rules.iter().any(|rule| rule.at == Place::Switch && rule.select.invalid);
        haproxy |= path.haproxy.is_some();
    }
    let ask = |needed: bool, probe: fn() -> Result<(), String>| match needed {
        true => probe(),
        false => Err("no path asks for it, so it was not looked for".to_owned()),
    };
    Mechanisms {
        netem: ask(netem, network::netem),
        nft: ask(nft, network::nft),
        bridge_conntrack: ask(on_bridge, network::bridge_conntrack),
        haproxy: ask(haproxy, network::haproxy),
    }
}

/// First line of `qemu-system-x86_64 --version`.
pub fn qemu_version() -> Result<String, String> {
    let output = Command::new(QEMU).arg("--version").output();
    let output =
        output.map_err(|error| format!("{QEMU} cannot be started ({error}); `rig setup` installs it"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next() {
        Some(line) if output.status.success() => Ok(line.to_owned()),
        _ => Err(format!("{QEMU} --version ends with {}", output.status)),
    }
}

/// What cells are skipped for because of their path: for each path, once. A cell whose target cannot be had is not its path's fault.
pub(super) fn path_lacks(cells: &[CellRecord], abilities: &HostAbilities) -> Vec<(String, Lack)> {
    let mut lacks = Vec::new();
    for CellRecord { cell, skipped } in cells {
        let Subject { path, configuration, .. } = &cell.subject;
        if skipped.is_some()
            && abilities.lack(&configuration.target).is_none()
            && let Some(lack) = abilities.lack_path(path, &configuration.target)
            && !lacks.iter().any(|(name, known)| *name == path.name && *known == lack)
        {
            lacks.push((path.name.clone(), lack));
        }
    }
    lacks
}
