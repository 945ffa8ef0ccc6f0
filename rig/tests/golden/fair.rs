//! Every rule of every claim falls both ways: for each part a made-up run that supports it, one that refutes it, and one for each of its requirements that leaves it
//! undecided.

use std::collections::BTreeMap;

use rig::analysis::model::{HypothesisVerdict, PartFinding};
use rig::claims::{Cells, Claim, Counter, Differs, Direction, Part, Requirement, Rule, Set, What, Words};
use rig::path::PathSpec;
use rig::record::format::BlockRecord;
use rig_protocol::{Errno, Histogram, Returned, Tally, TcpState};

use crate::fixture::{Bench, Play, cell, sound};

use HypothesisVerdict::{Documented, Refuted, Supported, Undecided};

/// Blocks of a cell. Without a hit they show, of trials that are correlated by 0.001, what is not above 1 in 5,000.
const BLOCKS: u32 = 24;
/// Trials of one block: more than those of the other cells have, by which they are told apart.
const TRIALS: u64 = 1_200;

/// Claims of rules, and forms of rules, that no shipped claim has.
const OTHERS: &[&str] = &[
    "said = { kernel = \"success\", libc = \"ENOENT\" }",
    "said = { localtime = \"ENOENT\" }",
    "said = { kernel = \"EBADF\", libc = \"EBADF\" }",
    "takes = { from = \"2s\", to = \"4s\" }",
    "takes = { from = \"1ms\", to = \"2ms\", share = \"50%\" }",
    "per_trial = { counter = \"peer.TcpExt.TCPAbortOnData\", ratio = 2 }",
    "per_trial = { counter = \"path.firewall.expired\", ratio = 1, tolerance = \"1%\" }",
    "per_trial = { counter = \"target.Tcp.OutRsts\", ratio = 1, or_more = true }",
    "per_trial = { counter = \"witness.to_peer\", ratio = 1 }",
    "returns = { errno = \"any\" }",
    "returns = { errno = [\"EINTR\"] }",
];

/// The same of comparisons.
const COMPARED: &[(&str, &str)] = &[
    ("share:readable,data,**", "a-more"),
    ("share:readable,data,**", "b-more"),
    ("share:readable,data,**", "same"),
    ("share:readable,data,**", "differs"),
    ("rate:EBADF", "b-more"),
    ("rate:any", "same"),
    ("closed-before-call", "same"),
    ("latency", "b-more"),
    ("latency", "differs"),
    ("latency", "same"),
];

/// Files of claims of the reader's own, by id.
fn others() -> BTreeMap<String, String> {
    let head = "text = \"made up\"\nsource = \"nobody\"\n[[part]]\n";
    let plain = OTHERS.iter().map(|rule| format!("{head}cells = [{{ scenario = \"mine\" }}]\n{rule}\n"));
    let compared = COMPARED.iter().map(|(what, claimed)| {
        let margin = if *what == "latency" { "5us" } else { "1%" };
        format!(
            "{head}[part.differs]\na = {{ scenario = \"mine\", path = \"far\" }}\nb = {{ scenario = \"mine\", path = \"near\" }}\n\
             what = \"{what}\"\nclaimed = \"{claimed}\"\nmargin = \"{margin}\"\n"
        )
    });
    let texts: Vec<String> = plain.chain(compared).collect();
    texts.into_iter().enumerate().map(|(at, text)| (format!("U{at}"), text)).collect()
}

/// Which way a part is to fall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fall {
    Supported,
    Refuted,
}

/// Of two selections, or the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Only,
    A,
    B,
}

/// One word of a selection, as a cell has it.
fn word(words: &Words, otherwise: &str) -> String {
    words.example().unwrap_or_else(|| otherwise.to_owned())
}

/// A run in which the cells of one part, and nothing else, are about claims.
struct MadeUp<'a> {
    claim: &'a Claim,
    part: &'a Part,
    at: usize,
    bench: Bench,
}

impl<'a> MadeUp<'a> {
    fn new(claim: &'a Claim, at: usize, fall: Fall) -> Self {
        let mut bench = sound();
        bench.record.cells.iter_mut().for_each(|record| record.cell.claims.clear());
        bench.record.claims = others();
        let mut made_up = Self { claim, part: &claim.parts[at], at, bench };
        match &made_up.part.rule {
            Rule::Differs(differs) => {
                made_up.add(&differs.a, Side::A, fall);
                made_up.add(&differs.b, Side::B, fall);
            }
            Rule::Documented { .. } => {}
            _ => {
                let cells = made_up.part.cells[0].clone();
                made_up.add(&cells, Side::Only, fall);
            }
        }
        if made_up.part.requires(Requirement::Kvm) {
            made_up.bench.on_kvm();
        }
        made_up
    }

