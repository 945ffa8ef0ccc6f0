//! What the parts of a path mean together: what excludes what, and who names whom.
//!
//! Looks at what the file declares, also where a declaration itself is wrong: that is another problem.
//! Must not know hosts. Units: none. Errors: problems at all places that one must see; they blame the matrix file.
//! Tests: `tests.rs`, `tests/diagnostics/path`.

use super::keys::{fault_of, part_of};
use super::link;
use super::words::PLACES;
use crate::document::{Findings, Key, Node, Span, Table, Value, hint};
use crate::path::{Family, FaultKind, Mechanism, Medium, Part, PathSpec, Place, Work};

/// Every problem that no part sees alone.
pub(super) fn check(findings: &mut Findings, table: &Table, spec: &PathSpec) {
    refuse_beside_loopback(findings, table, spec);
    refuse_beside_haproxy(findings, table);
    refuse_beside_nat(findings, table);
    refuse_beside_ipv6(findings, table, spec);
    refuse_switch_rules_beside_middlebox(findings, table, spec);
    check_arms(findings, table, &spec.name);
    check_faults(findings, table, spec);
    refuse_idle_balancer(findings, table);
}

/// Every `[path.NAME.KIND.NAME]`.
fn declared<'t>(table: &'t Table, kind: &str) -> impl Iterator<Item = (&'t Key, &'t Table)> {
    let all = inner(table, kind).into_iter().flat_map(|table| &table.entries);
    all.filter_map(|(key, node)| Some((key, node.value.as_table()?)))
}

fn inner<'t>(table: &'t Table, name: &str) -> Option<&'t Table> {
    table.get(name)?.value.as_table()
}

fn word<'t>(table: &'t Table, name: &str) -> Option<(&'t str, &'t Node)> {
    let node = table.get(name)?;
    Some((node.value.as_text()?, node))
}

/// Faults with this `do`: their keys and the places of the word.
fn faults<'t>(table: &'t Table, kind: &'t str) -> impl Iterator<Item = (&'t Key, &'t Table, Span)> {
    declared(table, "fault").filter_map(move |(key, fault)| {
        let (found, node) = word(fault, "do")?;
        (found == kind).then(|| (key, fault, node.span.clone()))
    })
}

/// What a fault of this `do` works on.
fn work_of_fault(word: &str) -> Option<Work> {
    fault_of(word).map(|kind| Part::Fault(&kind).work())
}

/// What the key of a path works on; rules and faults say it themselves.
fn work_of(key: &Key) -> Option<Work> {
    part_of(&key.name).map(Part::work)
}

/// The rules that cannot stand beside this: their keys and the places of their `at`.
fn rules_excluded_by(table: &Table, work: Work) -> impl Iterator<Item = (&Key, Span)> {
    declared(table, "rule").filter_map(move |(key, rule)| {
        let (at, node) = word(rule, "at")?;
        let (_, place) = PLACES.iter().find(|(known, _)| *known == at)?;
        let routed = *place == Place::Switch && table.get("nat").is_some();
        let part = if routed { Part::RouterRule } else { Part::Rule(*place) };
        part.work().excludes(work).then(|| (key, node.span.clone()))
    })
}

/// Nothing lies between two ends in one kernel; only the machine can be disturbed.
fn refuse_beside_loopback(findings: &mut Findings, table: &Table, spec: &PathSpec) {
    let (Medium::Loopback, Some(loopback)) = (spec.medium, table.get("medium")) else { return };
    let mut others: Vec<(Span, String)> = Vec::new();
    for (key, _) in &table.entries {
        if !["medium", "family", "fault"].contains(&key.name.as_str()) {
            others.push((key.span.clone(), format!("`{}` is of a link", key.name)));
        }
    }
    for (_, fault) in declared(table, "fault") {
        let Some((kind, node)) = word(fault, "do") else { continue };
        if !work_of_fault(kind).is_some_and(Work::fits_loopback) {
            others.push((node.span.clone(), "acts on a link".to_owned()));
        }
    }
    refuse_beside(
        findings,
        (loopback.span.clone(), "the peer is in the target's own kernel: there is no link"),
        others,
        "nothing can lie on a loopback",
        "leave it out, or write medium = \"link\"; faults with do = \"contention\" and \"pause\" act on the machine, and may stay",
    );
}

/// One problem for all that cannot stand beside what is at `place`, if there is any.
fn refuse_beside(
    findings: &mut Findings,
    (place, label): (Span, &str),
    others: Vec<(Span, String)>,
    message: &str,
    help: &str,
) {
    if others.is_empty() {
        return;
    }
    let problem = findings.report(place, message, label);
    for (span, label) in others {
        problem.also(span, label);
    }
    problem.help(help);
}

