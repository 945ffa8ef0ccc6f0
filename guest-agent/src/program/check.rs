//! Whether a program can be played as an assignment says.
//!
//! Holds the checks; no system call, no file. Units: none. Errors: a reason in words that blames the sender of the assignment.
//! Must not repeat what `rig` checks for people. Tests: below.

use regex_lite::Regex;
use rig_protocol::{Injected, Network, Program, Redirect, Witness, watched_call};

use super::redirect::destination;

/// What cannot be played of it, in words; `peer`: whether there is one.
pub(crate) fn check(program: &Program, root: Option<&str>, peer: bool) -> Result<(), String> {
    let named = [("path", Some(program.path.as_str())), ("directory", Some(&program.directory))];
    let named = named.into_iter().chain([("input", program.input.as_deref()), ("root", root)]);
    for (what, path) in named {
        if let Some(path) = path.filter(|path| !path.starts_with('/')) {
            return Err(format!("{what} {path:?} of the program is not absolute"));
        }
    }
    if program.verdict.nth == 0 {
        return Err("verdict: the first call is number 1, not 0".to_owned());
    }
    if program.verdict.calls.is_empty() {
        return Err("verdict: no call is named".to_owned());
    }
    let names = program.verdict.calls.iter().chain(&program.outcome);
    if let Some(name) = names.into_iter().find(|name| watched_call(name).is_none()) {
        return Err(format!("no call {name:?} is watched"));
    }
    check_says(program)?;
    if let Some(Injected { errno, rate_ppm }) = program.inject {
        if !(1..=4095).contains(&errno.0) || rate_ppm > 1_000_000 {
            return Err(format!("inject: errno {} at {rate_ppm} ppm", errno.0));
        }
        if program.witness != Witness::Ptrace {
            let witness = program.witness.word();
            return Err(format!(
                "inject: the witness {witness:?} cannot change what a call returns, \"ptrace\" can"
            ));
        }
    }
    if let Redirect::Only(addresses) = &program.redirect {
        addresses.iter().try_for_each(|text| destination(text).map(|_| ()))?;
    }
    if program.network == Network::Target && !peer {
        return Err(
            "there is no lane for the peer; a program that brings both ends has network = \"own\"".to_owned()
        );
    }
    Ok(())
}

fn check_says(program: &Program) -> Result<(), String> {
    let Some(says) = &program.says else { return Ok(()) };
    let expression = Regex::new(says).map_err(|error| format!("says: {error}"))?;
    let mut groups = expression.capture_names().flatten();
    if groups.any(|name| name == "returned" || name == "errno") {
        return Ok(());
    }
    Err("says: there is no group named `returned` or `errno`".to_owned())
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Errno, Verdict};

    use super::*;

    fn program() -> Program {
        Program {
            name: "./client".into(),
            path: "/bin/true".into(),
            directory: "/".into(),
            verdict: Verdict { calls: Program::usual_verdict(), nth: 1 },
            outcome: Program::usual_outcome(),
            ..Program::default()
        }
    }

    #[test]
    fn a_whole_program_is_taken() {
        assert_eq!(check(&program(), Some("/srv"), true), Ok(()));
        let own = Program { network: Network::Own, says: Some("(?<errno>.+)".into()), ..program() };
        assert_eq!(check(&own, None, false), Ok(()));
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_its_reason() {
        type Change = fn(&mut Program);
        let cases: [(Change, &str); 12] = [
            (|p| p.path = "client".into(), "path \"client\" of the program is not absolute"),
            (|p| p.directory = "x".into(), "directory \"x\" of the program is not absolute"),
            (|p| p.input = Some("in".into()), "input \"in\" of the program is not absolute"),
            (|p| p.verdict.nth = 0, "the first call is number 1"),
            (|p| p.verdict.calls.clear(), "no call is named"),
            (|p| p.verdict.calls = vec!["teleport".into()], "no call \"teleport\" is watched"),
            (|p| p.outcome = vec!["teleport".into()], "no call \"teleport\" is watched"),
            (|p| p.says = Some("(".into()), "says: "),
            (|p| p.says = Some("errno=(.*)".into()), "no group named `returned` or `errno`"),
            (|p| p.inject = Some(Injected { errno: Errno(0), rate_ppm: 1 }), "errno 0 at 1 ppm"),
            (
                |p| {
                    p.inject = Some(Injected { errno: Errno::EBADF, rate_ppm: 1 });
                    p.witness = Witness::None;
                },
                "the witness \"none\" cannot change",
            ),
            (
                |p| p.redirect = Redirect::Only(vec!["localhost:1".into()]),
                "\"localhost:1\" is no address:port",
            ),
        ];
        for (change, reason) in cases {
            let mut program = program();
            change(&mut program);
            let refusal = check(&program, None, true).expect_err(reason);
            assert!(refusal.contains(reason), "{refusal:?} does not say {reason:?}");
        }
        assert!(check(&program(), Some("srv"), true).expect_err("relative").contains("root \"srv\""));
        assert!(check(&program(), None, false).expect_err("alone").contains("no lane for the peer"));
    }
}
