//! What a user's program did, as a person reads it: kernel said, libc held, program said; its call sites; what watching costs; a trial call by call.
//!
//! Pure. Must not compute a number that is in the model, and must not know a terminal. Units: milliseconds in words.
//! Errors: none. Tests: `tests/golden/programs.rs`.

use std::collections::BTreeMap;

use rig_protocol::{CallLog, ProgramTrial, watched_calls};

use crate::analysis::model::{AccountReading, LocaltimeFile, ProgramAccount, ProgramSummary, Quantiles};
use crate::analysis::words::{about_time, count};

use super::table::{Align, Page, Table};

/// So many different accounts of a cell have a row; the rest is a number.
const ROWS: usize = 6;
/// So many of the last lines that a program wrote are shown.
const OUTPUT_LINES: usize = 12;
/// So many call sites of a program have a row.
const SITES: usize = 8;

/// What the columns of an account mean.
pub(super) const LEGEND: &str = "kernel said: what the measured call returned; libc held: errno right behind that call, then when the program wrote its line \
    (after a success errno means nothing: it is of another call; ?: it could not be read); program said: return and errno in its line. stale: the call succeeded, and the \
    program said an errno of another call; overwritten: the call failed, and something set errno again before the program said it; killed: by a signal, \
    before it said anything";

/// Above [`sites`].
pub(super) const SITES_HEAD: &str =
    "Its calls on sockets, the n-th of a name in one process ([1], [2]: those that it started):";

/// The account of every cell of one program, a row each.
pub(super) fn accounts(page: &mut Page, programs: &[&ProgramSummary]) {
    let mut table = Table::new([
        ("where", Align::Left),
        ("trials", Align::Right),
        ("kernel said", Align::Left),
        ("libc held", Align::Left),
        ("program said", Align::Left),
        ("ended", Align::Left),
        ("so", Align::Left),
    ])
    .without_first(&["ended"]);
    for program in programs {
        for (index, account) in program.accounts.iter().take(ROWS).enumerate() {
            let place = if index == 0 { place(program) } else { String::new() };
            table.row(row(place, account));
        }
        let more: u64 = program.accounts.iter().skip(ROWS).map(|account| account.trials).sum();
        let more = more.saturating_add(program.other_accounts);
        if more > 0 {
            table.note(format!("{} more trials differ from these; they are in `--format json`", count(more)));
        }
    }
    table.write(page, 2);
}

fn row(place: String, account: &ProgramAccount) -> [String; 7] {
    let word = |word: &Option<String>| word.as_deref().map_or("?", number).to_owned();
    let libc = match (&account.libc, &account.libc_at_line) {
        (None, None) => "-".to_owned(),
        (Some(behind), None) => number(behind).to_owned(),
        (Some(behind), Some(line)) if behind == line => number(behind).to_owned(),
        (behind, line) => format!("{}, then {}", word(behind), word(line)),
    };
    let said = match (account.said, &account.said_errno) {
        (None, None) => "-".to_owned(),
        (Some(value), None) => value.to_string(),
        (None, Some(errno)) => format!("errno {}", number(errno)),
        (Some(value), Some(errno)) => format!("{value}, {}", number(errno)),
    };
    let kernel = account.kernel.as_deref().unwrap_or("-");
    let injected = if account.injected { " (injected)" } else { "" };
    let reading = account.reading.words();
    [
        place,
        count(account.trials),
        format!("{kernel}{injected}"),
        libc,
        said,
        account.end.clone(),
        reading.to_owned(),
    ]
}

/// `ENOENT`, or `0`.
fn number(errno: &str) -> &str {
    if errno == "none" { "0" } else { errno }
}

/// `bare-metal host, no localtime, tracepoint`
fn place(program: &ProgramSummary) -> String {
    let file = match (&program.timezone, program.localtime_file) {
        (Some(timezone), _) => format!(", TZ={timezone}"),
        (None, LocaltimeFile::Absent) => ", no localtime".to_owned(),
        (None, LocaltimeFile::Present | LocaltimeFile::Unknown) => String::new(),
    };
    let witness = if program.witness == "ptrace" { String::new() } else { format!(", {}", program.witness) };
    format!("{} {}{file}{witness}", program.configuration, program.kernel)
}

/// How the programs of these cells ended, and their call sites, where there is more than one of a name.
pub(super) fn sites(page: &mut Page, programs: &[&ProgramSummary]) {
    let mut sums: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for (site, labels) in programs.iter().flat_map(|program| &program.sites) {
        for (label, n) in labels {
            *sums.entry(site).or_default().entry(label).or_default() += n;
        }
    }
    if sums.is_empty() {
        return;
    }
    let mut table = Table::new([("call", Align::Left), ("returned", Align::Left)]);
    for (site, labels) in sums.iter().take(SITES) {
        let labels: Vec<String> = labels.iter().map(|(label, n)| format!("{label} {}", count(*n))).collect();
        table.row([(*site).to_owned(), labels.join(", ")]);
    }
    if sums.len() > SITES {
        table.note(format!("{} more call sites are in `--format json`", sums.len() - SITES));
    }
    table.write(page, 2);
}

