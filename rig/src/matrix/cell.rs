//! One point of the matrix, complete: everything that a block needs to know, and nothing that must still be looked up.
//!
//! Must not know the file. Units: counts. Errors: none. Tests: `tests.rs` of this room.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rig_protocol::{Errno, Handler, Op, Script, Side};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::configuration::{Arm, Configuration};
use crate::path::PathSpec;

/// Hash of a resolved cell: stable when the matrix file is re-ordered, changed when anything that the cell measures changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CellId(pub String);

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kernel of a bare-metal cell: whatever the host runs. Its release is in the record.
pub const HOST_KERNEL: &str = "host";

/// What a cell measures: the part that its id is the hash of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Name of the scenario.
    pub scenario: String,
    /// All parameters with their resolved values, as the scenario file spells them.
    pub parameters: BTreeMap<String, String>,
    /// The resolved configuration.
    pub configuration: Configuration,
    /// Name of the image (`6.1`), a path as it was written (`./linux`), or [`HOST_KERNEL`].
    pub kernel: String,
    /// Where the kernel lies that is named by its path, seen from anywhere. No part of what is measured, nor of the record: a folder of this machine.
    #[serde(skip)]
    pub kernel_at: Option<PathBuf>,
    /// The resolved path.
    pub path: PathSpec,
    /// Of a run that was merged from runs of several machines, which of them it was measured on: then the configuration's name ends in `@` and this. Not a part of
    /// its id: the same cell is measured on each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The compiled script; cells with the same parameters share it.
    #[serde(serialize_with = "write_shared", deserialize_with = "read_shared")]
    pub script: Arc<Script>,
}

fn write_shared<S: Serializer>(script: &Arc<Script>, serializer: S) -> Result<S::Ok, S::Error> {
    script.as_ref().serialize(serializer)
}

fn read_shared<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Script>, D::Error> {
    Script::deserialize(deserializer).map(Arc::new)
}

impl Subject {
    /// SHA-256 of the canonical JSON, with the script as its own digest; first 12 hex digits.
    pub fn id(&self) -> CellId {
        self.id_with(&ScriptDigest::of(&self.script))
    }

    /// [`Subject::id`], where the script's digest is known: a matrix has few scripts and many cells.
    pub(super) fn id_with(&self, script: &ScriptDigest) -> CellId {
        let mut hasher = Sha256::new();
        let rest = (&self.scenario, &self.parameters, &self.configuration, &self.kernel, &self.path);
        hasher.update(serde_json::to_vec(&rest).expect("plain data with string keys serialises"));
        hasher.update(script.0);
        CellId(format!("{:.12x}", hasher.finalize()))
    }

    /// The name of its configuration in the matrix, whichever machine it was measured on.
    pub fn configuration_name(&self) -> &str {
        let name = self.configuration.name.as_str();
        let on = self.machine.as_deref().and_then(|machine| name.strip_suffix(machine));
        on.and_then(|name| name.strip_suffix('@')).unwrap_or(name)
    }
}

/// SHA-256 of a script's canonical JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ScriptDigest([u8; 32]);

impl ScriptDigest {
    pub(super) fn of(script: &Script) -> Self {
        Self(Sha256::digest(serde_json::to_vec(script).expect("plain data serialises")).into())
    }
}

/// A control: a cell whose answer is known before the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Its name in the matrix (`[control.NAME]`).
    pub name: String,
    /// The errno that must be found. A negative control finds it at rate 0.
    pub errno: Errno,
    /// At this rate of the trials, exactly known: 0 for a negative control, 1 for a closed descriptor.
    pub expected_rate: f64,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// `subject.id()`
    pub id: CellId,
    /// What it measures.
    pub subject: Subject,
    /// The scenario's one-line title.
    pub title: String,
    /// Claim ids (`H01`) that this cell's scenario tests.
    pub claims: Vec<String>,
    /// Whether it is a control.
    pub control: Option<Control>,
    /// Whether a difference between this cell and its bare-metal cell is news. Not where the scenario is a race between the
    /// application's own threads: its rate follows the timing of the machine, and differs honestly.
    #[serde(default = "yes")]
    pub alert: bool,
    /// Why it is known that its trials end otherwise than the scenario expects, where the matrix says so: shown, and no alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// The cell that this one plays a second time under another name: the two are the run's A/A pair, and must not differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<CellId>,
    /// Trials wanted over all its blocks.
    pub trials: u64,
    /// Blocks wanted.
    pub blocks: u32,
    /// Trials under way at once.
    pub in_flight: u32,
    /// Kernel counters that prove that the scenario's fault bit: `peer.Tcp.OutRsts` must have risen by at least the number of
    /// trials, or the block is void ("fault had no effect").
    pub proof: Vec<String>,
}

/// Records without the field are of cells that can raise an alert.
fn yes() -> bool {
    true
}

