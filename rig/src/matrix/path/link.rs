//! What a link does to every frame: delay, jitter, loss, duplication, reordering, MTU, rate, by direction, and by which means.
//!
//! Must not know what else lies on the path. Units: as [`Impairment`] says. A direction that is not named keeps [`Impairment::none`], and an option
//! counts only where its direction is named, so that two spellings of one meaning are one cell.
//! Errors: problems at the key; they blame the matrix file. Tests: `tests.rs`, `tests/diagnostics/path`.

use super::keys::{JITTER, MOST_QUEUE_BYTES, MTU_BYTES, RATE, REORDER};
use super::piece::{Piece, required};
use super::value::{Directed, bit_rate, count, directed, duration, share, span_of_time};
use super::words::{MECHANISMS, ORDERS};
use crate::document::{Findings, Key, Node, Table};
use crate::matrix::configuration::{choice, optional};
use crate::middlebox::{Impairment, JitterOrder};
use crate::path::{Impairments, Mechanism};

/// The keys that impair.
pub(super) const IMPAIRMENTS: &[&str] =
    &["delay", "jitter", "loss", "duplicate", "reorder", "link_mtu_bytes", "rate"];

/// Segments in flight at once where nobody says otherwise: the initial window (RFC 6928).
const WINDOW: u32 = 10;

/// Ethernet's header, which a queue holds too.
const HEADER_BYTES: u32 = 14;

/// All impairments of a path, where it has some.
pub(super) fn read(findings: &mut Findings, table: &Table, mtu_bytes: Option<u32>) -> Option<Impairments> {
    let mechanism = optional(table, "mechanism", Mechanism::Auto, |node| {
        choice(findings, node, "`mechanism`", &MECHANISMS)
    });
    let before = findings.len();
    let mut to_peer = Impairment::none();
    let mut to_target = Impairment::none();
    let mut any = false;
    for (key, node) in table.entries.iter().filter(|(key, _)| IMPAIRMENTS.contains(&key.name.as_str())) {
        any = true;
        let ways = &mut [&mut to_peer, &mut to_target];
        match key.name.as_str() {
            "delay" => {
                let read = directed(findings, key, node, &[], duration);
                set(ways, read.map(|(_, ns)| ns), |way, ns| way.delay_ns = ns);
            }
            "loss" => {
                let read = directed(findings, key, node, &[], share);
                set(ways, read.map(|(_, ppm)| ppm), |way, ppm| way.loss_ppm = ppm);
            }
            "duplicate" => {
                let read = directed(findings, key, node, &[], share);
                set(ways, read.map(|(_, ppm)| ppm), |way, ppm| way.duplicate_ppm = ppm);
            }
            "link_mtu_bytes" => read_link_mtu(findings, key, node, mtu_bytes, ways),
            "jitter" => read_jitter(findings, key, node, ways),
            "reorder" => read_reorder(findings, key, node, ways),
            // `rate`: the list of keys has no other.
            _ => read_rate(findings, key, node, mtu_bytes, ways),
        }
    }
    if !any {
        refuse_idle_mechanism(findings, table);
        return None;
    }
    let impairments = Impairments { mechanism: mechanism?, to_peer, to_target };
    if impairments.mechanism == Mechanism::Netem {
        // The own middlebox takes the bridge's place whatever it does; a queue that does nothing is not even made.
        let idle =
            [&impairments.to_peer, &impairments.to_target].iter().all(|way| **way == Impairment::none());
        if idle && findings.len() == before {
            refuse_idle_mechanism(findings, table);
        }
        refuse_beyond_netem(findings, table, &impairments);
    }
    Some(impairments)
}

/// Writes what was read to the directions that it names.
fn set<T>(ways: &mut [&mut Impairment; 2], read: Option<Directed<T>>, write: impl Fn(&mut Impairment, T)) {
    let Some(Directed { to_peer, to_target }) = read else { return };
    for (way, said) in ways.iter_mut().zip([to_peer, to_target]) {
        if let Some(said) = said {
            write(way, said.value);
        }
    }
}

