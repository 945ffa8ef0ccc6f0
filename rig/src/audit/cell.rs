//! A cell of the plan with what counts of its blocks, from the trees of the files.
//!
//! Holds which attempts count, and what a cell is for. Must not judge. Units: counts. Errors: none. Tests: `tests/golden/audited.rs`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::files::{Files, Played};
use super::labels::expects;
use super::number::Tries;
use super::sums::{Counts, Sums, more, total, whole};

/// A plan may ask for more trials than can ever be played: of these void ones are counted up to here.
const MOST_TRIALS: u64 = 1 << 44;
/// The claim that the base program tests.
const BASE_CLAIM: &str = "H03";

/// A cell and its blocks.
pub(super) struct Cell<'f> {
    /// As `run.json` has it.
    pub(super) plan: &'f Value,
    pub(super) id: &'f str,
    pub(super) parameters: BTreeMap<&'f str, &'f str>,
    /// The blocks that count, by name: of each the last attempt that is complete.
    pub(super) blocks: Vec<Block<'f>>,
    /// The attempts that do not.
    pub(super) not_counted: Vec<Block<'f>>,
    pub(super) sums: Sums,
    pub(super) peer: Sums,
    pub(super) void_reasons: Counts,
}

/// An attempt at a block.
pub(super) struct Block<'f> {
    pub(super) file: &'f str,
    pub(super) tree: &'f Value,
    pub(super) sums: Sums,
    /// Trials planned.
    pub(super) planned: u64,
    pub(super) round: u64,
    pub(super) is_aborted: bool,
}

impl Block<'_> {
    /// The boot that it was played in; where it shared none, or had none, its own name.
    pub(super) fn boot(&self) -> &str {
        text(self.tree["boot"].get("name").unwrap_or(&self.tree["id"]))
    }
}

/// A text; nothing for all else.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// All cells, in the order of the plan.
pub(super) fn cells<'f>(files: &'f Files) -> Vec<Cell<'f>> {
    let mut planned: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
    for block in files.run["blocks"].as_array().into_iter().flatten() {
        planned.entry(text(&block["cell"])).or_default().insert(text(&block["id"]), block);
    }
    let mut played: BTreeMap<&str, Vec<&Played>> = BTreeMap::new();
    for attempt in &files.attempts {
        played.entry(text(&attempt.block["cell"])).or_default().push(attempt);
    }
    let plans = files.run["cells"].as_array().into_iter().flatten();
    let cell = |plan: &'f Value| {
        let id = text(&plan["id"]);
        Cell::of(plan, &planned.remove(id).unwrap_or_default(), &played.remove(id).unwrap_or_default())
    };
    plans.map(cell).collect()
}

