//! What the commands print that only read files: plan, check, scenario, report; and how that follows the reader's terminal and their words.
//!
//! Every `cli/*.toml` is one command; its output stands beside it. Must not need root, guests or a network.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

#[test]
fn commands_print_what_they_are_documented_to_print() {
    trycmd::TestCases::new()
        .register_bin("rig", Path::new(env!("CARGO_BIN_EXE_rig")))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "")
        .env("RIG_CALLED_AS", "rig")
        .case("tests/cli/*.toml");
}

/// What rig says in a terminal of so many columns; without a number as wide as it wants to.
fn said(arguments: &[&str], columns: &str, called: &str) -> Output {
    let mut rig = Command::new(env!("CARGO_BIN_EXE_rig"));
    rig.args(arguments).env("COLUMNS", columns).env("RIG_CALLED_AS", called).env("NO_COLOR", "1");
    rig.output().unwrap()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

#[test]
fn lines_are_as_wide_as_the_terminal_and_no_word_is_broken() {
    const RUN: &str = "tests/golden/runs/format-2";
    for arguments in [
        &["matrix", "plan", "--any-host"][..],
        &["matrix", "plan", "--any-host", "--profile", "nightly", "scenario=rst"],
        &["scenario", "list"],
        &["image", "list"],
        &["report", RUN],
        &["explain", "ENONET", "--run", RUN],
        &["report", "tests/golden/runs/format-1"],
    ] {
        let wide = said(arguments, "1000", "cargo rig");
        let wide = String::from_utf8(wide.stdout).unwrap();
        assert!(!wide.is_empty(), "{arguments:?}");
        for columns in [80, 140] {
            let output = said(arguments, &columns.to_string(), "cargo rig");
            assert!(output.status.success(), "{arguments:?}");
            let narrow = String::from_utf8(output.stdout).unwrap();
            for line in narrow.lines() {
                assert!(line.chars().count() <= columns, "{arguments:?} at {columns}: {line:?}");
            }
            // Only the line under a heading follows the width, and the line that names what has no room.
            let whole: String = narrow
                .lines()
                .filter(|line| !line.contains("(no room for"))
                .map(|line| format!("{line}\n"))
                .collect();
            let new: Vec<&str> = words(&whole)
                .difference(&words(&wide))
                .filter(|word| word.contains(|c| c != '-'))
                .copied()
                .collect();
            assert!(
                new.is_empty(),
                "{arguments:?} at {columns} has words that the wide text has not: {new:?}"
            );
        }
    }
}

#[test]
fn without_a_terminal_a_table_is_as_wide_as_it_needs_to_be() {
    let plan = String::from_utf8(said(&["matrix", "plan", "--any-host"], "", "rig").stdout).unwrap();
    let heading = plan.lines().next().unwrap();
    assert!(
        ["cell", "trials", "blocks", "status", "parameters"].iter().all(|name| heading.contains(name)),
        "{heading}"
    );
    assert!(plan.lines().any(|line| line.chars().count() > 120), "a long row is in one line");
}

#[test]
fn a_hint_can_be_pasted() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    for called in ["cargo rig", "rig"] {
        let output = said(&["report", "nosuch", "--results", folder], "1000", called);
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            message.contains(&format!("`{called} matrix run --results {folder}` makes one")),
            "{message}"
        );
    }
    // The report's last lines are commands, and they find the run again where it is.
    let runs = "tests/golden/runs";
    let report = said(&["report", "format-2", "--results", runs], "", "cargo rig");
    let text = String::from_utf8(report.stdout).unwrap();
    let last = text.lines().rev().nth(1).unwrap().trim();
    assert!(last.starts_with("cargo rig report ") && last.ends_with(&format!(" --results {runs}")), "{last}");
}

