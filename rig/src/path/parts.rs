//! The parts of a path, what each works on, and so which of them cannot stand on one path: decided here and nowhere else.
//!
//! The matrix file's reader reports it at the keys, the compiler refuses it, and the skipping of cells asks it.
//! Pure. Must not know how a part is made. Units: none. Errors: none. Tests: below; wrong files in `tests/diagnostics/path`.

use super::place::Place;
use super::spec::{FaultKind, PathSpec, Rule};

/// One part of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'p> {
    /// What the link does to every frame.
    Impairment,
    /// A packet-exact rule of the own middlebox.
    Action,
    /// The own firewall.
    Firewall,
    /// The own intrusion prevention system.
    Ips,
    /// The own load balancer.
    Balancer,
    /// HAProxy.
    HaProxy,
    /// Address translation at the switch.
    Nat,
    /// What changes at a moment.
    Fault(&'p FaultKind),
    /// A packet filter rule of the kernel at this place.
    Rule(Place),
    /// A packet filter rule of a switch that translates addresses.
    RouterRule,
}

/// What a part works on, and by which means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// On the frames of the link: netem, or the own middlebox.
    Impairment,
    /// On the segments of a connection: only the own middlebox can.
    Middlebox,
    /// On whole connections: HAProxy ends the target's and opens one of its own.
    HaProxy,
    /// On the addresses of whole connections: the switch routes.
    Router,
    /// On what the kernel's bridge forwards.
    Bridge,
    /// On what an end's own kernel sends and receives.
    End,
    /// On the carrier of the target's link.
    Carrier,
    /// On the machine of the target; nothing that lies between the two ends is touched.
    Machine,
    /// On another part of the path, which does the work.
    Part,
}

/// What cannot stand on one path, and why.
const EXCLUSIONS: &[(Work, Work, &str)] = &[
    (Work::HaProxy, Work::Middlebox, ENDS_TCP),
    (Work::HaProxy, Work::Impairment, ENDS_TCP),
    (Work::HaProxy, Work::Bridge, ENDS_TCP),
    (Work::HaProxy, Work::Router, ENDS_TCP),
    (
        Work::Bridge,
        Work::Middlebox,
        "its packet sockets take frames before the kernel's bridge sees them; with `mechanism = \"auto\"` such a cell is skipped where the host has no netem",
    ),
];

const ENDS_TCP: &str = "HAProxy ends TCP: no segment passes from one end to the other";

impl Work {
    /// What cannot stand on one path, and why.
    pub fn exclusions() -> impl Iterator<Item = (Self, Self, &'static str)> {
        EXCLUSIONS.iter().copied()
    }

    /// Whether the two cannot stand on one path.
    pub fn excludes(self, other: Self) -> bool {
        Self::exclusions().any(|(one, another, _)| [(one, another), (another, one)].contains(&(self, other)))
    }

    /// Whether it can stand on a path whose two ends are in one kernel: nothing lies between them.
    pub fn fits_loopback(self) -> bool {
        self == Self::Machine
    }

    /// Whether it acts on the segments of the measured connection.
    pub fn acts_on_segments(self) -> bool {
        match self {
            Self::Impairment | Self::Middlebox | Self::HaProxy | Self::Router | Self::Bridge | Self::End => {
                true
            }
            Self::Carrier | Self::Machine | Self::Part => false,
        }
    }

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Impairment => "impairments of the link",
            Self::Middlebox => "rig's own middlebox",
            Self::HaProxy => "HAProxy",
            Self::Router => "address translation",
            Self::Bridge => "packet filter rules of the kernel's bridge",
            Self::End => "packet filter rules of an end's kernel",
            Self::Carrier => "a link that goes down",
            Self::Machine => "a disturbance of the machine",
            Self::Part => "a change of another part",
        }
    }

    /// The first two of these that cannot stand on one path.
    pub fn first_exclusion(works: &[Self]) -> Option<(Self, Self)> {
        let mut pairs = Self::exclusions().map(|(one, other, _)| (one, other));
        pairs.find(|(one, other)| works.contains(one) && works.contains(other))
    }
}

