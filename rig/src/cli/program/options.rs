//! What `rig program run` and `rig program trace` say of the program: the options that both have.
//!
//! Must not know files. Units: as users type them. Errors: one sentence each, for clap to show. Tests: below, `tests/cli_input.rs`.

use std::path::PathBuf;

use rig_protocol::Witness;

/// The program, its peer, and how it is started and watched.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Client {
    /// The program: a path, or a name on PATH; then its arguments. Those that begin with a dash stand behind `--`; `{address}` and `{port}` stand
    /// for the peer's
    #[arg(value_names = ["FILE", "ARGS"], required = true, num_args = 1..)]
    pub(super) client: Vec<String>,
    /// The scenario whose peer answers it: its name, or the path of a file [default: rst]
    #[arg(long, value_name = "SCENARIO")]
    pub(super) peer: Option<String>,
    /// A parameter of the peer's scenario: peer_delay=5ms
    #[arg(long = "set", value_name = "PARAMETER=VALUE")]
    pub(super) parameters: Vec<String>,
    /// What lies between the program and its peer: a path of the matrix file
    #[arg(long, value_name = "NAME", default_value = "direct")]
    pub(super) path: String,
    /// Where paths and configurations are declared [default: ./matrix.toml where there is one, otherwise rig's own]
    #[arg(long, value_name = "FILE")]
    pub(super) matrix: Option<PathBuf>,
    /// What the program prints about its call, a regular expression: 'result=(?<returned>-?\d+), errno=(?<errno>\d+)'
    #[arg(long, value_name = "REGEX", allow_hyphen_values = true)]
    pub(super) says: Option<String>,
    /// The call that is judged, and which of them: select (or its kin pselect6), poll, read:2 [default: the first call that waits for readiness]
    #[arg(long, value_name = "CALL[:NTH]")]
    pub(super) verdict: Option<String>,
    /// The later calls whose results tell one outcome from another [default: the calls that receive]
    #[arg(long, value_name = "CALL", value_delimiter = ',')]
    pub(super) outcome: Option<Vec<String>>,
    /// Which connections are led to the peer: all, none, or those to an address: 127.0.0.1:8083
    #[arg(long, value_name = "WHICH", value_delimiter = ',')]
    pub(super) redirect: Option<Vec<String>>,
    /// own: a loopback for each trial; the program brings both ends, and there is no peer
    #[arg(long, value_enum, value_name = "WHICH", default_value = "target")]
    pub(super) network: Network,
    /// Its output is a terminal, so that the C library writes it line by line
    #[arg(long)]
    pub(super) terminal: bool,
    /// A variable of its environment, which has PATH, HOME and TZ besides
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub(super) env: Vec<(String, String)>,
    /// The file that is its standard input [default: /dev/null]
    #[arg(long, value_name = "FILE")]
    pub(super) stdin: Option<String>,
    /// A shell command that is run once before the first trial of a block
    #[arg(long, value_name = "COMMAND", allow_hyphen_values = true)]
    pub(super) before: Vec<String>,
    /// Files and folders that it needs besides its libraries; they go into a guest with it
    #[arg(long, value_name = "PATH", value_delimiter = ',')]
    pub(super) with: Vec<String>,
    /// How long a trial may last; one that lasts longer is ended, and its outcome is `deadline` [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub(super) time_limit: Option<String>,
}

/// The network that a program sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Network {
    /// The target's, with the peer at its other end
    Target,
    /// One of each trial's own
    Own,
}

/// Who records the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum WitnessWord {
    /// ptrace(2): what the kernel returned, and what errno the C library held
    Ptrace,
    /// The kernel's tracepoints: what the kernel returned, with less delay
    Tracepoint,
    /// Nobody: only how it ended and what it printed
    None,
}

impl WitnessWord {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ptrace => Witness::Ptrace.word(),
            Self::Tracepoint => Witness::Tracepoint.word(),
            Self::None => Witness::None.word(),
        }
    }
}

impl Client {
    /// The program, as it was typed.
    pub(super) fn program(&self) -> &str {
        self.client.first().map_or("", String::as_str)
    }

    /// The scenario whose peer answers it.
    pub(super) fn peer(&self) -> &str {
        self.peer.as_deref().unwrap_or("rst")
    }

    /// Its arguments.
    pub(super) fn arguments(&self) -> &[String] {
        self.client.get(1..).unwrap_or_default()
    }
}

/// `NAME=VALUE`
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) => Err("a variable has a name before its `=`".to_owned()),
        None => Err(format!("a variable is given as NAME=VALUE: {text}=1")),
    }
}

/// clap's own line would show one list of values, and no `--`.
pub(in crate::cli) fn usage_of_run(name: &str) -> String {
    format!("{name} program run [OPTIONS] FILE [ARGS]... [-- ARGS...]")
}

/// As [`usage_of_run`].
pub(in crate::cli) fn usage_of_trace(name: &str) -> String {
    format!("{name} program trace [OPTIONS] FILE [ARGS]... [-- ARGS...]")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        client: Client,
        #[arg(long)]
        trials: Option<u64>,
    }

    fn read(words: &[&str]) -> Line {
        let words = std::iter::once("rig").chain(words.iter().copied());
        let matches = Line::command().try_get_matches_from(words).expect("a good line");
        Line::from_arg_matches(&matches).expect("a good line")
    }

    #[test]
    fn arguments_with_a_dash_stand_behind_two_of_them_and_options_anywhere_before() {
        let line = read(&["./client3", "first", "--trials", "5", "--", "-v", "--trials", "7"]);
        assert_eq!((line.trials, line.client.program()), (Some(5), "./client3"));
        assert_eq!(line.client.arguments(), ["first", "-v", "--trials", "7"]);
        let line = read(&["--trials", "5", "nc", "{address}", "{port}"]);
        assert_eq!(
            (line.trials, line.client.arguments()),
            (Some(5), &["{address}".into(), "{port}".into()][..])
        );
        let wrong =
            Line::command().try_get_matches_from(["rig", "./client3", "-v"]).expect_err("whose is it");
        assert!(wrong.to_string().contains("-- -v"), "{wrong}");
    }

    #[test]
    fn a_variable_has_a_name_and_a_value() {
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert_eq!(variable("A="), Ok(("A".to_owned(), String::new())));
        assert!(variable("A").is_err() && variable("=b").is_err());
    }

    #[test]
    fn witnesses_are_spelled_as_in_a_file() {
        use clap::ValueEnum;
        let words: Vec<&str> = WitnessWord::value_variants().iter().map(|witness| witness.word()).collect();
        assert_eq!(words, Witness::ALL.map(Witness::word));
        for (variant, word) in WitnessWord::value_variants().iter().zip(words) {
            let value = variant.to_possible_value().expect("none is hidden");
            assert_eq!(value.get_name(), word);
        }
    }
}
