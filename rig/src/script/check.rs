//! What the steps of a scenario mean together: sides, the verdict, sockets, marks, injections, expectations.
//!
//! Holds the rules of the language that no single step can break; must not name an operation where its row says enough.
//! Units: none. Errors: findings that blame the scenario file.
//! Tests: `tests/diagnostics.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::{FieldKind, Player, Script, Side};

use super::outcome::{Impossible, Possible};
use super::program;
use super::resolve::unreachable_injection;
use super::template::{Input, LaneTemplate, Scenario, StepTemplate};
use super::timing::{deadline_fault, overlap};
use crate::document::{Findings, Span};

/// Where the file says what is no step's own.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) expect: Vec<(Input, Span)>,
    pub(super) expect_peer: Vec<(Input, Span)>,
    pub(super) deadline: Option<Span>,
}

/// Checks everything that can be said. Where something was wrong already, a missing thing may only be unread, and is not reported.
pub(super) fn check(scenario: &Scenario, findings: &mut Findings, places: &Places) {
    let sound = findings.is_empty();
    check_sides(scenario, findings);
    match &scenario.program {
        Some(program) => program::check::check(scenario, program, findings, sound),
        None => check_verdict(scenario, findings, sound),
    }
    check_peer(scenario, findings, sound);
    check_label_keys(scenario, findings);
    if sound {
        check_marks(scenario, findings);
        check_definitions(scenario, findings);
        check_use(scenario, findings);
    }
    if findings.is_empty() {
        let script = scenario.fill_in(&scenario.complete(&BTreeMap::new())).script;
        check_injections(scenario, &script, findings);
        check_vsock(scenario, &script, findings);
        check_times(scenario, &script, places, findings);
        match &scenario.program {
            Some(program) => {
                program::check::check_filled_in(scenario, program, &script, &places.expect, findings);
            }
            None => {
                check_expectations(&Possible::of_target(&script), &script.expect, &places.expect, findings)
            }
        }
        check_expectations(&Possible::of_peer(&script), &script.expect_peer, &places.expect_peer, findings);
    }
}

fn lanes_of(scenario: &Scenario, side: Side) -> impl Iterator<Item = &LaneTemplate> {
    scenario.lanes.iter().filter(move |lane| lane.side == side)
}

fn check_sides(scenario: &Scenario, findings: &mut Findings) {
    let mut peers = lanes_of(scenario, Side::Peer);
    if let (Some(first), Some(second)) = (peers.next(), peers.next()) {
        findings
            .report(second.span.clone(), "a script has at most one peer lane", "the second one")
            .also(first.span.clone(), "the first one")
            .help("the peer plays one lane for every connection that it accepts");
    }
    if lanes_of(scenario, Side::Target).next().is_none() && !scenario.lanes.is_empty() {
        findings
            .report(scenario.lanes[0].span.clone(), "no lane runs on the target", "every lane is the peer's")
            .help("add [lane.client]: rig measures the kernel of that lane");
    }
}

fn check_verdict(scenario: &Scenario, findings: &mut Findings, sound: bool) {
    let verdicts: Vec<(&LaneTemplate, &Span)> = scenario
        .lanes
        .iter()
        .flat_map(|lane| lane.steps.iter().filter(|step| step.verdict).map(move |step| (lane, &step.span)))
        .collect();
    for (lane, span) in &verdicts {
        if lane.side == Side::Peer {
            findings
                .report((*span).clone(), "the verdict step is on the peer", "not on the measured kernel")
                .help("a cell counts what the target's kernel returns: mark a step of a target lane");
        }
    }
    if let [(_, first), (_, second), ..] = verdicts.as_slice() {
        findings
            .report((*second).clone(), "a script has exactly one verdict step", "a further verdict")
            .also((*first).clone(), "the first one")
            .help("a cell counts one observation; use `outcome = true` to record what follows");
    }
    if verdicts.is_empty() && sound {
        let span = scenario.lanes.first().map_or(0..0, |lane| lane.span.clone());
        findings
            .report(span, "no step is the verdict", "a lane of the target needs one")
            .help("add `verdict = true` to the step whose return the cell counts");
    }
    let Some((verdict_lane, _)) = verdicts.first() else { return };
    for lane in lanes_of(scenario, Side::Target).filter(|lane| lane.span != verdict_lane.span) {
        for step in lane.steps.iter().filter(|step| step.outcome == Some(true)) {
            findings
                .report(step.span.clone(), "an outcome step is in another lane than the verdict", "in another lane")
                .also(verdict_lane.span.clone(), "the verdict is in this lane")
                .help("labels are joined in the order of one lane; the order of two lanes changes from trial to trial");
        }
    }
}

