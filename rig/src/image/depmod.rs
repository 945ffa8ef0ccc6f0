//! What depmod(8) would write about the modules that wait to be asked for: their dependencies and their aliases.
//!
//! Debian makes these files at installation. With them the kernel finds, through `/sbin/modprobe`, what a program in the guest asks for
//! (`request_module`, kernel/kmod.c). Must not know archives. Units: none. Errors: none.
//! Formats: modules.dep(5), and depmod's comments in modules.alias. Tests: below.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::modules::Module;

/// File of a module, in the folder in which the index lies.
pub(super) fn file_name(module: &Module) -> String {
    format!("{}.ko", module.name)
}

/// `modules.dep` of `modules`, which stand in an order in which they can be loaded: each with all that it needs among them, the deepest
/// last, as modprobe wants it. What they need beyond that is loaded at boot.
pub(super) fn dependencies(modules: &[Module]) -> String {
    let known: BTreeMap<&str, &Module> =
        modules.iter().map(|module| (module.name.as_str(), module)).collect();
    let mut text = String::new();
    for module in modules {
        let _ = write!(text, "{}:", file_name(module));
        let needed = all_needs(module, &known);
        // The order in which they can be loaded, backwards.
        for need in modules.iter().rev().filter(|other| needed.contains(other.name.as_str())) {
            let _ = write!(text, " {}", file_name(need));
        }
        text.push('\n');
    }
    text
}

fn all_needs<'a>(module: &'a Module, known: &BTreeMap<&str, &'a Module>) -> BTreeSet<&'a str> {
    let mut needed = BTreeSet::new();
    let mut open = vec![module];
    while let Some(next) = open.pop() {
        for need in next.needs.iter().filter_map(|name| known.get(name.as_str())) {
            if needed.insert(need.name.as_str()) {
                open.push(need);
            }
        }
    }
    needed
}

/// `modules.alias` of `modules`.
pub(super) fn aliases(modules: &[Module]) -> String {
    let mut text = String::new();
    for module in modules {
        for alias in &module.aliases {
            let _ = writeln!(text, "alias {alias} {}", module.name);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(name: &str, needs: &[&str], aliases: &[&str]) -> Module {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Module { name: name.to_owned(), bytes: vec![], needs: owned(needs), aliases: owned(aliases) }
    }

    #[test]
    fn each_line_has_all_that_a_module_needs_the_deepest_last() {
        let modules = [
            module("libcrc32c", &[], &[]),
            module("nfnetlink", &["virtio"], &["net-pf-16-proto-12"]),
            module("nf_tables", &["nfnetlink", "libcrc32c"], &["nfnetlink-subsys-10"]),
            module("nft_ct", &["nf_tables"], &["nft-expr-ct", "nft-obj-3"]),
        ];
        assert_eq!(
            dependencies(&modules),
            "libcrc32c.ko:\n\
             nfnetlink.ko:\n\
             nf_tables.ko: nfnetlink.ko libcrc32c.ko\n\
             nft_ct.ko: nf_tables.ko nfnetlink.ko libcrc32c.ko\n",
            "virtio is loaded at boot"
        );
        assert_eq!(
            aliases(&modules),
            "alias net-pf-16-proto-12 nfnetlink\n\
             alias nfnetlink-subsys-10 nf_tables\n\
             alias nft-expr-ct nft_ct\n\
             alias nft-obj-3 nft_ct\n"
        );
    }
}
