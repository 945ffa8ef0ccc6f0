//! What the machines of each configuration really were.
//!
//! Holds what blocks tell of QEMU and of interfaces, gathered by configuration and kernel. Must not judge: cautions do.
//! Units: counts. Errors: none. Tests: `tests/golden/machines.rs`.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::record::format::{AgentRecord, InterfaceRecord, TargetRecord};

use super::measured::Measured;
use super::model::{InterfaceSummary, MachineEnd, MachineSummary};

/// Every kind of machine, in the order of the plan; of one configuration, kernel and end the most frequent first.
pub(super) fn gather(measured: &[Measured<'_>]) -> Vec<MachineSummary> {
    let mut found: Vec<(usize, MachineSummary)> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for cell in measured {
        let next = places.len();
        let place = *places.entry((cell.configuration(), &cell.cell().subject.kernel)).or_insert(next);
        for block in &cell.blocks {
            let target = Some((MachineEnd::Target, &block.target, block.target_hello.as_ref()));
            let peer = block.peer.as_ref().map(|peer| (MachineEnd::Peer, peer, block.peer_hello.as_ref()));
            for (end, record, hello) in target.into_iter().chain(peer) {
                let machine = machine(cell, end, record, hello);
                match found.iter_mut().find(|(at, known)| *at == place && is_alike(known, &machine)) {
                    Some((_, known)) => known.blocks += 1,
                    None => found.push((place, machine)),
                }
            }
        }
    }
    found.sort_by_key(|(place, machine)| (*place, machine.end, Reverse(machine.blocks)));
    found.into_iter().map(|(_, machine)| machine).collect()
}

fn is_alike(a: &MachineSummary, b: &MachineSummary) -> bool {
    (a.end, &a.qemu_path, &a.qemu_sha256) == (b.end, &b.qemu_path, &b.qemu_sha256)
        && (&a.added, &a.not_seen, &a.interfaces) == (&b.added, &b.not_seen, &b.interfaces)
}

fn machine(
    cell: &Measured<'_>,
    end: MachineEnd,
    record: &TargetRecord,
    hello: Option<&AgentRecord>,
) -> MachineSummary {
    let running = record.running.as_ref();
    let not_seen = (!record.running_unknown.is_empty()).then(|| record.running_unknown.clone());
    MachineSummary {
        configuration: cell.configuration().to_owned(),
        kernel: cell.cell().subject.kernel.clone(),
        end,
        blocks: 1,
        qemu_path: running.map(|running| running.path.clone()).unwrap_or_default(),
        qemu_sha256: running.map(|running| running.sha256.clone()).unwrap_or_default(),
        not_seen,
        added: running.map(|running| added(&record.command_line, &running.command_line)).unwrap_or_default(),
        interfaces: hello.map(|hello| hello.interfaces.iter().map(interface).collect()).unwrap_or_default(),
    }
}

/// The words of `ran` that are not those of `asked`, which keep their order; the program's own name aside. Descriptors have other numbers in every
/// block, but what is asked for and what runs have the same.
fn added(asked: &[String], ran: &[String]) -> Vec<String> {
    let mut asked = asked.iter().skip(1).peekable();
    let is_new = |word: &&String| asked.next_if_eq(word).is_none();
    ran.iter().skip(1).filter(is_new).cloned().collect()
}

/// The MTU is what the path declares, and differs from path to path.
fn interface(interface: &InterfaceRecord) -> InterfaceSummary {
    let InterfaceRecord { name, driver, mtu_bytes: _, virtio_features, offloads } = interface.clone();
    InterfaceSummary { name, driver, virtio_features, offloads }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_is_told_wherever_it_stands() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let asked = words("qemu -m 192M -smp 1");
        let added = |ran: &str| added(&asked, &words(ran)).join(" ");
        assert_eq!(added("/usr/bin/qemu -m 192M -smp 1"), "");
        assert_eq!(added("qemu -m 192M -smp 1 -global x=off"), "-global x=off");
        assert_eq!(added("qemu -global x=off -m 192M -smp 1"), "-global x=off");
        assert_eq!(added("qemu -m 256M -smp 1"), "256M -smp 1", "from where they part on");
    }
}
