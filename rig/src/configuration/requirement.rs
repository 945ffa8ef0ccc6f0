//! What a configuration and a path need of the host, and what of it is missing.
//!
//! Pure: the host is described, not looked at. Must not know cells. Units: none.
//! Errors: [`Lack`], the first that applies; the cells that need what is missing are skipped with it.
//! Tests: below.

use rig_protocol::Script;

use super::abilities::Abilities;
use super::accelerator::{Engine, Resolved};
use super::declared::{Accelerator, QemuSpec, TargetSpec};
use super::lack::{Lack, PathPart};
use super::nic::NicBackend;
use super::qemu::QemuVersion;
use super::supported;
use crate::path::{Family, FaultKind, Impairments, Mechanism, Medium, Part, PathSpec, Place, Rule, Work};

impl Abilities {
    /// Why a target of this kind cannot be had here, or `None`.
    pub fn lack(&self, target: &TargetSpec) -> Option<Lack> {
        if let Err(why) = &self.namespaces {
            return Some(Lack::Namespaces(why.clone()));
        }
        let spec = match target {
            TargetSpec::Host(_) => return self.private_etc.clone().err().map(Lack::PrivateEtc),
            TargetSpec::Qemu(spec) => spec,
        };
        let version = match &self.qemu {
            Ok(qemu) => &qemu.version,
            Err(why) => return Some(Lack::Qemu(why.clone())),
        };
        if let Err(unsupported) = supported::check(spec) {
            return Some(Lack::Unsupported(unsupported));
        }
        if let Some(lack) = self.lack_of_qemu(spec) {
            return Some(lack);
        }
        if let (Accelerator::Kvm, Some(Resolved { engine: Engine::Tcg, reason })) =
            (spec.accelerator, &self.accelerator)
        {
            return Some(Lack::Kvm { reason: reason.clone() });
        }
        if let (true, Err(why)) = (spec.tuning.vsock, &self.vhost_vsock) {
            return Some(Lack::VhostVsock(why.clone()));
        }
        if let (true, Err(why)) = (spec.nic.backend.has_vhost(), &self.vhost_net) {
            return Some(Lack::VhostNet(why.clone()));
        }
        match spec.nic.backend {
            NicBackend::User => None,
            // No tap, no vhost-net, no bridge: what is between the guests is QEMU's and rig's own.
            NicBackend::Socket => lack_sockets(version, "datagram link between guests"),
            NicBackend::Passt => {
                let missing = self.passt.as_ref().err().map(|why| Lack::Passt(why.clone()));
                missing.or_else(|| lack_sockets(version, "stream link to passt"))
            }
            NicBackend::Tap | NicBackend::TapVhost => self.lack_tap(spec.nic.queues),
            NicBackend::Macvtap | NicBackend::MacvtapVhost => {
                self.macvtap.as_ref().err().map(|why| Lack::Macvtap(why.clone()))
            }
        }
    }

    /// What the configuration's own QEMU is not, or has not: a device that came with a later version, KVM for the host's processor.
    fn lack_of_qemu(&self, spec: &QemuSpec) -> Option<Lack> {
        let host_cpu = spec.hardware.cpu.as_ref().is_some_and(|cpu| cpu.split(',').next() == Some("host"));
        if let (true, Some(Resolved { engine: Engine::Tcg, reason })) = (host_cpu, &self.accelerator) {
            return Some(Lack::Kvm { reason: reason.clone() });
        }
        match self.offers.get(&spec.hardware.qemu)? {
            Err(why) => Some(Lack::Qemu(why.clone())),
            Ok(offer) if offer.has(spec.nic.model) => None,
            Ok(offer) => {
                let version = offer.version.number().map_or(offer.version.0.as_str(), |(number, _)| number);
                Some(Lack::Device { version: version.to_owned(), device: spec.nic.model.device() })
            }
        }
    }

