//! From the table of a program lane to its template: keys and types. What they mean together is `check`'s matter.
//!
//! The keys are those of `keys`. Must not look at the program itself. Units: none. Errors: findings that blame the scenario file.
//! Tests: `tests/diagnostics.rs`.

use rig_protocol::{FieldKind, Witness};

use super::value::{SaysFault, call_names, check_says, parse_call, parse_destination, parse_redirect};
use crate::document::{Node, Span, Table, Value, Wrong};
use crate::script::keys;
use crate::script::reader::ScenarioReader;
use crate::script::template::{InjectTemplate, Input, Placed, ProgramTemplate, RedirectTemplate};

/// The words for a witness.
const WITNESSES: FieldKind = FieldKind::Choice(&{
    let all = Witness::ALL;
    [all[0].word(), all[1].word(), all[2].word()]
});

/// A verdict call is this one of its kind.
const NTH: FieldKind = FieldKind::Count { low: 1, high: 1_000_000 };

impl ScenarioReader {
    /// The lane `what`, which has the key `program`.
    pub(in crate::script) fn program_lane(
        &mut self,
        table: &Table,
        (lane, what): (&str, &str),
    ) -> Option<ProgramTemplate> {
        let mut known = keys::PROGRAM.names();
        known.push("side");
        // Said as what they are, by `lane`.
        known.extend(["steps", "expect"]);
        let what = format!("{what}, which is a program");
        self.findings.refuse_unknown_keys(table, &what, &known);
        let program = self.text(table, "program").filter(|program| self.is_name(program));
        let (calls, nth) = self.verdict(table);
        let template = ProgramTemplate {
            lane: lane.to_owned(),
            source: self.source.clone(),
            folder: self.folder.clone(),
            directory: self.text(table, "directory"),
            arguments: self.texts(table, "arguments"),
            environment: self.environment(table),
            before: self.texts(table, "before"),
            input: self.text(table, "input"),
            with: self.texts(table, "with"),
            says: self.says(table),
            calls,
            nth,
            outcome: table.get("outcome").map(|node| self.calls(node, "`outcome`")),
            witness: self.single(table, "witness", WITNESSES),
            redirect: self.redirect(table),
            own_network: self.own_network(table),
            terminal: table
                .get("terminal")
                .and_then(|node| self.findings.boolean(node, "`terminal`"))
                .unwrap_or(false),
            inject: self.inject(table),
            program: program?,
        };
        Some(template)
    }

    /// One value, which may be a parameter's.
    fn single(&mut self, table: &Table, key: &str, kind: FieldKind) -> Option<Placed> {
        let node = table.get(key)?;
        let input = self.input(kind, node, &format!("`{key}`"))?;
        Some(Placed { input, span: node.span.clone() })
    }

    fn text(&mut self, table: &Table, key: &str) -> Option<Placed> {
        self.single(table, key, FieldKind::Text).filter(|text| self.is_c_string(text, key))
    }

    fn texts(&mut self, table: &Table, key: &str) -> Vec<Placed> {
        let what = format!("`{key}`");
        let Some(items) = table.get(key).and_then(|node| self.findings.list(node, &what)) else {
            return Vec::new();
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let input = self.input(FieldKind::Text, item, &format!("each value of {what}"));
            let placed = input.map(|input| Placed { input, span: item.span.clone() });
            texts.extend(placed.filter(|text| self.is_c_string(text, key)));
        }
        texts
    }

    /// Whether execve(2) can pass it on.
    fn is_c_string(&mut self, text: &Placed, key: &str) -> bool {
        let sound = !matches!(&text.input, Input::Given(json) if json.as_str().is_some_and(|text| text.contains('\0')));
        if !sound {
            self.findings
                .report(text.span.clone(), format!("`{key}` has a NUL byte"), "no program can be given it")
                .help("a NUL ends every text that a program is started with");
        }
        sound
    }

    fn is_name(&mut self, program: &Placed) -> bool {
        let empty = matches!(&program.input, Input::Given(json) if json.as_str().is_some_and(|text| text.trim().is_empty()));
        if empty {
            self.findings
                .report(program.span.clone(), "`program` is empty", "no program")
                .help("give its path, \"./client3\", or a name that is found on PATH, \"nc\"");
        }
        !empty
    }

    fn environment(&mut self, table: &Table) -> Vec<(String, Placed)> {
        let Some(given) =
            table.get("environment").and_then(|node| self.findings.table(node, "`environment`"))
        else {
            return Vec::new();
        };
        let mut variables = Vec::with_capacity(given.entries.len());
        for (key, _) in &given.entries {
            if key.name.is_empty() || key.name.contains(['=', '\0']) {
                self.findings
                    .report(key.span.clone(), "this cannot be the name of a variable", "not a name")
                    .help("a name of environ(7) has neither `=` nor a NUL, and at least one letter");
                continue;
            }
            variables.extend(self.text(given, &key.name).map(|value| (key.name.clone(), value)));
        }
        variables
    }

