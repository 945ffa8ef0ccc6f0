//! Every key of a scenario file besides the fields of operations: the one list that the reader, "did you mean" and the page `scenarios` share.
//!
//! Holds names, how values are written, what holds where a key is not written, and one line about each. Must not read anything.
//! Units: none. Errors: none. Tests: `tests/docs.rs` (each is on the page), `tests/diagnostics.rs` (no other is taken).

/// A key.
#[derive(Debug, Clone, Copy)]
pub struct ScenarioKey {
    /// As it is written.
    pub name: &'static str,
    /// How its value is written.
    pub value: &'static str,
    /// What holds where it is not written; `None`: it must be written.
    pub unsaid: Option<&'static str>,
    /// One line about it.
    pub about: &'static str,
}

/// The keys of one table of the file.
#[derive(Debug, Clone, Copy)]
pub struct ScenarioTable {
    /// As people call it.
    pub head: &'static str,
    /// What is said before its keys.
    pub lead: &'static str,
    /// The keys, in the order of hints.
    pub keys: &'static [ScenarioKey],
}

impl ScenarioTable {
    /// The names of its keys.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.keys.iter().map(|key| key.name).collect()
    }
}

const fn required(name: &'static str, value: &'static str, about: &'static str) -> ScenarioKey {
    ScenarioKey { name, value, unsaid: None, about }
}

const fn optional(
    name: &'static str,
    value: &'static str,
    unsaid: &'static str,
    about: &'static str,
) -> ScenarioKey {
    ScenarioKey { name, value, unsaid: Some(unsaid), about }
}

/// The keys that every step may have beside its operation's fields.
pub const STEP: ScenarioTable = ScenarioTable {
    head: "every step",
    lead: "may also have",
    keys: &[
        optional(
            "verdict",
            "`true` `false`",
            "`false`",
            "true for the one step whose return the cell counts",
        ),
        optional(
            "outcome",
            "`true` `false`",
            "by the operation",
            "whether its label is part of the outcome; without it, its operation and place decide",
        ),
        optional(
            "count",
            "`true` `false`",
            "`false`",
            "true: its label includes the number of bytes, data=14480",
        ),
        optional(
            "within",
            "range of times",
            "no word",
            "a range of times, \"950ms..1100ms\": its label ends with :early or :late if the call took less or more",
        ),
        optional(
            "time",
            "table of ranges",
            "no word",
            "named ranges, { fast = \"0ms..10ms\" }: its label ends with the name, ok:fast, or with :other",
        ),
        optional("may_fail", "`true` `false`", "`false`", "without effect: every failure is an observation"),
    ],
};

/// The keys of a scenario file.
pub const FILE: ScenarioTable = ScenarioTable {
    head: "a scenario file",
    lead: "has the keys",
    keys: &[
        required("title", "text, one line", "what it shows, in one line"),
        optional("about", "text", "empty", "what it shows and why, in as many lines as needed"),
        required(
            "expect",
            "list of outcomes",
            "the outcomes that are not anomalies, [\"readable,data,ECONNRESET\"]",
        ),
        optional("deadline", "duration", "by the waits of its steps", "how long a trial may last, \"3min\""),
        optional(
            "parameters",
            "table",
            "none",
            "what a cell can vary, with defaults: delay = \"5ms\", used as \"${delay}\"",
        ),
        required(
            "lane",
            "tables",
            "[lane.client] and other lanes of the target, [lane.peer]: the steps that they play",
        ),
        optional(
            "peer",
            "a scenario",
            "[lane.peer]",
            "of a program: the peer's lane is that of this scenario, with its parameters: peer = \"rst\"",
        ),
        optional("claims", "list of claim ids", "none", "the claims that it tests, [\"H01\"]"),
        optional(
            "proof",
            "list of counters",
            "none",
            "kernel counters that prove that its fault happened, [\"peer.Tcp.OutRsts\"]",
        ),
        optional(
            "race",
            "`true` `false`",
            "`false`",
            "true: its rates depend on timing, and a difference raises no alert",
        ),
        optional(
            "control",
            "table",
            "not a control",
            "its answer is known before the run: { errno = \"EBADF\", rate = \"1%\" }",
        ),
    ],
};

/// The keys of a lane.
pub const LANE: ScenarioTable = ScenarioTable {
    head: "[lane.NAME]",
    lead: "has the keys",
    keys: &[
        optional(
            "side",
            "`\"target\"` `\"peer\"`",
            "by the lane's name",
            "\"target\" or \"peer\"; without it the lane called peer is on the peer, all others on the target",
        ),
        required(
            "steps",
            "list of steps",
            "[ { op = \"connect\", socket = \"conn\" }, ... ]: one operation each; or `program`, and no steps",
        ),
        optional(
            "expect",
            "list of outcomes",
            "any outcome",
            "of the peer's lane: the outcomes of the peer that are not anomalies",
        ),
    ],
};

