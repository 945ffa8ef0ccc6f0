//! What is watched from night to night: the rules of `[alert]` that are no rates, and the issues that are known until a day (`[[known]]`).
//!
//! Must not know a night. Units: false alarms a year; days of the calendar. Errors: problems that blame the file. Tests: below, `keys/tests.rs`.

use super::glob;
use super::keys::file as keys;
use super::read::{count, required};
use crate::document::{Document, Findings, Key, Node, Problems, Table};

/// By what a history raises an alarm, beside the rates of `[alert]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// So many false alarms a year are accepted, over everything that is watched.
    pub false_alarms_per_year: u64,
    /// Whether a guest that differs from bare metal alerts.
    pub difference: bool,
    /// Whether a control that failed alerts.
    pub control_failed: bool,
    /// Whether a cell that is no longer played alerts.
    pub cell_vanished: bool,
    /// Whether a kernel that is another one alerts.
    pub kernel_changed: bool,
    /// What is known, and until when.
    pub known: Vec<KnownIssue>,
}

/// `[[known]]`: an issue that raises no alarm until a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownIssue {
    /// Why it raises none, in words.
    pub reason: String,
    /// Where more is written about it; empty where it is not said.
    pub link: String,
    /// The last day on which it raises none: `2026-12-31`.
    pub until: String,
    /// What its cells are called, each a value or a glob: scenario, configuration, kernel, path.
    cells: [String; 4],
    /// What is known of them: the name of an errno, `any_error`, `outcome`, or a glob.
    what: String,
}

impl KnownIssue {
    /// Whether it is about this, of a cell of this scenario, configuration, kernel and path.
    pub fn is_about(&self, cell: [&str; 4], what: &str) -> bool {
        let of_cell = self.cells.iter().zip(cell).all(|(pattern, name)| glob::matches(pattern, name));
        of_cell && glob::matches(&self.what, what)
    }

    /// Whether it still holds on this day, given as `2026-11-27` or as a time that begins so.
    pub fn holds_on(&self, day: &str) -> bool {
        day.get(..self.until.len()).is_some_and(|day| day <= self.until.as_str())
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            false_alarms_per_year: keys::FALSE_ALARMS.default_count(),
            difference: keys::ALERT_DIFFERENCE.default_flag(),
            control_failed: keys::ALERT_CONTROL.default_flag(),
            cell_vanished: keys::ALERT_VANISHED.default_flag(),
            kernel_changed: keys::ALERT_KERNEL.default_flag(),
            known: Vec::new(),
        }
    }
}

impl Watch {
    /// Only these parts of the text of a matrix file, whatever else it says.
    ///
    /// # Errors
    /// It is no TOML, or these parts are wrong: all problems at once.
    pub fn parse(name: &str, text: &str) -> Result<Self, Problems> {
        let (document, mut findings) = Document::parse(name, text)?;
        let watch = read_watch(&mut findings, &document.root);
        findings.finish(Some(watch))
    }
}

/// `[alert]` but for its rates, and `[[known]]`.
pub(super) fn read_watch(findings: &mut Findings, root: &Table) -> Watch {
    let mut watch = Watch::default();
    if let Some(table) = root.get("alert").and_then(|node| node.value.as_table()) {
        if let Some(budget) = count(findings, table, &keys::FALSE_ALARMS) {
            watch.false_alarms_per_year = budget;
        }
        for (row, rule) in [
            (&keys::ALERT_DIFFERENCE, &mut watch.difference),
            (&keys::ALERT_CONTROL, &mut watch.control_failed),
            (&keys::ALERT_VANISHED, &mut watch.cell_vanished),
            (&keys::ALERT_KERNEL, &mut watch.kernel_changed),
        ] {
            let said = table.get(row.name).and_then(|node| findings.boolean(node, &row.quoted()));
            *rule = said.unwrap_or(*rule);
        }
    }
    if let Some(node) = root.get("known") {
        let items = findings.list(node, "`known`").unwrap_or_default();
        watch.known = items.iter().filter_map(|item| read_known_issue(findings, item)).collect();
    }
    watch
}

