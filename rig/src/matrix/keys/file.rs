//! Keys of the matrix file itself and of its tables, but for `[configuration.NAME]` and `[path.NAME]`.
//!
//! Must not read anything. Units: trials, blocks; times as they are written.
//! Errors: none. Tests: `keys/tests.rs`.

use super::row::{KeyRow, KeyTable, Unsaid, ValueKind};

/// A cell has at most this many trials: the counts of a run stay far from 64 bits, and a slip of a digit is seen.
pub const MOST_TRIALS: u64 = 100_000_000;

/// The count of trials of a cell or of a control.
const TRIAL_COUNT: ValueKind = ValueKind::Count { least: 1, most: MOST_TRIALS, unit: "trials" };

/// The count of blocks of a cell or of a control.
const BLOCK_COUNT: ValueKind = ValueKind::Count { least: 1, most: 1_000, unit: "blocks" };

pub(in crate::matrix) const TRIALS: KeyRow = KeyRow {
    name: "trials",
    kind: TRIAL_COUNT,
    unsaid: Unsaid::Count(2_000),
    about: "trials of a cell over all its blocks",
};

pub(in crate::matrix) const BLOCKS: KeyRow = KeyRow {
    name: "blocks",
    kind: BLOCK_COUNT,
    unsaid: Unsaid::Count(5),
    about: "blocks of a cell: each has a fresh network; blocks of several cells may share a boot of a guest",
};

pub(in crate::matrix) const IN_FLIGHT: KeyRow = KeyRow {
    name: "in_flight",
    kind: ValueKind::Count { least: 1, most: 20_000, unit: "trials" },
    unsaid: Unsaid::Means("computed from the scenario's waits"),
    about: "trials under way at once",
};

/// A key of configurations, scenarios and includes.
pub(in crate::matrix) const KNOWN: KeyRow = KeyRow {
    name: "known",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("nothing is known"),
    about: "why trials are known to end otherwise than their scenario expects: the report shows it, and raises no alert",
};

/// Keys that change how much a cell is run.
pub(in crate::matrix) const SIZES: &[KeyRow] = &[TRIALS, BLOCKS, IN_FLIGHT];

const fn or(row: KeyRow, unsaid: &'static str) -> KeyRow {
    KeyRow { unsaid: Unsaid::Means(unsaid), ..row }
}

/// The same, where they change what `[run]` says.
const OWN_SIZES: &[KeyRow] =
    &[or(TRIALS, "as in `[run]`"), or(BLOCKS, "as in `[run]`"), or(IN_FLIGHT, "as in `[run]`")];

/// The same of a control.
const CONTROL_SIZES: &[KeyRow] = &[
    or(TRIALS, "`control_trials` of `[run]`"),
    or(BLOCKS, "`control_blocks` of `[run]`"),
    or(IN_FLIGHT, "as in `[run]`"),
];

pub(in crate::matrix) const CONTROL_TRIALS: KeyRow = KeyRow {
    name: "control_trials",
    kind: TRIAL_COUNT,
    unsaid: Unsaid::Count(1_000),
    about: "trials of a control over all its blocks",
};

pub(in crate::matrix) const CONTROL_BLOCKS: KeyRow = KeyRow {
    name: "control_blocks",
    kind: BLOCK_COUNT,
    unsaid: Unsaid::Count(1),
    about: "blocks of a control",
};

pub(in crate::matrix) const CONFIDENCE: KeyRow = KeyRow {
    name: "confidence",
    kind: ValueKind::Fraction,
    unsaid: Unsaid::Fraction(0.95),
    about: "confidence of every interval",
};

pub(in crate::matrix) const MARGIN: KeyRow = KeyRow {
    name: "margin",
    kind: ValueKind::Fraction,
    unsaid: Unsaid::Fraction(0.005),
    about: "two rates that differ by less count as the same",
};

pub(in crate::matrix) const MARGINS: KeyRow = KeyRow {
    name: "margins",
    kind: ValueKind::Table,
    unsaid: Unsaid::Means("`margin` for every errno"),
    about: "margins of single errnos; a profile replaces those that it names",
};

