//! What was started: everything that is needed to start it again, and the digests of what it consisted of.
//!
//! Must not look at files. Units: in the keys. Errors: a sentence. Tests: `program/tests.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Injected, Network, Part, Program, Redirect, Verdict, Witness};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::format::words::{errno_of, errno_word};

/// The user's program that is the client of a cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PlannedProgram {
    /// As the user wrote it.
    name: String,
    /// The file that was executed.
    path: String,
    /// Its arguments, without its own name; `{address}` and `{port}` stand for the peer's.
    arguments: Vec<String>,
    /// What was in its environment besides PATH, HOME and TZ.
    environment: BTreeMap<String, String>,
    /// The folder that it was started in.
    directory: String,
    /// Commands that a shell ran before the first trial of a block.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    before: Vec<String>,
    /// The file that was its standard input; null for none.
    input: Option<String>,
    /// The regular expression that its lines were held against; null for none.
    says: Option<String>,
    /// The system calls of which one is the verdict call.
    verdict_calls: Vec<String>,
    /// Which of them, from 1.
    verdict_nth: u32,
    /// The system calls behind it whose labels are part of the outcome.
    outcome_calls: Vec<String>,
    /// Who recorded its calls: `ptrace`, `tracepoint` or `none`.
    witness: String,
    /// Which connect() calls were led to the peer: `all`, `none`, or `only` those of `redirected_addresses`.
    redirect: String,
    /// With `redirect` = `only`: `address:port` each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirected_addresses: Vec<String>,
    /// `target`: the network of the target, with the peer; `own`: one of each trial's own.
    network: String,
    /// Whether what it wrote went to a terminal, and not to a pipe.
    terminal: bool,
    /// The errno that its verdict call returned on purpose; null where it did not.
    injected_errno: Option<String>,
    /// In how many of a million trials.
    injected_ppm: u32,
    /// What it consisted of.
    parts: Vec<PlannedPart>,
}

/// A file of a program, or a folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedPart {
    /// Where it lay.
    path: String,
    /// SHA-256, hex: of a file its content; of a folder the names, modes and contents of all that is in it.
    sha256: String,
    /// Size of the content.
    bytes: u64,
}

impl From<&Program> for PlannedProgram {
    fn from(program: &Program) -> Self {
        let (redirect, redirected_addresses) = match &program.redirect {
            Redirect::All => ("all", Vec::new()),
            Redirect::None => ("none", Vec::new()),
            Redirect::Only(addresses) => ("only", addresses.clone()),
        };
        let network = match program.network {
            Network::Target => "target",
            Network::Own => "own",
        };
        let part = |part: &Part| PlannedPart {
            path: part.path.clone(),
            sha256: part.digest.clone(),
            bytes: part.bytes,
        };
        Self {
            name: program.name.clone(),
            path: program.path.clone(),
            arguments: program.arguments.clone(),
            environment: program.environment.clone(),
            directory: program.directory.clone(),
            before: program.before.clone(),
            input: program.input.clone(),
            says: program.says.clone(),
            verdict_calls: program.verdict.calls.clone(),
            verdict_nth: program.verdict.nth,
            outcome_calls: program.outcome.clone(),
            witness: program.witness.word().to_owned(),
            redirect: redirect.to_owned(),
            redirected_addresses,
            network: network.to_owned(),
            terminal: program.terminal,
            injected_errno: program.inject.map(|injected| errno_word(injected.errno)),
            injected_ppm: program.inject.map_or(0, |injected| injected.rate_ppm),
            parts: program.parts.iter().map(part).collect(),
        }
    }
}

impl TryFrom<PlannedProgram> for Program {
    type Error = String;

    fn try_from(planned: PlannedProgram) -> Result<Self, String> {
        let unknown = |what: &str, word: &str| format!("its program's {what}: unknown word {word:?}");
        let witness = Witness::ALL.into_iter().find(|witness| witness.word() == planned.witness);
        let redirect = match planned.redirect.as_str() {
            "all" => Redirect::All,
            "none" => Redirect::None,
            "only" => Redirect::Only(planned.redirected_addresses),
            other => return Err(unknown("redirect", other)),
        };
        let network = match planned.network.as_str() {
            "target" => Network::Target,
            "own" => Network::Own,
            other => return Err(unknown("network", other)),
        };
        let rate_ppm = planned.injected_ppm;
        let inject = planned
            .injected_errno
            .map(|word| Ok::<_, String>(Injected { errno: errno_of(&word)?, rate_ppm }));
        let part = |PlannedPart { path, sha256, bytes }: PlannedPart| Part { path, digest: sha256, bytes };
        Ok(Self {
            name: planned.name,
            path: planned.path,
            arguments: planned.arguments,
            environment: planned.environment,
            directory: planned.directory,
            before: planned.before,
            input: planned.input,
            says: planned.says,
            verdict: Verdict { calls: planned.verdict_calls, nth: planned.verdict_nth },
            outcome: planned.outcome_calls,
            witness: witness.ok_or_else(|| unknown("witness", &planned.witness))?,
            redirect,
            network,
            terminal: planned.terminal,
            inject: inject.transpose()?,
            parts: planned.parts.into_iter().map(part).collect(),
        })
    }
}
