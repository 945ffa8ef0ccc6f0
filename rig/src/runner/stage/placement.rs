//! Where the two ends of a block are: the few placements that there are, and what follows from each.
//!
//! Pure. Must not know what runs there. Units: none.
//! Errors: [`VoidReason`], where a configuration has no place on a path. Tests: below.

use std::net::IpAddr;

use crate::configuration::{NicBackend, PeerSeat, QemuSpec, TargetSpec, lack_between_guests, peer_seat};
use crate::path::{Addressing, Family, PathSpec, TargetLink};
use crate::record::VoidReason;

/// Where target and peer are. A guest comes with its hardware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Placement {
    /// Both on this host, each in a network namespace of its own.
    HostBoth,
    /// Both on this host, in one network namespace: they talk over its loopback.
    HostLoopback,
    /// The target in a guest, the peer on this host.
    GuestAndHost(QemuSpec),
    /// Both in one guest: they talk over its loopback.
    GuestLoopback(QemuSpec),
    /// Each in a guest of its own; a pair of sockets joins the two.
    Pair(QemuSpec),
}

impl Placement {
    /// The placement of this target at the end of this path.
    pub(super) fn of(target: &TargetSpec, path: &PathSpec) -> Result<Self, VoidReason> {
        if let Some(why) = lack_between_guests(target, path) {
            return Err(VoidReason::Other(why.to_string()));
        }
        Ok(match (target, peer_seat(target, path)) {
            (TargetSpec::Host(_), PeerSeat::Host | PeerSeat::Guest) => Self::HostBoth,
            (TargetSpec::Host(_), PeerSeat::Target) => Self::HostLoopback,
            (TargetSpec::Qemu(spec), PeerSeat::Host) => Self::GuestAndHost(spec.clone()),
            (TargetSpec::Qemu(spec), PeerSeat::Target) => Self::GuestLoopback(spec.clone()),
            (TargetSpec::Qemu(spec), PeerSeat::Guest) => Self::Pair(spec.clone()),
        })
    }

    /// The hardware of its guests; `None` where both ends are on this host.
    pub(super) fn guest(&self) -> Option<&QemuSpec> {
        match self {
            Self::HostBoth | Self::HostLoopback => None,
            Self::GuestAndHost(spec) | Self::GuestLoopback(spec) | Self::Pair(spec) => Some(spec),
        }
    }

    /// How the target is joined to the testbed.
    pub(super) fn link(&self) -> TargetLink {
        let Some(QemuSpec { nic, .. }) = self.guest() else { return TargetLink::Veth };
        match nic.backend {
            NicBackend::Tap | NicBackend::TapVhost => TargetLink::Tap { queues: nic.queues },
            NicBackend::Macvtap | NicBackend::MacvtapVhost => TargetLink::Macvtap { queues: nic.queues },
            // The proxy connects from the target's namespace, over the same link as a bare-metal client.
            NicBackend::User => TargetLink::Veth,
            NicBackend::Passt => TargetLink::Passt,
            NicBackend::Socket => TargetLink::Socket,
        }
    }

    /// The address at which the target finds its peer.
    pub(super) fn peer_address(&self, family: Family) -> IpAddr {
        match self {
            Self::HostBoth | Self::GuestAndHost(_) | Self::Pair(_) => Addressing::default().peer_by(family),
            Self::HostLoopback | Self::GuestLoopback(_) => Addressing::default().target_by(family),
        }
    }

    /// The target's name of its measured interface, and whether that is a guest's.
    pub(super) fn interface(&self) -> (&'static str, bool) {
        match self {
            Self::HostBoth | Self::HostLoopback => ("target0", false),
            // As the guest's init names it.
            Self::GuestAndHost(_) | Self::GuestLoopback(_) | Self::Pair(_) => ("data", true),
        }
    }

