//! Your program: what the kernel said, what libc held, what the program said, in every place.
//!
//! Must not compute a number. Units: counts, times. Errors: none. Tests: `tests/golden/programs.rs`.

use crate::analysis::model::{ProgramSummary, ReportModel};

use super::super::program;
use super::super::table::{Page, wrap};
use super::gather::{by_title, section};

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let plain = model.programs.iter().filter(|one| !one.control);
    let titled = plain.map(|one| (title(one), one));
    for (title, programs) in by_title(titled) {
        section(out, &format!("Your program: {title}"));
        program::accounts(out, &programs);
        wrap(out, "  ", program::LEGEND, 4);
        if program::misleads(&programs) {
            wrap(
                out,
                "  ",
                "a log that says what this program said does not say what the kernel returned",
                4,
            );
        }
        out.push_str("\n");
        wrap(out, "  ", program::SITES_HEAD, 4);
        program::sites(out, &programs);
        program::notes(&programs).iter().for_each(|note| wrap(out, "  ", note, 4));
        program::cost(out, &programs);
        out.push_str("\n");
        wrap(out, "  ", &program::unwatched(), 4);
    }
}

/// The command, and the path: what the cells of a table have in common.
fn title(program: &ProgramSummary) -> String {
    let others = program.parameters.iter().filter(|(_, value)| **value != program.witness);
    let parameters: String = others.map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{}{parameters} over {}", program.command.join(" "), program.path)
}
