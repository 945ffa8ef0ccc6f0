//! What the host's kernel and programs can do, as `rig doctor` tells it: abilities, with what to do about those that are lacking.
//!
//! Must not know how an ability was found out. Units: none.
//! Errors: none; see [`Capability`]. Tests: below.

use std::fmt::Display;

use super::row::{Capability, Need, Program};
use crate::configuration::{Abilities, Executable, Needs, QemuProgram};
use crate::machine::qemu;

/// What these rows are made from.
pub fn needs() -> Needs {
    let mut needs = Needs {
        private_etc: true,
        tap: true,
        macvtap: true,
        passt: true,
        vhost_net: true,
        vhost_vsock: true,
        ..Needs::default()
    };
    needs.mechanisms.nft = true;
    needs.mechanisms.netem = true;
    needs
}

/// Whether QEMU starts, and which it is.
pub fn qemu(host: &Abilities) -> Capability {
    let advice = "`rig setup` says how to install it";
    match &host.qemu {
        Ok(QemuProgram { version, executable: Ok(Executable { path, sha256 }) }) => {
            let program = Program { path: path.to_string_lossy().into_owned(), sha256: sha256.clone() };
            let detail = format!("{}, {}", version.0, program.path);
            Capability { program: Some(program), ..Capability::usable("qemu", Need::Guests, detail) }
        }
        Ok(QemuProgram { version, executable: Err(why) }) => {
            let detail = format!("{}; its file cannot be read: {why}", version.0);
            Capability::usable("qemu", Need::Guests, detail)
        }
        Err(why) if why.is_absent() => {
            Capability::missing("qemu", Need::Guests, format!("no {}", crate::process::QEMU), advice)
        }
        Err(why) => Capability::present("qemu", Need::Guests, why.to_string(), advice),
    }
}

/// Whether everything can be taken from QEMU that a guest which broke out of it could use.
pub fn confinement(host: &Abilities) -> Capability {
    let Ok(QemuProgram { executable: Ok(Executable { path, .. }), .. }) = &host.qemu else {
        return Capability::missing(
            "confinement",
            Need::Some,
            "no QEMU to try it with",
            "`rig setup` installs it",
        );
    };
    let lacks: Vec<String> = qemu::lacks(path).iter().map(ToString::to_string).collect();
    if lacks.is_empty() {
        let detail = "QEMU runs under a user id that no account has, without capabilities or environment, on a read-only root";
        return Capability::usable("confinement", Need::Some, detail);
    }
    let advice = "guests still run; for full confinement give rig root with CAP_SYS_ADMIN on Linux 5.12 or later, or run only guests that you trust";
    Capability::present("confinement", Need::Some, lacks.join("; "), advice)
}

/// Whether namespaces can be made.
pub fn namespaces(host: &Abilities) -> Capability {
    let advice = "run it as root on a kernel with network namespaces";
    told("netns", Need::Guests, &host.namespaces, "a network namespace can be made", advice)
}

/// Whether the target on bare metal can have a /etc of its own.
pub fn private_etc(host: &Abilities) -> Capability {
    let advice = "configurations of kind = \"host\" are skipped; run rig as root, outside of a container that forbids mounts";
    told("mounts", Need::Some, &host.private_etc, "a program can be given a private /etc", advice)
}

/// Whether a tap device can be made.
pub fn tap(host: &Abilities) -> Capability {
    let advice = "configurations with a tap are skipped; `modprobe tun`, and run as root";
    told("tap", Need::Some, &host.tap, "a tap device can be made", advice)
}

/// Whether the kernel's vhost worker for networks can be had.
pub fn vhost_net(host: &Abilities) -> Capability {
    match &host.vhost_net {
        Err(why) if !why.is_absent() => Capability::present(
            "vhost-net",
            Need::Some,
            why.to_string(),
            "configurations with vhost-net are skipped",
        ),
        answer => {
            let advice = "configurations with vhost-net are skipped; `modprobe vhost_net`";
            told("vhost-net", Need::Some, answer, "a vhost worker can be started", advice)
        }
    }
}

/// Whether a guest can have a vsock device.
pub fn vhost_vsock(host: &Abilities) -> Capability {
    match &host.vhost_vsock {
        Err(why) if !why.is_absent() => Capability::present(
            "vhost-vsock",
            Need::Some,
            why.to_string(),
            "configurations with a vsock device are skipped",
        ),
        answer => {
            let advice = "configurations with a vsock device are skipped; `modprobe vhost_vsock`";
            told("vhost-vsock", Need::Some, answer, "a guest can be given a CID", advice)
        }
    }
}

