//! `[path.NAME.fault.NAME]`: what changes at a moment of a block.
//!
//! Must not know what the path has for it; that is `whole`'s matter. Units: nanoseconds inside, counted from the first trial.
//! Errors: problems at the key; they blame the matrix file. Tests: `tests.rs`, `tests/diagnostics/path`.

use super::keys::{FAULT, WordRow, fault_of};
use super::piece::{Piece, read_do, required};
use super::value::{count, duration};
use crate::document::Findings;
use crate::matrix::configuration::optional;
use crate::path::{Fault, FaultKind};

/// One fault.
pub(super) fn read(findings: &mut Findings, piece: &Piece<'_>) -> Option<Fault> {
    let Piece { key, table, .. } = piece;
    let word = read_do(findings, piece, &FAULT);
    let kind = word.and_then(|word| fault_of(word.word));
    // What is gone stays so where the file does not say for how long. A link or a guest's CPUs that did would only end the block.
    let stays = if matches!(kind, Some(FaultKind::BackendDown | FaultKind::HostGone)) {
        Fault::TO_THE_END_NS
    } else {
        0
    };
    let mut time = |name: &str, default: u64| {
        optional(table, name, default, |node| duration(findings, node, &format!("`{name}`")))
    };
    let (after_ns, for_ns, every_ns) = (time("after", 0), time("for", stays), time("every", 0));
    let kind = match kind? {
        FaultKind::Contention { .. } => {
            let threads_per_cpu = optional(table, "threads_per_cpu", 1, |node| {
                count(findings, node, "`threads_per_cpu`", 1, 64)
            });
            FaultKind::Contention { threads_per_cpu: threads_per_cpu? }
        }
        FaultKind::Arm { .. } => FaultKind::Arm { action: action(findings, piece, word?)? },
        plain @ (FaultKind::LinkDown
        | FaultKind::Pause
        | FaultKind::BackendDown
        | FaultKind::HostGone
        | FaultKind::VsockReset
        | FaultKind::ForgetConnections) => plain,
    };
    let fault =
        Fault { name: key.name.clone(), kind, after_ns: after_ns?, for_ns: for_ns?, every_ns: every_ns? };
    refuse_repetition(findings, piece, &fault);
    Some(fault)
}

fn action(findings: &mut Findings, piece: &Piece<'_>, word: &WordRow) -> Option<String> {
    required(findings, piece, word.keys, "action", |findings, node| {
        findings.string(node, "`action`").map(str::to_owned)
    })
}

/// What begins again must have ended.
fn refuse_repetition(findings: &mut Findings, piece: &Piece<'_>, fault: &Fault) {
    if fault.every_ns == 0 {
        return;
    }
    let stays = match fault.kind {
        FaultKind::Contention { .. } => fault.for_ns == 0,
        FaultKind::Arm { .. } => true,
        FaultKind::BackendDown | FaultKind::HostGone => fault.for_ns == Fault::TO_THE_END_NS,
        FaultKind::LinkDown | FaultKind::Pause | FaultKind::VsockReset | FaultKind::ForgetConnections => {
            false
        }
    };
    if stays {
        findings
            .report(piece.place("every"), format!("{} cannot begin again", piece.what), "it never ends")
            .help(match fault.kind {
                FaultKind::Arm { .. } => "an armed action stays armed: leave `every` out",
                FaultKind::LinkDown
                | FaultKind::Pause
                | FaultKind::Contention { .. }
                | FaultKind::BackendDown
                | FaultKind::HostGone
                | FaultKind::VsockReset
                | FaultKind::ForgetConnections => {
                    "say how long it lasts: for = \"200ms\"; or leave `every` out"
                }
            });
    } else if fault.for_ns >= fault.every_ns {
        findings
            .report(
                piece.place("every"),
                format!("{} begins again before it has ended", piece.what),
                "from one beginning to the next",
            )
            .also(piece.place("for"), "it lasts as long or longer")
            .help("make `every` longer than `for`");
    }
}
