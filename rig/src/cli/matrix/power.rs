//! `rig matrix plan --power`: what the comparisons of the plan can show, as a table and as JSON.
//!
//! Must not compute it. Units: trials, blocks, per cent in the table, shares of 1 in JSON. Errors: none. Tests: here, `tests/cli_input.rs`.

use std::time::Duration;

use rig_stats::Design;
use serde_json::{Value as Json, json};

use crate::analysis::words::{Rounding, count as thousands, percent, percent_number};
use crate::matrix::{Alike, Baseline, Fix, PlannedPower, Wanted};
use crate::report::{Align, Page, Table};

use super::time::minutes;

/// What is shown.
pub(super) struct Power<'s> {
    /// Of guests with bare metal.
    pub(super) of_host: PlannedPower,
    /// Of the other kernels with one of them, which are corrected for one another.
    pub(super) of_kernels: Option<(&'s Baseline, PlannedPower)>,
    /// What was asked.
    pub(super) wanted: Wanted,
}

impl Power<'_> {
    /// Adds the tables.
    pub(super) fn write(&self, out: &mut Page) {
        if self.of_host.groups.is_empty() {
            out.push_str("\n");
            out.wrap("", "no comparison: the plan has no guest with a bare-metal cell of the same scenario, parameters and path", 2);
        } else {
            shown(out, &self.of_host, "a host's");
            bounded(out, &self.of_host);
        }
        if let Some((baseline, power)) = &self.of_kernels
            && !power.groups.is_empty()
        {
            out.push_str("\n");
            out.wrap("", &format!("compared with kernel {}:", baseline.kernel()), 2);
            shown(out, power, "that kernel's");
            bounded(out, power);
        }
        if let Some(rate) = self.wanted.fix {
            fixed(out, &self.of_host, rate);
        }
    }

    /// The field `power` of the plan.
    pub(super) fn json(&self) -> Json {
        let fix = |rate: f64| {
            let of = |fix: &Fix| json!({ "block_size": fix.block_size, "needed": fix.size.map(design) });
            json!({ "rate": rate, "by_block_size": self.of_host.fixes.iter().map(of).collect::<Vec<_>>() })
        };
        let mut json = of_comparisons(&self.of_host, "host");
        json["power"] = json!(crate::matrix::POWER);
        json["fix"] = json!(self.wanted.fix.map(fix));
        if let Some((baseline, power)) = &self.of_kernels {
            json["baseline"] = of_comparisons(power, "baseline");
            json["baseline"]["kernel"] = json!(baseline.kernel());
        }
        json
    }
}

/// `2,000 in 2`, and of two sizes both.
fn size(group: &Alike) -> String {
    let of = |design: Design| format!("{} in {}", thousands(design.trials), design.blocks);
    if group.host == group.guest {
        of(group.guest)
    } else {
        format!("{} / {}", of(group.host), of(group.guest))
    }
}

fn shown(out: &mut Page, power: &PlannedPower, first: &str) {
    let mut table = Table::new([
        ("trials in blocks", Align::Left),
        ("cells", Align::Right),
        ("errno", Align::Left),
        ("rise", Align::Right),
        ("margin", Align::Right),
        ("same", Align::Left),
        ("independent", Align::Right),
        ("at icc", Align::Right),
        ("of boots", Align::Right),
        ("scenarios", Align::Left),
    ]);
    for group in &power.groups {
        let up = |share| percent_number(share, Rounding::Up);
        let scenarios: Vec<&str> = group.scenarios.iter().map(String::as_str).collect();
        table.row([
            size(group),
            thousands(group.pairs.len() as u64),
            group.questions.join(" "),
            group.rise.map_or("none".to_owned(), up),
            percent_number(group.margin, Rounding::Nearest),
            if group.same { "yes" } else { "no" }.to_owned(),
            up(group.at_most.independent),
            up(group.at_most.at_icc),
            up(group.at_most.share_of_blocks),
            scenarios.join(" "),
        ]);
    }
    out.push_str("\n");
    table.write(out, 2);
    let explained = format!(
        "per cent. rise: the smallest over {first} rate of 0 that {} comparisons together show with 80 % probability; same: whether two rates of 0 are shown to be the same within \
         the margin; then, where nothing is seen, the rate is at most: independent trials / trials of a boot alike by `icc` / share of boots that have it",
        thousands(power.comparisons as u64)
    );
    out.wrap("  ", &explained, 4);
}

