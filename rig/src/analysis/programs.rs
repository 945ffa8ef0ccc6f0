//! What a user's program did: the three columns of every cell that has one, and a sentence for each program.
//!
//! Must not judge a kernel: comparisons and controls do that with the same trials as for any scenario. Units: counts. Errors: none.
//! Tests: `tests/golden/programs.rs`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rig_protocol::{Account, Program, ProgramTally, Site, Tally};

use crate::matrix::Cell;
use crate::record::format::errno_word;

use super::groups::localtime_file;
use super::measured::Measured;
use super::model::{AccountReading, LocaltimeFile, ProgramAccount, ProgramSummary};
use super::summaries::quantiles;
use super::words::{count, list};

/// Every cell whose client is a program, with a trial, in the order of the plan.
pub(super) fn gather(measured: &[Measured<'_>], rehearsed: bool) -> Vec<ProgramSummary> {
    let row = |cell: &Measured<'_>| {
        let (tally, file) = (&cell.tally, localtime_file(&cell.blocks));
        (tally.trials > 0).then(|| summarise(cell.cell(), tally, file, rehearsed)).flatten()
    };
    // The second cell of the A/A pair is there to be compared with the first.
    measured.iter().filter(|cell| !cell.is_repeat()).filter_map(row).collect()
}

/// The figures of one cell; `None` where its client is no program.
pub(super) fn summarise(
    cell: &Cell,
    tally: &Tally,
    localtime_file: LocaltimeFile,
    rehearsed: bool,
) -> Option<ProgramSummary> {
    let subject = &cell.subject;
    let program = subject.script.program.as_deref()?;
    let none = ProgramTally::default();
    let sums = tally.program.as_deref().unwrap_or(&none);
    let site = |(name, site): (&String, &Site)| (name.clone(), site.labels.clone());
    Some(ProgramSummary {
        cell: cell.id.0.clone(),
        scenario: subject.scenario.clone(),
        configuration: subject.configuration.name.clone(),
        kernel: subject.kernel.clone(),
        path: subject.path.name.clone(),
        parameters: subject.parameters.clone(),
        command: std::iter::once(&program.name).chain(&program.arguments).cloned().collect(),
        control: cell.control.is_some(),
        witness: program.witness.word().to_owned(),
        verdict_calls: program.verdict.calls.clone(),
        verdict_nth: program.verdict.nth,
        localtime_file,
        timezone: timezone(cell, program),
        trials: tally.trials,
        accounts: accounts(sums, program),
        other_accounts: sums.other_accounts,
        ends: sums.ends.clone(),
        sites: sums.sites.iter().map(site).collect(),
        calls: sums.calls.clone(),
        unseen: sums.unseen.clone(),
        redirected: sums.redirected,
        lost_events: sums.lost_events,
        own_resets: sums.own_resets,
        latency_ns: if rehearsed { BTreeMap::new() } else { quantiles(tally) },
    })
}

/// What the program found: its own environment stands before that of its agent.
fn timezone(cell: &Cell, program: &Program) -> Option<String> {
    let arm = cell.subject.configuration.target.arm();
    program.environment.get("TZ").cloned().or(arm.timezone)
}

fn accounts(sums: &ProgramTally, program: &Program) -> Vec<ProgramAccount> {
    let watched = program.witness != rig_protocol::Witness::None;
    let account = |account: &Account| ProgramAccount {
        kernel: account.kernel.map(|returned| returned.to_string()),
        libc: account.libc.map(errno_word),
        libc_at_line: account.libc_at_line.map(errno_word),
        said: account.said_returned,
        said_errno: account.said_errno.map(errno_word),
        end: account.end.clone(),
        injected: account.injected,
        trials: account.trials,
        reading: AccountReading::of(account, watched),
    };
    let mut accounts: Vec<ProgramAccount> = sums.accounts.iter().map(account).collect();
    // Stable: what is equally frequent stays in the order of the record.
    accounts.sort_by_key(|account| Reverse(account.trials));
    accounts
}