impl Part<'_> {
    /// What it works on.
    pub fn work(self) -> Work {
        match self {
            Self::Impairment => Work::Impairment,
            Self::Action | Self::Firewall | Self::Ips | Self::Balancer => Work::Middlebox,
            Self::HaProxy => Work::HaProxy,
            Self::Nat | Self::RouterRule => Work::Router,
            Self::Rule(Place::Switch) => Work::Bridge,
            Self::Rule(Place::Peer | Place::Target) => Work::End,
            Self::Fault(FaultKind::LinkDown) => Work::Carrier,
            Self::Fault(FaultKind::Pause | FaultKind::Contention { .. } | FaultKind::VsockReset) => {
                Work::Machine
            }
            // Something must answer in the gone host's name.
            Self::Fault(FaultKind::HostGone) => Work::Middlebox,
            Self::Fault(FaultKind::BackendDown | FaultKind::ForgetConnections | FaultKind::Arm { .. }) => {
                Work::Part
            }
        }
    }

    /// For people: what stands in the own middlebox for as long as the path does.
    pub fn of_middlebox(self) -> Option<&'static str> {
        match self {
            Self::Action => Some("packet-exact actions"),
            Self::Firewall => Some("firewall"),
            Self::Ips => Some("IPS"),
            Self::Balancer => Some("load balancer"),
            Self::Impairment
            | Self::HaProxy
            | Self::Nat
            | Self::Fault(_)
            | Self::Rule(_)
            | Self::RouterRule => None,
        }
    }
}

impl PathSpec {
    /// Its parts; rules come last.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let boxes = [
            (self.impairments.is_some(), Part::Impairment),
            (!self.actions.is_empty(), Part::Action),
            (self.firewall.is_some(), Part::Firewall),
            (self.ips.is_some(), Part::Ips),
            (self.balancer.is_some(), Part::Balancer),
            (self.haproxy.is_some(), Part::HaProxy),
            (self.nat.is_some(), Part::Nat),
        ];
        let boxes = boxes.into_iter().filter_map(|(there, part)| there.then_some(part));
        let faults = self.faults.iter().map(|fault| Part::Fault(&fault.kind));
        let rules = self.rules.iter().map(|rule| self.part_of_rule(rule));
        boxes.chain(faults).chain(rules).collect()
    }

    /// What a rule of it is: a switch that translates addresses routes, and has no bridge.
    pub fn part_of_rule(&self, rule: &Rule) -> Part<'static> {
        match rule.at {
            Place::Switch if self.nat.is_some() => Part::RouterRule,
            at => Part::Rule(at),
        }
    }

    /// Whether only the own middlebox can do what it says.
    pub fn needs_middlebox(&self) -> bool {
        self.parts().iter().any(|part| part.work() == Work::Middlebox)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_excludes_what_holds_both_ways_and_nothing_excludes_itself() {
        for (one, other, _) in Work::exclusions() {
            assert!(one.excludes(other) && other.excludes(one), "{one:?} {other:?}");
            assert!(!one.excludes(one) && !other.excludes(other), "{one:?} {other:?}");
            assert!(one.acts_on_segments() && other.acts_on_segments());
        }
        assert!(!Work::Middlebox.excludes(Work::End) && !Work::Impairment.excludes(Work::Bridge));
    }

    #[test]
    fn a_fault_that_changes_a_part_asks_for_nothing_itself() {
        let arm = FaultKind::Arm { action: "a".into() };
        let kinds = [FaultKind::ForgetConnections, FaultKind::BackendDown, arm];
        assert!(kinds.iter().all(|kind| Part::Fault(kind).work() == Work::Part));
        assert_eq!(Part::Fault(&FaultKind::HostGone).work(), Work::Middlebox);
    }
}