fn read_jitter(findings: &mut Findings, key: &Key, node: &Node, ways: &mut [&mut Impairment; 2]) {
    let Some((table, jitter)) = directed(findings, key, node, JITTER, duration) else { return };
    let order = optional(table, "order", JitterOrder::MayReorder, |node| {
        choice(findings, node, "`jitter.order`", &ORDERS)
    });
    set(ways, Some(jitter), |way, ns| {
        way.jitter_ns = ns;
        if ns > 0 {
            way.jitter_order = order.unwrap_or(JitterOrder::MayReorder);
        }
    });
}

fn read_reorder(findings: &mut Findings, key: &Key, node: &Node, ways: &mut [&mut Impairment; 2]) {
    const WHAT: &str = "`reorder`";
    let read = directed(findings, key, node, REORDER, share);
    let Some((table, reorder)) = read else { return };
    let piece = Piece { key, table, what: WHAT.to_owned() };
    let window =
        optional(table, "window", WINDOW, |node| count(findings, node, "`reorder.window`", 2, u32::MAX));
    let gap = required(findings, &piece, REORDER, "gap", |findings, node| {
        count(findings, node, "`reorder.gap`", 1, u32::MAX)
    });
    let timeout_ns = required(findings, &piece, REORDER, "timeout", |findings, node| {
        span_of_time(findings, node, "`reorder.timeout`", "nothing could overtake")
    });
    if let (Some(gap), Some(window)) = (gap, window) {
        refuse_beyond_window(findings, key, table, gap, window);
    }
    for said in [&reorder.to_peer, &reorder.to_target].into_iter().flatten().filter(|said| said.value == 0) {
        findings
            .report(said.span.clone(), "`reorder` overtakes nothing", "0 of the frames")
            .help("leave the direction out");
    }
    let (Some(gap), Some(timeout_ns)) = (gap, timeout_ns) else { return };
    set(ways, Some(reorder), |way, ppm| {
        way.reorder_ppm = ppm;
        way.reorder_gap = gap;
        way.reorder_timeout_ns = timeout_ns;
    });
}

/// A frame is overtaken only by frames that are sent while it waits: the sender sends no more than its window.
fn refuse_beyond_window(findings: &mut Findings, key: &Key, table: &Table, gap: u32, window: u32) {
    if gap < window {
        return;
    }
    let place = |name: &str| table.get(name).map_or(key.span.clone(), |node| node.span.clone());
    let most = window - 1;
    let others = if most == 1 { "only 1 other is".to_owned() } else { format!("only {most} others are") };
    let problem = findings.report(
        place("gap"),
        "`reorder` reaches beyond the window",
        format!("{gap} later frames must pass, and {others} in flight"),
    );
    let help = format!("write gap = {most} or less, or say how many frames are in flight: window = N");
    if table.get("window").is_some() {
        problem.also(place("window"), "in flight at once").help(help);
    } else {
        problem.help(format!("{help}\nwithout `window`, {WINDOW} are: the initial window of RFC 6928"));
    }
}

/// A link that carries less than those at its two ends.
fn read_link_mtu(
    findings: &mut Findings,
    key: &Key,
    node: &Node,
    mtu_bytes: Option<u32>,
    ways: &mut [&mut Impairment; 2],
) {
    let (least, most) = MTU_BYTES;
    let read =
        directed(findings, key, node, &[], |findings, node, what| count(findings, node, what, least, most));
    let Some((_, narrow)) = read else { return };
    let ends = mtu_bytes.unwrap_or(1500);
    for said in [&narrow.to_peer, &narrow.to_target].into_iter().flatten().filter(|said| said.value >= ends) {
        findings
            .report(
                said.span.clone(),
                "no packet is too long for this link",
                format!("the two ends send at most {ends} bytes: `mtu_bytes`"),
            )
            .help(format!("write a number under {ends}, or leave the direction out"));
    }
    set(ways, Some(narrow), |way, bytes| way.mtu_bytes = bytes);
}

