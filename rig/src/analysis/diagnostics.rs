//! What each diagnostic of the production report sees of a RST, and what it disturbs.
//!
//! Holds the closed table of tools, and how an outcome is read for each. Must not know reports; no result stands here.
//! Units: counts, nanoseconds. Errors: none. Tests: `tests/golden/diagnosed.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Errno, LabelParts, Tally, own_labels};

use super::measured::Measured;
use super::model::{CellSummary, Diagnostic, DiagnosticPlace, Disturbance};

/// The base program, without a tool.
const REFERENCE: &str = "rst";
/// Scenarios that play a tool.
const LOOKS: &str = "look-";

/// Whether the labels of a look say that it has seen something; `None` where they say nothing.
type Saw = fn(&[&str]) -> Option<bool>;

/// Where a tool's finding is read.
enum Source {
    /// The labels behind the verdict call: so many are the look's, and what they say when it has seen something.
    Labels { scenario: &'static str, labels: usize, saw: Saw },
    /// The packet socket next to the target, in the trials of the reference.
    Packets,
    /// No scenario plays it.
    Nowhere,
}

struct Tool {
    name: &'static str,
    claims: &'static [&'static str],
    looks_for: &'static str,
    source: Source,
}

const CALL: &str = "the call";
const RST: &str = "the RST";

/// In the order of the report's numbers.
const TOOLS: [Tool; 10] = [
    Tool {
        name: "strace -e trace=select",
        claims: &["H47"],
        looks_for: CALL,
        source: Source::Labels { scenario: "look-for-select", labels: 1, saw: is_its_own },
    },
    Tool {
        name: "strace -e trace=pselect6",
        claims: &["H47"],
        looks_for: CALL,
        source: Source::Labels { scenario: "look-for-pselect6", labels: 1, saw: is_its_own },
    },
    Tool { name: "tcpdump", claims: &["H48"], looks_for: RST, source: Source::Packets },
    Tool {
        name: "dmesg",
        claims: &["H49"],
        looks_for: RST,
        source: Source::Labels { scenario: "look-kernel-log", labels: 1, saw: has_lines },
    },
    Tool {
        name: "/proc/net/tcp",
        claims: &["H14", "H50"],
        looks_for: RST,
        source: Source::Labels { scenario: "look-proc-net-tcp", labels: 2, saw: is_listed },
    },
    Tool {
        name: "ss",
        claims: &["H51"],
        looks_for: RST,
        source: Source::Labels { scenario: "look-ss", labels: 1, saw: is_listed },
    },
    Tool { name: "gdb", claims: &["H52"], looks_for: CALL, source: Source::Nowhere },
    Tool {
        name: "kprobe tcp_reset",
        claims: &["H53", "H54"],
        looks_for: RST,
        source: Source::Labels { scenario: "look-kprobe", labels: 1, saw: is_attributed },
    },
    Tool {
        name: "tcp:tcp_receive_reset",
        claims: &["H54"],
        looks_for: RST,
        source: Source::Labels { scenario: "look-tracepoint", labels: 1, saw: is_attributed },
    },
    Tool {
        name: "SO_ERROR, TCP_INFO",
        claims: &["H55"],
        looks_for: RST,
        source: Source::Labels { scenario: "look-so-error", labels: 3, saw: has_an_errno },
    },
];

/// `traced` of a call: the first one was the trial's. Another program's may hide it, which says nothing.
fn is_its_own(look: &[&str]) -> Option<bool> {
    match look {
        ["own"] => Some(true),
        ["none"] => Some(false),
        _ => None,
    }
}

/// `traced` of a RST: the event was there, whoever it was attributed to.
fn is_attributed(look: &[&str]) -> Option<bool> {
    match look {
        ["own" | "other" | "idle"] => Some(true),
        ["none"] => Some(false),
        _ => None,
    }
}

/// `kernel_log`: a line has the text.
fn has_lines(look: &[&str]) -> Option<bool> {
    let number = LabelParts::of(look.first()?).number?;
    Some(number != "0")
}

/// The kernel's list of sockets has it.
fn is_listed(look: &[&str]) -> Option<bool> {
    look.last().filter(|label| !is_errno(label)).map(|label| *label != "absent")
}

/// `so_error` gave an errno.
fn has_an_errno(look: &[&str]) -> Option<bool> {
    look.first().map(|label| is_errno(label))
}

fn is_errno(label: &str) -> bool {
    label.parse::<Errno>().is_ok()
}