pub(in crate::matrix) const ICC: KeyRow = KeyRow {
    name: "icc",
    kind: ValueKind::Fraction,
    unsaid: Unsaid::Fraction(0.001),
    about: "how alike two trials of one block are, more than two of different blocks: the intraclass correlation that is assumed where nothing was seen",
};

pub(in crate::matrix) const STOP: KeyRow = KeyRow {
    name: "stop",
    kind: ValueKind::Table,
    unsaid: Unsaid::Means("every cell plays all its blocks"),
    about: "a rule by which a cell stops before its last block; `trials` and `blocks` are then the most that it plays; a profile replaces it, `{}` takes it away",
};

pub(in crate::matrix) const STOP_ERRNO: KeyRow = KeyRow {
    name: "errno",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("`any_error`; for `decided` EBADF, ENOENT and any errno, each"),
    about: "the errno by which the rule goes: its name, or `any_error`",
};

pub(in crate::matrix) const STOP_BELOW: KeyRow = KeyRow {
    name: "below",
    kind: ValueKind::Fraction,
    unsaid: Unsaid::Means("another rule"),
    about: "stop once the errno is shown in fewer than this share of trials",
};

pub(in crate::matrix) const STOP_WIDTH: KeyRow = KeyRow {
    name: "width",
    kind: ValueKind::Fraction,
    unsaid: Unsaid::Means("another rule"),
    about: "stop once the interval of its share is as narrow as this",
};

pub(in crate::matrix) const STOP_DECIDED: KeyRow = KeyRow {
    name: "decided",
    kind: ValueKind::Flag,
    unsaid: Unsaid::Flag(false),
    about: "stop once the cell is shown to differ from its bare-metal cell (and from that on the `baseline`), or to be the same within the margin; the bare-metal cell stops last",
};

pub(in crate::matrix) const RUN_STOP: KeyTable = KeyTable {
    head: "[run.stop]",
    parts: &[&[STOP_ERRNO, STOP_BELOW, STOP_WIDTH, STOP_DECIDED]],
    more: None,
    about: "when a cell needs no further block: one of `below`, `width` and `decided`; looking after every block costs no confidence",
};

pub(in crate::matrix) const TOLERANCE: KeyRow = KeyRow {
    name: "tolerance",
    kind: ValueKind::Fraction,
    unsaid: Unsaid::Fraction(0.005),
    about: "the share of a cell's trials that may end as its scenario does not expect",
};

pub(in crate::matrix) const RETRIES: KeyRow = KeyRow {
    name: "retries",
    kind: ValueKind::Count { least: 0, most: 20, unit: "times" },
    unsaid: Unsaid::Count(2),
    about: "how often a void block is tried again",
};

pub(in crate::matrix) const BLOCK_DEADLINE: KeyRow = KeyRow {
    name: "block_deadline",
    kind: ValueKind::Time,
    unsaid: Unsaid::Seconds(300),
    about: "a block that lasts longer, boot included, is void",
};

pub(in crate::matrix) const AA_PAIR: KeyRow = KeyRow {
    name: "aa_pair",
    kind: ValueKind::Flag,
    unsaid: Unsaid::Flag(true),
    about: "whether one cell of the first guest is played twice: if the two differ, no comparison counts",
};

pub(in crate::matrix) const BASELINE: KeyRow = KeyRow {
    name: "baseline",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("guests are compared with bare metal only"),
    about: "`kernel:` and a value of the kernel axis: cells on the other kernels are also compared with the cell that differs in the kernel only",
};

/// Keys of `[run]` and of a profile besides [`SIZES`].
pub(in crate::matrix) const CONDUCT: &[KeyRow] = &[
    CONTROL_TRIALS,
    CONTROL_BLOCKS,
    CONFIDENCE,
    MARGIN,
    MARGINS,
    ICC,
    STOP,
    TOLERANCE,
    RETRIES,
    BLOCK_DEADLINE,
    AA_PAIR,
    BASELINE,
];