/// Whether a guest's NIC can have a macvtap behind it.
pub fn macvtap(host: &Abilities) -> Capability {
    let advice = "configurations with a macvtap are skipped; `modprobe macvtap`";
    told("macvtap", Need::Some, &host.macvtap, "a macvtap can be made and opened", advice)
}

/// Whether a guest's NIC can have passt behind it.
pub fn passt(host: &Abilities) -> Capability {
    match &host.passt {
        Err(why) if !why.is_absent() => {
            Capability::present("passt", Need::Some, why.to_string(), "configurations with passt are skipped")
        }
        answer => {
            let advice = "configurations with passt are skipped; `rig setup` installs it";
            told("passt", Need::Some, answer, "passt starts and answers", advice)
        }
    }
}

/// Whether the packet filter takes the rules that paths are made of.
pub fn nft(host: &Abilities) -> Capability {
    let advice = "paths with rules are skipped; `rig setup` installs nft, `modprobe nf_tables` loads the kernel's part";
    told("nft", Need::Some, &host.mechanisms.nft, "packet filter rules can be loaded", advice)
}

/// Whether the kernel can delay and lose packets by itself.
pub fn netem(host: &Abilities) -> Capability {
    let advice =
        "delay and loss come from rig's own middlebox instead; `modprobe sch_netem` where the kernel has it";
    told("netem", Need::Some, &host.mechanisms.netem, "a netem queue can be put on a link", advice)
}

fn told(
    name: &'static str,
    need: Need,
    answer: &Result<(), impl Display>,
    usable: &str,
    advice: &str,
) -> Capability {
    match answer {
        Ok(()) => Capability::usable(name, need, usable),
        Err(why) => Capability::missing(name, need, why.to_string(), advice),
    }
}

#[cfg(test)]
mod tests {
    use super::super::look;
    use super::super::row::State;
    use super::*;
    use crate::configuration::QemuVersion;
    use crate::path::Unable;

    #[test]
    fn every_row_says_what_was_found_and_what_to_do() {
        let host = look(&needs());
        for row in [
            qemu(&host),
            confinement(&host),
            namespaces(&host),
            macvtap(&host),
            passt(&host),
            private_etc(&host),
            tap(&host),
            vhost_net(&host),
            vhost_vsock(&host),
            nft(&host),
            netem(&host),
        ] {
            assert!(!row.detail.is_empty());
            assert_eq!(row.advice.is_some(), row.state != State::Usable, "{row:?}");
        }
    }

    #[test]
    fn what_fails_is_missing_with_its_reason_and_what_to_do() {
        let missing = told("netem", Need::Some, &Err("no sch_netem"), "it is there", "load it");
        assert_eq!((missing.state, missing.detail.as_str()), (State::Missing, "no sch_netem"));
        assert_eq!(missing.advice.as_deref(), Some("load it"));
    }

    #[test]
    fn what_is_there_and_does_not_function_is_not_called_missing() {
        let broken = Unable::VhostIdle("out of memory".to_owned());
        let mut host = look(&Needs::default());
        host.vhost_net = Err(broken.clone());
        assert_eq!((vhost_net(&host).state, vhost_net(&host).detail), (State::Present, broken.to_string()));
        host.vhost_net = Err(Unable::NoVhost);
        assert_eq!(vhost_net(&host).state, State::Missing);
        let version = QemuVersion("QEMU 7.2".to_owned());
        host.qemu = Ok(QemuProgram { version: version.clone(), executable: Err("no".to_owned()) });
        assert_eq!(qemu(&host).detail, "QEMU 7.2; its file cannot be read: no");
        assert_eq!((qemu(&host).state, qemu(&host).program), (State::Usable, None));
        let executable = Executable { path: "/opt/q".into(), sha256: "0a".to_owned() };
        host.qemu = Ok(QemuProgram { version, executable: Ok(executable) });
        let row = serde_json::to_value(qemu(&host)).unwrap();
        assert_eq!(row["detail"], "QEMU 7.2, /opt/q");
        assert_eq!(row["program"], serde_json::json!({ "path": "/opt/q", "sha256": "0a" }));
        host.qemu = Err(Unable::NoQemu { program: "q", said: "gone".to_owned() });
        assert_eq!(qemu(&host).state, State::Missing);
        let status = "signal: 4".to_owned();
        host.qemu = Err(Unable::Fails { program: "q".to_owned(), option: "--version", status });
        assert_eq!(
            (qemu(&host).state, qemu(&host).detail),
            (State::Present, "q --version ends with signal: 4".to_owned())
        );
    }
}
