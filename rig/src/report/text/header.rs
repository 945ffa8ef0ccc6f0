//! Which run it was, where it ran, and by what it is judged.
//!
//! Must not know what was found. Units: per cent, MiB. Errors: none. Tests: golden reports.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use crate::analysis::model::{Ground, PartSummary, RanOn, ReportModel, RunSummary, Stopped};
use crate::analysis::words::{Rounding, count, list, percent, several};
use crate::record::format::{Environment, Host, Shard};

use super::super::no_packets::no_packets;
use super::super::status::errno_word;
use super::super::table::{Page, wrap};

pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let (run, environment) = (&model.run, &model.environment);
    let host = &environment.host;
    let complete = if run.complete { "complete" } else { "NOT COMPLETE" };
    out.push_str(&format!("rig run {} ({complete})\n", run.id));
    let mut line = |name: &str, text: String| wrap(out, &format!("  {name:<8} "), &text, 11);
    let profile = if run.profile.is_empty() { String::new() } else { format!(", profile {}", run.profile) };
    let shard = run.shard.map(|Shard { index, of }| format!(", shard {index} of {of}")).unwrap_or_default();
    line("started", format!("{}{profile}{shard}, seed {}, rig {}", run.started, run.seed, run.rig_version));
    run.stopped.iter().for_each(|word| line("ended", Stopped::of(word).to_string()));
    no_packets(model).iter().for_each(|why| line("packets", (*why).to_owned()));
    parts(run).into_iter().for_each(|(name, text)| line(name, text));
    if !has_machines(run) {
        line("host", described(host));
    }
    let qemu = if environment.qemu.is_empty() { "no QEMU" } else { &environment.qemu };
    line("guests", format!("{}; {qemu}", accelerator(environment)));
    kernels(model).iter().for_each(|names| line("kernels", names.clone()));
    let asked = run.hardware.iter().map(|(name, asked)| format!("{name}: {}", asked.join("; ")));
    asked.zip(["hardware"].into_iter().chain(iter::repeat(""))).for_each(|(text, name)| line(name, text));
    let confidence = percent(run.confidence, Rounding::Nearest);
    let tolerated = run.tolerance.map(|share| {
        let share = percent(share, Rounding::Nearest);
        format!(
            "; surely more than {share} of a cell's trials that its scenario does not expect are an alert"
        )
    });
    let tolerated = tolerated.unwrap_or_default();
    lock(model)
        .into_iter()
        .zip(["lock"].into_iter().chain(iter::repeat("")))
        .for_each(|(text, name)| line(name, text));
    line("judged", format!("intervals at {confidence}, the boot as their unit, {}{tolerated}", margins(run)));
}

/// Whether the parts of a merged run ran on several machines.
fn has_machines(run: &RunSummary) -> bool {
    run.parts.iter().any(|part| part.machine != run.parts[0].machine)
}

/// So many parts are named; the others are in report.json.
const PARTS: usize = 12;

/// The runs that it was merged from, and their machines where there are several.
fn parts(run: &RunSummary) -> Vec<(&'static str, String)> {
    if run.parts.is_empty() {
        return Vec::new();
    }
    let several_machines = has_machines(run);
    let one = |part: &PartSummary| {
        let shard = part.shard.map(|shard| format!(" shard {shard}")).unwrap_or_default();
        let machine = if several_machines { format!(" on @{}", part.machine) } else { String::new() };
        let end = if part.complete { "" } else { " (NOT COMPLETE)" };
        format!("{}{shard}{machine}{end}", part.id)
    };
    let mut named: Vec<String> = run.parts.iter().take(PARTS).map(one).collect();
    if run.parts.len() > PARTS {
        named.push(format!("{} more", run.parts.len() - PARTS));
    }
    let mut lines = vec![("merged", format!("from {}", list(&named)))];
    if several_machines {
        let mut told: BTreeMap<&str, &Host> = BTreeMap::new();
        run.parts.iter().for_each(|part| _ = told.entry(&part.machine).or_insert(&part.environment.host));
        let names = iter::once("hosts").chain(iter::repeat(""));
        let of_each = told.into_iter().map(|(machine, host)| format!("@{machine}: {}", described(host)));
        lines.extend(names.zip(of_each));
    }
    lines
}

