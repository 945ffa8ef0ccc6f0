//! A guest that boots a disk of the user's: from QEMU's start to a root shell, with the measured NIC as every guest of rig's has it.
//!
//! Of the image nothing is changed but what this run needs while it runs: the measured interface gets the name `data`, its address and MTU, and no
//! IPv6; programs may run in /run, which Debian mounts with `noexec`. Its init, its firewall and its settings stay, and are told.
//! Must not know how the disk was made bootable, nor agents. Units: `Duration`. Errors: [`SettleError`], which blames the image or the host.
//! Sources: os-release(5), nft(8). Tests: below; real guests in `tests/disk.rs`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use miette::Diagnostic;
use thiserror::Error;

use super::launch_ssh::{self, Exit, Finished, SshError, SshPlan, SshSession};
use super::qemu::{Guest, GuestNet};
use crate::configuration::NicModel;

/// One try at the SSH server: longer than a login takes under emulation, shorter than the pauses of libslirp, which repeats an unanswered SYN ever more seldom.
const TRY: Duration = Duration::from_secs(10);
/// Of SeaBIOS (src/boot.c).
const NOT_BOOTABLE: &str = "No bootable device";
const PAUSE: Duration = Duration::from_millis(500);

/// What an image brings along, as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestSystem {
    /// PRETTY_NAME of its os-release.
    pub os: String,
    /// What process 1 is, and its version where it is systemd.
    pub init: String,
    /// The rules of its packet filter, in nft's words; empty where there are none, or where it has no nft.
    pub rules: String,
    /// Settings of its kernel, by name.
    pub sysctls: BTreeMap<String, String>,
}

/// Why a guest with a disk of its own cannot be measured.
#[derive(Debug, Error, Diagnostic)]
pub enum SettleError {
    /// Nothing came of the boot.
    #[error("{stage}: no SSH session within {within:?} ({last}); {console}")]
    #[diagnostic(help("the console's log has the whole boot; a slow boot needs a longer `block_deadline`"))]
    NoSession {
        /// How far it came.
        stage: &'static str,
        /// The deadline.
        within: Duration,
        /// What the last attempt met.
        last: String,
        /// The console's last lines.
        console: String,
    },
    /// The firmware found no boot loader.
    #[error("the disk does not boot: its firmware says {said:?}")]
    #[diagnostic(help(
        "it needs a boot loader for BIOS in its first sector; one for UEFI alone does not do"
    ))]
    NotBootable {
        /// Its line.
        said: String,
    },
    /// It lacks what a measurement needs.
    #[error("the image lacks {what}")]
    #[diagnostic(help("add it to the image: rig changes nothing on the disk"))]
    Lacks {
        /// What.
        what: String,
    },
    /// The session broke.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Ssh(#[from] SshError),
}

