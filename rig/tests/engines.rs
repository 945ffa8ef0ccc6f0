//! Tier *pure*: what rig says to engines is what their schemas take and what their languages read back; the files of `rig/docs/ci/` too.
//!
//! The readers are other people's (`oracles/engines.py`): check-jsonschema's schemas, kubernetes-validate, two YAML parsers. Must not submit anything.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[path = "support/packages.rs"]
mod packages;
#[path = "support/tools.rs"]
mod tools;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rig::engine::{Engine, Fleet};
use serde_json::{Value as Json, json};

use packages::needs_packages;

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// Texts with their kinds, as others read them: `documents`, `refused`, `same` (by both YAML parsers).
fn judged(python: &Path, texts: &[(&str, &str)]) -> Vec<Json> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/engines.py");
    let mut command = Command::new(python);
    command.arg("-I").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let asked: Vec<Json> = texts.iter().map(|(kind, text)| json!({ "kind": kind, "text": text })).collect();
    child.stdin.take().unwrap().write_all(json!(asked).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn taken(judged: &Json) -> &Vec<Json> {
    assert_eq!((&judged["refused"], &judged["same"]), (&json!([]), &json!(true)), "{judged:#}");
    judged["documents"].as_array().unwrap()
}

/// What rig prints for an engine, run in this folder.
fn planned(folder: &Path, arguments: &[&str]) -> String {
    let mut rig = Command::new(env!("CARGO_BIN_EXE_rig"));
    rig.args(["matrix", "plan"])
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let output = rig.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Words that somebody's shell, YAML, expression or template would read as something else.
const HOSTILE: [&str; 22] = [
    "",
    "'",
    "\"",
    "\\",
    "$HOME",
    "$(reboot)",
    "$(RIG)",
    "`reboot`",
    "$$",
    "$",
    "a b",
    "-x",
    "!",
    "#",
    "*",
    "~",
    "é\u{2028}\u{1f600}",
    "${{ github.token }}",
    "$[[ inputs.x ]]",
    "a: b",
    "%A",
    "SHARDS",
];

fn hostile() -> Fleet {
    Fleet { words: HOSTILE.map(str::to_owned).to_vec(), shards: 2, seed: u64::MAX }
}

/// The words that a shell starts `rig` with.
fn started(script: &str, arguments: &[String], variables: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let rig = folder.path().join("rig");
    fs::write(&rig, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n").unwrap();
    fs::set_permissions(&rig, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).args(arguments).current_dir(&folder).env("PATH", path).stdin(Stdio::null());
    let output = shell.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_terminator('\0').map(str::to_owned).collect()
}

fn with_hostile(head: &[&str]) -> Vec<String> {
    head.iter().copied().chain(HOSTILE).map(str::to_owned).collect()
}

const SECOND: [&str; 6] = ["matrix", "run", "--shard", "2/2", "--seed", "18446744073709551615"];

/// What Kubernetes makes of a command's word: `$(NAME)` of a variable that it knows is replaced, `$$` is a dollar (third_party/forked/golang/expansion).
fn expanded(word: &str) -> String {
    let mut text = String::new();
    let mut letters = word.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('$', Some('$')) => {
                letters.next();
                text.push('$');
            }
            ('$', Some('(')) => {
                let name: String = letters.by_ref().skip(1).take_while(|letter| *letter != ')').collect();
                text.push_str(&format!("<{name}>"));
            }
            _ => text.push(letter),
        }
    }
    text
}

fn texts(list: &Json) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn kubernetes_takes_the_jobs_and_a_pod_gets_its_words() {
    let Some(oracles) = needs_packages() else { return };
    let text = Engine::Kubernetes.render(&hostile()).unwrap();
    let shipped = file("kubernetes-job.yaml");
    let [ours, theirs] = &judged(&oracles.python(), &[("kubernetes", &text), ("kubernetes", &shipped)])[..]
    else {
        panic!("two answers")
    };
    taken(theirs);
    let [shards, join] = &taken(ours)[..] else { panic!("two jobs: {ours:#}") };
    assert_eq!(
        (&shards["spec"]["completions"], &shards["spec"]["completionMode"]),
        (&json!(2), &json!("Indexed"))
    );
    assert_eq!(join["spec"]["suspend"], true);
    let container = &shards["spec"]["template"]["spec"]["containers"][0];
    let words: Vec<String> = texts(&container["command"])
        .into_iter()
        .chain(texts(&container["args"]))
        .map(|word| expanded(&word))
        .collect();
    assert_eq!(words[..2], ["/bin/sh", "-c"]);
    let got = started(&words[2], &words[3..], &[("JOB_COMPLETION_INDEX", "1")]);
    assert_eq!(got, with_hostile(&[&SECOND[..], &["--results", "/shards/2"]].concat()));
}

#[test]
fn gitlab_takes_the_pipelines_and_a_job_gets_its_words() {
    let Some(oracles) = needs_packages() else { return };
    let fragment = Engine::Gitlab.render(&hostile()).unwrap();
    let child = format!("{fragment}{}", file("gitlab-shards.yml"));
    let parent = file("gitlab-nightly.yml");
    let answers = judged(&oracles.python(), &[("gitlab", &child), ("gitlab", &parent)]);
    taken(&answers[1]);
    let job = &taken(&answers[0])[0];
    assert_eq!(job["rig-shard"]["extends"], ".rig-shards");
    let second = &job[".rig-shards"]["parallel"]["matrix"][1];
    assert_eq!(second["RIG_SHARD"], "2/2");
    // `$$` is a dollar in the value of a variable; a single one would be a variable of GitLab's.
    let value = second["RIG_ARGUMENTS"].as_str().unwrap();
    assert!(!value.replace("$$", "").contains('$'), "{value}");
    let script = texts(&job["rig-shard"]["script"]);
    let line = script.iter().find(|line| line.contains("RIG_ARGUMENTS")).unwrap();
    let got = started(line, &[], &[("RIG_ARGUMENTS", &value.replace("$$", "$"))]);
    assert_eq!(
        got,
        [with_hostile(&SECOND), ["--deadline", "5h", "--results", "shards"].map(str::to_owned).to_vec()]
            .concat()
    );
}

#[test]
fn github_takes_the_workflow_and_a_job_gets_its_words() {
    let Some(oracles) = needs_packages() else { return };
    let matrix = Engine::Github.render(&hostile()).unwrap();
    let workflow = file("github-nightly.yml");
    let planned = workflow.replace("${{ fromJSON(needs.plan.outputs.matrix) }}", matrix.trim());
    assert_ne!(workflow, planned, "the workflow takes the matrix");
    let answers = judged(&oracles.python(), &[("github", &workflow), ("github", &planned)]);
    taken(&answers[0]);
    let shard = &taken(&answers[1])[0]["jobs"]["shard"];
    let arguments = shard["strategy"]["matrix"]["include"][1]["arguments"].as_str().unwrap();
    let steps = shard["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["env"]["ARGUMENTS"] == "${{ matrix.arguments }}").unwrap();
    let script = step["run"].as_str().unwrap().replace("sudo ", "");
    let got = started(&script, &[], &[("ARGUMENTS", arguments)]);
    assert_eq!(
        got,
        [with_hostile(&SECOND), ["--deadline", "5h", "--results", "shards"].map(str::to_owned).to_vec()]
            .concat()
    );
    // An expression in a script is text of that script before a shell sees it.
    for step in taken(&answers[0])[0]["jobs"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|job| job["steps"].as_array().unwrap())
    {
        assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step:#}");
    }
}

#[test]
fn a_wrong_file_is_refused_by_each_schema() {
    let Some(oracles) = needs_packages() else { return };
    let [github, gitlab, kubernetes] = [
        ("github-nightly.yml", "runs-on:", "run-on:"),
        ("gitlab-shards.yml", "script:", "scrpt:"),
        ("kubernetes-job.yaml", "completionMode", "completionmode"),
    ]
    .map(|(name, right, wrong)| file(name).replace(right, wrong));
    for answer in
        judged(&oracles.python(), &[("github", &github), ("gitlab", &gitlab), ("kubernetes", &kubernetes)])
    {
        assert_ne!(answer["refused"], json!([]), "{answer:#}");
    }
}

#[test]
fn the_job_of_kubernetes_that_comes_with_rig_is_what_a_plan_prints() {
    let folder = tempfile::tempdir().unwrap();
    let printed = planned(
        folder.path(),
        &["--profile", "nightly", "--format", "kubernetes", "--shards", "3", "--seed", "1"],
    );
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci/kubernetes-job.yaml");
    if std::env::var_os("RIG_WRITE_DOCS").is_some() {
        fs::write(&path, &printed).unwrap();
    }
    assert_eq!(file("kubernetes-job.yaml"), printed, "RIG_WRITE_DOCS=1 writes it");
}

#[test]
fn all_shards_are_asked_for_the_same_file_profile_and_seed() {
    let folder = tempfile::tempdir().unwrap();
    let name = "my \"$HOME\" 'matrix'.toml";
    fs::write(folder.path().join(name), rig::matrix::EMBEDDED).unwrap();
    let of = |arguments: &[&str]| -> Json {
        let all = [&["--format", "github", "--shards", "3"], arguments].concat();
        serde_json::from_str(&planned(folder.path(), &all)).unwrap()
    };
    let words = |job: &Json| started(&format!("rig {}", job["arguments"].as_str().unwrap()), &[], &[]);
    let plan = of(&["--matrix", name, "scenario=rst", "--trials", "1k", "--shard-by", "configuration"]);
    let jobs: Vec<Vec<String>> = plan["include"].as_array().unwrap().iter().map(words).collect();
    for (job, shard) in jobs.iter().zip(["1/3", "2/3", "3/3"]) {
        assert_eq!(job[..3], ["--shard", shard, "--seed"]);
        assert_eq!(job[3..], jobs[0][3..]);
        assert_eq!(
            job[4..],
            [
                "--shard-by=configuration",
                &format!("--matrix={name}"),
                "--profile=quick",
                "--trials=1000",
                "scenario=rst"
            ]
        );
    }
    assert_ne!(
        jobs[0][3],
        words(&of(&["--matrix", name, "scenario=rst"])["include"][0])[3],
        "a new seed for every plan"
    );
    // A shard where ./matrix.toml is missing would play rig's own.
    fs::rename(folder.path().join(name), folder.path().join("matrix.toml")).unwrap();
    assert!(words(&of(&[])["include"][0]).contains(&"--matrix=matrix.toml".to_owned()));
}

/// What stands in a file as commands of rig, up to where a shell ends them.
fn commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for line in joined.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for (place, _) in line.match_indices("rig ") {
            let before = line[..place].chars().next_back();
            if before.is_some_and(|letter| letter.is_alphanumeric() || "-_".contains(letter)) {
                continue;
            }
            let end = line[place..]
                .find(['|', '>', '&', ';', ')', '`', '\n'])
                .map_or(line.len(), |end| place + end);
            let words = line[place..end]
                .split_whitespace()
                .map(|word| word.trim_matches(['"', '\'']))
                .filter(|word| !word.ends_with("ARGUMENTS") && !word.ends_with("OPTIONS"));
            let words: Vec<String> = words
                .map(|word| {
                    word.replace("$PROFILE", "nightly").replace("$SHARDS", "3").replace("$$shard", "1")
                })
                .collect();
            let known = rig::cli::program();
            if words.get(1).is_some_and(|word| known.find_subcommand(word).is_some()) {
                found.push(words);
            }
        }
    }
    found
}