    /// Plays a cell of a selection.
    fn add(&mut self, cells: &Cells, side: Side, fall: Fall) {
        let guest = self.part.requires(Requirement::Guest) || !cells.kernel.hold("host");
        let guest = guest || cells.configuration.example().is_some_and(|name| name.starts_with("virtio"));
        let (configuration, kernel) = if guest { ("virtio-tap", "6.1") } else { ("bare-metal", "host") };
        let model = self.bench.block(Play::Base, configuration, kernel, 0).clone();
        let mut cell = cell(Play::Base, configuration, kernel);
        cell.claims = vec![self.claim.id.clone()];
        cell.subject.scenario = word(&cells.scenario, "mine");
        cell.subject.path = PathSpec::plain(&word(&cells.path, "direct"), 1500);
        cell.subject.configuration.name = word(&cells.configuration, configuration);
        cell.subject.parameters =
            cells.parameters.iter().map(|(name, words)| (name.clone(), word(words, "7s"))).collect();
        (cell.blocks, cell.trials) = (BLOCKS, u64::from(BLOCKS) * TRIALS);
        cell.id = cell.subject.id();
        let planned = self.bench.record.blocks.len();
        self.bench.plan(cell);
        for plan in self.bench.record.blocks[planned..].iter().cloned() {
            let mut block = model.clone();
            (block.id, block.cell, block.records) = (plan.id, plan.cell, 0);
            fill(&mut block, self.part, side, fall);
            self.bench.blocks.push((block, Vec::new()));
        }
    }

    /// The blocks that were added.
    fn blocks(&mut self) -> impl Iterator<Item = &mut BlockRecord> {
        self.bench.blocks.iter_mut().map(|(block, _)| block).filter(|block| block.tally.trials == TRIALS)
    }

    fn finding(&self) -> PartFinding {
        let model = self.bench.model();
        let found = model.hypotheses.into_iter().find(|one| one.id == self.claim.id);
        found
            .map(|one| one.parts[self.at].clone())
            .unwrap_or_else(|| panic!("{} is not judged", self.claim.id))
    }
}

/// A block in which every trial had its RST, and that falls as it should.
fn fill(block: &mut BlockRecord, part: &Part, side: Side, fall: Fall) {
    block.tally = base_tally(BASE, TRIALS);
    block.peer_tally = Tally { trials: TRIALS, ..Tally::default() };
    block.peer_tally.counters.insert("Tcp.OutRsts".into(), TRIALS as i64);
    block.witness.absent = false;
    (block.witness.rst_to_target, block.witness.rst_to_peer) = (TRIALS, 0);
    let supported = fall == Fall::Supported;
    match &part.rule {
        Rule::Ends(ends) => {
            let outcome = example(if supported { &ends.claimed[0] } else { &ends.otherwise[0] });
            block.tally = base_tally(&outcome, TRIALS);
        }
        Rule::Returns(returns) if supported => fail(&mut block.tally, returns.errnos.first(), 5),
        Rule::Returns(_) | Rule::Documented { .. } => {}
        Rule::Differs(differs) => fill_side(&mut block.tally, differs, side, fall),
        Rule::PerTrial(rule) => {
            // What is said never to happen is contradicted by once in each trial.
            let otherwise = if rule.ratio == 0.0 { 1.0 } else { 0.0 };
            count(block, &rule.counter, if supported { rule.ratio } else { otherwise });
        }
        Rule::Order(order) => {
            let (when, other) = match supported {
                true => (&order.claimed[0], &order.else_claimed[0]),
                false => (&order.else_claimed[0], &order.else_claimed[0]),
            };
            let half = |pattern: &str| BTreeMap::from([(example(pattern), TRIALS / 2)]);
            block.tally.outcomes_by_state = BTreeMap::from([(order.when.0, half(when)), (1, half(other))]);
        }
        Rule::Said(said) => {
            let n = if supported { 9 } else { 0 };
            let failed = said.kernel.as_deref().is_some_and(|kernel| kernel != "success");
            if failed {
                fail(&mut block.tally, said.kernel.as_deref().and_then(|name| name.parse().ok()).as_ref(), n);
            }
            let after =
                if failed { &mut block.tally.errno_after_failure } else { &mut block.tally.stale_errno };
            after.extend(said.libc.map(|errno| (errno, n)));
            block.tally.errno_after_localtime.extend(said.localtime.map(|errno| (errno, n)));
        }
        Rule::Takes(takes) => {
            let ns = if supported { takes.from_ns.midpoint(takes.to_ns) } else { 3 * takes.to_ns };
            block.tally.latency.insert("call".into(), times(ns));
        }
    }
}

