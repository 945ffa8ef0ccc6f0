//! OpenMetrics, for node_exporter's textfile collector: what a run counted, as metrics.
//!
//! Holds the list of metrics. Must not compute more than sums. Labels are kernels, configurations, errnos and words of rig; scenarios, cells and
//! parameters are none, so the number of series does not grow with the plan. There are no types but counter and gauge, and no timestamps: the
//! collector refuses them. Source: OpenMetrics 1.0; node_exporter, textfile collector.
//! Units: seconds, in the names. Errors: none. Tests: `tests/golden/formats.rs`, and the parsers of prometheus_client in `tests/oracles`.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::plain_within;
use serde::Serialize;

use super::cases::cases;
use super::moment::unix_ms;
use super::standing::Standing;
use super::status::{control_words, status_word};
use crate::analysis::ending;
use crate::analysis::model::{CellStatus, CellSummary, ControlStatus, ReportModel};

/// So many pairs of a configuration and a kernel have series of their own; the rest is together, as `other`.
const MOST_PLACES: usize = 100;
/// So long is a label's value.
const MOST_LABEL_BYTES: usize = 120;

/// Labels with their values.
type Labels = Vec<(&'static str, String)>;

/// A metric with its samples.
struct Family {
    name: &'static str,
    counter: bool,
    unit: &'static str,
    help: &'static str,
    samples: BTreeMap<Labels, f64>,
}

impl Family {
    fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, counter: false, unit: "", help, samples: BTreeMap::new() }
    }

    fn counter(name: &'static str, help: &'static str) -> Self {
        Self { counter: true, ..Self::gauge(name, help) }
    }

    fn seconds(self) -> Self {
        Self { unit: "seconds", ..self }
    }

    fn add(&mut self, labels: Labels, value: f64) {
        *self.samples.entry(labels).or_insert(0.0) += value;
    }

    fn write(&self, out: &mut String) {
        let Self { name, counter, unit, help, .. } = self;
        let kind = if *counter { "counter" } else { "gauge" };
        out.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        if !unit.is_empty() {
            out.push_str(&format!("# UNIT {name} {unit}\n"));
        }
        let total = if *counter { "_total" } else { "" };
        for (labels, value) in &self.samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            out.push_str(&format!("{name}{total}{labels} {value}\n"));
        }
    }
}

pub(super) fn render(model: &ReportModel) -> String {
    let mut out = String::new();
    let families = of_run(model).into_iter().chain(of_cells(model)).chain(of_verdicts(model));
    families.filter(|family| !family.samples.is_empty()).for_each(|family| family.write(&mut out));
    out.push_str("# EOF\n");
    out
}

fn of_run(model: &ReportModel) -> Vec<Family> {
    let (run, host) = (&model.run, &model.environment.host);
    let shard = run.shard.map_or_else(String::new, |shard| shard.to_string());
    let mut info = Family::gauge("rig_run_info", "Which run it was, and on what; always 1.");
    let labels = [
        ("run", &run.id),
        ("version", &run.rig_version),
        ("profile", &run.profile),
        ("shard", &shard),
        ("host_kernel", &host.kernel),
        ("virtualized", &host.virtualized),
        ("accelerator", &model.environment.accelerator),
    ];
    info.add(labels.map(|(name, value)| (name, value.clone())).to_vec(), 1.0);
    let mut start = Family::gauge("rig_run_start_time_seconds", "When the run began, since 1970.").seconds();
    let mut end =
        Family::gauge("rig_run_end_time_seconds", "When its last recorded block ended, since 1970.")
            .seconds();
    let moments = [(&mut start, Some(run.started.as_str())), (&mut end, run.ended.as_deref())];
    for (family, moment) in moments {
        if let Some(moment) = moment.and_then(unix_ms) {
            family.add(Vec::new(), moment as f64 / 1e3);
        }
    }
    let mut complete = Family::gauge("rig_run_complete", "1 where all blocks of the plan were played.");
    complete.add(Vec::new(), f64::from(u8::from(run.complete)));
    let mut code = Family::gauge("rig_run_exit_code", "Exit code of the run: 0, 3, 5 or 130.");
    code.add(Vec::new(), f64::from(ending(model).code()));
    vec![info, start, end, complete, code]
}

