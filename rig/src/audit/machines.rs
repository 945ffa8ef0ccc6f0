//! The cells of a merged run as each of its machines has them.
//!
//! A guest is compared with the host of its own machine: where the parts of a run had several, a cell is as many cells, each named after its machine. Must not know figures.
//! Units: none. Errors: none. Tests: `tests/golden/merged`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::cell::text;
use super::files::Files;
use super::sums::whole;

/// Names cells, blocks and attempts after their machines, where there are several.
pub(super) fn tell_apart(files: &mut Files) {
    let parts = files.run["parts"].as_array().cloned().unwrap_or_default();
    let of_part: BTreeMap<&str, String> =
        parts.iter().map(|part| (text(&part["id"]), machine(&part["environment"]))).collect();
    let machines: BTreeSet<&String> = of_part.values().collect();
    if machines.len() < 2 {
        return;
    }
    let blocks = files.run["blocks"].as_array().cloned().unwrap_or_default();
    let of_block: BTreeMap<&str, &String> = blocks
        .iter()
        .filter_map(|block| Some((text(&block["id"]), of_part.get(text(&block["source"]["run"]))?)))
        .collect();
    let mut cells = Vec::new();
    for cell in files.run["cells"].as_array().into_iter().flatten() {
        for machine in &machines {
            let is_on = |part: &&Value| of_part.get(text(&part["id"])) == Some(*machine);
            let planned = blocks.iter().filter(|block| {
                block["cell"] == cell["id"] && of_block.get(text(&block["id"])) == Some(machine)
            });
            let (count, trials) =
                planned.fold((0, 0), |(count, trials), block| (count + 1, trials + whole(&block["trials"])));
            let skip = parts.iter().filter(is_on).find_map(|part| part["skipped"].get(text(&cell["id"])));
            let mut own = named(cell, machine);
            match (count, skip) {
                (0, None) => continue,
                (0, Some(skip)) => own["skipped"] = skip["reason"].clone(),
                _ => {
                    (own["trials"], own["blocks"]) = (json!(trials), json!(count));
                    own["skipped"] = Value::Null;
                }
            }
            cells.push(own);
        }
    }
    files.run["cells"] = Value::Array(cells);
    for block in files.run["blocks"].as_array_mut().into_iter().flatten() {
        rename(block, &of_block);
    }
    for attempt in &mut files.attempts {
        rename(&mut attempt.block, &of_block);
    }
}

fn rename(block: &mut Value, of_block: &BTreeMap<&str, &String>) {
    if let Some(machine) = of_block.get(text(&block["id"])) {
        block["cell"] = Value::from(format!("{}.{machine}", text(&block["cell"])));
    }
}

/// A cell of one machine.
fn named(cell: &Value, machine: &str) -> Value {
    let mut own = cell.clone();
    own["id"] = Value::from(format!("{}.{machine}", text(&cell["id"])));
    own["machine"] = Value::from(machine);
    let name = format!("{}@{machine}", text(&cell["configuration"]["name"]));
    own["configuration"]["name"] = Value::from(name);
    if let Some(repeats) = cell["repeats"].as_str() {
        own["repeats"] = Value::from(format!("{repeats}.{machine}"));
    }
    own
}

/// The digest of what was recorded of a machine, but for the words about its accelerator.
fn machine(environment: &Value) -> String {
    let mut environment = environment.clone();
    if let Some(fields) = environment.as_object_mut() {
        fields.remove("accelerator_reason");
    }
    let digest = Sha256::digest(environment.to_string());
    digest[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}