/// vsock is another network: its streams have neither the addresses nor the ports that other steps would need.
fn check_vsock(scenario: &Scenario, script: &Script, findings: &mut Findings) {
    if !script.is_over_vsock() {
        return;
    }
    for (template, lane) in scenario.lanes.iter().zip(&script.lanes) {
        for (place, step) in template.steps.iter().zip(&lane.steps) {
            let elsewhere = step.op.needs_an_address() && !step.op.is_vsock();
            if elsewhere || step.op.looks_from_outside() {
                findings
                    .report(
                        place.span.clone(),
                        format!("`{}` needs addresses of TCP, and this script's streams are vsock's", step.op.name()),
                        "not over vsock",
                    )
                    .help("give every `connect` family = \"vsock\", and leave out steps that bind, listen or look from outside");
            } else if step.op.calls_over_vsock() == Some(false) {
                findings
                    .report(place.span.clone(), "nobody has such an address over vsock", "not over vsock")
                    .help("with family = \"vsock\", `to` is \"server\" or \"closed-port\"");
            }
        }
    }
}

/// Keys that change a label stand only where the label is part of an outcome.
fn check_label_keys(scenario: &Scenario, findings: &mut Findings) {
    for lane in &scenario.lanes {
        let verdict = lane.steps.iter().position(|step| step.verdict);
        for (index, step) in lane.steps.iter().enumerate() {
            let by_itself = lane.side == Side::Peer || verdict.is_some_and(|verdict| index > verdict);
            let joins = step.verdict || step.outcome.unwrap_or(step.schema.follow_up && by_itself);
            for (key, span) in step.label_keys.iter().filter(|_| !joins) {
                findings
                    .report(
                        span.clone(),
                        format!("`{key}` of a step that is not part of the outcome"),
                        "this step's label is not in the outcome",
                    )
                    .help("add `outcome = true` to the step, or remove this key");
            }
            if lane.side == Side::Peer && step.schema.follow_up && step.outcome == Some(false) {
                findings
                    .report(
                        step.span.clone(),
                        format!(
                            "the label of the peer's `{}` is always part of its outcome",
                            step.schema.name
                        ),
                        "`outcome = false` has no effect here",
                    )
                    .help("remove `outcome`; in `expect` of the lane `*` matches any label");
            }
        }
    }
}

fn begins_with_accept(lane: &LaneTemplate) -> bool {
    lane.steps.first().is_some_and(|step| step.schema.player == Player::PeerFirst)
}

/// `accept` begins the peer's lane and stands nowhere else; `connect` needs somebody who accepts.
fn check_peer(scenario: &Scenario, findings: &mut Findings, sound: bool) {
    let has_peer = lanes_of(scenario, Side::Peer).next().is_some();
    for lane in &scenario.lanes {
        if let (Side::Peer, true, Some(first)) =
            (lane.side, sound && !begins_with_accept(lane), lane.steps.first())
        {
            let span = first.span.clone();
            findings
                .report(span, "the peer's first step must be `accept`", "the peer has no connection yet")
                .help("begin with { op = \"accept\", socket = \"conn\" }");
        }
        for (index, step) in lane.steps.iter().enumerate() {
            match (step.schema.player, lane.side) {
                (Player::PeerFirst, Side::Target) => {
                    findings
                        .report(
                            step.span.clone(),
                            "`accept` is the peer's first step",
                            "in a lane of the target",
                        )
                        .help("the target connects; the peer accepts");
                }
                // An accept that should have been the first step is that one problem only.
                (Player::PeerFirst, Side::Peer) if index > 0 && (!sound || begins_with_accept(lane)) => {
                    findings
                        .report(
                            step.span.clone(),
                            "`accept` is the peer's first step only",
                            "a second accept",
                        )
                        .help("the peer plays its lane once for every connection");
                }
                (Player::Both, Side::Target) if step.calls("server") && !has_peer => {
                    let message = format!("`{}` without a peer lane", step.schema.name);
                    findings
                        .report(step.span.clone(), message, "no lane accepts it")
                        .help("add [lane.peer], with `accept` as its first step");
                }
                (Player::Both, Side::Peer) if step.calls("server") => {
                    let message = format!("`{}` of the peer calls its own agent", step.schema.name);
                    findings.report(step.span.clone(), message, "in the peer's lane").help(
                        "add to = \"listener\": it then calls the socket of a `listen` in a lane of the target",
                    );
                }
                (Player::Target, Side::Peer) => report_target_only(step, findings),
                (Player::PeerFirst | Player::Target | Player::Both, _) => {}
            }
        }
    }
}

