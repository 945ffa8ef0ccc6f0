//! Why a block cannot go on: a reason, or a broken conversation for which a reason is still to be found.
//!
//! Holds [`StageError`] and the sentence of each testbed error. Must not know who started what.
//! Errors: this is them; they blame the testbed: a block becomes void. Tests: below.

use std::error::Error;

use crate::agent::AgentError;
use crate::machine::guest_disk::SettleError;
use crate::machine::guest_hardware::HardwareError;
use crate::machine::guest_program::DeliveryError;
use crate::machine::guest_rules::RulesError;
use crate::machine::guest_sysctls::SysctlError;
use crate::machine::guest_vsock::VsockError;
use crate::machine::launch_ssh::SshError;
use crate::machine::qemu::{GuestError, ProbeError};
use crate::record::{Endpoint, Part, VoidReason};
use crate::testbed::TestbedError;

/// Why a block cannot go on.
#[derive(Debug)]
pub(in crate::runner) enum StageError {
    /// The conversation with an agent failed; how its process or its guest ended may say more.
    Agent { whose: Endpoint, error: AgentError },
    /// The reason is known.
    Void(VoidReason),
}

impl StageError {
    /// A part of the testbed failed with this error.
    pub(in crate::runner) fn failed<E: Error>(part: Part) -> impl FnOnce(E) -> Self {
        move |error| Self::Void(VoidReason::Failed { part, why: chain(&error) })
    }

    /// The conversation with an agent failed.
    pub(in crate::runner) fn of(whose: Endpoint) -> impl FnOnce(AgentError) -> Self {
        move |error| Self::Agent { whose, error }
    }

    /// The same, said of the peer's guest as a whole.
    pub(super) fn of_peers_guest(self) -> Self {
        Self::Void(VoidReason::Failed { part: Part::PeersGuest, why: self.into_reason().to_string() })
    }

    /// What the block's record says.
    pub(in crate::runner) fn into_reason(self) -> VoidReason {
        match self {
            Self::Agent { whose, error } => VoidReason::Failed { part: whose.into(), why: chain(&error) },
            Self::Void(reason) => reason,
        }
    }
}

impl From<VoidReason> for StageError {
    fn from(reason: VoidReason) -> Self {
        Self::Void(reason)
    }
}

impl From<TestbedError> for StageError {
    fn from(error: TestbedError) -> Self {
        Self::failed(Part::Testbed)(error)
    }
}

impl From<GuestError> for StageError {
    fn from(error: GuestError) -> Self {
        Self::failed(Part::Guest)(error)
    }
}

impl From<SshError> for StageError {
    fn from(error: SshError) -> Self {
        Self::failed(Part::Ssh)(error)
    }
}

impl From<SysctlError> for StageError {
    fn from(error: SysctlError) -> Self {
        match error {
            SysctlError::Ssh(error) => error.into(),
            SysctlError::Refused { .. } | SysctlError::Otherwise { .. } => Self::failed(Part::Sysctl)(error),
        }
    }
}

impl From<SettleError> for StageError {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Ssh(error) => error.into(),
            SettleError::NoSession { .. } | SettleError::NotBootable { .. } | SettleError::Lacks { .. } => {
                Self::failed(Part::Guest)(error)
            }
        }
    }
}

impl From<VsockError> for StageError {
    fn from(error: VsockError) -> Self {
        match error {
            VsockError::Ssh(error) => error.into(),
            VsockError::Refused { .. } => Self::failed(Part::Vsock)(error),
        }
    }
}

impl From<HardwareError> for StageError {
    fn from(error: HardwareError) -> Self {
        match error {
            HardwareError::Ssh(error) => error.into(),
            HardwareError::Refused { .. } | HardwareError::Otherwise { .. } => {
                Self::failed(Part::Hardware)(error)
            }
        }
    }
}

impl From<DeliveryError> for StageError {
    fn from(error: DeliveryError) -> Self {
        match error {
            DeliveryError::Ssh(error) => error.into(),
            DeliveryError::NotPacked(_) | DeliveryError::NotUnpacked { .. } => {
                Self::failed(Part::Program)(error)
            }
        }
    }
}

impl From<RulesError> for StageError {
    fn from(error: RulesError) -> Self {
        Self::failed(Part::GuestRules)(error)
    }
}

impl From<ProbeError> for StageError {
    fn from(error: ProbeError) -> Self {
        Self::failed(Part::Accelerator)(error)
    }
}

/// An error and its causes in one line: what a table shows.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Transparent errors repeat the text of what they wrap.
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn reason(error: impl Into<StageError>) -> String {
        error.into().into_reason().to_string()
    }

    #[test]
    fn each_error_is_told_with_its_causes_in_one_line() {
        let source = || io::Error::from_raw_os_error(libc::EMFILE);
        let failed = SshError::Failed { what: "connect", source: source() };
        assert_eq!(reason(failed), "guest's SSH: ssh: cannot connect: Too many open files (os error 24)");
        // What is transparent is not said twice.
        let rules = RulesError::from(SshError::Failed { what: "connect", source: source() });
        assert_eq!(
            reason(rules),
            "guest's packet filter: ssh: cannot connect: Too many open files (os error 24)"
        );
        let full =
            DeliveryError::NotUnpacked { how: "exit status 1".into(), said: "tar: write error".into() };
        assert_eq!(
            reason(full),
            "program not in the guest: the guest could not unpack it: exit status 1: tar: write error"
        );
        let enter = reason(TestbedError::Enter { source: source() });
        assert!(
            enter.starts_with("testbed: ") && enter.ends_with(": Too many open files (os error 24)"),
            "{enter}"
        );
    }

    #[test]
    fn a_broken_conversation_is_told_by_its_end_and_inside_the_peers_guest_as_its() {
        let gone = |whose| StageError::of(whose)(AgentError::Gone { wait: "hello", last: "nothing" });
        let words = "agent gone while rig waited for hello (last: nothing)";
        assert_eq!(reason(gone(Endpoint::Target)), format!("target: {words}"));
        assert_eq!(reason(gone(Endpoint::Peer).of_peers_guest()), format!("peer's guest: peer: {words}"));
    }
}
