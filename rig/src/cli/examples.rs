//! Examples of every command: the one table behind every `--help`, every manual page and the tests that run them.
//!
//! Must not know what a command does. Units: lines of a shell. Errors: none.
//! Tests: below; `tests/examples.rs` runs the rows, and those that need root or guests are run by `tests/trouble.rs`, `tests/guest.rs` and `tests/rehearsal.rs`.

use super::exit::Exit::{self, Alert, Done, Short, Testbed};

/// Where an example can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// By anybody, in any folder.
    Anywhere,
    /// As root: it makes networks.
    Root,
    /// As root, with guests.
    Guest,
    /// In an emulated KVM host.
    Rehearsal,
    /// It changes the host, or takes long: no test runs it.
    Unasked,
}

/// One line that can be pasted.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The words of the command whose help shows it; none for rig itself.
    pub command: &'static [&'static str],
    /// What is typed.
    pub line: &'static str,
    /// What it is good for.
    pub about: &'static str,
    /// Where it can be run.
    pub runs: Runs,
    /// How it may end where it can be run.
    pub ends: &'static [Exit],
}

const fn row(
    command: &'static [&'static str],
    runs: Runs,
    ends: &'static [Exit],
    line: &'static str,
    about: &'static str,
) -> Example {
    Example { command, line, about, runs, ends }
}

use Runs::{Anywhere, Guest, Rehearsal, Root, Unasked};

