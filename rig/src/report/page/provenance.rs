//! Where every number comes from: the run, the host, the machines, the plan.
//!
//! Must not judge. Units: in words. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use crate::analysis::model::{InterfaceSummary, MachineSummary, ReportModel};
use crate::analysis::words::{count, several};
use crate::report::table::Align::Left;
use crate::report::text;

use super::pieces::{of_text, table};
use super::section::Section;

#[derive(Template)]
#[template(source = "{{ body|safe }}", ext = "html")]
struct Provenance {
    body: String,
}

/// What stands under the title.
pub(super) fn in_short(model: &ReportModel) -> Vec<String> {
    let run = &model.run;
    let trials: u64 = model.cells.iter().map(|cell| cell.trials).sum();
    let cells = model.cells.iter().filter(|cell| cell.trials > 0).count();
    let started = run.started.split('.').next().unwrap_or_default().replace('T', " ");
    let mut facts =
        vec![format!("{started} UTC"), format!("{} trials in {}", count(trials), several(cells, "cell"))];
    if !run.profile.is_empty() {
        facts.push(format!("profile {}", run.profile));
    }
    facts.push(if run.complete { "complete".to_owned() } else { "NOT COMPLETE".to_owned() });
    facts
}

pub(super) fn section(model: &ReportModel) -> Section {
    let mut body = of_text(text::header::write, model);
    let (run, environment) = (&model.run, &model.environment);
    let mut rows: Vec<[String; 2]> = vec![
        ["command".to_owned(), run.command_line.join(" ")],
        ["seed".to_owned(), run.seed.to_string()],
        ["format of this report".to_owned(), format!("{}.{}", model.format, model.format_minor)],
        ["QEMU".to_owned(), environment.qemu.clone()],
        ["QEMU's program, SHA-256".to_owned(), environment.qemu_sha256.clone()],
        ["clock source".to_owned(), environment.host.clocksource.clone()],
    ];
    rows.extend(
        run.kernel_packages.iter().map(|(name, package)| [format!("kernel {name}"), package.clone()]),
    );
    for (name, file) in &run.kernel_files {
        rows.push([format!("kernel {name}, SHA-256"), file.sha256.clone()]);
        rows.push([format!("configuration of kernel {name}, SHA-256"), file.config_sha256.clone()]);
        rows.push([format!("kernel {name}, git"), file.git.clone()]);
    }
    rows.extend(run.hardware.iter().map(|(name, asked)| [format!("hardware of {name}"), asked.join("; ")]));
    rows.extend(environment.sysctls.iter().map(|(name, value)| [name.clone(), value.clone()]));
    rows.retain(|[_, value]| !value.is_empty());
    body.push_str(&table("The run and its host", [("what", Left), ("value", Left)], rows));
    let machines: Vec<[String; 4]> = model.machines.iter().flat_map(machine_rows).collect();
    if !machines.is_empty() {
        let heading =
            [("machine", Left), ("interface", Left), ("driver", Left), ("offloads that are on", Left)];
        body.push_str(&table("Interfaces as the machines' own kernels show them", heading, machines));
    }
    Section::new("provenance", "Where the numbers come from", &Provenance { body })
}

fn machine_rows(machine: &MachineSummary) -> Vec<[String; 4]> {
    let row = |one: &InterfaceSummary| {
        let on: Vec<&str> =
            one.offloads.iter().filter(|(_, is_on)| **is_on).map(|(name, _)| name.as_str()).collect();
        [
            format!("{} {}", machine.configuration, machine.kernel),
            one.name.clone(),
            one.driver.clone(),
            on.join(", "),
        ]
    };
    machine.interfaces.iter().map(row).collect()
}
