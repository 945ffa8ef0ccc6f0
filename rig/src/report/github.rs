//! Workflow commands of GitHub: an annotation for each case that a reader must see, the gravest first.
//!
//! Must not judge, nor compute a number. GitHub keeps 10 annotations of each kind in a step: more are counted, and not written.
//! Source: GitHub Actions, "Workflow commands"; the escapes are those of actions/toolkit. Units: none. Errors: none.
//! Tests: `tests/golden/formats.rs`.

use rig_protocol::plain_within;

use super::cases::{Case, Suite, cases};
use crate::analysis::model::ReportModel;
use crate::analysis::words::{count, several};

/// So many of a kind are kept in a step.
const MOST: usize = 10;
/// So long is one.
const MOST_BYTES: usize = 1_000;
/// So long is a title.
const MOST_TITLE_BYTES: usize = 200;

/// What is over all cells first, cells last: they say why.
const ORDER: [Suite; 6] =
    [Suite::Headlines, Suite::Alerts, Suite::Controls, Suite::Outcomes, Suite::Comparisons, Suite::Cells];

pub(super) fn render(model: &ReportModel) -> String {
    let cases = cases(model);
    let mut out = String::new();
    for kind in ["error", "warning", "notice"] {
        let mut of: Vec<&Case<'_>> =
            cases.iter().filter(|case| case.standing.words().github == kind).collect();
        of.sort_by_key(|case| (case.standing, ORDER.iter().position(|suite| *suite == case.suite)));
        let shown = if of.len() > MOST { MOST - 1 } else { of.len() };
        for case in &of[..shown] {
            let title = format!("{}: {}", case.standing.words().word, case.title());
            out.push_str(&command(kind, &title, &case.reason));
        }
        if of.len() > shown {
            let words = format!(
                "{} more of {}: GitHub keeps {MOST} of a kind in a step; the report has all",
                count((of.len() - shown) as u64),
                count(of.len() as u64)
            );
            out.push_str(&command(kind, &format!("rig {}", model.run.id), &words));
        }
    }
    // Every other standing has a command.
    if out.is_empty() {
        let words = format!("{}, and each is as expected", several(cases.len(), "case"));
        out.push_str(&command("notice", &format!("rig {}", model.run.id), &words));
    }
    out
}

fn command(kind: &str, title: &str, message: &str) -> String {
    let title =
        plain_within(title, MOST_TITLE_BYTES).replace('%', "%25").replace(':', "%3A").replace(',', "%2C");
    let message = plain_within(message, MOST_BYTES).replace('%', "%25");
    format!("::{kind} title={title}::{message}\n")
}