/// What a virtual cell shares with its bare-metal cell: scenario, parameters, path, arm, and the machine where there are several.
pub type Stratum<'a> = (&'a str, &'a BTreeMap<String, String>, &'a str, Arm, Option<&'a str>);

/// What two cells have in common that differ in the kernel only: scenario, parameters, path and configuration, each by its name.
pub type ButForKernel<'a> = (&'a str, &'a BTreeMap<String, String>, &'a str, &'a str);

impl Cell {
    /// The only place that says which cells are compared: those of one stratum.
    pub fn stratum(&self) -> Stratum<'_> {
        let Subject { scenario, parameters, path, configuration, machine, .. } = &self.subject;
        (scenario, parameters, &path.name, configuration.target.arm(), machine.as_deref())
    }

    /// The same for cells that differ in the kernel only.
    pub fn but_for_kernel(&self) -> ButForKernel<'_> {
        let Subject { scenario, parameters, path, configuration, .. } = &self.subject;
        (scenario, parameters, &path.name, &configuration.name)
    }

    /// Whether its kernel is one of the axis: that of a guest without a disk of its own.
    pub fn is_of_the_kernel_axis(&self) -> bool {
        let target = &self.subject.configuration.target;
        !target.is_host() && target.disk().is_none()
    }

    /// The cells whose blocks tell together how much blocks differ: those of one scenario (its name) and path (its name).
    pub fn family(&self) -> (&str, &str) {
        (&self.subject.scenario, &self.subject.path.name)
    }

    /// The smallest cell that measures this: one trial in one block, and nothing known of its scenario but the script.
    pub fn of(subject: Subject) -> Self {
        Self::identified(subject.id(), subject)
    }

    /// [`Cell::of`], where the id is known: `id` is that of `subject`.
    pub(super) fn identified(id: CellId, subject: Subject) -> Self {
        Self {
            id,
            subject,
            title: String::new(),
            claims: Vec::new(),
            control: None,
            alert: true,
            known: None,
            repeats: None,
            trials: 1,
            blocks: 1,
            in_flight: 1,
            proof: Vec::new(),
        }
    }

    /// Whether this is a bare-metal cell: the baseline of its comparisons.
    pub fn is_baseline(&self) -> bool {
        self.subject.configuration.target.is_host()
    }

    /// Whether it measures what the kernel does: no control, no race between the application's own threads, and no script that closes the descriptor
    /// itself before or while select() has it (then EBADF is the application's doing, select(2)).
    pub fn is_plain(&self) -> bool {
        self.control.is_none() && self.alert && !closes_its_descriptor(&self.subject.script)
    }

    /// Whether it plays the base program, the one whose failure is what everything is about: it tests H03, select() fails more often in KVM guests.
    pub fn is_of_the_base_program(&self) -> bool {
        self.claims.iter().any(|id| id == "H03")
    }

    /// The same cell as it was measured on one of several machines.
    #[must_use]
    pub fn on_machine(&self, machine: &str) -> Self {
        let on = |id: &CellId| CellId(format!("{id}.{machine}"));
        let mut subject = self.subject.clone();
        subject.configuration.name = format!("{}@{machine}", subject.configuration.name);
        subject.machine = Some(machine.to_owned());
        Self { id: on(&self.id), subject, repeats: self.repeats.as_ref().map(on), ..self.clone() }
    }

    /// The same cell under another configuration's name, to be compared with this one. It tests no claim.
    #[must_use]
    pub fn again(&self, configuration: String) -> Self {
        let mut subject = self.subject.clone();
        subject.configuration.name = configuration;
        Self { id: subject.id(), subject, claims: Vec::new(), repeats: Some(self.id.clone()), ..self.clone() }
    }

    /// `scenario[parameters] configuration kernel path` for people.
    pub fn describe(&self) -> String {
        let parameters: Vec<String> =
            self.subject.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!(
            "{}{}{} · {} · {} · {}",
            self.subject.scenario,
            if parameters.is_empty() { "" } else { " " },
            parameters.join(" "),
            self.subject.configuration.name,
            self.subject.kernel,
            self.subject.path.name
        )
    }
}

/// Whether it closes a descriptor, or names a number that is none: then EBADF is the application's doing.
fn closes_its_descriptor(script: &Script) -> bool {
    let names_none = |op: &Op| match op {
        Op::Close { .. } | Op::Number { .. } | Op::OpenPath { .. } | Op::Dup { .. } => true,
        Op::Signal { handler, .. } => *handler == Handler::Close,
        _ => false,
    };
    script.lanes_of(Side::Target).any(|lane| {
        let verdict = lane.steps.iter().position(|step| step.verdict).unwrap_or(lane.steps.len());
        lane.steps[..verdict].iter().any(|step| names_none(&step.op))
    })
}