impl<'f> Cell<'f> {
    fn of(plan: &'f Value, planned: &BTreeMap<&'f str, &'f Value>, attempts: &[&'f Played]) -> Self {
        let mut counted: BTreeMap<&str, Block<'f>> = BTreeMap::new();
        let (mut not_counted, mut void_reasons) = (Vec::new(), Counts::new());
        for Played { file, block: tree } in attempts {
            let Some(in_plan) = planned.get(text(&tree["id"])) else { continue };
            let mut sums = Sums::default();
            sums.add(&tree["tally"]);
            let (status, wanted) = (text(&tree["status"]), whole(&in_plan["trials"]).min(MOST_TRIALS));
            let is_aborted = status == "aborted";
            let void = match status {
                "void" => Some(text(&tree["reason"]).to_owned()),
                _ if sums.trials > wanted => {
                    Some(format!("it has {} trials, {wanted} were planned", sums.trials))
                }
                _ => None,
            };
            let round = whole(&in_plan["round"]);
            let block = Block { file: file.as_str(), tree, sums, planned: wanted, round, is_aborted };
            match void {
                _ if is_aborted => not_counted.push(block),
                None => _ = counted.insert(text(&tree["id"]), block),
                Some(reason) => {
                    not_counted.push(block);
                    more(void_reasons.entry(format!("block: {reason}")).or_default(), wanted);
                }
            }
        }
        let blocks: Vec<Block<'f>> = counted.into_values().collect();
        let (mut sums, mut peer) = (Sums::default(), Sums::default());
        for block in &blocks {
            sums.add(&block.tree["tally"]);
            peer.add(&block.tree["peer_tally"]);
        }
        for (reason, n) in &sums.voids {
            more(void_reasons.entry(reason.clone()).or_default(), *n);
        }
        let parameters = plan["parameters"].as_object().into_iter().flatten();
        let parameters = parameters.map(|(name, value)| (name.as_str(), text(value))).collect();
        Self { plan, id: text(&plan["id"]), parameters, blocks, not_counted, sums, peer, void_reasons }
    }

    pub(super) fn scenario(&self) -> &'f str {
        text(&self.plan["scenario"])
    }

    pub(super) fn path(&self) -> &'f str {
        text(&self.plan["path"]["name"])
    }

    pub(super) fn kernel(&self) -> &'f str {
        text(&self.plan["kernel"])
    }

    pub(super) fn configuration(&self) -> &'f str {
        text(&self.plan["configuration"]["name"])
    }

    pub(super) fn is_baseline(&self) -> bool {
        self.plan["configuration"]["kind"] == "host"
    }

    pub(super) fn is_proxied(&self) -> bool {
        let backend = &self.plan["configuration"]["hardware"]["nic"]["backend"];
        ["user", "passt"].iter().any(|proxy| backend == proxy)
    }

    pub(super) fn is_skipped(&self) -> bool {
        !self.plan["skipped"].is_null()
    }

    pub(super) fn is_control(&self) -> bool {
        !self.plan["control"].is_null()
    }

    pub(super) fn is_repeat(&self) -> bool {
        !self.plan["repeats"].is_null()
    }

    /// Whether a difference is news.
    pub(super) fn is_news(&self) -> bool {
        self.plan["alert"] != false
    }

    /// Why it is known that trials end otherwise.
    pub(super) fn known(&self) -> Option<&'f str> {
        self.plan["known"].as_str()
    }

    pub(super) fn wanted(&self) -> u64 {
        whole(&self.plan["trials"])
    }

    /// What the machine is, without /etc/localtime and TZ, its kernel, and which of several hosts it was on: where controls prove something.
    pub(super) fn place(&self) -> (Value, &'f str, &'f str) {
        let mut machine = self.plan["configuration"].clone();
        if let Some(all) = machine.as_object_mut() {
            all.remove("name");
        }
        if let Some(hardware) = machine["hardware"].as_object_mut() {
            hardware.remove("localtime");
            hardware.remove("timezone");
        }
        (machine, self.kernel(), self.machine())
    }

    /// Which of several machines it was measured on; nothing where there is one.
    pub(super) fn machine(&self) -> &'f str {
        text(&self.plan["machine"])
    }

    /// Whether /etc/localtime is missing, and TZ.
    pub(super) fn arm(&self) -> (bool, Option<&'f str>) {
        let hardware = &self.plan["configuration"]["hardware"];
        (hardware["localtime"] == "absent", hardware["timezone"].as_str())
    }

    /// What a guest's cell shares with its cell on bare metal.
    pub(super) fn stratum(&self) -> Stratum<'f> {
        (self.scenario(), self.parameters.clone(), self.path(), self.arm(), self.machine())
    }

    /// What it shares with a cell that differs from it in the kernel only.
    pub(super) fn but_for_kernel(&self) -> (&'f str, BTreeMap<&'f str, &'f str>, &'f str, &'f str) {
        (self.scenario(), self.parameters.clone(), self.path(), self.configuration())
    }

    /// Whether it boots a disk, whose kernel is not of the axis.
    pub(super) fn has_disk(&self) -> bool {
        !self.plan["configuration"]["hardware"]["disk"].is_null()
    }

    /// The cells that tell together how much blocks differ.
    pub(super) fn family(&self) -> (&'f str, &'f str) {
        (self.scenario(), self.path())
    }

    pub(super) fn void(&self) -> u64 {
        total(&self.void_reasons)
    }

    /// Whether it has a trial that counts.
    pub(super) fn is_run(&self) -> bool {
        !self.is_skipped() && self.sums.trials > 0
    }

    /// What executed its blocks.
    pub(super) fn accelerators(&self) -> BTreeSet<&str> {
        let names = self.blocks.iter().map(|block| text(&block.tree["target"]["accelerator"]));
        names.filter(|name| !name.is_empty()).collect()
    }

    /// What is asked, of each block that has a trial.
    pub(super) fn by_block(&self, of: impl Fn(&Sums) -> Tries) -> Vec<Tries> {
        self.blocks.iter().map(|block| of(&block.sums)).filter(|tries| tries.of > 0).collect()
    }

    /// Whether somebody records what the verdict call of a user's program returns.
    pub(super) fn is_watched(&self) -> bool {
        self.plan["script"]["program"].is_null() || self.plan["script"]["program"]["witness"] != "none"
    }

    fn lanes(&self) -> impl Iterator<Item = &'f Vec<Value>> {
        let lanes = self.plan["script"]["lanes"].as_array().into_iter().flatten();
        lanes.filter(|lane| lane["side"] == "target").filter_map(|lane| lane["steps"].as_array())
    }

    /// The steps before the verdict step of each lane of the target: all where it has none.
    fn before_the_verdict(&self) -> impl Iterator<Item = &'f [Value]> {
        self.lanes().map(|steps| {
            let verdict = steps.iter().position(|step| step["verdict"] == true);
            &steps[..verdict.unwrap_or(steps.len())]
        })
    }

    /// How many labels stand before the verdict step's in an outcome.
    pub(super) fn labels_before_the_verdict(&self) -> usize {
        let has_verdict = |steps: &&Vec<Value>| steps.iter().any(|step| step["verdict"] == true);
        let steps = self.lanes().find(has_verdict).map_or(&[][..], Vec::as_slice);
        let before = steps.iter().take_while(|step| step["verdict"] != true);
        before.filter(|step| step["outcome"] == true).count()
    }

    /// Names of all operations of its script.
    pub(super) fn operations(&self) -> BTreeSet<&'f str> {
        let lanes = self.plan["script"]["lanes"].as_array().into_iter().flatten();
        let steps = lanes.filter_map(|lane| lane["steps"].as_array()).flatten();
        steps.map(|step| text(&step["operation"])).collect()
    }

    /// Whether its script arms a filter that returns an errno. (Its steps have numbers of errnos, and the plan has names.)
    pub(super) fn injects(&self) -> bool {
        self.operations().contains("inject")
    }

    /// The patterns of outcomes that its scenario expects: `expect`, or `expect_peer`.
    pub(super) fn expected(&self, key: &str) -> Vec<&'f str> {
        self.plan["script"][key].as_array().into_iter().flatten().map(text).collect()
    }

    /// Whether its scenario expects this outcome.
    pub(super) fn expects(&self, outcome: &str) -> bool {
        expects(&self.expected("expect"), outcome)
    }

    /// Whether it measures what the kernel does: no control, no race, and no script that closes a descriptor, or makes a number that names none, before the verdict.
    pub(super) fn is_plain(&self) -> bool {
        let names_none = |step: &Value| match text(&step["operation"]) {
            "close" | "number" | "open_path" | "dup" => true,
            "signal" => step["arguments"]["handler"] == "close",
            _ => false,
        };
        let closes = self.before_the_verdict().any(|steps| steps.iter().any(names_none));
        !self.is_control() && self.is_news() && !closes
    }

    /// Whether it plays the base program.
    pub(super) fn is_of_the_base_program(&self) -> bool {
        self.plan["claims"].as_array().is_some_and(|claims| claims.iter().any(|id| id == BASE_CLAIM))
    }

    /// The files that its figures come from.
    pub(super) fn files(&self) -> Vec<String> {
        let all = self.blocks.iter().chain(&self.not_counted);
        all.map(|block| block.file.to_owned()).collect()
    }
}

/// Scenario, parameters, path, whether /etc/localtime is missing, with TZ, and the machine.
pub(super) type Stratum<'f> =
    (&'f str, BTreeMap<&'f str, &'f str>, &'f str, (bool, Option<&'f str>), &'f str);

/// What is asked of several cells together, boot by boot: blocks of one boot are one count.
pub(super) fn by_boot(cells: &[&Cell<'_>], of: impl Fn(&Sums) -> Tries) -> Vec<Tries> {
    let mut boots: BTreeMap<&str, Tries> = BTreeMap::new();
    for block in cells.iter().flat_map(|cell| &cell.blocks) {
        let boot = boots.entry(block.boot()).or_default();
        *boot = Tries::sum(&[*boot, of(&block.sums)]);
    }
    boots.into_values().filter(|tries| tries.of > 0).collect()
}

/// What is asked of several cells together.
pub(super) fn together(cells: &[&Cell<'_>], of: impl Fn(&Sums) -> Tries) -> Tries {
    Tries::sum(&cells.iter().map(|cell| of(&cell.sums)).collect::<Vec<_>>())
}
