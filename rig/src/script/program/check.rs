//! What a program lane means together with the rest of its scenario.
//!
//! Holds the rules that no single key can break. Must not look at the program itself. Units: none.
//! Errors: findings that blame the scenario file. Tests: `tests/diagnostics.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Script, Side, Witness};

use super::fill::{self, Fault};
use super::outcome::ProgramPossible;
use crate::document::{Findings, Span};
use crate::script::outcome::Impossible;
use crate::script::template::{Input, LaneTemplate, ProgramTemplate, Scenario};

/// Checks everything that can be said of the lane itself. Where something was wrong already, a missing lane may only be unread.
pub(in crate::script) fn check(
    scenario: &Scenario,
    program: &ProgramTemplate,
    findings: &mut Findings,
    sound: bool,
) {
    let own = scenario.lanes.iter().find(|lane| lane.name == program.lane);
    // One on the peer, or a second one, was said to be that.
    let Some(own) = own.filter(|own| own.side == Side::Target) else { return };
    check_other_lanes(scenario, own, findings);
    check_network(scenario, program, own, findings, sound);
    check_injection(program, findings);
}

fn check_other_lanes(scenario: &Scenario, own: &LaneTemplate, findings: &mut Findings) {
    let others = scenario.lanes.iter().filter(|lane| lane.side == Side::Target && lane.span != own.span);
    for other in others.filter(|lane| !lane.steps.is_empty()) {
        findings
            .report(
                other.span.clone(),
                format!("lane `{}` runs beside a program", other.name),
                "a further lane of the target",
            )
            .also(own.span.clone(), "the program is this lane")
            .help("a program is the only lane of the target: its threads and children are its own matter");
    }
}

fn check_network(
    scenario: &Scenario,
    program: &ProgramTemplate,
    own: &LaneTemplate,
    findings: &mut Findings,
    sound: bool,
) {
    let peer = scenario.lanes.iter().find(|lane| lane.side == Side::Peer);
    match (program.own_network, peer) {
        (true, Some(peer)) => {
            findings
                .report(peer.span.clone(), "a peer, and a network without one", "nobody connects to it")
                .also(own.span.clone(), "each trial of this program has a network of its own")
                .help("remove the peer, or `network = \"own\"`");
        }
        (false, None) if sound => {
            findings
                .report(own.span.clone(), format!("lane `{}` has no peer", own.name), "nobody answers this program")
                .help("add peer = \"rst\" at the top of the file, or [lane.peer] with its steps; a program that brings both ends has network = \"own\"");
        }
        (true, None) | (false, _) => {}
    }
    if let (true, Some(redirect)) = (program.own_network, program.redirect_span()) {
        findings
            .report(redirect, "`redirect` in a network of its own", "there is no peer to be led to")
            .help("remove it, or `network = \"own\"`");
    }
}

fn check_injection(program: &ProgramTemplate, findings: &mut Findings) {
    let Some(inject) = &program.inject else { return };
    let other = program
        .witness
        .as_ref()
        .filter(|witness| matches!(&witness.input, Input::Given(word) if word != Witness::Ptrace.word()));
    if let Some(witness) = other {
        findings
            .report(inject.span.clone(), "`inject` needs the witness ptrace", "nobody can inject it")
            .also(witness.span.clone(), "this witness only looks on")
            .help("only ptrace(2) can change what a call returns: remove `witness` or `inject`");
    }
}

/// What the defaults of parameters make wrong, and outcomes that cannot be.
pub(in crate::script) fn check_filled_in(
    scenario: &Scenario,
    program: &ProgramTemplate,
    script: &Script,
    expect: &[(Input, Span)],
    findings: &mut Findings,
) {
    let values = scenario.complete(&BTreeMap::new());
    for Fault { parameter, span, message, label, help } in fill::faults(program, &values) {
        findings
            .report(span, format!("the default of parameter `{parameter}`: {message}"), label)
            .maybe_help(help);
    }
    let Some(filled) = &script.program else { return };
    let possible = ProgramPossible::of(program, filled);
    for (pattern, (_, span)) in script.expect.iter().zip(expect) {
        if let Some(Impossible { message, label, help }) = possible.refuse(pattern) {
            findings.report(span.clone(), message, label).help(help);
        }
    }
}
