//! Settings of a guest's own kernel, its address of IPv6 among them: written over the control link, each read before and after.
//!
//! Must not know which settings are good. Units: as the kernel writes them. Errors: [`SysctlError`], with the guest's own words; a block
//! becomes void. Tests: below; `tests/qemu.rs` (a real guest).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use super::launch_ssh::{self, Exit, Finished, SshError, SshPlan, SshSession};
use super::qemu::Guest;
use crate::path::{Addressing, IPV6_SETTINGS};
use crate::testbed::SetSysctl;

/// Why a guest does not have its settings.
#[derive(Debug, Error, Diagnostic)]
pub enum SysctlError {
    /// No way into the guest.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ssh(#[from] SshError),
    /// The guest's kernel has no such setting, or not this value.
    #[error("the guest refuses: {how}: {said}")]
    #[diagnostic(help("`rig guest boot` shows what the kernel has: ls /proc/sys/net/ipv4"))]
    Refused {
        /// How the shell ended.
        how: String,
        /// What it said.
        said: String,
    },
    /// It took the value for another.
    #[error("{name} reads {after} where {wanted} was written")]
    #[diagnostic(help("write the value as the kernel does"))]
    Otherwise {
        /// Its name.
        name: String,
        /// What was written.
        wanted: String,
        /// What is read.
        after: String,
    },
}

/// Changes settings of a guest's kernel, by name, and reads each back. They end with the guest.
///
/// # Errors
/// [`SysctlError`]
pub async fn set(
    guest: &Guest,
    plan: SshPlan,
    wanted: &BTreeMap<String, String>,
    within: Duration,
) -> Result<Vec<SetSysctl>, SysctlError> {
    let script = script(wanted);
    let work = move |session: SshSession, left: &dyn Fn() -> Duration| session.run(&script, left());
    let finished = launch_ssh::with_session(guest, plan, within, work).await?;
    read(wanted, &finished)
}

/// Gives the guest's measured interface its address of IPv6, which nobody is asked about, and no router's.
///
/// # Errors
/// [`SysctlError`]
pub async fn give_ipv6(guest: &Guest, plan: SshPlan, within: Duration) -> Result<(), SysctlError> {
    let script = ipv6_script();
    let work = move |session: SshSession, left: &dyn Fn() -> Duration| session.run(&script, left());
    let finished = launch_ssh::with_session(guest, plan, within, work).await?;
    read(&BTreeMap::new(), &finished).map(drop)
}

/// The interface is named by the guest's init.
fn ipv6_script() -> String {
    let mut text = "set -e; cd /proc/sys/net/ipv6/conf".to_owned();
    let enabled = [("lo", "disable_ipv6", "0"), ("data", "disable_ipv6", "0")];
    let settings = IPV6_SETTINGS.iter().map(|(key, value)| ("data", *key, *value)).chain(enabled);
    for (interface, key, value) in settings {
        // Writing to a string cannot fail.
        let _ = write!(text, "; echo {value} > {interface}/{key}");
    }
    let (address, prefix) = (Addressing::TARGET_IPV6, Addressing::PREFIX_IPV6);
    let _ = write!(text, "; ip -6 address add {address}/{prefix} dev data");
    text
}

/// Three lines for each: what it was, what it is, in order. Names and values have no quotes: the matrix refuses them.
fn script(wanted: &BTreeMap<String, String>) -> String {
    let mut text = "set -e; one() { p=/proc/sys/$1; cat $p; echo \"$2\" > $p; cat $p; }".to_owned();
    for (name, value) in wanted {
        // Writing to a string cannot fail.
        let _ = write!(text, "; one '{}' '{value}'", name.replace('.', "/"));
    }
    text
}

fn read(wanted: &BTreeMap<String, String>, finished: &Finished) -> Result<Vec<SetSysctl>, SysctlError> {
    if finished.exit != Exit::Status(0) {
        let said = String::from_utf8_lossy(&finished.stderr).trim().to_owned();
        return Err(SysctlError::Refused { how: finished.exit.to_string(), said });
    }
    let text = String::from_utf8_lossy(&finished.stdout);
    let spaced = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = text.lines().map(spaced);
    let mut found = Vec::new();
    for (name, wanted) in wanted {
        let (before, after) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        if after != *wanted {
            return Err(SysctlError::Otherwise { name: name.clone(), wanted: wanted.clone(), after });
        }
        found.push(SetSysctl { name: name.clone(), before, after });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> BTreeMap<String, String> {
        [("net.ipv4.tcp_rmem", "4096 8192 16384"), ("net.ipv4.tcp_syn_retries", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn finished(status: i32, stdout: &str, stderr: &str) -> Finished {
        Finished { exit: Exit::Status(status), stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn each_is_read_written_and_read_again() {
        assert_eq!(
            script(&wanted()),
            "set -e; one() { p=/proc/sys/$1; cat $p; echo \"$2\" > $p; cat $p; }; \
             one 'net/ipv4/tcp_rmem' '4096 8192 16384'; one 'net/ipv4/tcp_syn_retries' '1'"
        );
        let told = finished(0, "4096\t131072\t6291456\n4096\t8192\t16384\n6\n1\n", "");
        let set = read(&wanted(), &told).expect("both");
        let said: Vec<_> = set.iter().map(|one| (one.before.as_str(), one.after.as_str())).collect();
        assert_eq!(said, [("4096 131072 6291456", "4096 8192 16384"), ("6", "1")]);
    }

    #[test]
    fn an_address_of_ipv6_is_given_once_nobody_is_asked_about_it() {
        assert_eq!(
            ipv6_script(),
            "set -e; cd /proc/sys/net/ipv6/conf; echo 0 > data/accept_dad; echo 0 > data/accept_ra; \
             echo 0 > data/autoconf; echo 1 > data/addr_gen_mode; echo 0 > lo/disable_ipv6; \
             echo 0 > data/disable_ipv6; ip -6 address add 2001:db8::2/64 dev data"
        );
    }

    #[test]
    fn what_is_refused_or_taken_for_another_is_told() {
        let refused = read(&wanted(), &finished(1, "", "sh: can't create x\n")).expect_err("refused");
        assert_eq!(refused.to_string(), "the guest refuses: exit status 1: sh: can't create x");
        let other = read(&wanted(), &finished(0, "1\n1\n", "")).expect_err("another");
        assert_eq!(other.to_string(), "net.ipv4.tcp_rmem reads 1 where 4096 8192 16384 was written");
    }
}
