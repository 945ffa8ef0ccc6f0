//! What was found: each errno in the base program, and where an errno of a log line came from.
//!
//! Must not compute a number. Units: rates in per cent. Errors: none. Tests: `tests/golden/answer.rs`.

use std::collections::BTreeSet;

use crate::analysis::model::{
    AccountReading, Because, ComparisonVerdict, ErrnoSource, GuestRate, Headline, Hypothesis, KernelAnswer,
    LocaltimeFile, Missing, ProgramAccount, ProgramSummary, RanOn, Rate, ReportModel, SightingKind,
};
use crate::analysis::words::{Rounding, count, enough, list, one_in, percent};

use super::super::status::hypothesis_word;
use super::screen::{Item, Tone};

pub(in crate::report) fn items(model: &ReportModel) -> Vec<Item> {
    let mut items: Vec<Item> = programs(&model.programs);
    items.extend(model.headlines.iter().map(headline));
    if items.is_empty() {
        items.push(Item::new(Tone::Bad, "nothing", "no cell of the base program has a trial"));
    }
    items.extend(model.kernel_baseline.iter().flat_map(|of| &of.kernels).map(kernel));
    items.extend(own_claims(&model.hypotheses));
    items.extend(log_lines(&model.errno_sources));
    items
}

/// A kernel beside the baseline's.
fn kernel(answer: &KernelAnswer) -> Item {
    let tone = match answer {
        KernelAnswer { differ: 1.., .. } => Tone::Bad,
        KernelAnswer { same, cells, without: 0, .. } if same == cells && *cells > 0 => Tone::Good,
        _ => Tone::Mind,
    };
    Item::new(tone, "kernel", answer.text.trim_end_matches('.'))
}

/// What became of the claims that the reader brought: they are why the run was made.
fn own_claims(claims: &[Hypothesis]) -> Option<Item> {
    let word = |claim: &Hypothesis| match &claim.because {
        Because::Missing(missing @ Missing::Named { .. }) => {
            format!("{} {} ({missing})", claim.id, hypothesis_word(claim.verdict))
        }
        _ => format!("{} {}", claim.id, hypothesis_word(claim.verdict)),
    };
    let own: Vec<String> = claims.iter().filter(|claim| claim.own).map(word).collect();
    (!own.is_empty())
        .then(|| Item::new(Tone::Plain, "claims", format!("{}: the report says why", own.join(", "))))
}

/// What each program said of its call, beside what the kernel had returned: the readings, the most frequent first.
fn programs(summaries: &[ProgramSummary]) -> Vec<Item> {
    let plain = || summaries.iter().filter(|one| !one.control);
    let names: BTreeSet<&str> = plain().map(|one| one.command[0].as_str()).collect();
    let item = |name: &str| {
        let of = || plain().filter(|one| one.command[0] == name);
        let trials: u64 = of().map(|one| one.trials).sum();
        let mut sums: Vec<(AccountReading, String, u64)> = Vec::new();
        for account in of().flat_map(|one| &one.accounts) {
            let words = reading(account);
            match sums.iter_mut().find(|(_, known, _)| *known == words) {
                Some((.., sum)) => *sum += account.trials,
                None => sums.push((account.reading, words, account.trials)),
            }
        }
        sums.sort_by_key(|(.., sum)| std::cmp::Reverse(*sum));
        let bad = |(reading, ..): &(AccountReading, String, u64)| {
            reading.misleads() || *reading == AccountReading::Killed
        };
        let tone = if sums.iter().any(bad) { Tone::Mind } else { Tone::Good };
        let said: Vec<String> = sums
            .iter()
            .map(|(_, words, sum)| format!("{words} in {} of {}", count(*sum), count(trials)))
            .collect();
        Item::new(tone, "program", format!("{name} {}", said.join("; ")))
    };
    names.into_iter().map(item).collect()
}

fn reading(account: &ProgramAccount) -> String {
    let kernel = account.kernel.as_deref().unwrap_or("nothing");
    let said = account.said_errno.as_deref().unwrap_or("another errno");
    match account.reading {
        AccountReading::Agrees => format!("said what the kernel returned ({kernel})"),
        AccountReading::Stale => format!("said {said} after a call that succeeded ({kernel})"),
        AccountReading::Overwritten => format!("said {said} where the kernel returned {kernel}"),
        AccountReading::OtherReturn => {
            let value = account.said.map_or_else(|| "another return".to_owned(), |value| value.to_string());
            format!("said {value} where the kernel returned {kernel}")
        }
        AccountReading::Silent => format!("said nothing where the kernel returned {kernel}"),
        AccountReading::Killed => format!("was killed by {} before it spoke", account.end),
        AccountReading::Uncalled => format!("ended without the measured call ({})", account.end),
        AccountReading::Unwatched => format!("was not watched ({})", account.end),
    }
}

