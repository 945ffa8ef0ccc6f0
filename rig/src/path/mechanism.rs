//! Which mechanism makes what a path means, on this host; and which counters prove that it did.
//!
//! Pure. Must not know how a mechanism is set up. Units: none.
//! Errors: [`PathError::Mechanism`], which says what is asked for and why it cannot be had. Tests: below.

use super::counters::{HaProxyCount, NatCount, NetemCount, PathCounter};
use super::error::PathError;
use super::host::Mechanisms;
use super::netem::Netem;
use super::ops::{Need, Proof};
use super::spec::{FaultKind, Impairments, Matches, Mechanism, OnMarkedDown, PathSpec};
use crate::middlebox::{
    Action, ActionCount, Deed, Direction, FirewallCount, FlowCount, GoneCount, Impairment, LinkCount,
    MiddleboxCounter, ResetCount, Resetter, Towards,
};

/// What makes the impairments of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// Nothing is impaired.
    None,
    /// netem on what leaves the switch, by direction.
    Netem { to_peer: Option<Netem>, to_target: Option<Netem> },
    /// The own middlebox.
    Middlebox,
}

/// Picks one, and says in words why that one.
pub(super) fn choose(path: &PathSpec, host: &Mechanisms) -> Result<(Choice, Vec<String>), PathError> {
    let Some(impairments) = &path.impairments else { return Ok((Choice::None, vec![])) };
    let words = describe(impairments);
    let own = |why: &str| Ok((Choice::Middlebox, vec![format!("{words}: rig's own middlebox ({why})")]));
    let able = as_netem(impairments);
    match impairments.mechanism {
        Mechanism::Middlebox => own("as the path says"),
        Mechanism::Auto if path.needs_middlebox() => own("the path has one anyway"),
        Mechanism::Auto => match (able, &host.netem) {
            (Err(what), _) => own(&format!("netem cannot do {what}")),
            (Ok(_), Err(why)) => own(&why.to_string()),
            (Ok(choice), Ok(())) => Ok((choice, vec![format!("{words}: netem (the host has it)")])),
        },
        Mechanism::Netem => match (able, &host.netem) {
            (Ok(choice), Ok(())) => Ok((choice, vec![format!("{words}: netem (as the path says)")])),
            (Err(what), _) => Err(PathError::lacking(path, "netem", &format!("netem cannot do {what}"))),
            (Ok(_), Err(why)) => Err(PathError::lacking(path, "netem", why)),
        },
    }
}

fn as_netem(impairments: &Impairments) -> Result<Choice, &'static str> {
    let one = |impairment: &Impairment| match *impairment == Impairment::none() {
        true => Ok(None),
        false => Netem::of(impairment).map(Some),
    };
    Ok(Choice::Netem { to_peer: one(&impairments.to_peer)?, to_target: one(&impairments.to_target)? })
}

/// `delay, loss to_target; delay to_peer`
fn describe(impairments: &Impairments) -> String {
    let of = |impairment: &Impairment| {
        [
            (impairment.delay_ns > 0, "delay"),
            (impairment.jitter_ns > 0, "jitter"),
            (impairment.rate_bits_per_s > 0, "rate"),
            (impairment.loss_ppm > 0, "loss"),
            (impairment.duplicate_ppm > 0, "duplicate"),
            (impairment.reorder_ppm > 0, "reorder"),
            (impairment.mtu_bytes > 0, "MTU"),
        ]
        .into_iter()
        .filter_map(|(there, word)| there.then_some(word))
        .collect::<Vec<_>>()
        .join(", ")
    };
    let said: Vec<String> = impairments
        .by_direction()
        .into_iter()
        .filter(|(_, impairment)| **impairment != Impairment::none())
        .map(|(direction, impairment)| format!("{} {}", of(impairment), direction.name()))
        .collect();
    said.join("; ")
}

/// The counters that show that every part did what it is for.
pub(super) fn proofs(path: &PathSpec, choice: Choice) -> Vec<Proof> {
    let mut asked = vec![];
    for (direction, impairment) in path.impairments.iter().flat_map(Impairments::by_direction) {
        asked.extend(of_impairment(direction, impairment, choice));
    }
    let armed_later = |name: &str| {
        path.faults.iter().any(|fault| matches!(&fault.kind, FaultKind::Arm { action } if action == name))
    };
    for action in &path.actions {
        let need = if armed_later(&action.name) { Need::Once } else { Need::EveryTrial };
        asked.extend(of_action(action).into_iter().map(|counter| (counter, need.clone())));
    }
    asked.extend(of_boxes(path).into_iter().map(|counter| (counter.into(), Need::EveryTrial)));
    asked.extend(of_haproxy(path));
    asked.extend(path.nat.iter().map(|_| (PathCounter::Nat(NatCount::Connections), Need::EveryTrial)));
    for rule in &path.rules {
        let need = match rule.matches {
            Matches::EveryTrial => Need::EveryTrial,
            Matches::Sometimes => Need::Once,
            Matches::Never => Need::Never,
        };
        asked.push((PathCounter::Rule(rule.name.clone()), need));
    }
    for fault in &path.faults {
        asked.push((PathCounter::Fault(fault.name.clone()), Need::Once));
        if fault.kind == FaultKind::HostGone {
            asked.push((MiddleboxCounter::Gone(GoneCount::Connections).into(), Need::EveryTrial));
        }
    }
    asked.into_iter().map(|(counter, need)| Proof { counter: counter.to_string(), need }).collect()
}