/// All of them. The examples find in their folder what a newcomer has there: a run in `results/` and a scenario file `mine.toml`.
pub const EXAMPLES: &[Example] = &[
    row(&[], Anywhere, &[Done], "rig docs", "the pages that this program carries"),
    row(&[], Root, &[Done, Testbed], "rig doctor", "what this machine can do"),
    row(&[], Root, &[Done], "rig scenario run rst --trials 200", "one scenario on this host, in a second"),
    row(
        &[],
        Unasked,
        &[Done, Short, Alert],
        "rig matrix run",
        "guests beside this host: the answer, in minutes",
    ),
    row(
        &["setup"],
        Anywhere,
        &[Done, Testbed],
        "rig setup",
        "what is missing, and the command that installs it",
    ),
    row(&["setup"], Unasked, &[Done], "rig setup --yes", "install it and fetch the guest images"),
    row(&["doctor"], Root, &[Done, Testbed], "rig doctor", "a line for each thing, with what to do about it"),
    row(&["doctor"], Root, &[Done, Testbed], "rig doctor --format json", "the same for a program"),
    row(&["matrix"], Anywhere, &[Done], "rig matrix init", "a matrix file of your own, to be changed"),
    row(&["matrix"], Anywhere, &[Done], "rig matrix plan", "what would be played here, and what not"),
    row(&["matrix"], Unasked, &[Done, Short, Alert], "rig matrix run", "play it and report"),
    row(&["matrix", "init"], Anywhere, &[Done], "rig matrix init", "into this folder"),
    row(&["matrix", "init"], Anywhere, &[Done], "rig matrix init trial", "into a new folder"),
    row(&["matrix", "plan"], Anywhere, &[Done], "rig matrix plan", "the profile that the file names"),
    row(
        &["matrix", "plan"],
        Anywhere,
        &[Done],
        "rig matrix plan --profile nightly scenario=rst kernel=6.1",
        "a part of another profile",
    ),
    row(
        &["matrix", "plan"],
        Anywhere,
        &[Done],
        "rig matrix plan --any-host --format json",
        "all cells, for a program",
    ),
    row(
        &["matrix", "plan"],
        Anywhere,
        &[Done],
        "rig matrix plan --any-host --power --bound 1e-4",
        "what each comparison can show",
    ),
    row(
        &["matrix", "plan"],
        Anywhere,
        &[Done],
        "rig matrix plan --any-host --lock plan.lock.json",
        "write the plan down before it is played",
    ),
    row(&["matrix", "check"], Anywhere, &[Done], "rig matrix check", "./matrix.toml, or rig's own"),
    row(&["matrix", "run"], Unasked, &[Done, Short, Alert], "rig matrix run", "all cells of the profile"),
    row(
        &["matrix", "run"],
        Root,
        &[Done],
        "rig matrix run configuration=bare-metal scenario=rst --trials 200",
        "this host alone, one scenario",
    ),
    row(
        &["matrix", "run"],
        Unasked,
        &[Done, Short, Alert],
        "rig matrix run --profile nightly --deadline 2h",
        "for a night",
    ),
    row(
        &["matrix", "run"],
        Unasked,
        &[Done, Short, Alert],
        "rig matrix run --lock plan.lock.json",
        "the plan that was written down",
    ),
    row(
        &["matrix", "run"],
        Unasked,
        &[Done, Short, Alert],
        "rig matrix run --resume",
        "go on with the newest run",
    ),
    row(
        &["matrix", "plan"],
        Anywhere,
        &[Done],
        "rig matrix plan --format slurm --shards 3 > night.sh",
        "three machines of a Slurm cluster share it",
    ),
    row(
        &["nightly"],
        Root,
        &[Done],
        "rig nightly --profile quick -- kernel=host scenario=rst --trials 200",
        "a small night",
    ),
    row(&["nightly"], Anywhere, &[Done], "rig nightly --write ci", "units, workflows, an image"),
    row(
        &["nightly"],
        Unasked,
        &[Done, Short, Alert],
        "rig nightly --deadline 6h --keep 30 --notify /usr/local/bin/tell",
        "for a timer",
    ),
    row(&["rehearse"], Rehearsal, &[Done, Testbed], "rig rehearse -- doctor", "what a KVM host would have"),
    row(
        &["rehearse"],
        Unasked,
        &[Done, Short, Alert],
        "rig rehearse -- matrix run configuration=virtio-tap-vhost",
        "vhost-net without having it",
    ),
    row(&["scenario"], Anywhere, &[Done], "rig scenario list", "what there is"),
    row(&["scenario"], Anywhere, &[Done], "rig scenario show rst", "what one does, step by step"),
    row(&["scenario"], Root, &[Done], "rig scenario run rst --trials 200", "play it on this host"),
    row(&["scenario", "list"], Anywhere, &[Done], "rig scenario list", "names, claims and titles"),
    row(
        &["scenario", "list"],
        Anywhere,
        &[Done],
        "rig scenario list --format json",
        "the same for a program",
    ),
    row(
        &["scenario", "show"],
        Anywhere,
        &[Done],
        "rig scenario show rst client_delay=2ms",
        "with a parameter",
    ),
    row(
        &["scenario", "show"],
        Anywhere,
        &[Done],
        "rig scenario show rst --format toml > my-rst.toml",
        "its file, to be changed",
    ),
    row(&["scenario", "show"], Anywhere, &[Done], "rig scenario show --operations", "what a step can do"),
    row(
        &["scenario", "new"],
        Anywhere,
        &[Done],
        "rig scenario new first",
        "write first.toml, which explains itself",
    ),
    row(
        &["scenario", "new"],
        Anywhere,
        &[Done],
        "rig scenario new second --from rst",
        "begin with a shipped one",
    ),
    row(
        &["scenario", "new"],
        Anywhere,
        &[Done],
        "rig scenario new third --program ./client3",
        "for a program of your own",
    ),
    row(
        &["scenario", "run"],
        Root,
        &[Done],
        "rig scenario run rst --trials 200",
        "200 trials on a plain link",
    ),
    row(&["scenario", "run"], Root, &[Done], "rig scenario run mine.toml --trials 200", "a file of your own"),
    row(
        &["scenario", "run"],
        Root,
        &[Done],
        "rig scenario run rst --path rtt-10ms --trials 200",
        "across a path of the matrix file",
    ),
    row(
        &["scenario", "run"],
        Guest,
        &[Done],
        "rig scenario run rst --configuration virtio-tap --trials 200",
        "in one guest",
    ),
    row(
        &["scenario", "run"],
        Root,
        &[Done],
        "rig scenario run rst --trials 20 --capture packets",
        "and the packets of both ends",
    ),
    row(&["scenario", "run"], Root, &[Done], "rig scenario run rst --format json", "for a program"),
    row(
        &["scenario", "check"],
        Anywhere,
        &[Done],
        "rig scenario check mine.toml",
        "all that is wrong with it, at once",
    ),
    row(
        &["program"],
        Anywhere,
        &[Done],
        "rig program run --write mine /bin/true",
        "the files of a run, to be changed",
    ),
    row(
        &["program"],
        Unasked,
        &[Done, Short, Alert],
        "rig program run ./client3",
        "your program, on this host",
    ),
    row(
        &["program", "run"],
        Unasked,
        &[Done, Short, Alert],
        "rig program run --in virtio-tap ./client3 {address} {port}",
        "here and in a guest",
    ),
    row(
        &["program", "run"],
        Unasked,
        &[Done, Short, Alert],
        "rig program run --path overtake --witness ptrace,none ./client3",
        "over a path, watched and not",
    ),
    row(
        &["program", "run"],
        Anywhere,
        &[Done],
        "rig program run --write mine --in virtio-tap /bin/true",
        "its files, and no run",
    ),
    row(
        &["program", "trace"],
        Root,
        &[Done],
        "rig program trace /bin/true",
        "its calls and packets, in one time line",
    ),
    row(
        &["program", "trace"],
        Unasked,
        &[Done],
        "rig program trace --peer fin nc {address} {port}",
        "with another peer",
    ),
    row(&["image"], Anywhere, &[Done], "rig image list", "the recipes, and which are built"),
    row(&["image"], Guest, &[Done], "rig image build 6.1", "build one"),
    row(&["image", "list"], Anywhere, &[Done], "rig image list", "the recipes, and which are built"),
    row(&["image", "list"], Anywhere, &[Done], "rig image list --format json", "with digests and folders"),
    row(&["image", "build"], Guest, &[Done], "rig image build 6.1", "one image"),
    row(&["image", "build"], Unasked, &[Done], "rig image build --refresh", "all, of the newest packages"),
    row(&["image", "clean"], Anywhere, &[Done], "rig image clean --dry-run", "only show what would go"),
    row(&["image", "clean"], Unasked, &[Done], "rig image clean --keep 2GiB", "the images used last stay"),
    row(
        &["guest"],
        Guest,
        &[Done],
        "rig guest boot configuration=virtio-tap kernel=6.1 -- uname -r",
        "one command in a guest",
    ),
    row(
        &["guest", "boot"],
        Unasked,
        &[Done],
        "rig guest boot configuration=virtio-tap kernel=6.1",
        "a root shell in a guest",
    ),
    row(
        &["guest", "boot"],
        Guest,
        &[Done],
        "rig guest boot configuration=virtio-tap kernel=6.1 -- uname -r",
        "one command in it",
    ),
    row(
        &["guest", "boot"],
        Unasked,
        &[Done],
        "rig guest boot --kernel ./linux --keep-core configuration=virtio-tap",
        "a core if it panics",
    ),
    row(&["report"], Anywhere, &[Done], "rig report", "the newest run"),
    row(&["report"], Anywhere, &[Done], "rig report --format json,csv", "files in the run's folder"),
    row(&["report"], Anywhere, &[Done, Short, Alert], "rig report latest --exit-code", "for a script"),
    row(
        &["report"],
        Anywhere,
        &[Done],
        "rig report --format html --output .",
        "the page of the newest run, to be sent",
    ),
    row(
        &["replay"],
        Root,
        &[Done, Alert],
        "rig replay latest bf27",
        "the cell whose id begins so, with its seed",
    ),
    row(&["history"], Anywhere, &[Done, Alert], "rig history", "what got worse, since which night"),
    row(
        &["history"],
        Anywhere,
        &[Done, Alert],
        "rig history --format html --output pages",
        "the trends as a page, for a browser",
    ),
    row(
        &["history"],
        Anywhere,
        &[Done, Alert],
        "rig history --notify echo",
        "a command of yours, once for each alert, with a page about it",
    ),
    row(
        &["compare"],
        Unasked,
        &[Done, Short, Alert],
        "rig compare 20261121 latest",
        "the newest run with an older one",
    ),
    row(
        &["compare"],
        Anywhere,
        &[Done, Short, Alert],
        "rig compare latest --configurations bare-metal virtio-tap",
        "two configurations of one run",
    ),
    row(&["results"], Anywhere, &[Done], "rig results verify", "the newest run"),
    row(&["results", "verify"], Anywhere, &[Done], "rig results verify", "the newest run"),
    row(
        &["results", "verify"],
        Anywhere,
        &[Done],
        "rig results verify latest --format json",
        "every difference, for a program",
    ),
    row(&["results"], Anywhere, &[Done], "rig results list", "what is there"),
    row(&["results", "list"], Anywhere, &[Done], "rig results list", "what is there"),
    row(&["results", "list"], Anywhere, &[Done], "rig results list --format json", "for a program"),
    row(&["results", "export"], Anywhere, &[Done], "rig results export", "the newest run, as run.tar.gz"),
    row(
        &["results", "export"],
        Anywhere,
        &[Done],
        "rig results export latest --output night.tar.gz",
        "then: rig report night.tar.gz, on any machine",
    ),
    row(
        &["results", "merge"],
        Anywhere,
        &[Done],
        "rig results merge shard-*.tar.gz --output night",
        "shards that other machines played, as one run",
    ),
    row(
        &["results", "gc"],
        Anywhere,
        &[Done],
        "rig results gc --keep 30 --keep-failed --dry-run",
        "what would go",
    ),
    row(&["results", "gc"], Anywhere, &[Done], "rig results gc --keep 30 --keep-failed", "after every night"),
    row(&["explain"], Anywhere, &[Done], "rig explain ENOENT", "or 2, or `errno 2`"),
    row(
        &["explain"],
        Anywhere,
        &[Done],
        "rig explain select: No such file or directory",
        "a log line, with what the newest run measured",
    ),
    row(&["docs"], Anywhere, &[Done], "rig docs", "the pages"),
    row(&["docs"], Anywhere, &[Done], "rig docs paths", "one of them"),
    row(&["docs"], Anywhere, &[Done], "rig docs --search firewall", "the lines that have a word"),
    row(&["man"], Anywhere, &[Done], "rig man matrix run | man -l -", "read one"),
    row(&["claims"], Anywhere, &[Done], "rig claims", "all of them, with what decides each"),
    row(&["claims"], Anywhere, &[Done], "rig claims H16 H27", "what supports and what refutes these"),
    row(&["man"], Anywhere, &[Done], "rig man --install share/man", "write all of them into a folder"),
    row(&["man"], Unasked, &[Done], "rig man --install", "where man(1) finds them"),
    row(&["bench"], Root, &[Done], "rig bench testbed --quick", "whether it works, in seconds"),
    row(&["bench"], Unasked, &[Done], "rig bench middlebox capture", "how fast the network is, in minutes"),
    row(&["clean"], Anywhere, &[Done], "rig clean --dry-run", "only show what would go"),
    row(&["completions"], Anywhere, &[Done], "eval \"$(rig completions bash)\"", "in ~/.bashrc"),
    row(
        &["completions"],
        Anywhere,
        &[Done],
        "rig completions fish > rig.fish",
        "in fish's completions folder",
    ),
];

