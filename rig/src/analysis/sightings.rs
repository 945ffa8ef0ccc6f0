//! Where a run saw one errno: what the verdict call returned, what was stale in errno, and what localtime() left there.
//!
//! Holds the sums of the blocks that count, by place, with bounds. Must not word anything.
//! Units: counts, shares of 1. Errors: none.
//! Tests: `tests/golden/explained.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Errno, LabelParts, Tally};
use serde::Serialize;

use crate::record::Run;

use super::controls::{self, Sight};
use super::groups::{self, Group};
use super::measured::{self, Measured};
use super::model::{LocaltimeFile, Question, Rate, SightingKind};
use super::rates::{counted, returned};
use super::requests::{self, GivenUp};
use super::rules::Rules;
use super::stopped;

/// What a run saw of one errno.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sightings {
    /// Id of the run.
    pub run: String,
    /// Whether all blocks of its plan were played.
    pub complete: bool,
    /// Every kind of cell in every configuration and kernel that has a trial, in the order of the plan.
    pub places: Vec<Sighting>,
    /// How often the verdict calls of all plain places that are not blind returned it; null where there is no such place.
    pub returned: Option<Rate>,
    /// What localtime() left in errno there where TZ was unset, by whether /etc/localtime was there: `present`, `absent`, `unknown`.
    pub after_localtime: BTreeMap<LocaltimeFile, Counted>,
    /// The same where TZ was set.
    pub after_localtime_with_timezone: Counted,
    /// In how many trials of all plain places a later call of the outcome (a read, a write, SO_ERROR) gave it.
    pub later: Counted,
    /// How often a request that io_uring was to give up around a RST was completed with it, cell by cell in the order of the plan.
    pub given_up: Vec<GivenUp>,
    /// Number of calls that returned it in attempts at blocks that do not count (void, stopped), and are in no other figure.
    pub not_counted: u64,
}

/// The cells of one kind in one configuration and kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sighting {
    /// Name of the configuration.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// What executed the targets: `kvm`, `tcg`, or `none` for the host.
    pub accelerators: Vec<String>,
    /// Whether a proxy ends TCP on the way: then the guest never meets the peer's reset.
    pub proxied: bool,
    /// What kind of cells they are.
    pub kind: SightingKind,
    /// The scenario of cells in which the program brings the errno about, or the control's name; empty for plain cells.
    pub name: String,
    /// The verdict calls as a program writes them: `select()`.
    pub calls: Vec<String>,
    /// Whether /etc/localtime was there.
    pub localtime_file: LocaltimeFile,
    /// The environment variable TZ of the targets; null where it was unset. With it localtime() does not look for /etc/localtime.
    pub timezone: Option<String>,
    /// How often the verdict call returned -1 with it.
    pub returned: Rate,
    /// In how many trials a seccomp filter injected it, of those in `returned`.
    pub injected: u64,
    /// How often it was in the C library's errno after a verdict call that returned 0 or more.
    pub stale: Counted,
    /// How often it was in the C library's errno after localtime().
    pub after_localtime: Counted,
    /// In how many trials a later call of the outcome (a read, a write, SO_ERROR) gave it.
    pub later: Counted,
    /// In how many trials the user's program said it, of those in which it said something; both 0 where the client is no program.
    pub said: Counted,
    /// Why a zero of `returned` means nothing, one sentence each; empty where it means something.
    pub blind: Vec<String>,
}

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// In how many it was so.
    pub count: u64,
    /// Of how many.
    pub n: u64,
}

impl Counted {
    fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, n: self.n + other.n }
    }

    /// One label's share of counts by errno.
    fn of(errno: Errno, counts: &BTreeMap<Errno, u64>) -> Self {
        Self { count: counts.get(&errno).copied().unwrap_or(0), n: counts.values().sum() }
    }
}