/// What cannot be seen, and what was led elsewhere: one line each.
pub(super) fn notes(programs: &[&ProgramSummary]) -> Vec<String> {
    let sum =
        |of: fn(&ProgramSummary) -> u64| programs.iter().map(|one| of(one)).fold(0_u64, u64::saturating_add);
    let mut notes = Vec::new();
    let redirected = sum(|program| program.redirected);
    if redirected > 0 {
        notes.push(format!(
            "{} connect() calls named another address and were led to the peer before the kernel saw them; no packet was rewritten",
            count(redirected)
        ));
    }
    let mut unseen: BTreeMap<&str, u64> = BTreeMap::new();
    for (what, n) in programs.iter().flat_map(|program| &program.unseen) {
        *unseen.entry(what).or_default() += n;
    }
    for (what, n) in unseen {
        notes.push(format!("not seen: {what}, in {} trials; what happens there is in no row", count(n)));
    }
    let lost = sum(|program| program.lost_events);
    if lost > 0 {
        notes.push(format!("{} events of the tracepoint were lost: calls may be missing", count(lost)));
    }
    let resets = sum(|program| program.own_resets);
    if resets > 0 {
        notes.push(format!("{} RSTs were sent in the trials' own networks", count(resets)));
    }
    notes
}

/// What a witness cannot see, whatever the program does.
pub(super) fn unwatched() -> String {
    format!(
        "{} system calls are watched: those around sockets, readiness, descriptors and processes, and opening and asking for files where it fails (`rig docs \
         programs` lists them). No other call is. Calls that never enter the kernel (clock_gettime and gettimeofday through the vDSO) and what io_uring does \
         cannot be seen.",
        watched_calls().len()
    )
}

/// What watching costs: the same cell under several witnesses; nothing where each has one.
pub(super) fn cost(page: &mut Page, programs: &[&ProgramSummary]) {
    let witnesses: std::collections::BTreeSet<&str> =
        programs.iter().map(|one| one.witness.as_str()).collect();
    if witnesses.len() < 2 || programs.iter().all(|one| one.latency_ns.is_empty()) {
        return;
    }
    page.push_str("\n");
    page.wrap(
        "  ",
        "What watching costs (half of the trials within about; `start`: until the first call on a socket):",
        4,
    );
    let mut table = Table::new([
        ("where", Align::Left),
        ("witness", Align::Left),
        ("trials", Align::Right),
        ("start", Align::Right),
        ("call", Align::Right),
        ("trial", Align::Right),
        ("99 % of trials", Align::Right),
        ("ended", Align::Left),
    ]);
    let half = |one: &ProgramSummary, key: &str, of: fn(&Quantiles) -> u64| {
        one.latency_ns.get(key).map_or_else(|| "-".to_owned(), |times| about_time(of(times)))
    };
    for one in programs {
        let ends: Vec<String> = one.ends.iter().map(|(end, n)| format!("{end} {}", count(*n))).collect();
        table.row([
            format!("{} {}", one.configuration, one.kernel),
            one.witness.clone(),
            count(one.trials),
            half(one, "start", |times| times.p50),
            half(one, "call", |times| times.p50),
            half(one, "trial", |times| times.p50),
            half(one, "trial", |times| times.p99),
            ends.join(", "),
        ]);
    }
    table.write(page, 2);
}

/// A trial, call by call.
pub(super) fn call_by_call(page: &mut Page, trial: &ProgramTrial) {
    let mut table = Table::new([
        ("begin", Align::Right),
        ("took", Align::Right),
        ("call", Align::Left),
        ("returned", Align::Left),
        ("errno", Align::Left),
        ("about", Align::Left),
    ])
    .without_first(&["errno"]);
    let milliseconds = |ns: u64| format!("{:.3} ms", ns as f64 / 1e6);
    for call in &trial.calls {
        let took = call.returned.map(|_| milliseconds(call.end_ns.saturating_sub(call.begin_ns)));
        table.row([
            milliseconds(call.begin_ns.saturating_sub(trial.begin_ns)),
            took.unwrap_or_else(|| "-".to_owned()),
            called(call),
            returned(call),
            call.errno_after
                .map_or_else(String::new, |errno| if errno.0 == 0 { "0".into() } else { errno.to_string() }),
            about(call),
        ]);
    }
    if trial.left_out > 0 {
        table.note(format!("{} more calls were not kept", count(trial.left_out)));
    }
    table.write(page, 2);
    let lines: Vec<&str> = trial.output.lines().collect();
    let first = lines.len().saturating_sub(OUTPUT_LINES);
    for line in &lines[first..] {
        page.push_str(&format!("  | {line}\n"));
    }
    if let Some(said) = &trial.said {
        page.wrap("  said: ", &said.line, 4);
    }
    page.push_str(&format!(
        "  ended: {} after {}\n",
        trial.end,
        milliseconds(trial.end_ns.saturating_sub(trial.begin_ns))
    ));
}

/// `pselect6 <- verdict`
fn called(call: &CallLog) -> String {
    let process = if call.process == 0 { String::new() } else { format!("[{}] ", call.process) };
    let verdict = if call.verdict { " <- verdict" } else { "" };
    format!("{process}{}{verdict}", call.call)
}

fn returned(call: &CallLog) -> String {
    match call.returned {
        None => "did not return".to_owned(),
        Some(value) => {
            let value =
                if call.label.starts_with('E') || value < 0 { "-1".to_owned() } else { value.to_string() };
            let injected = if call.injected { " (injected)" } else { "" };
            format!("{value} {}{injected}", call.label)
        }
    }
}

fn about(call: &CallLog) -> String {
    let led = if call.redirected { " (led to the peer)" } else { "" };
    let state = call
        .state_before
        .map_or_else(String::new, |state| format!(", {} before", rig_protocol::TcpState(state)));
    format!("{}{led}{state}", call.about)
}

/// Whether any account of these misleads the reader of the program's log.
pub(super) fn misleads(programs: &[&ProgramSummary]) -> bool {
    programs
        .iter()
        .flat_map(|program| &program.accounts)
        .any(|account| AccountReading::misleads(account.reading))
}
