//! What the targets of each configuration really were.
//!
//! Holds what blocks tell of QEMU and of interfaces, gathered by configuration and kernel. Must not judge: cautions do.
//! Units: counts. Errors: none. Tests: `tests/golden/machines.rs`.

use crate::record::format::{AgentRecord, InterfaceRecord, TargetRecord};

use super::measured::Measured;
use super::model::{InterfaceSummary, MachineSummary};

/// Every kind of target, in the order of the plan; of one configuration and kernel the most frequent first.
pub(super) fn gather(measured: &[Measured<'_>]) -> Vec<MachineSummary> {
    let mut found: Vec<MachineSummary> = Vec::new();
    for cell in measured {
        for block in &cell.blocks {
            let machine = machine(cell, &block.target, block.target_hello.as_ref());
            match found.iter_mut().find(|known| is_alike(known, &machine)) {
                Some(known) => known.blocks += 1,
                None => found.push(machine),
            }
        }
    }
    let place = |machine: &MachineSummary| {
        let same = |cell: &Measured<'_>| {
            cell.configuration() == machine.configuration && cell.cell().subject.kernel == machine.kernel
        };
        measured.iter().position(same)
    };
    found.sort_by_key(|machine| (place(machine), std::cmp::Reverse(machine.blocks)));
    found
}

fn is_alike(a: &MachineSummary, b: &MachineSummary) -> bool {
    (&a.configuration, &a.kernel, &a.qemu_path) == (&b.configuration, &b.kernel, &b.qemu_path)
        && (&a.qemu_sha256, &a.added, &a.interfaces) == (&b.qemu_sha256, &b.added, &b.interfaces)
}

fn machine(cell: &Measured<'_>, target: &TargetRecord, hello: Option<&AgentRecord>) -> MachineSummary {
    let running = target.running.as_ref();
    MachineSummary {
        configuration: cell.configuration().to_owned(),
        kernel: cell.cell().subject.kernel.clone(),
        blocks: 1,
        qemu_path: running.map(|running| running.path.clone()).unwrap_or_default(),
        qemu_sha256: running.map(|running| running.sha256.clone()).unwrap_or_default(),
        added: running.map(|running| added(&target.command_line, &running.command_line)).unwrap_or_default(),
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

fn interface(interface: &InterfaceRecord) -> InterfaceSummary {
    let InterfaceRecord { name, driver, mtu_bytes, virtio_features, offloads } = interface.clone();
    InterfaceSummary { name, driver, mtu_bytes, virtio_features, offloads }
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
