//! Cells of any scenario, whose trials end as a test says.

use std::sync::Arc;

use rig::matrix::CellId;
use rig_protocol::{Histogram, TcpState};

use crate::fixture::{Bench, Play, cell};
use crate::reports::{model, render};

/// A cell of blocks that end alike.
pub(crate) struct Made {
    pub(crate) scenario: &'static str,
    pub(crate) place: (&'static str, &'static str),
    pub(crate) path: &'static str,
    pub(crate) parameters: &'static [(&'static str, &'static str)],
    pub(crate) expect: &'static [&'static str],
    pub(crate) blocks: u32,
    /// Of each block.
    pub(crate) outcomes: Vec<(&'static str, u64)>,
    /// How long each verdict call took.
    pub(crate) call_ns: u64,
    /// Whether a TCP state of CLOSE was read before each of them.
    pub(crate) closed: bool,
}

impl Made {
    pub(crate) fn new(
        scenario: &'static str,
        place: (&'static str, &'static str),
        outcomes: &[(&'static str, u64)],
    ) -> Self {
        let outcomes = outcomes.to_vec();
        Self {
            scenario,
            place,
            path: "plain",
            parameters: &[],
            expect: &["**"],
            blocks: 1,
            outcomes,
            call_ns: 2_000,
            closed: true,
        }
    }

    /// Plans it.
    fn plan(&self, bench: &mut Bench) -> CellId {
        let mut cell = cell(Play::NoFault, self.place.0, self.place.1);
        let mut script = (*cell.subject.script).clone();
        self.scenario.clone_into(&mut script.name);
        script.expect = self.expect.iter().map(|one| (*one).to_owned()).collect();
        let subject = &mut cell.subject;
        subject.script = Arc::new(script);
        self.scenario.clone_into(&mut subject.scenario);
        self.path.clone_into(&mut subject.path.name);
        subject.parameters =
            self.parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        cell.id = subject.id();
        cell.control = None;
        let block: u64 = self.outcomes.iter().map(|(_, n)| n).sum();
        (cell.blocks, cell.trials) = (self.blocks, u64::from(self.blocks) * block);
        let id = cell.id.clone();
        bench.plan(cell);
        id
    }
}

/// A run of these cells alone.
pub(crate) fn run_of(cells: &[Made]) -> Bench {
    let mut bench = Bench::new("20261126-200000-0014", &[]);
    let ids: Vec<CellId> = cells.iter().map(|one| one.plan(&mut bench)).collect();
    bench.play_all();
    for (one, id) in cells.iter().zip(ids) {
        for (block, _) in bench.blocks.iter_mut().filter(|(block, _)| block.cell == id) {
            let tally = &mut block.tally;
            tally.outcomes = one.outcomes.iter().map(|(outcome, n)| ((*outcome).to_owned(), *n)).collect();
            tally.state_before = [(if one.closed { TcpState::CLOSE.0 } else { 1 }, tally.trials)].into();
            let mut call = Histogram::default();
            (0..tally.trials).for_each(|_| call.record(one.call_ns));
            tally.latency.insert("call".into(), call);
        }
    }
    bench
}

/// One section of the report for people, with its heading.
pub(crate) fn section(bench: &Bench, heading: &str) -> String {
    let text = render(&model(bench), "text");
    let begin = text.find(heading).unwrap_or_else(|| panic!("no {heading:?} in {text}"));
    let section = &text[begin..];
    let end = section.find("\n\n").map_or(section.len(), |end| end + 1);
    section[..end].to_owned()
}

/// Whether the report for people has it.
pub(crate) fn has_section(bench: &Bench, heading: &str) -> bool {
    render(&model(bench), "text").contains(heading)
}
