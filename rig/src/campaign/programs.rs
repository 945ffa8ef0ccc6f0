//! The users' programs of a run's cells: whether their guests can hold them, and whether they are still what they were.
//!
//! Must not know how a program gets into a guest. Units: MiB. Errors: [`CampaignError`], which blames the matrix file or the program.
//! Tests: below.

use std::collections::BTreeSet;

use rig_protocol::Program;

use crate::configuration::TargetSpec;
use crate::matrix::Cell;
use crate::program;

use super::error::CampaignError;

/// Whether each guest has the memory for its cell's program.
///
/// # Errors
/// [`CampaignError::GuestTooSmall`], for the cell that lacks most.
pub(super) fn fit<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Result<(), CampaignError> {
    let lacking = cells.into_iter().filter_map(|cell| {
        let TargetSpec::Qemu(spec) = &cell.subject.configuration.target else { return None };
        let program = cell.subject.script.program.as_deref()?;
        let needed_mib = program::guest_memory_mib(program::bytes(&program.parts));
        let lacks = needed_mib.checked_sub(spec.memory_mib).filter(|lacks| *lacks > 0)?;
        Some((lacks, needed_mib, spec.memory_mib, cell, program))
    });
    match lacking.max_by_key(|(lacks, ..)| *lacks) {
        None => Ok(()),
        Some((_, needed_mib, memory_mib, cell, program)) => Err(CampaignError::GuestTooSmall {
            program: program.name.clone(),
            configuration: cell.subject.configuration.name.clone(),
            memory_mib,
            needed_mib,
        }),
    }
}

/// Whether every program still has the parts that its cell was made with.
///
/// # Errors
/// [`CampaignError::ProgramChanged`]
pub(super) fn unchanged<'a>(cells: impl IntoIterator<Item = &'a Cell>) -> Result<(), CampaignError> {
    let mut verified: BTreeSet<Vec<&str>> = BTreeSet::new();
    for program in cells.into_iter().filter_map(|cell| cell.subject.script.program.as_deref()) {
        if verified.insert(digests(program)) {
            program::verify(program)?;
        }
    }
    Ok(())
}

fn digests(program: &Program) -> Vec<&str> {
    program.parts.iter().flat_map(|part| [part.path.as_str(), part.digest.as_str()]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use rig_protocol::{Part, Script};

    use super::*;
    use crate::campaign::Blame;
    use crate::matrix::{Matrix, Selection};

    /// Cells of guests with 256 MiB, whose script has this program.
    fn cells(program: &Program) -> Vec<Cell> {
        let selection = Selection { profile: None, filters: vec![], trials: None };
        let mut cells = Matrix::load(None).unwrap().select(&selection).unwrap().cells;
        for cell in &mut cells {
            let script = Script { program: Some(Box::new(program.clone())), ..Script::default() };
            cell.subject.script = Arc::new(script);
        }
        cells
    }

    #[test]
    fn a_guest_that_cannot_hold_a_program_is_refused_with_the_key_to_set() {
        let part = |mib: u64| Part { path: "/a".into(), digest: String::new(), bytes: mib << 20 };
        let with = |mib| Program { name: "./a".into(), parts: vec![part(mib)], ..Program::default() };
        let found = cells(&with(1));
        let memory: BTreeMap<bool, usize> = found.iter().fold(BTreeMap::new(), |mut count, cell| {
            *count.entry(cell.subject.configuration.target.is_host()).or_default() += 1;
            count
        });
        assert_eq!(memory.len(), 2, "hosts and guests");
        assert!(fit(&found).is_ok());
        let error = fit(&cells(&with(1000))).unwrap_err();
        assert_eq!(error.blame(), Blame::Input);
        let CampaignError::GuestTooSmall { needed_mib, memory_mib, .. } = &error else { panic!("{error}") };
        assert!(needed_mib > memory_mib, "{error}");
        let help = miette::Diagnostic::help(&error).unwrap().to_string();
        assert!(
            help.starts_with(&format!("set `memory_mib = {needed_mib}` or more in [configuration.")),
            "{help}"
        );
    }

    #[test]
    fn a_program_that_has_changed_is_the_users_to_mend() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let part = Part { path, digest: "0".repeat(64), bytes: 0 };
        let program = Program { name: "./a".into(), parts: vec![part], ..Program::default() };
        let error = unchanged(&cells(&program)).unwrap_err();
        assert_eq!(error.blame(), Blame::Input);
        let told = error.to_string();
        assert!(
            told.starts_with("./a has changed since the run began: /") && told.contains("00000000…"),
            "{told}"
        );
    }
}