    fn verdict(&mut self, table: &Table) -> (Option<Vec<Placed>>, Option<Placed>) {
        let Some(verdict) = table.get("verdict").and_then(|node| self.findings.table(node, "`verdict`"))
        else {
            return (None, None);
        };
        self.findings.refuse_unknown_keys(verdict, keys::VERDICT.head, &keys::VERDICT.names());
        let calls = verdict.get("call").map(|node| {
            let before = self.findings.len();
            let calls = self.calls(node, "`call`");
            if calls.is_empty() && self.findings.len() == before {
                self.findings.report(node.span.clone(), "`call` is empty", "no call is the verdict").help(
                    "name at least one, or leave `call` out: then it is the first that waits for readiness",
                );
            }
            calls
        });
        (calls, self.single(verdict, "nth", NTH))
    }

    /// One call, or a list of calls.
    fn calls(&mut self, node: &Node, what: &str) -> Vec<Placed> {
        let items = match &node.value {
            Value::Array(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let mut calls = Vec::with_capacity(items.len());
        for item in items {
            let text = item.value.as_text().filter(|text| !text.contains("${"));
            if let Some(Err(Wrong { label, help })) = text.map(parse_call) {
                let name = text.unwrap_or_default();
                self.findings
                    .report(item.span.clone(), format!("no call `{name}` is watched"), label)
                    .maybe_help(help);
                continue;
            }
            let input = self.input(FieldKind::Choice(call_names()), item, &format!("each call of {what}"));
            calls.extend(input.map(|input| Placed { input, span: item.span.clone() }));
        }
        calls
    }

    fn says(&mut self, table: &Table) -> Option<Placed> {
        let says = self.text(table, "says")?;
        if let Input::Given(json) = &says.input
            && let text = json.as_str().unwrap_or_default()
            && let Err(SaysFault { message, label, help, at }) = check_says(text)
        {
            let span = at.and_then(|at| self.inside(&says.span, text, at)).unwrap_or(says.span.clone());
            self.findings.report(span, message, label).help(help);
        }
        Some(says)
    }

    /// The place of a byte of a string's value, where the file spells it without escapes.
    fn inside(&self, span: &Span, value: &str, at: usize) -> Option<Span> {
        let spelled = self.source.inner().get(span.clone())?;
        let begin = span.start + spelled.find(value)?;
        Some(begin + at..span.end.min(begin + value.len()).max(begin + at))
    }

    fn redirect(&mut self, table: &Table) -> Option<RedirectTemplate> {
        let node = table.get("redirect")?;
        let Value::Array(items) = &node.value else {
            let word = self.single(table, "redirect", FieldKind::Text)?;
            self.admits(&word, "`redirect`", |text| parse_redirect(text).map(drop));
            return Some(RedirectTemplate::Word(word));
        };
        let mut only = Vec::with_capacity(items.len());
        for item in items {
            let input = self.input(FieldKind::Text, item, "each value of `redirect`")?;
            let placed = Placed { input, span: item.span.clone() };
            self.admits(&placed, "an address of `redirect`", |text| parse_destination(text).map(drop));
            only.push(placed);
        }
        if only.is_empty() {
            self.findings
                .report(node.span.clone(), "`redirect` is empty", "no address")
                .help("name the addresses whose connections are led to the peer, or write \"none\"");
        }
        Some(RedirectTemplate::Only(only))
    }

    /// Reports a given text that is not what it must be.
    fn admits(&mut self, text: &Placed, what: &str, parse: impl Fn(&str) -> Result<(), Wrong>) {
        if let Input::Given(json) = &text.input
            && let Err(Wrong { label, help }) = parse(json.as_str().unwrap_or_default())
        {
            self.findings.report(text.span.clone(), format!("{what} is wrong"), label).maybe_help(help);
        }
    }

    /// It decides whether there is a peer lane, so it is no parameter's.
    fn own_network(&mut self, table: &Table) -> bool {
        let Some(node) = table.get("network") else { return false };
        if node.value.as_text().is_some_and(|text| text.contains("${")) {
            self.findings
                .report(
                    node.span.clone(),
                    "`network` cannot be a parameter",
                    "decides whether there is a peer lane",
                )
                .help("a parameter can vary a value, not the shape of the script; write a second scenario");
            return false;
        }
        let words = FieldKind::Choice(&["target", "own"]);
        let word = self.single(table, "network", words);
        word.is_some_and(|word| matches!(word.input, Input::Given(json) if json == "own"))
    }

    fn inject(&mut self, table: &Table) -> Option<InjectTemplate> {
        let (key, node) = table.entry("inject")?;
        let inject = self.findings.table(node, "`inject`")?;
        self.findings.refuse_unknown_keys(inject, keys::INJECT.head, &keys::INJECT.names());
        for (name, example) in [("errno", "errno = \"ENOENT\""), ("rate", "rate = \"10%\"")] {
            if inject.get(name).is_none() {
                self.findings.missing(node.span.clone(), "`inject`", name, example);
            }
        }
        let errno = self.single(inject, "errno", FieldKind::Errno);
        let rate = self.single(inject, "rate", FieldKind::Rate);
        Some(InjectTemplate { span: key.span.clone(), errno: errno?, rate: rate? })
    }
}
