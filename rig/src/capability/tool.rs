//! Programs that the rig runs, and which Debian package brings each.
//!
//! Must not know what they are used for beyond the reason given. Units: none. Errors: none.
//! Tests: `cli/setup.rs`; how a program is found: `process/program.rs`.

use crate::process::{QEMU, find_program};

/// A program that the rig runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub program: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
    /// What for.
    pub reason: &'static str,
    /// What does not work without it.
    pub purpose: Purpose,
}

/// What does not work without a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Runs.
    Runs,
    /// Runs over some paths: their cells are skipped.
    SomePaths,
    /// The tests of rig itself, and looking closer.
    Tests,
}

/// All of them; delay and loss need no program, and images are made with apt, which installs these.
pub const TOOLS: [Tool; 7] = [
    Tool { program: QEMU, package: "qemu-system-x86", reason: "runs the guests", purpose: Purpose::Runs },
    Tool {
        program: "nft",
        package: "nftables",
        reason: "drops and resets packets on a path",
        purpose: Purpose::Runs,
    },
    Tool {
        program: "dpkg-deb",
        package: "dpkg",
        reason: "unpacks the guests' kernel and programs",
        purpose: Purpose::Runs,
    },
    Tool {
        program: "haproxy",
        package: "haproxy",
        reason: "a real load balancer on a path",
        purpose: Purpose::SomePaths,
    },
    Tool {
        program: "ip",
        package: "iproute2",
        reason: "makes the networks that some tests look at from outside",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "strace",
        package: "strace",
        reason: "records, beside rig, what select() returned (tests)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "tshark",
        package: "tshark",
        reason: "looks into captured packets (tests, and you)",
        purpose: Purpose::Tests,
    },
];

/// Those that this host lacks.
pub fn missing() -> Vec<Tool> {
    TOOLS.into_iter().filter(|tool| find_program(tool.program).is_none()).collect()
}