fn of_action(action: &Action) -> Vec<PathCounter> {
    let name = action.name.clone();
    match &action.deed {
        Deed::Hold { .. } | Deed::Drop => {
            vec![MiddleboxCounter::Action(name, ActionCount::Connections).into()]
        }
        Deed::InjectRst { towards, .. } | Deed::InjectData { towards, .. } => {
            resets(Resetter::Action(name), *towards).map(PathCounter::Middlebox).collect()
        }
    }
}

fn of_boxes(path: &PathSpec) -> Vec<MiddleboxCounter> {
    let mut asked = vec![];
    let forgets = path.faults.iter().any(|fault| fault.kind == FaultKind::ForgetConnections);
    match &path.firewall {
        // Whoever speaks after it forgot is a stranger to it.
        Some(_) if forgets => asked.push(MiddleboxCounter::Firewall(FirewallCount::StrangerConnections)),
        Some(firewall) => match firewall.reset.towards() {
            Some(towards) => asked.extend(resets(Resetter::Firewall, towards)),
            None => asked.push(MiddleboxCounter::Firewall(FirewallCount::Expired)),
        },
        None => {}
    }
    asked.extend(path.ips.iter().flat_map(|ips| resets(Resetter::Ips, ips.reset)));
    asked.extend(path.balancer.iter().flat_map(|balancer| resets(Resetter::Balancer, balancer.reset)));
    asked
}

fn of_haproxy(path: &PathSpec) -> Vec<(PathCounter, Need)> {
    let Some(haproxy) = &path.haproxy else { return vec![] };
    let mut asked = vec![(HaProxyCount::Sessions, Need::EveryTrial)];
    if path.faults.iter().any(|fault| fault.kind == FaultKind::BackendDown) {
        asked.push((HaProxyCount::MarkedDown, Need::Once));
        if haproxy.on_marked_down == OnMarkedDown::ShutdownSessions {
            asked.push((HaProxyCount::ShutDown, Need::EveryTrial));
        }
    }
    asked.into_iter().map(|(what, need)| (PathCounter::HaProxy(what), need)).collect()
}

/// The counters of connections of which an end was reset. Not of resets: one connection may get several, and prove nothing for another.
fn resets(by: Resetter, towards: Towards) -> impl Iterator<Item = MiddleboxCounter> {
    towards
        .directions()
        .iter()
        .map(move |to| MiddleboxCounter::Reset(by.clone(), ResetCount::Connections, *to))
}

fn of_impairment(to: Direction, impairment: &Impairment, choice: Choice) -> Vec<(PathCounter, Need)> {
    if *impairment == Impairment::none() {
        return vec![];
    }
    match choice {
        Choice::None => vec![],
        Choice::Netem { .. } => of_netem(to, impairment),
        Choice::Middlebox => of_line(to, impairment),
    }
}

fn of_netem(to: Direction, impairment: &Impairment) -> Vec<(PathCounter, Need)> {
    let counter = |what| PathCounter::Netem(to, what);
    let mut asked = vec![(counter(NetemCount::Packets), Need::EveryTrial)];
    if impairment.loss_ppm > 0 {
        let of = counter(NetemCount::Packets).to_string();
        let need = Need::ByChance { chance_ppm: impairment.loss_ppm, of };
        asked.push((counter(NetemCount::Dropped), need));
    }
    asked
}