fn headline(headline: &Headline) -> Item {
    let Headline { errno, host, guests, verdict, .. } = headline;
    let mut places: Vec<String> = Vec::new();
    places.extend(host.as_ref().map(|rate| format!("{} on the host", share(rate))));
    places.extend(guests.as_ref().map(|guests| format!("{} in {}", share(&guests.rate), kind(guests))));
    let never = [host.as_ref(), guests.as_ref().map(|guests| &guests.rate)];
    let never = never.into_iter().flatten().all(|rate| rate.count == 0);
    let returned = match (places.is_empty(), never) {
        (true, _) => "no result: no control proves that it would be seen (blind)".to_owned(),
        (false, true) => format!("never returned: {}", list(&places)),
        (false, false) => format!("RETURNED: {}", list(&places)),
    };
    let tone = match verdict {
        ComparisonVerdict::SameWithinTheMargin if never => Tone::Good,
        ComparisonVerdict::Differs | ComparisonVerdict::DiffersWithinTheMargin | ComparisonVerdict::Blind => {
            Tone::Bad
        }
        ComparisonVerdict::SameWithinTheMargin
        | ComparisonVerdict::NotEnoughTrials
        | ComparisonVerdict::NotRun => Tone::Mind,
    };
    Item::new(tone, errno.key(), format!("{returned}{}", verdict_words(headline)))
}

fn share(rate: &Rate) -> String {
    format!("{} of {}", count(rate.count), count(rate.n))
}

fn kind(guests: &GuestRate) -> String {
    let kinds: Vec<&str> = guests
        .accelerators
        .iter()
        .map(|name| match RanOn::of(name) {
            RanOn::Tcg => "TCG",
            RanOn::Kvm => "KVM",
            RanOn::NotKnown | RanOn::Other(_) => name,
        })
        .collect();
    let proxied = if guests.proxied { " behind a TCP proxy" } else { "" };
    format!("{} guests{proxied}", list(&kinds))
}

fn verdict_words(headline: &Headline) -> String {
    let margin = percent(headline.margin, Rounding::Nearest);
    let apart = one_in(headline.high.max(-headline.low));
    match headline.verdict {
        ComparisonVerdict::SameWithinTheMargin => {
            format!("; the same within {margin}: any difference is below {apart}")
        }
        ComparisonVerdict::Differs => format!("; they DIFFER, by up to {apart}"),
        ComparisonVerdict::DiffersWithinTheMargin => {
            format!("; they DIFFER, by less than the margin of {margin}")
        }
        ComparisonVerdict::NotEnoughTrials if headline.is_of_trials_alone() => {
            "; single trials differ, and boots do not show it".to_owned()
        }
        ComparisonVerdict::NotEnoughTrials => {
            let needed = headline.trials_needed.map(|n| format!(", {} a side are enough", enough(n)));
            format!("; not enough trials for a margin of {margin}{}", needed.unwrap_or_default())
        }
        ComparisonVerdict::NotRun if headline.guests.is_none() => "; no guest was measured".to_owned(),
        ComparisonVerdict::NotRun => {
            "; no cell of the host has the same scenario, path, /etc/localtime and TZ".to_owned()
        }
        ComparisonVerdict::Blind if headline.host.is_some() != headline.guests.is_some() => {
            "; the other side is left out: no control proves that it would be seen there".to_owned()
        }
        ComparisonVerdict::Blind => String::new(),
    }
}

/// What a log line with a time stamp would say, by whether /etc/localtime is there: one item for each errno.
fn log_lines(sources: &[ErrnoSource]) -> Vec<Item> {
    // With TZ set there is no look-up of the file.
    let is_plain = |row: &&ErrnoSource| row.kind == SightingKind::Plain && row.timezone.is_none();
    let plain: Vec<&ErrnoSource> = sources.iter().filter(is_plain).collect();
    let errnos: BTreeSet<&String> = plain.iter().flat_map(|row| row.seen.log_line.keys()).collect();
    let misleads = |errno: &&String| plain.iter().any(|row| row.left_by_localtime(errno) > 0);
    let told = errnos.into_iter().filter(misleads);
    told.map(|errno| Item::new(Tone::Mind, "log line", log_line(errno, &plain))).collect()
}

fn log_line(errno: &str, plain: &[&ErrnoSource]) -> String {
    let files = [
        (LocaltimeFile::Absent, "without /etc/localtime"),
        (LocaltimeFile::Present, "with that file"),
        (LocaltimeFile::Unknown, "where nobody looked for the file"),
    ];
    let mut said = Vec::new();
    for (file, words) in files {
        let rows = || plain.iter().filter(|row| row.localtime_file == file && row.log_lines > 0);
        let of: u64 = rows().map(|row| row.log_lines).sum();
        let held: u64 = rows().map(|row| row.left_by_localtime(errno)).sum();
        let sides: BTreeSet<bool> =
            rows().filter(|row| row.left_by_localtime(errno) > 0).map(|row| row.on_host).collect();
        let side = match (sides.contains(&true), sides.contains(&false)) {
            (true, true) => " (host and guests alike)",
            (true, false) => " (on the host)",
            (false, true) => " (in guests)",
            (false, false) => "",
        };
        if of > 0 {
            said.push(format!("{} of {} trials {words}{side}", count(held), count(of)));
        }
    }
    format!(
        "a line with a time stamp says {errno} in {}: localtime() set errno, the call did not",
        said.join(", ")
    )
}
