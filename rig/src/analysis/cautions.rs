//! Which cautions hold for a run.
//!
//! Holds the checks of fairness that a record allows. Must not change a figure, nor word a caution: `model/caution.rs` does.
//! Units: counts. Errors: none.
//! Tests: `tests/golden/analysis.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_stats::{Confidence, Count, fisher, holm};

use crate::configuration::{Engine, Injection, TargetSpec};
use crate::path::Medium;
use crate::record::Run;

use super::blocks::{Family, of_cell};
use super::measured::Measured;
use super::model::{
    Caution, CellName, CellStatus, CellSummary, ControlStatus, ControlSummary, EndCaution, Ground,
    MachineEnd, MachineSummary, PacketCaution, Question, TrialCaution,
};
use super::order;
use super::rules::Rules;

/// Collects, the gravest first.
pub(super) fn collect(
    run: &Run,
    measured: &[Measured<'_>],
    (cells, controls, machines): (&[CellSummary], &[ControlSummary], &[MachineSummary]),
    rules: Rules,
) -> Vec<Caution> {
    let mut cautions: Vec<Caution> = run.cautions.iter().cloned().map(Caution::Record).collect();
    if Confidence::new(run.record.judgement.confidence).is_none() {
        cautions.push(Caution::Confidence(rules.confidence.get()));
    }
    cautions.extend(about_doses(measured).into_iter().map(Caution::Trials));
    cautions.extend(about_controls(cells, controls).map(Caution::Trials));
    cautions.extend(about_the_host(run, measured).map(Caution::Ends));
    cautions.extend(about_the_guests(run, measured).map(Caution::Ends));
    cautions.extend(about_the_agent(run, measured).map(Caution::Ends));
    cautions.extend(about_machines(run, machines).into_iter().map(Caution::Ends));
    cautions.extend(about_witnesses(measured).map(Caution::Packets));
    cautions.extend(about_lost_packets(measured).map(Caution::Packets));
    cautions.extend(about_missing_trials(run, measured, cells).map(Caution::Trials));
    cautions.extend(about_blocks(measured, rules).map(Caution::Trials));
    cautions.extend(about_order(measured, cells, rules).map(Caution::Trials));
    cautions.extend(about_what_does_not_count(measured).map(Caution::Trials));
    cautions
}

fn name_of(cell: &Measured<'_>) -> CellName {
    CellName {
        subject: cell.subject(),
        configuration: cell.configuration().to_owned(),
        kernel: cell.cell().subject.kernel.clone(),
    }
}

/// The names of the configurations of these cells; none where there are none.
fn configurations<'c, 'a: 'c>(cells: impl Iterator<Item = &'c Measured<'a>>) -> Option<Vec<String>> {
    let names: BTreeSet<String> = cells.map(|cell| cell.configuration().to_owned()).collect();
    (!names.is_empty()).then(|| names.into_iter().collect())
}

/// One for each configuration that injects.
fn about_doses(measured: &[Measured<'_>]) -> Vec<TrialCaution> {
    let dose = |cell: &Measured<'_>| {
        let Injection { errno, rate_ppm } =
            cell.cell().subject.configuration.target.tuning().inject.clone()?;
        Some((cell.configuration().to_owned(), (errno.to_string(), f64::from(rate_ppm) / 1e6)))
    };
    let doses: BTreeMap<String, (String, f64)> = measured.iter().filter_map(dose).collect();
    let told = |(configuration, (errno, rate))| TrialCaution::Dosed { configuration, errno, rate };
    doses.into_iter().map(told).collect()
}

fn about_controls(
    cells: &[CellSummary],
    controls: &[ControlSummary],
) -> impl Iterator<Item = TrialCaution> + use<> {
    let blind = cells.iter().filter(|cell| cell.status == CellStatus::Blind).count();
    let named = |status| {
        let of_status = controls.iter().filter(|control| control.status() == status);
        let names: BTreeSet<String> = of_status
            .map(|control| format!("{} in {} {}", control.control, control.configuration, control.kernel))
            .collect();
        (!names.is_empty()).then(|| names.into_iter().collect())
    };
    let failed = named(ControlStatus::Failed).map(TrialCaution::ControlsFailed);
    let idle = named(ControlStatus::NotExercised).map(TrialCaution::ControlsNotExercised);
    failed.into_iter().chain(idle).chain((blind > 0).then_some(TrialCaution::Blind(blind)))
}

