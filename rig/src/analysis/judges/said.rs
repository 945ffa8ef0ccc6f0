//! `said`: judged by who set errno: the kernel's return, what libc then held, what the program said.
//!
//! Holds the columns of a record that tell it. Must not know which claim it decides. Units: shares of 1. Errors: none. Tests: `tests/golden/fair`.

use std::collections::BTreeMap;

use rig_protocol::{Account, Errno, Tally};
use rig_stats::Count;

use crate::claims::Said;

use super::super::evidence::{Evidence, Finding};
use super::super::model::HypothesisVerdict::{Refuted, Supported, Undecided};
use super::super::words::{Rounding, count, one_in, percent};

/// Supported where it is seen (and nobody injected), refuted where it never is and its rate is surely within the margin.
pub(super) fn judge(rule: &Said, evidence: &Evidence<'_>) -> Finding {
    let hits: u64 = evidence.cells.iter().map(|cell| hits(rule, &cell.tally)).sum();
    let trials = evidence.trials();
    let bounds = evidence.bounds(|block| {
        let Tally { trials, .. } = block.tally;
        Count::new(self::hits(rule, &block.tally).min(trials), trials).unwrap_or(Count::NONE)
    });
    let seen = format!("seen in {} of {} trials", count(hits), count(trials));
    if hits > 0 {
        let said =
            format!("{seen}, and nobody injected it (at least {})", percent(bounds.low, Rounding::Down));
        return Finding::measured(Supported, said).of(trials, bounds);
    }
    let verdict = if bounds.high <= evidence.rules.margin { Refuted } else { Undecided };
    let said = format!("never {seen}: its rate is not above {}", one_in(bounds.high));
    Finding::measured(verdict, said.replace("never seen in 0 of", "never seen in")).of(trials, bounds)
}

/// In how many trials it is so. Of rig's own scenarios the sums of each column are known, and not which of them met: the smallest of them is what is sure to be no more.
fn hits(rule: &Said, tally: &Tally) -> u64 {
    if let Some(program) = &tally.program {
        let fits = |account: &&Account| !account.injected && is_so(rule, account);
        return program.accounts.iter().filter(fits).map(|account| account.trials).sum();
    }
    if rule.program.is_some() {
        return 0;
    }
    let held = |errno: &Option<Errno>, columns: &[&BTreeMap<Errno, u64>]| {
        errno.map(|errno| columns.iter().filter_map(|column| column.get(&errno)).sum::<u64>())
    };
    let failed = tally.returned_any_errno();
    let (after, kernel) = match rule.kernel.as_deref() {
        None => (vec![&tally.stale_errno, &tally.errno_after_failure], tally.returned_calls()),
        Some("success") => (vec![&tally.stale_errno], tally.returned_calls().saturating_sub(failed)),
        Some("failure") => (vec![&tally.errno_after_failure], failed),
        Some(name) => {
            (vec![&tally.errno_after_failure], name.parse().map_or(0, |errno| tally.returned(errno)))
        }
    };
    let libc = held(&rule.libc, &after);
    let localtime = held(&rule.localtime, &[&tally.errno_after_localtime]);
    [Some(kernel), libc, localtime].into_iter().flatten().min().unwrap_or(0)
}

fn is_so(rule: &Said, account: &Account) -> bool {
    let kernel = match (rule.kernel.as_deref(), account.kernel) {
        (None, _) => true,
        (Some("success"), Some(returned)) => returned.errno.is_none(),
        (Some("failure"), Some(returned)) => returned.errno.is_some(),
        (Some(name), Some(returned)) => returned.errno == name.parse().ok() && returned.errno.is_some(),
        (Some(_), None) => false,
    };
    let same = |asked: Option<Errno>, held: Option<Errno>| asked.is_none() || asked == held;
    kernel
        && same(rule.libc, account.libc)
        && same(rule.localtime, account.libc_at_line)
        && same(rule.program, account.said_errno)
}
