//! Formats that programs of others read: KTAP, OpenMetrics, KCIDB, CTRF, GitHub's annotations, and the standings behind them.
//!
//! Each is held against its specification by a strict reader of its own; whatever a file or a guest says, the structure stays. Readers of other
//! people: `readers.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use proptest::prelude::*;
use rig::analysis::model::{CellStatus, ReportModel};
use rig::report::Standing;
use rig_protocol::Errno;
use serde_json::Value;

use crate::fixture::{Bench, Play, sound, sound_in, turn, unarmed, void};
use crate::foreign::{named, text};
use crate::reports::{model, render};
use crate::scale::scale;

/// Cells and comparisons of every standing: one guest has EBADF, another's control found nothing, a block is void, and vhost is skipped.
pub(crate) fn mixed() -> Bench {
    let mut bench = sound_in(8);
    for (index, hits) in (0..).zip([23, 19, 21, 25, 18, 20, 24, 18]) {
        turn(bench.block(Play::Base, "virtio-tap", "6.12", index), hits, Errno::EBADF);
    }
    unarmed(&mut bench, "virtio-tap", "6.1");
    void(bench.block(Play::Watcher, "virtio-tap", "6.12", 1), "agent was killed");
    bench
}

/// A result of KTAP with those below it.
#[derive(Debug, PartialEq)]
struct Result {
    ok: bool,
    name: String,
    directive: Option<String>,
    below: Vec<Result>,
}

/// Reads a whole document as Documentation/dev-tools/ktap.rst says, and what it recommends; anything else fails.
fn ktap(text: &str) -> Vec<Result> {
    let mut lines = text.lines().peekable();
    let all = level(&mut lines, 0);
    assert_eq!(lines.next(), None, "nothing follows");
    all
}

fn level<'a>(lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>, depth: usize) -> Vec<Result> {
    let indent = "  ".repeat(depth);
    let mut next = || lines.next().and_then(|line| line.strip_prefix(&indent)).expect("a line of this level");
    assert_eq!(next(), "KTAP version 1");
    let planned: usize = next().strip_prefix("1..").expect("a plan").parse().expect("a number");
    let deeper = format!("{indent}  ");
    let (mut all, mut below) = (Vec::new(), Vec::new());
    while all.len() < planned {
        if lines.peek().expect("as many results as planned").starts_with(&deeper) {
            assert!(below.is_empty(), "one set of subtests");
            below = level(lines, depth + 1);
            continue;
        }
        let line = lines.next().and_then(|line| line.strip_prefix(&indent)).expect("of this level");
        if line.starts_with("# ") {
            assert!(!line.starts_with("# Subtest"), "no other test begins: {line}");
            continue;
        }
        let (ok, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => (false, rest),
            None => (true, line.strip_prefix("ok ").unwrap_or_else(|| panic!("no result: {line:?}"))),
        };
        let (number, rest) = rest.split_once(' ').expect("a description");
        assert_eq!(number, (all.len() + 1).to_string(), "numbers count from 1");
        let (name, data) = rest.split_once(" # ").map_or((rest, None), |(name, data)| (name, Some(data)));
        assert!(!name.contains('#') && !data.unwrap_or_default().contains('#'), "{line}");
        let word = data.and_then(|data| data.split(' ').next()).unwrap_or_default();
        let directive = ["SKIP", "ERROR"].contains(&word).then(|| word.to_owned());
        // A parent fails where one of its subtests does.
        let failed = below.iter().any(|one: &Result| !one.ok);
        assert!(below.is_empty() || ok != failed, "{line}");
        all.push(Result { ok, name: name.to_owned(), directive, below: std::mem::take(&mut below) });
    }
    all
}

/// How many cases there are of each standing, by the word of it; from the one format that has it for each.
fn standings(model: &ReportModel) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for test in json(model, "ctrf")["results"]["tests"].as_array().expect("a list") {
        *all.entry(test["rawStatus"].as_str().expect("a word").to_owned()).or_default() += 1;
    }
    all
}

fn json(model: &ReportModel, format: &str) -> Value {
    serde_json::from_str(&render(model, format)).expect("JSON")
}

