//! Wrong matrix and scenario files, each with what the user reads.
//!
//! Every file under `diagnostics/` is wrong in the way that its name says; its rendered problems are a snapshot.
//! Must not need root, guests or a terminal. Errors: none; a wrong file without a problem fails.

use std::fs;
use std::path::Path;

use miette::{GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;
use rig::configuration::{Lack, PathPart};
use rig::document::Problems;
use rig::matrix::{Filter, Matrix, PathFile, Selection};
use rig::path::Unable;
use rig::script::Scenario;

/// As `Failure::print` shows them, without colour and at a fixed width.
fn render(problems: Problems) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    let count = problems.len();
    let mut out = String::new();
    for problem in problems {
        handler.render_report(&mut out, &problem).expect("rendering into a string");
        out.push('\n');
    }
    out.push_str(&format!("{count} problem{}", if count == 1 { "" } else { "s" }));
    out
}

/// Renders every file of a folder through `load`, and holds each against its snapshot.
fn snapshot_folder(kind: &str, at_least: usize, load: impl Fn(&str, &str, &Path) -> Result<(), Problems>) {
    let folder = Path::new("tests/diagnostics").join(kind);
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("the folder of wrong files")
        .map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".toml"))
        .collect();
    names.sort();
    assert!(names.len() >= at_least, "{} wrong {kind} files", names.len());
    insta::with_settings!({ snapshot_path => format!("diagnostics/snapshots/{kind}"), prepend_module_to_snapshot => false, omit_expression => true }, {
        for name in names {
            let text = fs::read_to_string(folder.join(&name)).expect("a readable file");
            let problems = load(&name, &text, &folder).expect_err(&name);
            insta::assert_snapshot!(name.trim_end_matches(".toml"), render(problems));
        }
    });
}

#[test]
fn wrong_matrix_files() {
    snapshot_folder("matrix", 22, |name, text, folder| Matrix::parse(name, text, folder).map(|_| ()));
}

#[test]
fn wrong_scenario_files() {
    snapshot_folder("scenario", 12, |name, text, _| {
        Scenario::parse(name.trim_end_matches(".toml"), name, text).map(|_| ())
    });
}

/// What every matrix needs beside its paths; far enough behind them that no excerpt shows it.
const BESIDE_PATHS: &str = r#"



[axes]
scenario = ["rst"]
configuration = ["metal"]
kernel = ["6.1"]
path = ["p"]
[configuration.metal]
kind = "host"
"#;

#[test]
fn wrong_paths() {
    snapshot_folder("path", 18, |name, text, folder| {
        Matrix::parse(name, &format!("{text}{BESIDE_PATHS}"), folder).map(|_| ())
    });
}

/// What a host lacks, made up: the path of each key, in the words of a host that probed it.
#[test]
fn what_a_host_cannot_do_of_a_path_is_shown_where_it_is_asked_for() {
    let text = r#"
[path.p]
mechanism = "netem"
delay = { both = "50ms" }
[path.p.rule.reject]
at = "peer"
hook = "input"
verdict = "reject-tcp-reset"
[path.p.fault.stop]
do = "pause"

[path.lb.haproxy]
on_marked_down = "shutdown-sessions"
"#;
    let matrix =
        Matrix::parse("matrix.toml", &format!("{text}{BESIDE_PATHS}"), Path::new(".")).expect("valid");
    let of = |path: &str, lack: Lack| (path.to_owned(), lack);
    let netem = of("p", Lack::Netem(Unable::NoNetem));
    let haproxy = || Lack::HaProxy(Unable::NotInstalled { program: "haproxy", package: "haproxy" });
    let nft = |rule: &str| Lack::Nft {
        rule: rule.to_owned(),
        why: Unable::Rules("`nft` is not installed (Debian package nftables)".to_owned()),
    };
    let proxied =
        Lack::UserNetworking { by: "QEMU's user network", part: PathPart::Impairments, path: "p".to_owned() };
    let lacks = [
        of("lb", haproxy()),
        netem.clone(),
        of("p", nft("reject")),
        of("p", Lack::Pause { fault: "stop".to_owned() }),
        of("p", proxied),
        of("p", nft("of-another-file")),
        netem,
        of("a path of another file", haproxy()),
        of("p", Lack::VhostNet(Unable::NoVhost)),
    ];
    insta::with_settings!({ snapshot_path => "diagnostics/snapshots/command", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("path-lacks", render(matrix.explain_lacks(&lacks)));
    });
    assert!(matrix.explain_lacks(&[]).is_empty());
}

fn refused(words: &[&str], profile: Option<&str>) -> String {
    let matrix = Matrix::parse("matrix.toml", include_str!("../../matrix.toml"), Path::new("."))
        .expect("the shipped matrix is valid");
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    let problems = match Filter::parse_all(&words) {
        Err(problems) => problems,
        Ok(filters) => {
            let selection = Selection { profile: profile.map(str::to_owned), filters, trials: None };
            matrix.select(&selection).expect_err("nothing can be selected")
        }
    };
    render(problems)
}

