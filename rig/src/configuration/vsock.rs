//! Between which ends a vsock stream leads, and why it does not lead between others.
//!
//! Pure. Must not know CIDs or descriptors. Units: none. Errors: [`Lack`], which blames a configuration and a path that do not go with the
//! scenario, or the host. Source: vsock(7). Tests: below.

use rig_protocol::Script;

use super::abilities::Abilities;
use super::declared::TargetSpec;
use super::lack::{Lack, NoVsock};
use super::requirement::{PeerSeat, peer_seat};
use crate::path::{FaultKind, Part, PathSpec, Work};

impl Abilities {
    /// Why a script over vsock cannot be played between this target and its peer here, or `None`; nor a path that resets vsock's transport.
    pub fn lack_vsock(&self, script: &Script, target: &TargetSpec, path: &PathSpec) -> Option<Lack> {
        let resets = path.faults.iter().any(|fault| fault.kind == FaultKind::VsockReset);
        if !script.is_over_vsock() && !resets {
            return None;
        }
        let no = |why| Some(Lack::Vsock { why, path: path.name.clone() });
        let device = target.tuning().vsock;
        // A disturbance of the machine meets whatever it does; all else is on a network.
        let idle = path.parts().into_iter().map(Part::work).find(|work| *work != Work::Machine);
        if resets && !device {
            return no(NoVsock::NoDevice);
        }
        if let Some(work) = idle {
            return no(NoVsock::NotOnPath(work.words()));
        }
        match (target, peer_seat(target, path)) {
            (TargetSpec::Host(_), PeerSeat::Host | PeerSeat::Guest) => no(NoVsock::SameHost),
            (TargetSpec::Host(_), PeerSeat::Target) => {
                self.vsock_loopback.clone().err().map(Lack::VsockLoopback)
            }
            (TargetSpec::Qemu(_), PeerSeat::Guest) => no(NoVsock::BetweenGuests),
            (TargetSpec::Qemu(_), PeerSeat::Host) if !device => no(NoVsock::NoDevice),
            (TargetSpec::Qemu(_), PeerSeat::Host | PeerSeat::Target) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Callee, Family, Lane, Op, Side, Slot, Step};

    use serde_json::json;

    use super::*;
    use crate::configuration::{NicBackend, Tuning};
    use crate::middlebox::Impairment;
    use crate::path::{Fault, Impairments, Mechanism, Medium, Unable};

    fn able() -> Abilities {
        Abilities::everything()
    }

    fn guest(backend: NicBackend) -> TargetSpec {
        let guest = json!({
            "kind": "qemu", "accelerator": "auto", "machine": "q35", "vcpus": 2, "memory_mib": 256,
            "nic": { "model": "virtio-net", "backend": backend, "queues": 1 }, "localtime": "present"
        });
        serde_json::from_value(guest).expect("a guest")
    }

    fn plain() -> PathSpec {
        PathSpec::plain("p", 1500)
    }

    fn fault(kind: FaultKind) -> Fault {
        Fault { name: "f".into(), kind, after_ns: 0, for_ns: 0, every_ns: 0 }
    }

    fn impaired() -> PathSpec {
        let to_target = Impairment { delay_ns: 1, ..Impairment::none() };
        let mechanism = Mechanism::Auto;
        let impairments = Impairments { mechanism, to_peer: Impairment::none(), to_target };
        PathSpec { impairments: Some(impairments), ..plain() }
    }

    #[test]
    fn a_vsock_stream_leads_from_a_guest_with_the_device_to_its_host_or_stays_in_one_kernel() {
        let connect = Op::Connect {
            socket: Slot(0),
            to: Callee::Server,
            nonblock: false,
            descriptor: None,
            family: Family::Vsock,
        };
        let lane = |op| Lane { name: "client".into(), side: Side::Target, steps: vec![Step::of(op)] };
        let script = |op| Script { lanes: vec![lane(op)], ..Script::default() };
        let over = script(connect);
        let with = |backend| guest(backend).tuned(Tuning { vsock: true, ..Tuning::default() });
        let (host, tap) = (TargetSpec::plain_host(), guest(NicBackend::Tap));
        let loopback = PathSpec { medium: Medium::Loopback, ..plain() };
        let lacking = |able: &Abilities, target: &TargetSpec, path: &PathSpec| {
            able.lack_vsock(&over, target, path).map(|lack| match lack {
                Lack::Vsock { why, .. } => why.to_string(),
                other => other.word().to_owned(),
            })
        };
        assert_eq!(lacking(&able(), &with(NicBackend::Tap), &plain()), None);
        assert_eq!(lacking(&able(), &tap, &loopback), None, "within one guest no device is needed");
        assert_eq!(lacking(&able(), &host, &loopback), None);
        let paused = PathSpec { faults: vec![fault(FaultKind::Pause)], ..plain() };
        assert_eq!(lacking(&able(), &with(NicBackend::Tap), &paused), None);
        let none = Abilities { vsock_loopback: Err(Unable::VsockLoopback("no".into())), ..able() };
        for (able, target, path, words) in [
            (&able(), &host, &plain(), NoVsock::SameHost.to_string()),
            (&able(), &tap, &plain(), NoVsock::NoDevice.to_string()),
            (&able(), &with(NicBackend::Socket), &plain(), NoVsock::BetweenGuests.to_string()),
            (
                &able(),
                &with(NicBackend::Tap),
                &impaired(),
                NoVsock::NotOnPath(Work::Impairment.words()).to_string(),
            ),
            (&none, &host, &loopback, "vsock".to_owned()),
        ] {
            assert_eq!(lacking(able, target, path), Some(words));
        }
        let no_device = Abilities { vhost_vsock: Err(Unable::NoVhostVsock), ..able() };
        assert_eq!(no_device.lack(&with(NicBackend::Tap)), Some(Lack::VhostVsock(Unable::NoVhostVsock)));
        assert_eq!(no_device.lack(&tap), None);
        // A reset of the transport needs one; a script over TCP needs nothing else.
        let reset = PathSpec { faults: vec![fault(FaultKind::VsockReset)], ..plain() };
        let tcp = script(Op::connect(Slot(0)));
        let word = |target| able().lack_vsock(&tcp, target, &reset).map(|lack| lack.word());
        assert_eq!(
            [word(&host), word(&tap), word(&with(NicBackend::Tap))],
            [Some("vsock"), Some("vsock"), None]
        );
        assert_eq!(able().lack_vsock(&tcp, &host, &plain()), None);
    }
}
