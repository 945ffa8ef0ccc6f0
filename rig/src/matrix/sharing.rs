//! Which cells may be played one after the other in one boot of a guest, and why others may not.
//!
//! A cell may share where nothing that its path, its configuration or its script does in the guest outlives a block; the network around the guest is new for each
//! block anyway. In doubt a cell has a guest of its own. Pure. Must not know how a guest is passed on. Units: none.
//! Errors: none; a reason is a sentence about the cell. Tests: below.

use rig_protocol::{Op, Script, Side};

use super::cell::Cell;
use crate::configuration::{NicBackend, PeerSeat, QemuSpec, TargetSpec, peer_seat};
use crate::path::{Family, FaultKind, PathSpec, Place};

/// What cells that share a boot have in common: everything that a guest is booted with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootKey(String);

/// With which other cells this one may share a boot: those with the same key.
///
/// # Errors
/// Why it may not share any.
pub fn shares_boot(cell: &Cell) -> Result<BootKey, &'static str> {
    let subject = &cell.subject;
    let TargetSpec::Qemu(spec) = &subject.configuration.target else {
        return Err("it has no guest");
    };
    if cell.repeats.is_some() {
        // It repeats a cell that shares its boots: a difference that sharing makes is one between the two.
        return Err("it is the second cell of the A/A pair");
    }
    let lasting = [in_the_way(spec, &subject.configuration.target, &subject.path), of_path(&subject.path)];
    if let Some(why) = lasting.into_iter().chain([of_script(&subject.script)]).flatten().next() {
        return Err(why);
    }
    // A time zone is in the environment of the agent, which each block starts anew; /etc/localtime is in the initramfs.
    let booted = QemuSpec { timezone: None, ..spec.clone() };
    let key = serde_json::to_string(&(booted, &subject.kernel, subject.path.mtu_bytes));
    Ok(BootKey(key.expect("plain data serialises")))
}

/// What of where it is keeps a guest from another network.
fn in_the_way(spec: &QemuSpec, target: &TargetSpec, path: &PathSpec) -> Option<&'static str> {
    match (peer_seat(target, path), spec.nic.backend) {
        (PeerSeat::Host, NicBackend::Tap | NicBackend::TapVhost) => {}
        (PeerSeat::Host, _) => return Some("its NIC is not a tap"),
        (PeerSeat::Target, _) => return Some("its peer is in the same guest"),
        (PeerSeat::Guest, _) => return Some("its peer is a guest"),
    }
    (!spec.tuning.sysctl.is_empty()).then_some("its configuration changes settings of the guest's kernel")
}

/// What a path changes in the guest, or in how it runs.
fn of_path(path: &PathSpec) -> Option<&'static str> {
    let on_machine = |kind: &FaultKind| match kind {
        FaultKind::LinkDown | FaultKind::Pause | FaultKind::Contention { .. } | FaultKind::VsockReset => true,
        FaultKind::BackendDown
        | FaultKind::HostGone
        | FaultKind::ForgetConnections
        | FaultKind::Arm { .. } => false,
    };
    if !path.sysctl.target.is_empty() {
        Some("its path changes settings of the guest's kernel")
    } else if path.family == Family::Ipv6 {
        Some("its path gives the guest an address of IPv6")
    } else if path.rules.iter().any(|rule| rule.at == Place::Target) {
        Some("its path has packet filter rules in the guest")
    } else if path.faults.iter().any(|fault| on_machine(&fault.kind)) {
        Some("its path disturbs the machine")
    } else {
        None
    }
}

