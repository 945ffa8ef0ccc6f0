//! What a run says of the claims about paths: made-up cells whose truth is known.

use std::collections::BTreeMap;

use rig::analysis::model::{
    Because, CellReason, CellStatus, Hypothesis, HypothesisVerdict, IdleRule, Missing, ReportModel,
};
use rig::middlebox::Impairment;
use rig::path::{
    Hook, Impairments, Matches, Mechanism, Medium, PathSpec, Place, Rule, RuleSelect, RuleVerdict,
};
use rig::report::Format;
use rig_protocol::{Errno, Returned, Tally, TcpState};

use crate::fixture::{BLOCK, Bench, Play, cell, sound};

use HypothesisVerdict::{Documented, Refuted, Supported, Undecided};

/// A run with its controls, in which a test plays cells of shipped scenarios in so many blocks each.
struct Played(Bench, u32);

impl Played {
    fn new() -> Self {
        Self::in_blocks(2)
    }

    fn in_blocks(blocks: u32) -> Self {
        Self(sound(), blocks)
    }

    /// The blocks of a shipped scenario over a path, each with these outcomes (per thousand); the verdict call returned what their first
    /// label says. Whether the RST had been processed before the call is `before`, in trials per block.
    fn with(mut self, (scenario, path): (&str, PathSpec), outcomes: &[(&str, u64)], before: u64) -> Self {
        self.add(("bare-metal", "host"), (scenario, path), outcomes, before);
        self
    }

    fn add(
        &mut self,
        (configuration, kernel): (&str, &str),
        (scenario, path): (&str, PathSpec),
        outcomes: &[(&str, u64)],
        before: u64,
    ) {
        let model = Bench::block(&mut self.0, Play::Base, configuration, kernel, 0).clone();
        let mut cell = cell(Play::Base, configuration, kernel);
        cell.claims = rig::script::shipped(scenario).expect("shipped").claims;
        cell.subject.scenario = scenario.to_owned();
        cell.subject.path = path;
        (cell.blocks, cell.trials) = (self.1, u64::from(self.1) * BLOCK);
        cell.id = cell.subject.id();
        let planned = self.0.record.blocks.len();
        self.0.plan(cell);
        for plan in self.0.record.blocks[planned..].iter().cloned() {
            let mut block = model.clone();
            (block.id, block.cell, block.records) = (plan.id, plan.cell, 0);
            block.tally = tally(outcomes, before);
            self.0.blocks.push((block, Vec::new()));
        }
    }

    fn model(&self) -> ReportModel {
        self.0.model()
    }

    fn says(&self, id: &str) -> Hypothesis {
        self.model().hypotheses.into_iter().find(|hypothesis| hypothesis.id == id).expect("tested")
    }

    fn verdict(&self, id: &str) -> HypothesisVerdict {
        self.says(id).verdict
    }
}

fn tally(outcomes: &[(&str, u64)], before: u64) -> Tally {
    let mut tally = Tally { trials: BLOCK, ..Tally::default() };
    for (outcome, n) in outcomes {
        let returned = match outcome.split(',').next().expect("split gives one") {
            "timeout" => Returned::ZERO,
            "readable" => Returned::ONE,
            errno => Returned::failed(errno.parse().expect("its name")),
        };
        *tally.returns.entry(returned).or_default() += n;
        tally.outcomes.insert((*outcome).to_owned(), *n);
    }
    tally.state_before = BTreeMap::from([(TcpState::CLOSE.0, before), (1, BLOCK - before)]);
    tally
}

fn over(path: &str) -> PathSpec {
    PathSpec::plain(path, 1500)
}

/// A path with this round trip.
fn far(path: &str, round_trip_ms: u64) -> PathSpec {
    let way = Impairment { delay_ns: round_trip_ms * 500_000, ..Impairment::none() };
    let impairments = Impairments { mechanism: Mechanism::Auto, to_peer: way.clone(), to_target: way };
    PathSpec { impairments: Some(impairments), ..over(path) }
}

const BASE: &str = "readable,data,ECONNRESET";

/// The rule of method 4 on a separate client: it matches nothing, and that is the claim under test.
fn without_effect() -> PathSpec {
    let rule = Rule {
        name: "reject".into(),
        at: Place::Target,
        hook: Hook::Input,
        select: RuleSelect { destination_port: Some(8083), ..RuleSelect::default() },
        verdict: RuleVerdict::RejectTcpReset,
        matches: Matches::Never,
    };
    PathSpec { rules: vec![rule], ..over("reject-on-client") }
}

