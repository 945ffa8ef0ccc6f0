//! The generated parts of `docs/scenarios.md`: keys of a scenario file, operations, labels and values.
//!
//! Made of `script::keys` and the protocol's table of operations. Must not know how a file is read. Units: as the rows say.
//! Errors: none. Tests: below.

use rig::script::keys::{self, ScenarioTable};
use rig_protocol::{
    CallKind, Direction, Errno, FieldKind, FieldSchema, Labels, OpSchema, Player, Timing, Wait, schemas,
    watched_calls,
};

use crate::markdown::{code, codes, head, row};
use crate::part::{Part, page};

pub(crate) const PARTS: &[Part] = &[
    Part { topic: "scenarios", name: "file keys", make: || keys_of(&keys::FILE) },
    Part { topic: "scenarios", name: "lane keys", make: || keys_of(&keys::LANE) },
    Part { topic: "scenarios", name: "program keys", make: || keys_of(&keys::PROGRAM) },
    Part { topic: "scenarios", name: "verdict keys", make: || keys_of(&keys::VERDICT) },
    Part { topic: "scenarios", name: "inject keys", make: || keys_of(&keys::INJECT) },
    Part { topic: "scenarios", name: "watched calls", make: watched },
    Part { topic: "scenarios", name: "parameter keys", make: || keys_of(&keys::PARAMETER) },
    Part { topic: "scenarios", name: "control keys", make: || keys_of(&keys::CONTROL) },
    Part { topic: "scenarios", name: "step keys", make: || keys_of(&keys::STEP) },
    Part { topic: "scenarios", name: "operations", make: operations },
    Part { topic: "scenarios", name: "labels", make: labels },
    Part { topic: "scenarios", name: "values", make: values },
];

fn keys_of(table: &ScenarioTable) -> String {
    let mut text = String::new();
    head(&mut text, &["key", "value", "if left out", "meaning"]);
    for key in table.keys {
        row(&mut text, &[&code(key.name), key.value, key.unsaid.unwrap_or("required"), key.about]);
    }
    text
}

/// The overview, then each operation under a heading of its own.
fn operations() -> String {
    let mut text = String::new();
    head(&mut text, &["operation", "what it does"]);
    for operation in schemas() {
        let link = format!("[`{0}`](#{0})", operation.name);
        row(&mut text, &[&link, operation.about]);
    }
    schemas().iter().for_each(|operation| describe(&mut text, operation));
    text
}

fn describe(text: &mut String, operation: &OpSchema) {
    let OpSchema { name, about, system_call, .. } = operation;
    text.push_str(&format!("\n### `{name}`\n\n- what it does: {about}\n- system call: {system_call}\n"));
    text.push_str(&format!("- played by: {}\n- waits: {}\n", player(operation.player), waits(operation)));
    text.push_str(&format!("- in the outcome: {}\n", joins(operation)));
    if operation.fields.is_empty() {
        text.push_str("- fields: none\n");
    } else {
        text.push('\n');
        head(text, &["field", "value", "if left out"]);
        for field in operation.fields {
            row(text, &[&code(field.name), &kind(field), &left_out(field)]);
        }
    }
    text.push('\n');
    head(text, &["label", "meaning"]);
    explain(text, &operation.labels);
}

/// The words of an operation's success.
fn explain(text: &mut String, labels: &Labels) {
    for (word, meaning) in labels.words.iter().zip(labels.meanings) {
        let counted = match (labels.counted.contains(word), labels.always) {
            (true, true) => code(format!("{word}=N")),
            (true, false) => format!("{}, with `count = true` {}", code(word), code(format!("{word}=N"))),
            (false, _) => code(word),
        };
        row(text, &[&counted, meaning]);
    }
}

/// The watched calls by what they are, with the words of their success.
fn watched() -> String {
    let mut text = String::new();
    head(&mut text, &["calls", "what they are", "labels, besides the names of errnos"]);
    let mut told: Vec<(CallKind, &[&str])> = Vec::new();
    for first in watched_calls() {
        let group = (first.kind, first.labels.words);
        if told.contains(&group) {
            continue;
        }
        told.push(group);
        let same = watched_calls().iter().filter(|call| (call.kind, call.labels.words) == group);
        row(
            &mut text,
            &[&codes(same.map(|call| call.name)), kind_of_call(first.kind), &codes(first.labels.words)],
        );
    }
    text
}

