//! What a program lane says of files: which program, from where, with what; and a problem at one of those places.
//!
//! Must not look at a file. Units: none. Errors: none of its own; those of whoever looks stand where the file says it. Tests: in `matrix/pack.rs`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::fill;
use crate::document::{Findings, Problems};
use crate::script::template::{Placed, Scenario};

/// The files that a program lane names, with its parameters filled in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProgramFiles {
    /// A path, or a name on PATH.
    pub name: String,
    /// From where paths are seen: an absolute path.
    pub directory: PathBuf,
    /// Files and folders that go along.
    pub with: Vec<String>,
    /// Its standard input.
    pub input: Option<String>,
    /// Commands of the shell.
    pub before: Vec<String>,
}

/// Which value of a program lane a problem is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramKey {
    /// `program`
    Program,
    /// This value of `with`.
    With(usize),
    /// `input`
    Input,
    /// This value of `before`.
    Before(usize),
}

impl Scenario {
    /// The files of its program, if it has one; `values` are those of all its parameters.
    pub fn program_files(&self, values: &BTreeMap<String, String>) -> Option<ProgramFiles> {
        let program = self.program.as_ref()?;
        let text = |placed: &Placed| placed.input.text(values);
        Some(ProgramFiles {
            name: text(&program.program),
            directory: fill::directory(program, values),
            with: program.with.iter().map(text).collect(),
            input: program.input.as_ref().map(text),
            before: program.before.iter().map(text).collect(),
        })
    }

    /// A problem of its program, at the place of the file that says it.
    ///
    /// # Panics
    /// A scenario without a program has no such problem.
    pub fn program_problem(&self, key: ProgramKey, message: String, label: String, help: String) -> Problems {
        let program = self.program.as_ref().expect("the problem is one of its program");
        let place = match key {
            ProgramKey::Program => None,
            ProgramKey::With(at) => program.with.get(at),
            ProgramKey::Input => program.input.as_ref(),
            ProgramKey::Before(at) => program.before.get(at),
        };
        let span = place.unwrap_or(&program.program).span.clone();
        let mut findings = Findings::new(Arc::clone(&program.source));
        findings.report(span, message, label).help(help);
        findings.into_problems()
    }
}
