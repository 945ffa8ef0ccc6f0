//! Packet filter rules as a ruleset of `nft`, and their counters read back from its JSON.
//!
//! Pure. Must not know where nft runs. Units: packets. Source: nft(8), libnftables-json(5).
//! Every rule has a named counter, so that what it matched can be read by name. Errors: a sentence, for an answer that is no counter list.
//! Tests: below; real kernels in `tests/paths.rs` (root).

use std::collections::BTreeMap;
use std::fmt::Write;

use super::counters::{NatCount, PathCounter};
use super::place::Place;
use super::spec::{Hook, Rule, RuleVerdict, TcpFlag};

/// The table that holds every rule of ours.
pub const TABLE: &str = "rig";

/// The family of the table at a place: at the switch packets are bridged, not routed.
pub fn family(at: Place) -> &'static str {
    match at {
        Place::Switch => "bridge",
        Place::Peer | Place::Target => "inet",
    }
}

/// The ruleset of those of `rules` that belong at `at`, or `None`.
pub fn ruleset(rules: &[Rule], at: Place) -> Option<String> {
    let rules: Vec<&Rule> = rules.iter().filter(|rule| rule.at == at).collect();
    if rules.is_empty() {
        return None;
    }
    let mut text = format!("table {} {TABLE} {{\n", family(at));
    for rule in &rules {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  counter {} {{ }}", counter_name(&rule.name));
    }
    for hook in [Hook::Input, Hook::Output, Hook::Forward] {
        let here: Vec<_> = rules.iter().filter(|rule| rule.hook == hook).collect();
        if here.is_empty() {
            continue;
        }
        let name = hook_name(hook);
        let _ = writeln!(text, "  chain {name} {{\n    type filter hook {name} priority 0; policy accept;");
        for rule in here {
            let _ = writeln!(text, "    {}", line(rule));
        }
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    Some(text)
}

fn hook_name(hook: Hook) -> &'static str {
    match hook {
        Hook::Input => "input",
        Hook::Output => "output",
        Hook::Forward => "forward",
    }
}

/// One rule: `tcp dport 8083 tcp flags & (psh) == (psh) counter name rule-reject reject with tcp reset`.
pub fn line(rule: &Rule) -> String {
    let select = &rule.select;
    // A ruleset of family bridge sees everything; "tcp flags" alone implies neither IP version nor protocol there.
    let mut parts = vec!["meta l4proto tcp".to_owned()];
    parts.extend(select.source_port.map(|port| format!("tcp sport {port}")));
    parts.extend(select.destination_port.map(|port| format!("tcp dport {port}")));
    if !select.flags.is_empty() {
        let flags = select.flags.iter().map(|flag| flag_name(*flag)).collect::<Vec<_>>().join(" | ");
        parts.push(format!("tcp flags & ({flags}) == ({flags})"));
    }
    if select.invalid {
        parts.push("ct state invalid".to_owned());
    }
    parts.push(format!("counter name {}", counter_name(&rule.name)));
    match rule.verdict.reject_with() {
        Some(what) => parts.push(format!("reject with {what}")),
        None if rule.verdict == RuleVerdict::Drop => parts.push("drop".to_owned()),
        None => {}
    }
    parts.join(" ")
}

fn flag_name(flag: TcpFlag) -> &'static str {
    match flag {
        TcpFlag::Fin => "fin",
        TcpFlag::Syn => "syn",
        TcpFlag::Rst => "rst",
        TcpFlag::Psh => "psh",
        TcpFlag::Ack => "ack",
    }
}

/// nft's names begin with a letter and must be no word of its language (`drop`); ours may be either.
const PREFIX: &str = "rule-";

pub(super) fn counter_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Arguments of `nft` that print the counters of our table of this family.
pub fn list_arguments(family: &str) -> [&str; 6] {
    ["-j", "list", "counters", "table", family, TABLE]
}

