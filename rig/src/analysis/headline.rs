//! What a run says of ENOENT and EBADF over all cells of its base program.
//!
//! Holds which cells stand for the run, and where calls were made as far as a reader must keep it apart. Must not word anything.
//! Units: shares of 1. Errors: none.
//! Tests: `tests/golden/headline.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_stats::{Interval, Judgement};

use crate::record::Run;

use super::blocks::{Family, Method};
use super::comparisons::through;
use super::controls::Sight;
use super::measured::Measured;
use super::model::{AaPair, ComparisonVerdict, Ground, GuestRate, Headline, Question, RanOn};
use super::pooled::{How, Pooled, Test, alike};
use super::rates::rate;
use super::rules::Rules;
use super::words::list;

/// Where calls were made, as far as a reader must keep it apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HostOrGuests {
    Host,
    Guests { accelerators: Vec<String>, proxied: bool },
}

impl HostOrGuests {
    pub(super) fn of(cell: &Measured<'_>) -> Self {
        if cell.cell().is_baseline() {
            return Self::Host;
        }
        let accelerators = cell.accelerators().into_iter().map(str::to_owned).collect();
        Self::Guests { accelerators, proxied: cell.is_proxied() }
    }

    pub(super) fn words(&self, run: &Run) -> String {
        match self {
            Self::Host => match Ground::of(&run.record.environment.host) {
                Ground::Metal => "on the bare-metal host".into(),
                Ground::NotKnown => "on the host".into(),
                Ground::Virtual(hypervisor) => {
                    format!("on the host, a virtual machine ({hypervisor}) itself")
                }
            },
            Self::Guests { accelerators, proxied } => {
                let kinds: Vec<&str> = accelerators
                    .iter()
                    .map(|name| match RanOn::of(name) {
                        RanOn::Tcg => "emulated (TCG)",
                        RanOn::Kvm => "KVM",
                        RanOn::NotKnown | RanOn::Other(_) => name,
                    })
                    .collect();
                let behind = if *proxied { " behind a TCP proxy" } else { "" };
                match kinds.as_slice() {
                    [] => format!("in guests of unknown accelerator{behind}"),
                    kinds => format!("in {} guests{behind}", list(kinds)),
                }
            }
        }
    }
}

/// The cells that are not blind for a question and have trials, by where they were measured.
pub(super) fn places<'m, 'a>(
    cells: &[&'m Measured<'a>],
    question: Question,
    sight: &Sight,
) -> BTreeMap<HostOrGuests, Vec<&'m Measured<'a>>> {
    let mut places: BTreeMap<HostOrGuests, Vec<&Measured<'_>>> = BTreeMap::new();
    let sees =
        |cell: &&&Measured<'_>| cell.tally.returned_calls() > 0 && sight.blind_for(cell, question).is_none();
    for cell in cells.iter().filter(sees) {
        places.entry(HostOrGuests::of(cell)).or_default().push(cell);
    }
    places
}

/// Whether one side, the host or the guests, has a call that returned, and no cell that would have seen the errno.
pub(super) fn is_side_blind(
    cells: &[&Measured<'_>],
    on_host: bool,
    question: Question,
    sight: &Sight,
) -> bool {
    let of_side = || {
        let returned = cells.iter().filter(|cell| cell.tally.returned_calls() > 0);
        returned.filter(|cell| cell.cell().is_baseline() == on_host)
    };
    of_side().next().is_some() && of_side().all(|cell| sight.blind_for(cell, question).is_some())
}

/// The cells whose sentences stand for the run: the base program's, or every plain cell where none plays it.
pub(super) fn base<'m, 'a>(measured: &'m [Measured<'a>]) -> Vec<&'m Measured<'a>> {
    let plain = || measured.iter().filter(|cell| cell.is_plain() && cell.tally.trials > 0);
    let named: Vec<_> = plain().filter(|cell| cell.cell().is_of_the_base_program()).collect();
    if named.is_empty() { plain().collect() } else { named }
}