fn of_cells(model: &ReportModel) -> Vec<Family> {
    let places: BTreeSet<(&str, &str)> =
        model.cells.iter().map(|cell| (cell.configuration.as_str(), cell.kernel.as_str())).collect();
    let own: BTreeSet<(&str, &str)> = places.into_iter().take(MOST_PLACES).collect();
    let controls: BTreeSet<&str> = model.controls.iter().map(|control| control.cell.as_str()).collect();
    let mut trials = Family::counter("rig_trials", "Trials that have an outcome.");
    let mut wanted = Family::gauge("rig_wanted_trials", "Trials that were asked for.");
    let mut void = Family::counter("rig_void_trials", "Trials without an outcome, as the testbed failed.");
    let mut errors =
        Family::counter("rig_errors", "Trials whose verdict call returned -1, by the name of the errno.");
    let mut seconds =
        Family::counter("rig_block_seconds", "How long blocks took together, set-up included.").seconds();
    let mut unexpected = Family::gauge(
        "rig_unexpected_cells",
        "Cells of which surely more trials than are tolerated ended otherwise than expected.",
    );
    let mut cells = Family::gauge("rig_cells", "Cells of the plan, by how they ended.");
    for cell in &model.cells {
        let place = place(&own, &controls, cell);
        let with = |name: &'static str, value: String| [place.clone(), vec![(name, value)]].concat();
        trials.add(place.clone(), cell.trials as f64);
        wanted.add(place.clone(), cell.trials_wanted as f64);
        void.add(place.clone(), cell.void as f64);
        seconds.add(place.clone(), cell.elapsed_ns as f64 / 1e9);
        unexpected.add(place.clone(), f64::from(u8::from(cell.is_unexpected())));
        for (returned, n) in &cell.returns {
            if let Some(errno) = returned.errno {
                errors.add(with("errno", errno.to_string()), *n as f64);
            }
        }
        for status in [CellStatus::Complete, CellStatus::Short, CellStatus::Skipped, CellStatus::Blind] {
            let here = f64::from(u8::from(cell.status == status));
            cells.add(with("status", status_word(status).to_owned()), here);
        }
    }
    vec![trials, wanted, void, errors, seconds, unexpected, cells]
}

/// Where a cell was played, and whether it measures or controls.
fn place(own: &BTreeSet<(&str, &str)>, controls: &BTreeSet<&str>, cell: &CellSummary) -> Labels {
    let pair = (cell.configuration.as_str(), cell.kernel.as_str());
    let (configuration, kernel) = if own.contains(&pair) { pair } else { ("other", "other") };
    let role = if controls.contains(cell.id.as_str()) { "control" } else { "measured" };
    vec![("configuration", label(configuration)), ("kernel", label(kernel)), ("role", role.to_owned())]
}

fn of_verdicts(model: &ReportModel) -> Vec<Family> {
    let mut controls = Family::gauge("rig_controls", "Controls, by what came of them.");
    let statuses =
        [ControlStatus::Passed, ControlStatus::Failed, ControlStatus::NotExercised, ControlStatus::NotRun];
    for status in statuses {
        let n = model.controls.iter().filter(|control| control.status() == status).count();
        controls.add(vec![("status", control_words(status).replace(' ', "_"))], n as f64);
    }
    let mut comparisons = Family::gauge(
        "rig_comparisons",
        "Comparisons of a guest with its bare-metal cell, by what is compared and by verdict.",
    );
    let errnos = model.comparisons.iter().map(|one| (one.errno.key(), word(&one.verdict)));
    let outcomes = model.outcome_comparisons.iter().map(|one| ("outcomes", word(&one.verdict)));
    for (question, verdict) in errnos.chain(outcomes) {
        comparisons.add(vec![("question", question.to_owned()), ("verdict", verdict)], 1.0);
    }
    let mut kernels = Family::gauge(
        "rig_kernel_comparisons",
        "Comparisons of a cell with that on the kernel of the baseline, by what is compared and by verdict.",
    );
    let pairs = || model.kernel_baseline.iter().flat_map(|of| &of.pairs);
    let errnos = pairs().flat_map(|pair| &pair.errnos).map(|one| (one.errno.key(), word(&one.verdict)));
    let outcomes = pairs().map(|pair| ("outcomes", word(&pair.outcomes.verdict)));
    for (question, verdict) in errnos.chain(outcomes) {
        kernels.add(vec![("question", question.to_owned()), ("verdict", verdict)], 1.0);
    }
    let mut headlines =
        Family::gauge("rig_headlines", "What the run says over all cells of its base program, by verdict.");
    for one in &model.headlines {
        let labels = vec![("question", one.errno.key().to_owned()), ("verdict", word(&one.verdict))];
        headlines.add(labels, 1.0);
    }
    let mut alerts = Family::gauge("rig_alerts", "Errnos surely above the rate that the matrix declares.");
    alerts.add(Vec::new(), model.alerts.len() as f64);
    let mut standings = Family::gauge("rig_cases", "Test cases, by suite and standing.");
    for case in cases(model) {
        for standing in Standing::ALL {
            let here = f64::from(u8::from(case.standing == standing));
            let suite = ("suite", case.suite.name().to_owned());
            standings.add(vec![suite, ("standing", standing.words().word.to_owned())], here);
        }
    }
    vec![controls, comparisons, kernels, headlines, alerts, standings]
}

/// A word of the report's JSON.
fn word(verdict: &impl Serialize) -> String {
    serde_json::to_value(verdict).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn label(text: &str) -> String {
    plain_within(text, MOST_LABEL_BYTES)
}

/// OpenMetrics, escaped-string: no line feed, quote or backslash stands for itself.
fn escaped(text: &str) -> String {
    label(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