    /// Why this target cannot be had at the end of this path here, or `None`.
    pub fn lack_of(&self, target: &TargetSpec, path: &PathSpec) -> Option<Lack> {
        self.lack(target).or_else(|| self.lack_path(path, target))
    }

    /// What of this path cannot be had here for this target.
    pub fn lack_path(&self, path: &PathSpec, target: &TargetSpec) -> Option<Lack> {
        lack_between_guests(target, path)
            .or_else(|| lack_of_segments(path, target))
            .or_else(|| lack_of_vcpus(path, target))
            .or_else(|| self.lack_haproxy(path))
            .or_else(|| self.lack_nft(path, target))
            .or_else(|| self.lack_nat(path))
            .or_else(|| self.lack_bridge_conntrack(path))
            .or_else(|| self.lack_netem(path))
    }

    fn lack_haproxy(&self, path: &PathSpec) -> Option<Lack> {
        let why = path.haproxy.as_ref().and(self.mechanisms.haproxy.as_ref().err())?;
        Some(Lack::HaProxy(why.clone()))
    }

    fn lack_nat(&self, path: &PathSpec) -> Option<Lack> {
        let why = path.nat.as_ref().and(self.mechanisms.nat.as_ref().err())?;
        Some(Lack::Nat(why.clone()))
    }

    fn lack_bridge_conntrack(&self, path: &PathSpec) -> Option<Lack> {
        let why = self.mechanisms.bridge_conntrack.as_ref().err()?;
        if path.nat.is_some() {
            return None;
        }
        let rule = path.rules.iter().find(|rule| rule.at == Place::Switch && rule.select.invalid)?;
        Some(Lack::BridgeConntrack { rule: rule.name.clone(), why: why.clone() })
    }

    fn lack_nft(&self, path: &PathSpec, target: &TargetSpec) -> Option<Lack> {
        let why = self.mechanisms.nft.as_ref().err()?;
        // A guest's own rules are made by the guest's nft.
        let here = |rule: &&Rule| rule.at != Place::Target || target.is_host();
        let rule = path.rules.iter().find(here)?;
        Some(Lack::Nft { rule: rule.name.clone(), why: why.clone() })
    }

    fn lack_netem(&self, path: &PathSpec) -> Option<Lack> {
        let Impairments { mechanism, .. } = path.impairments.as_ref()?;
        let why = self.mechanisms.netem.as_ref().err()?;
        match mechanism {
            Mechanism::Middlebox => None,
            Mechanism::Netem => Some(Lack::Netem(why.clone())),
            // The own middlebox does it instead; but a rule of the kernel's bridge sees no frame that it takes.
            Mechanism::Auto => {
                let rule = path.rules.iter().find(|rule| excluded_by_middlebox(path, rule))?;
                Some(Lack::Bridge { rule: rule.name.clone(), why: why.clone() })
            }
        }
    }

    fn lack_tap(&self, queues: u32) -> Option<Lack> {
        let tap = if queues > 1 { &self.tap_multiqueue } else { &self.tap };
        tap.as_ref().err().map(|why| Lack::Tap(why.clone()))
    }
}

fn excluded_by_middlebox(path: &PathSpec, rule: &Rule) -> bool {
    path.part_of_rule(rule).work().excludes(Work::Middlebox)
}

