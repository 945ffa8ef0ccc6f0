//! A network namespace of one test's own: nobody else has ports, connections or counters there.
//! Needs root (or CAP_SYS_ADMIN) for unshare(1) and nsenter(1); says so aloud where it cannot run.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::driver::{Agent, Pair};

/// A namespace that lives as long as this value: its shell waits for the end of its input.
pub(crate) struct Namespace {
    holder: Child,
    input: Option<ChildStdin>,
}

impl Namespace {
    pub(crate) fn make() -> Option<Self> {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo up && read end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare(1) is part of util-linux");
        let mut line = String::new();
        let said = BufReader::new(holder.stdout.take().expect("piped")).read_line(&mut line);
        let input = holder.stdin.take();
        if said.is_ok() && line == "up\n" {
            return Some(Self { holder, input });
        }
        // Past libtest, which keeps what a passing test prints to itself.
        let said = "SKIPPED tier loopback: no network namespace can be made here (needs root)";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{said}\n").as_bytes());
        let _ = holder.wait();
        None
    }

    /// Runs a shell command inside.
    pub(crate) fn run(&self, command: &str) {
        let status = Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", self.holder.id()))
            .args(["sh", "-c", command])
            .status()
            .expect("nsenter(1) is part of util-linux");
        assert!(status.success(), "{command}: {status}");
    }

    pub(crate) fn agent(&self) -> Agent {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", self.holder.id()))
            .arg(env!("CARGO_BIN_EXE_guest-agent"));
        Agent::start_as(command)
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair { target: self.agent(), peer: self.agent() }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.holder.wait();
    }
}