fn about_the_host(run: &Run, measured: &[Measured<'_>]) -> impl Iterator<Item = EndCaution> + use<> {
    let environments = || run.record.environments();
    let rehearsed = environments().any(|one| one.rehearsed).then_some(EndCaution::Rehearsed);
    let hypervisor = environments().find_map(|one| match Ground::of(&one.host) {
        Ground::Metal => None,
        Ground::NotKnown => Some(None),
        Ground::Virtual(name) => Some(Some(name.to_owned())),
    });
    let has_baseline = measured.iter().any(|cell| cell.cell().is_baseline());
    let arm = |cell: &Measured<'_>| cell.cell().subject.configuration.target.arm();
    let found = |cell: &Measured<'_>| {
        let hellos = cell.blocks.iter().filter_map(|block| block.target_hello.as_ref());
        hellos.map(|hello| hello.localtime).collect::<Vec<_>>()
    };
    // Of the guests in one arm and the host in the same: records of an older rig have no arms of the host, which was played as it was.
    let of_host = |cell: &Measured<'_>| {
        let mut hosts = measured
            .iter()
            .filter(|host| host.cell().is_baseline() && arm(host) == arm(cell))
            .flat_map(found);
        hosts.find(|host| found(cell).iter().any(|guest| guest != host))
    };
    let differing = [true, false].into_iter().find_map(|host| {
        let differs = |cell: &&Measured<'_>| !cell.cell().is_baseline() && of_host(cell) == Some(host);
        Some((host, configurations(measured.iter().filter(differs))?))
    });
    rehearsed
        .into_iter()
        .chain(hypervisor.filter(|_| has_baseline).map(EndCaution::VirtualHost))
        .chain(differing.map(|(host, guests)| EndCaution::Localtime { host, guests }))
}

fn about_the_guests(run: &Run, measured: &[Measured<'_>]) -> impl Iterator<Item = EndCaution> + use<> {
    let guests = || measured.iter().filter(|cell| !cell.cell().is_baseline());
    let played = || guests().filter(|cell| cell.record.skipped.is_none());
    let emulated = guests().any(|cell| cell.ran_on(Engine::Tcg));
    let reason = || EndCaution::Emulated(run.record.environment.accelerator_reason.clone());
    let unproven = |cell: &&Measured<'_>| match &cell.cell().subject.configuration.target {
        TargetSpec::Host(_) => false,
        TargetSpec::Qemu(spec) => {
            spec.nic.backend.has_vhost()
                && cell.blocks.iter().any(|block| block.target.vhost_proof.is_empty())
        }
    };
    emulated
        .then(reason)
        .into_iter()
        .chain(proxied(played()))
        .chain(configurations(played().filter(unproven)).map(EndCaution::VhostUnproven))
        .chain(own_systems(run, measured))
}

/// One for each proxy that stands before a guest.
fn proxied<'m, 'a: 'm>(guests: impl Iterator<Item = &'m Measured<'a>>) -> Vec<EndCaution> {
    let mut found: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
    for cell in guests {
        let configuration = &cell.cell().subject.configuration;
        if let Some(by) = configuration.target.proxy() {
            found.entry(by).or_default().insert(configuration.name.clone());
        }
    }
    let caution = |(by, configurations): (_, BTreeSet<String>)| EndCaution::Proxied {
        by,
        configurations: configurations.into_iter().collect(),
    };
    found.into_iter().map(caution).collect()
}

