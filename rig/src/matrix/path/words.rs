//! The words that stand as values of a path's keys, each with what it means.
//!
//! Plain data: the reader and the list of keys share it. Must not read anything. Units: none. Errors: none. Tests: `tests/reference.rs`.

use crate::middlebox::{Expiry, JitterOrder, Offender, Stranger, Told, Towards};
use crate::path::{Family, Hook, Matches, Mechanism, Medium, OnMarkedDown, Place, RuleVerdict, TcpFlag};

pub(super) const MEDIA: [(&str, Medium); 2] = [("link", Medium::Link), ("loopback", Medium::Loopback)];

pub(super) const FAMILIES: [(&str, Family); 2] = [("ipv4", Family::Ipv4), ("ipv6", Family::Ipv6)];

pub(super) const MECHANISMS: [(&str, Mechanism); 3] =
    [("auto", Mechanism::Auto), ("netem", Mechanism::Netem), ("middlebox", Mechanism::Middlebox)];

pub(super) const ORDERS: [(&str, JitterOrder); 2] =
    [("may-reorder", JitterOrder::MayReorder), ("keep", JitterOrder::Keep)];

pub(super) const TOWARDS: [(&str, Towards); 3] =
    [("to_peer", Towards::ToPeer), ("to_target", Towards::ToTarget), ("both", Towards::Both)];

pub(super) const TOLD: [(&str, Told); 4] =
    [("to_peer", Told::ToPeer), ("to_target", Told::ToTarget), ("both", Told::Both), ("none", Told::None)];

pub(super) const EXPIRIES: [(&str, Expiry); 2] =
    [("at-once", Expiry::AtOnce), ("on-next-segment", Expiry::OnNextSegment)];

pub(super) const STRANGERS: [(&str, Stranger); 2] = [("reset", Stranger::Reset), ("drop", Stranger::Drop)];

pub(super) const OFFENDERS: [(&str, Offender); 2] = [("pass", Offender::Pass), ("drop", Offender::Drop)];

pub(super) const ON_MARKED_DOWN: [(&str, OnMarkedDown); 2] =
    [("shutdown-sessions", OnMarkedDown::ShutdownSessions), ("nothing", OnMarkedDown::Nothing)];

pub(super) const PLACES: [(&str, Place); 3] =
    [("target", Place::Target), ("peer", Place::Peer), ("switch", Place::Switch)];

/// Where addresses can be translated.
pub(super) const NAT_PLACES: &[&str; 1] = &["switch"];

pub(super) const HOOKS: [(&str, Hook); 3] =
    [("input", Hook::Input), ("output", Hook::Output), ("forward", Hook::Forward)];

pub(super) const FLAGS: [(&str, TcpFlag); 5] = [
    ("fin", TcpFlag::Fin),
    ("syn", TcpFlag::Syn),
    ("rst", TcpFlag::Rst),
    ("psh", TcpFlag::Psh),
    ("ack", TcpFlag::Ack),
];

pub(super) const VERDICTS: [(&str, RuleVerdict); 10] = [
    ("drop", RuleVerdict::Drop),
    ("reject-tcp-reset", RuleVerdict::RejectTcpReset),
    ("reject-icmp-host-unreachable", RuleVerdict::RejectIcmpHostUnreachable),
    ("reject-icmp-net-unreachable", RuleVerdict::RejectIcmpNetUnreachable),
    ("reject-icmp-port-unreachable", RuleVerdict::RejectIcmpPortUnreachable),
    ("reject-icmp-proto-unreachable", RuleVerdict::RejectIcmpProtoUnreachable),
    ("reject-icmp-host-prohibited", RuleVerdict::RejectIcmpHostProhibited),
    ("reject-icmp-net-prohibited", RuleVerdict::RejectIcmpNetProhibited),
    ("reject-icmp-admin-prohibited", RuleVerdict::RejectIcmpAdminProhibited),
    ("count", RuleVerdict::Count),
];

pub(super) const MATCHES: [(&str, Matches); 3] =
    [("every-trial", Matches::EveryTrial), ("sometimes", Matches::Sometimes), ("never", Matches::Never)];

/// How a sequence number is written; both numbers are examples.
pub(super) const SEQUENCES: &[&str] = &["exact", "+1000", "outside+1000", "rcv_nxt-1", "sack-edge"];

/// The words of such a list.
pub(super) const fn words<T, const N: usize>(of: &[(&'static str, T); N]) -> [&'static str; N] {
    let mut words = [""; N];
    let mut at = 0;
    while at < N {
        words[at] = of[at].0;
        at += 1;
    }
    words
}
