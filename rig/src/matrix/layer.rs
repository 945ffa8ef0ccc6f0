//! What the file says, and what a profile says over it: run keys, axes, scenario parameters, includes, excludes.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::document::{Findings, Key, Node, Span, Table, Value};
use crate::script::{self, parse_delay};

use super::configuration::check_name;

/// A value of the file and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

/// The axes that a matrix crosses, in the order of its product.
pub(super) const AXES: &[&str] = &["scenario", "configuration", "kernel", "path"];

/// Keys that change how much a cell is run.
pub(super) const SIZE_KEYS: &[&str] = &["trials", "blocks", "in_flight"];

/// Keys of `[run]`, and of a profile.
pub(super) const RUN_KEYS: &[&str] = &[
    "trials",
    "blocks",
    "in_flight",
    "control_trials",
    "control_blocks",
    "confidence",
    "margin",
    "retries",
    "block_deadline",
];

/// How much a cell is run, where the file says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) trials: Option<u64>,
    pub(super) blocks: Option<u32>,
    pub(super) in_flight: Option<u32>,
}

impl Sizes {
    /// These, and what they do not say from `other`.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            trials: self.trials.or(other.trials),
            blocks: self.blocks.or(other.blocks),
            in_flight: self.in_flight.or(other.in_flight),
        }
    }
}

/// Keys of `[run]`, where the file says them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct RunKeys {
    pub(super) sizes: Sizes,
    pub(super) control_trials: Option<u64>,
    pub(super) control_blocks: Option<u32>,
    pub(super) confidence: Option<f64>,
    pub(super) margin: Option<f64>,
    pub(super) retries: Option<u32>,
    pub(super) block_deadline: Option<Duration>,
}

/// `[scenario.NAME]`: parameter axes in file order, and sizes.
#[derive(Debug, Clone, Default)]
pub(super) struct ScenarioKeys {
    pub(super) sizes: Sizes,
    pub(super) parameters: Vec<(Key, Vec<Word>)>,
}

/// `[[include]]`: a small product of its own.
#[derive(Debug, Clone)]
pub(super) struct Include {
    pub(super) axes: BTreeMap<&'static str, Vec<Word>>,
    pub(super) parameters: Vec<(Key, Vec<Word>)>,
    pub(super) sizes: Sizes,
}

/// `[[exclude]]`: cells of the product that match every key.
#[derive(Debug, Clone)]
pub(super) struct Exclude {
    pub(super) span: Span,
    pub(super) keys: Vec<(Key, Vec<Word>)>,
}

/// Everything that a profile can say.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    pub(super) run: RunKeys,
    pub(super) axes: BTreeMap<&'static str, Vec<Word>>,
    pub(super) scenarios: Vec<(Key, ScenarioKeys)>,
    pub(super) includes: Option<Vec<Include>>,
    /// The controls that a profile plays; `None`: all.
    pub(super) controls: Option<Vec<Word>>,
    pub(super) excludes: Vec<Exclude>,
}

/// Reads `axes`, `scenario`, `include` and `exclude` out of `table`; `prefix` is `profile.quick.` or empty.
pub(super) fn read_layer(findings: &mut Findings, table: &Table, prefix: &str, run: RunKeys) -> Layer {
    let mut layer = Layer { run, ..Layer::default() };
    if let Some(axes) = table.get("axes").and_then(|node| findings.table(node, &format!("[{prefix}axes]"))) {
        findings.refuse_unknown_keys(axes, &format!("[{prefix}axes]"), AXES);
        layer.axes = read_axes(findings, axes);
    }
    if let Some(scenarios) =
        table.get("scenario").and_then(|node| findings.table(node, &format!("`{prefix}scenario`")))
    {
        for (key, node) in &scenarios.entries {
            let what = format!("[{prefix}scenario.{}]", key.name);
            if let Some(table) = findings.table(node, &what) {
                layer.scenarios.push((key.clone(), read_scenario_keys(findings, table)));
            }
        }
    }
    layer.includes = table
        .get("include")
        .and_then(|node| tables(findings, node, &format!("{prefix}include")))
        .map(|tables| tables.into_iter().filter_map(|table| read_include(findings, table)).collect());
    layer.excludes = table
        .get("exclude")
        .and_then(|node| tables(findings, node, &format!("{prefix}exclude")))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|table| read_exclude(findings, table))
        .collect();
    layer
}