fn described(host: &Host) -> String {
    let (cpus, memory) = (several(host.cpus as usize, "CPU"), count(host.memory_mib));
    let (kernel, cpu) = (&host.kernel, &host.cpu);
    format!("{}; Linux {kernel}, {cpu}, {cpus}, {memory} MiB", ground(host))
}

/// `6.1 (linux-image-6.1.0-32-cloud-amd64 6.1.129-1) and 6.12 (not played)`: the tables have room for the name only. The release is said where the
/// package is not known, or is not named after it.
fn kernels(model: &ReportModel) -> Option<String> {
    let mut kernels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for cell in &model.cells {
        let releases = kernels.entry(&cell.kernel).or_default();
        releases.extend(cell.kernel_release.split(", ").filter(|release| !release.is_empty()));
    }
    let names = kernels.into_iter().map(|(name, releases)| {
        let package = model.run.kernel_packages.get(name).map(String::as_str);
        let unsaid = |release: &&str| !package.is_some_and(|package| package.contains(release));
        let played = !releases.is_empty();
        let said = releases.into_iter().filter(unsaid).chain(package.filter(|_| played)).map(str::to_owned);
        // A package is known by its version; what one has built oneself by its bytes alone.
        let own = model.run.kernel_files.get(name).filter(|file| file.own && played);
        let said: Vec<String> = said.chain(own.map(|file| format!("sha256 {:.12}", file.sha256))).collect();
        format!("{name} ({})", if played { said.join(", ") } else { "not played".to_owned() })
    });
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| list(&names))
}

/// So many deviations from the lock are told; the others are in report.json.
const DEVIATIONS: usize = 12;

/// Whether it was played as it was planned, and in what it was not.
fn lock(model: &ReportModel) -> Vec<String> {
    let Some(locked) = &model.locked else { return Vec::new() };
    let of = format!("sha256 {}, written {}", locked.sha256, locked.written);
    if locked.as_locked {
        return vec![format!("as locked ({of})")];
    }
    let all = locked.deviations.len();
    let mut lines = vec![format!("NOT as locked ({of}): {}", several(all, "deviation"))];
    lines.extend(locked.deviations.iter().take(DEVIATIONS).map(|deviation| format!("{deviation}")));
    if all > DEVIATIONS {
        lines.push(format!("and {} more, in report.json", all - DEVIATIONS));
    }
    lines
}

/// The margins, those that are equal together; in one word where all are.
fn margins(run: &RunSummary) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for (question, margin) in &run.margins {
        let margin = percent(*margin, Rounding::Nearest);
        let name = errno_word(*question);
        match groups.iter_mut().find(|(known, _)| *known == margin) {
            Some((_, names)) => names.push(name),
            None => groups.push((margin, vec![name])),
        }
    }
    let of = |(margin, names): &(String, Vec<&str>)| match groups.len() {
        1 => margin.clone(),
        _ => format!("{margin} ({})", list(names)),
    };
    let all: Vec<String> = groups.iter().map(of).collect();
    format!(
        "rates are the same where no difference is shown and none can be larger than {}",
        all.join(" or ")
    )
}

fn ground(host: &Host) -> String {
    match Ground::of(host) {
        Ground::Metal => "bare metal".to_owned(),
        Ground::NotKnown => "bare metal or virtual: not known".to_owned(),
        Ground::Virtual(hypervisor) => format!("NOT bare metal: itself a virtual machine ({hypervisor})"),
    }
}

fn accelerator(environment: &Environment) -> String {
    let name = match RanOn::of(&environment.accelerator) {
        RanOn::Tcg => "emulated (TCG), not KVM",
        RanOn::Kvm => "KVM",
        RanOn::NotKnown => "no accelerator recorded",
        RanOn::Other(other) => other,
    };
    let reason = &environment.accelerator_reason;
    if reason.is_empty() { name.to_owned() } else { format!("{name} ({reason})") }
}