/// Waits for the guest's SSH server, and gets its measured NIC ready; `settings` are what is read of its kernel.
///
/// # Errors
/// [`SettleError`]; with the death's reason, at once, when the guest dies.
pub async fn settle(
    guest: &mut Guest,
    plan: &SshPlan,
    net: &GuestNet,
    settings: &[&str],
    within: Duration,
) -> Result<GuestSystem, SettleError> {
    let began = Instant::now();
    let script = script(net, guest.spec().nic.model, guest.spec().nic.backend.is_proxied(), settings);
    let mut stage = "the guest's SSH server does not answer";
    let finished = loop {
        let left = within.saturating_sub(began.elapsed());
        let text = script.clone();
        let work = move |session: SshSession, left: &dyn Fn() -> Duration| session.run(&text, left());
        match launch_ssh::with_session(guest, plan.clone(), TRY.min(left), work).await {
            Ok(finished) => break finished,
            Err(error @ SshError::Abandoned { .. }) => return Err(error.into()),
            Err(error) => {
                let console = guest.console().borrow().tail_text();
                if let Some(line) = console.lines().rfind(|line| line.contains(NOT_BOOTABLE)) {
                    return Err(SettleError::NotBootable { said: line.trim().to_owned() });
                }
                // The key may come while it boots: cloud-init brings it after the server has started.
                stage = if matches!(error, SshError::Refused { .. }) {
                    "the guest's SSH server refuses the login"
                } else {
                    stage
                };
                if began.elapsed() + PAUSE >= within {
                    let console = told(&console);
                    return Err(SettleError::NoSession { stage, within, last: error.to_string(), console });
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    let (release, system) = read(&finished)?;
    guest.reached(release, began.elapsed());
    Ok(system)
}

/// What the console says of where it stopped.
fn told(tail: &str) -> String {
    match tail.trim() {
        "" => "its console is empty: its firmware found nothing to boot, or its kernel does not write to ttyS0 (console=ttyS0)".to_owned(),
        tail => format!("its console ended with: {}", tail.lines().collect::<Vec<_>>().join(" | ")),
    }
}

/// What the guest's root shell does. It ends with 3 and a line `lacks …` where something is not there.
fn script(net: &GuestNet, model: NicModel, proxied: bool, settings: &[&str]) -> String {
    let (mac, mtu) = (net.mac, net.mtu_bytes);
    let (address, gateway) = net.measured(proxied);
    let route = gateway
        .map_or(String::new(), |gateway| format!("ip route replace default via {gateway} dev data && "));
    let model = model.word();
    let settings = settings.join(" ");
    format!(
        r#"lacks() {{ echo "lacks $*"; exit 3; }}
[ "$(id -u)" = 0 ] || lacks 'a way to root: the user who logs in is not root'
PATH=$PATH:/usr/sbin:/sbin
command -v ip >/dev/null || lacks 'the program ip (package iproute2)'
command -v pidof >/dev/null || lacks 'the program pidof (package sysvinit-utils or procps)'
nic=
for folder in /sys/class/net/*; do [ "$(cat "$folder/address" 2>/dev/null)" = {mac} ] && nic=${{folder##*/}}; done
[ -n "$nic" ] || lacks 'the measured NIC: no interface has its MAC address {mac} (is there a driver for {model}?)'
said=$( {{ ip link set dev "$nic" down && ip address flush dev "$nic" && {{ [ "$nic" = data ] || ip link set dev "$nic" name data; }} &&
  {{ [ ! -e /proc/sys/net/ipv6/conf/data/disable_ipv6 ] || echo 1 > /proc/sys/net/ipv6/conf/data/disable_ipv6; }} &&
  ip link set dev data mtu {mtu} && ip address add {address} dev data && ip link set dev data up && {route}true; }} 2>&1 ) ||
  lacks "an address of its measured NIC: $said"
n=0; while [ "$(cat /sys/class/net/data/carrier 2>/dev/null)" != 1 ]; do n=$((n + 1)); [ $n -gt 100 ] && lacks 'a carrier on its measured NIC'; sleep 0.05; done
mount -o remount,exec /run 2>/dev/null || true
printf '#!/bin/sh\n' > /run/rig-try && chmod 755 /run/rig-try && /run/rig-try || lacks 'a folder /run in which programs run'
rm -f /run/rig-try
echo "release $(uname -r)"
[ -r /etc/os-release ] && . /etc/os-release
echo "os $PRETTY_NAME"
init=$(readlink -f /proc/1/exe)
case $init in */systemd) init=$(systemctl --version | head -n 1) ;; esac
echo "init $init"
for name in {settings}; do
  file=/proc/sys/$(echo "$name" | tr . /)
  [ -r "$file" ] && echo "sysctl $name $(cat "$file")"
done
echo rules
command -v nft >/dev/null && nft list ruleset 2>/dev/null | head -c 65536
exit 0"#
    )
}

fn read(finished: &Finished) -> Result<(String, GuestSystem), SettleError> {
    let text = String::from_utf8_lossy(&finished.stdout);
    if let Some(what) = text.lines().find_map(|line| line.strip_prefix("lacks ")) {
        return Err(SettleError::Lacks { what: what.to_owned() });
    }
    let (head, rules) = text.split_once("\nrules\n").unwrap_or((&text, ""));
    let said = |key: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.unwrap_or_default().trim().to_owned()
    };
    let release = said("release");
    if finished.exit != Exit::Status(0) || release.is_empty() {
        let stderr = String::from_utf8_lossy(&finished.stderr).trim().to_owned();
        let how = finished.exit.to_string();
        return Err(SshError::Command { what: "get its measured NIC ready", how, stderr }.into());
    }
    let sysctls = head.lines().filter_map(|line| line.strip_prefix("sysctl ")?.split_once(' '));
    let sysctls = sysctls.map(|(name, value)| (name.to_owned(), value.replace('\t', " "))).collect();
    let rules = rules.trim().to_owned();
    Ok((release, GuestSystem { os: said("os"), init: said("init"), rules, sysctls }))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::process::Command;

    use super::*;

    fn finished(exit: Exit, stdout: &str) -> Finished {
        Finished { exit, stdout: stdout.into(), stderr: b"sh: x\n".to_vec() }
    }

    #[test]
    fn what_an_image_brings_along_is_read() {
        let text = "release 6.1.0-50\nos Debian GNU/Linux 12 (bookworm)\ninit systemd 252 (252.39)\n\
                    sysctl net.ipv4.tcp_rmem 4096\t131072\t6291456\nrules\ntable inet filter {\n}\n";
        let (release, system) = read(&finished(Exit::Status(0), text)).unwrap();
        assert_eq!(release, "6.1.0-50");
        assert_eq!(system.os, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(system.init, "systemd 252 (252.39)");
        assert_eq!(system.rules, "table inet filter {\n}");
        assert_eq!(system.sysctls["net.ipv4.tcp_rmem"], "4096 131072 6291456");
    }

    #[test]
    fn what_an_image_lacks_is_named() {
        let error =
            read(&finished(Exit::Status(3), "lacks the program ip (package iproute2)\n")).unwrap_err();
        assert_eq!(error.to_string(), "the image lacks the program ip (package iproute2)");
        let error = read(&finished(Exit::Status(127), "")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the guest could not get its measured NIC ready: exit status 127: sh: x"
        );
    }

    #[test]
    fn an_empty_console_is_told_as_such() {
        assert!(told(" \n").contains("console=ttyS0"));
        assert_eq!(told("a\nb\n"), "its console ended with: a | b");
    }

    /// A POSIX shell takes it, and a machine on which the MAC address is nowhere is told so.
    #[test]
    fn the_script_is_a_shell_script() {
        let net = GuestNet {
            mac: "52:54:00:00:01:01",
            address: Ipv4Addr::new(192, 0, 2, 2),
            prefix: 24,
            mtu_bytes: 1500,
            control_port: 1,
        };
        for proxied in [false, true] {
            let script = script(&net, NicModel::VirtioNet, proxied, &["net.ipv4.tcp_sack"]);
            let checked = Command::new("sh").args(["-n", "-c", &script]).output().unwrap();
            assert!(checked.status.success(), "{checked:?}");
            assert_eq!(script.contains("ip route replace default"), proxied);
        }
    }
}