pub(in crate::matrix) const DEFAULT_PROFILE: KeyRow = KeyRow {
    name: "profile",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("the file without a profile"),
    about: "the profile of a run whose command line names none",
};

pub(in crate::matrix) const RUN: KeyTable = KeyTable {
    head: "[run]",
    parts: &[&[DEFAULT_PROFILE], SIZES, CONDUCT],
    more: None,
    about: "how much is run, how it is carried out and judged",
};

const SCENARIO: &str =
    "scenarios: shipped ones by name, pairs of the atlas (`after-rst:*`), your own by path";
const CONFIGURATIONS: &str = "configurations of this file";
const KERNELS: &str =
    "kernels of guests: names of images, exact versions like `6.12.95`, or paths like `./linux`";
const PATHS: &str = "paths of this file";

/// The axis that names scenarios.
pub(in crate::matrix) const SCENARIO_AXIS: &str = "scenario";

/// The axis of which a matrix of the host alone needs no value.
pub(in crate::matrix) const KERNEL_AXIS: &str = "kernel";

/// A value of it that could be added.
pub(in crate::matrix) const KERNEL_EXAMPLE: &str = "kernel = [\"6.1\"]";

const fn axis(name: &'static str, about: &'static str, unsaid: Unsaid) -> KeyRow {
    KeyRow { name, kind: ValueKind::Values, unsaid, about }
}

/// The axes that a matrix crosses, in the order of its product.
pub(in crate::matrix) const AXIS_ROWS: &[KeyRow] = &[
    axis(SCENARIO_AXIS, SCENARIO, Unsaid::Required { example: "scenario = [\"rst\"]" }),
    axis(
        "configuration",
        CONFIGURATIONS,
        Unsaid::Required { example: "configuration = [\"bare-metal\", \"virtio-tap\"]" },
    ),
    axis(KERNEL_AXIS, KERNELS, Unsaid::Means("no guest is run: every configuration is the host")),
    axis("path", PATHS, Unsaid::Required { example: "path = [\"direct\"]" }),
];

pub(in crate::matrix) const AXES: KeyTable = KeyTable {
    head: "[axes]",
    parts: &[AXIS_ROWS],
    more: None,
    about: "every value of each axis is combined with every value of the others; a profile that names an axis replaces it",
};

pub(in crate::matrix) const SCENARIO_KEYS: KeyTable = KeyTable {
    head: "[scenario.NAME]",
    parts: &[OWN_SIZES, &[KNOWN]],
    more: Some("each parameter of the scenario, with one value or a list"),
    about: "parameters and sizes of one scenario; missing sizes are those of [run]",
};

const OF_AXES: Unsaid = Unsaid::Means("the values of [axes]");

const EVERY: Unsaid = Unsaid::Means("every value");

pub(in crate::matrix) const INCLUDE: KeyTable = KeyTable {
    head: "[[include]]",
    parts: &[
        &[
            axis("scenario", SCENARIO, Unsaid::Required { example: "scenario = \"rst\"" }),
            axis("configuration", CONFIGURATIONS, OF_AXES),
            axis("kernel", KERNELS, OF_AXES),
            axis("path", PATHS, OF_AXES),
        ],
        OWN_SIZES,
        &[KNOWN],
    ],
    more: Some("each parameter of its scenarios, with one value or a list"),
    about: "a second product, besides that of [axes]",
};

pub(in crate::matrix) const EXCLUDE: KeyTable = KeyTable {
    head: "[[exclude]]",
    parts: &[&[
        axis("scenario", SCENARIO, EVERY),
        axis("configuration", CONFIGURATIONS, EVERY),
        axis("kernel", KERNELS, EVERY),
        axis("path", PATHS, EVERY),
    ]],
    more: Some("each parameter of a scenario, with values or globs"),
    about: "cells that match every key are left out; at least one key must be written",
};