#[test]
fn wrong_command_lines() {
    insta::with_settings!({ snapshot_path => "diagnostics/snapshots/command", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("filter-without-equals", refused(&["virtio-tap", "=6.1"], None));
        insta::assert_snapshot!("filter-unknown-axis", refused(&["configuraton=virtio-*", "kernal=6.1"], None));
        insta::assert_snapshot!("filter-unknown-value", refused(&["configuration=virtio-vhosts", "client_delay=7s"], None));
        insta::assert_snapshot!("filter-glob-matches-nothing", refused(&["configuration=xen-*"], None));
        insta::assert_snapshot!("filters-contradict", refused(&["configuration=bare-metal", "kernel=6.1"], None));
        insta::assert_snapshot!("profile-unknown", refused(&[], Some("nigthly")));
    });
}

#[test]
fn an_unknown_kernel_is_refused_where_the_images_are_known() {
    let text = include_str!("../../matrix.toml").replace("\"6.12\"", "\"6.21\"");
    let matrix =
        Matrix::parse("matrix.toml", &text, Path::new(".")).expect("kernels are not known to the file");
    let known = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let images = known(&["5.10", "6.1", "6.12", "newest"]);
    assert!(matrix.verify_kernels(&known(&["5.10", "6.1", "6.21", "newest"]), |_| false).is_ok());
    assert!(matrix.verify_kernels(&images, |word| word == "6.21").is_ok(), "an exact version is no image");
    let problems = matrix.verify_kernels(&images, |_| false).expect_err("6.21 is no image");
    insta::with_settings!({ snapshot_path => "diagnostics/snapshots/command", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("kernel-without-image", render(problems));
    });
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let missing = Matrix::load(Some(Path::new("no/such/matrix.toml"))).expect_err("there is no such file");
    assert!(render(missing).contains("cannot read no/such/matrix.toml: No such file or directory"));
    let missing = Scenario::read(Path::new("no/such/scenario.toml")).expect_err("there is no such file");
    assert!(render(missing).contains("cannot read no/such/scenario.toml"));
}

/// Every table of the file with a hundred thousand keys that it has not: each is a problem, and few of them cost a hint.
#[test]
fn a_hundred_thousand_unknown_keys_are_counted() {
    for table in ["", "[run]", "[scenario.rst]", "[alert]", "[path.wide]"] {
        let keys: String = (0..100_000).map(|n| format!("key_{n} = \"1%\"\n")).collect();
        let text = format!("{table}\n{keys}{HOST_ALONE}");
        let problems = Matrix::parse("wide.toml", &text, Path::new(".")).expect_err(table);
        let unknown = problems.iter().filter(|problem| problem.message().contains("`key_")).count();
        assert_eq!(unknown, 100_000, "{table}");
        let hints = problems.iter().filter(|problem| has_help(problem)).count();
        assert!((50..50_000).contains(&hints), "{table}: {hints}");
    }
}

fn has_help(problem: &rig::document::Problem) -> bool {
    miette::Diagnostic::help(problem).is_some()
}

/// Lists that somebody generated: a word is looked up, not searched for.
#[test]
fn long_lists_are_read_and_their_faults_found() {
    let list =
        |count: u32, unit: &str| (1..=count).map(|n| format!("\"{n}{unit}\"")).collect::<Vec<_>>().join(", ");
    let file = |delays: &str| format!("[scenario.rst]\npeer_delay = [{delays}]\n{HOST_ALONE}");
    let cells = |text: &str| {
        let matrix = Matrix::parse("long.toml", text, Path::new(".")).expect("a valid file");
        matrix.cells(&Selection::default()).expect("cells").len()
    };
    assert_eq!(cells(&file(&list(4_000, "us"))), 4_000);
    let again = Matrix::parse("long.toml", &file(&format!("{}, \"1ms\"", list(4_000, "us"))), Path::new("."));
    let again = again.expect_err("1ms is 1000us").to_string();
    assert_eq!(again, "`1000us` and `1ms` are the same value");
    let guests: String = (0..4_000)
        .map(|n| format!("[configuration.g{n}]\nkind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"tap\"\nmemory_mib = {}\n", 128 + n))
        .collect();
    let names = (0..4_000).map(|n| format!("\"g{n}\"")).collect::<Vec<_>>().join(", ");
    let text =
        HOST_ALONE.replace("[\"metal\"]", &format!("[\"metal\", {names}]\nkernel = \"6.1\"")) + &guests;
    assert_eq!(cells(&text), 4_001);
}