fn of_line(to: Direction, impairment: &Impairment) -> Vec<(PathCounter, Need)> {
    let counter = |what| PathCounter::Middlebox(MiddleboxCounter::Link(to, what));
    let mut asked = vec![];
    if impairment.delay_ns > 0 || impairment.jitter_ns > 0 {
        asked.push((counter(LinkCount::Delayed), Need::EveryTrial));
    }
    // In the order of the dice: what is lost is not reordered, and what is reordered not duplicated.
    let mut left = 1.0;
    for (ppm, what) in [
        (impairment.loss_ppm, LinkCount::Lost),
        (impairment.reorder_ppm, LinkCount::Reordered),
        (impairment.duplicate_ppm, LinkCount::Duplicated),
    ] {
        if ppm > 0 {
            let chance_ppm = (f64::from(ppm) * left) as u32;
            let of = counter(LinkCount::Thrown).to_string();
            asked.push((counter(what), Need::ByChance { chance_ppm, of }));
        }
        left *= 1.0 - f64::from(ppm) / 1e6;
    }
    if impairment.mtu_bytes > 0 {
        asked.push((counter(LinkCount::TooLong), Need::EveryTrial));
    }
    if impairment.rate_bits_per_s > 0 {
        let forwarded = MiddleboxCounter::Flow(FlowCount::Forwarded, to);
        asked.push((forwarded.into(), Need::EveryTrial));
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::super::host::Unable;
    use super::*;
    use crate::middlebox::{Condition, JitterOrder, Sequence};
    use crate::path::{Fault, Hook, Place, Rule, RuleSelect, RuleVerdict};

    #[test]
    fn what_comes_by_chance_is_proven_by_what_passed() {
        let way = Impairment { loss_ppm: 500_000, duplicate_ppm: 10_000, ..Impairment::none() };
        let impairments =
            Impairments { mechanism: Mechanism::Auto, to_peer: Impairment::none(), to_target: way };
        let path = PathSpec { impairments: Some(impairments), ..PathSpec::plain("bad", 1500) };
        let asked = |choice| -> Vec<(String, Need)> {
            proofs(&path, choice).into_iter().map(|Proof { counter, need }| (counter, need)).collect()
        };
        let by_chance = |chance_ppm, of: &str| Need::ByChance { chance_ppm, of: of.into() };
        assert_eq!(
            asked(Choice::Middlebox),
            [
                ("link.to_target.lost".to_owned(), by_chance(500_000, "link.to_target.thrown")),
                ("link.to_target.duplicated".to_owned(), by_chance(5_000, "link.to_target.thrown")),
            ],
            "half of the frames are lost before the dice for the copy are thrown"
        );
        assert_eq!(
            asked(Choice::Netem { to_peer: None, to_target: None }),
            [
                ("netem.to_target.packets".to_owned(), Need::EveryTrial),
                ("netem.to_target.dropped".to_owned(), by_chance(500_000, "netem.to_target.packets")),
            ]
        );
    }

    fn delayed(mechanism: Mechanism, order: JitterOrder) -> PathSpec {
        let way = Impairment { delay_ns: 5, jitter_ns: 5, jitter_order: order, ..Impairment::none() };
        let impairments = Impairments { mechanism, to_peer: Impairment::none(), to_target: way };
        PathSpec { impairments: Some(impairments), ..PathSpec::plain("slow", 1500) }
    }

    fn without_netem() -> Mechanisms {
        Mechanisms { netem: Err(Unable::NoNetem), ..Mechanisms::all() }
    }

    #[test]
    fn auto_takes_netem_where_it_is_and_can_and_says_so() {
        let can = delayed(Mechanism::Auto, JitterOrder::MayReorder);
        let (choice, words) = choose(&can, &Mechanisms::all()).expect("possible");
        assert!(matches!(choice, Choice::Netem { to_peer: None, to_target: Some(_) }));
        assert_eq!(words, ["delay, jitter to_target: netem (the host has it)"]);
        let (choice, words) = choose(&can, &without_netem()).expect("possible");
        assert_eq!(choice, Choice::Middlebox);
        assert_eq!(words, [format!("delay, jitter to_target: rig's own middlebox ({})", Unable::NoNetem)]);
        let (choice, words) =
            choose(&delayed(Mechanism::Auto, JitterOrder::Keep), &Mechanisms::all()).expect("possible");
        assert_eq!(choice, Choice::Middlebox);
        assert!(words[0].ends_with("(netem cannot do jitter that keeps the order)"), "{words:?}");
    }

    #[test]
    fn what_is_demanded_is_had_or_refused() {
        let demanded = delayed(Mechanism::Netem, JitterOrder::MayReorder);
        assert!(matches!(choose(&demanded, &Mechanisms::all()), Ok((Choice::Netem { .. }, _))));
        let refused = choose(&demanded, &without_netem()).expect_err("there is none");
        assert_eq!(refused.to_string(), format!("path slow asks for netem: {}", Unable::NoNetem));
        let own = delayed(Mechanism::Middlebox, JitterOrder::MayReorder);
        assert!(matches!(choose(&own, &Mechanisms::all()), Ok((Choice::Middlebox, _))));
    }

    #[test]
    fn every_part_has_its_proof() {
        let forge = Action {
            name: "forge".into(),
            armed: true,
            when: Condition::default(),
            first: 1,
            deed: Deed::InjectRst {
                towards: Towards::Both,
                sequence: Sequence::Exact,
                delay_ns: 0,
                times: 1,
                gap_ns: 0,
            },
        };
        let rule = Rule {
            name: "reject".into(),
            at: Place::Target,
            hook: Hook::Input,
            select: RuleSelect::default(),
            verdict: RuleVerdict::Count,
            matches: Matches::Never,
        };
        let fault =
            Fault { name: "later".into(), kind: FaultKind::LinkDown, after_ns: 0, for_ns: 0, every_ns: 0 };
        let path = PathSpec {
            actions: vec![forge],
            rules: vec![rule],
            faults: vec![fault],
            ..delayed(Mechanism::Auto, JitterOrder::Keep)
        };
        let said: Vec<String> = proofs(&path, Choice::Middlebox)
            .into_iter()
            .map(|Proof { counter, need }| format!("{counter} {need:?}"))
            .collect();
        assert_eq!(
            said,
            [
                "link.to_target.delayed EveryTrial",
                "action.forge.connections.to_peer EveryTrial",
                "action.forge.connections.to_target EveryTrial",
                "rule.reject Never",
                "fault.later Once",
            ]
        );
    }
}