/// A step in the peer's lane that only the target plays.
fn report_target_only(step: &StepTemplate, findings: &mut Findings) {
    let name = step.schema.name;
    let (message, help) = if step.schema.takes(FieldKind::Mark) {
        (
            format!("`{name}` cannot order two machines"),
            "lanes on two machines are ordered by the packets that they exchange and by nothing else; use `read`, or `sleep`",
        )
    } else {
        (format!("`{name}` is a step of the target"), "the target's kernel is the one that is measured")
    };
    findings.report(step.span.clone(), message, "in the peer's lane").help(help);
}

/// Plays the lanes with steps that take no time: a lane that cannot reach its end waits for ever.
fn check_marks(scenario: &Scenario, findings: &mut Findings) {
    let lanes: Vec<&LaneTemplate> = lanes_of(scenario, Side::Target).collect();
    let mut at = vec![0; lanes.len()];
    let mut set = BTreeSet::new();
    loop {
        let mut moved = false;
        for (index, lane) in lanes.iter().enumerate() {
            while let Some(step) = lane.steps.get(at[index]) {
                // A step that defines its mark sets it; one that only names it awaits it.
                match step.marks().next() {
                    Some((mark, false, _)) if !set.contains(&mark) => break,
                    Some((mark, true, _)) => {
                        set.insert(mark);
                    }
                    Some(_) | None => {}
                }
                at[index] += 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    // Lanes that wait for each other are one problem; a lane that waits for one of them is a part of it.
    let stuck = lanes.iter().enumerate().find_map(|(index, lane)| Some((lane, lane.steps.get(at[index])?)));
    if let Some((lane, step)) = stuck
        && let Some((mark, _, span)) = step.marks().next()
    {
        report_stuck(scenario, &lanes, lane, mark, span, findings);
    }
}

fn report_stuck(
    scenario: &Scenario,
    lanes: &[&LaneTemplate],
    waiting: &LaneTemplate,
    mark: usize,
    span: &Span,
    findings: &mut Findings,
) {
    let name = &scenario.marks[mark];
    let setter = lanes.iter().find_map(|lane| {
        let step =
            lane.steps.iter().find(|step| step.marks().any(|(set, defines, _)| defines && set == mark))?;
        Some((*lane, step.span.clone()))
    });
    let Some((lane, set)) = setter else {
        findings
            .report(span.clone(), format!("no lane of the target sets mark `{name}`"), "waits for ever")
            .help("a mark orders lanes of one machine only");
        return;
    };
    let message = if lane.span == waiting.span {
        format!("lane `{}` waits for a mark that it sets itself, later", waiting.name)
    } else {
        format!("lane `{}` and lane `{}` wait for each other", waiting.name, lane.name)
    };
    findings
        .report(span.clone(), message, format!("waits for `{name}`"))
        .also(set, "which is set here, and never reached")
        .help("every trial would end at the deadline of the await, and be void");
}

/// Which sockets surely exist at each step: made earlier in the same lane, or before a mark that was awaited.
fn check_definitions(scenario: &Scenario, findings: &mut Findings) {
    for side in [Side::Target, Side::Peer] {
        let lanes: Vec<&LaneTemplate> = lanes_of(scenario, side).collect();
        let at_marks = sockets_at_marks(&lanes);
        for lane in &lanes {
            let mut defined = BTreeSet::new();
            for step in &lane.steps {
                for (socket, defines, span) in step.sockets() {
                    if !defines && !defined.contains(&socket) {
                        report_undefined(scenario, &lanes, lane, socket, span, findings);
                        // Once is enough for a lane.
                        defined.insert(socket);
                    }
                }
                pass(step, &at_marks, &mut defined);
            }
        }
    }
}

/// What is defined after a step.
fn pass(step: &StepTemplate, at_marks: &BTreeMap<usize, BTreeSet<usize>>, defined: &mut BTreeSet<usize>) {
    defined.extend(step.sockets().filter(|(_, defines, _)| *defines).map(|(socket, _, _)| socket));
    for (awaited, _, _) in step.marks().filter(|(_, defines, _)| !defines) {
        defined.extend(at_marks.get(&awaited).into_iter().flatten());
    }
}

/// For each mark, the sockets that exist whichever step sets it. Grows to a fixed point, since a mark may follow an await.
fn sockets_at_marks(lanes: &[&LaneTemplate]) -> BTreeMap<usize, BTreeSet<usize>> {
    let mut at_marks: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    loop {
        let mut next: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for lane in lanes {
            let mut defined = BTreeSet::new();
            for step in &lane.steps {
                for (set, _, _) in step.marks().filter(|(_, defines, _)| *defines) {
                    next.entry(set)
                        .and_modify(|known| *known = known.intersection(&defined).copied().collect())
                        .or_insert_with(|| defined.clone());
                }
                pass(step, &at_marks, &mut defined);
            }
        }
        if next == at_marks {
            return at_marks;
        }
        at_marks = next;
    }
}

fn report_undefined(
    scenario: &Scenario,
    lanes: &[&LaneTemplate],
    lane: &LaneTemplate,
    socket: usize,
    span: &Span,
    findings: &mut Findings,
) {
    let name = &scenario.sockets[socket];
    let definer = lanes.iter().find_map(|other| {
        let step =
            other.steps.iter().find(|step| step.sockets().any(|(s, defines, _)| defines && s == socket))?;
        Some((*other, step.span.clone()))
    });
    let problem =
        findings.report(span.clone(), format!("socket `{name}` may not exist yet"), "used before it is made");
    match definer {
        Some((other, made)) if other.span == lane.span => {
            problem.also(made, "made here").help("move this step after it");
        }
        Some((other, made)) => {
            problem.also(made, format!("made here, in lane `{}`", other.name)).help(format!(
                "set a mark after it in lane `{}`, and `await` that mark in lane `{}`",
                other.name, lane.name
            ));
        }
        None => {
            problem.help(
                "the two ends have sockets of their own: `connect` makes the target's, `accept` the peer's, and `listen`, `accept_from` or `dup` either's",
            );
        }
    }
}

/// What is made is used: a socket or mark that nobody uses is a slip of its name.
fn check_use(scenario: &Scenario, findings: &mut Findings) {
    for side in [Side::Target, Side::Peer] {
        let steps: Vec<_> = lanes_of(scenario, side).flat_map(|lane| &lane.steps).collect();
        let unused = |all: Vec<(usize, bool, &Span)>| -> Vec<(usize, Span)> {
            let used: BTreeSet<usize> =
                all.iter().filter(|(_, defines, _)| !defines).map(|(i, _, _)| *i).collect();
            let made = all.into_iter().filter(|(index, defines, _)| *defines && !used.contains(index));
            made.map(|(index, _, span)| (index, span.clone())).collect()
        };
        for (socket, span) in unused(steps.iter().flat_map(|step| step.sockets()).collect()) {
            let name = &scenario.sockets[socket];
            findings
                .report(span, format!("socket `{name}` is never used"), "made, and never used")
                .help("every step of this side that could use it names another socket");
        }
        for (mark, span) in unused(steps.iter().flat_map(|step| step.marks()).collect()) {
            let name = &scenario.marks[mark];
            findings
                .report(span, format!("mark `{name}` is never awaited"), "set, and never awaited")
                .help(format!("add {{ op = \"await\", mark = \"{name}\", timeout = \"5s\" }} to another lane, or remove it"));
        }
    }
}

fn check_injections(scenario: &Scenario, script: &Script, findings: &mut Findings) {
    let Some((lane, fault)) = unreachable_injection(script) else { return };
    let steps = &scenario.lanes[lane].steps;
    let problem = findings.report(
        steps[fault.inject].span.clone(),
        "this injection reaches no call",
        "armed for the `select` system call of this lane",
    );
    match fault.select {
        Some(at) => {
            problem
                .also(steps[at].span.clone(), "the next select uses another system call")
                .help("write call = \"select\" there, or leave `call` out");
        }
        None => {
            problem.help("add a `select` after it, in the same lane");
        }
    }
}

/// The deadline is behind the sleeps, and no time has two classes.
fn check_times(scenario: &Scenario, script: &Script, places: &Places, findings: &mut Findings) {
    if let (Some(span), Some(fault)) = (&places.deadline, deadline_fault(script)) {
        findings.report(span.clone(), fault.message, fault.label).help(fault.help);
    }
    if let Some((lane, step, fault)) = overlap(script) {
        let step = &scenario.lanes[lane].steps[step];
        let span =
            step.label_keys.iter().find(|(key, _)| *key == "time").map_or(&step.span, |(_, span)| span);
        findings.report(span.clone(), fault.message, fault.label).help(fault.help);
    }
}

/// Every pattern is well formed and can match.
fn check_expectations(
    possible: &Possible<'_>,
    patterns: &[String],
    places: &[(Input, Span)],
    findings: &mut Findings,
) {
    for (pattern, (_, span)) in patterns.iter().zip(places) {
        if let Some(Impossible { message, label, help }) = possible.refuse(pattern) {
            findings.report(span.clone(), message, label).help(help);
        }
    }
}
