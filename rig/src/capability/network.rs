//! Probes of what the host's kernel can do with networks. Each works in a network namespace that it makes for itself and that ends with it.
//!
//! Must not know paths, taps of guests or the testbed. Units: none.
//! Errors: none; see [`Capability`].
//! Tests: below; those that need root say so when they cannot run.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fs_err as fs;
use nix::sched::{CloneFlags, unshare};

use super::tool;
use super::{Capability, Need};

const ADVICE_ROOT: &str = "run it as root on a kernel with network namespaces";

/// Whether namespaces can be made.
pub fn namespaces() -> Capability {
    match in_namespace(|| Ok(())) {
        Ok(()) => Capability::usable("netns", Need::Guests, "a network namespace can be made"),
        Err(reason) => Capability::missing("netns", Need::Guests, reason, ADVICE_ROOT),
    }
}

/// Whether a tap device can be made.
pub fn tap() -> Capability {
    let advice = "configurations with a tap are skipped; `modprobe tun`, and run as root";
    match in_namespace(make_tap) {
        Ok(()) => Capability::usable("tap", Need::Some, "a tap device can be made"),
        Err(reason) => Capability::missing("tap", Need::Some, reason, advice),
    }
}

/// Whether the kernel's vhost worker for networks can be had.
pub fn vhost_net() -> Capability {
    match fs::OpenOptions::new().read(true).write(true).open("/dev/vhost-net") {
        // VHOST_SET_OWNER starts the worker itself: it ends with the descriptor.
        Ok(device) => match own_vhost(&device) {
            Ok(()) => Capability::usable("vhost-net", Need::Some, "a vhost worker can be started"),
            Err(reason) => Capability::present(
                "vhost-net",
                Need::Some,
                reason,
                "configurations with vhost-net are skipped",
            ),
        },
        Err(error) => {
            let advice = "configurations with vhost-net are skipped; `modprobe vhost_net`";
            Capability::missing("vhost-net", Need::Some, error.to_string(), advice)
        }
    }
}

/// Whether nftables' rules can be loaded.
pub fn nft() -> Capability {
    let Some(program) = tool::find("nft") else {
        return Capability::missing("nft", Need::Some, "no nft", "`rig setup` says how to install it");
    };
    let rules = "table inet probe {\n chain input {\n type filter hook input priority 0;\n tcp dport 9 counter drop\n }\n}\n";
    match in_namespace(move || feed(Command::new(program).args(["-f", "-"]), rules)) {
        Ok(()) => Capability::usable("nft", Need::Some, "a rule can be loaded"),
        Err(reason) => Capability::present(
            "nft",
            Need::Some,
            reason,
            "faults that need nftables are skipped; `modprobe nf_tables`",
        ),
    }
}

/// Whether the kernel can delay packets by itself.
pub fn netem() -> Capability {
    let Some(program) = tool::find("tc") else {
        return Capability::missing("netem", Need::Some, "no tc", "`rig setup` says how to install it");
    };
    let mut arguments = ["qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"].to_vec();
    match in_namespace(move || feed(Command::new(program).args(arguments.drain(..)), "")) {
        Ok(()) => Capability::usable("netem", Need::Some, "a delay can be put on a link"),
        Err(reason) => {
            let advice =
                "delays come from rig's own middlebox instead; `modprobe sch_netem` where the kernel has it";
            Capability::missing("netem", Need::Some, reason, advice)
        }
    }
}

/// Runs `probe` on a thread of its own in a fresh network namespace. Nobody else is in there, so it ends with the thread; and children that
/// `probe` starts are born in it.
fn in_namespace<F>(probe: F) -> Result<(), String>
where
    F: FnOnce() -> Result<(), String> + Send + 'static,
{
    let thread = std::thread::Builder::new().name("probe".to_owned()).spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(|errno| format!("no new network namespace: {}", errno.desc()))?;
        probe()
    });
    let thread = thread.map_err(|error| format!("no thread for the probe: {error}"))?;
    thread.join().unwrap_or_else(|_| Err("the probe panicked".to_owned()))
}

/// Runs a tool with `input`; its complaint when it fails.
fn feed(command: &mut Command, input: &str) -> Result<(), String> {
    let name = PathBuf::from(command.get_program());
    let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} does not start: {error}"))?;
    // A tool that ends early does not read; its exit says more than the broken pipe.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}", said.lines().next().unwrap_or("no reason given").trim()))
}

fn make_tap() -> Result<(), String> {
    let device = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .map_err(|error| error.to_string())?;
    // SAFETY: ifreq is plain data; all zeros is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"probe%d") {
        *to = from.cast_signed();
    }
    let flags = libc::IFF_TAP | libc::IFF_NO_PI;
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(flags).expect("both flags are in the lower 15 bits");
    // SAFETY: TUNSETIFF reads and writes one ifreq, which lives until the call returns (Linux: Documentation/networking/tuntap.rst).
    let result = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    nix::errno::Errno::result(result).map_err(|errno| format!("TUNSETIFF: {}", errno.desc()))?;
    // The device is not persistent: it goes with the descriptor.
    Ok(())
}

/// `_IO(VHOST_VIRTIO, 0x01)` with VHOST_VIRTIO 0xAF (Linux: include/uapi/linux/vhost.h).
const VHOST_SET_OWNER: libc::Ioctl = 0xAF01;

fn own_vhost(device: &fs::File) -> Result<(), String> {
    // SAFETY: VHOST_SET_OWNER takes no argument.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), VHOST_SET_OWNER) };
    nix::errno::Errno::result(result).map(drop).map_err(|errno| format!("VHOST_SET_OWNER: {}", errno.desc()))
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn interfaces() -> Vec<String> {
        let mut names: Vec<String> = fs::read_to_string("/proc/self/net/dev")
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once(':').map(|(name, _)| name.trim().to_owned()))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn probes_answer_and_leave_nothing_behind() {
        let before = (interfaces(), fs::read_link("/proc/self/ns/net").unwrap());
        for capability in [namespaces(), tap(), vhost_net(), nft(), netem()] {
            assert!(!capability.detail.is_empty());
            assert_eq!(capability.advice.is_some(), capability.state != State::Usable, "{capability:?}");
        }
        assert_eq!((interfaces(), fs::read_link("/proc/self/ns/net").unwrap()), before);
    }

    #[test]
    fn a_probe_runs_in_another_namespace() {
        let here = fs::read_link("/proc/self/ns/net").unwrap();
        let there = in_namespace(move || {
            let there = fs::read_link("/proc/thread-self/ns/net").unwrap();
            if there == here { Err("the same".to_owned()) } else { Ok(()) }
        });
        if nix::unistd::geteuid().is_root() {
            assert_eq!(there, Ok(()));
        } else {
            assert!(there.unwrap_err().contains("no new network namespace"));
        }
    }

    #[test]
    fn a_failing_tool_is_quoted() {
        let mut command = Command::new("sh");
        command.args(["-c", "cat >/dev/null; echo 'Operation not supported' >&2; exit 2"]);
        assert_eq!(feed(&mut command, "x"), Err("sh: Operation not supported".to_owned()));
        assert!(feed(&mut Command::new("/nowhere/tool"), "").unwrap_err().contains("does not start"));
    }
}
