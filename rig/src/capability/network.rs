//! What the host's kernel can do with networks, as `rig doctor` tells it: the testbed's own probes, with what to do about their answers.
//!
//! Must not know paths, or how a probe is made. Units: none.
//! Errors: none; see [`Capability`].
//! Tests: below; the probes' in `tests/netns.rs`.

use std::path::Path;

use super::{Capability, Need};
use crate::testbed::probe;

/// Whether namespaces can be made.
pub fn namespaces() -> Capability {
    let advice = "run it as root on a kernel with network namespaces";
    told("netns", Need::Guests, probe::netns(), "a network namespace can be made", advice)
}

/// Whether a tap device can be made.
pub fn tap() -> Capability {
    let advice = "configurations with a tap are skipped; `modprobe tun`, and run as root";
    told("tap", Need::Some, probe::tap(), "a tap device can be made", advice)
}

/// Whether the kernel's vhost worker for networks can be had.
pub fn vhost_net() -> Capability {
    let advice = "configurations with vhost-net are skipped; `modprobe vhost_net`";
    match probe::vhost_net() {
        Err(reason) if Path::new("/dev/vhost-net").exists() => {
            Capability::present("vhost-net", Need::Some, reason, "configurations with vhost-net are skipped")
        }
        answer => told("vhost-net", Need::Some, answer, "a vhost worker can be started", advice),
    }
}

/// Whether the packet filter takes the rules that paths are made of.
pub fn nft() -> Capability {
    let advice = "paths with rules are skipped; `rig setup` installs nft, `modprobe nf_tables` loads the kernel's part";
    told("nft", Need::Some, probe::nft(), "the rules of paths can be loaded", advice)
}

/// Whether the kernel can delay and lose packets by itself.
pub fn netem() -> Capability {
    let advice =
        "delay and loss come from rig's own middlebox instead; `modprobe sch_netem` where the kernel has it";
    told("netem", Need::Some, probe::netem(), "a netem queue can be put on a link", advice)
}

fn told(
    name: &'static str,
    need: Need,
    answer: Result<(), String>,
    usable: &str,
    advice: &str,
) -> Capability {
    match answer {
        Ok(()) => Capability::usable(name, need, usable),
        Err(reason) => Capability::missing(name, need, reason, advice),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    fn interfaces() -> Vec<String> {
        let mut names: Vec<String> = fs_err::read_to_string("/proc/self/net/dev")
            .unwrap()
            .lines()
            .filter_map(|line| line.split_once(':').map(|(name, _)| name.trim().to_owned()))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn probes_answer_and_leave_nothing_behind() {
        let before = (interfaces(), fs_err::read_link("/proc/self/ns/net").unwrap());
        for capability in [namespaces(), tap(), vhost_net(), nft(), netem()] {
            assert!(!capability.detail.is_empty());
            assert_eq!(capability.advice.is_some(), capability.state != State::Usable, "{capability:?}");
        }
        assert_eq!((interfaces(), fs_err::read_link("/proc/self/ns/net").unwrap()), before);
    }

    #[test]
    fn what_fails_is_missing_with_its_reason_and_what_to_do() {
        let missing = told("netem", Need::Some, Err("no sch_netem".into()), "it is there", "load it");
        assert_eq!((missing.state, missing.detail.as_str()), (State::Missing, "no sch_netem"));
        assert_eq!(missing.advice.as_deref(), Some("load it"));
    }
}
