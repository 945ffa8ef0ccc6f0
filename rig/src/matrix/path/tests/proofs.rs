//! What a path asks for as a proof is counted by something: for every path of the shipped matrix, on every kind of host and link.

use std::collections::BTreeSet;

use super::*;
use crate::middlebox::{Engine, Word};
use crate::path::{
    Addressing, HaProxyCount, Mechanisms, Need, NetOps, NetemCount, PathCounter, TargetLink, Unable, compile,
    rules,
};

const SHIPPED: &str = include_str!("../../../../../matrix.toml");

/// Every counter that will be there while a block is played on this path, by whoever counts it.
fn counted(path: &PathSpec, ops: &NetOps) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        PathCounter::of_faults(&path.faults).map(|name| name.to_string()).collect();
    if let Some(between) = &ops.middlebox {
        names.extend(Engine::new(&between.spec).expect("sound").counters().into_keys());
    }
    if ops.haproxy.is_some() {
        names.extend(HaProxyCount::ALL.iter().map(|what| PathCounter::HaProxy(*what).to_string()));
    }
    for (_, direction) in ops.queues() {
        names.extend(NetemCount::ALL.iter().map(|what| PathCounter::Netem(direction, *what).to_string()));
    }
    for ruleset in ops.rulesets.iter().chain(&ops.guest_ruleset) {
        let declared = ruleset.text.lines().filter_map(|line| line.trim().strip_prefix("counter "));
        let of_nft = declared.filter_map(|rest| Some((rest.split(' ').next()?.to_owned(), 0))).collect();
        names.extend(rules::of_rules(of_nft).into_keys());
    }
    names
}

/// The counters that the proofs of a compiled path name.
fn asked(ops: &NetOps) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for proof in &ops.proofs {
        names.insert(proof.counter.clone());
        if let Need::ByChance { of, .. } = &proof.need {
            names.insert(of.clone());
        }
    }
    names
}

/// Of these, what nobody counts.
fn uncounted(path: &PathSpec, ops: &NetOps) -> BTreeSet<String> {
    asked(ops).difference(&counted(path, ops)).cloned().collect()
}

/// The path on hosts with and without netem, as a host's and as a guest's; what cannot be had there is left out.
fn compiled(path: &PathSpec) -> Vec<NetOps> {
    let without_netem = Mechanisms { netem: Err(Unable::NoNetem), ..Mechanisms::all() };
    let hosts = [Mechanisms::all(), without_netem];
    let links = [TargetLink::Veth, TargetLink::Tap { queues: 1 }];
    let each = hosts.iter().flat_map(|host| links.map(|link| (host, link)));
    each.filter_map(|(host, link)| compile(path, Addressing::default(), link, host, 1).ok()).collect()
}

#[test]
fn every_shipped_proof_is_counted() {
    let matrix = Matrix::parse("matrix.toml", SHIPPED, Path::new(".")).expect("valid");
    let mut proven = 0;
    for path in matrix.paths.iter().chain([&everything()]) {
        let made = compiled(path);
        assert!(made.len() >= 2, "{}: it can be made on a host that has everything", path.name);
        for ops in made {
            assert_eq!(uncounted(path, &ops), BTreeSet::new(), "path {}: nobody counts these", path.name);
            proven += ops.proofs.len();
        }
    }
    assert!(proven > 100, "{proven}");
}

/// The test above can fail: a proof that is spelled otherwise than what is counted is found.
#[test]
fn a_misspelt_proof_is_found() {
    let path = everything();
    for mut ops in compiled(&path) {
        let proof = ops.proofs.last_mut().expect("a path with everything asks for proofs");
        proof.counter.push('s');
        let misspelt = proof.counter.clone();
        assert_eq!(uncounted(&path, &ops), BTreeSet::from([misspelt]));
    }
}

/// What a scenario itself demands of the path that it is played on.
#[test]
fn every_shipped_scenario_names_a_counter_of_its_path() {
    let matrix = Matrix::parse("matrix.toml", SHIPPED, Path::new(".")).expect("valid");
    let nightly = crate::matrix::Selection { profile: Some("nightly".into()), filters: vec![], trials: None };
    for cell in matrix.cells(&nightly).expect("cells") {
        let path = &cell.subject.path;
        for named in cell.proof.iter().filter_map(|counter| counter.strip_prefix("path.")) {
            let made = compiled(path);
            assert!(
                made.iter().any(|ops| counted(path, ops).contains(named)),
                "{}: {named}",
                cell.describe()
            );
        }
    }
}
