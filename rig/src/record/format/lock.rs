//! A lock: a plan that was written down before it was played, so that a report can say whether it was played so (pre-registration).
//!
//! Holds the file's shape and its digests. Must not know how a plan is made or judged. Units: in the keys; shares of 1.
//! Errors: [`LockError`]: the text is no lock, is of a newer rig, or was changed after it was written. Tests: here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::matrix::{Baseline, Cell, CellId};

/// Version of the file's shape: raised where a field is renamed, removed or given another meaning.
pub const LOCK_FORMAT: u32 = 1;

/// What is done with the file; the digests leave it out.
const DIGESTS: [&str; 2] = ["digests", "sha256"];

/// A plan that is not to be changed any more (`rig matrix plan --lock`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lock {
    /// Version of this shape.
    #[schemars(extend("const" = LOCK_FORMAT))]
    pub format: u32,
    /// Version of the rig that wrote it.
    pub rig_version: String,
    /// When it was written: RFC 3339, UTC.
    pub written: String,
    /// Name of the matrix file.
    pub matrix: String,
    /// Profile of the matrix; empty where there is none.
    pub profile: String,
    /// The filters that chose the cells, as typed.
    pub filters: Vec<String>,
    /// Trials of every cell where the command line said so (`--trials`).
    pub trials: Option<u64>,
    /// Seed of the order of the blocks and of every block's own seed.
    pub seed: u64,
    /// Confidence of every interval, a share of 1. The level alpha is 1 less this.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f64,
    /// Two rates that differ by less count as the same, a share of 1.
    pub margin: f64,
    /// Margins of their own, by errno name or `any_error`.
    pub margins: BTreeMap<String, f64>,
    /// Intraclass correlation of the trials of a block that is assumed where nothing was seen, a share of 1.
    pub icc: f64,
    /// The share of a cell's trials (of 1) that may end as its scenario does not expect.
    pub tolerance: f64,
    /// The kernel that cells on the others are compared with besides bare metal (`kernel:6.1`); absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// Every cell that was to be played.
    pub cells: Vec<LockedCell>,
    /// SHA-256 (hexadecimal) of each of the fields above, of its JSON without spaces, keys sorted: what was changed by hand can be named.
    pub digests: BTreeMap<String, String>,
    /// SHA-256 (hexadecimal) of those digests: of the lines `FIELD DIGEST`, sorted, each with a line feed.
    pub sha256: String,
}

/// A cell that was to be played.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LockedCell {
    /// Its id: the digest of everything that it measures.
    #[schemars(with = "String")]
    pub id: CellId,
    /// Name of its scenario.
    pub scenario: String,
    /// The scenario's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Name of its configuration.
    pub configuration: String,
    /// Name of its kernel, or `host`.
    pub kernel: String,
    /// Name of its path.
    pub path: String,
    /// Name of the control that it is; null for others.
    pub control: Option<String>,
    /// Trials over all its blocks.
    pub trials: u64,
    /// Blocks.
    pub blocks: u32,
}

impl From<&Cell> for LockedCell {
    fn from(cell: &Cell) -> Self {
        let subject = &cell.subject;
        Self {
            id: cell.id.clone(),
            scenario: subject.scenario.clone(),
            parameters: subject.parameters.clone(),
            configuration: subject.configuration.name.clone(),
            kernel: subject.kernel.clone(),
            path: subject.path.name.clone(),
            control: cell.control.as_ref().map(|control| control.name.clone()),
            trials: cell.trials,
            blocks: cell.blocks,
        }
    }
}

/// Why a text is not a lock that can be kept.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum LockError {
    /// It is no JSON, or has other fields.
    #[error("it is not a lock: {0}")]
    Malformed(String),
    /// A newer rig wrote it.
    #[error("it has format {0}, and this rig reads format {LOCK_FORMAT}")]
    Newer(u64),
    /// What it says is not what was written.
    #[error("it was changed after it was written: {} not what its digest says", told(.0))]
    Changed(Vec<String>),
}

