//! The kernel's TCP counters of the agent's network namespace, and their differences.
//!
//! Holds reading and subtracting of /proc/self/net/{snmp,netstat}; must not judge them.
//! Units: counts since the namespace was made. Errors: none; what cannot be read has no counters, and the record shows that.
//! Source: proc(5), RFC 1213 (Tcp), Documentation/networking/snmp_counter.rst (TcpExt).
//! Tests: below.

use std::collections::BTreeMap;

/// Counters by `Group.Name`.
pub(crate) type Counters = BTreeMap<String, i64>;

/// Not counters: settings and a gauge.
const NOT_COUNTED: &[&str] =
    &["Tcp.RtoAlgorithm", "Tcp.RtoMin", "Tcp.RtoMax", "Tcp.MaxConn", "Tcp.CurrEstab"];

/// Reads `Tcp` and `TcpExt`.
pub(crate) fn read() -> Counters {
    let mut counters = Counters::new();
    for (path, group) in [("/proc/self/net/snmp", "Tcp"), ("/proc/self/net/netstat", "TcpExt")] {
        parse(&std::fs::read_to_string(path).unwrap_or_default(), group, &mut counters);
    }
    counters
}

/// RST segments that a network sent, from the content of its /proc/net/snmp.
pub(crate) fn resets_sent(snmp: &str) -> u64 {
    let mut counters = Counters::new();
    parse(snmp, "Tcp", &mut counters);
    counters.get("Tcp.OutRsts").and_then(|count| u64::try_from(*count).ok()).unwrap_or(0)
}

/// Two lines per group: `Tcp: name name ...` and `Tcp: value value ...`.
fn parse(text: &str, group: &str, into: &mut Counters) {
    let prefix = format!("{group}:");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(prefix.as_str()));
    while let (Some(names), Some(values)) = (lines.next(), lines.next()) {
        for (name, value) in names.split_whitespace().zip(values.split_whitespace()) {
            if let Ok(value) = value.parse() {
                into.insert(format!("{group}.{name}"), value);
            }
        }
    }
}

/// What was counted between two readings; what did not change is left out.
pub(crate) fn differences(before: &Counters, after: &Counters) -> Counters {
    after
        .iter()
        .filter(|(name, _)| !NOT_COUNTED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value - before.get(name).copied().unwrap_or(0)))
        .filter(|(_, difference)| *difference != 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNMP: &str = "Ip: Forwarding DefaultTTL\nIp: 1 64\n\
        Tcp: RtoAlgorithm CurrEstab ActiveOpens OutRsts\nTcp: 1 5 100 7\nUdp: InDatagrams\nUdp: 3\n";

    #[test]
    fn a_group_is_read_by_name_and_the_others_are_left() {
        let mut counters = Counters::new();
        parse(SNMP, "Tcp", &mut counters);
        assert_eq!(counters.len(), 4);
        assert_eq!(counters["Tcp.OutRsts"], 7);
        parse("TcpExt: A B\nTcpExt: 1", "TcpExt", &mut counters);
        assert_eq!(counters.get("TcpExt.B"), None, "a short line gives what it has");
    }

    #[test]
    fn differences_leave_out_zeros_and_gauges() {
        let counters = |values: [i64; 3]| -> Counters {
            ["Tcp.CurrEstab", "Tcp.ActiveOpens", "Tcp.OutRsts"]
                .map(String::from)
                .into_iter()
                .zip(values)
                .collect()
        };
        let found = differences(&counters([5, 100, 7]), &counters([6, 100, 9]));
        assert_eq!(found, Counters::from([("Tcp.OutRsts".into(), 2)]));
    }

    #[test]
    fn this_kernel_has_both_groups() {
        let counters = read();
        assert!(counters.contains_key("Tcp.OutRsts") && counters.contains_key("TcpExt.TCPAbortOnData"));
    }
}