#[test]
fn wrong_input_gets_the_sentence_that_its_user_needs() {
    let told = |arguments: &[&str]| {
        let output = said(arguments, "1000", "rig");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let usage = told(&["matrix", "run", "--resume", "X", "--trials", "5"]);
    assert!(usage.contains("rig matrix run --resume [RUN] [OPTIONS]\n"), "{usage}");
    for wrong in [&["matrix", "plan", "--color"][..], &["matrix", "plan", "--trials", "-5"]] {
        let tip = told(wrong);
        assert!(!tip.contains("use '-- "), "{tip}");
    }
    let unknown = told(&["guest", "boot", "zzzz"]);
    assert!(
        unknown.lines().count() < 15 && unknown.contains("more: `rig matrix plan` lists the cells"),
        "{unknown}"
    );
    let rehearsed = told(&["rehearse", "--", "nosuch"]);
    assert!(
        rehearsed.contains("unrecognized subcommand 'nosuch'") && !rehearsed.contains("booting"),
        "{rehearsed}"
    );
    assert!(told(&["rehearse", "--", "rehearse", "--", "doctor"]).contains("a rehearsal inside a rehearsal"));
}

/// rig in a folder, as somebody without a terminal calls it.
fn said_in(folder: &Path, line: &str) -> Output {
    let mut rig = Command::new(env!("CARGO_BIN_EXE_rig"));
    rig.args(line.split(' ')).current_dir(folder).env("RIG_CALLED_AS", "rig").env("NO_COLOR", "1");
    rig.env("COLUMNS", "1000").output().unwrap()
}

#[track_caller]
fn ends(folder: &Path, line: &str, code: i32) -> (String, String) {
    let output = said_in(folder, line);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{line}: {stdout}{stderr}");
    (stdout, stderr)
}

#[test]
fn what_matrix_init_writes_is_found_and_valid_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (told, _) = ends(folder.path(), "matrix init", 0);
    assert!(told.contains("wrote matrix.toml") && told.contains("wrote images/6.1.toml"), "{told}");
    let (checked, _) = ends(folder.path(), "matrix check", 0);
    assert!(checked.starts_with("matrix.toml: valid\n"), "the file here, not rig's own: {checked}");
    let (plan, _) = ends(folder.path(), "matrix plan --any-host", 0);
    assert!(plan.contains("\nmatrix.toml, profile quick: "), "{plan}");
    ends(folder.path(), "image list", 0);
    // The recipes are those of ./images: a changed one counts.
    let recipe = fs::read_to_string(at("images/6.1.toml")).unwrap();
    fs::write(at("images/6.1.toml"), recipe.replacen("[kernel]", "[kernle]", 1)).unwrap();
    let (list, _) = ends(folder.path(), "image list", 0);
    assert!(list.lines().any(|line| line.starts_with("6.1 ") && line.contains("images/6.1.toml")), "{list}");
    fs::write(at("images/own.toml"), recipe).unwrap();
    assert!(ends(folder.path(), "image list", 0).0.contains("\nown "));

    fs::write(at("matrix.toml"), "mine").unwrap();
    fs::remove_file(at("images/6.12.toml")).unwrap();
    let (_, refused) = ends(folder.path(), "matrix init", 2);
    assert!(
        refused.contains(
            "images/5.10.toml, images/6.1.toml, images/6.1-full.toml, images/newest.toml are there"
        ),
        "{refused}"
    );
    assert!(refused.contains("move them away"), "{refused}");
    assert_eq!(fs::read_to_string(at("matrix.toml")).unwrap(), "mine");
    assert!(!at("images/6.12.toml").exists());
    ends(folder.path(), "matrix init below", 0);
    ends(&at("below"), "matrix check", 0);
    let (_, refused) = ends(folder.path(), "matrix init matrix.toml", 2);
    assert!(refused.contains("matrix.toml (a file where a folder is needed) is there already"), "{refused}");
}

/// A guest and its host, one block each, and too few trials for any margin.
const NOTHING_TO_DECIDE: &str = r#"
[run]
trials = 500
blocks = 1
[axes]
scenario = ["rst"]
configuration = ["host", "guest"]
kernel = ["6.1"]
path = ["direct"]
[configuration.host]
kind = "host"
[configuration.guest]
kind = "qemu"
nic = "virtio-net"
backend = "tap"
[path.direct]
[control.negative]
scenario = "control-negative"
"#;

