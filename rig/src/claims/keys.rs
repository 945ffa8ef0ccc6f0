//! The keys of a claim's file: one table for reader, hints and page.
//!
//! Must not know what a key does. Units: none. Errors: none. Tests: `tests.rs` (the reader takes exactly these).

/// Keys of one table of the file, each with its value and its meaning.
pub type Rows = &'static [(&'static str, &'static str, &'static str)];

/// Of the file.
pub const CLAIM: Rows = &[
    ("text", "string", "what is claimed, in at most 100 characters"),
    ("document", "\"000\", \"001\" or \"002\"", "which of the three documents says so; or `source`"),
    ("source", "string", "who says so, in words"),
    ("prediction", "true, false or \"under a condition\"", "what its author expects; no rule reads it"),
    ("note", "string", "what else a reader should know"),
    (
        "part",
        "tables `[[part]]`",
        "what the claim consists of, each decided for itself; none: nothing tests it yet",
    ),
];

/// Of a part.
pub const PART: Rows = &[
    ("text", "string", "what this part says; needed where there are several parts"),
    ("cells", "list of tables", "which cells decide it"),
    ("beside", "list of tables", "which cells are shown with it and decide nothing"),
    ("requires", "list of words", "what a cell, or the run, must show before it may decide"),
    (
        "by_construction",
        "string",
        "what of rig's own makes this finding by its setting, in words: the report says so",
    ),
    ("ends", "table", "rule: how the trials end"),
    ("returns", "table", "rule: how often the verdict call fails with an errno"),
    ("differs", "table", "rule: two selections of cells differ"),
    ("per_trial", "table", "rule: a counter rises so often in each trial, cell by cell"),
    ("order", "table", "rule: how trials end by the TCP state before the verdict call"),
    ("said", "table", "rule: what the kernel returned, what libc held, what the program said"),
    ("takes", "table", "rule: how long the verdict call lasts"),
    ("documented", "table", "rule: no measurement, with the reason"),
];

/// Of a selection of cells.
pub const CELLS: Rows = &[
    (
        "scenario",
        "globs",
        "a name takes the cells of that scenario; a glob those whose scenario names the claim",
    ),
    ("parameters", "table of globs", "values of parameters as scenarios spell them"),
    ("path", "globs", "names of paths"),
    ("configuration", "globs", "names of configurations"),
    ("kernel", "globs", "values of the kernel axis: \"6.1\", \"host\""),
];

/// Of each rule.
pub const RULES: &[(&str, Rows)] = &[
    (
        "ends",
        &[
            ("claimed", "list of patterns", "outcomes that are as claimed"),
            ("otherwise", "list of patterns", "outcomes that contradict the claim"),
            (
                "at_least",
                "share, \"1%\"",
                "the share of the trials that must be as claimed; the claim is refuted where it is surely lower (without it: all but the run's margin, one way or the other)",
            ),
        ],
    ),
    (
        "returns",
        &[
            ("errno", "list of errnos, or \"any\"", "each asked for itself"),
            (
                "at_most",
                "share, \"0.02%\"",
                "the claim is refuted where the rate is surely not higher; the run's margin",
            ),
        ],
    ),
    (
        "differs",
        &[
            ("a", "a selection of cells", "the one side"),
            ("b", "a selection of cells", "the other side"),
            (
                "what",
                "\"rate:ERRNO\", \"rate:ERRNO+ERRNO\", \"rate:any\", \"share:PATTERN\", \"closed-before-call\" or \"latency\"",
                "in what",
            ),
            ("claimed", "\"a-more\", \"b-more\", \"differs\" or \"same\"", "what is claimed of the two"),
            (
                "margin",
                "share, or for latencies a duration",
                "what is within it is the same; the run's margin, of latencies 0",
            ),
            ("least", "whole number", "so many trials must be as `what` says, or nothing is said; 0"),
        ],
    ),
    (
        "per_trial",
        &[
            (
                "counter",
                "\"peer.NAME\", \"target.NAME\", \"witness.to_target\", \"witness.to_peer\" or \"path.NAME\"",
                "what is counted",
            ),
            ("ratio", "number", "how often in each trial"),
            ("tolerance", "share", "in how many trials it may be otherwise; the run's margin"),
            ("or_more", "true or false", "whether more is as claimed, too; false"),
        ],
    ),
    (
        "order",
        &[
            ("when", "TCP state, \"CLOSE\"", "the state before the verdict call"),
            ("claimed", "list of patterns", "outcomes that the claim says follow from it"),
            ("else_claimed", "list of patterns", "the same where the state was another"),
        ],
    ),
    (
        "said",
        &[
            ("kernel", "\"success\", \"failure\" or an errno", "what the verdict call returned"),
            ("libc", "errno", "what libc's errno held after the call"),
            ("localtime", "errno", "what it held after localtime(), or when the program wrote its line"),
            ("program", "errno", "what the user's program said"),
        ],
    ),
    (
        "takes",
        &[
            ("from", "duration", "the verdict call lasts at least so long"),
            ("to", "duration", "and at most so long"),
            ("share", "share", "in so many of the trials; all"),
        ],
    ),
    (
        "documented",
        &[
            ("reason", "string", "why no measurement decides it"),
            ("source", "string", "where it can be read"),
        ],
    ),
];

/// The keys of a table.
pub fn names(rows: Rows) -> Vec<&'static str> {
    rows.iter().map(|(name, ..)| *name).collect()
}