/// The examples of a command.
pub(super) fn of(words: &[&str]) -> impl Iterator<Item = &'static Example> {
    EXAMPLES.iter().filter(move |example| example.command == words)
}

/// The section of a command's help; empty where it has no example.
pub(super) fn section(words: &[&str]) -> String {
    let width = of(words).map(|example| example.line.len()).max().unwrap_or(0);
    let rows: Vec<String> =
        of(words).map(|Example { line, about, .. }| format!("\n  {line:width$}  # {about}")).collect();
    if rows.is_empty() { String::new() } else { format!("Examples:{}", rows.concat()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory as _;

    use super::super::{Arguments, program};
    use super::*;

    /// The words after `rig` of a line that may be part of a longer one.
    fn words(line: &str) -> Vec<&str> {
        let from = line.find("rig ").expect("it calls rig");
        let call = line[from..].split(['|', '>', ')']).next().expect("a first part");
        call.split_whitespace().collect()
    }

    fn commands(command: &clap::Command, words: &[String], found: &mut Vec<Vec<String>>) {
        found.push(words.to_vec());
        for one in command.get_subcommands() {
            commands(one, &[words, &[one.get_name().to_owned()]].concat(), found);
        }
    }

    #[test]
    fn every_line_is_understood_and_shows_the_command_that_it_is_an_example_of() {
        for example in EXAMPLES {
            let typed = words(example.line);
            if let Err(error) = program().try_get_matches_from(&typed) {
                panic!("{}: {error}", example.line);
            }
            assert!(typed[1..].starts_with(example.command), "{}", example.line);
            assert!(!example.about.is_empty() && !example.ends.is_empty(), "{}", example.line);
        }
    }

    #[test]
    fn every_command_and_every_group_has_an_example_that_a_test_runs() {
        let mut found = Vec::new();
        commands(&Arguments::command(), &[], &mut found);
        assert!(found.len() > 20, "{found:?}");
        for words in &found {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert!(of(&words).any(|example| example.runs != Unasked), "{words:?}");
        }
        let known: BTreeSet<Vec<String>> = found.into_iter().collect();
        for example in EXAMPLES {
            let words: Vec<String> = example.command.iter().map(|&word| word.to_owned()).collect();
            assert!(known.contains(&words), "{words:?} is no command");
        }
    }

    #[test]
    fn examples_are_in_the_help_before_the_exit_codes_and_no_line_of_them_is_wrapped() {
        for example in EXAMPLES {
            let mut program = program();
            let mut command = &mut program;
            for word in example.command {
                command = command.find_subcommand_mut(word).expect("a command");
            }
            let help = command.render_long_help().to_string();
            let shown = help.find(example.line).expect(example.line);
            let codes = help.find("Exit codes:").unwrap_or(help.len());
            assert!(shown < codes && help.contains("Examples:"), "{help}");
        }
        for line in EXAMPLES
            .iter()
            .flat_map(|example| section(example.command).lines().map(str::to_owned).collect::<Vec<_>>())
        {
            assert!(line.chars().count() <= 110, "{line}");
        }
    }
}
