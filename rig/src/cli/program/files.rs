//! The files that a command line of `rig program` stands for: the scenario, its control, and the matrix.
//!
//! Pure text. Must not read or write a file, nor know how one is played. Units: as the files say. Errors: none: what is wrong in a file is found
//! where it is read, as in every other file. Tests: below.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use toml::Value;

use super::options::{Client, Network};
use crate::document::key_text;
use crate::matrix::Excerpt;
use crate::script::{is_path, shipped_names};

/// The errno of the control, and in which share of its trials it is injected.
const INJECTED: (&str, &str) = ("ENOENT", "10%");

/// Thirty injections prove that one in nine, at most, could be missed: so many trials have them.
const CONTROL_TRIALS: u64 = 300;

/// Few blocks, for an answer in minutes; more than one, so that what a single boot does is seen as that.
const BLOCKS: u64 = 2;

/// Which witness a cell has is this parameter.
pub(super) const WITNESS: &str = "witness";

/// What a program's cells are called: after its file.
pub(super) fn stem(program: &str) -> String {
    let name =
        Path::new(program).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let name = name.trim_matches('-');
    let taken =
        name.is_empty() || name.starts_with("control-") || shipped_names().any(|shipped| shipped == name);
    if taken { format!("program-{name}").trim_end_matches('-').to_owned() } else { name.to_owned() }
}

/// What the control of a program's cells is called.
pub(super) fn control_stem(stem: &str) -> String {
    format!("{stem}-{}", INJECTED.0.to_lowercase())
}

/// The scenario: `folder` is where the program is started, `witness` the value of the witness.
pub(super) fn scenario(client: &Client, folder: &Path, expect: &[String], witness: &str) -> String {
    let mut text = head(client, expect);
    let mut parameters = vec![(WITNESS.to_owned(), witness.to_owned())];
    parameters.extend(given(client));
    write_parameters(&mut text, &parameters);
    lane(&mut text, client, folder);
    let _ = writeln!(text, "witness = \"${{{WITNESS}}}\"");
    text
}

/// The same program with an injected errno: a rig that does not find it has no say about the others.
pub(super) fn control(client: &Client, folder: &Path) -> String {
    let (errno, rate) = INJECTED;
    let mut text = head(client, &["**".to_owned()]);
    let _ = writeln!(text, "control = {{ errno = \"{errno}\", rate = \"${{rate}}\" }}");
    let mut parameters = vec![("rate".to_owned(), rate.to_owned())];
    parameters.extend(given(client));
    write_parameters(&mut text, &parameters);
    lane(&mut text, client, folder);
    let _ = writeln!(text, "inject = {{ errno = \"{errno}\", rate = \"${{rate}}\" }}");
    text
}

fn head(client: &Client, expect: &[String]) -> String {
    let mut text = format!("title = {}\n", quoted(&client.client.join(" ").replace(char::is_control, " ")));
    let _ = writeln!(text, "expect = {}", list(expect));
    if let Some(limit) = &client.time_limit {
        let _ = writeln!(text, "deadline = {}", quoted(limit));
    }
    if client.network == Network::Target {
        let here = |peer: &str| std::path::absolute(peer).map(|path| path.display().to_string());
        let peer = if is_path(client.peer()) { here(client.peer()).ok() } else { None };
        let _ = writeln!(text, "peer = {}", quoted(peer.as_deref().unwrap_or(client.peer())));
    }
    text
}

/// `--set`; what has no `=` was refused.
fn given(client: &Client) -> impl Iterator<Item = (String, String)> {
    let pairs = client.parameters.iter().filter_map(|word| word.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))
}

fn write_parameters(text: &mut String, parameters: &[(String, String)]) {
    text.push_str("\n[parameters]\n");
    let mut known = BTreeSet::new();
    // The last one that is given counts, as of every option.
    let mut last: Vec<&(String, String)> =
        parameters.iter().rev().filter(|(name, _)| known.insert(name)).collect();
    last.reverse();
    for (name, value) in last {
        let _ = writeln!(text, "{} = {}", key_text(name), quoted(value));
    }
}

