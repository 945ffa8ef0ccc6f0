//! What a shell gets when it asks rig to complete a line: every kind of value, without root, silently.
//!
//! The protocol is driven as bash's script does it; one test asks a real bash. Must not need guests or a network.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder with two runs and nothing else.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for id in ["20261121-201950-1f3a", "20261122-080000-77aa"] {
        let run = folder.path().join("results").join(id);
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("run.json"), "{}").unwrap();
    }
    folder
}

/// The candidates for the last word of a line.
fn candidates(folder: &Path, line: &str) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let output = Command::new(env!("CARGO_BIN_EXE_rig"))
        .arg("--")
        .args(&words)
        .current_dir(folder)
        .env("RIG_COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    assert!(output.stderr.is_empty(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[track_caller]
fn assert_offers(folder: &Path, line: &str, expected: &[&str]) {
    let found = candidates(folder, line);
    for one in expected {
        assert!(found.iter().any(|candidate| candidate == one), "{line}: no {one} in {found:?}");
    }
    let typed = line.rsplit(' ').next().unwrap();
    assert!(found.iter().all(|candidate| candidate.starts_with(typed)), "{line}: {found:?}");
}

#[test]
fn every_kind_of_value_is_completed() {
    let folder = folder();
    fs::write(folder.path().join("mine.toml"), "").unwrap();
    for (line, expected) in [
        ("rig ", &["matrix", "scenario", "docs", "man"][..]),
        ("rig matrix ", &["init", "plan", "check", "run"]),
        (
            "rig matrix plan ",
            &["scenario=", "configuration=", "kernel=", "path=", "claim=", "control=", "client_delay="],
        ),
        ("rig matrix plan --profile nightly scenario=rst", &["scenario=rst", "scenario=rst-alone"]),
        (
            "rig matrix plan scenario=rst configuration=",
            &["configuration=bare-metal", "configuration=virtio-tap"],
        ),
        ("rig matrix run kernel=", &["kernel=host", "kernel=6.1"]),
        ("rig matrix run path=", &["path=direct"]),
        ("rig matrix run claim=H0", &["claim=H01"]),
        ("rig matrix run client_delay=", &["client_delay=1s"]),
        ("rig matrix run --profile ", &["quick", "nightly"]),
        ("rig matrix run --profile=", &["--profile=quick"]),
        ("rig matrix run --profile nightly configuration=virtio-p", &["configuration=virtio-pair"]),
        ("rig matrix run --resume ", &["latest", "20261121-201950-1f3a", "20261122-080000-77aa"]),
        ("rig matrix run --capture ", &["never", "anomaly", "always"]),
        ("rig matrix run --deny-skips=all-but:", &["--deny-skips=all-but:kvm"]),
        ("rig matrix plan --matrix ", &["mine.toml"]),
        ("rig report ", &["latest", "20261121-201950-1f3a"]),
        ("rig report latest --format json,", &["json,csv"]),
        ("rig explain ENO", &["ENOENT"]),
        ("rig claims J0", &["J01", "J02", "J03", "J04", "J05", "J06", "J07", "J08", "J09"]),
        ("rig explain ENOENT --run 20261122", &["20261122-080000-77aa"]),
        ("rig scenario show ", &["rst", "watcher", "mine.toml"]),
        ("rig scenario run rst ", &["client_delay=", "peer_delay="]),
        ("rig scenario run rst --path ", &["direct"]),
        ("rig scenario check ", &["mine.toml"]),
        ("rig scenario new first --from w", &["watcher"]),
        ("rig image build ", &["6.1", "6.12"]),
        ("rig guest boot ", &["configuration=", "kernel="]),
        ("rig guest boot kernel=", &["kernel=6.1"]),
        ("rig docs ", &["paths", "glossary"]),
        ("rig docs --search sel", &["select"]),
        ("rig man ", &["matrix", "report"]),
        ("rig man matrix ", &["run", "init"]),
        ("rig bench ", &["middlebox", "boot"]),
    ] {
        assert_offers(folder.path(), line, expected);
    }
    // Ids of cells that have a guest, where one is begun.
    let ids: BTreeSet<String> = ["0", "1", "2"]
        .iter()
        .flat_map(|digit| candidates(folder.path(), &format!("rig guest boot {digit}")))
        .collect();
    assert!(ids.len() > 3 && ids.iter().all(|id| id.len() == 12), "{ids:?}");
    let id = ids.first().unwrap();
    assert_offers(folder.path(), &format!("rig guest boot {}", &id[..6]), &[id]);
}

#[test]
fn values_come_from_the_matrix_recipes_and_runs_that_are_there() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    let matrix = "[axes]\nscenario = [\"rst\"]\nconfiguration = [\"mine\"]\nkernel = [\"6.1\"]\npath = [\"direct\"]\n\n[configuration.mine]\nkind = \"host\"\n\n[path.direct]\n\n[path.detour]\ndelay = { both = \"1ms\" }\n";
    fs::write(at("matrix.toml"), matrix).unwrap();
    fs::create_dir(at("images")).unwrap();
    fs::write(at("images/own.toml"), "").unwrap();
    assert_offers(folder.path(), "rig matrix plan configuration=m", &["configuration=mine"]);
    assert!(candidates(folder.path(), "rig matrix plan configuration=virtio").is_empty());
    assert_offers(folder.path(), "rig scenario run rst --path d", &["detour"]);
    assert_offers(folder.path(), "rig image build o", &["own"]);

    // Another file than ./matrix.toml, and another folder of runs.
    fs::write(at("other.toml"), matrix.replace("mine", "other")).unwrap();
    assert_offers(
        folder.path(),
        "rig matrix plan --matrix other.toml configuration=o",
        &["configuration=other"],
    );
    fs::create_dir_all(at("elsewhere/20270101-000000-0001")).unwrap();
    fs::write(at("elsewhere/20270101-000000-0001/run.json"), "{}").unwrap();
    assert_offers(folder.path(), "rig report --results elsewhere 2027", &["20270101-000000-0001"]);

    // A file that is wrong counts as if it were not there, and nobody is told of it now.
    fs::write(at("matrix.toml"), "[axes\nscenario = 7").unwrap();
    assert_offers(folder.path(), "rig matrix plan configuration=virtio", &["configuration=virtio-tap"]);
    assert_offers(folder.path(), "rig matrix run --profile n", &["nightly"]);
}

