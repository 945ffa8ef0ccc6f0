//! From the template of a program lane and the values of parameters to what an agent starts; and what only values can make wrong.
//!
//! Must not look at the program itself: `path` and `parts` are filled in where it is packed. Units: as the protocol's.
//! Errors: [`Fault`], which blames whoever gave a parameter its value. Tests: `tests.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rig_protocol::{Errno, FieldKind, Injected, Network, Program, Redirect, Verdict, Witness};

use super::value::{SaysFault, check_says, parse_destination, parse_redirect};
use crate::document::{Span, Wrong};
use crate::script::template::{Placed, ProgramTemplate, RedirectTemplate};

type Values = BTreeMap<String, String>;

/// A value of a parameter with which the program cannot be started or watched as its lane says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::script) struct Fault {
    pub(in crate::script) parameter: String,
    /// Where it is used.
    pub(in crate::script) span: Span,
    pub(in crate::script) message: String,
    pub(in crate::script) label: String,
    pub(in crate::script) help: Option<String>,
}

/// The program with these values.
pub(in crate::script) fn build(template: &ProgramTemplate, values: &Values) -> Program {
    let text = |placed: &Placed| placed.input.text(values);
    let texts = |all: &[Placed]| all.iter().map(text).collect::<Vec<String>>();
    let directory = directory(template, values);
    let name = text(&template.program);
    let path = if name.contains('/') { seen_from(&directory, &name) } else { name.clone() };
    let count = |placed: &Placed, kind| placed.input.json(kind, values).as_u64().unwrap_or_default() as u32;
    let calls = template.calls.as_deref().map_or_else(Program::usual_verdict, texts);
    let any = FieldKind::Count { low: 0, high: u64::MAX };
    Program {
        name,
        path,
        arguments: texts(&template.arguments),
        environment: template.environment.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        before: texts(&template.before),
        input: template.input.as_ref().map(|input| seen_from(&directory, &text(input))),
        directory: directory.display().to_string(),
        says: template.says.as_ref().map(text),
        verdict: Verdict { calls, nth: template.nth.as_ref().map_or(1, |nth| count(nth, any)) },
        outcome: template.outcome.as_deref().map_or_else(Program::usual_outcome, texts),
        witness: witness(template, values),
        redirect: redirect(template, values),
        network: if template.own_network { Network::Own } else { Network::Target },
        terminal: template.terminal,
        inject: template.inject.as_ref().map(|inject| Injected {
            errno: Errno(
                inject.errno.input.json(FieldKind::Errno, values).as_i64().unwrap_or_default() as i32
            ),
            rate_ppm: count(&inject.rate, FieldKind::Rate),
        }),
        parts: Vec::new(),
    }
}

/// Where it is started: an absolute path.
pub(in crate::script) fn directory(template: &ProgramTemplate, values: &Values) -> PathBuf {
    let below = template.directory.as_ref().map(|directory| directory.input.text(values));
    below.map_or_else(|| template.folder.clone(), |below| plain(&template.folder.join(below)))
}

fn seen_from(directory: &Path, path: &str) -> String {
    plain(&directory.join(path)).display().to_string()
}

/// Without the `.` of `./client3` in its middle.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

fn witness(template: &ProgramTemplate, values: &Values) -> Witness {
    let word = template.witness.as_ref().map(|witness| witness.input.text(values));
    let known = |word: &String| Witness::ALL.into_iter().find(|witness| witness.word() == word);
    word.as_ref().and_then(known).unwrap_or_default()
}

fn redirect(template: &ProgramTemplate, values: &Values) -> Redirect {
    // What is none was refused before anything is built for play.
    match &template.redirect {
        None => Redirect::All,
        Some(RedirectTemplate::Word(word)) => parse_redirect(&word.input.text(values)).unwrap_or_default(),
        Some(RedirectTemplate::Only(all)) => {
            let addresses = all.iter().map(|one| parse_destination(&one.input.text(values)));
            Redirect::Only(addresses.filter_map(Result::ok).collect())
        }
    }
}

/// What these values make wrong. What the file itself says was checked when it was read.
pub(in crate::script) fn faults(template: &ProgramTemplate, values: &Values) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |placed: &Placed, what: &str, parse: &dyn Fn(&str) -> Result<(), Wrong>| {
        let Some(parameter) = placed.input.parameter() else { return };
        if let Err(Wrong { label, help }) = parse(&values[parameter]) {
            let message = format!("{what} cannot be `{}`", values[parameter]);
            faults.push(Fault {
                parameter: parameter.to_owned(),
                span: placed.span.clone(),
                message,
                label,
                help,
            });
        }
    };
    let says = |text: &str| {
        let wrong =
            |SaysFault { message, label, help, .. }| Wrong::with_help(format!("{message}: {label}"), help);
        check_says(text).map_err(wrong)
    };
    template.says.iter().for_each(|placed| check(placed, "`says`", &says));
    match &template.redirect {
        None => {}
        Some(RedirectTemplate::Word(word)) => {
            check(word, "`redirect`", &|text| parse_redirect(text).map(drop));
        }
        Some(RedirectTemplate::Only(all)) => {
            all.iter().for_each(|one| {
                check(one, "an address of `redirect`", &|text| parse_destination(text).map(drop))
            });
        }
    }
    if template.inject.is_some()
        && let Some(placed) = &template.witness
    {
        check(placed, "with `inject` the `witness`", &|word| {
            let help =
                "only ptrace(2) can change what a call returns: leave `inject` out, or the witness as it is";
            if word == Witness::Ptrace.word() { Ok(()) } else { Err(Wrong::with_help("cannot inject", help)) }
        });
    }
    check(&template.program, "`program`", &|name| {
        let help = "give its path, or a name that is found on PATH";
        if name.trim().is_empty() { Err(Wrong::with_help("no program", help)) } else { Ok(()) }
    });
    faults
}