/// One for each errno and kind of guest; one without guests where there are none. Empty where no cell can stand for the run.
pub(super) fn judge(
    seed: u64,
    measured: &[Measured<'_>],
    sight: &Sight,
    again: Option<&AaPair>,
    rules: Rules,
) -> Vec<Headline> {
    let base = base(measured);
    let scenarios: BTreeSet<&str> = base.iter().map(|cell| cell.cell().subject.scenario.as_str()).collect();
    let scenarios: Vec<String> = scenarios.into_iter().map(str::to_owned).collect();
    let mut headlines = Vec::new();
    if base.is_empty() {
        return headlines;
    }
    for question in [Question::Enoent, Question::Ebadf] {
        let places = places(&base, question, sight);
        let family =
            Family::of_cells(places.values().flatten().copied(), |tally| question.count(tally), rules);
        let told = |cells: &Vec<&Measured<'_>>| rate(cells, question, &family, sight, rules);
        let host = places.get(&HostOrGuests::Host);
        let no_guest = places.keys().all(|place| *place == HostOrGuests::Host);
        let is_blind = (host.is_none() && is_side_blind(&base, true, question, sight))
            || (no_guest && is_side_blind(&base, false, question, sight));
        let unknown = Headline {
            scenarios: scenarios.clone(),
            host: host.map(told),
            verdict: if is_blind { ComparisonVerdict::Blind } else { ComparisonVerdict::NotRun },
            ..unknown(question, rules)
        };
        let before = headlines.len();
        for (place, cells) in &places {
            let HostOrGuests::Guests { accelerators, proxied } = place else { continue };
            let guests =
                GuestRate { accelerators: accelerators.clone(), proxied: *proxied, rate: told(cells) };
            let headline = Headline { guests: Some(guests), ..unknown.clone() };
            headlines.push(match host {
                Some(_) if again.is_some_and(AaPair::differs) => {
                    Headline { verdict: ComparisonVerdict::Blind, ..headline }
                }
                Some(host) => Comparing { sight, how: How { seed, rules } }.fill(headline, host, cells),
                None => headline,
            });
        }
        if headlines.len() == before {
            headlines.push(unknown);
        }
    }
    headlines
}

/// What is known before a single trial: anything.
fn unknown(question: Question, rules: Rules) -> Headline {
    Headline {
        errno: question,
        scenarios: Vec::new(),
        host: None,
        guests: None,
        strata: 0,
        difference: 0.0,
        low: -1.0,
        high: 1.0,
        method: Method::Nothing.word(),
        dispersion: None,
        freedom: None,
        trial_low: -1.0,
        trial_high: 1.0,
        p_trials: 1.0,
        randomisation: None,
        p_adjusted: 1.0,
        margin: rules.margin_of(question),
        verdict: ComparisonVerdict::NotRun,
        trials_needed: None,
    }
}

/// What host and guests are compared with.
#[derive(Clone, Copy)]
pub(super) struct Comparing<'a> {
    pub(super) sight: &'a Sight,
    pub(super) how: How,
}

/// What host and guests say of one errno together.
pub(super) struct Together {
    pub(super) pooled: Pooled,
    /// The bounds of the difference of what happened: of what was seen, divided by what is proven to be seen.
    pub(super) interval: Interval,
    /// Times the number of questions (Bonferroni): each is asked of the same trials.
    pub(super) p_adjusted: f64,
    pub(super) judgement: Judgement,
    /// Whether single trials show a difference that boots do not.
    pub(super) is_of_trials_alone: bool,
    /// How many trials a side show that the two are the same, where too few do.
    pub(super) trials_needed: Option<u64>,
}

impl Comparing<'_> {
    pub(super) fn compare(
        self,
        host: &[&Measured<'_>],
        guests: &[&Measured<'_>],
        question: Question,
    ) -> Together {
        let Self { sight, how } = self;
        let rules = how.rules;
        let pooled =
            Pooled::of(&alike(host, guests), |tally| question.count(tally), Test::Randomisation, how);
        let sensitivity =
            sight.least_sensitivity(host, question).min(sight.least_sensitivity(guests, question));
        let interval = through(pooled.judged, sensitivity);
        let p_adjusted = (pooled.p * Question::ALL.len() as f64).min(1.0);
        let margin = rules.margin_of(question);
        let judgement = rig_stats::judge(interval, p_adjusted, rules.alpha(), margin);
        let is_of_trials_alone = pooled.is_of_trials_alone(rules.alpha() / Question::ALL.len() as f64);
        let is_short = judgement == Judgement::Undecided && !is_of_trials_alone;
        let enough = pooled.enough(margin, rules.confidence);
        let trials_needed =
            enough.filter(|_| is_short).map(|trials| (trials as f64 / sensitivity).ceil() as u64);
        Together { pooled, interval, p_adjusted, judgement, is_of_trials_alone, trials_needed }
    }

    fn fill(self, headline: Headline, host: &[&Measured<'_>], guests: &[&Measured<'_>]) -> Headline {
        let Together { pooled, interval, p_adjusted, judgement, trials_needed, .. } =
            self.compare(host, guests, headline.errno);
        if pooled.strata == 0 {
            return headline;
        }
        Headline {
            strata: u32::try_from(pooled.strata).unwrap_or(u32::MAX),
            difference: pooled.difference,
            low: interval.low,
            high: interval.high,
            method: pooled.method.word(),
            dispersion: pooled.dispersion.map(|(phi, _)| phi),
            freedom: pooled.dispersion.map(|(_, nu)| nu),
            trial_low: pooled.trial.low,
            trial_high: pooled.trial.high,
            p_trials: pooled.trial_p,
            randomisation: pooled.randomisation,
            p_adjusted,
            verdict: judgement.into(),
            trials_needed,
            ..headline
        }
    }
}