/// The keys of a lane that is a program of the user's.
pub const PROGRAM: ScenarioTable = ScenarioTable {
    head: "[lane.NAME] with a program",
    lead: "has, in place of `steps`, the keys",
    keys: &[
        required(
            "program",
            "path, or name",
            "the file that is the client: \"./client3\", or a name that is found on PATH: \"nc\"",
        ),
        optional(
            "arguments",
            "list of texts",
            "none",
            "its arguments; \"{address}\" and \"{port}\" are filled in: those of the peer",
        ),
        optional(
            "environment",
            "table of texts",
            "none",
            "variables over `PATH`, `HOME` and `TZ`: { LANG = \"C\" }; nothing else of your environment is there",
        ),
        optional(
            "directory",
            "path",
            "the folder of this file",
            "where it is started; every path of this lane is seen from there",
        ),
        optional(
            "before",
            "list of commands",
            "none",
            "shell commands that are run once before the first trial of a block, in its place and environment",
        ),
        optional("input", "path", "/dev/null", "the file that is its standard input"),
        optional(
            "with",
            "list of paths",
            "none",
            "files and folders that it needs besides its libraries, which are found: they go into a guest with it",
        ),
        optional(
            "says",
            "regular expression",
            "nothing",
            "what it prints about its verdict call, with the groups `returned`, `errno` or both: 'result=(?<returned>-?\\d+), errno=(?<errno>\\d+)'",
        ),
        optional(
            "verdict",
            "table",
            "the first call that waits for readiness",
            "the call that the cell counts: { call = [\"poll\", \"ppoll\"], nth = 1 }",
        ),
        optional(
            "outcome",
            "list of calls",
            "the calls that receive",
            "the calls behind the verdict call whose labels are part of the outcome",
        ),
        optional(
            "witness",
            "`\"ptrace\"` `\"tracepoint\"` `\"none\"`",
            "`\"ptrace\"`",
            "who records its calls: ptrace(2), the kernel's tracepoints, or nobody",
        ),
        optional(
            "redirect",
            "`\"all\"` `\"none\"`, or list of addresses",
            "`\"all\"`",
            "which of its connect() calls reach the peer whatever address they name: [\"127.0.0.1:8083\"]",
        ),
        optional(
            "network",
            "`\"target\"` `\"own\"`",
            "`\"target\"`",
            "\"own\": each trial has a loopback of its own, and the program brings both ends; there is no peer lane",
        ),
        optional(
            "terminal",
            "`true` `false`",
            "`false`",
            "true: its output is a terminal, so that the C library writes it line by line",
        ),
        optional(
            "inject",
            "table",
            "nothing",
            "a control: its verdict call returns this errno, { errno = \"ENOENT\", rate = \"10%\" }; needs the witness ptrace",
        ),
    ],
};

/// The keys of a program's verdict.
pub const VERDICT: ScenarioTable = ScenarioTable {
    head: "verdict of a program",
    lead: "has the keys",
    keys: &[
        optional(
            "call",
            "list of calls",
            "the calls that wait for readiness",
            "names as the kernel and strace have them: select() of the C library is `select` or `pselect6`",
        ),
        optional(
            "nth",
            "count",
            "1",
            "which of these calls: the first one is 1; those of all its processes and threads are counted",
        ),
    ],
};

/// The keys of a program's injection.
pub const INJECT: ScenarioTable = ScenarioTable {
    head: "inject of a program",
    lead: "has the keys",
    keys: &[
        required("errno", "errno", "what the verdict call returns, in place of its own return"),
        required("rate", "rate", "in which share of the trials"),
    ],
};

/// The keys of a parameter that is a table.
pub const PARAMETER: ScenarioTable = ScenarioTable {
    head: "[parameters.NAME]",
    lead: "has the keys, if it has more than a default",
    keys: &[
        required("default", "one value", "its value unless another one is given"),
        optional("about", "text", "empty", "what it means"),
    ],
};

/// The keys of `control`.
pub const CONTROL: ScenarioTable = ScenarioTable {
    head: "control",
    lead: "has the keys",
    keys: &[
        required("errno", "errno", "the errno that its verdict step returns"),
        required("rate", "rate", "in which share of the trials; 0 is a negative control"),
    ],
};

/// All tables, in the order in which people are told of them.
pub const TABLES: [&ScenarioTable; 8] =
    [&STEP, &FILE, &LANE, &PROGRAM, &VERDICT, &INJECT, &PARAMETER, &CONTROL];