#[test]
fn a_file_whose_comparisons_nothing_can_decide_is_refused_with_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("matrix.toml"), NOTHING_TO_DECIDE).unwrap();
    let (_, refused) = ends(folder.path(), "matrix check", 2);
    let words = refused.split_whitespace().collect::<Vec<_>>().join(" ").replace(" │ ", " ");
    assert!(
        words.contains("rst over direct, 1 cell of guests: 500 trials in 1 block cannot decide"),
        "{refused}"
    );
    assert!(words.contains("1000 trials in 2 blocks can show the same rate"), "{refused}");
    // A plan is shown all the same, with the warning and what each comparison can show.
    let (plan, _) = ends(folder.path(), "matrix plan --any-host --power", 0);
    assert!(plan.contains("500 in 1") && plan.contains("cannot decide"), "{plan}");
    fs::write(folder.path().join("matrix.toml"), NOTHING_TO_DECIDE.replace("blocks = 1", "blocks = 2"))
        .unwrap();
    ends(folder.path(), "matrix check", 0);
}

#[test]
fn the_power_of_a_plan_is_in_its_json() {
    let folder = tempfile::tempdir().unwrap();
    let line = "matrix plan --any-host --power --bound 0.1% --fix 1e-2 --format json";
    let plan: serde_json::Value = serde_json::from_str(&ends(folder.path(), line, 0).0).unwrap();
    let power = &plan["power"];
    let groups = power["groups"].as_array().unwrap();
    let compared = |group: &serde_json::Value| {
        group["pairs"].as_array().unwrap().len() * group["errnos"].as_array().unwrap().len()
    };
    assert_eq!(power["comparisons"], groups.iter().map(compared).sum::<usize>());
    for group in groups {
        assert_eq!(group["bound"]["below"], 1e-3);
        let [low, middle, high] =
            ["independent", "at_icc", "share_of_blocks"].map(|name| group["at_most"][name].as_f64().unwrap());
        assert!(0.0 < low && low < middle && middle < high && high < 1.0, "{group}");
        assert!(group["bound"]["cell"]["trials"].as_u64() >= Some(3_689), "{group}");
    }
    assert!(power["fix"]["by_block_size"][0]["needed"]["trials"].as_u64() >= Some(299));
    let (_, refused) = ends(folder.path(), "matrix plan --power --bound 2", 2);
    assert!(refused.contains("more than 0 and less than 1"), "{refused}");
}

#[test]
fn a_lock_is_written_once_and_refused_where_it_was_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    ends(folder.path(), "matrix plan --any-host --lock plan.json scenario=fin", 0);
    let text = fs::read_to_string(&path).unwrap();
    let lock = rig::record::format::Lock::parse(&text).unwrap();
    assert!(lock.cells.iter().any(|cell| cell.scenario == "fin"), "{text}");
    assert_eq!(lock.filters, ["scenario=fin"]);
    let (_, refused) = ends(folder.path(), "matrix plan --any-host --lock plan.json", 2);
    assert!(refused.contains("plan.json is there already"), "{refused}");
    fs::write(&path, text.replace("\"margin\": 0.005", "\"margin\": 0.05")).unwrap();
    let (_, refused) = ends(folder.path(), "matrix run --lock plan.json", 2);
    let words = refused.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("`margin` is not what its digest says"), "{refused}");
    let (_, refused) = ends(folder.path(), "matrix run --lock nowhere.json", 2);
    assert!(refused.contains("cannot read nowhere.json"), "{refused}");
}

#[test]
fn a_scenario_file_is_shown_byte_for_byte_and_a_new_one_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    for entry in fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (shown, _) = ends(folder.path(), &format!("scenario show {name} --format toml"), 0);
        assert_eq!(shown, fs::read_to_string(&path).unwrap(), "{name}");
    }
    let (told, _) = ends(folder.path(), "scenario new first", 0);
    assert!(
        told.contains("`rig scenario check first.toml`, `rig scenario run first.toml --trials 200`"),
        "{told}"
    );
    ends(folder.path(), "scenario check first.toml", 0);
    ends(folder.path(), "scenario new second --from watcher", 0);
    let (shown, _) = ends(folder.path(), "scenario show second.toml --format toml", 0);
    assert_eq!(shown, fs::read_to_string(folder.path().join("second.toml")).unwrap());
    assert_eq!(shown, ends(folder.path(), "scenario show watcher --format toml", 0).0);
    let (list, _) = ends(folder.path(), "scenario list --format json", 0);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let names: Vec<&str> =
        list["scenarios"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, rig::script::shipped_names().collect::<Vec<_>>());
    let rst = list["scenarios"].as_array().unwrap().iter().find(|one| one["name"] == "rst").unwrap();
    assert!(rst["parameters"][0]["default"].is_string() && list["format"] == 1, "{list}");
    let (_, refused) = ends(folder.path(), "scenario new first --from rst", 2);
    assert!(refused.contains("first.toml is there already"), "{refused}");
    ends(folder.path(), "scenario new third --from nosuch", 2);
    assert!(!folder.path().join("third.toml").exists());
}

