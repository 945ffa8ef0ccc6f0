//! The host, as far as it can change a result: read once, before the first block.
//!
//! Honest labels (measurement.md, fairness rule 5): a "bare metal" that is itself a virtual machine is told by CPUID and DMI.

use std::arch::x86_64::__cpuid;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use sha2::{Digest, Sha256};

use crate::record::format::Host;

/// Reads the host's description. What cannot be read stays empty: a missing label is no reason not to measure.
pub fn host() -> Host {
    let uname = nix::sys::utsname::uname();
    Host {
        kernel: uname.map(|u| u.release().to_string_lossy().into_owned()).unwrap_or_default(),
        virtualized: virtualization(),
        cpu: field("/proc/cpuinfo", "model name").unwrap_or_default(),
        cpus: thread::available_parallelism().map_or(0, |n| n.get() as u32),
        memory_mib: field("/proc/meminfo", "MemTotal")
            .and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok())
            .map_or(0, |kib| kib / 1024),
        clocksource: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        localtime: Path::new("/etc/localtime").exists(),
    }
}

/// 16 hex digits that tell this machine from others, and do not name it: a SHA-256 of what systemd and the firmware call it (machine-id(5), the product's UUID of SMBIOS) and of its
/// processor. A container has neither: then it is what its kernel drew at boot (random(4)), so that two hosts of one kind are two, and one host after a reboot is another.
pub fn machine() -> String {
    let mut told = ["/etc/machine-id", "/sys/class/dmi/id/product_uuid"].map(read).to_vec();
    if told.iter().all(String::is_empty) {
        told.push(read("/proc/sys/kernel/random/boot_id"));
    }
    told.push(field("/proc/cpuinfo", "model name").unwrap_or_default());
    // machine-id(5) asks for a hash with a word of the application's own.
    format!("{:.16x}", Sha256::new().chain_update("rig machine\n").chain_update(told.join("\n")).finalize())
}

/// The sysctls that change what TCP does around a RST (measurement.md: what is recorded).
pub const SYSCTLS: &[&str] = &[
    "net.ipv4.tcp_challenge_ack_limit",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_invalid_ratelimit",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_retries1",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_rfc1337",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_timestamps",
];

/// Those of the host.
pub fn sysctls() -> BTreeMap<String, String> {
    SYSCTLS
        .iter()
        .map(|name| ((*name).to_owned(), read(&format!("/proc/sys/{}", name.replace('.', "/")))))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn virtualization() -> String {
    // CPUID.1:ECX[31] is the "hypervisor present" bit; leaf 0x4000_0000 carries the hypervisor's signature.
    let present = __cpuid(1).ecx & (1 << 31) != 0;
    let vendor = if present { signature() } else { String::new() };
    let firm = format!("{} {}", read("/sys/class/dmi/id/sys_vendor"), read("/sys/class/dmi/id/product_name"));
    name_of(present, &vendor, &firm)
}

fn signature() -> String {
    let leaf = __cpuid(0x4000_0000);
    let bytes: Vec<u8> = [leaf.ebx, leaf.ecx, leaf.edx].iter().flat_map(|word| word.to_le_bytes()).collect();
    String::from_utf8_lossy(&bytes).trim_matches(['\0', ' ']).to_owned()
}

fn name_of(present: bool, signature: &str, firmware: &str) -> String {
    let by_signature = match signature {
        s if s.starts_with("KVMKVMKVM") => Some("kvm"),
        s if s.starts_with("TCGTCGTCG") => Some("tcg"),
        s if s.starts_with("VMware") => Some("vmware"),
        s if s.starts_with("Microsoft Hv") => Some("hyper-v"),
        s if s.starts_with("XenVMM") => Some("xen"),
        s if s.starts_with("VBoxVBox") => Some("virtualbox"),
        _ => None,
    };
    let firmware = firmware.to_ascii_lowercase();
    let by_firmware = ["qemu", "vmware", "virtualbox", "xen", "google", "amazon", "microsoft", "bochs"]
        .into_iter()
        .find(|name| firmware.contains(name));
    match (present, by_signature, by_firmware) {
        (true, Some(name), _) => name.to_owned(),
        (true, None, Some(name)) => name.to_owned(),
        (true, None, None) => "unknown".to_owned(),
        // Some hypervisors hide the bit; Amazon and Google also sell bare metal, so their names alone prove nothing.
        (false, _, Some(name @ ("qemu" | "vmware" | "virtualbox" | "xen" | "bochs"))) => name.to_owned(),
        (false, ..) => "none".to_owned(),
    }
}

fn field(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|name| name.trim() == key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hypervisor_is_told_by_its_signature_then_by_its_firmware() {
        assert_eq!(name_of(true, "KVMKVMKVM", ""), "kvm");
        assert_eq!(name_of(true, "", "QEMU Standard PC"), "qemu");
        assert_eq!(name_of(true, "????", ""), "unknown");
        assert_eq!(name_of(false, "", "Dell Inc. PowerEdge"), "none");
        assert_eq!(name_of(false, "", "Amazon EC2 m5.metal"), "none");
        assert_eq!(name_of(false, "", "VMware, Inc."), "vmware");
    }

    #[test]
    fn the_description_of_this_host_is_not_empty() {
        let (host, id) = (host(), machine());
        let is_hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(id.len() == 16 && is_hex && id == machine(), "{id}");
        assert!(!host.kernel.is_empty() && host.cpus > 0 && host.memory_mib > 0, "{host:?}");
        assert!(sysctls().contains_key("net.ipv4.tcp_retries2"));
    }
}
