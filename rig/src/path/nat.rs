//! Address translation at the switch: a service address that is the peer's behind it, and connection tracking that remembers which.
//!
//! Pure. Must not know nft's process or namespaces. The switch routes then. It has the address that the target connects to on the target's side,
//! and an address of its own in the peer's network, in whose name the target's connections go on: what the peer sends is addressed to
//! the switch, and goes on to the target only where connection tracking translates it back. What it calls INVALID is not translated: it is
//! for the switch's own TCP, which knows no such connection and answers with a reset (RFC 9293 section 3.10.7.1).
//! Units: none. Source: nft(8); net/netfilter/nf_nat_core.c. Errors: none. Tests: below; real kernels in `tests/paths/nat.rs` (root).

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::counters::NatCount;
use super::place::Place;
use super::rules::{self, TABLE};
use super::spec::{Addressing, PEER_PORT, Rule};
use crate::middlebox::Word;

/// The peer's address behind the translation (RFC 5737, TEST-NET-2).
pub const BEHIND: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// The switch's own address in that network.
pub const INSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 254);
/// Prefix length of that network.
pub const PREFIX: u8 = 24;

/// The switch's interface in the peer's network where the own middlebox is between it and the peer.
pub(super) const ROUTER: &str = "nat-out";
/// The other end of its link, at which the middlebox sits.
pub(super) const BEYOND: &str = "nat-in";

/// The family of the switch's table: what it translates it routes.
pub const FAMILY: &str = "inet";

/// The ruleset of a switch that translates; those of `rules` that are at the switch see what comes in from either side, before it is translated.
pub fn ruleset(addressing: Addressing, rules: &[Rule]) -> String {
    let here: Vec<&Rule> = rules.iter().filter(|rule| rule.at == Place::Switch).collect();
    let (service, connections) = (addressing.peer, NatCount::Connections.in_nft());
    let resets = NatCount::HostResets.in_nft();
    let mut text = format!("table {FAMILY} {TABLE} {{\n");
    // Writing to a string cannot fail.
    for count in NatCount::ALL {
        let _ = writeln!(text, "  counter {} {{ }}", count.in_nft());
    }
    for rule in &here {
        let _ = writeln!(text, "  counter {} {{ }}", rules::counter_name(&rule.name));
    }
    if !here.is_empty() {
        // Behind connection tracking (-200), before translation (-100): enum nf_ip_hook_priorities, include/uapi/linux/netfilter_ipv4.h.
        text.push_str("  chain passing {\n    type filter hook prerouting priority -150; policy accept;\n");
        for rule in &here {
            let _ = writeln!(text, "    {}", rules::line(rule));
        }
        text.push_str("  }\n");
    }
    let _ = write!(
        text,
        "  chain translate {{\n    type nat hook prerouting priority -100; policy accept;\n    \
         ip daddr {service} tcp dport {PEER_PORT} counter name {connections} dnat ip to {BEHIND}\n  }}\n  \
         chain own {{\n    type nat hook postrouting priority 100; policy accept;\n    ip daddr {BEHIND} snat ip to {INSIDE}\n  }}\n  \
         chain output {{\n    type filter hook output priority 0; policy accept;\n    \
         ip daddr {BEHIND} tcp flags & (rst) == (rst) counter name {resets}\n  }}\n}}\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{Hook, Matches, RuleSelect, RuleVerdict};

    #[test]
    fn a_switch_that_translates_has_both_ways_its_counters_and_its_rules() {
        let invalid = Rule {
            name: "invalid".into(),
            at: Place::Switch,
            hook: Hook::Forward,
            select: RuleSelect { invalid: true, ..RuleSelect::default() },
            verdict: RuleVerdict::Drop,
            matches: Matches::EveryTrial,
        };
        let elsewhere =
            Rule { name: "elsewhere".into(), at: Place::Peer, hook: Hook::Input, ..invalid.clone() };
        insta::assert_snapshot!(ruleset(Addressing::default(), &[invalid, elsewhere]), @r"
        table inet rig {
          counter nat-connections { }
          counter nat-host_resets { }
          counter rule-invalid { }
          chain passing {
            type filter hook prerouting priority -150; policy accept;
            meta l4proto tcp ct state invalid counter name rule-invalid drop
          }
          chain translate {
            type nat hook prerouting priority -100; policy accept;
            ip daddr 192.0.2.1 tcp dport 8083 counter name nat-connections dnat ip to 198.51.100.1
          }
          chain own {
            type nat hook postrouting priority 100; policy accept;
            ip daddr 198.51.100.1 snat ip to 198.51.100.254
          }
          chain output {
            type filter hook output priority 0; policy accept;
            ip daddr 198.51.100.1 tcp flags & (rst) == (rst) counter name nat-host_resets
          }
        }
        ");
        let plain = ruleset(Addressing::default(), &[]);
        assert!(!plain.contains("passing") && plain.contains("dnat ip to"), "{plain}");
    }
}
