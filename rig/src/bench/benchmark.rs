//! What can be measured, and how long that may take.
//!
//! Plain data. Must not know how anything is measured. Units: rounds. Errors: none. Tests: below.

/// One thing that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Benchmark {
    /// Forwarding by the own middlebox.
    Middlebox,
    /// Forwarding while packets are captured.
    Capture,
    /// Making a block's network.
    Testbed,
    /// Trials per second.
    Agent,
    /// Start-up of a guest.
    Boot,
}

impl Benchmark {
    /// All, in the order in which they are measured.
    pub const ALL: [Self; 5] = [Self::Middlebox, Self::Capture, Self::Testbed, Self::Agent, Self::Boot];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Middlebox => "middlebox",
            Self::Capture => "capture",
            Self::Testbed => "testbed",
            Self::Agent => "agent",
            Self::Boot => "boot",
        }
    }

    /// What is measured, beside what.
    pub fn about(self) -> &'static str {
        match self {
            Self::Middlebox => {
                "UDP datagrams of 18 bytes between two namespaces: through rig's own middlebox, and through a bridge of the kernel"
            }
            Self::Capture => {
                "the same through a bridge of the kernel, with and without a capture at both ends"
            }
            Self::Testbed => {
                "the network of a block, made and taken down: with a veth, with a tap, and three empty namespaces alone"
            }
            Self::Agent => {
                "the base program without its sleeps, over loopback: the agent with 32 and with 1 trial under way, and a plain loop of two threads"
            }
            Self::Boot => {
                "a guest, from QEMU's start until it says that it is ready: machine types q35 and pc"
            }
        }
    }
}

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A minute or two: figures to compare.
    Full,
    /// Some seconds: whether it works.
    Quick,
}

impl Pace {
    pub(super) fn rounds(self) -> usize {
        match self {
            Self::Full => 7,
            Self::Quick => 3,
        }
    }

    pub(super) fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let mut names = Benchmark::ALL.map(Benchmark::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Benchmark::ALL.len());
    }
}