fn kind_of_call(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Socket => "make a socket, name it, ask or set its options",
        CallKind::Connects => "connects; the number of a connection is its place in this order",
        CallKind::Accepts => "accept a connection",
        CallKind::Waits => "wait for readiness: the usual verdict",
        CallKind::Interest => "set up what is waited for",
        CallKind::Moves(Direction::In) => "receive: the usual outcome",
        CallKind::Moves(Direction::Out) => "send",
        CallKind::Descriptor => "end, copy or change a descriptor",
        CallKind::File => "ask for a file: recorded where they fail",
        CallKind::Process => "start or replace a process",
        CallKind::Sleeps => "sleep",
        CallKind::Hides => "recorded, but what happens behind it cannot be seen",
    }
}

fn player(player: Player) -> &'static str {
    match player {
        Player::Both => "both ends",
        Player::Target => "the target",
        Player::PeerFirst => "the peer, as its first step and no other",
    }
}

fn waits(operation: &OpSchema) -> &'static str {
    match operation.wait {
        Wait::No => "it has no time limit of its own",
        Wait::Whole => "all of its time, in every trial",
        Wait::AtMost => "until something happens, at most its time",
    }
}

fn joins(operation: &OpSchema) -> &'static str {
    if operation.follow_up {
        "after the verdict step and in the peer's lane, without being asked"
    } else {
        "as the verdict step, or with `outcome = true`"
    }
}

fn kind(field: &FieldSchema) -> String {
    let name = field.kind.name();
    match field.kind {
        FieldKind::Count { low, high } => format!("{name}, {low} to {high}"),
        FieldKind::Number { low: i64::MIN, high: i64::MAX } => format!("{name}, any"),
        FieldKind::Number { low, high } => format!("{name}, {low} to {high}"),
        FieldKind::Choice(words) => codes(words),
        FieldKind::Words(words) => format!("{name}: {}", codes(words)),
        FieldKind::Socket | FieldKind::Mark if field.defines => {
            format!("a new name: this step makes the {name}")
        }
        FieldKind::Socket
        | FieldKind::Sockets
        | FieldKind::Mark
        | FieldKind::Delay
        | FieldKind::Duration
        | FieldKind::TimeRange
        | FieldKind::Rate
        | FieldKind::Errno
        | FieldKind::Flag
        | FieldKind::Lane
        | FieldKind::Text => name.to_owned(),
    }
}

fn left_out(field: &FieldSchema) -> String {
    match (field.default, field.alternative) {
        (Some(default), _) => code(default),
        (None, Some(other)) => format!("then {} must be there; never both", code(other)),
        (None, None) => "required".to_owned(),
    }
}

/// Each kind of success once, with the operations that have it; then what is put behind a word, and errnos.
fn labels() -> String {
    let mut text = String::new();
    head(&mut text, &["operations", "label", "meaning"]);
    let mut told: Vec<&[&str]> = Vec::new();
    for first in schemas() {
        if told.contains(&first.labels.meanings) {
            continue;
        }
        told.push(first.labels.meanings);
        let same = schemas().iter().filter(|other| other.labels.meanings == first.labels.meanings);
        let names = codes(same.map(|other| other.name));
        for (word, meaning) in first.labels.words.iter().zip(first.labels.meanings) {
            row(&mut text, &[&names, &code(word), meaning]);
        }
    }
    text.push('\n');
    head(&mut text, &["word for a time", "meaning"]);
    for (word, meaning) in Timing::WORDS {
        row(&mut text, &[&code(format!(":{word}")), meaning]);
    }
    text.push_str(&format!("\nThe names of errnos: {}.\n", codes(Errno::names())));
    text
}

fn values() -> String {
    let mut text = String::new();
    head(&mut text, &["kind", "for example", "how it is written"]);
    for kind in FieldKind::ALL {
        row(&mut text, &[kind.name(), &codes(kind.examples()), kind.about()]);
    }
    text
}

/// A section of the page, from its heading to the next one of the same level.
fn section(page: &str, heading: &str) -> String {
    let (_, rest) = page.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    rest.split("\n### ").next().and_then(|rest| rest.split("\n<!-- end of").next()).unwrap_or(rest).to_owned()
}