/// `[[name]]`: a list of tables.
fn tables<'n>(findings: &mut Findings, node: &'n Node, name: &str) -> Option<Vec<&'n Table>> {
    if let Value::Table(_) = node.value {
        findings
            .report(node.span.clone(), format!("`{name}` must be a list of tables"), "a single table")
            .help(format!("write [[{name}]], with two brackets"));
        return None;
    }
    let items = findings.list(node, &format!("`{name}`"))?;
    Some(items.iter().filter_map(|item| findings.table(item, &format!("each `{name}`"))).collect())
}

fn read_axes(findings: &mut Findings, table: &Table) -> BTreeMap<&'static str, Vec<Word>> {
    let mut axes = BTreeMap::new();
    for &axis in AXES {
        if let Some(node) = table.get(axis) {
            axes.insert(axis, words(findings, node, &format!("axis `{axis}`")));
        }
    }
    axes
}

/// One value or a list of values; a value is a string or a number.
pub(super) fn words(findings: &mut Findings, node: &Node, what: &str) -> Vec<Word> {
    let items = match &node.value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        findings
            .report(node.span.clone(), format!("{what} has no value"), "an empty list")
            .help("an empty axis leaves no cell: name at least one value, or remove the key");
    }
    let mut words: Vec<Word> = Vec::with_capacity(items.len());
    for item in items {
        let Some(text) = script::spelled(item) else {
            findings.mismatch::<()>(item, &format!("each value of {what}"), "a string or a number");
            continue;
        };
        if let Some(before) = words.iter().find(|word| word.text == text) {
            let before = before.span.clone();
            findings
                .report(item.span.clone(), format!("{what} has `{text}` twice"), "again")
                .also(before, "the first time")
                .help("a cell is run once however often it is named");
            continue;
        }
        words.push(Word { text: text.to_owned(), span: item.span.clone() });
    }
    words
}

fn read_scenario_keys(findings: &mut Findings, table: &Table) -> ScenarioKeys {
    let parameters = table
        .entries
        .iter()
        .filter(|(key, _)| !SIZE_KEYS.contains(&key.name.as_str()))
        .map(|(key, node)| (key.clone(), words(findings, node, &format!("parameter `{}`", key.name))))
        .collect();
    ScenarioKeys { sizes: read_sizes(findings, table), parameters }
}

fn read_include(findings: &mut Findings, table: &Table) -> Option<Include> {
    let mut include =
        Include { axes: BTreeMap::new(), parameters: Vec::new(), sizes: read_sizes(findings, table) };
    for (key, node) in &table.entries {
        let what = format!("`{}` of an include", key.name);
        if let Some(axis) = AXES.iter().find(|axis| **axis == key.name) {
            include.axes.insert(axis, words(findings, node, &what));
        } else if !SIZE_KEYS.contains(&key.name.as_str()) {
            let words = words(findings, node, &what);
            if !words.is_empty() {
                include.parameters.push((key.clone(), words));
            }
        }
    }
    if !include.axes.contains_key("scenario") {
        findings
            .report(table.span.clone(), "an include has no `scenario`", "`scenario` is missing")
            .help("an include names its scenario; axes that it does not name take the values of [axes], parameters their defaults");
        return None;
    }
    Some(include)
}

fn read_exclude(findings: &mut Findings, table: &Table) -> Option<Exclude> {
    if table.entries.is_empty() {
        findings
            .report(table.span.clone(), "an exclude names nothing", "would leave no cell")
            .help("name axis values or parameters: configuration = \"virtio-user\"");
        return None;
    }
    let keys = table
        .entries
        .iter()
        .map(|(key, node)| (key.clone(), words(findings, node, &format!("`{}` of an exclude", key.name))))
        .collect();
    Some(Exclude { span: table.span.clone(), keys })
}

