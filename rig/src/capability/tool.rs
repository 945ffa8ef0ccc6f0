//! Programs that the rig runs, and which Debian package brings each.
//!
//! Must not know what they are used for beyond the reason given. Units: none. Errors: none.
//! Tests: below and `cli/setup.rs`; how a program is found: `process/program.rs`.

use std::process::{Command, Stdio};

use super::oracles::PYTHON;
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
    /// Runs over some paths, or of some configurations: their cells are skipped.
    SomePaths,
    /// The tests of rig itself, and looking closer.
    Tests,
}

/// All of them; delay and loss need no program, and images are made with apt, which installs these.
pub const TOOLS: [Tool; 20] = [
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
        program: "passt",
        package: "passt",
        reason: "the network of guests with `backend = \"passt\"`",
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
    Tool {
        program: "chromium",
        package: "chromium",
        reason: "shows the pages that rig writes as a browser does (tests)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "musl-gcc",
        package: "musl-tools",
        reason: "builds programs with another C library (tests)",
        purpose: Purpose::Tests,
    },
    // The `nc` of another package has other options.
    Tool {
        program: "nc.openbsd",
        package: "netcat-openbsd",
        reason: "a TCP client that rig did not write (tests)",
        purpose: Purpose::Tests,
    },
    // A batch system on this machine alone: `tests/slurm.rs` starts its daemons in a folder of its own.
    Tool {
        program: "slurmctld",
        package: "slurmctld",
        reason: "plays the shards of a run as a batch system does (tests)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "slurmd",
        package: "slurmd",
        reason: "starts the jobs of that batch system (tests)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "sbatch",
        package: "slurm-client",
        reason: "submits jobs to that batch system (tests)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "munged",
        package: "munge",
        reason: "authenticates the daemons of that batch system to each other (tests)",
        purpose: Purpose::Tests,
    },
    // A disk with a whole Debian, which `tests/disk.rs` makes.
    Tool {
        program: "debootstrap",
        package: "debootstrap",
        reason: "makes the disk of a guest that boots a system of its own (tests)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "grub-mkimage",
        package: "grub-pc-bin",
        reason: "makes the boot loader of that disk (tests)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "qemu-img",
        package: "qemu-utils",
        reason: "converts that disk, and reads the overlays that rig makes (tests)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: "systemd-analyze",
        package: "systemd",
        reason: "checks the units that come with rig (tests)",
        purpose: Purpose::Tests,
    },
    Tool {
        program: PYTHON_WITH_PIP,
        package: "python3-venv",
        reason: "makes the environment whose packages check rig's statistics and pages (tests)",
        purpose: Purpose::Tests,
    },
];

/// The interpreter comes without pip, which is what a new environment needs first.
const PYTHON_WITH_PIP: &str = "python3";

impl Tool {
    /// That of the table with this name.
    pub fn named(program: &str) -> Option<Self> {
        TOOLS.into_iter().find(|tool| tool.program == program)
    }

    /// Whether this host has it.
    pub fn is_here(&self) -> bool {
        if self.program == PYTHON_WITH_PIP { has_pip() } else { find_program(self.program).is_some() }
    }
}

/// Those that this host lacks.
pub fn missing() -> Vec<Tool> {
    TOOLS.into_iter().filter(|tool| !tool.is_here()).collect()
}

fn has_pip() -> bool {
    let mut python = Command::new(PYTHON);
    python.args(["-I", "-c", "import ensurepip, venv"]).stdin(Stdio::null());
    python.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_found_by_its_name_and_has_one_row() {
        for tool in TOOLS {
            assert_eq!(Tool::named(tool.program), Some(tool));
        }
        assert_eq!(Tool::named("nosuch"), None);
        assert!(
            Tool { program: "sh", ..TOOLS[0] }.is_here() && !Tool { program: "nosuch", ..TOOLS[0] }.is_here()
        );
    }
}
