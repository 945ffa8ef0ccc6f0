//! A program lane for people: its command line, and what is said of it beside that.
//!
//! Must not know its template. Units: as the file spells them. Errors: none. Tests: `tests/cli` (`scenario show`).

use rig_protocol::{Network, Program, Redirect, Witness};

/// The command line: `program ./client3 {address} {port}`.
pub(in crate::script) fn command_line(program: &Program) -> String {
    let mut words = vec!["program".to_owned(), quoted(&program.name)];
    words.extend(program.arguments.iter().map(|argument| quoted(argument)));
    words.join(" ")
}

/// As a shell would be given it, but for what stands in braces.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%{}".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Name and words of everything else that is said of it.
pub(in crate::script) fn facts(program: &Program) -> Vec<(&'static str, String)> {
    let variables: Vec<String> =
        program.environment.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    let redirect = match (&program.redirect, program.network) {
        (_, Network::Own) => String::new(),
        (Redirect::All, _) => "every connect()".to_owned(),
        (Redirect::None, _) => "nothing".to_owned(),
        (Redirect::Only(addresses), _) => addresses.join(" "),
    };
    let witness = match program.witness {
        Witness::Ptrace => "ptrace",
        Witness::Tracepoint => "tracepoint: what libc held is not known",
        Witness::None => "none: only what it said and how it ended is known",
    };
    let own = "a loopback of its own in each trial".to_owned();
    let all = [
        ("environ", variables.join(" ")),
        ("before", program.before.join(" && ")),
        ("input", program.input.clone().unwrap_or_default()),
        ("says", program.says.clone().unwrap_or_default()),
        ("verdict", format!("{} of {}", ordinal(program.verdict.nth), program.verdict.calls.join(" "))),
        ("outcome", format!("its label, {} and the end", later(program))),
        ("witness", witness.to_owned()),
        ("redirect", redirect),
        ("network", if program.network == Network::Own { own } else { String::new() }),
        ("terminal", if program.terminal { "yes".to_owned() } else { String::new() }),
        ("inject", program.inject.map(injected).unwrap_or_default()),
    ];
    all.into_iter().filter(|(_, words)| !words.is_empty()).collect()
}

fn later(program: &Program) -> String {
    match program.outcome.as_slice() {
        [] => "no call behind it,".to_owned(),
        calls => format!("those of later {},", calls.join(" ")),
    }
}

fn injected(injected: rig_protocol::Injected) -> String {
    format!("{} in {} % of the trials", injected.errno, f64::from(injected.rate_ppm) / 10_000.0)
}

fn ordinal(nth: u32) -> String {
    let ending = match (nth % 10, nth % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("the {nth}{ending}")
}