#[test]
fn a_mixed_run_has_every_standing_and_every_format_says_each() {
    let model = model(&mixed());
    for status in [CellStatus::Complete, CellStatus::Short, CellStatus::Skipped, CellStatus::Blind] {
        assert!(model.cells.iter().any(|cell| cell.status == status), "{status:?}");
    }
    let standings = standings(&model);
    assert_eq!(standings.len(), Standing::ALL.len(), "{standings:?}");
    let junit = render(&model, "junit");
    let (ktap_text, kcidb) = (render(&model, "ktap"), render(&model, "kcidb"));
    let results = ktap(&ktap_text);
    let cases: usize = results.iter().map(|group| group.below.len()).sum();
    assert_eq!(cases, standings.values().sum::<usize>());
    let failed = results.iter().flat_map(|group| &group.below).filter(|one| !one.ok).count();
    assert_eq!(failed, ["differs", "blind", "void"].map(|word| standings[word]).into_iter().sum::<usize>());
    for (word, n) in &standings {
        assert_eq!(junit.matches(&format!("name=\"standing\" value=\"{word}\"")).count(), *n, "{word}");
        assert!(kcidb.contains(&format!("\"standing\": \"{word}\"")), "{word}");
    }
    insta::assert_snapshot!("mixed_ktap", ktap_text);
    insta::assert_snapshot!("mixed_openmetrics", render(&model, "openmetrics"));
    insta::assert_snapshot!("mixed_github", render(&model, "github"));
}

/// One test of each standing, and all that stands around them.
#[test]
fn the_json_of_a_mixed_run() {
    let model = model(&mixed());
    let mut seen = BTreeSet::new();
    let mut kcidb = json(&model, "kcidb");
    let tests = kcidb["tests"].as_array_mut().expect("a list");
    tests.retain(|test| seen.insert(test["misc"]["standing"].to_string()));
    insta::assert_snapshot!("mixed_kcidb", serde_json::to_string_pretty(&kcidb).expect("plain data"));
    let mut ctrf = json(&model, "ctrf");
    seen.clear();
    let tests = ctrf["results"]["tests"].as_array_mut().expect("a list");
    tests.retain(|test| seen.insert(test["rawStatus"].to_string()));
    insta::assert_snapshot!("mixed_ctrf", serde_json::to_string_pretty(&ctrf).expect("plain data"));
}

/// The table of the docs is that of the code.
#[test]
fn the_docs_have_the_words_of_every_standing() {
    let docs = include_str!("../../docs/report.md");
    for standing in Standing::ALL {
        let words = standing.words();
        let github = if words.github.is_empty() { "–".to_owned() } else { format!("`{}`", words.github) };
        let row = format!(
            "| `{}` | `{}` | `{}` | `{}` | {github} |\n",
            words.junit, words.ktap, words.kcidb, words.ctrf
        );
        let found = docs.lines().find(|line| line.starts_with(&format!("| {} | ", words.word)));
        let found = found.unwrap_or_else(|| panic!("{} has no row", words.word));
        assert!(format!("{found}\n").ends_with(&row), "{found}\nshould end with\n{row}");
    }
}

/// Every command, as GitHub's runner takes it apart: kind, title, message.
fn commands(text: &str) -> Vec<(String, String, String)> {
    let parts = |line: &str| {
        let rest = line.strip_prefix("::").expect("a command");
        let (head, message) = rest.split_once("::").expect("a message");
        let (kind, title) = head.split_once(" title=").expect("a title");
        assert!(["error", "warning", "notice"].contains(&kind), "{line}");
        assert!(!title.contains([':', ',', '\r', '\n']), "{line}");
        assert!(!message.contains(['\r', '\n']), "{line}");
        for text in [title, message] {
            let mut rest = text.split('%').skip(1);
            assert!(rest.all(|code| ["25", "3A", "2C"].iter().any(|one| code.starts_with(one))), "{line}");
        }
        (kind.to_owned(), title.to_owned(), message.to_owned())
    };
    text.lines().map(parts).collect()
}

#[test]
fn annotations_stay_within_what_github_keeps_and_say_what_is_cut() {
    let mixed = model(&mixed());
    let standings = standings(&mixed);
    let commands = commands(&render(&mixed, "github"));
    let of = |kind: &str| commands.iter().filter(|(of, ..)| of == kind).collect::<Vec<_>>();
    let expected = [
        ("error", standings["differs"]),
        ("warning", standings["blind"] + standings["void"]),
        ("notice", standings["measured"] + standings["skipped"]),
    ];
    let mut cut = 0;
    for (kind, all) in expected {
        let of = of(kind);
        assert_eq!(of.len(), all.min(10), "{kind}");
        if all > 10 {
            let (.., last) = of.last().expect("ten");
            assert!(last.starts_with(&format!("{} more of {all}: ", all - 9)), "{last}");
            cut += 1;
        }
    }
    assert!(cut > 0, "the test shows a cut: {standings:?}");
    assert!(of("error")[0].1.contains("EBADF") || of("error")[0].1.contains("any_error"), "{commands:?}");
}

