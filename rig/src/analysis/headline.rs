//! What a run says of ENOENT and EBADF over all cells of its base program.
//!
//! Holds which cells stand for the run, and where calls were made as far as a reader must keep it apart. Must not word anything.
//! Units: shares of 1. Errors: none.
//! Tests: `tests/golden/headline.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_stats::Judgement;

use crate::record::Run;

use super::controls::Sight;
use super::measured::Measured;
use super::model::{AaPair, ComparisonVerdict, Ground, GuestRate, Headline, Question, RanOn};
use super::pooled::{self, pool};
use super::rules::Rules;
use super::summaries::rate;
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
                let behind = if *proxied { " behind QEMU's TCP proxy (slirp)" } else { "" };
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
        let told = |cells: &Vec<&Measured<'_>>| rate(pool(cells, question), rules);
        let host = places.get(&HostOrGuests::Host);
        let no_guest = places.keys().all(|place| *place == HostOrGuests::Host);
        let is_blind = (host.is_none() && is_side_blind(&base, true, question, sight))
            || (no_guest && is_side_blind(&base, false, question, sight));
        let unknown = Headline {
            errno: question,
            scenarios: scenarios.clone(),
            host: host.map(told),
            guests: None,
            strata: 0,
            difference: 0.0,
            low: -1.0,
            high: 1.0,
            p_adjusted: 1.0,
            margin: rules.margin_of(question),
            verdict: if is_blind { ComparisonVerdict::Blind } else { ComparisonVerdict::NotRun },
            trials_needed: None,
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
                Some(host) => compared(headline, host, cells, rules),
                None => headline,
            });
        }
        if headlines.len() == before {
            headlines.push(unknown);
        }
    }
    headlines
}

fn compared(headline: Headline, host: &[&Measured<'_>], guests: &[&Measured<'_>], rules: Rules) -> Headline {
    let pooled = pooled::compare(host, guests, headline.errno, rules);
    if pooled.strata == 0 {
        return headline;
    }
    Headline {
        strata: u32::try_from(pooled.strata).unwrap_or(u32::MAX),
        difference: pooled.difference,
        low: pooled.interval.low,
        high: pooled.interval.high,
        p_adjusted: pooled.p_adjusted,
        verdict: pooled.judgement.into(),
        trials_needed: pooled.trials_needed.filter(|_| pooled.judgement == Judgement::Undecided),
        ..headline
    }
}