    /// Whether no interface of the testbed carries what the two ends say: they are two guests, or one kernel.
    pub(super) fn passes_unseen(&self) -> bool {
        match self {
            Self::HostBoth | Self::GuestAndHost(_) => false,
            Self::HostLoopback | Self::GuestLoopback(_) | Self::Pair(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::{Accelerator, Hardware, Localtime, Nic, NicModel, Tuning};
    use crate::path::Medium;

    fn guest(backend: NicBackend, queues: u32) -> QemuSpec {
        QemuSpec {
            accelerator: Accelerator::Auto,
            machine: "q35".into(),
            vcpus: 1,
            memory_mib: 256,
            nic: Nic { model: NicModel::VirtioNet, backend, queues },
            localtime: Localtime::Present,
            timezone: None,
            disk: None,
            tuning: Tuning::default(),
            hardware: Hardware::default(),
        }
    }

    fn link() -> PathSpec {
        PathSpec::plain("link", 1500)
    }

    fn loopback() -> PathSpec {
        PathSpec { medium: Medium::Loopback, ..PathSpec::plain("loopback", 1500) }
    }

    fn placed(backend: NicBackend, path: &PathSpec) -> Placement {
        Placement::of(&TargetSpec::Qemu(guest(backend, 1)), path).unwrap()
    }

    #[test]
    fn each_target_has_its_placement_on_each_medium() {
        let host = |path| Placement::of(&TargetSpec::plain_host(), &path).unwrap();
        assert_eq!(host(link()), Placement::HostBoth);
        assert_eq!(host(loopback()), Placement::HostLoopback);
        for backend in [NicBackend::Tap, NicBackend::TapVhost, NicBackend::User] {
            assert_eq!(placed(backend, &link()), Placement::GuestAndHost(guest(backend, 1)));
            assert_eq!(placed(backend, &loopback()), Placement::GuestLoopback(guest(backend, 1)));
        }
        assert_eq!(placed(NicBackend::Socket, &link()), Placement::Pair(guest(NicBackend::Socket, 1)));
    }

    #[test]
    fn two_guests_have_no_place_on_a_loopback() {
        let pair = TargetSpec::Qemu(guest(NicBackend::Socket, 1));
        let why = Placement::of(&pair, &loopback()).unwrap_err().to_string();
        assert!(why.starts_with("path `loopback` is a loopback"), "{why}");
    }

    #[test]
    fn only_what_passes_an_interface_of_the_testbed_is_seen_and_only_a_loopback_calls_itself() {
        let Addressing { target, peer, .. } = Addressing::default();
        for (placement, unseen, address) in [
            (Placement::HostBoth, false, peer),
            (Placement::HostLoopback, true, target),
            (placed(NicBackend::Tap, &link()), false, peer),
            (placed(NicBackend::Tap, &loopback()), true, target),
            (placed(NicBackend::Socket, &link()), true, peer),
        ] {
            assert_eq!(
                (placement.passes_unseen(), placement.peer_address(Family::Ipv4)),
                (unseen, IpAddr::from(address)),
                "{placement:?}"
            );
        }
    }

    #[test]
    fn the_link_follows_the_backend() {
        let of = |backend, queues| Placement::GuestAndHost(guest(backend, queues)).link();
        assert_eq!(of(NicBackend::Tap, 2), TargetLink::Tap { queues: 2 });
        assert_eq!(of(NicBackend::TapVhost, 1), TargetLink::Tap { queues: 1 });
        assert_eq!(of(NicBackend::Macvtap, 2), TargetLink::Macvtap { queues: 2 });
        assert_eq!(of(NicBackend::MacvtapVhost, 1), TargetLink::Macvtap { queues: 1 });
        assert_eq!(of(NicBackend::User, 1), TargetLink::Veth);
        assert_eq!(of(NicBackend::Passt, 1), TargetLink::Passt);
        assert_eq!(of(NicBackend::Socket, 1), TargetLink::Socket);
        assert_eq!(Placement::HostLoopback.link(), TargetLink::Veth);
    }
}
