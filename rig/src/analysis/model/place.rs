//! Where calls were made: what the record's words about host and accelerator mean.
//!
//! Holds the only comparisons with those words. Must not know who reads them.
//! Units: none. Errors: none; a word that is not known is shown as it is.
//! Tests: the golden reports.

use crate::record::format::Host;

/// What the "bare metal" of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground<'a> {
    /// A physical machine.
    Metal,
    /// The record does not say.
    NotKnown,
    /// Itself a virtual machine of this hypervisor.
    Virtual(&'a str),
}

impl<'a> Ground<'a> {
    /// As `virtualized` of the record tells.
    pub fn of(host: &'a Host) -> Self {
        match host.virtualized.as_str() {
            "none" => Self::Metal,
            "" => Self::NotKnown,
            hypervisor => Self::Virtual(hypervisor),
        }
    }
}

/// What executed the instructions of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RanOn<'a> {
    /// The CPU, under KVM.
    Kvm,
    /// QEMU's emulation.
    Tcg,
    /// The record does not say.
    NotKnown,
    /// Another word: `none` for a target that is no guest.
    Other(&'a str),
}

impl<'a> RanOn<'a> {
    /// As `accelerator` of the record tells.
    pub fn of(accelerator: &'a str) -> Self {
        match accelerator {
            "kvm" => Self::Kvm,
            "tcg" => Self::Tcg,
            "" => Self::NotKnown,
            other => Self::Other(other),
        }
    }
}
