//! Who set errno, place by place.
//!
//! Holds which cells are one place. Must not judge. Units: counts. Errors: none. Tests: `tests/golden/audited.rs`.

use super::cell::{Cell, text};
use super::cells::errno_seen;
use super::figure::Figure;
use super::sums::{Counts, Sums};

/// What is kept apart: configuration, kernel, kind, name, whether /etc/localtime was there, and what was declared of it and of TZ.
type Place<'f> = ([&'f str; 5], (bool, Option<&'f str>));

/// The figures of `errno_sources`: places with trials, in the order of the plan.
pub(super) fn sources(cells: &[Cell<'_>]) -> Figure {
    let mut places: Vec<(Place<'_>, Vec<&Cell<'_>>)> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.sums.trials > 0) {
        let place = place(cell);
        match places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, cells)) => cells.push(cell),
            None => places.push((place, vec![cell])),
        }
    }
    Figure::List(places.iter().map(|(place, cells)| row(place, cells)).collect())
}

fn place<'f>(cell: &Cell<'f>) -> Place<'f> {
    let (kind, name) = if cell.is_control() {
        ("control", text(&cell.plan["control"]["name"]))
    } else if !cell.plan["script"]["program"].is_null() {
        ("program", cell.scenario())
    } else if cell.injects() {
        // A configuration that doses its cells: the errno is brought about on purpose there too.
        ("control", cell.scenario())
    } else if cell.is_plain() {
        ("plain", "")
    } else {
        ("own_doing", cell.scenario())
    };
    ([cell.configuration(), cell.kernel(), kind, name, localtime_file(cell)], cell.arm())
}

/// Whether its targets had the file; nobody knows where they differ, or did not say it.
fn localtime_file(cell: &Cell<'_>) -> &'static str {
    let said: Vec<Option<bool>> =
        cell.blocks.iter().map(|block| block.tree["target_hello"]["localtime"].as_bool()).collect();
    match said.first().copied().flatten() {
        Some(there) if said.iter().all(|other| *other == Some(there)) => {
            if there {
                "present"
            } else {
                "absent"
            }
        }
        _ => "unknown",
    }
}

fn row(
    ([configuration, kernel, kind, name, file], (_, timezone)): &Place<'_>,
    cells: &[&Cell<'_>],
) -> Figure {
    let mut sums = Sums::default();
    cells.iter().flat_map(|cell| &cell.blocks).for_each(|block| sums.add(&block.tree["tally"]));
    let all = |counts: &Counts| Figure::Count(counts.values().sum());
    let figure = Figure::part([
        ("configuration", Figure::word(*configuration)),
        ("kernel", Figure::word(*kernel)),
        ("kind", Figure::word(*kind)),
        ("name", Figure::word(*name)),
        ("on_host", Figure::Flag(cells.iter().all(|cell| cell.is_baseline()))),
        ("localtime_file", Figure::word(*file)),
        ("timezone", timezone.map_or(Figure::Nothing, Figure::word)),
        ("calls", all(&sums.returns)),
        ("failed", all(&sums.errno_after_failure)),
        ("succeeded", all(&sums.stale_errno)),
        ("log_lines", all(&sums.errno_after_localtime)),
        ("seen", errno_seen(&sums)),
    ]);
    figure.with_files(cells.iter().flat_map(|cell| cell.files()).collect())
}