#[test]
fn a_page_is_markdown_in_a_pipe_and_laid_out_and_paged_on_a_terminal() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(here.join("docs/paths.md")).unwrap();
    // Without the lines that tell contributors how a part is made.
    let told: String = page.split_inclusive('\n').filter(|line| !line.starts_with("<!--")).collect();
    assert_eq!(ends(here, "docs paths", 0).0, told);
    let text = ends(here, "docs paths --format text", 0).0;
    assert!(text.starts_with("Paths\n\n  A path is ") && !text.contains("|---|"), "{text}");
    let on_terminal = |command: &str| {
        // script(1) is part of every Debian.
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--command", command, "/dev/null"]);
        script
            .env("PAGER", "sed s/^/paged:/")
            .env("COLUMNS", "80")
            .env("TERM", "xterm")
            .env("RIG_CALLED_AS", "rig");
        script.stdin(std::process::Stdio::null());
        match script.output() {
            Ok(output) => Some(String::from_utf8(output.stdout).unwrap()),
            Err(error) => {
                eprintln!("skipped: script(1) cannot be started: {error}");
                None
            }
        }
    };
    let rig = env!("CARGO_BIN_EXE_rig");
    let Some(paged) = on_terminal(&format!("{rig} docs paths")) else { return };
    assert!(paged.contains("paged:") && paged.contains("A path is"), "{paged}");
    assert!(paged.contains("\u{1b}[1m"), "headings are bold: {paged:?}");
    let whole = on_terminal(&format!("{rig} docs paths --no-pager")).unwrap();
    assert!(!whole.contains("paged:") && whole.contains("A path is"), "{whole}");
    let list = on_terminal(&format!("{rig} docs")).unwrap();
    assert!(!list.contains("paged:"), "the list fits: {list}");
}

#[test]
fn manual_pages_are_written_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (told, _) = ends(folder.path(), "man --install share", 0);
    let page = fs::read_to_string(folder.path().join("share/man1/rig-matrix-run.1")).unwrap();
    assert_eq!(page, ends(folder.path(), "man matrix run", 0).0);
    let count = fs::read_dir(folder.path().join("share/man1")).unwrap().count();
    assert!(count > 25 && told.starts_with(&format!("{count} manual pages are in share/man1\n")), "{told}");
    ends(folder.path(), "man --install share", 0);
    fs::write(folder.path().join("afile"), "").unwrap();
    ends(folder.path(), "man --install afile", 2);
    ends(folder.path(), "report --results afile", 2);
}

/// A file that is a bzImage as far as it is looked at before a boot (Linux Documentation/arch/x86/boot.rst).
fn bzimage() -> Vec<u8> {
    let mut bytes = vec![0; 1040];
    let fields: [(usize, &[u8]); 9] = [
        (0x1F1, &[1]),
        (0x1F4, &[1]),
        (0x1FE, &[0x55, 0xAA]),
        (0x202, b"HdrS"),
        (0x206, &[0x0F, 0x02]),
        (0x20E, &[0, 1]),
        (0x211, &[1]),
        (0x236, &[1]),
        (0x300, b"6.1.0-own (a@b) #1\0"),
    ];
    for (at, field) in fields {
        bytes[at..at + field.len()].copy_from_slice(field);
    }
    bytes
}