fn read_rate(
    findings: &mut Findings,
    key: &Key,
    node: &Node,
    mtu_bytes: Option<u32>,
    ways: &mut [&mut Impairment; 2],
) {
    let read = directed(findings, key, node, RATE, bit_rate);
    let Some((table, rate)) = read else { return };
    let piece = Piece { key, table, what: "`rate`".to_owned() };
    let frame = mtu_bytes.unwrap_or(1500).saturating_add(HEADER_BYTES);
    let queue = required(findings, &piece, RATE, "queue_bytes", |findings, node| {
        count(findings, node, "`rate.queue_bytes`", 1, MOST_QUEUE_BYTES)
    });
    if let (Some(node), Some(queue)) = (table.get("queue_bytes"), queue)
        && queue < frame
    {
        findings
            .report(
                node.span.clone(),
                "a full frame does not fit into the queue",
                format!("a frame has up to {frame} bytes"),
            )
            .help(format!("write queue_bytes = {frame} or more"));
    }
    let burst = optional(table, "burst_bytes", 0, |node| {
        count(findings, node, "`rate.burst_bytes`", 0, MOST_QUEUE_BYTES)
    });
    let (Some(queue), Some(burst)) = (queue, burst) else { return };
    set(ways, Some(rate), |way, bits| {
        way.rate_bits_per_s = bits;
        way.queue_bytes = queue.into();
        way.burst_bytes = burst.into();
    });
}

/// `mechanism` says how an impairment is made.
fn refuse_idle_mechanism(findings: &mut Findings, table: &Table) {
    let Some((key, node)) = table.entry("mechanism") else { return };
    findings
        .report(
            key.span.start..node.span.end,
            "`mechanism` without an impairment does nothing",
            "this path has no impairment",
        )
        .help("add an impairment, or leave it out; mechanism = \"middlebox\" with delay = { both = \"0ms\" } puts a middlebox on the path that does nothing");
}

/// What netem cannot do, each at its key.
fn refuse_beyond_netem(findings: &mut Findings, table: &Table, impairments: &Impairments) {
    let mechanism = table.entry("mechanism").map(|(key, node)| key.span.start..node.span.end);
    for (key, cannot) in beyond_netem(table, impairments) {
        let problem =
            findings.report(key.span.clone(), format!("netem cannot do {cannot}"), "more than netem can");
        if let Some(mechanism) = &mechanism {
            problem.also(mechanism.clone(), "demanded here");
        }
        problem.help("write mechanism = \"auto\" or \"middlebox\": rig's own middlebox can");
    }
}

/// The keys that say what netem cannot do, and what that is.
pub(super) fn beyond_netem<'t>(
    table: &'t Table,
    impairments: &'t Impairments,
) -> impl Iterator<Item = (&'t Key, &'static str)> {
    let keys = table.entries.iter().map(|(key, _)| key);
    keys.filter(|key| IMPAIRMENTS.contains(&key.name.as_str())).filter_map(|key| {
        let alone = Impairments {
            mechanism: impairments.mechanism,
            to_peer: only(&key.name, &impairments.to_peer),
            to_target: only(&key.name, &impairments.to_target),
        };
        Some((key, alone.beyond_netem()?))
    })
}

/// What this key alone makes of an impairment.
fn only(key: &str, impairment: &Impairment) -> Impairment {
    let mut alone = Impairment::none();
    let Impairment {
        delay_ns,
        jitter_ns,
        jitter_order,
        rate_bits_per_s,
        burst_bytes,
        queue_bytes,
        loss_ppm,
        duplicate_ppm,
        reorder_ppm,
        reorder_gap,
        reorder_timeout_ns,
        mtu_bytes,
    } = *impairment;
    match key {
        "delay" => alone.delay_ns = delay_ns,
        "jitter" => (alone.jitter_ns, alone.jitter_order) = (jitter_ns, jitter_order),
        "loss" => alone.loss_ppm = loss_ppm,
        "duplicate" => alone.duplicate_ppm = duplicate_ppm,
        "reorder" => {
            (alone.reorder_ppm, alone.reorder_gap) = (reorder_ppm, reorder_gap);
            alone.reorder_timeout_ns = reorder_timeout_ns;
        }
        "link_mtu_bytes" => alone.mtu_bytes = mtu_bytes,
        // `rate`: the list of keys has no other.
        _ => {
            (alone.rate_bits_per_s, alone.burst_bytes) = (rate_bits_per_s, burst_bytes);
            alone.queue_bytes = queue_bytes;
        }
    }
    alone
}
