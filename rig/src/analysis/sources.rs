//! Where errnos come from: who set them, by place.
//!
//! Holds the four sums of every place and the sentence over all of them. Must not know a scenario.
//! Units: counts. Errors: none. Tests: `tests/golden/sources.rs`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::{Errno, Tally};

use super::groups::{self, Group};
use super::measured::Measured;
use super::model::{ErrnoSeen, ErrnoSource, LocaltimeFile, SightingKind};
use super::words::{count, errno_text, list};

/// One row for every place with trials, in the order of the plan.
pub(super) fn gather(measured: &[Measured<'_>]) -> Vec<ErrnoSource> {
    groups::of(measured).iter().map(row).collect()
}

fn row(group: &Group<'_>) -> ErrnoSource {
    let tally = group.sum();
    let all = |counts: &BTreeMap<Errno, u64>| counts.values().sum();
    ErrnoSource {
        configuration: group.key.configuration.to_owned(),
        kernel: group.key.kernel.to_owned(),
        kind: group.key.kind,
        name: group.key.name.to_owned(),
        on_host: group.is_of_the_host(),
        localtime_file: group.key.localtime_file,
        timezone: group.key.arm.timezone.clone(),
        calls: calls(&tally),
        failed: all(&tally.errno_after_failure),
        succeeded: all(&tally.stale_errno),
        log_lines: all(&tally.errno_after_localtime),
        seen: seen(&tally),
    }
}

/// The four errnos of these sums.
pub(super) fn seen(tally: &Tally) -> ErrnoSeen {
    let held = |counts: &BTreeMap<Errno, u64>| {
        let some = counts.iter().filter(|(errno, n)| errno.0 != 0 && **n > 0);
        some.map(|(errno, n)| (errno.to_string(), *n)).collect()
    };
    let returned = tally.returns.iter().filter_map(|(returned, n)| Some((returned.errno?, *n)));
    ErrnoSeen {
        kernel: held(&returned.collect()),
        libc: held(&tally.errno_after_failure),
        stale: held(&tally.stale_errno),
        log_line: held(&tally.errno_after_localtime),
    }
}

fn calls(tally: &Tally) -> u64 {
    tally.returns.values().sum()
}

/// For each errno that a log line would show: who set it, in how many trials. Plain places only: in the others the program brings it about.
pub(super) fn sentences(sources: &[ErrnoSource]) -> Vec<String> {
    let plain: Vec<&ErrnoSource> = sources.iter().filter(|row| row.kind == SightingKind::Plain).collect();
    let shown: BTreeSet<&str> = plain
        .iter()
        .flat_map(|row| row.seen.log_line.keys().chain(row.seen.stale.keys()))
        .map(String::as_str)
        .filter(|errno| {
            plain.iter().any(|row| row.seen.stale.contains_key(*errno) || row.left_by_localtime(errno) > 0)
        })
        .collect();
    shown.into_iter().map(|errno| sentence(errno, &plain)).collect()
}

fn sentence(errno: &str, plain: &[&ErrnoSource]) -> String {
    let of = |counts: &BTreeMap<String, u64>| counts.get(errno).copied().unwrap_or(0);
    let sum = |part: &dyn Fn(&ErrnoSource) -> u64| plain.iter().map(|row| part(row)).sum::<u64>();
    let returned = sum(&|row| of(&row.seen.kernel));
    let mut parts = vec![match returned {
        0 => format!(
            "{errno} was never returned by the measured call ({} calls)",
            count(sum(&|row| row.calls))
        ),
        some => format!(
            "{errno} was returned by the measured call in {} of {}",
            count(some),
            count(sum(&|row| row.calls))
        ),
    }];
    let stale = sum(&|row| of(&row.seen.stale));
    if stale > 0 {
        parts.push(format!(
            "errno held it after {} of {} calls that had succeeded: it was left there by an earlier one",
            count(stale),
            count(sum(&|row| row.succeeded))
        ));
    }
    parts.extend(after_localtime(errno, plain));
    format!("{}.", parts.join("; "))
}

/// `localtime() left it in errno in 400 of 400 trials where /etc/localtime is absent and TZ unset (200 of 200 on the host, ...)`
fn after_localtime(errno: &str, plain: &[&ErrnoSource]) -> Option<String> {
    let held = |row: &ErrnoSource| row.left_by_localtime(errno);
    if plain.iter().all(|row| held(row) == 0) {
        return None;
    }
    // With TZ set localtime() does not look for the file: whether it is there says nothing of those trials.
    let places = [
        (Some(LocaltimeFile::Absent), "where /etc/localtime is absent and TZ unset"),
        (Some(LocaltimeFile::Present), "where /etc/localtime is there and TZ unset"),
        (Some(LocaltimeFile::Unknown), "where nobody looked whether /etc/localtime is there"),
        (None, "with TZ set"),
    ];
    let mut said = Vec::new();
    for (file, place) in places {
        let here = |row: &&&ErrnoSource| match &row.timezone {
            None => file == Some(row.localtime_file),
            Some(_) => file.is_none(),
        };
        let of_file = || plain.iter().filter(here).filter(|row| row.log_lines > 0);
        let share = |on_host: Option<bool>| {
            let rows = of_file().filter(|row| on_host.is_none_or(|wanted| row.on_host == wanted));
            rows.fold((0, 0), |(held_in, of), row| (held_in + held(row), of + row.log_lines))
        };
        let words = |(held_in, of): (u64, u64)| format!("{} of {}", count(held_in), count(of));
        if share(None).1 == 0 {
            continue;
        }
        let sides = [(true, "on the host"), (false, "in guests")];
        let sides: Vec<String> = sides
            .into_iter()
            .filter(|(on_host, _)| share(Some(*on_host)).1 > 0)
            .map(|(on_host, side)| format!("{} {side}", words(share(Some(on_host)))))
            .collect();
        let apart = if sides.len() > 1 && share(None).0 > 0 {
            format!(" ({})", sides.join(", "))
        } else {
            String::new()
        };
        said.push(format!("{} trials {place}{apart}", words(share(None))));
    }
    let line = errno.parse().map(|errno| {
        format!(
            ": a log line with a time stamp then says \"{}\", whatever the call returned",
            errno_text(errno)
        )
    });
    Some(format!(
        "localtime(), which a program calls for the time stamp of a log line, left it in errno in {}{}",
        list(&said),
        line.unwrap_or_default()
    ))
}
