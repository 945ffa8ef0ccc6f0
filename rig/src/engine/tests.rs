//! What each engine's text says once its languages have read it: exactly the words that were put in.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

fn fleet(words: &[String], shards: u32) -> Fleet {
    Fleet { words: words.to_vec(), shards, seed: u64::MAX }
}

fn plain() -> Fleet {
    let words = ["--matrix=my matrix.toml", "--profile=nightly", "scenario=rst*", "kernel=host"];
    Fleet { words: words.map(str::to_owned).to_vec(), shards: 3, seed: 7 }
}

/// Words that somebody's shell, YAML or expression would read as something else.
fn hostile() -> Vec<String> {
    [
        "",
        "'",
        "\"",
        "\\",
        "$HOME",
        "$(reboot)",
        "`reboot`",
        "${x%y}",
        "$$",
        "a b",
        "-x",
        "!",
        "#",
        "*",
        "~",
        "END",
        "RIG_JOB",
        "&",
        "<<END",
        "é\u{2028}\u{1f600}",
        "{{ x }}",
        "${{ github.token }}",
        "$[[ inputs.x ]]",
        "%0A",
        "a: b",
        "- a",
        "'\\''",
        "%A",
        "SHARDS",
        "SEED",
        "ARGUMENTS",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
}

/// What a shell makes of a line of words.
fn split(line: &str) -> Vec<String> {
    let script = format!("for word in {line}; do printf '%s\\0' \"$word\"; done");
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.split_terminator('\0').map(str::to_owned).collect()
}

/// Submits the script to an sbatch that writes down what it was given, plays the first job, and gives the words that rig was started with.
fn submitted(script: &str, shell: &str) -> (Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let at = folder.path().display();
    program(
        &path("sbatch"),
        &format!(
            "n=$(ls {at} | grep -c '^job'); printf '%s\\n' \"$@\" > {at}/options$n; cat > {at}/job$n; echo \"1$n;cluster\""
        ),
    );
    program(&path("rig"), "printf '%s\\0' \"$@\"");
    let in_path = format!("{at}:{}", std::env::var("PATH").unwrap_or_default());
    let start = |command: &mut Command| {
        let output = command
            .env("PATH", &in_path)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .output()
            .expect("it starts");
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    fs::write(path("submit"), script).expect("written");
    let said = start(Command::new(shell).arg(path("submit")));
    assert_eq!(said, "shards: job 10; join: job 11; the joined run: in results\n");
    let mut job = Command::new("sh");
    job.arg(path("job0")).env("RIG", "rig").env("RIG_SHARDS", "shards").env("RIG_OPTIONS", "--deadline 2h");
    let words = start(job.env("SLURM_ARRAY_TASK_ID", "1").env("SLURM_ARRAY_JOB_ID", "10"));
    let options = ["options0", "options1"].map(|name| fs::read_to_string(path(name)).expect("written"));
    (words.split_terminator('\0').map(str::to_owned).collect(), options.to_vec())
}

fn of_second_task(fleet: &Fleet) -> Vec<String> {
    let shard = format!("2/{}", fleet.shards);
    let seed = fleet.seed.to_string();
    let head = [
        "matrix",
        "run",
        "--shard",
        &shard,
        "--seed",
        &seed,
        "--results",
        "shards/slurm-10/2",
        "--deadline",
        "2h",
    ];
    head.iter().map(|&word| word.to_owned()).chain(fleet.words.clone()).collect()
}

#[test]
fn texts_of_engines() {
    for (name, engine) in [
        ("slurm", Engine::Slurm),
        ("github", Engine::Github),
        ("gitlab", Engine::Gitlab),
        ("kubernetes", Engine::Kubernetes),
    ] {
        insta::assert_snapshot!(name, engine.render(&plain()).expect("few shards, plain words"));
    }
}

#[test]
fn a_task_of_slurm_gets_its_words_whatever_they_are() {
    for shell in ["sh", "bash"] {
        let fleet = fleet(&hostile(), 3);
        let (words, options) = submitted(&slurm::render(&fleet), shell);
        assert_eq!(words, of_second_task(&fleet), "{shell}");
        assert!(options[0].contains("--array=0-2\n"), "{}", options[0]);
        assert!(options[1].contains("--dependency=afterany:10\n"), "{}", options[1]);
    }
}

#[test]
fn a_script_is_ended_by_a_line_that_it_does_not_have() {
    assert_eq!(slurm::ending("a\nb\n"), "END");
    assert_eq!(slurm::ending("a\nEND\nb\nEND_\n"), "END__");
}

#[test]
fn limits_of_engines_and_words_that_they_cannot_carry_are_told() {
    let of = |engine: Engine, shards| engine.render(&fleet(&[], shards));
    assert!(
        of(Engine::Github, 256).is_ok()
            && of(Engine::Gitlab, 200).is_ok()
            && of(Engine::Slurm, 1_000).is_ok()
    );
    for (engine, most) in [(Engine::Github, 256), (Engine::Gitlab, 200)] {
        let refused = of(engine, most + 1).expect_err("too many");
        assert!(
            matches!(refused, Refused::TooMany { most: limit, asked, .. } if limit == most && asked == most + 1)
        );
    }
    for engine in [Engine::Slurm, Engine::Github, Engine::Gitlab, Engine::Kubernetes] {
        for word in ["a\nEND\nreboot", "\r", "\0", "\u{7f}", "\u{85}"] {
            let refused = engine.render(&fleet(&[word.to_owned()], 2));
            assert_eq!(refused, Err(Refused::ControlCharacter(word.to_owned())));
        }
    }
}

/// Words without control characters.
fn words() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec(
        "\\PC{0,20}".prop_filter("no control character", |word| !word.chars().any(char::is_control)),
        0..5,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_shell_reads_the_same_words(words in words()) {
        let fleet = fleet(&words, 3);
        let line: Vec<String> = words.iter().map(|word| shell(word)).collect();
        prop_assert_eq!(&split(&line.join(" ")), &words);
        prop_assert_eq!(&submitted(&slurm::render(&fleet), "sh").0, &of_second_task(&fleet));
    }

    #[test]
    fn a_job_of_github_reads_the_same_words(words in words()) {
        let text = github::render(&fleet(&words, 2));
        prop_assert_eq!(text.lines().count(), 1, "a file of outputs takes one line");
        let matrix: Json = serde_json::from_str(&text).expect("JSON");
        let job = &matrix["include"][1];
        prop_assert_eq!(&job["shard"], "2/2");
        let mut expected: Vec<String> = ["--shard", "2/2", "--seed"].map(str::to_owned).to_vec();
        expected.push(u64::MAX.to_string());
        expected.extend(words);
        prop_assert_eq!(split(job["arguments"].as_str().expect("text")), expected);
    }

    #[test]
    fn scalars_of_yaml_are_plain_ascii_in_one_line(words in words()) {
        for word in &words {
            let quoted = quote::yaml(word);
            prop_assert!(quoted.chars().all(|letter| (' '..='~').contains(&letter)), "{}", quoted);
            prop_assert_eq!(quote::dollars(word).replace("$$", "$"), word.clone());
        }
    }
}
