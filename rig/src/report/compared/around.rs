//! What stands around the figures: what was compared, what changed, what was left out, whether to believe it, and the answer.
//!
//! Must not judge. Units: per cent. Errors: none. Tests: `tests/golden/compared.rs`.

use crate::analysis::model::{
    ComparisonConclusion, RunComparison, SideSummary, Sides, Uncompared, UncomparedCell,
};
use crate::analysis::words::{Rounding, count, percent, several};

use super::super::status::{control_words, errno_word};
use super::super::table::Align::Left;
use super::super::table::{Page, Table};
use super::super::text::gather::section;

/// So many cells of one reason are named.
const NAMED: usize = 6;

pub(in crate::report) fn header(out: &mut Page, compared: &RunComparison) {
    let title = match compared.sides {
        Sides::Runs => "Two runs compared (a difference is the second minus the first)",
        Sides::Configurations => {
            "Two configurations of one run compared (a difference is the second minus the first)"
        }
    };
    out.push_str(&format!("{title}\n"));
    let mut line = |name: &str, text: String| out.wrap(&format!("  {name:<8} "), &text, 11);
    line("first", side(&compared.first));
    line("second", side(&compared.second));
    let alike = match compared.sides {
        Sides::Runs => "the same scenario, parameters, path, configuration and kernel",
        Sides::Configurations => "the same scenario, parameters and path, and of two guests the same kernel",
    };
    line("compared", format!("{} of cells with {alike}", several(compared.pairs.len(), "pair")));
    let confidence = percent(compared.confidence, Rounding::Nearest);
    line(
        "judged",
        format!("intervals at {confidence}, the boot as their unit; margin {}", margins(compared)),
    );
}

fn side(side: &SideSummary) -> String {
    let configuration = side.configuration.as_ref().map_or_else(String::new, |name| format!("{name} of "));
    let profile = if side.profile.is_empty() { String::new() } else { format!(", profile {}", side.profile) };
    let complete = if side.complete { "" } else { ", NOT COMPLETE" };
    let rehearsed = if side.rehearsed { ", a rehearsal" } else { "" };
    format!(
        "{configuration}run {}, started {}{profile}, seed {}, rig {}, {}{complete}{rehearsed}",
        side.run,
        side.started,
        side.seed,
        side.rig_version,
        several(usize::try_from(side.cells).unwrap_or(usize::MAX), "cell")
    )
}

/// `0.5 %`, `0.5 % (EBADF 0.1 %)`
fn margins(compared: &RunComparison) -> String {
    let all = percent(compared.margin, Rounding::Nearest);
    let own = compared.margins.iter().filter(|(_, margin)| margin.to_bits() != compared.margin.to_bits());
    let own: Vec<String> = own
        .map(|(errno, margin)| format!("{} {}", errno_word(*errno), percent(*margin, Rounding::Nearest)))
        .collect();
    if own.is_empty() { all } else { format!("{all} ({})", own.join(", ")) }
}

pub(in crate::report) fn changes(out: &mut Page, compared: &RunComparison) {
    let title = match compared.sides {
        Sides::Runs => "What changed around the cells",
        Sides::Configurations => "In what the two differ",
    };
    section(out, title);
    if compared.changes.is_empty() {
        out.wrap("  ", "nothing, as far as the records have it", 4);
        return;
    }
    for change in &compared.changes {
        out.wrap("  ", &change.to_string(), 4);
    }
}

pub(in crate::report) fn not_compared(out: &mut Page, compared: &RunComparison) {
    let all = &compared.not_compared;
    if all.is_empty() {
        return;
    }
    section(out, "Cells that were not compared");
    let mut groups: Vec<(String, Vec<&UncomparedCell>)> = Vec::new();
    for one in all {
        let why = why(compared, one);
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, group)) => group.push(one),
            None => groups.push((why, vec![one])),
        }
    }
    groups.sort_by_key(|(_, group)| group.first().map(|one| one.why));
    for (why, group) in groups {
        out.wrap("  ", &format!("{why}: {}", several(group.len(), "cell")), 4);
        let mut table = Table::new([("scenario", Left), ("path", Left), ("place", Left)]);
        for one in group.iter().take(NAMED) {
            let parameters = one.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
            table.row([
                format!("{}{}", one.scenario, parameters.collect::<String>()),
                one.path.clone(),
                format!("{} {}", one.configuration, one.kernel),
            ]);
        }
        if group.len() > NAMED {
            table.note(format!("{} more", count((group.len() - NAMED) as u64)));
        }
        table.write(out, 4);
    }
}

fn why(compared: &RunComparison, one: &UncomparedCell) -> String {
    let [first, second] = compared.names();
    let reason = one.reason.as_deref().unwrap_or_default();
    match one.why {
        Uncompared::OnlyInFirst => format!("only in {first}"),
        Uncompared::OnlyInSecond => format!("only in {second}"),
        Uncompared::NotRunInFirst => format!("without a trial in {first} ({reason})"),
        Uncompared::NotRunInSecond => format!("without a trial in {second} ({reason})"),
        Uncompared::NotRunInBoth => format!("without a trial in both ({reason})"),
        Uncompared::SameBlocks => {
            format!("not independent, as one run is made of files of the other ({reason})")
        }
    }
}

pub(in crate::report) fn believed(out: &mut Page, compared: &RunComparison) {
    if compared.controls.is_empty() && compared.cautions.is_empty() {
        return;
    }
    section(out, "Can it be believed");
    for control in &compared.controls {
        let of = match compared.sides {
            Sides::Runs => format!(" in the {} run", control.side),
            Sides::Configurations => String::new(),
        };
        let word = control_words(control.status);
        // Some reasons begin with it.
        let status = if control.reason.starts_with(word) { String::new() } else { format!("{word}: ") };
        let (name, configuration, kernel) = (&control.control, &control.configuration, &control.kernel);
        let text = format!("control {name} of {configuration} {kernel}{of}: {status}{}", control.reason);
        out.wrap("  ! ", &text, 4);
    }
    for caution in &compared.cautions {
        out.wrap("  - ", caution, 4);
    }
}

pub(in crate::report) fn answer(out: &mut Page, compared: &RunComparison) {
    let words = match compared.conclusion {
        ComparisonConclusion::Differs => "The answer: THEY DIFFER",
        ComparisonConclusion::Short => "The answer: NOT PROVEN, something is missing",
        ComparisonConclusion::NoDifference if compared.differs() => "The answer: no difference that is news",
        ComparisonConclusion::NoDifference => "The answer: no difference is shown",
    };
    section(out, words);
    for line in &compared.answer {
        out.wrap(&format!("  {:<10} ", line.about), &line.text, 13);
    }
}