/// What a script leaves in the guest, or looks for there.
fn of_script(script: &Script) -> Option<&'static str> {
    if script.program.is_some() {
        return Some("it runs a program");
    }
    if script.is_over_vsock() {
        return Some("its streams are vsock's: of one device for the whole guest");
    }
    let mut steps = script.lanes_of(Side::Target).flat_map(|lane| &lane.steps);
    steps.find_map(|step| match step.op {
        Op::KernelLog { .. } => Some("it reads the guest's kernel log"),
        Op::Trace { .. } | Op::Traced { .. } => Some("it traces the guest's kernel"),
        Op::Fork { .. } => Some("it starts processes in the guest"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rig_protocol::{Lane, Step};

    use super::*;
    use crate::configuration::Localtime;
    use crate::matrix::{Matrix, Selection};
    use crate::path::{Fault, Medium};

    /// The base scenario on a tap.
    fn cell() -> Cell {
        let cells = Matrix::load(None).expect("shipped").cells(&Selection::default()).expect("valid");
        let is_it = |cell: &Cell| {
            cell.subject.configuration.name == "virtio-tap"
                && cell.subject.scenario == "rst"
                && cell.is_plain()
        };
        cells.into_iter().find(is_it).expect("shipped")
    }

    fn with(change: impl FnOnce(&mut Cell)) -> Result<BootKey, &'static str> {
        let mut cell = cell();
        change(&mut cell);
        shares_boot(&cell)
    }

    fn on_path(change: impl FnOnce(&mut PathSpec)) -> Result<BootKey, &'static str> {
        with(|cell| change(&mut cell.subject.path))
    }

    fn on_guest(change: impl FnOnce(&mut QemuSpec)) -> Result<BootKey, &'static str> {
        with(|cell| match &mut cell.subject.configuration.target {
            TargetSpec::Qemu(spec) => change(spec),
            TargetSpec::Host(_) => panic!("a guest"),
        })
    }

    fn playing(op: Op) -> Result<BootKey, &'static str> {
        let lane = Lane { name: "client".into(), side: Side::Target, steps: vec![Step::of(op)] };
        with(|cell| cell.subject.script = Arc::new(Script { lanes: vec![lane], ..Script::default() }))
    }

    #[test]
    fn cells_share_what_they_are_booted_with_and_nothing_else_matters() {
        let key = shares_boot(&cell()).expect("a plain cell");
        let same = [
            with(|cell| cell.subject.scenario = "other".into()),
            with(|cell| cell.subject.configuration.name = "other".into()),
            on_guest(|spec| spec.timezone = Some("UTC0".into())),
            on_path(|path| path.name = "other".into()),
            playing(Op::ProcNetTcp { socket: rig_protocol::Slot(0) }),
            on_path(|path| path.faults.push(fault(FaultKind::HostGone))),
        ];
        assert!(same.iter().all(|other| other.as_ref() == Ok(&key)), "{same:#?}");
        let others = [
            with(|cell| cell.subject.kernel = "6.99".into()),
            on_guest(|spec| spec.localtime = Localtime::Absent),
            on_guest(|spec| spec.vcpus += 1),
            on_guest(|spec| spec.nic.backend = NicBackend::TapVhost),
            on_guest(|spec| spec.tuning.gro = Some(false)),
            on_path(|path| path.mtu_bytes -= 1),
        ];
        assert!(others.iter().all(|other| other.as_ref().is_ok_and(|other| *other != key)), "{others:#?}");
    }

    fn fault(kind: FaultKind) -> Fault {
        Fault { name: "f".into(), kind, after_ns: 0, for_ns: 0, every_ns: 0 }
    }

    #[test]
    fn what_would_outlive_a_block_has_a_guest_of_its_own() {
        let setting = || ("net.ipv4.tcp_sack".to_owned(), "0".to_owned());
        let refused = [
            with(|cell| cell.subject.configuration.target = TargetSpec::plain_host()),
            with(|cell| cell.repeats = Some(cell.id.clone())),
            on_guest(|spec| spec.nic.backend = NicBackend::User),
            on_guest(|spec| spec.nic.backend = NicBackend::Socket),
            on_guest(|spec| spec.tuning.sysctl.extend([setting()])),
            on_path(|path| path.medium = Medium::Loopback),
            on_path(|path| path.sysctl.target.extend([setting()])),
            on_path(|path| path.family = Family::Ipv6),
            on_path(|path| path.faults.push(fault(FaultKind::Pause))),
            on_path(|path| path.faults.push(fault(FaultKind::LinkDown))),
            playing(Op::KernelLog { contains: "x".into() }),
            playing(Op::Trace { event: "x".into() }),
            with(|cell| {
                let program = Some(Box::new(rig_protocol::Program::default()));
                cell.subject.script = Arc::new(Script { program, ..Script::default() });
            }),
        ];
        let reasons: Vec<_> = refused.iter().filter_map(|refused| refused.as_ref().err()).collect();
        assert_eq!(reasons.len(), refused.len(), "{refused:#?}");
    }

    /// The path of the shipped matrix that has a rule in the guest.
    #[test]
    fn rules_in_the_guest_end_with_it() {
        let matrix = Matrix::load(None).expect("shipped");
        let path = matrix.paths().find(|path| path.name == "reject-on-client").expect("shipped").clone();
        assert_eq!(on_path(|own| *own = path), Err("its path has packet filter rules in the guest"));
    }
}