/// HAProxy ends the target's connection and opens one of its own; the own middlebox and netem work on one connection's segments.
fn refuse_beside_haproxy(findings: &mut Findings, table: &Table) {
    let Some((haproxy, _)) = table.entry("haproxy") else { return };
    let mut others: Vec<(Span, String)> = Vec::new();
    for (key, _) in &table.entries {
        if work_of(key).is_some_and(|work| work.excludes(Work::HaProxy)) {
            others.push((key.span.clone(), format!("`{}` acts on the segments of one connection", key.name)));
        }
    }
    for (_, fault) in declared(table, "fault") {
        let Some((kind, node)) = word(fault, "do") else { continue };
        if work_of_fault(kind).is_some_and(|work| work.excludes(Work::HaProxy)) {
            others.push((node.span.clone(), "done by rig's own middlebox".to_owned()));
        }
    }
    for (_, place) in rules_excluded_by(table, Work::HaProxy) {
        others.push((place, "forwards nothing: each connection ends there".to_owned()));
    }
    refuse_beside(
        findings,
        (haproxy.span.clone(), "ends TCP here: there are two connections"),
        others,
        "HAProxy cannot be on one path with anything that acts on passing segments",
        "HAProxy takes the place of the link between target and peer, and so does rig's own middlebox; make two paths of it, or use rig's own `balancer`",
    );
}

/// Behind the translation the peer has another address than the one that these know it by.
fn refuse_beside_nat(findings: &mut Findings, table: &Table) {
    let Some((nat, _)) = table.entry("nat") else { return };
    let mut others: Vec<(Span, String)> = Vec::new();
    if let Some((key, _)) = table.entry("balancer") {
        others.push((key.span.clone(), "translates nothing, and knows one address of the peer".to_owned()));
    }
    for (_, _, place) in faults(table, "host-gone") {
        others.push((place, "answers at the address that the target connects to".to_owned()));
    }
    refuse_beside(
        findings,
        (nat.span.clone(), "the peer is behind it, at another address"),
        others,
        "address translation cannot be on one path with what answers at the peer's address",
        "make two paths of it, and measure each",
    );
}

/// What knows IPv4 only, and links that are too narrow for the other.
fn refuse_beside_ipv6(findings: &mut Findings, table: &Table, spec: &PathSpec) {
    let (Family::Ipv6, Some(family)) = (spec.family, table.get("family")) else { return };
    let mut others: Vec<(Span, String)> = Vec::new();
    for (key, label) in [("haproxy", "listens at addresses of IPv4"), ("nat", "translates addresses of IPv4")]
    {
        others.extend(table.entry(key).map(|(key, _)| (key.span.clone(), label.to_owned())));
    }
    for (_, rule) in declared(table, "rule") {
        let Some((verdict, node)) = word(rule, "verdict") else { continue };
        if verdict.starts_with("reject-icmp") {
            others.push((node.span.clone(), "a code of ICMP for IPv4".to_owned()));
        }
    }
    let narrow = spec.mtu_bytes < Family::LEAST_MTU_OF_IPV6;
    if let (true, Some(node)) = (narrow, table.get("mtu_bytes")) {
        let least = Family::LEAST_MTU_OF_IPV6;
        others.push((node.span.clone(), format!("a link of IPv6 carries {least} bytes at least")));
    }
    refuse_beside(
        findings,
        (family.span.clone(), "the two ends talk by IPv6"),
        others,
        "this path cannot have addresses of IPv6",
        "write family = \"ipv4\", or leave the other out",
    );
}

/// Packet sockets take frames before the bridge sees them: a rule there would never match.
fn refuse_switch_rules_beside_middlebox(findings: &mut Findings, table: &Table, spec: &PathSpec) {
    let Some((middlebox, label)) = place_of_middlebox(table, spec) else { return };
    for (key, place) in rules_excluded_by(table, Work::Middlebox) {
        findings
            .report(place, format!("rule `{}` would never match", key.name), "the kernel's bridge is bypassed")
            .also(middlebox.clone(), label.clone())
            .help("rig's own middlebox replaces the bridge: put the rule at \"peer\" or \"target\", or do it with an action (do = \"drop\", \"inject-rst\")");
    }
}

/// What on this path only rig's own middlebox can do, whatever the host has.
fn place_of_middlebox(table: &Table, spec: &PathSpec) -> Option<(Span, String)> {
    let own = table.entries.iter().find(|(key, _)| work_of(key) == Some(Work::Middlebox));
    if let Some((key, _)) = own {
        return Some((key.span.clone(), format!("`{}` is done by rig's own middlebox", key.name)));
    }
    let by_own = |(_, fault)| {
        let (kind, node) = word(fault, "do")?;
        (work_of_fault(kind)? == Work::Middlebox).then(|| node.span.clone())
    };
    if let Some(span) = declared(table, "fault").find_map(by_own) {
        return Some((span, "done by rig's own middlebox".to_owned()));
    }
    let impairments = spec.impairments.as_ref()?;
    match impairments.mechanism {
        Mechanism::Netem => None,
        Mechanism::Middlebox => {
            table.get("mechanism").map(|node| (node.span.clone(), "rig's own middlebox".to_owned()))
        }
        Mechanism::Auto => {
            let (key, cannot) = link::beyond_netem(table, impairments).next()?;
            Some((key.span.clone(), format!("netem cannot do {cannot}")))
        }
    }
}