/// The lane but for its witness and what is injected.
fn lane(text: &mut String, client: &Client, folder: &Path) {
    let _ = writeln!(text, "\n[lane.client]\nprogram = {}", quoted(client.program()));
    let _ = writeln!(text, "directory = {}", quoted(&folder.display().to_string()));
    for (name, words) in
        [("arguments", client.arguments()), ("before", &client.before), ("with", &client.with)]
    {
        if !words.is_empty() {
            let _ = writeln!(text, "{name} = {}", list(words));
        }
    }
    if !client.env.is_empty() {
        let variables: Vec<String> = client
            .env
            .iter()
            .map(|(name, value)| format!("{} = {}", key_text(name), quoted(value)))
            .collect();
        let _ = writeln!(text, "environment = {{ {} }}", variables.join(", "));
    }
    for (name, value) in [("input", &client.stdin), ("says", &client.says)] {
        if let Some(value) = value {
            let _ = writeln!(text, "{name} = {}", quoted(value));
        }
    }
    if let Some(verdict) = &client.verdict {
        let _ = writeln!(text, "verdict = {}", verdict_of(verdict));
    }
    if let Some(outcome) = &client.outcome {
        let calls: Vec<String> = outcome.iter().flat_map(|call| calls_of(call)).collect();
        let _ = writeln!(text, "outcome = {}", list(&calls));
    }
    match client.redirect.as_deref() {
        None => {}
        Some([word]) => drop(writeln!(text, "redirect = {}", quoted(word))),
        Some(addresses) => drop(writeln!(text, "redirect = {}", list(addresses))),
    }
    if client.network == Network::Own {
        text.push_str("network = \"own\"\n");
    }
    if client.terminal {
        text.push_str("terminal = true\n");
    }
}

/// `poll`, `select:2`
fn verdict_of(text: &str) -> String {
    let (calls, nth) = text.split_once(':').map_or((text, None), |(calls, nth)| (calls, Some(nth)));
    let calls: Vec<String> = calls.split(',').flat_map(calls_of).collect();
    let nth = nth.map(|nth| format!(", nth = {}", quoted(nth))).unwrap_or_default();
    format!("{{ call = {}{nth} }}", list(&calls))
}

/// The system calls behind a name that people use: which of them a C library makes differs from one to the next.
fn calls_of(name: &str) -> Vec<String> {
    let calls: &[&str] = match name {
        "select" | "pselect" => &["select", "pselect6"],
        "poll" => &["poll", "ppoll"],
        "epoll_wait" | "epoll" => &["epoll_wait", "epoll_pwait", "epoll_pwait2"],
        "recv" => &["recvfrom"],
        "send" => &["sendto"],
        other => return vec![other.to_owned()],
    };
    calls.iter().map(|&call| call.to_owned()).collect()
}

/// How much is run, where, and over what.
#[derive(Debug, Clone)]
pub(super) struct Extent<'a> {
    pub(super) stem: &'a str,
    pub(super) configurations: &'a [String],
    pub(super) kernels: &'a [String],
    pub(super) path: &'a str,
    pub(super) witnesses: &'a [&'static str],
    pub(super) trials: u64,
    pub(super) in_flight: Option<u32>,
}