/// What a run saw of `errno`, in its files alone.
pub fn sightings(run: &Run, errno: Errno) -> Sightings {
    let rules = Rules::of(run);
    let measured = measured::measure(run, &stopped::of(run));
    let sight = Sight::from(&measured, &controls::judge(&measured, rules));
    let groups = groups::of(&measured);
    let places: Vec<Sighting> = groups.iter().map(|group| group.sighting(errno, &sight, rules)).collect();
    let plain = || places.iter().filter(|place| place.kind == SightingKind::Plain);
    let mut after_localtime: BTreeMap<LocaltimeFile, Counted> = BTreeMap::new();
    let (set, unset): (Vec<&Sighting>, Vec<&Sighting>) = plain().partition(|place| place.timezone.is_some());
    for place in unset.into_iter().filter(|place| place.after_localtime.n > 0) {
        let sum = after_localtime.entry(place.localtime_file).or_default();
        *sum = sum.plus(place.after_localtime);
    }
    let with_timezone =
        set.into_iter().map(|place| place.after_localtime).fold(Counted::default(), Counted::plus);
    let seeing = groups
        .iter()
        .zip(&places)
        .filter(|(_, place)| place.kind == SightingKind::Plain && place.blind.is_empty());
    let seeing: Vec<&Measured<'_>> = seeing.flat_map(|(group, _)| group.cells.iter().copied()).collect();
    let returned = (!seeing.is_empty()).then(|| counted(&seeing, |tally| returned(tally, errno), rules));
    let later = plain().map(|place| place.later).fold(Counted::default(), Counted::plus);
    let nothing = measured.iter().flat_map(|cell| &cell.not_counted);
    Sightings {
        run: run.record.id.clone(),
        complete: run.complete,
        places,
        returned,
        after_localtime,
        after_localtime_with_timezone: with_timezone,
        later,
        given_up: requests::given_up(&measured, errno, rules),
        not_counted: nothing.map(|block| block.tally.returned(errno)).sum(),
    }
}

impl Group<'_> {
    fn sighting(&self, errno: Errno, sight: &Sight, rules: Rules) -> Sighting {
        let tally = self.sum();
        let mut calls: Vec<String> = self.cells.iter().map(|cell| verdict_call(cell)).collect();
        calls.sort();
        calls.dedup();
        let question = question(errno);
        let mut blind: Vec<String> = self
            .cells
            .iter()
            .filter_map(|cell| sight.blind_for(cell, question))
            .map(ToString::to_string)
            .collect();
        blind.dedup();
        Sighting {
            configuration: self.key.configuration.to_owned(),
            kernel: self.key.kernel.to_owned(),
            accelerators: self.accelerators(),
            proxied: self.is_proxied(),
            kind: self.key.kind,
            name: self.key.name.to_owned(),
            calls,
            localtime_file: self.key.localtime_file,
            timezone: self.key.arm.timezone.clone(),
            returned: counted(&self.cells, |tally| returned(tally, errno), rules),
            injected: tally.injected.get(&errno).copied().unwrap_or(0),
            stale: Counted::of(errno, &tally.stale_errno),
            after_localtime: Counted::of(errno, &tally.errno_after_localtime),
            later: later(errno, &self.cells),
            said: said(errno, &tally),
            blind,
        }
    }
}

/// The question whose controls prove that an errno would be seen. Only two have controls of their own: for the others both must have passed.
fn question(errno: Errno) -> Question {
    match errno {
        Errno::ENOENT => Question::Enoent,
        Errno::EBADF => Question::Ebadf,
        _ => Question::AnyError,
    }
}

/// Trials in which a user's program said it.
fn said(errno: Errno, tally: &Tally) -> Counted {
    let spoke = || tally.program.iter().flat_map(|sums| &sums.accounts).filter(|account| account.spoke);
    let sum = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0_u64, u64::saturating_add);
    Counted {
        count: sum(&mut spoke()
            .filter(|account| account.said_errno == Some(errno))
            .map(|account| account.trials)),
        n: sum(&mut spoke().map(|account| account.trials)),
    }
}

/// Trials whose outcome has it behind the verdict call's label.
fn later(errno: Errno, cells: &[&Measured<'_>]) -> Counted {
    let word = errno.to_string();
    let of_cell = |cell: &&Measured<'_>| {
        let script = &cell.cell().subject.script;
        let has =
            |outcome: &str| script.later_labels(outcome).any(|label| LabelParts::of(label).word == word);
        let with = cell.tally.outcomes.iter().filter(|(outcome, _)| has(outcome));
        Counted { count: with.map(|(_, n)| n).sum(), n: cell.tally.trials }
    };
    cells.iter().map(of_cell).fold(Counted::default(), Counted::plus)
}

/// The verdict call as a program writes it.
fn verdict_call(measured: &Measured<'_>) -> String {
    let steps = || measured.cell().subject.script.lanes.iter().flat_map(|lane| &lane.steps);
    match (&measured.cell().subject.script.program, steps().find(|step| step.verdict)) {
        (Some(program), _) => format!("the measured call of {}", program.name),
        (None, Some(step)) => format!("{}()", step.op.name()),
        (None, None) => "the verdict call".to_owned(),
    }
}