#[test]
fn a_run_in_which_all_is_well_says_so_in_one_annotation() {
    let mut model = model(&sound());
    model.cells.retain(|cell| cell.status == CellStatus::Complete);
    (model.comparisons, model.outcome_comparisons, model.headlines) = (Vec::new(), Vec::new(), Vec::new());
    model.controls.retain(|control| control.passed());
    let commands = commands(&render(&model, "github"));
    assert_eq!(commands.len(), 1, "{commands:?}");
    assert!(commands[0].0 == "notice" && commands[0].2.ends_with("each is as expected"), "{commands:?}");
}

/// A sample: its name, its labels, its value.
type Sample = (String, Vec<(String, String)>, f64);

/// Every sample. Fails where a line is none of OpenMetrics.
fn metrics(text: &str) -> Vec<Sample> {
    let lines: Vec<&str> = text.strip_suffix('\n').expect("a last line feed").split('\n').collect();
    let (end, lines) = lines.split_last().expect("a line");
    assert_eq!(*end, "# EOF");
    let (mut family, mut kind) = (String::new(), String::new());
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    for line in lines {
        if let Some(about) = line.strip_prefix("# ") {
            let [word, name, rest] = about.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
            match word {
                "HELP" => assert!(known.insert(name.to_owned()), "one family of a name: {line}"),
                "TYPE" => (family, kind) = (name.to_owned(), rest.to_owned()),
                "UNIT" => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name, labels, value) = match line.split_once('{') {
            Some((name, rest)) => {
                let (labels, rest) = labels(rest);
                (name, labels, rest)
            }
            None => line.split_once(' ').map(|(name, value)| (name, Vec::new(), value)).expect("a value"),
        };
        assert_eq!(
            name,
            if kind == "counter" { format!("{family}_total") } else { family.clone() },
            "{line}"
        );
        all.push((name.to_owned(), labels, value.trim_start().parse().expect("a number")));
    }
    all
}

/// `name="value",...} `: the labels, and what follows them.
fn labels(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut all = Vec::new();
    loop {
        let (name, value) = rest.split_once("=\"").expect("a label");
        let (mut text, mut letters) = (String::new(), value.char_indices());
        let end = loop {
            match letters.next().expect("a quote ends it") {
                (at, '"') => break at,
                (_, '\\') => text.push(match letters.next().expect("what is escaped").1 {
                    'n' => '\n',
                    same @ ('\\' | '"') => same,
                    other => panic!("no such escape: {other}"),
                }),
                (_, letter) => text.push(letter),
            }
        };
        all.push((name.to_owned(), text));
        rest = &value[end + 1..];
        match rest.split_at(1) {
            (",", more) => rest = more,
            ("}", more) => return (all, more),
            _ => panic!("{rest}"),
        }
    }
}

#[test]
fn metrics_are_the_sums_of_the_report_and_do_not_grow_with_the_plan() {
    let model = model(&mixed());
    let all = metrics(&render(&model, "openmetrics"));
    let sum = |name: &str| all.iter().filter(|one| one.0 == name).map(|one| one.2).sum::<f64>();
    let of = |count: fn(&rig::analysis::model::CellSummary) -> u64| {
        model.cells.iter().map(count).sum::<u64>() as f64
    };
    assert_eq!(sum("rig_trials_total"), of(|cell| cell.trials));
    assert_eq!(sum("rig_void_trials_total"), of(|cell| cell.void));
    assert_eq!(sum("rig_cells"), model.cells.len() as f64);
    assert_eq!(sum("rig_run_exit_code"), 5.0);
    assert_eq!(sum("rig_alerts"), model.alerts.len() as f64);
    let ebadf = all.iter().filter(|one| {
        let is = |name: &str, value: &str| one.1.iter().any(|(of, is)| of == name && is == value);
        one.0 == "rig_errors_total" && is("errno", "EBADF") && is("role", "measured") && is("kernel", "6.12")
    });
    let seen = model.cells.iter().filter(|cell| cell.kernel == "6.12");
    let controls: BTreeSet<&str> = model.controls.iter().map(|control| control.cell.as_str()).collect();
    let seen = seen.filter(|cell| !controls.contains(cell.id.as_str()));
    let seen: u64 =
        seen.filter_map(|cell| cell.returns.get(&rig_protocol::Returned::failed(Errno::EBADF))).sum();
    assert!(seen > 0);
    assert_eq!(ebadf.map(|one| one.2).sum::<f64>(), seen as f64);

    let mut large = model.clone();
    for n in 0..1_000 {
        let mut cell = model.cells[0].clone();
        (cell.scenario, cell.configuration) = (format!("scenario-{n}"), format!("configuration-{n}"));
        large.cells.push(cell);
    }
    let before = of(|cell| cell.trials);
    let all = metrics(&render(&large, "openmetrics"));
    let trials: Vec<_> = all.iter().filter(|one| one.0 == "rig_trials_total").collect();
    assert!(trials.len() <= 202, "{} series", trials.len());
    let sum: f64 = trials.iter().map(|one| one.2).sum();
    assert_eq!(sum, before + 1_000.0 * model.cells[0].trials as f64, "nothing is lost");
}

/// What the schema of CTRF asks for, and that its figures add up.
fn assert_ctrf(report: &Value) {
    assert_eq!(report["reportFormat"], "CTRF");
    let version = report["specVersion"].as_str().expect("a version");
    assert!(version.split('.').count() == 3 && version.split('.').all(|part| part.parse::<u32>().is_ok()));
    let results = &report["results"];
    assert!(!results["tool"]["name"].as_str().expect("a name").is_empty());
    let tests = results["tests"].as_array().expect("a list");
    let summary = &results["summary"];
    assert_eq!(summary["tests"], tests.len());
    let mut sum = 0;
    for status in ["passed", "failed", "skipped", "pending", "other"] {
        let n = tests.iter().filter(|test| test["status"] == status).count();
        assert_eq!(summary[status], n, "{status}");
        sum += n;
    }
    assert_eq!(sum, tests.len(), "no test has another status");
    assert!(summary["start"].as_i64().expect("a moment") <= summary["stop"].as_i64().expect("a moment"));
    const KEYS: [&str; 11] = [
        "name",
        "status",
        "rawStatus",
        "duration",
        "suite",
        "message",
        "stdout",
        "start",
        "parameters",
        "extra",
        "stop",
    ];
    for test in tests {
        assert!(test["duration"].is_u64() && !test["name"].as_str().expect("a name").is_empty());
        assert!(test["suite"].as_array().is_some_and(|suite| suite.iter().all(Value::is_string)));
        assert!(test.as_object().expect("one").keys().all(|key| KEYS.contains(&key.as_str())), "{test}");
    }
}

/// Links between objects, ids and paths as schema 5.3 asks; how many tests there are.
fn kcidb(report: &Value) -> usize {
    let ids = |of: &str| {
        let all = report[of].as_array().expect("a list");
        let ids: BTreeSet<&str> = all.iter().map(|one| one["id"].as_str().expect("an id")).collect();
        assert_eq!(ids.len(), all.len(), "ids are unique");
        assert!(ids.iter().all(|id| id.starts_with("rig:") && !id.contains('\0')));
        ids
    };
    let (checkouts, builds, tests) = (ids("checkouts"), ids("builds"), ids("tests"));
    for build in report["builds"].as_array().expect("a list") {
        assert!(checkouts.contains(build["checkout_id"].as_str().expect("an id")));
    }
    for test in report["tests"].as_array().expect("a list") {
        assert!(builds.contains(test["build_id"].as_str().expect("an id")));
        let node = |node: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            !node.is_empty() && node.chars().all(fits)
        };
        assert!(test["path"].as_str().expect("a path").split('.').all(node), "{test}");
        assert!(test["log_excerpt"].as_str().unwrap_or_default().chars().count() <= 16_384);
    }
    tests.len()
}

