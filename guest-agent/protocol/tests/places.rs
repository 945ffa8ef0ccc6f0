//! The places at which the product names an operation: each one beyond its row is one more that a new operation could need.
//!
//! Reads the sources of the three crates that know operations. Comments and tests do not count.
//! Must not know what an operation means. Units: lines. Errors: a failed test names the file and the line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rig_protocol::schemas;

/// The rows.
const ROWS: &str = "guest-agent/protocol/src/operation/";
/// What is made of all rows, and the few questions that several operations answer alike.
const TABLE: &str = "guest-agent/protocol/src/operation.rs";
/// Operations whose names are words of other things: only their variants count.
const COMMON: [&str; 7] = ["fork", "number", "option", "poll", "send", "signal", "socket"];
/// Where system calls of a user's program are told apart: some have the name of an operation.
const WATCHED: [&str; 3] =
    ["guest-agent/protocol/src/program/calls.rs", "guest-agent/src/program/", "rig/src/script/program/"];
/// The words of outcomes, one of which is also an operation's name.
const LABELS: &str = "guest-agent/protocol/src/label.rs";
/// The doing: one arm of a match.
const DOING: &str = "guest-agent/src/ops/mod.rs";

/// Operations whose meaning is special: which, in which file or folder, and why. Every other operation has its row and its doing.
const SPECIAL: &[(&str, &str, &str)] = &[
    (
        "inject",
        "guest-agent/protocol/src/tally.rs",
        "a block does not inject more often than its script does",
    ),
    (
        "localtime",
        "guest-agent/protocol/src/tally.rs",
        "a block has no more errnos after it than its script plays",
    ),
    ("close", "rig/src/matrix/cell.rs", "a script that closes its own descriptor makes EBADF itself"),
    ("dup", "rig/src/matrix/cell.rs", "it can take the place of a descriptor"),
    ("number", "rig/src/matrix/cell.rs", "it names a number that is no descriptor"),
    ("open_path", "rig/src/matrix/cell.rs", "its descriptor is none for select"),
    ("signal", "rig/src/matrix/cell.rs", "its handler can close a descriptor"),
    ("accept_from", "rig/src/runner/patience.rs", "it waits for the other end to connect"),
    ("receive", "rig/src/runner/patience.rs", "it waits for the other end, as a read"),
    ("splice", "rig/src/runner/patience.rs", "it waits for the other end, as a read"),
    ("send", "rig/src/runner/patience.rs", "it waits for the other end to read"),
    ("sendfile", "rig/src/runner/patience.rs", "it waits for the other end to read"),
    ("send_timeout", "rig/src/runner/patience.rs", "it is the limit of the writes after it"),
    ("user_timeout", "rig/src/runner/patience.rs", "it is the limit of the writes after it"),
    ("close", "guest-agent/src/interp.rs", "an interrupted one does not say that it was interrupted"),
    ("inject", "guest-agent/protocol/src/script.rs", "it must reach a select"),
    (
        "inject",
        "rig/src/analysis/controls.rs",
        "a control that injects is proven by how often its filter was armed",
    ),
    (
        "inject",
        "guest-agent/src/plan.rs",
        "its lane's thread needs the filter, and no trial checks its bounds",
    ),
    ("inject", "guest-agent/src/tally.rs", "what was injected is the truth of the positive control"),
    ("inject", "rig/src/configuration/injection.rs", "a configuration has a dose of it"),
    ("inject", "rig/src/script/keys.rs", "a lane that is a program has a key of this name"),
    ("linger", "rig/src/runner/patience.rs", "it lets the close after it wait"),
    ("localtime", "guest-agent/src/tally.rs", "the errno after it has a count of its own"),
    ("mark", "guest-agent/protocol/src/schema.rs", "a kind of value has the same word"),
    ("mark", "rig/src/script/", "the help for a mark that no step sets"),
    ("read", "guest-agent/src/ops/around.rs", "its buffer is made before the first trial"),
    ("read", "guest-agent/src/plan.rs", "its buffer has a largest size"),
    (
        "read",
        "rig/src/runner/patience.rs",
        "it waits for the other end, or as long as its socket's limit says",
    ),
    ("receive_timeout", "rig/src/runner/patience.rs", "it is the limit of the reads after it"),
    ("select", "guest-agent/protocol/src/script.rs", "an injection must reach it"),
    ("select", "rig/src/configuration/injection.rs", "a dose reaches no other call"),
    ("write", "guest-agent/src/ops/around.rs", "the bytes of no meaning are made before the first trial"),
    ("write", "guest-agent/src/plan.rs", "its bytes are given in one of two ways, and have a largest number"),
    ("receive", "guest-agent/src/interp.rs", "an interrupted one returns what it has so far"),
    ("receive", "guest-agent/src/ops/around.rs", "its buffer is made before the first trial"),
    ("receive", "guest-agent/src/plan.rs", "its buffer has a largest size"),
    ("splice", "guest-agent/src/plan.rs", "a pipe has a largest size"),
    ("send", "guest-agent/src/ops/around.rs", "the bytes of no meaning are made before the first trial"),
    ("send", "guest-agent/src/plan.rs", "its bytes are given in one of two ways, and have a largest number"),
    ("sendfile", "guest-agent/src/plan.rs", "its bytes have a largest number"),
    ("kernel_log", "guest-agent/src/ops/log.rs", "its view of the log begins with the trial"),
    ("signal", "guest-agent/src/plan.rs", "it names a lane of its own end, and closes what it names"),
    ("trace", "guest-agent/src/ops/trace.rs", "its probe is opened before the first trial"),
    ("write", "rig/src/runner/patience.rs", "it waits for the other end to read"),
    ("kernel_log", "rig/src/matrix/sharing.rs", "the log is the whole guest's, and outlives the block"),
    ("trace", "rig/src/matrix/sharing.rs", "it traces the whole guest's kernel"),
    ("traced", "rig/src/matrix/sharing.rs", "it reads what the whole guest's kernel did"),
    ("fork", "rig/src/matrix/sharing.rs", "its processes can outlive the block"),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the tree") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Path and text of every source file, without the tests inside it.
fn product() -> Vec<(String, String)> {
    let root = workspace();
    let mut found = vec![];
    for sources in ["guest-agent/protocol/src", "guest-agent/src", "rig/src"] {
        collect(&root.join(sources), &mut found);
    }
    assert!(found.len() > 100, "the walk found the sources");
    found.sort();
    let relative = |path: &Path| path.strip_prefix(&root).expect("below the root").display().to_string();
    let read = |path: PathBuf| (relative(&path), fs::read_to_string(&path).expect("UTF-8"));
    let files = found.into_iter().map(read);
    let files = files.filter(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
    files.map(|(path, text)| (path, without_tests(&text).to_owned())).collect()
}

fn without_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().expect("split gives at least one")
}

/// `receive_timeout` -> `ReceiveTimeout`.
fn variant(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(capital).collect()
}

/// Whether `line` has `word` with no letter of a longer name beside it.
fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

/// Whether a line of a file names the operation. Its name as a text counts where scenarios are read or played: elsewhere `"read"` and
/// `"mark"` are words of other things.
fn names(path: &str, line: &str, name: &str) -> bool {
    let code = line.trim_start();
    if code.starts_with("//") {
        return false;
    }
    let variant = variant(name);
    let in_row =
        path.starts_with(ROWS) && (code.starts_with(&format!("{variant} {{")) || has_word(line, "name"));
    let language = path.starts_with("guest-agent/") || path.starts_with("rig/src/script/");
    let as_text = language
        && (in_row || !COMMON.contains(&name))
        && path != LABELS
        && path != TABLE
        && !WATCHED.iter().any(|of_calls| path.starts_with(of_calls))
        && (!path.starts_with(ROWS) || in_row)
        && line.contains(&format!("\"{name}\""));
    has_word(line, &format!("Op::{variant}")) || (in_row && has_word(line, &variant)) || as_text
}

/// The lines that name the operation.
fn places<'f>(files: &'f [(String, String)], name: &str) -> Vec<(&'f str, usize, &'f str)> {
    let lines = files.iter().flat_map(|(path, text)| {
        text.lines().enumerate().map(move |(index, line)| (path.as_str(), index + 1, line))
    });
    lines.filter(|(path, _, line)| names(path, line, name)).collect()
}

