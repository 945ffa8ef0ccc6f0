//! One row of what `rig doctor` says: a thing that the host can or cannot do, and what to do about it.
//!
//! Plain data. Must not know how it was found out. Units: none. Errors: none: what does not work is an answer.
//! Tests: below.

use serde::Serialize;

/// Whether something can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Tried, and it functions.
    Usable,
    /// It is there, but it was not tried to the end, or it does not function.
    Present,
    /// Not there.
    Missing,
}

impl State {
    /// For tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::Present => "present",
            Self::Missing => "missing",
        }
    }
}

/// What rests on a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// Without it no guest runs at all.
    Guests,
    /// Without it some configurations are skipped, or things are slower.
    Some,
}

/// One thing that a host can or cannot do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capability {
    /// `kvm`, `vhost-net`, ...
    pub name: &'static str,
    /// What rests on it.
    pub need: Need,
    /// Whether it can be used.
    pub state: State,
    /// What was found: a version, a number, the reason.
    pub detail: String,
    /// What to do about it; none when there is nothing to do.
    pub advice: Option<String>,
    /// The program that it stands on, where that is one and its file could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
}

/// The file of a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Program {
    /// Where it is: absolute, all links followed. Bytes that are not UTF-8 are replaced.
    pub path: String,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
}

impl Capability {
    /// It functions.
    pub fn usable(name: &'static str, need: Need, detail: impl Into<String>) -> Self {
        Self { name, need, state: State::Usable, detail: detail.into(), advice: None, program: None }
    }

    /// It is there and cannot be counted on.
    pub fn present(
        name: &'static str,
        need: Need,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { state: State::Present, advice: Some(advice.into()), ..Self::usable(name, need, detail) }
    }

    /// It is not there.
    pub fn missing(
        name: &'static str,
        need: Need,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { state: State::Missing, advice: Some(advice.into()), ..Self::usable(name, need, detail) }
    }
}

/// Whether guests can run: everything that they need functions.
pub fn guests_can_run(capabilities: &[Capability]) -> bool {
    capabilities.iter().all(|capability| match capability.need {
        Need::Guests => capability.state == State::Usable,
        Need::Some => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_guests_need_stops_them() {
        let qemu = Capability::usable("qemu", Need::Guests, "7.2");
        let kvm = Capability::missing("kvm", Need::Some, "no /dev/kvm", "tcg serves");
        assert!(guests_can_run(&[qemu.clone(), kvm.clone()]));
        let kernels = Capability::present("kernels", Need::Guests, "not built", "build");
        assert!(!guests_can_run(&[qemu, kvm, kernels]));
    }
}
