//! What a host can do, as far as somebody needs to know it.
//!
//! A probe leaves nothing behind and changes nothing outside of namespaces that it made itself. Must not know cells.
//! Units: none. Errors: none: each ability is there, or has its reason. Tests: below; the probes' in `tests/netns.rs`.

use std::collections::BTreeMap;

use crate::configuration::{Abilities, Needs};
use crate::machine::{self, qemu};
use crate::testbed::probe;

/// All abilities but for the accelerator, which costs a boot. What is not needed is not looked at.
pub fn look(needs: &Needs) -> Abilities {
    Abilities {
        namespaces: probe::netns(),
        private_etc: probe::if_wanted(needs.private_etc, machine::private_etc),
        qemu: qemu::program(),
        // Whoever knows the configurations asks for these.
        offers: BTreeMap::new(),
        tap: probe::if_wanted(needs.tap, probe::tap),
        tap_multiqueue: probe::if_wanted(needs.tap_multiqueue, probe::tap_multiqueue),
        macvtap: probe::if_wanted(needs.macvtap, probe::macvtap),
        passt: probe::if_wanted(needs.passt, probe::passt),
        vhost_net: probe::if_wanted(needs.vhost_net, probe::vhost_net),
        vhost_vsock: probe::if_wanted(needs.vhost_vsock, probe::vhost_vsock),
        vsock_loopback: probe::if_wanted(needs.vsock_loopback, probe::vsock_loopback),
        accelerator: None,
        mechanisms: probe::mechanisms(needs.mechanisms),
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::needs;
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
        let before = (
            interfaces(),
            ["net", "mnt"].map(|kind| fs_err::read_link(format!("/proc/thread-self/ns/{kind}")).unwrap()),
        );
        let Abilities { namespaces, private_etc, tap, vhost_net, mechanisms, .. } = look(&needs());
        for answer in [namespaces, private_etc, tap, vhost_net, mechanisms.netem, mechanisms.nft] {
            let said = answer.map_err(|why| why.to_string());
            assert!(
                said.as_ref().is_ok() || said.as_ref().is_err_and(|why| !why.contains("not looked for")),
                "{said:?}"
            );
        }
        assert_eq!(
            (
                interfaces(),
                ["net", "mnt"].map(|kind| fs_err::read_link(format!("/proc/thread-self/ns/{kind}")).unwrap())
            ),
            before
        );
    }
}