const BASE: &str = "readable,data,ECONNRESET";

/// What two selections that differ have, or two that do not.
fn fill_side(tally: &mut Tally, differs: &Differs, side: Side, fall: Fall) {
    let apart = matches!(
        (differs.claimed, fall),
        (Direction::Same, Fall::Refuted)
            | (Direction::AMore | Direction::BMore | Direction::Differs, Fall::Supported)
    );
    let more = match differs.claimed {
        Direction::BMore => Side::B,
        Direction::AMore | Direction::Differs | Direction::Same => Side::A,
    };
    let much = apart && side == more;
    let hits = if much { TRIALS / 2 } else { TRIALS / 100 };
    match &differs.what {
        What::Rate(errnos) => fail(tally, errnos.first(), hits),
        What::Share(pattern) => {
            let so = example(pattern);
            *tally = base_tally("timeout", TRIALS - hits);
            tally.trials = TRIALS;
            tally.outcomes.insert(so, hits);
            tally.returns.insert(Returned::ONE, hits);
        }
        What::ClosedBeforeCall => {
            tally.state_before = BTreeMap::from([(TcpState::CLOSE.0, hits), (1, TRIALS - hits)]);
        }
        What::Latency => {
            tally.latency.insert("call".into(), times(if much { 210_000 } else { 10_000 }));
        }
    }
}

fn times(ns: u64) -> Histogram {
    let mut times = Histogram::default();
    (0..TRIALS).for_each(|_| times.record(ns));
    times
}

/// An outcome that a pattern stands for.
fn example(pattern: &str) -> String {
    let labels = pattern.split(',').filter(|label| *label != "**");
    labels.map(|label| if label == "*" { "readable" } else { label }).collect::<Vec<_>>().join(",")
}

/// So many trials that end so, each with its RST before the call.
fn base_tally(outcome: &str, n: u64) -> Tally {
    let mut tally = Tally { trials: n, ..Tally::default() };
    let first = outcome.split(',').next().expect("split gives one");
    let returned = match (first, first.parse()) {
        ("timeout", _) => Returned::ZERO,
        (_, Ok(errno)) => Returned::failed(errno),
        _ => Returned::ONE,
    };
    tally.returns.insert(returned, n);
    tally.outcomes.insert(outcome.to_owned(), n);
    tally.state_before.insert(TcpState::CLOSE.0, n);
    tally
}

/// Has `n` of the trials fail.
fn fail(tally: &mut Tally, errno: Option<&Errno>, n: u64) {
    let errno = errno.copied().unwrap_or(Errno::EBADF);
    *tally.returns.get_mut(&Returned::ONE).expect("readable") -= n;
    *tally.outcomes.get_mut(BASE).expect("the base") -= n;
    tally.returns.insert(Returned::failed(errno), n);
    tally.outcomes.insert(format!("{errno},data,eof"), n);
}

fn count(block: &mut BlockRecord, counter: &Counter, ratio: f64) {
    let n = (ratio * TRIALS as f64) as u64;
    match counter {
        Counter::WitnessToTarget => block.witness.rst_to_target = n,
        Counter::WitnessToPeer => block.witness.rst_to_peer = n,
        Counter::Peer(name) => {
            block.peer_tally.counters.insert(name.clone(), n as i64);
        }
        Counter::Target(name) => {
            block.tally.counters.insert(name.clone(), n as i64);
        }
        Counter::Path(name) => {
            block.path.counters.insert(name.clone(), n);
        }
    }
}

/// All parts of all claims: shipped, and made up for rules that no shipped one has.
fn every_part(mut each: impl FnMut(&Claim, usize)) {
    let set = Set::of_record(&others());
    assert_eq!(set.own().len(), OTHERS.len() + COMPARED.len(), "every made-up file is read");
    for claim in set.iter() {
        (0..claim.parts.len()).for_each(|at| each(claim, at));
    }
}

