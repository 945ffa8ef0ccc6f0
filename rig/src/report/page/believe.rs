//! Can it be believed: five checks that open.
//!
//! Must not judge. Units: counts. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use crate::analysis::model::{Caution, ReportModel};
use crate::analysis::words::{count, several};
use crate::report::answer::{Item, Tone, believe};
use crate::report::table::Align::{Left, Right};
use crate::report::text;

use super::missing::voids;
use super::pieces::{lines, of_text, table};
use super::section::Section;
use super::tone::of_tone;

#[derive(Template)]
#[template(path = "page/believe.html")]
struct Believe {
    lead: String,
    checks: Vec<Check>,
    cautions: Vec<String>,
}

struct Check {
    name: &'static str,
    tone: &'static str,
    shape: &'static str,
    word: &'static str,
    text: String,
    /// HTML.
    body: String,
}

impl Check {
    fn new(name: &'static str, item: Item, body: String) -> Self {
        let (tone, shape, _) = of_tone(item.tone);
        let word = match item.tone {
            Tone::Good => "passed",
            Tone::Bad => "FAILED",
            Tone::Mind => "not shown",
            Tone::Plain | Tone::Heading => "none",
        };
        Self { name, tone, shape, word, text: item.text, body }
    }
}

pub(super) fn section(model: &ReportModel) -> Section {
    let checks = vec![
        Check::new("Controls", believe::controls(model), of_text(text::controls::write, model)),
        again(model),
        Check::new("Witness", believe::witness(model), witnesses(model)),
        Check::new(
            "Trials",
            believe::trials(model),
            voids(model).unwrap_or_else(|| paragraph("Every trial that was begun has an outcome.")),
        ),
        locked(model),
    ];
    let passed = checks.iter().filter(|check| check.tone == "good").count();
    let failed = checks.iter().filter(|check| check.tone == "bad").count();
    let lead = match failed {
        0 => format!("{passed} of {} checks passed; none failed. Each opens.", checks.len()),
        n => format!("{passed} of {} checks passed; {n} FAILED. Each opens.", checks.len()),
    };
    let cautions = model.cautions.iter().map(Caution::to_string).collect();
    Section::new("believe", "Can it be believed?", &Believe { lead, checks, cautions })
}

fn again(model: &ReportModel) -> Check {
    let Some(pair) = &model.again else {
        let item = Item::new(Tone::Plain, "", "this run measured no cell twice under two names");
        return Check::new("A/A pair", item, paragraph(A_A));
    };
    let body = match &pair.most {
        Some(most) => paragraph(&format!("{A_A} The largest difference: {most}.")),
        None => paragraph(A_A),
    };
    Check::new("A/A pair", believe::again(pair, model), body)
}

const A_A: &str = "One guest cell is measured twice under two names, in the same random order as all others. Nothing differs between the two: if their results do, the \
    comparison itself is broken.";

fn paragraph(text: &str) -> String {
    lines(&[text])
}

fn witnesses(model: &ReportModel) -> String {
    let played = model.cells.iter().filter(|cell| cell.trials > 0);
    let rows = played.map(|cell| {
        let seen = cell.witness_rsts.map_or("nobody watched".to_owned(), count);
        [
            cell.scenario.clone(),
            format!("{} {}", cell.configuration, cell.kernel),
            cell.path.clone(),
            seen,
            count(cell.kernel_rsts),
        ]
    });
    let heading = [
        ("scenario", Left),
        ("where", Left),
        ("path", Left),
        ("resets seen", Right),
        ("resets that the kernels say they sent", Right),
    ];
    let rows: Vec<_> = rows.take(WITNESSED).collect();
    table("Resets on the wire next to the target, of both directions", heading, rows)
}

/// So many cells are shown; all are in the data.
const WITNESSED: usize = 60;

fn locked(model: &ReportModel) -> Check {
    let Some(locked) = &model.locked else {
        let item = Item::new(
            Tone::Plain,
            "",
            "the plan was not written down before the run (`rig matrix plan --lock`)",
        );
        return Check::new(
            "As locked",
            item,
            paragraph(
                "A plan that is locked before the run shows that its questions and margins were not chosen to fit its results.",
            ),
        );
    };
    let of = format!("sha256 {}, written {}", locked.sha256, locked.written);
    if locked.as_locked {
        return Check::new(
            "As locked",
            Item::new(Tone::Good, "", "played as it was planned"),
            paragraph(&of),
        );
    }
    let rows = locked.deviations.iter().map(|deviation| [deviation.to_string()]);
    let body = table(&of, [("deviation", Left)], rows);
    let n = several(locked.deviations.len(), "deviation");
    Check::new("As locked", Item::new(Tone::Bad, "", format!("{n} from the plan")), body)
}
