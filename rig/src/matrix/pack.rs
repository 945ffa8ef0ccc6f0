//! What the programs of cells consist of: found out where a cell's script is built, so that its id follows their content.
//!
//! Must not know how it is found out. Units: none. Errors: [`Problems`], at the place of the scenario file that names the program. Tests: below.

use std::collections::BTreeMap;

use rig_protocol::Script;

use crate::document::Problems;
use crate::program::{self, About, Asked, Packed, ProgramError};
use crate::script::{ProgramFiles, ProgramKey, Scenario};

/// What was found out already: many cells have one program.
#[derive(Debug, Default)]
pub struct Packer {
    known: BTreeMap<ProgramFiles, Packed>,
}

impl Packer {
    /// Fills in what the script's program consists of, if it has one; `values` are those of all the scenario's parameters.
    ///
    /// # Errors
    /// The program, or something that goes with it, cannot be a client.
    pub fn pack(
        &mut self,
        scenario: &Scenario,
        values: &BTreeMap<String, String>,
        script: &mut Script,
    ) -> Result<(), Problems> {
        let Some((files, program)) = scenario.program_files(values).zip(script.program.as_mut()) else {
            return Ok(());
        };
        if !self.known.contains_key(&files) {
            let packed = program::inspect(&asked(&files)).map_err(|error| problem(scenario, &error))?;
            self.known.insert(files.clone(), packed);
        }
        self.known[&files].describe(program);
        Ok(())
    }

    /// What a reader should know of the programs that were packed: each a sentence.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.known.values().flat_map(|packed| &packed.notes).map(String::as_str)
    }
}

fn asked(files: &ProgramFiles) -> Asked {
    let ProgramFiles { name, directory, with, input, before } = files.clone();
    Asked { name, directory, with, input, before }
}

fn problem(scenario: &Scenario, error: &ProgramError) -> Problems {
    let key = match error.about {
        About::Program => ProgramKey::Program,
        About::With(at) => ProgramKey::With(at),
        About::Input => ProgramKey::Input,
        About::Before(at) => ProgramKey::Before(at),
    };
    scenario.program_problem(key, error.to_string(), error.label(), error.help())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::*;
    use crate::matrix::{Cell, Matrix, Selection};

    const MATRIX: &str = "[axes]\nscenario = [\"./mine.toml\"]\nconfiguration = [\"metal\"]\npath = [\"direct\"]\n\
                          [configuration.metal]\nkind = \"host\"\n[path.direct]\n";

    fn scenario(keys: &str) -> String {
        format!(
            "title = \"t\"\nexpect = [\"**\"]\npeer = \"rst\"\n[lane.client]\nprogram = \"./prog\"\n{keys}\n"
        )
    }

    fn write_program(folder: &Path, text: &str) {
        fs::write(folder.join("prog"), text).expect("written");
        fs::set_permissions(folder.join("prog"), fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    fn cells(folder: &Path) -> Result<Vec<Cell>, Problems> {
        Matrix::parse("m.toml", MATRIX, folder)?.cells(&Selection::default())
    }

    #[test]
    fn a_cell_has_its_programs_parts_and_another_id_for_another_program() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("mine.toml"), scenario("")).expect("written");
        write_program(folder.path(), "#!/bin/sh\nexit 0\n");
        let one = cells(folder.path()).expect("valid");
        let program = one[0].subject.script.program.as_ref().expect("a program");
        let path = folder.path().join("prog").canonicalize().expect("there").display().to_string();
        assert!(
            program.parts.iter().any(|part| part.path == path && part.bytes == 17),
            "{:?}",
            program.parts
        );
        assert_eq!(one[0].id, one[0].subject.id());
        assert_eq!(cells(folder.path()).expect("valid")[0].id, one[0].id);
        write_program(folder.path(), "#!/bin/sh\nexit 1\n");
        assert_ne!(cells(folder.path()).expect("valid")[0].id, one[0].id);
    }

    #[test]
    fn what_is_wrong_with_a_program_stands_where_the_file_names_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("mine.toml");
        let place = |keys: &str| {
            fs::write(&file, scenario(keys)).expect("written");
            let problems = cells(folder.path()).expect_err("it cannot be packed");
            let mut shown = String::new();
            let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
            problems.iter().for_each(|problem| handler.render_report(&mut shown, problem).expect("rendered"));
            shown
        };
        let missing = place("");
        assert!(missing.contains("no such file") && missing.contains("mine.toml:5:11"), "{missing}");
        write_program(folder.path(), "#!/bin/sh\nexit 0\n");
        let with = place("with = [\"./prog\", \"./no-such-folder\"]");
        assert!(with.contains("mine.toml:6:19"), "{with}");
        let input = place("input = \"./nothing.txt\"");
        assert!(input.contains("mine.toml:6:9"), "{input}");
    }
}