#[test]
fn a_shell_that_rig_does_not_know_gets_nothing_and_the_variable_alone_changes_nothing() {
    let ask = |value: &str| {
        let mut rig = Command::new(env!("CARGO_BIN_EXE_rig"));
        rig.args(["scenario", "list"]).env("RIG_COMPLETE", value).env("COMPLETE", "bash").output().unwrap()
    };
    let unknown = ask("tcsh");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(unknown.stdout.is_empty() && unknown.stderr.is_empty(), "{unknown:?}");
    let empty = ask("");
    assert!(String::from_utf8(empty.stdout).unwrap().contains("control-negative"));
}

/// What bash would offer for a line, and what it would put in place of its own last word.
fn of_bash(folder: &Path, line: &str, breaks: &str) -> Option<Vec<String>> {
    let bin = folder.join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_rig"), bin.join("rig")).unwrap();
    }
    // bash breaks the words of a line itself only where somebody types: here they are given as it does that.
    let mut words: Vec<String> = Vec::new();
    for (at, word) in line.split(' ').enumerate() {
        let mut pieces: Vec<String> = Vec::new();
        for c in word.chars() {
            let is_break = breaks.contains(c);
            match pieces.last_mut() {
                Some(piece)
                    if !piece.is_empty() && breaks.contains(piece.chars().next().unwrap()) == is_break =>
                {
                    piece.push(c)
                }
                _ => pieces.push(c.to_string()),
            }
        }
        if pieces.is_empty() && at > 0 {
            pieces.push(String::new());
        }
        words.extend(pieces);
    }
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <(rig completions bash) || exit 9\nCOMP_WORDS=({}); COMP_CWORD={}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}\n\
         _rig rig '{}' ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        quoted.join(" "),
        words.len() - 1,
        words.last().unwrap()
    );
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &script]).current_dir(folder).env("PATH", path).stdin(Stdio::null());
    let output = match bash.output() {
        Ok(output) => output,
        Err(error) => {
            // Past libtest, which keeps what a passing test prints to itself.
            let _ = writeln!(std::io::stderr(), "skipped: bash cannot be started: {error}");
            return None;
        }
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn bash_completes_a_value_behind_an_equals_sign_at_which_it_breaks_words() {
    let folder = folder();
    for (line, breaks, expected) in [
        ("rig matrix plan --profile nightly scenario=rst-a", "=:", "rst-alone"),
        ("rig matrix plan scenario=", "=:", "watcher"),
        ("rig matrix plan configuration=virtio-tap scenario=wa", "=:", "watcher"),
        ("rig matrix plan --profile=ni", "=:", "nightly"),
        ("rig matrix plan --profile ni", "=:", "nightly"),
        ("rig matrix run --deny-skips=all-but:kv", "=:", "kvm"),
        ("rig matrix plan scen", "=:", "scenario="),
        ("rig scenario run rst client_d", "=:", "client_delay="),
        // A reader who does not let bash break at them.
        ("rig matrix plan --profile nightly scenario=rst-a", "", "scenario=rst-alone"),
        ("rig report 20261121", "=:", "20261121-201950-1f3a"),
    ] {
        let Some(found) = of_bash(folder.path(), line, breaks) else { return };
        assert!(found.iter().any(|one| one == expected), "{line}: no {expected} in {found:?}");
    }
}
