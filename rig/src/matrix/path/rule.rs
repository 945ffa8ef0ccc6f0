//! `[path.NAME.rule.NAME]`: rules of the kernel's packet filter.
//!
//! Must not know nft's language. Units: ports. Errors: problems at the key; they blame the matrix file.
//! Tests: `tests.rs`, `tests/diagnostics/path`.

use super::keys::{RULE, names};
use super::piece::{Piece, required};
use super::value::port;
use super::words::{FLAGS, HOOKS, MATCHES, PLACES, VERDICTS};
use crate::document::{Findings, Node};
use crate::matrix::configuration::{choice, optional};
use crate::path::{Hook, Matches, Place, Rule, RuleSelect, TcpFlag};

/// One rule.
pub(super) fn read(findings: &mut Findings, piece: &Piece<'_>) -> Option<Rule> {
    let Piece { key, table, what } = piece;
    findings.refuse_unknown_keys(table, what, &names(RULE.keys));
    let at =
        required(findings, piece, RULE.keys, "at", |findings, node| choice(findings, node, "`at`", &PLACES));
    let hook = match (table.get("hook"), at) {
        (Some(node), _) => choice(findings, node, "`hook`", &HOOKS),
        // A switch has one hook.
        (None, Some(Place::Switch)) => Some(Hook::Forward),
        (None, Some(Place::Target | Place::Peer)) => {
            findings.missing(key.span.clone(), what, "hook", "hook = \"input\" (or output)");
            None
        }
        (None, None) => None,
    };
    if let (Some(at), Some(hook)) = (at, hook) {
        refuse_hook(findings, piece, at, hook);
    }
    let verdict = required(findings, piece, RULE.keys, "verdict", |findings, node| {
        choice(findings, node, "`verdict`", &VERDICTS)
    });
    if at == Some(Place::Switch) && verdict.is_some_and(|verdict| verdict.reject_with().is_some()) {
        refuse_reject_at_switch(findings, piece);
    }
    let matches =
        optional(table, "matches", Matches::EveryTrial, |node| choice(findings, node, "`matches`", &MATCHES));
    let mut port_of =
        |name| optional(table, name, None, |node| port(findings, node, &format!("`{name}`")).map(Some));
    let (source_port, destination_port) = (port_of("source_port"), port_of("destination_port"));
    let flags = optional(table, "flags", vec![], |node| flags(findings, node));
    let invalid = optional(table, "invalid", false, |node| findings.boolean(node, "`invalid`"));
    let select = RuleSelect {
        source_port: source_port?,
        destination_port: destination_port?,
        flags: flags?,
        invalid: invalid?,
    };
    Some(Rule { name: key.name.clone(), at: at?, hook: hook?, select, verdict: verdict?, matches: matches? })
}

/// What is for the machine itself or from it passes input and output; only a switch forwards.
fn refuse_hook(findings: &mut Findings, piece: &Piece<'_>, at: Place, hook: Hook) {
    let (label, help) = match (at, hook) {
        (Place::Switch, Hook::Input | Hook::Output) => {
            ("a switch only forwards what passes", "write hook = \"forward\", or leave it out")
        }
        (Place::Target | Place::Peer, Hook::Forward) => {
            ("an end of the connection forwards nothing", "write hook = \"input\" or \"output\"")
        }
        (Place::Switch, Hook::Forward) | (Place::Target | Place::Peer, Hook::Input | Hook::Output) => return,
    };
    findings
        .report(piece.place("hook"), format!("{} would never match", piece.what), label)
        .also(piece.place("at"), "here")
        .help(help);
}

/// The kernel's bridge rejects what comes in or is for itself, not what it forwards (`nft_reject_bridge_validate`,
/// net/bridge/netfilter/nft_reject_bridge.c).
fn refuse_reject_at_switch(findings: &mut Findings, piece: &Piece<'_>) {
    findings
        .report(
            piece.place("verdict"),
            format!("{} cannot reject", piece.what),
            "a bridge cannot reject what it forwards",
        )
        .also(piece.place("at"), "here")
        .help("put the rule at \"peer\" or \"target\"; or make two actions of it: do = \"drop\", and do = \"inject-rst\" towards whom the reset is for");
}

/// Flags in one order, whatever the file's: the same rule is the same cell.
fn flags(findings: &mut Findings, node: &Node) -> Option<Vec<TcpFlag>> {
    let items = findings.list(node, "`flags`")?;
    if items.is_empty() {
        findings
            .report(node.span.clone(), "`flags` is empty", "no flag is named")
            .help("leave it out: a rule without flags takes segments with any");
        return None;
    }
    let mut flags = Vec::new();
    let mut sound = true;
    for item in items {
        match choice(findings, item, "each value of `flags`", &FLAGS) {
            Some(flag) if flags.contains(&flag) => {
                findings
                    .report(item.span.clone(), "a flag is named twice", "named before")
                    .help("once is enough");
                sound = false;
            }
            Some(flag) => flags.push(flag),
            None => sound = false,
        }
    }
    flags.sort_unstable();
    sound.then_some(flags)
}