#[test]
fn kernels_of_ones_own_are_named_by_their_path() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let at = folder.path().join(name);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, bytes).unwrap();
    };
    put("mine", &bzimage());
    let plan = |from: &str, line: &str| -> serde_json::Value {
        serde_json::from_str(&ends(&folder.path().join(from), line, 0).0).unwrap()
    };
    let of_rig = plan("", "matrix plan --any-host --format json --kernel ./mine --kernel 6.1");
    let kernels: BTreeSet<&str> =
        of_rig["cells"].as_array().unwrap().iter().map(|cell| cell["kernel"].as_str().unwrap()).collect();
    assert_eq!(kernels, BTreeSet::from(["./mine", "6.1", "host"]));

    // A path in a file is seen from the file's folder, one on the command line from where one is.
    put("below/matrix.toml", NOTHING_TO_DECIDE.replace("\"6.1\"", "\"../mine\"").as_bytes());
    ends(folder.path(), "matrix plan --any-host --matrix below/matrix.toml", 0);
    ends(folder.path(), "matrix plan --any-host --matrix below/matrix.toml --kernel ./mine", 0);
    let refused = |line: &str| {
        let (_, told) = ends(folder.path(), line, 2);
        told.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
    };
    let told = refused("matrix plan --any-host --matrix below/matrix.toml --kernel ../mine");
    assert!(told.contains("cannot read the kernel at"), "{told}");

    put("torn", &bzimage()[..1030]);
    put("text", b"no kernel at all");
    put("empty/README", b"");
    for (kernel, part) in [
        ("./torn", "it is cut short: 1030 bytes of at least 1040"),
        ("./text", "it is not a bzImage"),
        ("./empty", "has no kernel"),
        ("host", "`host` cannot be a guest's kernel"),
        ("6.99", "no image recipe is called \"6.99\""),
    ] {
        for command in ["matrix run", "matrix plan --any-host"] {
            let told = refused(&format!("{command} --kernel {kernel}"));
            assert!(told.contains(part), "{command} {kernel}: {told}");
        }
    }
    let told = refused("matrix run --resume --kernel 6.1");
    assert!(told.contains("cannot be used with"), "{told}");
}

#[test]
fn a_kernel_is_compared_with_one_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let plan = "matrix plan --any-host --power --format json --kernel 6.1 --kernel 6.12";
    let of =
        |line: &str| -> serde_json::Value { serde_json::from_str(&ends(folder.path(), line, 0).0).unwrap() };
    let without = of(plan);
    assert!(without.get("baseline").is_none() && without["power"].get("baseline").is_none());
    let with = of(&format!("{plan} --baseline kernel:6.1"));
    assert_eq!(with["power"]["comparisons"], without["power"]["comparisons"], "those with bare metal stay");
    let pairs = with["baseline"]["pairs"].as_array().unwrap();
    let cells = with["cells"].as_array().unwrap();
    let cell = |id: &serde_json::Value| cells.iter().find(|cell| cell["id"] == *id).unwrap();
    for pair in pairs {
        let [cell, first] = ["cell", "baseline"].map(|side| cell(&pair[side]));
        assert_eq!((first["kernel"].as_str(), cell["kernel"].as_str()), (Some("6.1"), Some("6.12")));
        for key in ["scenario", "parameters", "path", "configuration"] {
            assert_eq!(first[key], cell[key]);
        }
    }
    let of_kernels = &with["power"]["baseline"];
    assert_eq!(of_kernels["comparisons"].as_u64(), Some(3 * pairs.len() as u64));
    assert!(!pairs.is_empty() && of_kernels["groups"][0]["baseline"]["trials"].is_u64(), "{of_kernels}");

    let refused = |line: &str| {
        let (_, told) = ends(folder.path(), &format!("matrix plan --any-host {line}"), 2);
        told.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
    };
    for (line, part) in [
        ("--kernel 6.1 --baseline kernel:6.1", "`6.1` is the only kernel"),
        ("--kernel 6.1 --kernel 6.12 --baseline kernel:5.10", "`5.10` is none of the kernels"),
        ("--kernel 6.1 --kernel 6.12 --baseline 6.1", "is not `kernel:` and a kernel"),
        ("--baseline kernel:host", "not a guest's kernel"),
    ] {
        assert!(refused(line).contains(part), "{line}: {}", refused(line));
    }
}