#[test]
fn every_rule_of_every_claim_is_supported_by_one_run_and_refuted_by_another() {
    let mut rules = BTreeMap::<String, u32>::new();
    every_part(|claim, at| {
        let part = &claim.parts[at];
        for (fall, wanted) in [(Fall::Supported, Supported), (Fall::Refuted, Refuted)] {
            let wanted = if part.rule.key() == "documented" { Documented } else { wanted };
            let mut made_up = MadeUp::new(claim, at, fall);
            if wanted == Documented {
                // Nothing is measured; a cell must name the claim for the report to have it.
                let about = made_up.bench.cell(Play::Base, "bare-metal", "host");
                about.cell.claims.push(claim.id.clone());
            }
            let found = made_up.finding();
            assert_eq!(found.verdict, wanted, "{} part {at}: {}", claim.id, found.because);
            let bound = found.bound.is_some_and(|bound| bound.low <= bound.high) && found.trials > 0;
            assert!(bound || wanted == Documented, "{}: {found:?}", claim.id);
            let said = found.because.to_string();
            let made = part.by_construction.as_deref().is_none_or(|what| said.contains(what));
            assert!(made, "{}: {said}", claim.id);
        }
        *rules.entry(part.rule.key().to_owned()).or_default() += 1;
    });
    assert_eq!(rules.len(), 8, "every rule: {rules:?}");
}

#[test]
fn a_cell_with_injected_errnos_decides_no_claim() {
    every_part(|claim, at| {
        if claim.parts[at].rule.key() == "documented" {
            return;
        }
        let mut made_up = MadeUp::new(claim, at, Fall::Supported);
        for block in made_up.blocks() {
            block.tally.injected.insert(Errno::ENOENT, 40);
        }
        let found = made_up.finding();
        assert_eq!(found.verdict, Undecided, "{}", claim.id);
        let said = found.because.to_string();
        assert!(said.contains("errnos were injected (") || said.contains("(host"), "{}: {said}", claim.id);
    });
}

#[test]
fn a_part_whose_requirement_is_not_met_is_undecided_with_that_reason() {
    let mut met = 0;
    every_part(|claim, at| {
        for requirement in claim.parts[at].requires.clone() {
            for fall in [Fall::Supported, Fall::Refuted] {
                let mut made_up = MadeUp::new(claim, at, fall);
                let wanted = break_it(&mut made_up, requirement);
                let found = made_up.finding();
                let said = found.because.to_string();
                assert_eq!(found.verdict, Undecided, "{} {requirement:?} {fall:?}: {said}", claim.id);
                assert!(said.contains(wanted), "{} {requirement:?}: {said}", claim.id);
                met += 1;
            }
        }
    });
    assert!(met > 40, "{met} requirements");
}

/// Takes away what a part requires; the words of the reason.
fn break_it(made_up: &mut MadeUp<'_>, requirement: Requirement) -> &'static str {
    match requirement {
        Requirement::ResetInEveryTrial => {
            made_up.blocks().next().expect("it was played").witness.rst_to_target = TRIALS - 1;
            let rest = made_up.blocks().map(|block| block.witness.rst_to_target).collect::<Vec<_>>();
            assert!(rest.contains(&(TRIALS - 1)));
            "not in every trial did a RST reach the target"
        }
        Requirement::ResetBeforeCall => {
            made_up.blocks().for_each(|block| block.tally.state_before = [(1, TRIALS)].into());
            "not in every trial had the RST been processed before the call"
        }
        Requirement::Kvm => {
            made_up.blocks().for_each(|block| {
                if block.target.accelerator == "kvm" {
                    block.target.accelerator = "tcg".into();
                }
            });
            "an emulated guest does not count as a KVM guest"
        }
        Requirement::PhysicalHost => {
            made_up.bench.record.environment.host.virtualized = "kvm".into();
            "this one is itself a virtual machine (kvm)"
        }
        Requirement::Guest => {
            for record in &mut made_up.bench.record.cells {
                let host = cell(Play::Base, "bare-metal", "host").subject.configuration.target;
                if record.cell.trials == u64::from(BLOCKS) * TRIALS {
                    record.cell.subject.configuration.target = host;
                    record.cell.subject.kernel = "host".into();
                }
            }
            "no guest"
        }
        Requirement::Host | Requirement::NothingInjected => "",
    }
}