/// No guest, so no kernel.
const HOST_ALONE: &str = r#"
[axes]
scenario = ["rst"]
configuration = ["metal"]
path = ["direct"]
[configuration.metal]
kind = "host"
[path.direct]
"#;

#[test]
fn a_matrix_of_the_host_alone_needs_no_kernel() {
    let matrix = Matrix::parse("host.toml", HOST_ALONE, Path::new(".")).expect("a valid file");
    let cells = matrix.cells(&Selection::default()).expect("cells");
    assert_eq!(cells.iter().map(|cell| cell.subject.kernel.as_str()).collect::<Vec<_>>(), ["host"]);
}

#[test]
fn counts_of_a_file_are_read_as_those_of_a_flag() {
    for (written, trials) in
        [("1e4", 10_000), ("\"10k\"", 10_000), ("10_000", 10_000), ("\"1.5k\"", 1_500), ("2000.0", 2_000)]
    {
        let text = format!("[run]\ntrials = {written}\n{HOST_ALONE}");
        let matrix = Matrix::parse("host.toml", &text, Path::new(".")).expect(written);
        assert_eq!(matrix.select(&Selection::default()).expect("cells").settings.trials, trials, "{written}");
    }
}

#[test]
fn paths_are_read_of_a_file_that_declares_nothing_else() {
    let file = PathFile::parse("paths.toml", "[path.far]\ndelay = { both = \"50ms\" }\n[path.near]\n")
        .expect("paths");
    assert_eq!(file.paths.iter().map(|path| path.name.as_str()).collect::<Vec<_>>(), ["far", "near"]);
    let wrong = PathFile::parse("paths.toml", "[pth.far]\n[path.near]\ndelai = 1\n").expect_err("two slips");
    assert_eq!(wrong.len(), 2);
    let missing =
        Matrix::load_paths(Some(Path::new("no/such/file.toml"))).expect_err("there is no such file");
    assert!(missing.to_string().contains("cannot read no/such/file.toml"), "{missing}");
}

/// Parts of real files in any order reach deeper than random text does.
fn pieces(text: &'static str) -> impl Strategy<Value = String> {
    let lines: Vec<&'static str> = text.lines().collect();
    prop::collection::vec(
        prop_oneof![
            4 => prop::sample::select(lines),
            1 => prop::sample::select(vec![
                "steps = [ { op = \"mark\", mark = \"m\" }, { op = \"await\", mark = \"m\", timeout = \"1s\" } ]",
                "[lane.watcher]",
                "[[exclude]]",
                "[[include]]",
                "kernel = \"host\"",
                "trials = 18446744073709551615",
                "blocks = -1",
                "x = 1979-05-27",
                "margin = nan",
                "scenario = \"./\u{1F980}.toml\"",
                "peer_delay = \"${client_delay}\"",
                "\u{feff}",
            ]),
        ],
        0..40,
    )
    .prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_loaders_panic(text in "\\PC{0,200}") {
        for problems in [
            Matrix::parse("m.toml", &text, Path::new("no/such/folder")).err(),
            Scenario::parse("s", "s.toml", &text).err(),
        ].into_iter().flatten() {
            prop_assert!(!problems.is_empty());
            render(problems);
        }
    }

    #[test]
    fn no_rearranged_matrix_makes_the_loader_panic(text in pieces(include_str!("../../matrix.toml"))) {
        if let Err(problems) = Matrix::parse("m.toml", &text, Path::new("no/such/folder")) {
            prop_assert!(!problems.is_empty());
            render(problems);
        }
    }

    #[test]
    fn no_rearranged_scenario_makes_the_loader_panic(text in pieces(include_str!("../scenarios/watcher.toml"))) {
        match Scenario::parse("s", "s.toml", &text) {
            Ok(scenario) => { prop_assert!(scenario.render(&Default::default()).is_ok()); }
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                render(problems);
            }
        }
    }

    #[test]
    fn no_damaged_byte_makes_the_loaders_panic(at in 0..4_000_usize, byte in prop::sample::select(b"\"[]{}=,#$\n x0".to_vec())) {
        for (text, matrix) in [(include_str!("../../matrix.toml"), true), (include_str!("../scenarios/watcher.toml"), false)] {
            let mut bytes = text.as_bytes().to_vec();
            let length = bytes.len();
            bytes[at % length] = byte;
            let text = String::from_utf8(bytes).expect("ASCII");
            let problems = if matrix {
                Matrix::parse("m.toml", &text, Path::new("no/such/folder")).err()
            } else {
                Scenario::parse("s", "s.toml", &text).err()
            };
            if let Some(problems) = problems {
                render(problems);
            }
        }
    }

    #[test]
    fn no_filter_makes_the_selection_panic(word in "\\PC{0,20}") {
        if let Err(problems) = Filter::parse(&word) {
            render(problems);
        }
    }
}