fn read_known_issue(findings: &mut Findings, node: &Node) -> Option<KnownIssue> {
    let what = keys::KNOWN_ISSUE.head;
    let table = findings.table(node, what)?;
    findings.refuse_unknown_keys(table, what, &keys::KNOWN_ISSUE.names());
    let head = Key { name: "known".to_owned(), span: node.span.clone() };
    let text = |findings: &mut Findings, row: &keys::Row| {
        findings.string(table.get(row.name)?, &row.quoted()).map(str::to_owned)
    };
    let pattern = |findings: &mut Findings, row| text(findings, row).unwrap_or_else(|| "*".to_owned());
    let reason = required(findings, table, (&head, what), &keys::KNOWN_REASON);
    let reason =
        reason.and_then(|node| findings.string(node, &keys::KNOWN_REASON.quoted())).map(str::to_owned);
    let until = required(findings, table, (&head, what), &keys::KNOWN_UNTIL);
    let until = until.and_then(|node| read_day(findings, node));
    let cells = keys::KNOWN_CELLS.each_ref().map(|row| pattern(findings, row));
    let what = pattern(findings, &keys::KNOWN_WHAT);
    let link = text(findings, &keys::KNOWN_LINK).unwrap_or_default();
    Some(KnownIssue { reason: reason?, link, until: until?, cells, what })
}

/// A day of the calendar, in quotes or as TOML writes one.
fn read_day(findings: &mut Findings, node: &Node) -> Option<String> {
    let row = keys::KNOWN_UNTIL.quoted();
    let day = match &node.value {
        crate::document::Value::Datetime => node.spelled.as_str(),
        crate::document::Value::String(day) => day.as_str(),
        _ => return findings.mismatch(node, &row, "a day"),
    };
    let written = day.parse::<jiff::civil::Date>().ok().map(|date| date.to_string());
    if written.as_deref() != Some(day) {
        findings
            .report(node.span.clone(), format!("{row} is wrong"), "not a day of the calendar")
            .help("write year, month and day: until = \"2026-12-31\"");
        return None;
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Watch {
        Watch::parse("m", text).unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn rules_have_defaults_and_are_read() {
        assert_eq!(of("[alert]\nENOENT = \"0%\"\n"), Watch::default());
        let watch = of("[alert]\nfalse_alarms_per_year = 4\nkernel_changed = true\ndifference = false\n");
        assert_eq!((watch.false_alarms_per_year, watch.kernel_changed, watch.difference), (4, true, false));
        assert!(watch.control_failed && watch.cell_vanished);
    }

    #[test]
    fn a_known_issue_holds_for_its_cells_until_its_day() {
        let text =
            "[[known]]\nreason = \"r\"\nuntil = 2026-12-31\nconfiguration = \"virtio-*\"\nwhat = \"EBADF\"\n";
        let watch = of(text);
        let [issue] = watch.known.as_slice() else { panic!("{watch:?}") };
        assert!(issue.is_about(["rst", "virtio-tap", "6.1", "direct"], "EBADF"));
        assert!(!issue.is_about(["rst", "bare-metal", "host", "direct"], "EBADF"));
        assert!(!issue.is_about(["rst", "virtio-tap", "6.1", "direct"], "ENOENT"));
        assert!(issue.holds_on("2026-12-31T23:59:59Z") && issue.holds_on("2026-11-27"));
        assert!(!issue.holds_on("2027-01-01") && !issue.holds_on(""));
        assert_eq!(of(&text.replace("2026-12-31", "\"2026-12-31\"")), watch);
    }

    #[test]
    fn what_is_wrong_is_named_all_at_once() {
        let text =
            "[[known]]\nuntil = \"2026-02-30\"\n[[known]]\nreason = 1\nuntil = \"31.12.2026\"\nwho = \"x\"\n";
        let problems = Watch::parse("m", text).expect_err("five problems");
        let told: Vec<String> = problems.into_iter().map(|problem| problem.to_string()).collect();
        assert_eq!(
            told,
            [
                "[[known]] has no `reason`",
                "`until` is wrong",
                "`reason` must be a string, not a whole number",
                "`until` is wrong",
                "unknown key `who` in [[known]]",
            ]
        );
    }
}
