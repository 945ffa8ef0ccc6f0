//! The boxes on a path: `[path.NAME.firewall]`, `.ips`, `.balancer` (own middlebox) and `.haproxy`.
//!
//! Must not know how they work. Units: nanoseconds inside.
//! Errors: problems at the key; they blame the matrix file. Tests: `tests.rs`, `tests/diagnostics/path`.

use super::keys::{BALANCER, FIREWALL, HAPROXY, HEALTH, IPS, NAT, SYSCTL, names};
use super::piece::{Piece, required};
use super::value::{count, duration, pattern, sequence, span_of_time, towards};
use super::words::{EXPIRIES, NAT_PLACES, OFFENDERS, ON_MARKED_DOWN, STRANGERS, TOLD};
use crate::configuration::Sysctls;
use crate::document::{Findings, Node, Table};
use crate::matrix::configuration::{choice, optional};
use crate::matrix::sysctl;
use crate::middlebox::{
    Balancer, Expiry, Firewall, HealthCheck, Ips, MiddleboxSpec, Offender, Sequence, Stranger, Told, Towards,
};
use crate::path::{
    Addressing, EndSysctls, Family, HEALTH_PORT, HaProxy, Nat, OnMarkedDown, PEER_PORT, Place,
};

/// Between two health checks where nobody says otherwise: a test's patience, not an operator's.
const CHECK_INTERVAL_NS: u64 = 100_000_000;
const FALL: u32 = 2;
const RISE: u32 = 1;

/// Below 1024, where no kernel takes an ephemeral port from (`ip_local_port_range`).
const HEALTH_SOURCE_PORT: u16 = 999;

/// Ephemeral ports of Linux begin at 32768: connections through the box use them.
const LAST_FREE_PORT: u64 = 32_767;

fn towards_or_both(findings: &mut Findings, table: &Table, name: &str) -> Option<Towards> {
    optional(table, name, Towards::Both, |node| towards(findings, node, &format!("`{name}`")))
}

/// `[path.NAME.firewall]`
pub(super) fn firewall(findings: &mut Findings, path: &Table) -> Option<Firewall> {
    let piece = Piece::of(findings, path, "firewall")?;
    let Piece { table, what, .. } = &piece;
    findings.refuse_unknown_keys(table, what, &names(FIREWALL.keys));
    let idle_timeout_ns = required(findings, &piece, FIREWALL.keys, "idle_timeout", |findings, node| {
        span_of_time(findings, node, "`idle_timeout`", "nothing could pass")
    });
    let expiry =
        optional(table, "expiry", Expiry::AtOnce, |node| choice(findings, node, "`expiry`", &EXPIRIES));
    let stranger =
        optional(table, "stranger", Stranger::Reset, |node| choice(findings, node, "`stranger`", &STRANGERS));
    let reset = optional(table, "reset", Told::Both, |node| choice(findings, node, "`reset`", &TOLD));
    let firewall =
        Firewall { idle_timeout_ns: idle_timeout_ns?, expiry: expiry?, reset: reset?, stranger: stranger? };
    let alone = MiddleboxSpec { firewall: Some(firewall.clone()), ..MiddleboxSpec::transparent(0) };
    piece.check(findings, &alone);
    Some(firewall)
}

/// `[path.NAME.ips]`
pub(super) fn ips(findings: &mut Findings, path: &Table) -> Option<Ips> {
    let piece = Piece::of(findings, path, "ips")?;
    let Piece { table, what, .. } = &piece;
    findings.refuse_unknown_keys(table, what, &names(IPS.keys));
    let pattern = required(findings, &piece, IPS.keys, "pattern", |findings, node| {
        pattern(findings, node, "`pattern`")
    });
    let direction = towards_or_both(findings, table, "direction");
    let reset = towards_or_both(findings, table, "reset");
    let sequence =
        optional(table, "sequence", Sequence::Exact, |node| sequence(findings, node, "`sequence`"));
    let offender =
        optional(table, "offender", Offender::Pass, |node| choice(findings, node, "`offender`", &OFFENDERS));
    let ips = Ips {
        pattern: pattern?,
        direction: direction?,
        reset: reset?,
        sequence: sequence?,
        offender: offender?,
    };
    let alone = MiddleboxSpec { ips: Some(ips.clone()), ..MiddleboxSpec::transparent(0) };
    piece.check(findings, &alone);
    Some(ips)
}

