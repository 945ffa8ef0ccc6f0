//! Reading of what the file says and of what a profile says over it: run keys, axes, scenario parameters, includes, excludes.
//!
//! Must not know which scenarios, configurations and paths there are. Units: as the keys say.
//! Errors: problems with places. Tests: `tests.rs` of this room, `keys/tests.rs`, `tests/diagnostics.rs`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::baseline::{Asked, Baseline};
use super::declared::{Exclude, Include, Layer, RunKeys, ScenarioKeys, Sizes, Word};
use super::glob;
use super::keys::file as keys;
use super::read::{check_errno, check_name, count, fraction, read_known, small};
use super::stop::StopRule;
use crate::document::{Findings, Key, Node, Table, Value, Wrong};
use crate::script::{self, parse_delay};

/// Reads `axes`, `scenario`, `include` and `exclude` out of `table`; `prefix` is `profile.quick.` or empty.
pub(super) fn read_layer(findings: &mut Findings, table: &Table, prefix: &str, run: RunKeys) -> Layer {
    let mut layer = Layer { run, ..Layer::default() };
    if let Some(axes) = table.get("axes").and_then(|node| findings.table(node, &format!("[{prefix}axes]"))) {
        findings.refuse_unknown_keys(axes, &format!("[{prefix}axes]"), &keys::AXES.names());
        layer.axes = read_axes(findings, axes, prefix);
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

fn read_axes(findings: &mut Findings, table: &Table, prefix: &str) -> BTreeMap<&'static str, Vec<Word>> {
    let mut axes = BTreeMap::new();
    for axis in keys::AXES.names() {
        if let Some(node) = table.get(axis) {
            let without_value = match axis {
                _ if !prefix.is_empty() => {
                    "name at least one value, or remove the key to use the values of [axes]"
                }
                keys::KERNEL_AXIS => {
                    "name at least one kernel of guests, or remove the key where every configuration is the host"
                }
                _ => "an axis without a value leaves no cell: name at least one",
            };
            let words = words_or(findings, node, &format!("axis `{axis}`"), without_value);
            axes.insert(axis, pairs_in_full(axis, words));
        }
    }
    axes
}

/// One value or a list of values; a value is a string or a number.
pub(super) fn words(findings: &mut Findings, node: &Node, what: &str) -> Vec<Word> {
    words_or(findings, node, what, "name at least one value, or remove the key")
}

/// [`words`]; `without_value` says what to do where there is none.
fn words_or(findings: &mut Findings, node: &Node, what: &str, without_value: &str) -> Vec<Word> {
    let items = match &node.value {
        Value::Array(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        findings
            .report(node.span.clone(), format!("{what} has no value"), "an empty list")
            .help(without_value);
    }
    let mut words: Vec<Word> = Vec::with_capacity(items.len());
    let mut seen: HashMap<&str, &Node> = HashMap::with_capacity(items.len());
    for item in items {
        let Some(text) = script::spelled(item) else {
            findings.mismatch::<()>(item, &format!("each value of {what}"), "a string or a number");
            continue;
        };
        if let Some(before) = seen.get(text) {
            findings
                .report(item.span.clone(), format!("{what} has `{text}` twice"), "again")
                .also(before.span.clone(), "the first time")
                .help("a cell is run once however often it is named");
            continue;
        }
        seen.insert(text, item);
        words.push(Word { text: text.to_owned(), span: item.span.clone() });
    }
    words
}

/// The words of an axis; in that of the scenarios `after-rst:*` stands for pairs of the atlas.
fn pairs_in_full(axis: &str, words: Vec<Word>) -> Vec<Word> {
    if axis != keys::SCENARIO_AXIS {
        return words;
    }
    let mut all: Vec<Word> = Vec::with_capacity(words.len());
    for word in words {
        let may_be_several = script::is_pair(&word.text) && word.text.contains('*');
        let of_word = |pair: &String| glob::matches(&word.text, pair);
        let pairs: Vec<String> = script::pairs().filter(|pair| may_be_several && of_word(pair)).collect();
        let meant = if pairs.is_empty() { vec![word.text] } else { pairs };
        for text in meant {
            // Two words may mean the same pair.
            if !all.iter().any(|known| known.text == text) {
                all.push(Word { text, span: word.span.clone() });
            }
        }
    }
    all
}

fn read_scenario_keys(findings: &mut Findings, table: &Table) -> ScenarioKeys {
    let parameters = table
        .entries
        .iter()
        .filter(|(key, _)| is_parameter(&key.name))
        .map(|(key, node)| (key.clone(), words(findings, node, &format!("parameter `{}`", key.name))))
        .collect();
    ScenarioKeys { sizes: read_sizes(findings, table), known: read_known(findings, table), parameters }
}

fn read_include(findings: &mut Findings, table: &Table) -> Option<Include> {
    let mut include = Include {
        axes: BTreeMap::new(),
        parameters: Vec::new(),
        sizes: read_sizes(findings, table),
        known: read_known(findings, table),
    };
    for (key, node) in &table.entries {
        let what = format!("`{}` of an include", key.name);
        if let Some(axis) = keys::AXES.rows().find(|axis| axis.name == key.name) {
            include.axes.insert(axis.name, pairs_in_full(axis.name, words(findings, node, &what)));
        } else if is_parameter(&key.name) {
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

/// What is none of the keys that every scenario or include can have.
fn is_parameter(name: &str) -> bool {
    name != keys::KNOWN.name && !keys::SIZES.iter().any(|row| row.name == name)
}

/// Reads the keys that say how much a cell is run.
pub(super) fn read_sizes(findings: &mut Findings, table: &Table) -> Sizes {
    let sizes = Sizes {
        trials: count(findings, table, &keys::TRIALS),
        blocks: small(findings, table, &keys::BLOCKS),
        in_flight: small(findings, table, &keys::IN_FLIGHT),
    };
    if let (Some(trials), Some(blocks), Some(node)) =
        (sizes.trials, sizes.blocks, table.get(keys::BLOCKS.name))
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
    let confidence = fraction(findings, table, &keys::CONFIDENCE);
    if let (Some(value), Some(node)) = (confidence, table.get(keys::CONFIDENCE.name))
        && value < 0.5
    {
        findings
            .report(node.span.clone(), "`confidence` is below one half", "probably the wrong way round")
            .help(format!(
                "an interval that holds 95 times in 100 is written 0.95; did you mean {}?",
                1.0 - value
            ));
    }
    RunKeys {
        sizes: read_sizes(findings, table),
        control_trials: count(findings, table, &keys::CONTROL_TRIALS),
        control_blocks: small(findings, table, &keys::CONTROL_BLOCKS),
        confidence,
        margin: fraction(findings, table, &keys::MARGIN),
        margins: read_margins(findings, table),
        icc: fraction(findings, table, &keys::ICC),
        stop: read_stop(findings, table),
        tolerance: fraction(findings, table, &keys::TOLERANCE),
        retries: small(findings, table, &keys::RETRIES),
        block_deadline: table.get(keys::BLOCK_DEADLINE.name).and_then(|node| read_deadline(findings, node)),
        aa_pair: table
            .get(keys::AA_PAIR.name)
            .and_then(|node| findings.boolean(node, &keys::AA_PAIR.quoted())),
        baseline: table.get(keys::BASELINE.name).and_then(|node| read_baseline(findings, node)),
    }
}

/// The key `baseline` of `[run]` or of a profile.
fn read_baseline(findings: &mut Findings, node: &Node) -> Option<(Baseline, Asked)> {
    let text = findings.string(node, &keys::BASELINE.quoted())?;
    match Baseline::read(text) {
        Ok(baseline) => Some((baseline, Asked::File(node.span.clone()))),
        Err(Wrong { label, help }) => {
            findings
                .report(node.span.clone(), format!("`{text}` cannot be a baseline"), label)
                .maybe_help(help);
            None
        }
    }
}

/// `stop`: one of `below`, `width` and `decided`; the empty table takes a rule away.
fn read_stop(findings: &mut Findings, table: &Table) -> Option<Option<StopRule>> {
    let what = keys::STOP.quoted();
    let node = table.get(keys::STOP.name)?;
    let given = findings.table(node, &what)?;
    findings.refuse_unknown_keys(given, &what, &keys::RUN_STOP.names());
    if given.entries.is_empty() {
        return Some(None);
    }
    let errno = match given.get(keys::STOP_ERRNO.name) {
        Some(node) => Some(read_stop_errno(findings, node)?),
        None => None,
    };
    let or_any = |errno: Option<String>| errno.unwrap_or_else(|| keys::ANY_ERROR.name.to_owned());
    let below = fraction(findings, given, &keys::STOP_BELOW);
    let width = fraction(findings, given, &keys::STOP_WIDTH);
    let decided =
        given.get(keys::STOP_DECIDED.name).map(|node| findings.boolean(node, &keys::STOP_DECIDED.quoted()));
    let rules = [keys::STOP_BELOW, keys::STOP_WIDTH, keys::STOP_DECIDED];
    let written = rules.iter().filter(|row| given.get(row.name).is_some()).count();
    match (below, width, decided.flatten()) {
        (Some(below), None, None) if written == 1 => {
            Some(Some(StopRule::Below { errno: or_any(errno), below }))
        }
        (None, Some(width), None) if written == 1 => {
            Some(Some(StopRule::Width { errno: or_any(errno), width }))
        }
        (None, None, Some(true)) if written == 1 => Some(Some(StopRule::Decided { errno })),
        (None, None, Some(false)) if written == 1 => Some(None),
        _ => {
            if written != 1 {
                let message =
                    if written == 0 { "`stop` has no rule" } else { "`stop` has more than one rule" };
                findings.report(node.span.clone(), message, "write one of `below`, `width` and `decided`").help(
                    "stop = { errno = \"ENOENT\", below = 1e-6 }, stop = { width = 1e-3 } or stop = { decided = true }",
                );
            }
            None
        }
    }
}

fn read_stop_errno(findings: &mut Findings, node: &Node) -> Option<String> {
    let name = findings.string(node, "`errno` of `stop`")?.to_owned();
    let any = keys::ANY_ERROR.name;
    if name == any || name.parse::<rig_protocol::Errno>().is_ok() {
        return Some(name);
    }
    let known = std::iter::once(any).chain(rig_protocol::Errno::names());
    let help = findings.hint(&name, known, &format!("it is `{any}` or the name of an errno"));
    findings
        .report(node.span.clone(), format!("there is no errno `{name}`"), "not an errno")
        .maybe_help(help);
    None
}

/// `margins`: errno names and `any_error`, each with a share of 1.
fn read_margins(findings: &mut Findings, table: &Table) -> BTreeMap<String, f64> {
    let what = keys::MARGINS.quoted();
    let Some(given) = table.get(keys::MARGINS.name).and_then(|node| findings.table(node, &what)) else {
        return BTreeMap::new();
    };
    let mut margins = BTreeMap::new();
    for (key, node) in &given.entries {
        check_errno(findings, key, &what);
        if let Some(margin) = findings.fraction(node, &format!("the margin of `{}`", key.name)) {
            margins.insert(key.name.clone(), margin);
        }
    }
    margins
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
    findings.refuse_unknown_keys(table, &what, &keys::PROFILE.names());
    let run = read_run_keys(findings, table);
    let mut layer = read_layer(findings, table, &format!("profile.{}.", key.name), run);
    layer.controls =
        table.get(keys::CONTROLS.name).map(|node| words(findings, node, &keys::CONTROLS.quoted()));
    Some(layer)
}
