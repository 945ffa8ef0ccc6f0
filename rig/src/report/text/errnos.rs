//! The four errnos of every place: what the kernel returned, and what the C library's `errno` held when.
//!
//! Must not compute a number. Units: counts. Errors: none. Tests: golden reports.

use std::collections::BTreeMap;

use crate::analysis::model::{ErrnoSource, LocaltimeFile, ReportModel, SightingKind};
use crate::analysis::words::count;

use super::super::table::Align::Left;
use super::super::table::{Page, Table, wrap};
use super::gather::section;

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    // A program has a table of its own: who set errno is its own matter.
    let told = |row: &&ErrnoSource| !matches!(row.kind, SightingKind::Control | SightingKind::Program);
    let (some, none): (Vec<&ErrnoSource>, Vec<&ErrnoSource>) =
        model.errno_sources.iter().filter(told).partition(|row| has_something(row));
    if some.is_empty() && none.is_empty() {
        return;
    }
    section(out, "Where an errno came from (without controls)");
    if !some.is_empty() {
        let mut table = Table::new([
            ("configuration", Left),
            ("kernel", Left),
            ("file", Left),
            ("returned", Left),
            ("errno then", Left),
            ("stale", Left),
            ("localtime()", Left),
        ])
        .without_first(&["file"]);
        some.into_iter().for_each(|row| add(&mut table, row));
        table.write(out, 2);
        let legend = "returned: by the kernel; errno then: right after that failure; stale: after a call that succeeded; localtime(): after it, with or without its file /etc/localtime";
        wrap(out, "  ", legend, 4);
    }
    if !none.is_empty() {
        let calls: u64 = none.iter().map(|row| row.calls).sum();
        let places: Vec<String> = none.iter().map(|row| place(row)).collect();
        let text = format!("none in {} calls: {}", count(calls), places.join(", "));
        wrap(out, "  ", &text, 4);
    }
}

fn has_something(row: &ErrnoSource) -> bool {
    !row.seen.kernel.is_empty() || !row.seen.libc.is_empty() || row.seen.misleads()
}

fn place(row: &ErrnoSource) -> String {
    let name = if row.name.is_empty() { String::new() } else { format!(" ({})", row.name) };
    format!("{} {}{name}", row.configuration, row.kernel)
}

fn add(table: &mut Table, row: &ErrnoSource) {
    let file = match row.localtime_file {
        LocaltimeFile::Present => "there",
        LocaltimeFile::Absent => "absent",
        LocaltimeFile::Unknown => "not known",
    };
    let file = match &row.timezone {
        None => file.to_owned(),
        Some(timezone) => format!("{file}, TZ={timezone}"),
    };
    let name = if row.name.is_empty() { String::new() } else { format!(" ({})", row.name) };
    table.row([
        format!("{}{name}", row.configuration),
        row.kernel.clone(),
        file,
        share(&row.seen.kernel, row.calls),
        if row.seen.libc == row.seen.kernel { same(row.failed) } else { share(&row.seen.libc, row.failed) },
        share(&row.seen.stale, row.succeeded),
        share(&row.seen.log_line, row.log_lines),
    ]);
}

/// What errno held after a failure was what the kernel had returned, in every trial.
fn same(failed: u64) -> String {
    if failed == 0 { "-".to_owned() } else { "the same".to_owned() }
}

/// `ENOENT 20 of 2,000`, `0 of 2,000`, or `-` where nobody looked.
fn share(counts: &BTreeMap<String, u64>, of: u64) -> String {
    match (of, counts.is_empty()) {
        (0, _) => "-".to_owned(),
        (_, true) => format!("0 of {}", count(of)),
        _ => {
            let counts: Vec<String> =
                counts.iter().map(|(errno, n)| format!("{errno} {}", count(*n))).collect();
            format!("{} of {}", counts.join(", "), count(of))
        }
    }
}
