//! Functional probes: whether this host can do what a testbed needs, found out by doing it in a namespace made for that.
//!
//! Holds one function per capability, for `rig doctor` and for skipping cells. Must not know which cell needs what.
//! Units: none. Errors: a `String`, the exact reason in one sentence, as it is shown to the user.
//! Tests: `tests/netns.rs` (root), and below.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::error::TestbedError;
use super::namespace::Namespace;
use super::{apply, netem, nft, tap};
use crate::path::{Hook, Matches, Netem, Place, Rule, RuleSelect, RuleVerdict, rules};

/// Whether network namespaces can be made and entered.
///
/// # Errors
/// Why not.
pub fn netns() -> Result<(), String> {
    in_namespace(|| Ok(()))
}

/// Whether a tap with virtio-net headers can be made.
///
/// # Errors
/// Why not.
pub fn tap() -> Result<(), String> {
    in_namespace(|| {
        tap::open("tap0", 1).map(drop).map_err(|error| say("/dev/net/tun cannot make a tap", &error))
    })
}

/// Whether a tap with several queues can be made.
///
/// # Errors
/// Why not.
pub fn tap_multiqueue() -> Result<(), String> {
    in_namespace(|| {
        tap::open("tap0", 2)
            .map(drop)
            .map_err(|error| say("/dev/net/tun cannot make a tap with two queues", &error))
    })
}

/// Whether /dev/vhost-net gives a worker.
///
/// # Errors
/// Why not.
pub fn vhost_net() -> Result<(), String> {
    /// `VHOST_SET_OWNER`, `_IO(0xAF, 0x01)`: include/uapi/linux/vhost.h. It starts the worker, which ends with the descriptor.
    const VHOST_SET_OWNER: libc::c_ulong = 0xaf01;
    let device = OpenOptions::new().read(true).write(true).open("/dev/vhost-net").map_err(|error| {
        match error.kind() {
            io::ErrorKind::NotFound => {
                "/dev/vhost-net does not exist: the kernel has no vhost_net, or `modprobe vhost_net` is needed".into()
            }
            _ => say("/dev/vhost-net cannot be opened", &error),
        }
    })?;
    // SAFETY: the request takes no argument.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), VHOST_SET_OWNER) };
    if result < 0 {
        return Err(say("/dev/vhost-net starts no worker", &io::Error::last_os_error()));
    }
    Ok(())
}

/// Whether the kernel has `sch_netem`: puts one on a loopback interface.
///
/// # Errors
/// Why not.
pub fn netem() -> Result<(), String> {
    let runtime = apply::netlink_runtime().map_err(|error| say("no netlink", &error))?;
    in_namespace(|| {
        runtime.block_on(add_netem()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                "the kernel has no sch_netem (CONFIG_NET_SCH_NETEM), and no module of that name".into()
            }
            _ => say("the kernel refuses a netem queue", &error),
        })
    })
}

/// Index of `lo` in every namespace (`LOOPBACK_IFINDEX`, include/net/flow.h).
const LOOPBACK: i32 = 1;

async fn add_netem() -> io::Result<()> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    let idle = Netem { latency_ns: 0, jitter_ns: 0, loss_ppm: 0, duplicate_ppm: 0, limit_packets: 10 };
    netem::add(&handle, LOOPBACK, &idle).await
}

/// Whether `nft` is installed and the kernel takes the rules that paths are made of, in the form in which they are made: named counters,
/// on a bridge too, connection tracking, reject with a RST.
///
/// # Errors
/// Why not.
pub fn nft() -> Result<(), String> {
    load(&[
        rule("reject", Place::Peer, Hook::Input, RuleVerdict::RejectTcpReset),
        Rule { select: invalid(), ..rule("invalid", Place::Peer, Hook::Input, RuleVerdict::Drop) },
        rule("drop", Place::Switch, Hook::Forward, RuleVerdict::Drop),
    ])
}

/// Whether the kernel tracks connections on a bridge (`nf_conntrack_bridge`), besides what [`nft`] looks for.
///
/// # Errors
/// Why not.
pub fn bridge_conntrack() -> Result<(), String> {
    load(&[Rule { select: invalid(), ..rule("invalid", Place::Switch, Hook::Forward, RuleVerdict::Drop) }])
}

fn rule(name: &str, at: Place, hook: Hook, verdict: RuleVerdict) -> Rule {
    Rule {
        name: name.to_owned(),
        at,
        hook,
        select: RuleSelect::default(),
        verdict,
        matches: Matches::Sometimes,
    }
}

fn invalid() -> RuleSelect {
    RuleSelect { invalid: true, ..RuleSelect::default() }
}

fn load(probed: &[Rule]) -> Result<(), String> {
    let namespace = Namespace::new().map_err(|error| tell(&error))?;
    for ruleset in Place::ALL.into_iter().filter_map(|at| rules::ruleset(probed, at)) {
        nft::load(&namespace, &ruleset)
            .map_err(|why| format!("the rules that paths are made of cannot be had: {why}"))?;
    }
    Ok(())
}

/// Whether HAProxy is installed and starts.
///
/// # Errors
/// Why not.
pub fn haproxy() -> Result<(), String> {
    let program =
        find_haproxy().ok_or_else(|| "`haproxy` is not installed (Debian package haproxy)".to_owned())?;
    let output = Command::new(&program)
        .arg("-v")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| say(&format!("{} cannot be started", program.display()), &error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{} -v ends with {}", program.display(), output.status))
}

/// Where HAProxy is: in PATH, or where Debian puts it, which the PATH of `su` or cron may not say.
pub fn find_haproxy() -> Option<PathBuf> {
    find_in("haproxy", &env::var_os("PATH").unwrap_or_default())
}

fn find_in(program: &str, path: &OsStr) -> Option<PathBuf> {
    let is_executable = |candidate: &PathBuf| {
        candidate.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(program))
        .find(is_executable)
}

fn in_namespace(work: impl FnOnce() -> Result<(), String> + Send) -> Result<(), String> {
    Namespace::new().and_then(|namespace| namespace.run(work)).map_err(|error| tell(&error))?
}

fn say(what: &str, why: &impl fmt::Display) -> String {
    format!("{what}: {why}")
}

/// An error with its causes, in one line.
fn tell(error: &TestbedError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_a_file_that_can_be_executed() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("rig-test-program");
        let find = || find_in("rig-test-program", folder.path().as_os_str());
        assert_eq!(find(), None);
        std::fs::write(&program, "#!/bin/sh\n").expect("a file");
        assert_eq!(find(), None, "without the executable bit");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("its own file");
        assert_eq!(find(), Some(program));
    }

    #[test]
    fn haproxy_is_there_or_its_package_is_named() {
        match (find_haproxy(), haproxy()) {
            (None, answer) => assert!(answer.expect_err("nothing to start").contains("package haproxy")),
            (Some(program), Err(why)) => assert!(why.contains(&*program.to_string_lossy()), "{why}"),
            (Some(_), Ok(())) => {}
        }
    }
}