/// The matrix: the program on every configuration, with its control and rig's own.
pub(super) fn matrix(extent: &Extent<'_>, excerpt: &Excerpt, host: &str) -> String {
    let Extent { stem, configurations, kernels, path, witnesses, trials, in_flight } = extent;
    let mut text = String::new();
    let blocks = BLOCKS.min(*trials);
    let _ = writeln!(
        text,
        "[run]\ntrials = {trials}\nblocks = {blocks}\ncontrol_trials = {CONTROL_TRIALS}\n\n[axes]\nscenario = {}",
        list(&[format!("./{stem}.toml")])
    );
    let _ = writeln!(text, "configuration = {}", list(configurations));
    if !kernels.is_empty() {
        let _ = writeln!(text, "kernel = {}", list(kernels));
    }
    let _ = writeln!(text, "path = {}\n\n[scenario.{stem}]", list(&[(*path).to_owned()]));
    let witnesses: Vec<String> = witnesses.iter().map(|&witness| witness.to_owned()).collect();
    let _ = writeln!(text, "{WITNESS} = {}", list(&witnesses));
    let at_once = in_flight.map(|in_flight| format!("in_flight = {in_flight}\n")).unwrap_or_default();
    text.push_str(&at_once);
    let _ = writeln!(
        text,
        "\n# The same program with an injected errno, and the controls that every matrix has.\n[control.{0}]\nscenario = \"./{0}.toml\"\n{at_once}",
        control_stem(stem)
    );
    text.push_str(CONTROLS);
    let alert = excerpt.alert();
    text.push_str(if alert.is_empty() { ALERT } else { &alert });
    let names: Vec<&str> = configurations.iter().map(String::as_str).collect();
    if names.contains(&host) && excerpt.machine(host).is_none() {
        let _ = writeln!(text, "[configuration.{host}]\nkind = \"host\"\n");
    }
    if !excerpt.paths.iter().any(|known| known == path) {
        let _ = writeln!(text, "[path.{path}]\n");
    }
    text.push_str(&excerpt.text(&names, &[path]));
    text
}

const CONTROLS: &str = r#"[control.closed-descriptor]
scenario = "control-closed-descriptor"

[control.inject-enoent]
scenario = "control-inject-enoent"
parameters = { rate = "10%" }

[control.inject-ebadf]
scenario = "control-inject-ebadf"
parameters = { rate = "10%" }

[control.negative]
scenario = "control-negative"

"#;

/// Where the user's own file has none.
const ALERT: &str = "[alert]\nENOENT = \"0%\"\nEBADF = \"0%\"\n\n";

fn list(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(", "))
}

