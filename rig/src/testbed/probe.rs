//! Functional probes: whether this host can do what a testbed needs, found out by doing it in a namespace made for that.
//!
//! Holds one function per ability. Must not know which cell needs what; `capability` asks what is needed.
//! Units: none. Errors: [`Unable`], the exact reason, as it is shown to the user.
//! Tests: `tests/netns.rs` (root), and below.

#![expect(unsafe_code, reason = "ioctls and socket options that nix does not have")]

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

use super::error::TestbedError;
use super::namespace::Namespace;
use super::passt::Passt;
use super::tap::TapFrom;
use super::{apply, haproxy, netem, nft, passt, tap, vsock};
use crate::path::{
    Addressing, Hook, Matches, Mechanisms, Netem, PathSpec, Place, Rule, RuleSelect, RuleVerdict, TargetLink,
    Unable, Wanted, compile, nat, rules,
};
use crate::process::{self, NoAnswer};

/// Whether network namespaces can be made and entered.
///
/// # Errors
/// Why not.
pub fn netns() -> Result<(), Unable> {
    in_namespace(|| Ok(()))
}

/// Whether a tap with virtio-net headers can be made.
///
/// # Errors
/// Why not.
pub fn tap() -> Result<(), Unable> {
    in_namespace(|| tap::open("tap0", 1).map(drop).map_err(|error| Unable::Tap(error.to_string())))
}

/// Whether a tap with several queues can be made.
///
/// # Errors
/// Why not.
pub fn tap_multiqueue() -> Result<(), Unable> {
    in_namespace(|| tap::open("tap0", 2).map(drop).map_err(|error| Unable::TapQueues(error.to_string())))
}

/// Whether a macvtap can be made, and its device opened: a path is made with one.
///
/// # Errors
/// Why not.
pub fn macvtap() -> Result<(), Unable> {
    let made = path_with(TargetLink::Macvtap { queues: 1 });
    made.map(drop).map_err(|error| unable(&error, Unable::Macvtap))
}

/// Whether passt is installed, starts and answers: a path is made with one. It confines itself, which not every host lets it.
///
/// # Errors
/// Why not.
pub fn passt() -> Result<(), Unable> {
    let absent = Unable::NotInstalled { program: "passt", package: "passt" };
    passt::find().ok_or(absent)?;
    let ends = path_with(TargetLink::Passt).map_err(|error| unable(&error, Unable::Passt))?;
    let [_, _, target] = &ends;
    // Not by the thread of all children: whoever asks may be about to enter a namespace of processes, and have no thread yet.
    Passt::start(target, |mut command| command.spawn()).map(drop).map_err(Unable::Passt)
}

/// Makes the interfaces of a plain path with this link to its target; they go with its three ends, the target's the last.
fn path_with(link: TargetLink) -> Result<[Namespace; 3], TestbedError> {
    let (path, nothing) = (PathSpec::plain("probe", 1500), mechanisms(Wanted::default()));
    let ops = compile(&path, Addressing::default(), link, &nothing, 0)?;
    let [switch, peer, target] = [Namespace::new()?, Namespace::new()?, Namespace::new()?];
    let namespace = |at| match at {
        Place::Switch => &switch,
        Place::Peer => &peer,
        Place::Target => &target,
    };
    apply::apply(&ops, &namespace, TapFrom::Nowhere)?;
    Ok([switch, peer, target])
}

/// Whether /dev/vhost-net gives a worker.
///
/// # Errors
/// Why not.
pub fn vhost_net() -> Result<(), Unable> {
    /// `VHOST_SET_OWNER`, `_IO(0xAF, 0x01)`: include/uapi/linux/vhost.h. It starts the worker, which ends with the descriptor.
    const VHOST_SET_OWNER: libc::c_ulong = 0xaf01;
    let device =
        OpenOptions::new().read(true).write(true).open("/dev/vhost-net").map_err(|error| {
            match error.kind() {
                io::ErrorKind::NotFound => Unable::NoVhost,
                _ => Unable::VhostClosed(error.to_string()),
            }
        })?;
    // SAFETY: the request takes no argument.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), VHOST_SET_OWNER) };
    if result < 0 {
        return Err(Unable::VhostIdle(io::Error::last_os_error().to_string()));
    }
    Ok(())
}

/// Whether /dev/vhost-vsock gives a guest a CID.
///
/// # Errors
/// Why not.
pub fn vhost_vsock() -> Result<(), Unable> {
    match vsock::reserve() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Unable::NoVhostVsock),
        Err(error) => Err(Unable::VhostVsock(error.to_string())),
    }
}