pub(in crate::matrix) const CONTROLS: KeyRow = KeyRow {
    name: "controls",
    kind: ValueKind::Values,
    unsaid: Unsaid::Means("all controls of the file"),
    about: "the controls that the profile plays",
};

pub(in crate::matrix) const PROFILE: KeyTable = KeyTable {
    head: "[profile.NAME]",
    parts: &[LAYER, &[CONTROLS], OWN_SIZES, CONDUCT],
    more: None,
    about: "its values replace those of the file; a key that it does not have keeps the file's value",
};

pub(in crate::matrix) const CONTROL_SCENARIO: KeyRow = KeyRow {
    name: "scenario",
    kind: ValueKind::Text,
    unsaid: Unsaid::Required { example: "scenario = \"control-closed-descriptor\"" },
    about: "a scenario whose answer is known",
};

pub(in crate::matrix) const CONTROL_PARAMETERS: KeyRow = KeyRow {
    name: "parameters",
    kind: ValueKind::Table,
    unsaid: Unsaid::Means("the defaults of the scenario"),
    about: "values of the scenario's parameters, one each",
};

pub(in crate::matrix) const CONTROL: KeyTable = KeyTable {
    head: "[control.NAME]",
    parts: &[&[CONTROL_SCENARIO, CONTROL_PARAMETERS], CONTROL_SIZES],
    more: None,
    about: "played once on every machine that a cell is on (configurations that differ only in localtime and timezone are one machine); missing sizes are those of controls in [run]",
};

pub(in crate::matrix) const ANY_ERROR: KeyRow = KeyRow {
    name: "any_error",
    kind: ValueKind::Rate,
    unsaid: Unsaid::Means("no threshold"),
    about: "share of trials with any errno over which an alert is raised",
};

const fn rule(name: &'static str, unsaid: bool, about: &'static str) -> KeyRow {
    KeyRow { name, kind: ValueKind::Flag, unsaid: Unsaid::Flag(unsaid), about }
}

pub(in crate::matrix) const FALSE_ALARMS: KeyRow = KeyRow {
    name: "false_alarms_per_year",
    kind: ValueKind::Count { least: 1, most: 1_000, unit: "false alarms" },
    unsaid: Unsaid::Count(1),
    about: "how many false alarms a year `rig history` may raise on the average, over all that it watches: it is divided over them",
};

pub(in crate::matrix) const ALERT_DIFFERENCE: KeyRow = rule(
    "difference",
    true,
    "whether `rig history` alerts where a guest of the newest night differs from bare metal",
);

pub(in crate::matrix) const ALERT_CONTROL: KeyRow =
    rule("control_failed", true, "whether `rig history` alerts where a control of the newest night failed");

pub(in crate::matrix) const ALERT_VANISHED: KeyRow = rule(
    "cell_vanished",
    true,
    "whether `rig history` alerts where a cell of the night before is not in the newest one, or has no trial there",
);

pub(in crate::matrix) const ALERT_KERNEL: KeyRow = rule(
    "kernel_changed",
    false,
    "whether `rig history` alerts where a kernel is not that of the night before",
);

pub(in crate::matrix) const ALERT: KeyTable = KeyTable {
    head: "[alert]",
    parts: &[&[ANY_ERROR, FALSE_ALARMS, ALERT_DIFFERENCE, ALERT_CONTROL, ALERT_VANISHED, ALERT_KERNEL]],
    more: Some("the name of each errno, with its share"),
    about: "rates over which an alert is raised, and what else alerts from night to night",
};

pub(in crate::matrix) use super::row::KeyRow as Row;

pub(in crate::matrix) const KNOWN_REASON: KeyRow = KeyRow {
    name: "reason",
    kind: ValueKind::Text,
    unsaid: Unsaid::Required { example: "reason = \"the driver of 6.12.90 loses resets\"" },
    about: "why it raises no alarm",
};