fn told(fields: &[String]) -> String {
    let names: Vec<String> = fields.iter().map(|field| format!("`{field}`")).collect();
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

impl Lock {
    /// The file, with its digests. Ends with a newline.
    pub fn text(&self) -> String {
        let bare =
            Self { format: LOCK_FORMAT, digests: BTreeMap::new(), sha256: String::new(), ..self.clone() };
        let text = serde_json::to_string(&bare).expect("plain data with string keys");
        // As it will be read back: the digests are of what a reader sees.
        let fields: Value = serde_json::from_str(&text).expect("what was just written");
        let digests = digests(&fields);
        let sha256 = digest_of(&digests);
        let whole = serde_json::to_string_pretty(&Self { digests, sha256, ..bare });
        whole.expect("plain data with string keys") + "\n"
    }

    /// Reads a lock, and checks that it says what was written.
    ///
    /// # Errors
    /// [`LockError`]
    pub fn parse(text: &str) -> Result<Self, LockError> {
        let malformed = |error: serde_json::Error| LockError::Malformed(error.to_string());
        let file: Value = serde_json::from_str(text).map_err(malformed)?;
        match file.get("format").and_then(Value::as_u64) {
            Some(format) if format > u64::from(LOCK_FORMAT) => return Err(LockError::Newer(format)),
            Some(1..) => (),
            _ => return Err(LockError::Malformed("it has no `format`".to_owned())),
        }
        let lock = Self::deserialize(&file).map_err(malformed)?;
        let found = digests(&file);
        let mut names: Vec<&String> = found.keys().chain(lock.digests.keys()).collect();
        names.sort();
        names.dedup();
        let is_changed = |name: &&String| found.get(*name) != lock.digests.get(*name);
        let mut changed: Vec<String> = names.into_iter().filter(is_changed).cloned().collect();
        if digest_of(&lock.digests) != lock.sha256 {
            changed.push("digests".to_owned());
        }
        if changed.is_empty() { Ok(lock) } else { Err(LockError::Changed(changed)) }
    }
}

fn digests(file: &Value) -> BTreeMap<String, String> {
    let fields = file.as_object().into_iter().flatten();
    fields
        .filter(|(name, _)| !DIGESTS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), format!("{:x}", Sha256::digest(sorted(value).to_string()))))
        .collect()
}

/// Keys in order, whatever map the values were read into.
fn sorted(value: &Value) -> Value {
    let mut value = value.clone();
    value.sort_all_objects();
    value
}

fn digest_of(digests: &BTreeMap<String, String>) -> String {
    let lines: String = digests.iter().map(|(name, digest)| format!("{name} {digest}\n")).collect();
    format!("{:x}", Sha256::digest(lines))
}

/// The lock by which a run was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunLock {
    /// The file's `sha256`.
    pub sha256: String,
    /// The whole file.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> Lock {
        Lock {
            rig_version: "0.1.0".to_owned(),
            profile: "quick".to_owned(),
            seed: u64::MAX,
            confidence: 0.95,
            margin: 1e-4 / 3.0,
            margins: BTreeMap::from([("ENOENT".to_owned(), 0.1 + 0.2)]),
            cells: vec![LockedCell {
                id: CellId("aa".to_owned()),
                scenario: "rst".to_owned(),
                parameters: BTreeMap::new(),
                configuration: "bare-metal".to_owned(),
                kernel: "host".to_owned(),
                path: "direct".to_owned(),
                control: None,
                trials: 2_000,
                blocks: 2,
            }],
            ..Lock::default()
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = lock().text();
        let read = Lock::parse(&text).expect("as written");
        assert_eq!((read.seed, &read.cells, read.format), (u64::MAX, &lock().cells, 1));
        assert_eq!(read.digests.len(), 14);
        // Spaces and the order of keys are nobody's change.
        let value: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(Lock::parse(&value.to_string()), Ok(read));
    }

    #[test]
    fn what_was_changed_by_hand_is_named() {
        let text = lock().text();
        for (from, to, wanted) in [
            ("\"trials\": 2000", "\"trials\": 1000", vec!["cells"]),
            ("\"profile\": \"quick\"", "\"profile\": \"nightly\"", vec!["profile"]),
            ("\"seed\": 18446744073709551615", "\"seed\": 7", vec!["seed"]),
            ("\"icc\": 0.0", "\"icc\": 0.1, \"more\": 1", vec!["icc", "more"]),
        ] {
            assert!(text.contains(from), "{text}");
            let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
            assert_eq!(Lock::parse(&text.replace(from, to)), Err(LockError::Changed(wanted)));
        }
        // A digest that was made to fit is not in the sum of them.
        let other = Lock { seed: 7, ..lock() }.text();
        let [mine, theirs] =
            [&text, &other].map(|text| Lock::parse(text).expect("as written").digests["seed"].clone());
        let fitted = text.replace("\"seed\": 18446744073709551615", "\"seed\": 7").replace(&mine, &theirs);
        assert_eq!(Lock::parse(&fitted), Err(LockError::Changed(vec!["digests".to_owned()])));
    }

    #[test]
    fn what_is_no_lock_is_refused() {
        assert_eq!(Lock::parse(r#"{"format": 2}"#), Err(LockError::Newer(2)));
        for text in ["", "[]", "{}", r#"{"format": 0}"#, r#"{"format": 1}"#, r#"{"format": "1"}"#] {
            assert!(matches!(Lock::parse(text), Err(LockError::Malformed(_))), "{text}");
        }
    }
}