/// A proxy (libslirp in QEMU, passt) ends the guest's TCP and opens a connection of its own. What acts on segments on the way acts on that one: no segment
/// that is lost, held or forged there is ever one of the guest's, though the mechanism's counter rises. So such cells would claim a fault
/// that did not reach the measured kernel; a rule at the target would be put where the proxy's connection ends, too. What acts on the guest itself (its
/// vCPUs, its NIC's carrier) is left.
fn lack_of_segments(path: &PathSpec, target: &TargetSpec) -> Option<Lack> {
    let by = target.proxy()?;
    if path.family == Family::Ipv6 {
        return Some(Lack::UserNetworking { by, part: PathPart::Ipv6, path: path.name.clone() });
    }
    let work = path.parts().into_iter().map(Part::work).find(|work| work.acts_on_segments())?;
    let part = match work {
        Work::Impairment => PathPart::Impairments,
        Work::HaProxy => PathPart::HaProxy,
        Work::Router => PathPart::Nat,
        Work::Middlebox => PathPart::Middlebox,
        Work::Bridge | Work::End => PathPart::Rule(path.rules.first()?.name.clone()),
        Work::Carrier | Work::Machine | Work::Part => return None,
    };
    Some(Lack::UserNetworking { by, part, path: path.name.clone() })
}

/// Why a script with a listener of the trial's own cannot be played over this path: both ends compute its port from the port of the client, which
/// whoever ends TCP between them replaces by one of their own.
pub fn lack_of_own_port(script: &Script, target: &TargetSpec, path: &PathSpec) -> Option<Lack> {
    let listens = script.lanes.iter().flat_map(|lane| &lane.steps).any(|step| step.op.listens());
    let by = target.proxy().or_else(|| path.haproxy.as_ref().map(|_| "HAProxy"))?;
    listens.then(|| Lack::OwnPort { by, path: path.name.clone() })
}

/// The host's own kernel runs the host's target.
fn lack_of_vcpus(path: &PathSpec, target: &TargetSpec) -> Option<Lack> {
    if !target.is_host() {
        return None;
    }
    let fault = path.faults.iter().find(|fault| fault.kind == FaultKind::Pause)?;
    Some(Lack::Pause { fault: fault.name.clone() })
}

/// Where the peer's kernel runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerSeat {
    /// On the host, in a network namespace of its own.
    Host,
    /// In a second guest like the target's.
    Guest,
    /// It is the target's: the two talk over its loopback.
    Target,
}

/// Where the peer of this target is, at the end of this path.
pub fn peer_seat(target: &TargetSpec, path: &PathSpec) -> PeerSeat {
    match path.medium {
        Medium::Loopback => PeerSeat::Target,
        Medium::Link if target.is_paired() => PeerSeat::Guest,
        Medium::Link => PeerSeat::Host,
    }
}

/// Why this target cannot be at the end of this path, or `None`: between two guests on a pair of sockets there is no place where a bridge, a
/// middlebox or a rule could be, and nothing but their link is what such a configuration is for.
pub fn lack_between_guests(target: &TargetSpec, path: &PathSpec) -> Option<Lack> {
    let name = || path.name.clone();
    match path.medium {
        _ if !target.is_paired() || path.is_plain() => None,
        Medium::Loopback => Some(Lack::LoopbackBetweenGuests { path: name() }),
        Medium::Link => Some(Lack::NotPlainBetweenGuests { path: name() }),
    }
}

