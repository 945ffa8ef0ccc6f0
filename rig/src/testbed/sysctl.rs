//! Kernel settings of a network namespace.
//!
//! Holds writing one and reading those that can change how TCP behaves. Must not know which values are good.
//! Units: as the kernel writes them. Errors: `io::Error` of the file; a key that this kernel lacks is left out of what is read.
//! Tests: `tests/netns.rs` (root).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::error::TestbedError;
use super::namespace::Namespace;
use crate::path::Presence;

/// Besides every `net.ipv4.tcp_*`: what else takes part when a TCP segment is made, filtered or forwarded.
const ALSO: [&str; 7] = [
    "net/core/somaxconn",
    "net/core/default_qdisc",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/ip_no_pmtu_disc",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv6/conf/all/disable_ipv6",
    "net/bridge/bridge-nf-call-iptables",
];

/// The TCP settings of a namespace (`net.ipv4.tcp_rmem` -> its value), for the record. A namespace starts with the kernel's defaults
/// (`tcp_sk_init`, net/ipv4/tcp_ipv4.c), not with what the host's administrator has set.
///
/// # Errors
/// [`TestbedError::Enter`], or [`TestbedError::Operation`] where /proc/sys cannot be read.
pub fn sysctls(namespace: &Namespace) -> Result<BTreeMap<String, String>, TestbedError> {
    namespace
        .run(read_all)?
        .map_err(|source| TestbedError::Operation { op: "read /proc/sys/net".into(), source })
}

fn read_all() -> io::Result<BTreeMap<String, String>> {
    let root = Path::new("/proc/sys");
    let mut keys: Vec<String> = ALSO.map(str::to_owned).into();
    for entry in fs_err::read_dir(root.join("net/ipv4"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("tcp_") {
            keys.push(format!("net/ipv4/{name}"));
        }
    }
    let mut found = BTreeMap::new();
    for key in keys {
        // Some are write-only or absent; tcp_fastopen_key is a secret and says nothing.
        if key.ends_with("tcp_fastopen_key") {
            continue;
        }
        if let Ok(value) = std::fs::read_to_string(root.join(&key)) {
            found.insert(key.replace('/', "."), spaced(&value));
        }
    }
    Ok(found)
}

/// A setting that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSysctl {
    /// `net.ipv4.tcp_syn_retries`
    pub name: String,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
}

/// Changes settings of a namespace, by name, and reads each back. They end with the namespace.
///
/// # Errors
/// [`TestbedError::Enter`], [`TestbedError::Sysctl`]
pub fn set_sysctls(
    namespace: &Namespace,
    wanted: &BTreeMap<String, String>,
) -> Result<Vec<SetSysctl>, TestbedError> {
    let set = |(name, value): (&String, &String)| {
        set_one(name, value).map_err(|source| TestbedError::Sysctl {
            name: name.clone(),
            value: value.clone(),
            source,
        })
    };
    namespace.run(|| wanted.iter().map(set).collect())?
}

fn set_one(name: &str, value: &str) -> io::Result<SetSysctl> {
    let file = Path::new("/proc/sys").join(name.replace('.', "/"));
    let read = || std::fs::read_to_string(&file).map(|text| spaced(&text));
    let before = read()?;
    std::fs::write(&file, value)?;
    let after = read()?;
    if after == value {
        return Ok(SetSysctl { name: name.to_owned(), before, after });
    }
    Err(io::Error::other(format!("it reads {after} then")))
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes a setting of the calling thread's namespace.
pub(super) fn write(key: &str, value: &str, presence: Presence) -> io::Result<()> {
    match (std::fs::write(Path::new("/proc/sys").join(key), value), presence) {
        (Err(error), Presence::Optional) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        (result, Presence::Optional | Presence::Required) => result,
    }
}
