//! Cells that may be added up: of one kind, in one configuration and kernel, of one arm, with or without an /etc/localtime.
//!
//! Holds what must be kept apart where errnos are counted by place. Must not judge.
//! Units: counts. Errors: none. Tests: `tests/golden/explained.rs`, `tests/golden/sources.rs`.

use rig_protocol::Tally;

use crate::configuration::{Arm, injects};
use crate::record::format::BlockRecord;

use super::measured::Measured;
use super::model::{LocaltimeFile, SightingKind};

/// What must not be added up with anything else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub(super) configuration: &'a str,
    pub(super) kernel: &'a str,
    pub(super) kind: SightingKind,
    /// The scenario of cells in which the program brings an errno about, or the control's name; empty for plain cells.
    pub(super) name: &'a str,
    pub(super) localtime_file: LocaltimeFile,
    /// With TZ set localtime() does not look for the file.
    pub(super) arm: Arm,
}

impl<'a> Key<'a> {
    fn of(measured: &'a Measured<'_>) -> Self {
        let subject = &measured.cell().subject;
        let (kind, name) = match &measured.cell().control {
            Some(control) => (SightingKind::Control, control.name.as_str()),
            None if subject.script.program.is_some() => (SightingKind::Program, subject.scenario.as_str()),
            // A dosed cell: the errno is brought about on purpose there, too.
            None if injects(&subject.script) => (SightingKind::Control, subject.scenario.as_str()),
            None if measured.cell().is_plain() => (SightingKind::Plain, ""),
            None => (SightingKind::OwnDoing, subject.scenario.as_str()),
        };
        Self {
            configuration: &subject.configuration.name,
            kernel: &subject.kernel,
            kind,
            name,
            localtime_file: localtime_file(&measured.blocks),
            arm: subject.configuration.target.arm(),
        }
    }
}

/// Whether the targets of these blocks had the file.
pub(super) fn localtime_file(blocks: &[&BlockRecord]) -> LocaltimeFile {
    let mut said = blocks.iter().map(|block| block.target_hello.as_ref().map(|hello| hello.localtime));
    let first = said.next().flatten();
    match first {
        Some(there) if said.all(|other| other == first) => {
            if there {
                LocaltimeFile::Present
            } else {
                LocaltimeFile::Absent
            }
        }
        Some(_) | None => LocaltimeFile::Unknown,
    }
}

/// The cells of one key, in the order of the plan.
pub(super) struct Group<'a> {
    pub(super) key: Key<'a>,
    pub(super) cells: Vec<&'a Measured<'a>>,
}

/// Every group that has a trial, in the order of the plan.
pub(super) fn of<'a>(measured: &'a [Measured<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for cell in measured.iter().filter(|cell| cell.tally.trials > 0) {
        let key = Key::of(cell);
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.cells.push(cell),
            None => groups.push(Group { key, cells: vec![cell] }),
        }
    }
    groups
}

impl Group<'_> {
    /// The sums of its targets.
    pub(super) fn sum(&self) -> Tally {
        let mut tally = Tally::default();
        self.cells.iter().for_each(|cell| tally.absorb(&cell.tally));
        tally
    }

    /// What executed them: `kvm`, `tcg`, `none`.
    pub(super) fn accelerators(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.cells.iter().flat_map(|cell| cell.accelerators()).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether a proxy ends TCP on the way of one of them.
    pub(super) fn is_proxied(&self) -> bool {
        self.cells.iter().any(|cell| cell.is_proxied())
    }

    /// Whether they are the host's.
    pub(super) fn is_of_the_host(&self) -> bool {
        self.cells.iter().all(|cell| cell.cell().is_baseline())
    }
}
