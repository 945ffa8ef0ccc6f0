//! Which run it was, where it ran, and by what it is judged.
//!
//! Must not know what was found. Units: per cent, MiB. Errors: none. Tests: golden reports.

use crate::analysis::model::{Ground, RanOn, ReportModel};
use crate::analysis::words::{Rounding, count, percent, several};
use crate::record::format::{Environment, Host};

use super::super::table::wrap;

pub(super) fn write(out: &mut String, model: &ReportModel) {
    let (run, environment) = (&model.run, &model.environment);
    let host = &environment.host;
    let complete = if run.complete { "complete" } else { "NOT COMPLETE" };
    out.push_str(&format!("rig run {} ({complete})\n", run.id));
    let mut line = |name: &str, text: String| wrap(out, &format!("  {name:<8} "), &text, 11);
    let profile = if run.profile.is_empty() { String::new() } else { format!(", profile {}", run.profile) };
    line("started", format!("{}{profile}, seed {}, rig {}", run.started, run.seed, run.rig_version));
    let (cpus, memory) = (several(host.cpus as usize, "CPU"), count(host.memory_mib));
    let (kernel, cpu) = (&host.kernel, &host.cpu);
    line("host", format!("{}; Linux {kernel}, {cpu}, {cpus}, {memory} MiB", ground(host)));
    let qemu = if environment.qemu.is_empty() { "no QEMU" } else { &environment.qemu };
    line("guests", format!("{}; {qemu}", accelerator(environment)));
    let (confidence, margin) =
        (percent(run.confidence, Rounding::Nearest), percent(run.margin, Rounding::Nearest));
    line(
        "judged",
        format!(
            "intervals at {confidence} (Clopper-Pearson), rates within {margin} of each other are the same"
        ),
    );
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
