//! The machine that the agent runs on: what it says of itself in `Hello`, and the few limits that many trials need raised.
//!
//! Holds reading of /proc and /sys; must not be used while trials are played.
//! Units: as the kernel prints them. Errors: none; what cannot be read is empty or absent, what cannot be raised stays.
//! Source: proc(5), Documentation/networking/ip-sysctl.rst, Documentation/admin-guide/sysctl/kernel.rst.
//! Tests: below, and `tests/loopback` (hello).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use rig_protocol::{Hello, PROTOCOL_VERSION};
use sha2::{Digest, Sha256};

use crate::interfaces;
use crate::sys::{process, vsock};

/// What changes TCP's behaviour around a RST, or the number of connections that can be made.
const RECORDED: &[&str] = &[
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_challenge_ack_limit",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_dsack",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_fastopen",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_invalid_ratelimit",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_orphan_retries",
    "net.ipv4.tcp_retries1",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_rfc1337",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_syn_linear_timeouts",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_window_scaling",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
    "net.netfilter.nf_conntrack_tcp_ignore_invalid_rst",
    "net.netfilter.nf_conntrack_tcp_loose",
    "net.netfilter.nf_conntrack_tcp_timeout_close",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait",
];

/// Belong to the network namespace: enough ports for tens of thousands of trials that leave TIME_WAIT behind, and room for a
/// burst of connections.
const OF_THE_NAMESPACE: &[(&str, &str)] =
    &[("net.ipv4.ip_local_port_range", "1024 65535"), ("net.core.somaxconn", "65535")];

/// Belong to the kernel: a thread per trial in flight.
const OF_THE_KERNEL: &[(&str, &str)] =
    &[("kernel.threads-max", "65536"), ("kernel.pid_max", "131072"), ("vm.max_map_count", "262144")];

fn sysctl_path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

/// A file's content without the last line end, or nothing.
fn read_line(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim_end().to_owned())
}

/// Raises what is ours alone to raise: the network namespace's settings in a namespace of our own, and the kernel's in a guest
/// that has no other user. On a shared host nothing is changed. The effective values are in [`Hello::sysctls`].
pub(crate) fn tune() {
    let guest = process::root_in_memory();
    if guest || in_own_namespace() {
        set(OF_THE_NAMESPACE);
    }
    if guest {
        set(OF_THE_KERNEL);
    }
}

/// Whether whoever started us put us into a network namespace that was made for it: neither the starter's own nor the kernel's
/// first, which alone has all of net/core (net/core/sysctl_net_core.c registers `netdev_max_backlog` for init_net only).
fn in_own_namespace() -> bool {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/net")).ok();
    let parent = std::os::unix::process::parent_id().to_string();
    let apart = match (namespace("self"), namespace(&parent)) {
        (Some(own), Some(parents)) => own != parents,
        _ => false,
    };
    apart && !Path::new(&sysctl_path("net.core.netdev_max_backlog")).exists()
}

fn set(settings: &[(&str, &str)]) {
    for (name, value) in settings {
        // Best effort: a refusal shows in the recorded value, and in `Refused` or a void if it ever matters.
        let _ = fs::write(sysctl_path(name), value);
    }
}

/// What the agent says first.
pub(crate) fn hello() -> Hello {
    let (kernel_release, kernel_version) = process::kernel();
    let sysctls: BTreeMap<String, String> = RECORDED
        .iter()
        .filter_map(|name| read_line(&sysctl_path(name)).map(|value| ((*name).to_owned(), value)))
        .collect();
    Hello {
        protocol_version: PROTOCOL_VERSION,
        build_id: build_id(),
        kernel_release,
        kernel_version,
        hypervisor: process::hypervisor(),
        clocksource: read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource")
            .unwrap_or_default(),
        cpus: process::cpus(),
        localtime: Path::new("/etc/localtime").exists(),
        sysctls,
        interfaces: interfaces::read(),
        // A host's is of no cell.
        vsock_cid: if process::root_in_memory() { vsock::local_cid() } else { None },
    }
}

/// SHA-256 of the running executable, in hex; empty where /proc is not there, which no controller takes for its own.
pub(crate) fn build_id() -> String {
    digest("/proc/self/exe").unwrap_or_default()
}

fn digest(path: &str) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            bytes => hash.update(&buffer[..bytes]),
        }
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_file() {
        // FIPS 180-4: SHA-256 of the empty message.
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest("/dev/null").expect("readable"), empty);
        assert_eq!(build_id().len(), 64);
    }

    #[test]
    fn hello_has_the_sysctls_that_exist_here() {
        let hello = hello();
        assert!(hello.sysctls.contains_key("net.ipv4.tcp_syn_retries"));
        assert!(!hello.kernel_release.is_empty() && hello.cpus > 0);
    }
}
