//! What must hold for every matrix: order, identity, controls, filters, sizes, cost.

mod shipped;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use proptest::prelude::*;
use rig_protocol::{Delay, Op};

use super::*;
use crate::configuration::{Accelerator, Lack, NicBackend, NicModel, PeerSeat, TargetSpec, peer_seat};
use crate::path::Unable;

const SHIPPED: &str = include_str!("../../../matrix.toml");

/// The axis of the shipped file, as it is written there.
const SCENARIOS: &str = r#"scenario = ["rst", "rst-fd-check", "rst-alone", "rst-corked", "fin", "data", "silent", "watcher", "double-close"]"#;

/// `text` with `to` where `from` was; a text that has changed under a test must not make it say nothing.
#[track_caller]
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the text has no `{from}` that could be replaced");
    text.replace(from, to)
}

fn matrix(text: &str) -> Matrix {
    Matrix::parse("matrix.toml", text, Path::new(".")).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn select(matrix: &Matrix, profile: &str, filters: &[&str]) -> Vec<Cell> {
    let words: Vec<String> = filters.iter().map(|&word| word.to_owned()).collect();
    let selection = Selection {
        profile: Some(profile.to_owned()),
        filters: Filter::parse_all(&words).expect("well-formed filters"),
        trials: None,
    };
    matrix.cells(&selection).unwrap_or_else(|problems| panic!("{problems}"))
}

/// A small file; `more` is added behind it.
fn small(more: &str) -> Matrix {
    matrix(&format!(
        r#"
[axes]
scenario = ["fin", "silent"]
configuration = ["metal", "tap", "user"]
kernel = ["6.1", "6.12"]
path = ["direct"]
[configuration.metal]
kind = "host"
[configuration.tap]
kind = "qemu"
nic = "virtio-net"
backend = "tap"
[configuration.user]
kind = "qemu"
nic = "vmxnet3"
backend = "user"
[path.direct]
{more}"#
    ))
}

fn all(matrix: &Matrix) -> Vec<Cell> {
    matrix.cells(&Selection::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn places(cells: &[Cell]) -> Vec<String> {
    cells
        .iter()
        .map(|cell| {
            let subject = &cell.subject;
            format!("{} {} {}", subject.scenario, subject.configuration.name, subject.kernel)
        })
        .collect()
}

#[test]
fn cells_come_in_file_order_and_the_host_has_one_kernel() {
    assert_eq!(
        places(&all(&small(""))),
        [
            "fin metal host",
            "fin tap 6.1",
            "fin tap 6.12",
            "fin user 6.1",
            "fin user 6.12",
            "silent metal host",
            "silent tap 6.1",
            "silent tap 6.12",
            "silent user 6.1",
            "silent user 6.12",
        ]
    );
}

#[test]
fn parameters_cross_and_keep_their_order() {
    let matrix =
        small("[scenario.fin]\npeer_delay = [\"1ms\", \"2ms\"]\nclient_delay = [\"3ms\", \"4ms\"]\n");
    let cells = select_fin_on_metal(&matrix);
    let found: Vec<(&str, &str)> = cells
        .iter()
        .map(|cell| {
            let p = &cell.subject.parameters;
            (p["peer_delay"].as_str(), p["client_delay"].as_str())
        })
        .collect();
    assert_eq!(found, [("1ms", "3ms"), ("1ms", "4ms"), ("2ms", "3ms"), ("2ms", "4ms")]);
    // Parameters that nobody names are there with their defaults.
    assert!(cells.iter().all(|cell| cell.subject.parameters["timeout"] == "5s"));
}

fn select_fin_on_metal(matrix: &Matrix) -> Vec<Cell> {
    let filters = Filter::parse_all(&["scenario=fin".to_owned(), "configuration=metal".to_owned()]);
    let selection = Selection { filters: filters.expect("well formed"), ..Selection::default() };
    matrix.cells(&selection).expect("cells")
}

#[test]
fn ids_do_not_change_when_the_file_is_reordered() {
    let by_place = |cells: Vec<Cell>| -> BTreeMap<String, CellId> {
        cells.into_iter().map(|cell| (cell.describe(), cell.id)).collect()
    };
    let one = matrix(SHIPPED);
    let reordered = [
        (
            SCENARIOS,
            r#"scenario = ["double-close", "watcher", "silent", "data", "fin", "rst-fd-check", "rst-corked", "rst-alone", "rst"]"#,
        ),
        (r#"kernel = ["6.1", "6.12"]"#, r#"kernel = ["6.12", "6.1"]"#),
        (r#"peer_delay = ["0ms", "5ms", "10ms"]"#, r#"peer_delay = ["10ms", "0ms", "5ms"]"#),
        ("nic = \"virtio-net\"\nbackend = \"tap\"", "backend = \"tap\"\nnic = \"virtio-net\""),
        ("trials = 10000", "trials = 20000"),
    ]
    .into_iter()
    .fold(SHIPPED.to_owned(), |text, (from, to)| with(&text, from, to));
    let other = matrix(&reordered);
    assert_eq!(by_place(select(&one, "nightly", &[])), by_place(select(&other, "nightly", &[])));
}

#[test]
fn no_two_cells_share_an_id_and_every_id_is_that_of_its_subject() {
    let cells = select(&matrix(SHIPPED), "nightly", &[]);
    let ids: BTreeSet<&CellId> = cells.iter().map(|cell| &cell.id).collect();
    assert_eq!(ids.len(), cells.len());
    for cell in &cells {
        assert_eq!(cell.id, cell.subject.id(), "{}", cell.describe());
    }
}

#[test]
fn the_smallest_cell_of_a_subject_has_its_id() {
    let cell = all(&small("")).remove(0);
    let smallest = Cell::of(cell.subject.clone());
    assert_eq!(smallest.id, cell.id);
    let sizes = [u64::from(smallest.blocks), smallest.trials, u64::from(smallest.in_flight)];
    assert_eq!((sizes, smallest.control), ([1; 3], None));
}

#[test]
fn what_a_cell_measures_changes_its_id_and_nothing_else_does() {
    let id = |more: &str| select_fin_on_metal(&small(more))[0].id.clone();
    let plain = id("");
    assert_eq!(id("[run]\ntrials = 77\nblocks = 7\nin_flight = 3\n"), plain);
    assert_ne!(id("[scenario.fin]\npeer_delay = \"1ms\"\n"), plain);
    let mtu = matrix(
        "[axes]\nscenario = \"fin\"\nconfiguration = \"metal\"\nkernel = \"6.1\"\npath = \"direct\"\n[configuration.metal]\nkind = \"host\"\n[path.direct]\nmtu_bytes = 1400\n",
    );
    assert_ne!(all(&mtu)[0].id, plain);
}

#[test]
fn excludes_remove_and_includes_add_their_own_product() {
    let matrix = small(
        r#"
[[exclude]]
scenario = "silent"
configuration = ["t*", "user"]
[[exclude]]
scenario = "fin"
kernel = "6.12"
client_delay = "10000us"
[[include]]
scenario = "silent"
configuration = "tap"
kernel = "6.12"
timeout = ["1s", "2s"]
trials = 5
blocks = 1
"#,
    );
    let cells = all(&matrix);
    assert_eq!(
        places(&cells),
        [
            "fin metal host",
            "fin tap 6.1",
            "fin user 6.1",
            "silent metal host",
            "silent tap 6.12",
            "silent tap 6.12"
        ]
    );
    assert_eq!((cells[4].trials, cells[4].blocks), (5, 1));
    assert_eq!(cells[0].trials, Settings::default().trials);
}

#[test]
fn an_include_of_a_cell_that_is_there_changes_its_size_only() {
    let matrix = small(
        "[[include]]\nscenario = \"fin\"\nconfiguration = \"tap\"\nkernel = \"6.1\"\nclient_delay = \"10ms\"\ntrials = 9\nblocks = 3\n",
    );
    let cells = all(&matrix);
    assert_eq!(cells.len(), 10);
    assert_eq!((cells[1].trials, cells[1].blocks), (9, 3));
}

#[test]
fn the_more_specific_word_wins_and_the_profile_among_equals() {
    let matrix = small(
        r#"
[run]
trials = 100
blocks = 4
in_flight = 8
[scenario.fin]
trials = 200
[profile.night]
trials = 1000
retries = 9
[profile.night.scenario.silent]
blocks = 2
"#,
    );
    let sizes = |profile: Option<&str>, scenario: &str| {
        let selection = Selection { profile: profile.map(str::to_owned), ..Selection::default() };
        let selected = matrix.select(&selection).expect("cells");
        let cell = selected.cells.into_iter().find(|cell| cell.subject.scenario == scenario).expect("a cell");
        (cell.trials, cell.blocks, cell.in_flight)
    };
    assert_eq!(sizes(None, "fin"), (200, 4, 8));
    assert_eq!(sizes(None, "silent"), (100, 4, 8));
    assert_eq!(sizes(Some("night"), "fin"), (200, 4, 8));
    assert_eq!(sizes(Some("night"), "silent"), (1000, 2, 8));
    let night = matrix.select(&Selection { profile: Some("night".to_owned()), ..Selection::default() });
    assert_eq!(night.expect("cells").settings.retries, 9);
}

#[test]
fn trials_on_the_command_line_override_everything_and_leave_no_empty_block() {
    let matrix = matrix(SHIPPED);
    let cells = matrix.cells(&Selection { trials: Some(1), ..Selection::default() }).expect("cells");
    assert!(cells.iter().all(|cell| cell.trials == 1 && cell.blocks == 1));
}

#[test]
fn controls_run_wherever_a_cell_does_and_nowhere_else() {
    let matrix = matrix(SHIPPED);
    let cells = select(&matrix, "quick", &["scenario=fin", "kernel=6.1"]);
    assert_eq!(cells.iter().filter(|cell| cell.control.is_none()).count(), 2);
    for configuration in ["virtio-tap", "virtio-vhost"] {
        let controls: BTreeMap<&str, f64> = cells
            .iter()
            .filter(|cell| cell.subject.configuration.name == configuration && cell.subject.kernel == "6.1")
            .filter_map(|cell| cell.control.as_ref())
            .map(|control| (control.name.as_str(), control.expected_rate))
            .collect();
        let expected =
            [("closed-descriptor", 1.0), ("inject-ebadf", 0.1), ("inject-enoent", 0.1), ("negative", 0.0)];
        assert_eq!(controls, BTreeMap::from(expected), "{configuration}");
    }
    assert_eq!(cells.len(), 2 + 2 * 4);
    // Asked for by themselves, they come alone.
    let alone = select(&matrix, "quick", &["control=inject-*", "configuration=bare-metal"]);
    assert_eq!(
        places(&alone),
        ["control-inject-enoent bare-metal host", "control-inject-ebadf bare-metal host"]
    );
}

#[test]
fn controls_run_once_per_machine_over_a_path_that_does_nothing() {
    let more = "[path.narrow]\nmtu_bytes = 576\n[path.wide]\nmtu_bytes = 9000\n        [[include]]\nscenario = \"fin\"\npath = [\"narrow\", \"wide\"]\n        [control.closed]\nscenario = \"control-closed-descriptor\"\n        [control.none]\nscenario = \"control-negative\"\n        [profile.few]\ncontrols = [\"closed\"]\n[profile.no-other]\naxes = { path = \"wide\" }\n";
    let matrix = small(more);
    let controls = |cells: &[Cell]| {
        let of = cells.iter().filter(|cell| cell.control.is_some());
        of.map(|cell| cell.subject.path.name.clone()).collect::<Vec<_>>()
    };
    let cells = all(&matrix);
    assert_eq!(controls(&cells), vec!["direct"; 2 * 5], "one host, two guests on two kernels");
    assert_eq!(controls(&select(&matrix, "few", &[])), vec!["direct"; 5]);
    // Cells of one path bring their controls along, wherever these are.
    assert_eq!(
        controls(&select(&matrix, "few", &["path=narrow", "configuration=tap"])),
        ["direct", "direct"]
    );
    let elsewhere = controls(&select(&matrix, "no-other", &["path=wide", "configuration=metal"]));
    assert_eq!(elsewhere, ["wide", "wide"], "a path of the machine's own cells, where it does nothing");
}

/// {host, guest} x {file, no file}, each with the same script, the guests on one kernel.
#[test]
fn the_quick_profile_has_the_arms_of_localtime() {
    let cells = select(&matrix(SHIPPED), "quick", &["client_delay=uniform*"]);
    let arms: BTreeSet<(bool, bool)> = cells
        .iter()
        .filter(|cell| cell.control.is_none() && ["host", "6.1"].contains(&cell.subject.kernel.as_str()))
        .map(|cell| (cell.is_baseline(), cell.subject.configuration.target.arm().localtime.is_present()))
        .collect();
    assert_eq!(arms.len(), 4, "{arms:?}");
    let night = select(&matrix(SHIPPED), "nightly", &["scenario=rst", "client_delay=10ms", "path=direct"]);
    let arms: BTreeSet<_> = night
        .iter()
        .filter(|cell| cell.control.is_none() && cell.is_plain())
        .map(|cell| (cell.is_baseline(), cell.subject.configuration.target.arm()))
        .collect();
    assert_eq!(arms.len(), 8, "{arms:?}");
}

const ABSENT: &str = "[configuration.bare]\nkind = \"host\"\nlocaltime = \"absent\"\ntimezone = \"UTC0\"\n";

#[test]
fn arms_of_one_machine_have_their_controls_together_in_the_plain_one() {
    let more = format!(
        "[control.closed]\nscenario = \"control-closed-descriptor\"\n{ABSENT}        [[include]]\nscenario = \"fin\"\nconfiguration = [\"bare\", \"metal\"]\n        [profile.alone]\naxes = {{ configuration = \"bare\" }}\ninclude = []\n"
    );
    let matrix = small(&more);
    let controls = |cells: &[Cell]| {
        let of = cells.iter().filter(|cell| cell.control.is_some());
        of.map(|cell| cell.subject.configuration.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(controls(&all(&matrix)), ["metal", "tap", "tap", "user", "user"]);
    // The other arm brings them along; where it is alone, they are its own.
    assert_eq!(controls(&select(&matrix, "alone", &[])), ["bare"]);
    let filter = Filter::parse_all(&["configuration=bare".to_owned()]).expect("a filter");
    let chosen = matrix.cells(&Selection { filters: filter, ..Selection::default() }).expect("cells");
    assert_eq!(controls(&chosen), ["metal"]);
    let arm = chosen[0].subject.configuration.target.arm();
    assert_eq!((arm.localtime.word(), arm.timezone.as_deref()), ("absent", Some("UTC0")));
    assert!(chosen[0].is_baseline());
}

/// A control over a path that breaks connections would measure the path.
#[test]
fn a_control_has_a_plain_path_where_the_file_declares_none() {
    let file = |name: &str| {
        matrix(&format!(
            "[axes]\nscenario = \"fin\"\nconfiguration = \"metal\"\nkernel = \"6.1\"\npath = \"{name}\"\n             [configuration.metal]\nkind = \"host\"\n[path.{name}]\nloss = {{ both = \"1%\" }}\n             [control.closed]\nscenario = \"control-closed-descriptor\"\n"
        ))
    };
    for (declared, implicit) in [("refuse", "direct"), ("direct", "plain")] {
        let cells = all(&file(declared));
        let paths: Vec<_> = cells.iter().map(|cell| &cell.subject.path).collect();
        assert_eq!((paths[0].name.as_str(), paths[0].is_plain()), (declared, false));
        assert_eq!(paths[1], &crate::path::PathSpec::plain(implicit, 1500));
    }
}

#[test]
fn what_is_known_of_an_include_wins_over_its_scenario_and_that_over_the_configuration() {
    let more = "[scenario.fin]\nknown = \"of the scenario\"\n        [configuration.bare]\nkind = \"host\"\nknown = \"of the configuration\"\n        [[include]]\nscenario = \"fin\"\nconfiguration = \"metal\"\nknown = \"of the include\"\n        [[include]]\nscenario = [\"fin\", \"silent\"]\nconfiguration = \"bare\"\n        [profile.other.scenario.fin]\nknown = \"of the profile\"\n";
    let matrix = small(more);
    let known = |cells: &[Cell], scenario: &str, configuration: &str| {
        let of = |cell: &&Cell| {
            cell.subject.scenario == scenario && cell.subject.configuration.name == configuration
        };
        cells.iter().find(of).expect("a cell").known.clone()
    };
    let cells = all(&matrix);
    let told = |scenario, configuration| known(&cells, scenario, configuration);
    assert_eq!(told("fin", "metal").as_deref(), Some("of the include"));
    assert_eq!(told("fin", "tap").as_deref(), Some("of the scenario"));
    assert_eq!(told("fin", "bare").as_deref(), Some("of the scenario"));
    assert_eq!(told("silent", "bare").as_deref(), Some("of the configuration"));
    assert_eq!(told("silent", "metal"), None);
    let others = select(&matrix, "other", &[]);
    assert_eq!(known(&others, "fin", "tap").as_deref(), Some("of the profile"));
    // What is known of a cell is no part of what it measures.
    let id = |cells: &[Cell]| cells.iter().find(|cell| cell.known.is_some()).expect("one").id.clone();
    assert!(all(&small("")).iter().any(|cell| cell.id == id(&cells)));
}

#[test]
fn few_trials_on_the_command_line_leave_controls_without_proof() {
    let matrix = small(
        "[control.inject]\nscenario = \"control-inject-enoent\"\n[control.none]\nscenario = \"control-negative\"\n",
    );
    let weak = |trials| {
        let selected = matrix.select(&Selection { trials, ..Selection::default() }).expect("cells");
        selected.weak_controls
    };
    assert_eq!(weak(None), []);
    assert_eq!(weak(Some(300)), []);
    let few = WeakControl { control: "inject".to_owned(), trials: 299, due: 29, needed: 300 };
    assert_eq!(weak(Some(299)), [few], "once, for all machines");
}

#[test]
fn one_cell_of_the_first_guest_is_planned_a_second_time_under_another_name() {
    let cells = select(&matrix(SHIPPED), "nightly", &[]);
    let lack = Lack::Tap(Unable::NoVhost);
    let of_guests = |cell: &Cell| (!cell.is_baseline()).then(|| lack.clone());
    for (plan, name) in [
        (Plan::make(cells.clone(), &|_| None), "virtio-tap"),
        (Plan::make(cells.clone(), &of_guests), "bare-metal"),
    ] {
        let planned = plan.cells.len();
        let plan = plan.with_again();
        assert_eq!(plan.cells.len(), planned + 1);
        let again = &plan.cells.last().expect("the second").cell;
        let first = plan.ready().find(|cell| Some(&cell.id) == again.repeats.as_ref()).expect("the first");
        assert_eq!(first.subject.configuration.name, name);
        assert!(first.is_plain() && first.subject.path.is_plain() && first.repeats.is_none());
        assert_eq!(again.subject.configuration.name, format!("{name}-again"));
        assert_eq!(again.subject.configuration.target, first.subject.configuration.target);
        assert_eq!(
            (again.trials, again.blocks, &again.subject.script),
            (first.trials, first.blocks, &first.subject.script)
        );
        assert_ne!(again.id, first.id);
        assert!(again.claims.is_empty() && !first.claims.is_empty());
        assert_eq!(
            plan.with_again().cells.last().expect("a third").cell.subject.configuration.name,
            format!("{name}-again-2")
        );
    }
    let alone = Plan::make(select(&matrix(SHIPPED), "nightly", &["control=negative"]), &|_| None);
    assert_eq!(alone.clone().with_again(), alone, "controls alone have none");
}

#[test]
fn filters_widen_on_one_axis_and_narrow_on_different_ones() {
    let matrix = matrix(SHIPPED);
    let all = select(&matrix, "quick", &[]);
    let all: Vec<&Cell> = all.iter().filter(|cell| cell.control.is_none()).collect();
    let check = |filters: &[&str], fits: &dyn Fn(&Subject, &Cell) -> bool| {
        let expected: Vec<&CellId> =
            all.iter().filter(|cell| fits(&cell.subject, cell)).map(|cell| &cell.id).collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{filters:?} decides nothing");
        let cells = select(&matrix, "quick", filters);
        let found: Vec<&CellId> =
            cells.iter().filter(|cell| cell.control.is_none()).map(|cell| &cell.id).collect();
        assert_eq!(found, expected, "{filters:?}");
    };
    check(&["configuration=virtio-*"], &|subject, _| subject.configuration.name.starts_with("virtio-"));
    check(&["configuration=virtio-tap", "configuration=bare-metal"], &|subject, _| {
        ["virtio-tap", "bare-metal"].contains(&subject.configuration.name.as_str())
    });
    check(&["configuration=virtio-*vhost*", "kernel=6.1"], &|subject, _| {
        subject.configuration.name == "virtio-vhost" && subject.kernel == "6.1"
    });
    check(&["claim=Q11"], &|_, cell| cell.claims.iter().any(|claim| claim == "Q11"));
    // Values are compared by meaning.
    check(&["scenario=rst", "client_delay=3000ms"], &|subject, _| {
        subject.scenario == "rst" && subject.parameters["client_delay"] == "3s"
    });
    check(&["client_delay=uniform*"], &|subject, _| {
        subject.parameters.get("client_delay").is_some_and(|delay| delay.starts_with("uniform"))
    });
}

#[test]
fn a_race_raises_no_alert() {
    let mut races = BTreeSet::new();
    for cell in select(&matrix(SHIPPED), "nightly", &["configuration=bare-metal"]) {
        let scenario = &cell.subject.scenario;
        let race = crate::script::shipped(scenario).is_some_and(|scenario| scenario.race);
        assert_eq!(cell.alert, !race, "{}", cell.describe());
        races.extend(race.then(|| scenario.clone()));
    }
    assert!(races.contains("watcher") && races.contains("uring-remove-race"), "{races:?}");
}

#[test]
fn cells_of_older_records_can_raise_alerts() {
    let cell = all(&small("")).remove(0);
    let mut json = serde_json::to_value(&cell).expect("serialises");
    json.as_object_mut().expect("an object").remove("alert");
    let read: Cell = serde_json::from_value(json).expect("reads");
    assert_eq!(read, cell);
}

#[test]
fn a_plan_keeps_every_cell_and_counts_the_ready_ones() {
    let cells = all(&small("[run]\ntrials = 100\nblocks = 2\n"));
    let total = cells.len();
    let lack = Lack::Sockets { version: "6.12".to_owned(), what: "stream link to passt" };
    let plan = Plan::make(cells, &|cell| (cell.subject.kernel == "6.12").then(|| lack.clone()));
    assert_eq!(plan.cells.len(), total);
    assert_eq!(plan.ready().count() + plan.skipped().count(), total);
    assert!(plan.skipped().all(|(cell, why)| cell.subject.kernel == "6.12" && *why == lack));
    let cost = plan.cost(Accelerator::Kvm);
    assert_eq!((cost.blocks, cost.trials), (2 * 6, 100 * 6));
    // Two scenarios on a tap share the boot of each of two rounds; behind libslirp each block has its own.
    assert_eq!(cost.boots, 2 + 2 * 2);
    assert!(plan.cost(Accelerator::Tcg).time > cost.time, "emulation is slower");
}

#[test]
fn sleeping_trials_cost_a_wave_and_not_their_sum() {
    let seconds = |in_flight: u32| {
        let matrix = small(&format!(
            "[scenario.fin]\nclient_delay = \"3s\"\ntrials = 1000\nblocks = 1\nin_flight = {in_flight}\n"
        ));
        cost_of(&select_fin_on_metal(&matrix)[0], Accelerator::Tcg).as_secs()
    };
    assert_eq!(seconds(1000), 3);
    assert_eq!(seconds(500), 6);
    assert_eq!(seconds(1), 3_000);
}

#[test]
fn alert_thresholds_are_rates() {
    let matrix = matrix(SHIPPED);
    assert_eq!(matrix.alert()["ENOENT"], 0.0);
    assert_eq!(matrix.alert()["any_error"], 0.001);
}

/// Of the file, of the profile, and what neither names.
#[test]
fn margins_are_layered_errno_by_errno() {
    let text = format!(
        "{SHIPPED}\n[profile.mixed]\nmargin = 0.25\nmargins = {{ ENOENT = 0.125, any_error = 0.5, EINTR = 1e-6 }}\n"
    );
    let settings = |profile: &str| {
        let selection = Selection { profile: Some(profile.to_owned()), ..Selection::default() };
        matrix(&text).select(&selection).expect("cells").settings
    };
    let mixed = settings("mixed");
    let wanted = [("EBADF", 1e-3), ("EINTR", 1e-6), ("ENOENT", 0.125), ("any_error", 0.5)];
    assert_eq!(mixed.margins, wanted.map(|(name, margin)| (name.to_owned(), margin)).into());
    assert_eq!(mixed.margin, 0.25);
    for (profile, margin) in [("quick", 1e-3), ("nightly", 1e-4), ("rehearsal", 0.05)] {
        let both = ["EBADF", "ENOENT"].map(|name| (name.to_owned(), margin));
        assert_eq!(settings(profile).margins, both.into(), "{profile}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever the order of an axis, the set of cells is the same, and its order is that of the file.
    #[test]
    fn the_order_of_an_axis_is_the_order_of_the_cells(names in Just(vec!["rst", "fin", "data", "silent"]).prop_shuffle()) {
        let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        let text = with(
            SHIPPED,
            SCENARIOS,
            &format!("scenario = [{list}, \"rst-fd-check\", \"rst-alone\", \"rst-corked\", \"watcher\", \"double-close\"]"),
        );
        let cells = select(&matrix(&text), "nightly", &["configuration=bare-metal"]);
        let mut found: Vec<&str> = cells.iter().map(|cell| cell.subject.scenario.as_str()).collect();
        found.dedup();
        prop_assert_eq!(&found[..4], &names[..]);
    }
}