#[test]
fn a_rule_that_matched_nothing_is_said_to_have_had_no_effect() {
    let mut played = Played::new().with(("rst", without_effect()), &[(BASE, BLOCK)], BLOCK);
    for (block, _) in played.0.blocks.iter_mut().rev().take(2) {
        block.path.mechanisms = vec!["rule reject: nft in the target's namespace".into()];
        block.path.counters = BTreeMap::from([("rule.reject".into(), 0), ("idle".into(), 0)]);
    }
    let model = played.model();
    let cell = model.cells.iter().find(|cell| cell.path == "reject-on-client").expect("it was played");
    assert_eq!(cell.status, CellStatus::Complete);
    let idle = IdleRule { name: "reject".into(), matched: 0, trials: 2 * BLOCK };
    assert_eq!(cell.reason, Some(CellReason::WithoutEffect(vec![idle])));
    assert_eq!(cell.path_counters, BTreeMap::from([("rule.reject".to_owned(), 0)]));
    let text = Format::TEXT.render(&model);
    for line in [
        "complete: fault had no effect: rule reject matched 0 packets in 2,000 trials",
        "ended as readable,data,ECONNRESET in 2,000",
        "on the way: rule reject: nft in the target's namespace",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn a_claim_that_select_fails_is_refuted_by_calls_that_do_not_and_supported_by_one_that_does() {
    for (id, scenario, path) in [
        ("H31", "path-resets", "firewall-idle"),
        ("H32", "path-resets", "haproxy-down"),
        ("H33", "forged-rst", "forged-plus-1000"),
        ("H34", "rst", "overtake"),
        ("H35", "rst", "method-1"),
        ("H38", "path-resets", "reject-on-server"),
        ("H56", "path-resets", "forged-exact"),
    ] {
        let quiet = Played::new().with((scenario, over(path)), &[(BASE, BLOCK)], BLOCK);
        let said = quiet.says(id);
        assert_eq!(said.verdict, Refuted, "{id}: {}", said.because);
        assert!(
            said.because.to_string().contains(&format!("{BASE} in 2,000 of 2,000 on {path}")),
            "{}",
            said.because
        );
        let loud =
            Played::new().with((scenario, over(path)), &[(BASE, BLOCK - 1), ("EBADF,data,eof", 1)], BLOCK);
        assert_eq!(loud.verdict(id), Supported, "{id}");
    }
}

#[test]
fn a_claim_about_a_path_is_not_tested_elsewhere() {
    let mut played = Played::new().with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
    for id in ["H29", "H34", "H35", "H38"] {
        let said = played.says(id);
        assert_eq!((said.verdict, said.because), (Undecided, Because::Missing(Missing::Cell)), "{id}");
        assert!(said.cells.is_empty(), "{id}");
    }
    played = played.with(("rst", over("overtake")), &[(BASE, BLOCK)], BLOCK);
    assert_eq!(played.says("H29").cells.len(), 1, "only the cell on its path");
    assert!(played.says("H35").cells.is_empty());
}

#[test]
fn a_claim_about_an_end_is_decided_by_the_share_of_trials_that_end_so() {
    let lost = "readable,ECONNRESET,eof";
    for (id, scenario, path, claimed, otherwise) in [
        ("H22", "state-lost", "firewall-restart", "readable,ECONNRESET", "readable,data"),
        ("H23", "forged-rst", "forged-outside", "readable,ECONNRESET,eof", "timeout,ok,data"),
        ("H24", "path-resets", "balancer-down", BASE, "readable,data,eof"),
        ("H26", "rst-patient", "lose-data", lost, BASE),
        ("H29", "rst", "overtake", "EBADF,ECONNRESET,eof", BASE),
        ("H60", "rst-corked", "direct", lost, BASE),
    ] {
        let with = |outcomes: &[(&str, u64)]| {
            Played::in_blocks(8).with((scenario, over(path)), outcomes, BLOCK).verdict(id)
        };
        assert_eq!(with(&[(claimed, BLOCK)]), Supported, "{id}");
        assert_eq!(with(&[(otherwise, BLOCK)]), Refuted, "{id}");
        assert_eq!(with(&[(claimed, BLOCK - 1), (otherwise, 1)]), Supported, "{id}: within the margin");
        assert_eq!(with(&[(claimed, BLOCK - 20), (otherwise, 20)]), Undecided, "{id}: 2 % is beyond it");
    }
    let mut few = Played::new().with(("rst-corked", over("direct")), &[(lost, BLOCK)], BLOCK);
    few.0.record.judgement.margin = 0.000_1;
    let said = few.says("H60");
    assert_eq!(said.verdict, Undecided);
    assert!(
        said.because
            .to_string()
            .contains("0 are not, too few for the margin: 53,213 in blocks of this size would do; "),
        "{}",
        said.because
    );
}

#[test]
fn what_decides_nothing_is_shown_beside() {
    let played = Played::new().with(("path-resets", over("balancer-down")), &[(BASE, BLOCK)], BLOCK).with(
        ("path-resets", over("haproxy-down")),
        &[("readable,data,eof", BLOCK)],
        0,
    );
    let said = played.says("H24");
    assert_eq!(said.verdict, Supported);
    assert!(
        said.because.to_string().ends_with("readable,data,eof in 2,000 of 2,000 on haproxy-down"),
        "{}",
        said.because
    );
    assert_eq!(said.cells.len(), 1);
}

#[test]
fn a_longer_way_shifts_the_order_or_does_not() {
    let swept = |blocks: u32, near: u64, far_away: u64| {
        Played::in_blocks(blocks)
            .with(("rst", over("direct")), &[(BASE, BLOCK)], near)
            .with(("rst", far("rtt-10ms", 10)), &[(BASE, BLOCK)], near)
            .with(("rst", far("rtt-500ms", 500)), &[(BASE, BLOCK)], far_away)
            .says("H25")
    };
    let shifted = swept(8, BLOCK, 0);
    assert_eq!(shifted.verdict, Supported, "{}", shifted.because);
    assert!(
        shifted
            .because
            .to_string()
            .contains("8,000 of 8,000 with rst, path direct, and in 0 of 8,000 with rst, path rtt-500ms"),
        "{}",
        shifted.because
    );
    assert_eq!(swept(8, BLOCK, BLOCK).verdict, Refuted);
    assert_eq!(swept(2, BLOCK, BLOCK - 2).verdict, Undecided, "a small shift is neither");
    assert_eq!(swept(8, 0, BLOCK).verdict, Refuted, "the other way round is not what is claimed");
    let said = swept(2, BLOCK, 0);
    assert_eq!(said.verdict, Undecided, "two boots a side differ so by chance in one of three");
    assert!(
        said.because.to_string().contains("single trials differ, and whole boots are too few"),
        "{}",
        said.because
    );
    let alone = Played::new().with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
    assert_eq!(alone.verdict("H25"), Undecided);
}

#[test]
fn only_guests_on_kvm_speak_for_kvm_and_zeros_do_not_tell_which_errno_it_is() {
    let mut played = Played::in_blocks(8);
    played.add(("virtio-tap", "6.1"), ("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
    played.add(("bare-metal", "host"), ("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
    assert_eq!((played.verdict("H30"), played.verdict("H36")), (Undecided, Undecided));
    played.0.on_kvm();
    let said = played.says("H36");
    assert_eq!(said.verdict, Refuted);
    assert!(said.because.to_string().contains("in 8,000 trials"), "the guests' only: {}", said.because);
    let said = played.says("H08");
    assert_eq!((said.verdict, said.because), (Undecided, Because::Missing(Missing::Least(0, 1))));
    // vhost or contention must have been compared before anything is said of them.
    assert_eq!(played.verdict("H20"), Undecided);
    played.add(("virtio-tap", "6.1"), ("rst", over("contention")), &[(BASE, BLOCK)], BLOCK / 2);
    assert_eq!(played.verdict("H20"), Refuted);
    let far_off = [(BASE, BLOCK - 100), ("ENOENT,data,eof", 100)];
    played.add(("virtio-tap", "6.12"), ("rst", over("contention")), &far_off, BLOCK / 2);
    played.add(("virtio-tap", "6.12"), ("rst", over("direct")), &[(BASE, BLOCK)], BLOCK / 2);
    assert_eq!(
        (played.verdict("H08"), played.verdict("H20")),
        (Undecided, Supported),
        "the host has no such cell"
    );
    played.add(("bare-metal", "host"), ("rst", over("contention")), &[(BASE, BLOCK)], BLOCK / 2);
    assert_eq!(played.verdict("H08"), Supported);
}

#[test]
fn a_method_is_judged_by_the_cells_that_carry_it_out() {
    // The fixture's program waits 5 ms before the RST and 1 ms before the call.
    let played = Played::new().with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
    assert_eq!(played.verdict("H37"), Refuted);
    let said = played.says("H39");
    let missing = Missing::Side("rst, client_delay 1s".to_owned());
    assert_eq!((said.verdict, said.because), (Undecided, Because::Missing(missing)));
}

#[test]
fn a_cell_that_no_rst_reached_is_left_out_and_told() {
    let mut played = Played::new().with(("rst", over("reject-on-client")), &[(BASE, BLOCK)], BLOCK).with(
        ("path-resets", over("reject-answer-on-client")),
        &[("timeout,EAGAIN,EAGAIN", BLOCK)],
        0,
    );
    for (block, _) in played.0.blocks.iter_mut().rev().take(2) {
        block.witness.rst_to_target = 0;
    }
    let said = played.says("H38");
    assert_eq!(said.verdict, Refuted);
    let words = "; left out: not in every trial did a RST reach the target (1 cell, 2,000 trials)";
    assert!(said.because.to_string().ends_with(words), "{}", said.because);
}

#[test]
fn a_quiet_scenario_and_one_that_injects_say_nothing_of_what_follows_a_rst() {
    let quiet = || {
        let mut played = Played::new();
        played.0.record.cells.iter_mut().for_each(|record| record.cell.claims.clear());
        played.with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK)
    };
    let mut none = quiet();
    for (block, _) in none.0.blocks.iter_mut().rev().take(2) {
        block.witness.rst_to_target = 0;
    }
    let said = none.says("H01");
    assert_eq!(said.verdict, Undecided);
    let words = "no cell may decide it: not in every trial did a RST reach the target (1 cell, 2,000 trials)";
    assert_eq!(said.because.to_string(), words);

    let mut injected = quiet();
    for (block, _) in injected.0.blocks.iter_mut().rev().take(2) {
        block.tally.injected.insert(Errno::ENOENT, 40);
        *block.tally.returns.get_mut(&Returned::ONE).expect("readable") -= 40;
        block.tally.returns.insert(Returned::failed(Errno::ENOENT), 40);
    }
    let said = injected.says("H01");
    assert_eq!(said.verdict, Undecided);
    assert_eq!(
        said.because.to_string(),
        "no cell may decide it: errnos were injected (1 cell, 2,000 trials)"
    );
}

#[test]
fn zeros_do_not_refute_what_is_called_rare_before_there_are_enough_of_them() {
    let played = Played::new().with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
    let said = played.says("H01").because.to_string();
    assert_eq!(played.verdict("H01"), Undecided);
    assert!(
        said.contains("ENOENT was never seen in 8,000 trials: its rate is not above 1 in 1,500;"),
        "{said}"
    );
    assert!(said.contains("a rate not above 1 in 5,000, which 26,605 trials could show"), "{said}");
    // Besides these there are 6,000 of the base program.
    for (blocks, verdict) in [(20, Undecided), (21, Refuted)] {
        let played = Played::in_blocks(blocks).with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
        assert_eq!(played.verdict("H01"), verdict, "{}", played.says("H01").because);
    }
}

#[test]
fn the_place_that_decides_is_told_and_no_sum_hides_it() {
    let lost = "readable,ECONNRESET,eof";
    let mut played = Played::new();
    played.add(("bare-metal", "host"), ("rst-corked", over("direct")), &[(lost, BLOCK)], BLOCK);
    played.add(("virtio-tap", "6.1"), ("rst-corked", over("direct")), &[(BASE, BLOCK)], BLOCK);
    let said = played.says("H60");
    assert_eq!(said.verdict, Undecided);
    let words =
        "the place decides: as claimed with kernel host over direct, otherwise with kernel 6.1 over direct";
    assert!(said.because.to_string().starts_with(words), "{}", said.because);
}

#[test]
fn a_claim_of_several_parts_tells_how_many_hold() {
    let played = Played::new().with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
    let said = played.says("H27");
    assert_eq!(said.verdict, Refuted, "its first part is false");
    assert!(
        said.because
            .to_string()
            .starts_with("1 of 4 parts hold; refuted: the receive queue is purged; not played: "),
        "{}",
        said.because
    );
    assert_eq!(
        said.parts.iter().map(|part| part.verdict).collect::<Vec<_>>(),
        [Refuted, Supported, Undecided, Documented]
    );
    let text = Format::TEXT.render(&played.model());
    assert!(text.contains("- refuted") && text.contains("the receive queue is purged: "), "{text}");
    let gone = Played::new().with(("rst", over("direct")), &[("readable,ECONNRESET,eof", BLOCK)], BLOCK);
    let said = gone.says("H27");
    assert_eq!(said.verdict, Supported, "all that was played: {}", said.because);
}

#[test]
fn what_rig_itself_made_is_said_so() {
    let lost = &[("readable,ECONNRESET", BLOCK)];
    let played = Played::new().with(("state-lost", over("firewall-restart")), lost, BLOCK);
    let said = played.says("H22");
    assert!(
        said.parts[1]
            .because
            .to_string()
            .starts_with("by construction (rig's own firewall decides it by its key `stranger`"),
        "{:?}",
        said.parts
    );
    let drops = &[("timeout,EAGAIN", BLOCK)];
    assert_eq!(
        Played::new().with(("state-lost", over("firewall-restart")), drops, 0).verdict("H22"),
        Refuted
    );
}

#[test]
fn the_order_of_rst_and_call_is_judged_by_what_followed_each() {
    let of = |then: &str, not_yet: &str| {
        let mut played = Played::new().with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK / 2);
        played.0.record.cells.iter_mut().for_each(|record| {
            if record.cell.subject.scenario != "rst" {
                record.cell.claims.clear();
            }
        });
        for (block, _) in played.0.blocks.iter_mut().rev().take(2) {
            let half = |outcome: &str| BTreeMap::from([(outcome.to_owned(), BLOCK / 2)]);
            block.tally.outcomes_by_state =
                BTreeMap::from([(TcpState::CLOSE.0, half(then)), (1, half(not_yet))]);
        }
        played.says("H16")
    };
    let said = of(BASE, BASE);
    assert_eq!(said.verdict, Refuted);
    let words = "after CLOSE 0 of 1,000 trials ended as claimed, after another state 1,000 of 1,000";
    assert_eq!(said.because.to_string(), words);
    assert_eq!(of("EBADF,data,eof", BASE).verdict, Supported);
    assert_eq!(of(BASE, "EBADF,data,eof").verdict, Refuted, "the other way round");
}

/// In one kernel.
fn within() -> PathSpec {
    PathSpec { medium: Medium::Loopback, ..over("loopback") }
}

#[test]
fn a_loopback_is_compared_with_a_link() {
    let base = &[(BASE, BLOCK)];
    let played = |loopback, link| {
        let played = Played::new().with(("rst", within()), base, loopback);
        played.with(("rst", over("direct")), base, link).says("H17")
    };
    assert_eq!(played(BLOCK, BLOCK / 4).verdict, Refuted);
    assert_eq!(played(BLOCK / 4, BLOCK).verdict, Supported);
    assert_eq!(played(BLOCK, BLOCK).verdict, Refuted, "as often as over a link is not rarer");
    let alone = Played::new().with(("rst", within()), base, BLOCK).says("H17");
    let missing = Missing::Side("rst, path direct".to_owned());
    assert_eq!((alone.verdict, alone.because), (Undecided, Because::Missing(missing)));
}

#[test]
fn what_a_product_does_is_documented_and_what_was_seen_stands_with_it() {
    let played = Played::new().with(("path-resets", over("firewall-idle")), &[(BASE, BLOCK)], BLOCK);
    let said = played.says("H21");
    assert_eq!(said.verdict, Documented);
    assert!(
        said.because.to_string().contains(&format!("{BASE} in 2,000 of 2,000 on firewall-idle")),
        "{}",
        said.because
    );
}

#[test]
fn a_scenario_that_names_a_claim_is_never_passed_over_in_silence() {
    let mut played = Played::new().with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
    let mut own = played.0.record.cells.last().expect("just planned").cell.clone();
    own.subject.scenario = "mine".into();
    own.claims = ["H37", "H49", "Z1"].map(str::to_owned).to_vec();
    own.id = own.subject.id();
    let id = own.id.0.clone();
    played.0.plan(own);
    assert_eq!(played.says("H37").not_about, [id]);
    assert_eq!(played.says("H49").because, Missing::Cell.into(), "its own scenario has no cell here");
    assert_eq!(played.says("Z1").because, Because::Unknown);
    let text = Format::TEXT.render(&played.model());
    for words in [
        "mine names H37, and no part of that claim is about its cells here",
        "no cell of this run decides them: ",
        "this rig knows no such claim",
        "not corrected for their number",
    ] {
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(words), "{words:?} is not in\n{text}");
    }
}

/// A claim of the reader's own about the base program, in so many blocks.
fn own(blocks: u32, at_least: &str, outcomes: &[(&str, u64)]) -> Played {
    let mut played = Played::in_blocks(blocks).with(("rst", over("direct")), outcomes, BLOCK);
    let text = format!(
        "text = \"made up\"\nsource = \"nobody\"\n[[part]]\ncells = [{{ scenario = \"rst\" }}]\n\
         ends = {{ claimed = [\"readable,data,**\"], otherwise = [\"EBADF,**\"]{at_least} }}\n"
    );
    played.0.record.claims.insert("U1".into(), text);
    played
}

#[test]
fn what_an_own_claim_became_is_on_the_last_screen_and_what_is_in_neither_list_is_named() {
    let sound = own(2, "", &[(BASE, BLOCK)]);
    assert!(sound.says("U1").own && !sound.says("H01").own);
    let screen = |played: &Played| -> String {
        let lines = rig::report::answer(&played.model(), "results/x", str::to_owned);
        lines.into_iter().map(|line| line.text + "\n").collect()
    };
    assert!(screen(&sound).contains("claims    U1 supported: the report says why"), "{}", screen(&sound));
    assert!(!screen(&Played::new()).contains("claims  "), "none was brought");
    let odd = own(2, "", &[(BASE, BLOCK - 40), ("readable,eof", 40)]);
    let said = odd.says("U1").because.to_string();
    assert_eq!(odd.verdict("U1"), Undecided);
    assert!(said.contains(" are in neither list of the claim (readable,eof);"), "{said}");
}

#[test]
fn an_own_claim_that_no_cell_is_about_says_what_none_of_them_has() {
    let with = |selection: &str| {
        let mut played = Played::in_blocks(2).with(("rst", over("direct")), &[(BASE, BLOCK)], BLOCK);
        let text = format!(
            "text = \"made up\"\nsource = \"nobody\"\n[[part]]\ncells = [{{ {selection} }}]\n\
             ends = {{ claimed = [\"readable,data,**\"], otherwise = [\"EBADF,**\"] }}\n"
        );
        played.0.record.claims.insert("U1".into(), text);
        played
    };
    for (selection, words) in [
        ("scenario = \"rts\"", "no cell of this run has the scenario rts; there are rst"),
        ("scenario = \"rst\", path = \"dirct\"", "no cell of this run has the path dirct; there are direct"),
        ("scenario = \"rst\", kernel = \"6.99\"", "no cell of this run has the kernel 6.99; there are "),
        ("scenario = \"rst\", configuration = \"vrtio-tap\"", "has the configuration vrtio-tap; there are "),
    ] {
        let played = with(selection);
        let said = played.says("U1").because.to_string();
        assert!(said.contains(words), "{said}");
        let text = Format::TEXT.render(&played.model());
        let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&format!("made up: {said}")), "{text}");
    }
}

#[test]
fn a_share_of_a_claim_that_no_trial_contradicts_says_how_many_trials_would_show_it() {
    let enough = own(8, ", at_least = \"99.9%\"", &[(BASE, BLOCK)]);
    assert_eq!(enough.verdict("U1"), Supported, "{}", enough.says("U1").because);
    let few = own(8, ", at_least = \"99.99%\"", &[(BASE, BLOCK)]);
    let said = few.says("U1").because.to_string();
    assert_eq!(few.verdict("U1"), Undecided);
    let would_do = said.split("too few for 99.99 %: ").nth(1).and_then(|rest| rest.split(' ').next());
    let would_do: u64 =
        would_do.and_then(|n| n.replace(',', "").parse().ok()).unwrap_or_else(|| panic!("{said}"));
    // ln(0.025) / ln(0.9999), and more where trials of a boot are alike.
    assert!((36_000..200_000).contains(&would_do), "{said}");
}