#[test]
fn every_key_operation_field_and_label_is_on_the_page() {
    let page = page("scenarios");
    for key in keys::TABLES.iter().flat_map(|table| table.keys) {
        assert!(page.contains(&format!("| `{}` | {} |", key.name, key.value)), "{}", key.name);
    }
    for call in watched_calls() {
        assert!(page.contains(&format!("`{}`", call.name)), "{}", call.name);
    }
    for operation in schemas() {
        let section = section(&page, &format!("### `{}`", operation.name));
        for field in operation.fields {
            assert!(
                section.contains(&format!("| `{}` |", field.name)),
                "{} of {}",
                field.name,
                operation.name
            );
        }
        for (word, meaning) in operation.labels.words.iter().zip(operation.labels.meanings) {
            let line = section.lines().find(|line| line.ends_with(&format!("| {meaning} |")));
            assert!(
                line.is_some_and(|line| line.contains(&format!("`{word}"))),
                "{word} of {}",
                operation.name
            );
        }
        assert!(section.contains(operation.system_call), "{}", operation.name);
    }
    for word in Errno::names().chain(Timing::WORDS.map(|(word, _)| word)) {
        assert!(page.contains(&format!("`{word}`")) || page.contains(&format!("`:{word}`")), "{word}");
    }
    assert!(page.contains("`may_fail`") && page.contains("has no effect"));
}

/// What the table of values shows is taken where such a value stands.
#[test]
fn every_example_of_a_value_is_taken() {
    let scenario = |step: &str| {
        format!(
            "title = \"t\"\nexpect = [\"**\"]\n[lane.client]\nsteps = [\n{{ op = \"connect\", socket = \"conn\" }},\n\
             {{ op = \"mark\", mark = \"connected\" }},\n{step},\n\
             {{ op = \"select\", read = [\"conn\"], timeout = \"1s\", verdict = true }},\n]\n\
             [lane.other]\nsteps = [{{ op = \"await\", mark = \"connected\", timeout = \"1s\" }}]\n\
             [lane.peer]\nsteps = [{{ op = \"accept\", socket = \"conn\" }}, {{ op = \"read\", socket = \"conn\", bytes = 1 }}]\n"
        )
    };
    let step = |kind, value: &str| match kind {
        FieldKind::Socket => format!("{{ op = \"read\", socket = {value}, bytes = 1 }}"),
        FieldKind::Sockets => format!("{{ op = \"select\", read = {value}, timeout = \"1s\" }}"),
        FieldKind::Delay => format!("{{ op = \"sleep\", for = {value} }}"),
        FieldKind::Text => format!("{{ op = \"write\", socket = \"conn\", data = {value} }}"),
        FieldKind::Count { .. } => format!("{{ op = \"read\", socket = \"conn\", bytes = {value} }}"),
        FieldKind::Rate => format!("{{ op = \"inject\", errno = \"ENOENT\", rate = {value} }}"),
        FieldKind::Errno => format!("{{ op = \"inject\", errno = {value}, rate = \"1%\" }}"),
        FieldKind::Choice(_) => format!("{{ op = \"shutdown\", socket = \"conn\", how = {value} }}"),
        FieldKind::TimeRange => {
            format!("{{ op = \"read\", socket = \"conn\", bytes = 1, outcome = true, within = {value} }}")
        }
        FieldKind::Number { .. } => {
            format!("{{ op = \"option\", socket = \"conn\", name = \"SO_KEEPALIVE\", value = {value} }}")
        }
        FieldKind::Flag => format!("{{ op = \"fork\", for = \"1ms\", exec = {value} }}"),
        FieldKind::Words(_) => {
            format!("{{ op = \"poll\", sockets = [\"conn\"], events = {value}, timeout = \"1s\" }}")
        }
        FieldKind::Lane => format!("{{ op = \"signal\", lane = {value} }}"),
        // Names and the file's own key: they stand in the frame below.
        FieldKind::Mark | FieldKind::Duration => "{ op = \"localtime\" }".to_owned(),
    };
    for kind in FieldKind::ALL {
        for value in kind.examples() {
            let mut text = scenario(&step(kind, value));
            match kind {
                FieldKind::Mark => text = text.replace("\"connected\"", value),
                FieldKind::Duration => {
                    text = text.replace("[lane.client]", &format!("deadline = {value}\n[lane.client]"))
                }
                _ => assert!(text.contains(value)),
            }
            rig::script::Scenario::parse("t", "t.toml", &text)
                .unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
        }
    }
}