/// Who is armed by a fault, and by which.
fn check_arms(findings: &mut Findings, table: &Table, path: &str) {
    let names: Vec<&str> = declared(table, "action").map(|(key, _)| key.name.as_str()).collect();
    let mut armed_later: Vec<&str> = Vec::new();
    for (key, fault, _) in faults(table, "arm") {
        let Some((name, node)) = word(fault, "action") else { continue };
        armed_later.push(name);
        let Some((_, action)) = declared(table, "action").find(|(key, _)| key.name == name) else {
            let help = if names.is_empty() {
                format!("declare it: [path.{path}.action.{name}] with armed = false")
            } else {
                hint(name, names.iter().copied(), "the actions of this path")
            };
            findings
                .report(
                    node.span.clone(),
                    format!("there is no action `{name}` to arm"),
                    "not an action of this path",
                )
                .help(help);
            continue;
        };
        let armed = action.get("armed");
        match armed.map(|node| &node.value) {
            Some(Value::Boolean(true)) | None => {
                let place = armed.map(|node| node.span.clone());
                let problem = findings.report(
                    node.span.clone(),
                    format!("action `{name}` is armed from the start"),
                    format!("fault `{}` arms it again", key.name),
                );
                if let Some(place) = place {
                    problem.also(place, "from the start");
                }
                problem.help(format!("write armed = false in action `{name}`, or leave the fault out"));
            }
            // Not a boolean: reported already.
            Some(_) => {}
        }
    }
    for (key, action) in declared(table, "action") {
        if let Some(node) = action.get("armed")
            && node.value == Value::Boolean(false)
            && !armed_later.contains(&key.name.as_str())
        {
            findings
                .report(node.span.clone(), format!("action `{}` never acts", key.name), "nothing arms it")
                .help(format!(
                    "leave `armed` out, or add a fault: do = \"arm\", action = \"{}\", after = \"1s\"",
                    key.name
                ));
        }
    }
}

/// Faults of boxes that the path does not have.
fn check_faults(findings: &mut Findings, table: &Table, spec: &PathSpec) {
    let path = &spec.name;
    let has = |name: &str| table.get(name).is_some();
    if !has("balancer") && !has("haproxy") {
        for (key, _, place) in faults(table, "backend-down") {
            findings
                .report(place, format!("fault `{}` changes nothing", key.name), "this path has no balancer")
                .help(format!("add [path.{path}.balancer] or [path.{path}.haproxy]; for the peer itself there is do = \"host-gone\""));
        }
    }
    refuse_unnoticed(findings, table, spec);
    if !has("firewall") {
        for (key, _, place) in faults(table, "forget-connections") {
            findings
                .report(place, format!("fault `{}` changes nothing", key.name), "this path has no firewall")
                .help(format!("add [path.{path}.firewall]: this fault makes it forget its state"));
        }
    }
}

/// HAProxy calls its backend down after so many failed checks, and not before.
fn refuse_unnoticed(findings: &mut Findings, table: &Table, spec: &PathSpec) {
    let Some(haproxy) = &spec.haproxy else { return };
    let notices_ns = haproxy.check_interval_ns.saturating_mul(haproxy.fall.into());
    for fault in &spec.faults {
        if fault.kind != FaultKind::BackendDown || fault.for_ns >= notices_ns {
            continue;
        }
        let Some((_, declared)) = declared(table, "fault").find(|(key, _)| key.name == fault.name) else {
            continue;
        };
        let Some(node) = declared.get("for") else { continue };
        findings
            .report(
                node.span.clone(),
                format!("HAProxy does not notice fault `{}`", fault.name),
                format!(
                    "over before {} checks have failed, {} ms apart",
                    haproxy.fall,
                    haproxy.check_interval_ns / 1_000_000
                ),
            )
            .help(format!(
                "write for = \"{}ms\" or longer, or leave it out: then the backend stays down",
                2 * notices_ns / 1_000_000
            ));
    }
}

/// A balancer resets when its backend is down; something must be able to say so.
fn refuse_idle_balancer(findings: &mut Findings, table: &Table) {
    let Some((key, _)) = table.entry("balancer") else { return };
    let checked = inner(table, "balancer").is_none_or(|balancer| balancer.get("health").is_some());
    if !checked && faults(table, "backend-down").next().is_none() {
        findings
            .report(key.span.clone(), "this balancer does nothing", "its backend is never down")
            .help("add health = { interval = \"100ms\" }, or a fault with do = \"backend-down\"");
    }
}
