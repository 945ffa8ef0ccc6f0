//! A guest between two blocks: what the first leaves there, and how the second finds it.
//!
//! A guest goes on to another block only where nothing of the last one is left: no process of the agent, no socket at the measured address (one in TIME_WAIT is one),
//! no neighbour, nothing that TCP has learned of other hosts. Its measured link is down in between, which takes its routes and its neighbours
//! (`neigh_ifdown`, net/core/neighbour.c; `fib_disable_ip`, net/ipv4/fib_frontend.c), and comes up again as the guest's init brings it up.
//! Must not know blocks. Units: `Duration`. Errors: [`NotClean`]; nobody is to blame, the guest just cannot be used again.
//! Tests: below; `tests/qemu.rs` (real guests).

use std::net::Ipv4Addr;
use std::time::Duration;

use thiserror::Error;

use super::launch_ssh::{self, AGENT_PATH, Exit, Finished, SshError, SshPlan, SshSession};
use super::qemu::Guest;

/// Why a guest plays no other block.
#[derive(Debug, Error)]
pub enum NotClean {
    /// It does not answer.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// Something of the last block is there.
    #[error("{how}: {said}")]
    Left {
        /// How the shell ended.
        how: String,
        /// What it found.
        said: String,
    },
}

/// Waits until the last block has left nothing behind, and takes the measured link down. `address` is the guest's on that link.
///
/// # Errors
/// [`NotClean`]
pub async fn part(guest: &Guest, plan: SshPlan, address: Ipv4Addr, within: Duration) -> Result<(), NotClean> {
    let script = script(address);
    let work = move |session: SshSession, left: &dyn Fn() -> Duration| session.run(&script, left());
    judge(&launch_ssh::with_session(guest, plan, within, work).await?)
}

/// What a shell does before it executes the agent of the next block: the link comes up. It ends the shell where there is no carrier.
pub const JOIN: &str = "ip link set data up; n=0; \
    while [ \"$(cat /sys/class/net/data/carrier)\" != 1 ]; do n=$((n + 1)); \
    [ $n -gt 250 ] && { echo 'the measured link has no carrier' >&2; exit 1; }; usleep 20000; done; ";

/// Addresses in /proc/net/tcp are the 32 bits as the machine has them (`get_tcp4_sock`, net/ipv4/tcp_ipv4.c); those of a socket of IPv6 end with them.
fn script(address: Ipv4Addr) -> String {
    let digits = format!("{:08X}", u32::from_le_bytes(address.octets()));
    format!(
        "n=0; left() {{ pidof agent; grep -h '^ *[0-9]*: [0-9A-F]*{digits}:' /proc/net/tcp /proc/net/tcp6 2>/dev/null; }}; \
         while found=$(left); [ -n \"$found\" ]; do n=$((n + 1)); \
         [ $n -gt 100 ] && {{ echo \"$found\" | head -n 3; exit 1; }}; usleep 20000; done; \
         ip link set data down && {AGENT_PATH} --forget && ! grep ' data$' /proc/net/arp"
    )
}

fn judge(finished: &Finished) -> Result<(), NotClean> {
    if finished.exit == Exit::Status(0) {
        return Ok(());
    }
    let told = [&finished.stdout, &finished.stderr].map(|text| String::from_utf8_lossy(text));
    Err(NotClean::Left { how: finished.exit.to_string(), said: told.join(" ").trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_the_measured_address_are_looked_for_as_the_kernel_writes_them() {
        assert!(script(Ipv4Addr::new(192, 0, 2, 2)).contains(" [0-9A-F]*020200C0:'"));
    }

    #[test]
    fn what_was_left_is_told() {
        let finished = |status, stdout: &str| Finished {
            exit: Exit::Status(status),
            stdout: stdout.into(),
            stderr: "agent: x\n".into(),
        };
        assert!(judge(&finished(0, "")).is_ok());
        let left = judge(&finished(1, "   3: 020200C0:8F12 010200C0:1F93 06\n")).expect_err("not clean");
        assert_eq!(left.to_string(), "exit status 1: 3: 020200C0:8F12 010200C0:1F93 06\n agent: x");
    }
}