/// `-netdev dgram` and `-netdev stream` came with QEMU 7.2. A version that cannot be read is tried.
fn lack_sockets(version: &QemuVersion, what: &'static str) -> Option<Lack> {
    let (number, found) = version.number()?;
    (found < (7, 2)).then(|| Lack::Sockets { version: number.to_owned(), what })
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Lane, Op, Side, Slot, Step};

    use super::*;
    use crate::configuration::{AskedBy, Hardware, Needs, Offer, Offered, QemuProgram, Tuning};
    use crate::configuration::{Localtime, Nic, NicModel};
    use crate::middlebox::{Expiry, Firewall, Impairment, Stranger, Told};
    use crate::path::{
        Fault, HaProxy, Hook, Matches, Mechanisms, OnMarkedDown, RuleSelect, RuleVerdict, Unable, Wanted,
    };

    fn qemu(version: &str) -> Result<QemuProgram, Unable> {
        let executable = Err("no file was looked at".to_owned());
        Ok(QemuProgram { version: QemuVersion(version.to_owned()), executable })
    }

    fn able() -> Abilities {
        Abilities::everything()
    }

    const HAPROXY: Unable = Unable::NotInstalled { program: "haproxy", package: "haproxy" };

    fn no_qemu() -> Unable {
        Unable::NoQemu { program: "qemu", said: "not in PATH".into() }
    }

    /// A host that has nothing to make paths with but a kernel's bridge.
    fn bare() -> Abilities {
        let mechanisms = Mechanisms {
            netem: Err(Unable::NoNetem),
            nft: Err(Unable::Rules("`nft` is not installed".into())),
            bridge_conntrack: Err(Unable::Rules("no nf_conntrack_bridge".into())),
            haproxy: Err(HAPROXY),
            nat: Ok(()),
        };
        Abilities { mechanisms, ..able() }
    }

    fn path() -> PathSpec {
        PathSpec::plain("p", 1500)
    }

    fn impaired(mechanism: Mechanism) -> PathSpec {
        let to_target = Impairment { delay_ns: 1, ..Impairment::none() };
        let impairments = Impairments { mechanism, to_peer: Impairment::none(), to_target };
        PathSpec { impairments: Some(impairments), ..path() }
    }

    fn rule(at: Place) -> Rule {
        Rule {
            name: "r".into(),
            at,
            hook: if at == Place::Switch { Hook::Forward } else { Hook::Input },
            select: RuleSelect::default(),
            verdict: RuleVerdict::Drop,
            matches: Matches::EveryTrial,
        }
    }

    fn fault(kind: FaultKind) -> Fault {
        Fault { name: "f".into(), kind, after_ns: 0, for_ns: 0, every_ns: 0 }
    }

    fn haproxy() -> HaProxy {
        HaProxy {
            check_interval_ns: 1_000_000,
            fall: 1,
            rise: 1,
            on_marked_down: OnMarkedDown::ShutdownSessions,
        }
    }

    fn firewall() -> Firewall {
        Firewall { idle_timeout_ns: 1, expiry: Expiry::AtOnce, reset: Told::Both, stranger: Stranger::Drop }
    }

    fn guest(backend: NicBackend, queues: u32, accelerator: Accelerator) -> TargetSpec {
        TargetSpec::Qemu(QemuSpec {
            accelerator,
            machine: "q35".into(),
            vcpus: 2,
            memory_mib: 256,
            nic: Nic { model: NicModel::VirtioNet, backend, queues },
            localtime: Localtime::Present,
            timezone: None,
            disk: None,
            tuning: Tuning::default(),
            hardware: Hardware::default(),
        })
    }

    #[test]
    fn each_lack_is_named_and_blocks_only_what_needs_it() {
        let lacking = Abilities {
            vhost_net: Err(Unable::NoVhost),
            tap_multiqueue: Err(Unable::TapQueues("one queue only".into())),
            accelerator: Some(Resolved { engine: Engine::Tcg, reason: "no kernel boots".into() }),
            ..able()
        };
        let lack = |backend, queues, accelerator| {
            lacking.lack(&guest(backend, queues, accelerator)).map(|lack| lack.to_string())
        };
        assert_eq!(lacking.lack(&TargetSpec::plain_host()), None);
        assert_eq!(lack(NicBackend::Tap, 1, Accelerator::Auto), None);
        assert_eq!(lack(NicBackend::User, 1, Accelerator::Auto), None);
        assert_eq!(
            lack(NicBackend::TapVhost, 1, Accelerator::Auto).as_deref(),
            Some(
                "no vhost-net: /dev/vhost-net does not exist: the kernel has no vhost_net, or `modprobe vhost_net` is needed"
            )
        );
        assert_eq!(
            lack(NicBackend::Tap, 2, Accelerator::Auto).as_deref(),
            Some("no tap: /dev/net/tun cannot make a tap with two queues: one queue only")
        );
        assert_eq!(
            lack(NicBackend::Tap, 1, Accelerator::Kvm).as_deref(),
            Some("KVM does not function: no kernel boots")
        );
        assert_eq!(lack(NicBackend::Socket, 1, Accelerator::Auto), None);
        assert_eq!(lack(NicBackend::Macvtap, 4, Accelerator::Auto), None, "a macvtap is no tap");
        assert_eq!(
            lack(NicBackend::MacvtapVhost, 1, Accelerator::Auto),
            lack(NicBackend::TapVhost, 1, Accelerator::Auto)
        );
        let beside = Abilities {
            macvtap: Err(Unable::Macvtap("Operation not supported".into())),
            passt: Err(Unable::NotInstalled { program: "passt", package: "passt" }),
            ..able()
        };
        let of = |backend| beside.lack(&guest(backend, 1, Accelerator::Auto)).map(|lack| lack.to_string());
        assert_eq!(
            of(NicBackend::Passt).as_deref(),
            Some("no passt: `passt` is not installed (Debian package passt)")
        );
        assert_eq!(
            of(NicBackend::Macvtap).as_deref(),
            Some(
                "no macvtap: Operation not supported; it needs root outside of a user namespace, and CONFIG_MACVTAP in the kernel, `modprobe macvtap` where that is a module"
            )
        );
        assert_eq!((of(NicBackend::Tap), of(NicBackend::User)), (None, None));
        let nothing = Abilities { tap: Err(Unable::Tap("it is root's".into())), ..lacking.clone() };
        assert_eq!(nothing.lack(&guest(NicBackend::Socket, 1, Accelerator::Auto)), None);
        let none = Abilities { qemu: Err(no_qemu()), ..able() };
        assert_eq!(none.lack(&TargetSpec::plain_host()), None);
        assert_eq!(
            none.lack(&guest(NicBackend::User, 1, Accelerator::Tcg)).map(|lack| lack.to_string()).as_deref(),
            Some("no QEMU: qemu cannot be started (not in PATH); `rig setup` installs it")
        );
    }

    #[test]
    fn a_qemu_that_is_not_there_and_a_device_that_it_has_not_are_lacks_of_this_host() {
        let TargetSpec::Qemu(mut spec) = guest(NicBackend::Tap, 1, Accelerator::Auto) else {
            panic!("a guest")
        };
        spec.nic.model = NicModel::Igb;
        spec.hardware.qemu = Some("/q".into());
        let offer = |devices| {
            let version = QemuVersion("QEMU emulator version 7.2.22 (Debian)".to_owned());
            Offer { version, machines: vec![], cpus: vec![], cpu_properties: Offered::new(), devices }
        };
        let gone = Unable::NotStarted { program: "/q".into(), said: "no such file".into() };
        let with = |answer| {
            let offers = [(Some("/q".into()), answer)].into();
            Abilities { offers, ..able() }.lack(&TargetSpec::Qemu(spec.clone())).map(|lack| lack.to_string())
        };
        assert_eq!(with(Err(gone)).as_deref(), Some("no QEMU: /q cannot be started: no such file"));
        assert_eq!(with(Ok(offer([].into()))).as_deref(), Some("QEMU 7.2.22 has no device igb"));
        assert_eq!(with(Ok(offer([("igb", Offered::new())].into()))), None);
        spec.hardware.cpu = Some("host".into());
        let emulated = Some(Resolved { engine: Engine::Tcg, reason: "no kernel boots".into() });
        let lack = Abilities { accelerator: emulated, ..able() }.lack(&TargetSpec::Qemu(spec));
        assert_eq!(lack.map(|lack| lack.word()), Some("kvm"));
    }

    #[track_caller]
    fn lacks(host: &Abilities, path: &PathSpec, target: &TargetSpec, by: AskedBy<'_>, words: &str) {
        let lack = host.lack_path(path, target).expect("something is lacking");
        assert_eq!(lack.asked_by(), by, "{lack:?}");
        assert!(lack.to_string().contains(words), "{lack}");
        assert_eq!(host.lack_of(target, path), Some(lack));
    }

    #[test]
    fn a_bare_host_lacks_what_a_path_demands_and_nothing_else() {
        let (host, tap) = (TargetSpec::plain_host(), guest(NicBackend::Tap, 1, Accelerator::Auto));
        for target in [&host, &tap] {
            for plain in [path(), impaired(Mechanism::Auto), impaired(Mechanism::Middlebox)] {
                assert_eq!(bare().lack_path(&plain, target), None, "{plain:?}");
            }
            lacks(
                &bare(),
                &impaired(Mechanism::Netem),
                target,
                AskedBy::Mechanism,
                "no netem: the kernel has no sch_netem",
            );
            let path = PathSpec { haproxy: Some(haproxy()), ..path() };
            lacks(&bare(), &path, target, AskedBy::HaProxy, "no HAProxy: `haproxy` is not installed");
        }
        for at in Place::ALL {
            let path = PathSpec { rules: vec![rule(at)], ..path() };
            lacks(&bare(), &path, &host, AskedBy::Rule("r"), "cannot be loaded: `nft` is not installed");
            match at {
                Place::Target => assert_eq!(bare().lack_path(&path, &tap), None, "the guest has its own nft"),
                Place::Peer | Place::Switch => lacks(&bare(), &path, &tap, AskedBy::Rule("r"), "no nft"),
            }
        }
        for path in [
            impaired(Mechanism::Netem),
            PathSpec { haproxy: Some(haproxy()), ..path() },
            PathSpec { rules: Place::ALL.map(rule).to_vec(), ..path() },
        ] {
            assert_eq!(able().lack_path(&path, &host), None);
            assert_eq!(able().lack_path(&path, &tap), None);
        }
    }

    #[test]
    fn without_netem_a_rule_of_the_bridge_cannot_stand_beside_an_impairment() {
        let both = |at| PathSpec { rules: vec![rule(at)], ..impaired(Mechanism::Auto) };
        let mut host = bare();
        host.mechanisms.nft = Ok(());
        lacks(
            &host,
            &both(Place::Switch),
            &TargetSpec::plain_host(),
            AskedBy::Rule("r"),
            "would replace the bridge",
        );
        assert_eq!(host.lack_path(&both(Place::Peer), &TargetSpec::plain_host()), None);
        assert_eq!(able().lack_path(&both(Place::Switch), &TargetSpec::plain_host()), None);
    }

    #[test]
    fn only_an_invalid_rule_on_the_bridge_needs_conntrack_there() {
        let mut host = bare();
        host.mechanisms.nft = Ok(());
        let at = |at| {
            let select = RuleSelect { invalid: true, ..RuleSelect::default() };
            PathSpec { rules: vec![Rule { select, ..rule(at) }], ..path() }
        };
        lacks(
            &host,
            &at(Place::Switch),
            &TargetSpec::plain_host(),
            AskedBy::Rule("r"),
            "no nf_conntrack_bridge",
        );
        assert_eq!(host.lack_path(&at(Place::Peer), &TargetSpec::plain_host()), None);
        assert_eq!(
            host.lack_path(
                &PathSpec { rules: vec![rule(Place::Switch)], ..path() },
                &TargetSpec::plain_host()
            ),
            None
        );
    }

    #[test]
    fn only_a_guest_can_be_paused() {
        let paused = PathSpec { faults: vec![fault(FaultKind::Pause)], ..path() };
        lacks(&able(), &paused, &TargetSpec::plain_host(), AskedBy::Fault("f"), "a host cannot be paused");
        assert_eq!(bare().lack_path(&paused, &guest(NicBackend::Tap, 1, Accelerator::Auto)), None);
        let flapping = PathSpec { faults: vec![fault(FaultKind::LinkDown)], ..path() };
        assert_eq!(bare().lack_path(&flapping, &TargetSpec::plain_host()), None);
    }

    #[test]
    fn what_acts_on_segments_never_reaches_a_guest_behind_a_proxy() {
        let [user, passt] =
            [NicBackend::User, NicBackend::Passt].map(|backend| guest(backend, 1, Accelerator::Auto));
        for acting in [
            impaired(Mechanism::Auto),
            PathSpec { haproxy: Some(haproxy()), ..path() },
            PathSpec { firewall: Some(firewall()), ..path() },
            PathSpec { faults: vec![fault(FaultKind::HostGone)], ..path() },
            PathSpec { rules: vec![rule(Place::Target)], ..path() },
            PathSpec { rules: vec![rule(Place::Switch)], ..path() },
            PathSpec { rules: vec![rule(Place::Peer)], ..path() },
        ] {
            lacks(&able(), &acting, &user, AskedBy::Path, "QEMU's user network ends the guest's TCP");
            lacks(&able(), &acting, &passt, AskedBy::Path, "passt ends the guest's TCP");
        }
        for reaching in [
            path(),
            PathSpec { faults: vec![fault(FaultKind::Pause), fault(FaultKind::LinkDown)], ..path() },
            PathSpec { faults: vec![fault(FaultKind::Contention { threads_per_cpu: 1 })], ..path() },
        ] {
            for proxied in [&user, &passt] {
                assert_eq!(bare().lack_path(&reaching, proxied), None, "{reaching:?}");
            }
        }
    }

    #[test]
    fn a_listener_of_the_trials_own_is_not_reached_through_an_end_of_tcp_between() {
        let listen = Op::Listen { socket: Slot(0), backlog: 1 };
        let lane = |op| Lane { name: "peer".into(), side: Side::Peer, steps: vec![Step::of(op)] };
        let script = |op| Script { lanes: vec![lane(op)], ..Script::default() };
        let (user, host) = (guest(NicBackend::User, 1, Accelerator::Auto), TargetSpec::plain_host());
        let balanced = PathSpec { haproxy: Some(haproxy()), ..path() };
        let of = |target: &TargetSpec, path: &PathSpec| {
            lack_of_own_port(&script(listen.clone()), target, path).map(|lack| lack.word())
        };
        assert_eq!([of(&user, &path()), of(&host, &balanced)], [Some("own-port"); 2]);
        assert_eq!(of(&host, &path()), None);
        // Only the listener needs the port.
        assert_eq!(lack_of_own_port(&script(Op::connect(Slot(0))), &user, &path()), None);
    }

    #[test]
    fn a_target_that_cannot_be_had_is_the_first_reason() {
        let host = Abilities { qemu: Err(no_qemu()), ..bare() };
        let path = impaired(Mechanism::Netem);
        let user = guest(NicBackend::User, 1, Accelerator::Auto);
        assert_eq!(host.lack_of(&user, &path), Some(Lack::Qemu(no_qemu())));
    }

    #[test]
    fn a_pair_of_guests_needs_a_qemu_that_can_join_them() {
        let lack = |version: &str| {
            Abilities { qemu: qemu(version), ..able() }.lack(&guest(NicBackend::Socket, 1, Accelerator::Auto))
        };
        assert_eq!(lack("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)"), None);
        assert_eq!(lack("QEMU emulator version 10.0.2"), None);
        assert_eq!(lack("QEMU emulator, of my own making"), None);
        assert_eq!(
            lack("QEMU emulator version 5.2.0 (Debian 1:5.2+dfsg-11)")
                .map(|lack| lack.to_string())
                .as_deref(),
            Some("QEMU 5.2.0 has no datagram link between guests; version 7.2 has one")
        );
        assert!(lack("QEMU emulator version 7.1.94 (v7.2.0-rc4)").is_some());
    }

    #[test]
    fn only_a_plain_path_fits_between_two_guests() {
        let plain = PathSpec::plain("direct", 9000);
        let none = || Impairment::none();
        let delayed = PathSpec {
            impairments: Some(Impairments {
                mechanism: Mechanism::Auto,
                to_peer: none(),
                to_target: Impairment { delay_ns: 1, ..none() },
            }),
            ..PathSpec::plain("slow", 1500)
        };
        let pair = guest(NicBackend::Socket, 1, Accelerator::Auto);
        assert_eq!(lack_between_guests(&pair, &plain), None);
        assert!(
            lack_between_guests(&pair, &delayed).unwrap().to_string().starts_with("path `slow` is not plain")
        );
        let loopback = PathSpec { medium: Medium::Loopback, ..PathSpec::plain("lo", 1500) };
        assert!(
            lack_between_guests(&pair, &loopback).unwrap().to_string().starts_with("path `lo` is a loopback")
        );
        assert_eq!(peer_seat(&pair, &plain), PeerSeat::Guest);
        assert_eq!(peer_seat(&TargetSpec::plain_host(), &delayed), PeerSeat::Host);
        assert_eq!(peer_seat(&TargetSpec::plain_host(), &loopback), PeerSeat::Target);
        for other in [TargetSpec::plain_host(), guest(NicBackend::Tap, 1, Accelerator::Auto)] {
            assert_eq!(lack_between_guests(&other, &delayed), None);
        }
    }

    #[test]
    fn without_a_private_etc_there_is_no_host_and_there_are_guests() {
        let why = Unable::PrivateEtc("EPERM".into());
        let host = Abilities { private_etc: Err(why.clone()), ..able() };
        assert_eq!(host.lack(&TargetSpec::plain_host()), Some(Lack::PrivateEtc(why.clone())));
        assert_eq!(host.lack(&guest(NicBackend::Tap, 1, Accelerator::Auto)), None);
        let said = Lack::PrivateEtc(why).to_string();
        assert_eq!(said, "no private mounts: a program cannot be given a private /etc: EPERM");
    }

    #[test]
    fn only_what_somebody_could_need_is_looked_for() {
        let (host, user) = (TargetSpec::plain_host(), guest(NicBackend::User, 1, Accelerator::Auto));
        let plain = path();
        assert_eq!(Needs::of([(&user, &plain)]), Needs::default());
        assert_eq!(Needs::of([(&host, &plain)]), Needs { private_etc: true, ..Needs::default() });
        let tap = guest(NicBackend::Tap, 1, Accelerator::Auto);
        assert_eq!(Needs::of([(&tap, &plain)]), Needs { tap: true, ..Needs::default() });
        let several = guest(NicBackend::TapVhost, 2, Accelerator::Auto);
        let needs = Needs { vhost_net: true, tap_multiqueue: true, ..Needs::default() };
        assert_eq!(Needs::of([(&several, &plain)]), needs);
        let wanted = |path: &PathSpec| Needs::of([(&host, path)]).mechanisms;
        assert_eq!(wanted(&impaired(Mechanism::Middlebox)), Wanted::default());
        assert_eq!(wanted(&impaired(Mechanism::Auto)), Wanted { netem: true, ..Wanted::default() });
        let proxied = PathSpec { haproxy: Some(haproxy()), ..path() };
        assert_eq!(wanted(&proxied), Wanted { haproxy: true, ..Wanted::default() });
        let ruled = PathSpec { rules: vec![rule(Place::Switch)], ..path() };
        assert_eq!(wanted(&ruled), Wanted { nft: true, ..Wanted::default() });
        let select = RuleSelect { invalid: true, ..RuleSelect::default() };
        let invalid = PathSpec { rules: vec![Rule { select, ..rule(Place::Switch) }], ..path() };
        assert_eq!(wanted(&invalid), Wanted { nft: true, bridge_conntrack: true, ..Wanted::default() });
    }
}
