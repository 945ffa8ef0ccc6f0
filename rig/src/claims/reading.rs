//! Reads the table of a rule.
//!
//! Holds the keys of each rule, one function each. Must not know parts and claims. Units: shares of 1, nanoseconds.
//! Errors: findings of the file. Tests: `tests.rs`, `tests/diagnostics.rs`.

use rig_protocol::{Errno, TcpState, matches_outcome};

use super::keys::{RULES, names};
use super::rule::{Counter, Differs, Direction, Ends, Order, PerTrial, Returns, Rule, Said, Takes, What};
use super::selection::selection;
use crate::document::{Findings, Node, Table, Value, Wrong, hint, parse_duration};
use crate::script::{parse_errno, parse_rate};

/// The rule whose key and table these are.
pub(super) fn rule(name: &str, node: &Node, findings: &mut Findings) -> Option<Rule> {
    let what = format!("rule `{name}`");
    let table = findings.table(node, &what)?;
    let keys = RULES.iter().find(|(rule, _)| *rule == name).map(|(_, rows)| names(rows)).unwrap_or_default();
    findings.refuse_unknown_keys(table, &what, &keys);
    let mut of = Of { node, table, findings, what };
    match name {
        "ends" => of.ends().map(Rule::Ends),
        "returns" => of.returns().map(Rule::Returns),
        "differs" => of.differs().map(|differs| Rule::Differs(Box::new(differs))),
        "per_trial" => of.per_trial().map(Rule::PerTrial),
        "order" => of.order().map(Rule::Order),
        "said" => of.said().map(Rule::Said),
        "takes" => of.takes().map(Rule::Takes),
        "documented" => {
            let (reason, source) =
                (of.needed("reason", "`reason = \"...\"`"), of.needed("source", "`source = \"...\"`"));
            Some(Rule::Documented { reason: reason?, source: source? })
        }
        _ => None,
    }
}

/// The table of one rule.
struct Of<'a> {
    node: &'a Node,
    table: &'a Table,
    findings: &'a mut Findings,
    what: String,
}