fn bounded(out: &mut Page, power: &PlannedPower) {
    let mut table = Table::new([
        ("wanted bound", Align::Right),
        ("trials in blocks", Align::Left),
        ("cells", Align::Right),
        ("trials", Align::Right),
        ("blocks", Align::Right),
        ("all together", Align::Right),
    ]);
    let same = |one: &Alike, other: &Alike| {
        (one.host, one.guest, one.bound.below.to_bits())
            == (other.host, other.guest, other.bound.below.to_bits())
    };
    for (at, group) in power.groups.iter().enumerate() {
        // Of another errno: the same bound takes the same.
        if power.groups[..at].iter().any(|told| same(told, group)) {
            continue;
        }
        let bound = &group.bound;
        let of =
            |what: &dyn Fn(Design) -> u64| bound.size.map_or("none".to_owned(), |size| thousands(what(size)));
        table.row([
            percent_number(bound.below, Rounding::Nearest),
            size(group),
            thousands(group.pairs.len() as u64),
            of(&|size| size.trials),
            of(&|size| size.blocks.into()),
            bound.time.map_or_else(String::new, minutes),
        ]);
    }
    out.push_str("\n");
    table.write(out, 2);
    let explained = "for the wanted bound (per cent, at `icc`, nothing seen): trials and blocks of one cell, and the time of all cells with their hosts, one after the other (an estimate)";
    out.wrap("  ", explained, 4);
}

fn fixed(out: &mut Page, power: &PlannedPower, rate: f64) {
    out.push_str("\n");
    for Fix { block_size, size } in &power.fixes {
        let needed = match size {
            Some(Design { trials, blocks }) => {
                format!("{} trials in {} blocks", thousands(*trials), thousands(u64::from(*blocks)))
            }
            None => "no number of blocks".to_owned(),
        };
        let text = format!(
            "a fix of what was seen at a rate of {}: {needed} of up to {} trials, without a hit, show at 95 % that the rate is lower",
            percent(rate, Rounding::Nearest),
            thousands(*block_size)
        );
        out.wrap("", &text, 2);
    }
}

fn design(design: Design) -> Json {
    json!({ "trials": design.trials, "blocks": design.blocks })
}

/// Comparisons that are corrected for one another; `first` is what the cell is called that a guest's is compared with.
fn of_comparisons(power: &PlannedPower, first: &str) -> Json {
    let seconds = |time: Duration| time.as_secs();
    let group = |group: &Alike| {
        let pairs: Vec<Json> = group
            .pairs
            .iter()
            .map(|(cell, baseline)| json!({ "cell": cell, "baseline": baseline }))
            .collect();
        json!({
            "errnos": group.questions,
            "scenarios": group.scenarios,
            "pairs": pairs,
            first: design(group.host),
            "guest": design(group.guest),
            "margin": group.margin,
            "detectable": group.rise,
            "can_show_same": group.same,
            "at_most": {
                "independent": group.at_most.independent,
                "at_icc": group.at_most.at_icc,
                "share_of_blocks": group.at_most.share_of_blocks,
            },
            "bound": {
                "below": group.bound.below,
                "cell": group.bound.size.map(design),
                "estimated_seconds": group.bound.time.map(seconds),
            },
        })
    };
    json!({
        "comparisons": power.comparisons,
        "level": power.level,
        "groups": power.groups.iter().map(group).collect::<Vec<_>>(),
    })
}