/// Packets of each named counter, out of what [`list_arguments`] make nft print (libnftables-json(5)).
///
/// # Errors
/// What is wrong with the text.
pub fn named_counters(json: &str) -> Result<BTreeMap<String, u64>, String> {
    let tree: serde_json::Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
    let items = tree.get("nftables").and_then(|items| items.as_array()).ok_or("no `nftables` list in it")?;
    let mut found = BTreeMap::new();
    for counter in items.iter().filter_map(|item| item.get("counter")) {
        let name = counter.get("name").and_then(|name| name.as_str()).ok_or("a counter without a name")?;
        let packets =
            counter.get("packets").and_then(serde_json::Value::as_u64).ok_or("a counter without packets")?;
        found.insert(name.to_owned(), packets);
    }
    Ok(found)
}

/// Of named counters those of our rules, as `rule.NAME`, and those of address translation.
pub fn of_rules(named: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let ours = |(name, packets): (String, u64)| {
        if let Some(count) = NatCount::of_nft(&name) {
            return Some((PathCounter::Nat(count).to_string(), packets));
        }
        let rule = PathCounter::Rule(name.strip_prefix(PREFIX)?.to_owned());
        Some((rule.to_string(), packets))
    };
    named.into_iter().filter_map(ours).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{Matches, RuleSelect};

    fn rule(name: &str, at: Place, hook: Hook, verdict: RuleVerdict) -> Rule {
        let select = RuleSelect { destination_port: Some(8083), ..RuleSelect::default() };
        Rule { name: name.into(), at, hook, select, verdict, matches: Matches::EveryTrial }
    }

    #[test]
    fn a_ruleset_holds_the_rules_of_one_place_with_a_counter_each() {
        let mut reject = rule("reject", Place::Target, Hook::Input, RuleVerdict::RejectTcpReset);
        reject.select.flags = vec![TcpFlag::Psh, TcpFlag::Ack];
        let mut invalid = rule("invalid", Place::Target, Hook::Output, RuleVerdict::Drop);
        invalid.select = RuleSelect { invalid: true, ..RuleSelect::default() };
        let elsewhere = rule("elsewhere", Place::Peer, Hook::Input, RuleVerdict::Count);
        let text = ruleset(&[reject, elsewhere, invalid], Place::Target).expect("two rules");
        insta::assert_snapshot!(text, @r#"
        table inet rig {
          counter rule-reject { }
          counter rule-invalid { }
          chain input {
            type filter hook input priority 0; policy accept;
            meta l4proto tcp tcp dport 8083 tcp flags & (psh | ack) == (psh | ack) counter name rule-reject reject with tcp reset
          }
          chain output {
            type filter hook output priority 0; policy accept;
            meta l4proto tcp ct state invalid counter name rule-invalid drop
          }
        }
        "#);
    }

    #[test]
    fn a_place_without_rules_has_no_ruleset() {
        assert_eq!(ruleset(&[rule("r", Place::Peer, Hook::Input, RuleVerdict::Drop)], Place::Target), None);
    }

    #[test]
    fn counters_are_read_by_name() {
        let json = r#"{"nftables": [{"metainfo": {"version": "1.0.6"}}, {"counter": {"family": "inet",
            "name": "rule-reject", "table": "rig", "handle": 2, "packets": 7, "bytes": 420}}, {"counter": {"name": "of-others", "packets": 1}}]}"#;
        let named = named_counters(json).expect("as nft writes it");
        assert_eq!(named, BTreeMap::from([("rule-reject".into(), 7), ("of-others".into(), 1)]));
        assert_eq!(of_rules(named), BTreeMap::from([("rule.reject".into(), 7)]));
        for wrong in [
            "",
            "nft: not found",
            "{}",
            r#"{"nftables": 7}"#,
            r#"{"nftables": [{"counter": {"name": "x"}}]}"#,
        ] {
            assert!(named_counters(wrong).is_err(), "{wrong}");
        }
        let negative = r#"{"nftables": [{"counter": {"name": "x", "packets": -1}}]}"#;
        assert!(named_counters(negative).is_err());
    }
}