/// One for each configuration that boots a disk of its own, from the first block in which it was looked at.
fn own_systems(run: &Run, measured: &[Measured<'_>]) -> Vec<EndCaution> {
    let host = &run.record.environment.sysctls;
    let mut found = BTreeMap::new();
    for cell in measured {
        let Some(system) = cell.blocks.iter().find_map(|block| block.target.system.as_ref()) else {
            continue;
        };
        let settings = system.sysctls.iter().filter_map(|(name, there)| {
            let of_host = host.get(name).filter(|host| *host != there)?;
            Some([name.clone(), there.clone(), of_host.clone()])
        });
        found.entry(cell.configuration().to_owned()).or_insert_with(|| EndCaution::OwnSystem {
            configuration: cell.configuration().to_owned(),
            system: [system.os.clone(), system.init.clone()],
            rules: system.rules.lines().count(),
            settings: settings.collect(),
        });
    }
    found.into_values().collect()
}

fn about_the_agent(run: &Run, measured: &[Measured<'_>]) -> Option<EndCaution> {
    let other = |cell: &&Measured<'_>| {
        let hellos = cell.blocks.iter().flat_map(|block| [&block.target_hello, &block.peer_hello]).flatten();
        let mut ids = hellos.map(|hello| &hello.build_id);
        ids.any(|id| *id != run.record.agent_build_id)
    };
    let foreign = measured.iter().filter(other).count();
    (foreign > 0).then_some(EndCaution::ForeignAgent(foreign))
}

/// Guests whose QEMU is not the one that was found, has been given more than was asked for, or could not be looked at; and configurations that had guests of
/// several kinds.
fn about_machines(run: &Run, machines: &[MachineSummary]) -> Vec<EndCaution> {
    let found = &run.record.environment;
    let mut all: Vec<EndCaution> = Vec::new();
    let mut say = |caution: EndCaution| {
        if !all.contains(&caution) {
            all.push(caution);
        }
    };
    for machine in machines {
        let known = !machine.qemu_sha256.is_empty() && !found.qemu_sha256.is_empty();
        if !machine.added.is_empty() || (known && machine.qemu_sha256 != found.qemu_sha256) {
            say(EndCaution::OtherQemu {
                configuration: machine.configuration.clone(),
                found: found.qemu_path.clone(),
                ran: machine.qemu_path.clone(),
                added: machine.added.clone(),
            });
        }
        if let Some(why) = machine.not_seen.clone() {
            say(EndCaution::QemuNotSeen { configuration: machine.configuration.clone(), why });
        }
    }
    let mut kinds: BTreeMap<(&str, &str, MachineEnd), usize> = BTreeMap::new();
    for machine in machines {
        *kinds.entry((&machine.configuration, &machine.kernel, machine.end)).or_default() += 1;
    }
    for ((configuration, kernel, _), kinds) in kinds.into_iter().filter(|(_, kinds)| *kinds > 1) {
        let (configuration, kernel) = (configuration.to_owned(), kernel.to_owned());
        say(EndCaution::MachinesDiffer { configuration, kernel, kinds });
    }
    all
}

fn about_order(measured: &[Measured<'_>], cells: &[CellSummary], rules: Rules) -> Option<TrialCaution> {
    let clustered = order::clustered(measured, cells, rules.alpha());
    let (cell, figures, p) = clustered.first()?;
    Some(TrialCaution::Clustered {
        cells: clustered.len(),
        surest: name_of(cell),
        what: figures.what.clone(),
        ratio: figures.dispersion.unwrap_or_default(),
        p: *p,
    })
}

/// What failed in attempts that count for nothing: the reason that they do not may be that it failed there.
fn about_what_does_not_count(measured: &[Measured<'_>]) -> Option<TrialCaution> {
    let mut errnos: BTreeMap<String, u64> = BTreeMap::new();
    let mut attempts = 0;
    for block in
        measured.iter().filter(|cell| cell.cell().control.is_none()).flat_map(|cell| &cell.not_counted)
    {
        let failed = block.tally.returns.iter().filter_map(|(returned, n)| Some((returned.errno?, *n)));
        let failed: Vec<_> = failed.filter(|(_, n)| *n > 0).collect();
        attempts += usize::from(!failed.is_empty());
        failed.into_iter().for_each(|(errno, n)| *errnos.entry(errno.to_string()).or_default() += n);
    }
    (attempts > 0)
        .then(|| TrialCaution::SeenWhereNothingCounts { errnos: errnos.into_iter().collect(), attempts })
}

/// A guest without a witness whose peer is no process of the host, or counted nothing there.
fn rests_on_the_guests_word_alone(cell: &Measured<'_>) -> bool {
    let subject = &cell.cell().subject;
    let target = &subject.configuration.target;
    let peer_on_host = !target.is_paired() && subject.path.medium == Medium::Link;
    let counted = peer_on_host && !cell.peer.counters.is_empty();
    cell.tally.trials > 0 && !cell.cell().is_baseline() && !cell.has_witness() && !counted
}

fn about_witnesses(measured: &[Measured<'_>]) -> impl Iterator<Item = PacketCaution> + use<> {
    // A witness that failed altogether says the largest number.
    let lost = measured
        .iter()
        .flat_map(|cell| &cell.blocks)
        .map(|block| block.witness.lost_packets)
        .fold(0, u64::saturating_add);
    let unwatched =
        |cell: &&Measured<'_>| !cell.has_witness() && cell.cell().subject.path.medium == Medium::Link;
    let unwatched = configurations(measured.iter().filter(unwatched));
    let alone = || measured.iter().filter(|cell| rests_on_the_guests_word_alone(cell));
    let word_alone = configurations(alone())
        .map(|configurations| PacketCaution::WordAlone { cells: alone().count(), configurations });
    (lost > 0)
        .then_some(PacketCaution::WitnessLost(lost))
        .into_iter()
        .chain(unwatched.map(PacketCaution::Unwatched))
        .chain(word_alone)
        .chain(about_resets(measured))
}

fn about_resets(measured: &[Measured<'_>]) -> Option<PacketCaution> {
    // Behind slirp two connections carry each trial, and the witness sees one of them at most; a box on the way sends resets of its own.
    let seen_whole = |cell: &&Measured<'_>| {
        !cell.is_proxied() && cell.has_witness() && cell.cell().subject.path.is_plain()
    };
    let apart = |cell: &Measured<'_>| cell.witness_rsts().abs_diff(cell.kernel_rsts());
    let disagreeing: Vec<&Measured<'_>> =
        measured.iter().filter(seen_whole).filter(|cell| apart(cell) > 0).collect();
    let worst = disagreeing.iter().max_by_key(|cell| apart(cell))?;
    Some(PacketCaution::ResetsDisagree {
        cells: disagreeing.len(),
        worst: name_of(worst),
        wire: worst.witness_rsts(),
        sent: worst.kernel_rsts(),
    })
}

/// A plain link loses nothing and delays nothing: a segment that was sent again was dropped by a full queue, or was not acknowledged
/// within a retransmission timer (200 ms, tail loss probes sooner) because a kernel did not get to run. What such a trial saw in time
/// (a timeout, data that never came) may be the load of the testbed and not the kernel's answer.
fn about_lost_packets(measured: &[Measured<'_>]) -> Option<PacketCaution> {
    let repeated = |cell: &Measured<'_>| -> u64 {
        let tallies = cell.blocks.iter().flat_map(|block| [&block.tally, &block.peer_tally]);
        let counters = tallies.filter_map(|tally| tally.counters.get("Tcp.RetransSegs"));
        counters.map(|risen| u64::try_from(*risen).unwrap_or(0)).sum()
    };
    let plain = measured.iter().filter(|cell| cell.cell().subject.path.is_plain());
    let touched: Vec<(u64, &Measured<'_>)> =
        plain.map(|cell| (repeated(cell), cell)).filter(|(n, _)| *n > 0).collect();
    let (segments, worst) = touched.iter().max_by_key(|(n, _)| *n)?;
    Some(PacketCaution::SentAgain { cells: touched.len(), worst: name_of(worst), segments: *segments })
}

fn about_missing_trials(
    run: &Run,
    measured: &[Measured<'_>],
    cells: &[CellSummary],
) -> impl Iterator<Item = TrialCaution> + use<> {
    let trials: u64 = measured.iter().map(Measured::void).sum();
    let touched = measured.iter().filter(|cell| cell.void() > 0).count();
    let skipped = cells.iter().filter(|cell| cell.status == CellStatus::Skipped).count();
    (!run.complete)
        .then_some(TrialCaution::NotComplete)
        .into_iter()
        .chain((trials > 0).then_some(TrialCaution::Void { trials, cells: touched }))
        .chain((skipped > 0).then_some(TrialCaution::Skipped(skipped)))
}

fn about_blocks(measured: &[Measured<'_>], rules: Rules) -> impl Iterator<Item = TrialCaution> + use<> {
    let single =
        measured.iter().filter(|cell| cell.cell().control.is_none() && cell.blocks.len() == 1).count();
    let found = heterogeneity(measured);
    let adjusted = holm(&found.iter().map(|(_, _, p)| *p).collect::<Vec<_>>());
    let differing: Vec<TrialCaution> = found
        .iter()
        .zip(adjusted)
        .filter(|(_, p)| *p <= rules.alpha())
        .map(|((cell, question, _), p)| TrialCaution::BlocksDiffer {
            cell: name_of(cell),
            question: *question,
            p,
        })
        .collect();
    (single > 0)
        .then_some(TrialCaution::SingleBlock(single))
        .into_iter()
        .chain(differing)
        .chain(clumped(measured, rules))
}

/// From so many blocks a side on, and below this correlation within blocks, simulated intervals and tests hold what they promise (`rig/stats/tests/blocks.rs`).
const ENOUGH_BLOCKS: usize = 8;
const CLUMPED_FROM: f64 = 0.05;

/// The cells whose hits lie in few of their few blocks.
fn clumped(measured: &[Measured<'_>], rules: Rules) -> Option<TrialCaution> {
    let mut found: Vec<(f64, &Measured<'_>, Question)> = Vec::new();
    for cell in measured.iter().filter(|cell| cell.cell().control.is_none() && cell.cell().alert) {
        for question in [Question::Ebadf, Question::Enoent] {
            let blocks = of_cell(cell, |tally| question.count(tally));
            let icc = Family::of(std::slice::from_ref(&blocks), rules).icc();
            if (2..ENOUGH_BLOCKS).contains(&blocks.len()) && icc >= CLUMPED_FROM.max(rules.icc.get()) {
                found.push((icc, cell, question));
            }
        }
    }
    let cells = found.len();
    let (icc, most, question) = found.into_iter().max_by(|(a, ..), (b, ..)| a.total_cmp(b))?;
    Some(TrialCaution::Clumped { cells, most: name_of(most), question, icc, blocks: most.blocks.len() })
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