/// Whether two programs of this kernel can talk by vsock.
///
/// # Errors
/// Why not.
pub fn vsock_loopback() -> Result<(), Unable> {
    vsock::bind_within_kernel().map_err(|error| Unable::VsockLoopback(error.to_string()))
}

/// Whether the kernel has `sch_netem`: puts one on a loopback interface.
///
/// # Errors
/// Why not.
pub fn netem() -> Result<(), Unable> {
    let runtime = apply::netlink_runtime().map_err(|error| Unable::Netlink(error.to_string()))?;
    in_namespace(|| {
        runtime.block_on(add_netem()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Unable::NoNetem,
            _ => Unable::Netem(error.to_string()),
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
pub fn nft() -> Result<(), Unable> {
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
pub fn bridge_conntrack() -> Result<(), Unable> {
    load(&[Rule { select: invalid(), ..rule("invalid", Place::Switch, Hook::Forward, RuleVerdict::Drop) }])
}

/// Whether the kernel translates addresses as nft says it (`nft_nat`, connection tracking).
///
/// # Errors
/// Why not.
pub fn translation() -> Result<(), Unable> {
    let namespace = Namespace::new().map_err(|error| no_namespace(&error))?;
    nft::load(&namespace, &nat::ruleset(Addressing::default(), &[])).map_err(Unable::Nat)
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

fn load(probed: &[Rule]) -> Result<(), Unable> {
    let namespace = Namespace::new().map_err(|error| no_namespace(&error))?;
    for ruleset in Place::ALL.into_iter().filter_map(|at| rules::ruleset(probed, at)) {
        nft::load(&namespace, &ruleset).map_err(Unable::Rules)?;
    }
    Ok(())
}

/// Whether HAProxy is installed and starts.
///
/// # Errors
/// Why not.
pub fn haproxy() -> Result<(), Unable> {
    let program = haproxy::find().ok_or(Unable::NotInstalled { program: "haproxy", package: "haproxy" })?;
    let option = "-v";
    process::first_line(&program, option).map(drop).map_err(|why| {
        let program = program.display().to_string();
        match why {
            NoAnswer::NotStarted(error) => Unable::NotStarted { program, said: error.to_string() },
            NoAnswer::Fails(status) => Unable::Fails { program, option, status: status.to_string() },
        }
    })
}

/// What this host has of the mechanisms that are wanted; no other is looked for.
pub fn mechanisms(wanted: Wanted) -> Mechanisms {
    Mechanisms {
        netem: if_wanted(wanted.netem, netem),
        nft: if_wanted(wanted.nft, nft),
        bridge_conntrack: if_wanted(wanted.bridge_conntrack, bridge_conntrack),
        haproxy: if_wanted(wanted.haproxy, haproxy),
        nat: if_wanted(wanted.nat, translation),
    }
}

/// What the probe says, where anybody wants to know it.
pub fn if_wanted(wanted: bool, probe: fn() -> Result<(), Unable>) -> Result<(), Unable> {
    if wanted { probe() } else { Err(Unable::NotAsked) }
}

fn in_namespace(work: impl FnOnce() -> Result<(), Unable> + Send) -> Result<(), Unable> {
    Namespace::new().and_then(|namespace| namespace.run(work)).map_err(|error| no_namespace(&error))?
}

fn no_namespace(error: &TestbedError) -> Unable {
    Unable::Namespace(in_one_line(error))
}

/// Without namespaces nothing else can be tried.
fn unable(error: &TestbedError, otherwise: fn(String) -> Unable) -> Unable {
    match error {
        TestbedError::Create { .. } | TestbedError::Enter { .. } => no_namespace(error),
        _ => otherwise(in_one_line(error)),
    }
}

/// An error with its causes.
fn in_one_line(error: &TestbedError) -> String {
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
    fn what_nobody_wants_is_not_looked_for() {
        fn never() -> Result<(), Unable> {
            panic!("looked for")
        }
        assert_eq!(if_wanted(false, never), Err(Unable::NotAsked));
        let wanted = Wanted { haproxy: true, ..Wanted::default() };
        let found = mechanisms(wanted);
        assert_eq!([found.netem, found.nft, found.bridge_conntrack], [(); 3].map(|()| Err(Unable::NotAsked)));
        assert_ne!(found.haproxy, Err(Unable::NotAsked));
    }

    #[test]
    fn haproxy_is_there_or_its_package_is_named() {
        match (haproxy::find(), haproxy()) {
            (None, answer) => {
                let why = answer.expect_err("nothing to start");
                assert!(why.is_absent() && why.to_string().contains("package haproxy"), "{why}");
            }
            (Some(program), Err(why)) => {
                assert!(why.to_string().contains(&*program.to_string_lossy()), "{why}");
            }
            (Some(_), Ok(())) => {}
        }
    }
}