#[test]
fn every_command_of_rig_in_the_files_of_ci_is_one() {
    let names = [
        "github-nightly.yml",
        "gitlab-nightly.yml",
        "gitlab-shards.yml",
        "rig-nightly.service",
        "Containerfile",
        "kubernetes-job.yaml",
    ];
    for name in names {
        let found = commands(&file(name));
        assert!(!found.is_empty(), "{name} has no command of rig");
        for words in found {
            // Of an engine's own script only the words are rig's.
            let words = words.iter().map(|word| word.trim_matches('$').replace("$$", ""));
            if let Err(error) = rig::cli::program().try_get_matches_from(words.clone()) {
                assert!(!error.use_stderr(), "{name}: {:?}\n{error}", words.collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn what_an_engine_format_cannot_be_asked_for_is_said() {
    let refused = |arguments: &str| {
        let mut rig = Command::new(env!("CARGO_BIN_EXE_rig"));
        rig.args(["matrix", "plan"]).args(arguments.split(' ')).env("NO_COLOR", "1").stdin(Stdio::null());
        let output = rig.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        let said = String::from_utf8(output.stderr).unwrap();
        said.split_whitespace().filter(|word| !["│", "×", "╰─▶"].contains(word)).collect::<Vec<_>>().join(" ")
    };
    for (arguments, said) in [
        ("--format slurm", "this format needs --shards N"),
        ("--shards 3", "--shards N is for the formats of engines"),
        (
            "--format github --shards 300 --profile nightly",
            "GitHub Actions plays 256 jobs of a matrix at most",
        ),
        ("--format slurm --shards 900", "cells to divide"),
        ("--format slurm --shards 0", "0 is not in"),
        ("--format slurm --shards 3 --shard 1/3", "cannot be used with"),
        ("--format slurm --shards 3 --lock x.json", "cannot be used with"),
        ("--format slurm --shards 3 --profile nosuch", "nosuch"),
        ("--seed 3", "--shards"),
    ] {
        let words = refused(arguments);
        assert!(words.contains(said), "{arguments}: {words}");
    }
}