/// Every tool; none where the plan has no scenario of one. `cells` are the figures of `measured`, in the same order.
pub(super) fn gather(measured: &[Measured<'_>], cells: &[CellSummary], rehearsed: bool) -> Vec<Diagnostic> {
    if !cells.iter().any(|cell| cell.scenario.starts_with(LOOKS)) {
        return Vec::new();
    }
    let all: Vec<(&Measured<'_>, &CellSummary)> = measured
        .iter()
        .zip(cells)
        .filter(|(one, cell)| one.cell().control.is_none() && !one.is_repeat() && cell.trials > 0)
        .collect();
    TOOLS.iter().map(|tool| diagnose(tool, &all, rehearsed)).collect()
}

fn diagnose(tool: &Tool, all: &[(&Measured<'_>, &CellSummary)], rehearsed: bool) -> Diagnostic {
    let of = |scenario: &'static str| all.iter().filter(move |(_, cell)| cell.scenario == scenario);
    let (scenario, places): (&str, Vec<DiagnosticPlace>) = match tool.source {
        Source::Labels { scenario, labels, saw } => {
            let place = |(one, cell): &(&Measured<'_>, &CellSummary)| {
                let reference = Reference::of(cell, all);
                looked((one, cell), (labels, saw), reference.as_ref(), rehearsed)
            };
            (scenario, of(scenario).map(place).collect())
        }
        Source::Packets => (REFERENCE, captured(of(REFERENCE).map(|(_, cell)| *cell))),
        Source::Nowhere => ("", Vec::new()),
    };
    Diagnostic {
        tool: tool.name.to_owned(),
        claims: tool.claims.iter().map(|id| (*id).to_owned()).collect(),
        scenario: scenario.to_owned(),
        looks_for: tool.looks_for.to_owned(),
        places,
    }
}

/// The base program where a tool was played, with the RST there before the call in every trial: only then does it meet what the tools meet.
struct Reference {
    tally: Tally,
    /// The most frequent labels behind its verdict call.
    after: String,
}

impl Reference {
    fn of(look: &CellSummary, all: &[(&Measured<'_>, &CellSummary)]) -> Option<Self> {
        let place = |cell: &CellSummary| (cell.configuration.clone(), cell.kernel.clone(), cell.path.clone());
        let mut tally = Tally::default();
        let alike = all.iter().filter(|(_, cell)| cell.scenario == REFERENCE && place(cell) == place(look));
        for (one, _) in alike.filter(|(_, cell)| cell.rst_before_call == cell.trials) {
            tally.absorb(&one.tally);
        }
        let mut after: BTreeMap<String, u64> = BTreeMap::new();
        for (outcome, n) in &tally.outcomes {
            let labels: Vec<&str> = own_labels(outcome).skip(1).collect();
            *after.entry(labels.join(",")).or_default() += n;
        }
        let (after, _) = after.into_iter().rev().max_by_key(|(_, n)| *n)?;
        Some(Self { tally, after })
    }
}

fn looked(
    (one, cell): (&Measured<'_>, &CellSummary),
    (labels, saw): (usize, Saw),
    reference: Option<&Reference>,
    rehearsed: bool,
) -> DiagnosticPlace {
    let mut place = place_of(cell);
    let (mut disturbed, mut follows) = (0, false);
    for (outcome, n) in &cell.outcomes {
        let behind: Vec<&str> = own_labels(outcome).skip(1).collect();
        let (look, after) = behind.split_at(labels.min(behind.len()));
        // A trial that ended before its look has nothing of it either.
        match if behind.len() < labels { None } else { saw(look) } {
            Some(true) => place.sees += n,
            Some(false) => {}
            None => place.unclear += n,
        }
        *place.showed.entry(look.join(",")).or_default() += n;
        follows |= !after.is_empty();
        disturbed += if reference.is_some_and(|one| one.after != after.join(",")) { *n } else { 0 };
    }
    place.n = cell.trials.saturating_sub(place.unclear);
    place.disturbs = reference.filter(|_| follows).map(|reference| Disturbance {
        count: disturbed,
        n: cell.trials,
        reference: reference.after.clone(),
    });
    let median = |tally: &Tally| {
        let times = tally.latency.get("call").filter(|times| times.count > 0)?;
        Some(times.quantile(0.5))
    };
    let medians: Option<(u64, u64)> = median(&one.tally).zip(reference.and_then(|one| median(&one.tally)));
    let ratio = medians.filter(|(_, reference)| !rehearsed && *reference > 0);
    place.call_ratio = ratio.map(|(with, without)| with as f64 / without as f64);
    place
}

/// What captures next to the target have, place by place; nothing where nobody watched, or no RST was sent.
fn captured<'a>(cells: impl Iterator<Item = &'a CellSummary>) -> Vec<DiagnosticPlace> {
    let mut places: Vec<DiagnosticPlace> = Vec::new();
    for cell in cells.filter(|cell| cell.kernel_rsts > 0) {
        let Some(seen) = cell.witness_rsts else { continue };
        let same = |place: &DiagnosticPlace| {
            (&place.configuration, &place.kernel, &place.path)
                == (&cell.configuration, &cell.kernel, &cell.path)
        };
        let at = places.iter().position(same).unwrap_or(places.len());
        if at == places.len() {
            places.push(DiagnosticPlace { cells: Vec::new(), ..place_of(cell) });
        }
        let place = &mut places[at];
        place.cells.push(cell.id.clone());
        place.sees += seen.min(cell.kernel_rsts);
        place.n += cell.kernel_rsts;
    }
    places
}

fn place_of(cell: &CellSummary) -> DiagnosticPlace {
    DiagnosticPlace {
        cells: vec![cell.id.clone()],
        configuration: cell.configuration.clone(),
        kernel: cell.kernel.clone(),
        path: cell.path.clone(),
        sees: 0,
        n: 0,
        unclear: 0,
        showed: BTreeMap::new(),
        disturbs: None,
        call_ratio: None,
    }
}