#[test]
fn json_formats_are_as_their_specifications_say() {
    for bench in [mixed(), sound()] {
        let model = model(&bench);
        assert_ctrf(&json(&model, "ctrf"));
        let report = json(&model, "kcidb");
        let headlines = model.headlines.len();
        let cases = json(&model, "ctrf")["results"]["summary"]["tests"].as_u64().expect("a number");
        assert_eq!(kcidb(&report) + headlines, usize::try_from(cases).expect("few"));
        assert_eq!(report["tests"][0]["duration"], model.cells[0].elapsed_ns as f64 / 1e9);
    }
}

static USUAL: LazyLock<ReportModel> = LazyLock::new(|| named("usual"));

proptest! {
    #![proptest_config(ProptestConfig { cases: scale(16, 1000), ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_the_structure_of_a_format(text in text()) {
        let model = named(&text);
        let usual = &*USUAL;
        let groups = |model: &ReportModel| {
            let all = ktap(&render(model, "ktap"));
            all.iter().map(|group| group.below.len()).sum::<usize>()
        };
        prop_assert_eq!(groups(&model), groups(usual));
        let names = |model: &ReportModel| {
            metrics(&render(model, "openmetrics")).into_iter().map(|one| one.0).collect::<Vec<_>>()
        };
        prop_assert_eq!(names(&model), names(usual));
        let kinds = |model: &ReportModel| {
            commands(&render(model, "github")).into_iter().map(|one| one.0).collect::<Vec<_>>()
        };
        prop_assert_eq!(kinds(&model), kinds(usual));
        assert_ctrf(&json(&model, "ctrf"));
        prop_assert_eq!(kcidb(&json(&model, "kcidb")), kcidb(&json(usual, "kcidb")));
    }
}