/// For each program and each reading that misleads: in how many trials, and where. Controls bring theirs about on purpose and are left out.
pub(super) fn sentences(programs: &[ProgramSummary]) -> Vec<String> {
    let mut told: Vec<(&str, Told<'_>)> = Vec::new();
    for program in programs.iter().filter(|program| !program.control) {
        let name = program.command[0].as_str();
        for account in program.accounts.iter().filter(|account| is_news(account)) {
            let here = Told::of(program, account);
            match told.iter_mut().find(|(known, one)| *known == name && one.is_like(&here)) {
                Some((_, one)) => one.add(here),
                None => told.push((name, here)),
            }
        }
    }
    told.iter().map(|(name, one)| one.sentence(name)).collect()
}

fn is_news(account: &ProgramAccount) -> bool {
    account.reading.misleads() || account.reading == AccountReading::Killed
}

/// What one sentence tells: accounts that say the same, with their places.
struct Told<'a> {
    account: &'a ProgramAccount,
    call: String,
    places: Vec<(String, u64, u64)>,
}

impl<'a> Told<'a> {
    fn of(program: &ProgramSummary, account: &'a ProgramAccount) -> Self {
        let called = |name: &&String| program.calls.get(name.as_str()).is_some_and(|n| *n > 0);
        let calls: Vec<&String> = program.verdict_calls.iter().filter(called).collect();
        let call = match calls.as_slice() {
            [one] => format!("{one}()"),
            _ => "its verdict call".to_owned(),
        };
        let file = match (&program.timezone, program.localtime_file) {
            (None, LocaltimeFile::Absent) => ", without /etc/localtime",
            _ => "",
        };
        let place = format!("{} {}{file}", program.configuration, program.kernel);
        Self { account, call, places: vec![(place, account.trials, program.trials)] }
    }

    fn is_like(&self, other: &Self) -> bool {
        let key = |one: &Self| {
            let ProgramAccount { kernel, said, said_errno, reading, end, .. } = one.account;
            (kernel.clone(), *said, said_errno.clone(), *reading, end.clone(), one.call.clone())
        };
        key(self) == key(other)
    }

    fn add(&mut self, other: Self) {
        for (place, trials, of) in other.places {
            match self.places.iter_mut().find(|(known, ..)| *known == place) {
                Some((_, sum, all)) => (*sum, *all) = (*sum + trials, *all + of),
                None => self.places.push((place, trials, of)),
            }
        }
    }

    fn sentence(&self, name: &str) -> String {
        let (trials, of) = self.places.iter().fold((0, 0), |(a, b), (_, trials, of)| (a + trials, b + of));
        let places: Vec<String> = match self.places.as_slice() {
            [(place, ..)] => vec![place.clone()],
            more => more
                .iter()
                .map(|(place, n, of)| format!("{place}: {} of {}", count(*n), count(*of)))
                .collect(),
        };
        let kernel = self.account.kernel.as_deref().unwrap_or("nothing");
        let said = match (self.account.said, &self.account.said_errno) {
            (Some(value), Some(errno)) => format!("{value} and errno {errno}"),
            (Some(value), None) => value.to_string(),
            (None, Some(errno)) => format!("errno {errno}"),
            (None, None) => "nothing".to_owned(),
        };
        let why = match self.account.reading {
            AccountReading::Stale => match (&self.account.libc, &self.account.said_errno) {
                (Some(behind), Some(said)) if behind != said => {
                    ": errno was set after that call, which had succeeded, by something else"
                }
                _ => ": an errno that an earlier call left there, after a call that succeeded",
            },
            AccountReading::Overwritten => ": something between the call and the line set errno again",
            AccountReading::OtherReturn => ": the program does not report what the kernel returned",
            _ => "",
        };
        let what = match self.account.reading {
            AccountReading::Killed if self.account.kernel.is_none() => {
                format!("was killed by {} before that call", self.account.end)
            }
            AccountReading::Killed => {
                format!(
                    "was killed by {} before it said what {} had returned ({kernel})",
                    self.account.end, self.call
                )
            }
            _ => format!("said {said} where the kernel had returned {kernel} from {}{why}", self.call),
        };
        format!("{name} {what}, in {} of {} trials ({}).", count(trials), count(of), list(&places))
    }
}
