//! Which version of the stored format a file has, and what this rig does with it.
//!
//! Holds the two numbers, and the rule: an older major version is brought up to date, a newer minor one is read with a caution, a newer major one is refused.
//! Must not know what any version contains. Units: none. Errors: [`Unreadable`]. Tests: here.

use std::fmt;

use serde_json::Value;

/// Major version of everything under `results/<run-id>/`: raised where a field is renamed, removed or given another meaning, together with a step in
/// `upgrade.rs` and a finished run in `tests/golden/runs`.
pub const FORMAT: u32 = 2;

/// Minor version: raised with every field that is added.
pub const FORMAT_MINOR: u32 = 7;

/// `format.format_minor` of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Major.
    pub major: u32,
    /// Minor; files of format 1 do not say one.
    pub minor: u32,
}

impl Version {
    /// What this rig writes.
    pub const WRITTEN: Self = Self { major: FORMAT, minor: FORMAT_MINOR };

    /// What the fields `format` and `format_minor` of a file say.
    ///
    /// # Errors
    /// [`Unreadable::Newer`], [`Unreadable::Malformed`] for a file without a version.
    pub fn of(file: &Value) -> Result<Self, Unreadable> {
        let number = |key: &str| file.get(key).and_then(Value::as_u64).map(u32::try_from);
        let major = match number("format") {
            Some(Ok(major)) if major > 0 => major,
            // A number that does not fit is of a far future.
            Some(Err(_)) => u32::MAX,
            Some(Ok(_)) | None => return Err(Unreadable::Malformed("it has no `format`".into())),
        };
        let minor = number("format_minor").map_or(0, |minor| minor.unwrap_or(u32::MAX));
        let found = Self { major, minor };
        if found.major > FORMAT { Err(Unreadable::Newer(found)) } else { Ok(found) }
    }

    /// Whether files of this version may hold what this rig does not know.
    pub fn is_newer(self) -> bool {
        self > Self::WRITTEN
    }

    /// Whether files of this version have another shape, and are brought up to date as they are read.
    pub fn is_older_major(self) -> bool {
        self.major < FORMAT
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It has a newer major version.
    Newer(Version),
    /// It is not what it should be.
    Malformed(String),
}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(found) => {
                write!(f, "has format {found}; this rig reads format {} and older", Version::WRITTEN)
            }
            Self::Malformed(what) => f.write_str(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_is_two_numbers_and_a_newer_major_one_is_refused() {
        let of = |file: Value| Version::of(&file);
        assert_eq!(of(json!({"format": 1})), Ok(Version { major: 1, minor: 0 }));
        assert_eq!(of(json!({"format": 2, "format_minor": 7})), Ok(Version { major: 2, minor: 7 }));
        let far = Version { major: FORMAT + 1, minor: 0 };
        assert_eq!(of(json!({"format": FORMAT + 1, "format_minor": 0})), Err(Unreadable::Newer(far)));
        for none in [json!({}), json!({"format": 0}), json!({"format": "2"}), json!([])] {
            assert!(matches!(of(none), Err(Unreadable::Malformed(_))));
        }
        assert!(matches!(of(json!({"format": u64::MAX})), Err(Unreadable::Newer(_))));
    }

    #[test]
    fn newer_and_older_are_told_apart() {
        let version = |major, minor| Version { major, minor };
        assert!(version(FORMAT, FORMAT_MINOR + 1).is_newer() && !Version::WRITTEN.is_newer());
        assert!(version(1, 0).is_older_major() && !version(FORMAT, 9).is_older_major());
    }
}