#[test]
fn an_ordinary_operation_is_its_row_its_doing_and_its_call() {
    let files = product();
    let found = places(&files, "pending");
    let lines: Vec<(&str, &str)> = found.iter().map(|(path, _, line)| (*path, line.trim())).collect();
    let doing = "Op::Pending { socket } => around.timed(planned, || sys::files::pending_bytes(of(*socket))),";
    let row = "guest-agent/protocol/src/operation/transfer.rs";
    assert_eq!(lines, [(row, "Pending {"), (row, "name: \"pending\","), (DOING, doing)]);
    let call = |line: &str| has_word(line, "pending_bytes") && !line.trim_start().starts_with("//");
    let calls: Vec<&str> = files
        .iter()
        .flat_map(|(path, text)| text.lines().filter(|line| call(line)).map(move |_| path.as_str()))
        .collect();
    assert_eq!(calls, [DOING, "guest-agent/src/sys/files.rs"]);
}

#[test]
fn an_operation_is_named_elsewhere_only_where_its_meaning_is_special() {
    let files = product();
    let mut wrong = vec![];
    let mut met = BTreeSet::new();
    for schema in schemas() {
        let found = places(&files, schema.name);
        assert_eq!(
            found.iter().filter(|(path, ..)| path.starts_with(ROWS)).count(),
            2,
            "{}: variant and name",
            schema.name
        );
        assert_eq!(found.iter().filter(|(path, ..)| *path == DOING).count(), 1, "{}: one arm", schema.name);
        for (path, line, text) in
            found.into_iter().filter(|(path, ..)| !path.starts_with(ROWS) && ![TABLE, DOING].contains(path))
        {
            let special =
                SPECIAL.iter().position(|(name, at, _)| *name == schema.name && path.starts_with(at));
            match special {
                Some(index) => {
                    met.insert(index);
                }
                None => wrong.push(format!("{path}:{line} names `{}`: {}", schema.name, text.trim())),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "ask the row (`Op::schema`), or give the reason in SPECIAL:\n{}",
        wrong.join("\n")
    );
    let stale: Vec<_> = SPECIAL.iter().enumerate().filter(|(index, _)| !met.contains(index)).collect();
    assert!(stale.is_empty(), "no longer so: {stale:?}");
}

#[test]
fn a_planted_name_is_seen_and_a_comment_a_test_or_a_longer_name_is_not() {
    let agent = "guest-agent/src/any.rs";
    assert!(names(agent, "        Op::Pending { .. } => 1,", "pending"));
    assert!(names(agent, "    | rig_protocol::Op::Pending { socket }", "pending"));
    assert!(names("rig/src/script/any.rs", "if schema.name == \"pending\" {", "pending"));
    assert!(names(
        "guest-agent/protocol/src/operation/options.rs",
        "    ReceiveTimeout {",
        "receive_timeout"
    ));
    assert!(!names(agent, "    // Op::Pending {", "pending"));
    assert!(!names("rig/src/testbed/any.rs", "NetOp::Pending", "pending"));
    assert!(!names(agent, "Poll::Pending", "pending"));
    assert!(!names("rig/src/process/any.rs", "\"read\"", "read"));
    assert!(!names(LABELS, "words: &[\"pending\"],", "pending"));
    assert!(names(LABELS, "Op::Pending { .. } => 1,", "pending"));
    assert_eq!(
        without_tests("a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod tests {\nc"),
        "a\n#[cfg(test)]\nmod tests;\nb"
    );
}
