//! What a reader must know before he believes a number.
//!
//! Holds the checks of fairness that a record allows. Must not change a figure.
//! Units: counts. Errors: none.
//! Tests: `tests/golden/analysis.rs`.

use std::collections::BTreeSet;

use rig_stats::{Confidence, Count, fisher, holm};

use crate::configuration::TargetSpec;
use crate::path::Medium;
use crate::record::Run;

use super::Rules;
use super::cells::{Measured, Question};
use super::model::{CellStatus, CellSummary, ControlSummary};
use super::words::{count, list, p_value, percent, several};

/// Collects, the gravest first.
pub(super) fn collect(
    run: &Run,
    measured: &[Measured<'_>],
    cells: &[CellSummary],
    controls: &[ControlSummary],
    rules: Rules,
) -> Vec<String> {
    let mut cautions = run.cautions.clone();
    if Confidence::new(run.record.judgement.confidence).is_none() {
        let used = percent(rules.confidence.get(), super::words::Rounding::Nearest);
        cautions.push(format!("the record declares no usable confidence; {used} is used"));
    }
    cautions.extend(about_controls(cells, controls));
    cautions.extend(about_the_host(run, measured));
    cautions.extend(about_the_guests(run, measured));
    cautions.extend(about_the_agent(run, measured));
    cautions.extend(about_witnesses(measured));
    cautions.extend(about_lost_packets(measured));
    cautions.extend(about_missing_trials(run, measured, cells));
    cautions.extend(about_blocks(measured, rules));
    cautions
}

fn about_controls(cells: &[CellSummary], controls: &[ControlSummary]) -> Vec<String> {
    let blind = cells.iter().filter(|cell| cell.status == CellStatus::Blind).count();
    let failed: BTreeSet<String> = controls
        .iter()
        .filter(|control| !control.passed && control.n > 0)
        .map(|control| format!("{} in {} {}", control.control, control.configuration, control.kernel))
        .collect();
    let mut cautions = Vec::new();
    if !failed.is_empty() {
        let failed: Vec<String> = failed.into_iter().collect();
        cautions.push(format!(
            "controls failed: {}; what the instrument says of that errno there is not to be trusted",
            list(&failed)
        ));
    }
    if blind > 0 {
        cautions.push(format!(
            "{} blind: no passing control proves that an errno would have been seen there",
            are(blind, "cell")
        ));
    }
    cautions
}

fn are(n: usize, noun: &str) -> String {
    format!("{} {}", several(n, noun), if n == 1 { "is" } else { "are" })
}

fn about_the_host(run: &Run, measured: &[Measured<'_>]) -> Vec<String> {
    let environment = &run.record.environment;
    let mut cautions = Vec::new();
    if environment.rehearsed {
        cautions.push(
            "rehearsed in an emulated KVM host: behaviour counts, timings mean nothing and are left out"
                .to_owned(),
        );
    }
    let has_baseline = measured.iter().any(|cell| cell.cell().is_baseline());
    if has_baseline && environment.host.virtualized != "none" {
        let hypervisor = match environment.host.virtualized.as_str() {
            "" => "not known whether",
            name => name,
        };
        cautions.push(format!("\"bare metal\" is itself a virtual machine ({hypervisor}): this run compares virtual with virtual"));
    }
    let differing: BTreeSet<&str> = measured
        .iter()
        .filter(|cell| !cell.cell().is_baseline())
        .flat_map(|cell| {
            let differs = |hello: &&rig_protocol::Hello| hello.localtime != environment.host.localtime;
            let hellos = cell.blocks.iter().filter_map(|block| block.target_hello.as_ref());
            hellos.filter(differs).map(|_| cell.cell().subject.configuration.name.as_str())
        })
        .collect();
    if !differing.is_empty() {
        let (host, guests) =
            if environment.host.localtime { ("has", "have not") } else { ("has not", "have") };
        let names: Vec<&str> = differing.into_iter().collect();
        cautions.push(format!(
            "the host {host} an /etc/localtime, guests of {} {guests}: localtime() then leaves ENOENT in errno on one side only",
            list(&names)
        ));
    }
    cautions
}

fn about_the_guests(run: &Run, measured: &[Measured<'_>]) -> Vec<String> {
    let mut cautions = Vec::new();
    let guests = || measured.iter().filter(|cell| !cell.cell().is_baseline());
    if guests().any(|cell| cell.accelerators().contains("tcg")) {
        let reason = &run.record.environment.accelerator_reason;
        let why = if reason.is_empty() { String::new() } else { format!(", because {reason}") };
        cautions.push(format!("guests were emulated (TCG){why}: they do not stand for KVM guests, and their timings are not a KVM guest's"));
    }
    let names = |wanted: &dyn Fn(&Measured<'_>) -> bool| {
        let names: BTreeSet<&str> = guests()
            .filter(|cell| cell.record.skipped.is_none() && wanted(cell))
            .map(|cell| cell.cell().subject.configuration.name.as_str())
            .collect();
        names.into_iter().collect::<Vec<_>>()
    };
    let proxied = names(&|cell| cell.is_proxied());
    if !proxied.is_empty() {
        cautions.push(format!(
            "{}: libslirp terminates TCP on the way, the guest meets slirp's resets and not the peer's",
            list(&proxied)
        ));
    }
    let unproven = names(&|cell| match &cell.cell().subject.configuration.target {
        TargetSpec::Host => false,
        TargetSpec::Qemu(spec) => {
            spec.nic.backend == crate::configuration::NicBackend::TapVhost
                && cell.blocks.iter().any(|block| block.target.vhost_proof.is_empty())
        }
    });
    if !unproven.is_empty() {
        cautions
            .push(format!("{}: not every block proves that vhost-net carried its packets", list(&unproven)));
    }
    cautions
}

fn about_the_agent(run: &Run, measured: &[Measured<'_>]) -> Vec<String> {
    let other = |cell: &&Measured<'_>| {
        let hellos = cell.blocks.iter().flat_map(|block| [&block.target_hello, &block.peer_hello]).flatten();
        let mut ids = hellos.map(|hello| &hello.build_id);
        ids.any(|id| *id != run.record.agent_build_id)
    };
    let foreign = measured.iter().filter(other).count();
    if foreign == 0 {
        return Vec::new();
    }
    vec![format!("{} played by an agent of other bytes than the run declares", several(foreign, "cell"))]
}

fn about_witnesses(measured: &[Measured<'_>]) -> Vec<String> {
    let mut cautions = Vec::new();
    // A witness that failed altogether says the largest number.
    let lost = measured
        .iter()
        .flat_map(|cell| &cell.blocks)
        .map(|block| block.witness.lost)
        .fold(0, u64::saturating_add);
    if lost > 0 {
        cautions.push(format!(
            "the packet witness lost {} packets: its RST counts are lower bounds",
            count(lost)
        ));
    }
    let unwatched: BTreeSet<&str> = measured
        .iter()
        .filter(|cell| !cell.has_witness() && cell.cell().subject.path.medium == Medium::Link)
        .map(|cell| cell.cell().subject.configuration.name.as_str())
        .collect();
    if !unwatched.is_empty() {
        let names: Vec<&str> = unwatched.into_iter().collect();
        cautions.push(format!(
            "{}: no witness, because no interface of the host carries the packets of two guests; their RSTs are what the two kernels say, and a difference from bare metal may be the peer's, which is a guest there too",
            list(&names)
        ));
    }
    // Behind slirp two connections carry each trial, and the witness sees one of them at most; a box on the way sends resets of its own.
    let seen_whole = |cell: &&Measured<'_>| {
        !cell.is_proxied() && cell.has_witness() && cell.cell().subject.path.is_plain()
    };
    let direct = || measured.iter().filter(seen_whole);
    let disagreeing: Vec<&Measured<'_>> =
        direct().filter(|cell| cell.witness_rsts() != cell.kernel_rsts()).collect();
    if let Some(worst) =
        disagreeing.iter().max_by_key(|cell| cell.witness_rsts().abs_diff(cell.kernel_rsts()))
    {
        cautions.push(format!(
            "packets and kernel counters disagree on the number of RSTs in {}; most in {} ({} {}): {} on the wire, {} sent",
            several(disagreeing.len(), "cell"),
            worst.subject(),
            worst.cell().subject.configuration.name,
            worst.cell().subject.kernel,
            count(worst.witness_rsts()),
            count(worst.kernel_rsts())
        ));
    }
    cautions
}

/// A plain link loses nothing and delays nothing: a segment that was sent again was dropped by a full queue, or was not acknowledged
/// within a retransmission timer (200 ms, tail loss probes sooner) because a kernel did not get to run. What such a trial saw in time
/// (a timeout, data that never came) may be the load of the testbed and not the kernel's answer.
fn about_lost_packets(measured: &[Measured<'_>]) -> Option<String> {
    let repeated = |cell: &Measured<'_>| -> u64 {
        let tallies = cell.blocks.iter().flat_map(|block| [&block.tally, &block.peer_tally]);
        let counters = tallies.filter_map(|tally| tally.counters.get("Tcp.RetransSegs"));
        counters.map(|risen| u64::try_from(*risen).unwrap_or(0)).sum()
    };
    let plain = measured.iter().filter(|cell| cell.cell().subject.path.is_plain());
    let touched: Vec<(u64, &Measured<'_>)> =
        plain.map(|cell| (repeated(cell), cell)).filter(|(n, _)| *n > 0).collect();
    let (most, worst) = touched.iter().max_by_key(|(n, _)| *n)?;
    Some(format!(
        "segments were sent again in {}, most in {} ({} {}): {}; on a plain link that is load (full queues, or kernels that waited to run): a timeout there may be the testbed's; lower in_flight, or free the host",
        several(touched.len(), "cell"),
        worst.subject(),
        worst.cell().subject.configuration.name,
        worst.cell().subject.kernel,
        count(*most)
    ))
}

fn about_missing_trials(run: &Run, measured: &[Measured<'_>], cells: &[CellSummary]) -> Vec<String> {
    let mut cautions = Vec::new();
    if !run.complete {
        cautions.push(
            "the run did not play all blocks of its plan; `rig matrix run --resume` goes on with it"
                .to_owned(),
        );
    }
    let void: u64 = measured.iter().map(Measured::void).sum();
    if void > 0 {
        let touched = measured.iter().filter(|cell| cell.void() > 0).count();
        cautions.push(format!(
            "{} trials in {} are void: they have no outcome and are in no rate",
            count(void),
            several(touched, "cell")
        ));
    }
    let skipped = cells.iter().filter(|cell| cell.status == CellStatus::Skipped).count();
    if skipped > 0 {
        cautions.push(format!("{} skipped; the table says why", several(skipped, "cell")));
    }
    cautions
}

fn about_blocks(measured: &[Measured<'_>], rules: Rules) -> Vec<String> {
    let mut cautions = Vec::new();
    let single =
        measured.iter().filter(|cell| cell.cell().control.is_none() && cell.blocks.len() == 1).count();
    if single > 0 {
        cautions.push(format!(
            "{} one block only: trials of one block share one boot; intervals assume independence",
            if single == 1 {
                "1 cell has".to_owned()
            } else {
                format!("{} cells have", count(single as u64))
            }
        ));
    }
    let found = heterogeneity(measured);
    let adjusted = holm(&found.iter().map(|(_, _, p)| *p).collect::<Vec<_>>());
    for ((cell, question, _), p) in found.iter().zip(adjusted) {
        if p <= rules.alpha() {
            cautions.push(format!(
                "blocks of {} ({} {}) differ among themselves in {} (corrected p {}): its interval is too narrow",
                cell.subject(),
                cell.cell().subject.configuration.name,
                cell.cell().subject.kernel,
                question.key(),
                p_value(p)
            ));
        }
    }
    cautions
}

/// For every cell of several blocks and every question with a hit: the smallest exact p-value of one block against the others,
/// times the number of blocks (Bonferroni).
fn heterogeneity<'m, 'a>(measured: &'m [Measured<'a>]) -> Vec<(&'m Measured<'a>, Question, f64)> {
    let mut found = Vec::new();
    for cell in measured.iter().filter(|cell| cell.blocks.len() > 1) {
        for question in Question::ALL {
            let all = question.count(&cell.tally);
            if all.hits() == 0 || all.misses() == 0 {
                continue;
            }
            let against_rest = |one: Count| {
                Count::new(all.hits() - one.hits(), all.trials() - one.trials())
                    .map_or(1.0, |rest| fisher(one, rest))
            };
            let smallest = cell
                .blocks
                .iter()
                .map(|block| against_rest(question.count(&block.tally)))
                .fold(1.0, f64::min);
            found.push((cell, question, (smallest * cell.blocks.len() as f64).min(1.0)));
        }
    }
    found
}