impl<'a> Of<'a> {
    fn get(&self, key: &str) -> Option<&'a Node> {
        self.table.get(key)
    }

    fn missing(&mut self, key: &str, example: &str) {
        let what = self.what.clone();
        self.findings.missing(self.node.span.clone(), &what, key, example);
    }

    fn string(&mut self, key: &str) -> Option<&'a str> {
        let node = self.get(key)?;
        self.findings.string(node, &format!("`{key}`"))
    }

    fn needed(&mut self, key: &str, example: &str) -> Option<String> {
        if self.get(key).is_none() {
            self.missing(key, example);
        }
        self.string(key).map(str::to_owned)
    }

    /// What a text of the file means.
    fn parsed<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let node = self.get(key)?;
        let text = self.findings.string(node, &format!("`{key}`"))?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(Wrong { label, help }) => {
                self.findings.report(node.span.clone(), format!("`{key}` is wrong"), label).maybe_help(help);
                None
            }
        }
    }

    fn share(&mut self, key: &str) -> Option<f64> {
        self.parsed(key, parse_rate).map(|ppm| f64::from(ppm) / 1e6)
    }

    /// A share that trials can show: of "always" and "never" no number of them shows that it holds.
    fn shown_share(&mut self, key: &str, instead: &str) -> Option<f64> {
        let share = self.share(key)?;
        if share > 0.0 && share < 1.0 {
            return Some(share);
        }
        let place = self.get(key)?.span.clone();
        self.findings
            .report(place, format!("`{key}` is wrong"), "no number of trials shows this")
            .help(format!("write a share that some can show: `{key} = \"{instead}\"`"));
        None
    }

    fn errno(&mut self, key: &str) -> Option<Errno> {
        self.parsed(key, parse_errno)
    }

    fn word<T: Copy>(&mut self, key: &str, known: &[(T, &'static str)]) -> Option<T> {
        let words: Vec<&str> = known.iter().map(|(_, word)| *word).collect();
        self.parsed(key, |word| {
            let found = known.iter().find(|(_, known)| *known == word).map(|(value, _)| *value);
            found.ok_or_else(|| {
                Wrong::with_help("not one of the words", hint(word, words.clone(), "there are"))
            })
        })
    }

    /// Patterns of outcomes, one at least.
    fn patterns(&mut self, key: &str) -> Option<Vec<String>> {
        let Some(node) = self.get(key) else {
            self.missing(key, &format!("`{key} = [\"readable,data,**\"]`"));
            return None;
        };
        let all = self.findings.strings(node, &format!("`{key}`"))?;
        if all.is_empty() {
            let label = "no outcome can fit";
            self.findings.report(node.span.clone(), format!("`{key}` has no pattern"), label);
            return None;
        }
        for (pattern, span) in &all {
            if pattern.split(',').any(|label| label.is_empty() || label.trim() != label) {
                self.findings
                    .report(
                        span.clone(),
                        format!("`{pattern}` is not a pattern of outcomes"),
                        "a label is empty, or has spaces",
                    )
                    .help("labels are joined by commas without spaces: \"readable,data,ECONNRESET\"");
            }
        }
        Some(all.into_iter().map(|(pattern, _)| pattern).collect())
    }

    fn ends(&mut self) -> Option<Ends> {
        let (claimed, otherwise) = (self.patterns("claimed"), self.patterns("otherwise"));
        let (claimed, otherwise) = (claimed?, otherwise?);
        if let Some(both) = claimed.iter().find(|pattern| otherwise.contains(pattern)) {
            let message = format!("`{both}` is as claimed, and otherwise");
            self.findings.report(self.node.span.clone(), message, "one of the two");
        } else if let Some((wide, narrow)) = covered(&claimed, &otherwise) {
            let message =
                format!("`{wide}` of `claimed` has every outcome that `{narrow}` of `otherwise` has");
            self.findings
                .report(self.node.span.clone(), message, "nothing can contradict the claim by it")
                .help(
                    "an outcome that is as claimed contradicts nothing: write narrower patterns in `claimed`",
                );
        }
        Some(Ends { claimed, otherwise, at_least: self.shown_share("at_least", "99.9%") })
    }

    fn returns(&mut self) -> Option<Returns> {
        let Some(node) = self.get("errno") else {
            self.missing("errno", "`errno = [\"ENOENT\"]`, or `errno = \"any\"`");
            return None;
        };
        let at_most = self.shown_share("at_most", "0.1%");
        if matches!(&node.value, Value::String(word) if word == "any") {
            return Some(Returns { errnos: Vec::new(), at_most });
        }
        let (mut errnos, names) = (Vec::new(), self.findings.strings(node, "`errno`")?);
        let none = names.is_empty();
        for (name, span) in names {
            match parse_errno(&name) {
                Ok(errno) => errnos.push(errno),
                Err(Wrong { label, help }) => {
                    self.findings.report(span, format!("`{name}` is not an errno"), label).maybe_help(help);
                }
            }
        }
        if none {
            self.findings
                .report(node.span.clone(), "`errno` names none", "empty")
                .help("write `errno = \"any\"` for all of them");
        }
        Some(Returns { errnos, at_most })
    }

    fn differs(&mut self) -> Option<Differs> {
        let mut side = |key: &str| match self.get(key) {
            Some(node) => selection(node, self.findings, &format!("`{key}` of `differs`")),
            None => {
                self.missing(key, &format!("`{key} = {{ scenario = \"rst\", kernel = \"host\" }}`"));
                None
            }
        };
        let (a, b) = (side("a"), side("b"));
        for (key, example) in [("what", "`what = \"rate:any\"`"), ("claimed", "`claimed = \"a-more\"`")] {
            if self.get(key).is_none() {
                self.missing(key, example);
            }
        }
        let what = self.parsed("what", what_differs);
        let claimed = self.word("claimed", &Direction::ALL);
        let margin = match &what {
            Some(What::Latency) => self.parsed("margin", parse_duration).map(|time| time.as_nanos() as f64),
            _ => self.share("margin"),
        };
        let least = self.get("least").and_then(|node| self.findings.count(node, "`least`", &(1..=1_000_000)));
        Some(Differs { a: a?, b: b?, what: what?, claimed: claimed?, margin, least: least.unwrap_or(0) })
    }

    fn per_trial(&mut self) -> Option<PerTrial> {
        self.get("counter").is_none().then(|| self.missing("counter", "`counter = \"witness.to_target\"`"));
        let counter = self.parsed("counter", |name| {
            let help = "`peer.Tcp.OutRsts`, `target.TcpExt.TCPAbortOnData`, `witness.to_target`, `witness.to_peer`, `path.firewall.expired`";
            Counter::of(name).ok_or_else(|| Wrong::with_help("nobody counts this", help))
        });
        let ratio = match self.get("ratio").map(|node| (&node.value, node)) {
            Some((Value::Integer(Some(whole)), _)) if *whole >= 0 => Some(*whole as f64),
            Some((Value::Float(number), _)) if *number >= 0.0 && number.is_finite() => Some(*number),
            Some((_, node)) => {
                self.findings.report(node.span.clone(), "`ratio` is wrong", "must be a number, 0 or more");
                None
            }
            None => {
                self.missing("ratio", "`ratio = 1`");
                None
            }
        };
        let tolerance = self.share("tolerance").unwrap_or(0.0);
        let or_more =
            self.get("or_more").and_then(|node| self.findings.boolean(node, "`or_more`")).unwrap_or(false);
        Some(PerTrial { counter: counter?, ratio: ratio?, tolerance, or_more })
    }

    fn order(&mut self) -> Option<Order> {
        self.get("when").is_none().then(|| self.missing("when", "`when = \"CLOSE\"`"));
        let when = self.parsed("when", |word| {
            let names: Vec<&str> = (1..=12).map(|state| TcpState(state).name()).collect();
            let found = (1..=12).map(TcpState).find(|state| state.name() == word);
            found.ok_or_else(|| Wrong::with_help("not a TCP state", hint(word, names, "the states")))
        });
        let (claimed, else_claimed) = (self.patterns("claimed"), self.patterns("else_claimed"));
        Some(Order { when: when?, claimed: claimed?, else_claimed: else_claimed? })
    }

    fn said(&mut self) -> Option<Said> {
        let kernel = self.parsed("kernel", |word| match word {
            "success" | "failure" => Ok(word.to_owned()),
            name => parse_errno(name).map(|_| name.to_owned()),
        });
        let said = Said {
            kernel,
            libc: self.errno("libc"),
            localtime: self.errno("localtime"),
            program: self.errno("program"),
        };
        if said.libc.is_none() && said.localtime.is_none() && said.program.is_none() {
            self.missing("libc", "`libc`, `localtime` or `program`: which errno was held, or said");
            return None;
        }
        Some(said)
    }

    fn takes(&mut self) -> Option<Takes> {
        for (key, example) in [("from", "`from = \"2s\"`"), ("to", "`to = \"4s\"`")] {
            if self.get(key).is_none() {
                self.missing(key, example);
            }
        }
        let ns = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (from, to) =
            (self.parsed("from", parse_duration).map(ns), self.parsed("to", parse_duration).map(ns));
        let share = self.share("share");
        let (from_ns, to_ns) = (from?, to?);
        if from_ns >= to_ns {
            let message = "`takes` ends before it begins";
            self.findings.report(self.node.span.clone(), message, "`from` must be shorter than `to`");
        }
        Some(Takes { from_ns, to_ns, share })
    }
}

fn what_differs(word: &str) -> Result<What, Wrong> {
    let there_are = "there are `rate:EBADF`, `rate:EBADF+ENOENT`, `rate:any`, `share:PATTERN`, `closed-before-call` and `latency`";
    match (word, word.split_once(':')) {
        ("closed-before-call", _) => Ok(What::ClosedBeforeCall),
        ("latency", _) => Ok(What::Latency),
        (_, Some(("rate", "any"))) => Ok(What::Rate(Vec::new())),
        (_, Some(("rate", errnos))) => {
            errnos.split('+').map(parse_errno).collect::<Result<_, _>>().map(What::Rate)
        }
        (_, Some(("share", pattern))) if !pattern.is_empty() => Ok(What::Share(pattern.to_owned())),
        _ => Err(Wrong::with_help("not something that is compared", there_are)),
    }
}

/// A pattern of the first list that takes all that one of the second could: `**` stands for any rest, and `*` for one label, not for a rest.
fn covered<'p>(claimed: &'p [String], otherwise: &'p [String]) -> Option<(&'p String, &'p String)> {
    let rest = |pattern: &str| pattern.split(',').next_back() == Some("**");
    let takes = |wide: &str, narrow: &str| matches_outcome(wide, narrow) && (rest(wide) || !rest(narrow));
    claimed.iter().find_map(|wide| Some((wide, otherwise.iter().find(|narrow| takes(wide, narrow))?)))
}