/// `[path.NAME.balancer]`
pub(super) fn balancer(findings: &mut Findings, path: &Table, family: Family) -> Option<Balancer> {
    let piece = Piece::of(findings, path, "balancer")?;
    let Piece { table, what, .. } = &piece;
    findings.refuse_unknown_keys(table, what, &names(BALANCER.keys));
    let reset = towards_or_both(findings, table, "reset");
    let health = optional(table, "health", None, |node| health(findings, node).map(Some));
    let balancer = Balancer {
        backend: Addressing::default().peer_by(family),
        backend_port: PEER_PORT,
        // At a moment of the block: a fault says it.
        down_at_ns: 0,
        health: health?,
        reset: reset?,
    };
    let alone = MiddleboxSpec { balancer: Some(balancer.clone()), ..MiddleboxSpec::transparent(0) };
    piece.check(findings, &alone);
    Some(balancer)
}

fn health(findings: &mut Findings, node: &Node) -> Option<HealthCheck> {
    let table = findings.table(node, "`health`")?;
    findings.refuse_unknown_keys(table, "`health`", &names(HEALTH));
    let interval_ns = optional(table, "interval", CHECK_INTERVAL_NS, |node| {
        span_of_time(findings, node, "`health.interval`", "no answer could come in time")
    });
    let fall = optional(table, "fall", FALL, |node| count(findings, node, "`health.fall`", 1, 1_000));
    let rise = optional(table, "rise", RISE, |node| count(findings, node, "`health.rise`", 0, 1_000));
    let source_port = optional(table, "source_port", HEALTH_SOURCE_PORT, |node| source_port(findings, node));
    Some(HealthCheck { interval_ns: interval_ns?, fall: fall?, rise: rise?, source_port: source_port? })
}

/// A port that no connection through the box has at either end.
fn source_port(findings: &mut Findings, node: &Node) -> Option<u16> {
    let port = findings.count(node, "`health.source_port`", &(1..=LAST_FREE_PORT))?;
    let port = u16::try_from(port).ok()?;
    if [PEER_PORT, HEALTH_PORT].contains(&port) {
        findings
            .report(node.span.clone(), "`health.source_port` is taken", "the peer listens there")
            .help(format!("remove it: {HEALTH_SOURCE_PORT} is free"));
        return None;
    }
    Some(port)
}

/// `[path.NAME.nat]`
pub(super) fn nat(findings: &mut Findings, path: &Table) -> Option<Nat> {
    let piece = Piece::of(findings, path, "nat")?;
    let Piece { table, what, .. } = &piece;
    findings.refuse_unknown_keys(table, what, &names(NAT.keys));
    let at = required(findings, &piece, NAT.keys, "at", |findings, node| {
        choice(findings, node, "`at`", &NAT_PLACES.map(|word| (word, Place::Switch)))
    });
    Some(Nat { at: at? })
}

/// `[path.NAME.sysctl]`
pub(super) fn sysctl(findings: &mut Findings, path: &Table) -> Option<EndSysctls> {
    let piece = Piece::of(findings, path, "sysctl")?;
    let Piece { table, what, .. } = &piece;
    findings.refuse_unknown_keys(table, what, &names(SYSCTL.keys));
    if table.entries.is_empty() {
        findings
            .report(piece.key.span.clone(), "`sysctl` is empty", "sets nothing")
            .help("say of which end: target = { net.ipv4.tcp_syn_retries = 1 }, or peer");
    }
    let mut of = |end: &str| {
        optional(table, end, Sysctls::new(), |node| sysctl::read(findings, node, &format!("`sysctl.{end}`")))
    };
    let (target, peer) = (of("target"), of("peer"));
    Some(EndSysctls { target: target?, peer: peer? })
}

/// `[path.NAME.haproxy]`
pub(super) fn haproxy(findings: &mut Findings, path: &Table) -> Option<HaProxy> {
    /// HAProxy's clock ticks in milliseconds (configuration manual, section 2.5).
    const TICK_NS: u64 = 1_000_000;
    let piece = Piece::of(findings, path, "haproxy")?;
    let Piece { table, what, .. } = &piece;
    findings.refuse_unknown_keys(table, what, &names(HAPROXY.keys));
    let check_interval_ns = optional(table, "check_interval", CHECK_INTERVAL_NS, |node| {
        let ns = duration(findings, node, "`check_interval`")?;
        if ns == 0 || ns % TICK_NS != 0 {
            findings
                .report(
                    node.span.clone(),
                    "`check_interval` is wrong",
                    "HAProxy counts in whole milliseconds",
                )
                .help("write \"1ms\" or a multiple of it");
            return None;
        }
        Some(ns)
    });
    let fall = optional(table, "fall", FALL, |node| count(findings, node, "`fall`", 1, 1_000));
    let rise = optional(table, "rise", RISE, |node| count(findings, node, "`rise`", 1, 1_000));
    let on_marked_down = optional(table, "on_marked_down", OnMarkedDown::ShutdownSessions, |node| {
        choice(findings, node, "`on_marked_down`", &ON_MARKED_DOWN)
    });
    Some(HaProxy {
        check_interval_ns: check_interval_ns?,
        fall: fall?,
        rise: rise?,
        on_marked_down: on_marked_down?,
    })
}