pub(in crate::matrix) const KNOWN_UNTIL: KeyRow = KeyRow {
    name: "until",
    kind: ValueKind::Text,
    unsaid: Unsaid::Required { example: "until = \"2026-12-31\"" },
    about: "the last day on which it raises none, so that nothing is muted for ever",
};

pub(in crate::matrix) const KNOWN_LINK: KeyRow = KeyRow {
    name: "link",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("none"),
    about: "where more is written about it",
};

const fn cells(name: &'static str, about: &'static str) -> KeyRow {
    KeyRow { name, kind: ValueKind::Text, unsaid: Unsaid::Means("all"), about }
}

/// What the cells of a known issue are called.
pub(in crate::matrix) const KNOWN_CELLS: [KeyRow; 4] = [
    cells("scenario", "the scenario of its cells, globs allowed"),
    cells("configuration", "their configuration, globs allowed"),
    cells("kernel", "their kernel, globs allowed"),
    cells("path", "their path, globs allowed"),
];

pub(in crate::matrix) const KNOWN_WHAT: KeyRow =
    cells("what", "what is known of them: the name of an errno, `any_error` or `outcome`, globs allowed");

pub(in crate::matrix) const KNOWN_ISSUE: KeyTable = KeyTable {
    head: "[[known]]",
    parts: &[&[KNOWN_REASON, KNOWN_UNTIL, KNOWN_LINK], &KNOWN_CELLS, &[KNOWN_WHAT]],
    more: None,
    about: "an issue that raises no alarm in `rig history` until a day",
};

pub(in crate::matrix) const CLAIMS_FOLDER: KeyRow = KeyRow {
    name: "folder",
    kind: ValueKind::Text,
    unsaid: Unsaid::Means("only the claims that rig has"),
    about: "a folder with a file ID.toml for each claim of your own, seen from the matrix file; `--claims DIR` of the command line takes its place",
};

pub(in crate::matrix) const CLAIMS: KeyTable = KeyTable {
    head: "[claims]",
    parts: &[&[CLAIMS_FOLDER]],
    more: None,
    about: "by what the run is judged besides rig's own claims",
};

const ANY_ERROR_MARGIN: KeyRow = KeyRow {
    name: ANY_ERROR.name,
    kind: ValueKind::Fraction,
    unsaid: Unsaid::Means("`margin`"),
    about: "two rates of any errno that differ by less count as the same",
};

pub(in crate::matrix) const RUN_MARGINS: KeyTable = KeyTable {
    head: "[run.margins]",
    parts: &[&[ANY_ERROR_MARGIN]],
    more: Some("the name of each errno, with its margin"),
    about: "margins of single errnos; an errno that is not named has `margin`",
};

/// Tables that a file and a profile have.
const LAYER: &[KeyRow] = &[
    table("axes", ValueKind::Table, "the axes whose values are crossed"),
    table("scenario", ValueKind::Named, "parameters and sizes of one scenario"),
    table("include", ValueKind::Tables, "cells besides the product"),
    table("exclude", ValueKind::Tables, "cells of the product that the run leaves out"),
];

pub(in crate::matrix) const FILE: KeyTable = KeyTable {
    head: "a matrix file",
    parts: &[
        &[
            table("run", ValueKind::Table, "how much is run, how it is carried out and judged"),
            table("profile", ValueKind::Named, "a selection of the matrix under a name"),
        ],
        LAYER,
        &[
            table("configuration", ValueKind::Named, "where the target's kernel runs"),
            table("path", ValueKind::Named, "what lies between target and peer"),
            table("control", ValueKind::Named, "cells whose answer is known"),
            table("alert", ValueKind::Table, "rates over which an alert is raised, and what else alerts"),
            table("known", ValueKind::Tables, "issues that raise no alarm until a day"),
            table("claims", ValueKind::Table, "claims of your own"),
        ],
    ],
    more: None,
    about: "the whole file",
};

const fn table(name: &'static str, kind: ValueKind, about: &'static str) -> KeyRow {
    KeyRow { name, kind, unsaid: Unsaid::Means("none"), about }
}