/// A text as TOML has it, in one line.
fn quoted(text: &str) -> String {
    if text.contains(['\\', '"']) && !text.contains('\'') && !text.contains(char::is_control) {
        return format!("'{text}'");
    }
    let one_line = text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut out = String::from("\"");
    for c in one_line.chars() {
        match c {
            c if c.is_control() => drop(write!(out, "\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    debug_assert_eq!(
        format!("x = {out}").parse::<toml::Table>().ok().map(|table| table["x"].clone()),
        Some(Value::from(text))
    );
    out
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;
    use crate::matrix::{Matrix, Selection};
    use crate::script::Scenario;

    fn client(words: &[&str]) -> Client {
        let words = std::iter::once("rig").chain(words.iter().copied());
        let matches = Client::augment_args(clap::Command::new("rig")).get_matches_from(words);
        Client::from_arg_matches(&matches).expect("a good line")
    }

    const EVERYTHING: &[&str] = &[
        "--set",
        "peer_delay=5ms",
        "--says",
        r"result=(?<returned>-?\d+)",
        "--verdict",
        "select:2",
        "--outcome",
        "read,recv",
        "--redirect",
        "127.0.0.1:8083,127.0.0.1:8084",
        "--terminal",
        "--env",
        "A=it's \"x\"",
        "--stdin",
        "request.txt",
        "--before",
        "mkdir -p x",
        "--with",
        "app,lib",
        "--time-limit",
        "20s",
        "./client3",
        "--",
        "-v",
        "{address}",
        "two words",
    ];

    #[test]
    fn a_command_line_is_a_valid_scenario_with_all_that_it_says() {
        let text = scenario(&client(EVERYTHING), Path::new("/srv"), &["**".to_owned()], "none");
        let scenario = Scenario::parse_in(Path::new("/"), "client3", "it", &text)
            .unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
        let script = scenario.resolve(&Default::default()).expect("valid").script;
        assert_eq!(script.deadline_ns, Some(20_000_000_000));
        let program = script.program.expect("a program");
        assert_eq!((program.path.as_str(), program.witness.word()), ("/srv/client3", "none"));
        assert_eq!(program.arguments, ["-v", "{address}", "two words"]);
        assert_eq!(program.environment["A"], "it's \"x\"");
        assert_eq!(
            (program.verdict.calls, program.verdict.nth),
            (vec!["select".to_owned(), "pselect6".to_owned()], 2)
        );
        assert_eq!(program.outcome, ["read", "recvfrom"]);
        assert_eq!(program.says.as_deref(), Some(r"result=(?<returned>-?\d+)"));
        assert_eq!(
            (program.input.as_deref(), program.before.len(), program.terminal),
            (Some("/srv/request.txt"), 1, true)
        );
        assert_eq!(scenario.parameter("peer_delay").map(|one| one.default.as_str()), Some("5ms"));
    }

    #[test]
    fn the_control_is_the_same_program_with_an_injected_errno() {
        let text = control(&client(EVERYTHING), Path::new("/srv"));
        let scenario = Scenario::parse_in(Path::new("/"), "c", "it", &text)
            .unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
        let resolved = scenario.resolve(&Default::default()).expect("valid");
        let injected = resolved.script.program.expect("a program").inject.expect("an errno");
        assert_eq!(resolved.control, Some((injected.errno, injected.rate_ppm)));
    }

    #[test]
    fn a_program_that_brings_both_ends_has_no_peer() {
        let text =
            scenario(&client(&["--network", "own", "nc"]), Path::new("/"), &["**".to_owned()], "ptrace");
        assert!(!text.contains("peer"), "{text}");
        Scenario::parse_in(Path::new("/"), "nc", "it", &text).expect("valid");
    }

    #[test]
    fn cells_are_called_after_the_program_and_never_as_a_scenario_of_rig() {
        for (program, called) in [
            ("./client3", "client3"),
            ("/usr/bin/python3.11", "python3"),
            ("my prog!.sh", "my-prog"),
            ("./rst", "program-rst"),
            ("control-x", "program-control-x"),
            ("/", "program"),
            ("ä", "program"),
        ] {
            assert_eq!(stem(program), called, "{program}");
        }
    }

    #[test]
    fn the_matrix_has_every_cell_and_control() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
        write("m.toml", crate::matrix::EMBEDDED);
        let excerpt = Matrix::load_excerpt(Some(&folder.path().join("m.toml"))).expect("valid");
        let client = client(&["true"]);
        write("true.toml", &scenario(&client, folder.path(), &["**".to_owned()], "ptrace"));
        write("true-enoent.toml", &control(&client, folder.path()));
        let configurations = ["bare-metal", "virtio-tap"].map(str::to_owned);
        let extent = Extent {
            stem: "true",
            configurations: &configurations,
            kernels: &["6.1".to_owned()],
            path: "overtake",
            witnesses: &["ptrace", "none"],
            trials: 1_000,
            in_flight: Some(7),
        };
        let text = matrix(&extent, &excerpt, "bare-metal");
        let matrix =
            Matrix::parse("it", &text, folder.path()).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
        let cells = matrix.cells(&Selection::default()).expect("cells");
        let plain: Vec<_> = cells.iter().filter(|cell| cell.control.is_none()).collect();
        assert_eq!(plain.len(), 4);
        assert!(plain.iter().all(|cell| cell.trials == 1_000
            && cell.blocks == 2
            && cell.in_flight == 7
            && cell.subject.path.name == "overtake"));
        let controls: BTreeSet<&str> =
            cells.iter().filter_map(|cell| Some(cell.control.as_ref()?.name.as_str())).collect();
        assert_eq!(
            controls.into_iter().collect::<Vec<_>>(),
            ["closed-descriptor", "inject-ebadf", "inject-enoent", "negative", "true-enoent"]
        );
        assert_eq!(cells.iter().filter(|cell| cell.control.is_some()).count(), 10, "each on both machines");
    }
}