/// A cell has at most this many trials: the counts of a run stay far from 64 bits, and a slip of a digit is seen.
const MOST_TRIALS: u64 = 100_000_000;

pub(super) fn read_sizes(findings: &mut Findings, table: &Table) -> Sizes {
    let mut count = |name: &str, high: u64| {
        table.get(name).and_then(|node| findings.count(node, &format!("`{name}`"), &(1..=high)))
    };
    let sizes = Sizes {
        trials: count("trials", MOST_TRIALS),
        blocks: count("blocks", 1_000).and_then(|n| u32::try_from(n).ok()),
        in_flight: count("in_flight", 20_000).and_then(|n| u32::try_from(n).ok()),
    };
    if let (Some(trials), Some(blocks), Some(node)) = (sizes.trials, sizes.blocks, table.get("blocks"))
        && u64::from(blocks) > trials
    {
        findings
            .report(
                node.span.clone(),
                format!("{blocks} blocks for {trials} trials"),
                "a block would have no trial",
            )
            .help("every block plays at least one trial");
    }
    sizes
}

/// Reads the keys of `[run]`, or those of a profile.
pub(super) fn read_run_keys(findings: &mut Findings, table: &Table) -> RunKeys {
    let sizes = read_sizes(findings, table);
    let mut small = |name: &str, low: u64, high: u64| {
        table.get(name).and_then(|node| findings.count(node, &format!("`{name}`"), &(low..=high)))
    };
    let control_trials = small("control_trials", 1, MOST_TRIALS);
    let control_blocks = small("control_blocks", 1, 1_000).and_then(|n| u32::try_from(n).ok());
    let retries = small("retries", 0, 20).and_then(|n| u32::try_from(n).ok());
    let confidence = table.get("confidence").and_then(|node| findings.fraction(node, "`confidence`"));
    if let (Some(value), Some(node)) = (confidence, table.get("confidence"))
        && value < 0.5
    {
        findings
            .report(node.span.clone(), "`confidence` is below one half", "probably the wrong way round")
            .help(format!(
                "an interval that holds 95 times in 100 is written 0.95; did you mean {}?",
                1.0 - value
            ));
    }
    let margin = table.get("margin").and_then(|node| findings.fraction(node, "`margin`"));
    let block_deadline = table.get("block_deadline").and_then(|node| read_deadline(findings, node));
    RunKeys { sizes, control_trials, control_blocks, confidence, margin, retries, block_deadline }
}

fn read_deadline(findings: &mut Findings, node: &Node) -> Option<Duration> {
    let text = findings.string(node, "`block_deadline`")?;
    match parse_delay(text) {
        Ok(rig_protocol::Delay::Fixed { ns }) if ns >= 1_000_000_000 => Some(Duration::from_nanos(ns)),
        Ok(_) => {
            findings
                .report(
                    node.span.clone(),
                    "`block_deadline` must be a fixed time of a second or more",
                    "not a deadline",
                )
                .help("it bounds a whole block, boot included: \"5min\"");
            None
        }
        Err(wrong) => {
            findings
                .report(node.span.clone(), "`block_deadline` is wrong", wrong.label)
                .maybe_help(wrong.help);
            None
        }
    }
}

/// `[profile.NAME]`
pub(super) fn read_profile(findings: &mut Findings, key: &Key, node: &Node) -> Option<Layer> {
    check_name(findings, key, "profile");
    let what = format!("[profile.{}]", key.name);
    let table = findings.table(node, &what)?;
    let mut known = vec!["axes", "scenario", "include", "exclude", "controls"];
    known.extend(RUN_KEYS);
    findings.refuse_unknown_keys(table, &what, &known);
    let run = read_run_keys(findings, table);
    let mut layer = read_layer(findings, table, &format!("profile.{}.", key.name), run);
    layer.controls = table.get("controls").map(|node| words(findings, node, "`controls`"));
    Some(layer)
}
