//! Measures the instrument itself: what the rig costs, beside a peer or a named limit, in the same run on the same machine.
//!
//! Holds the benchmarks, one file each, and the form of what they find. Must not judge: there is no pass or fail, only figures.
//! Rounds alternate between the things that are compared, so that another load of the machine does not fall on one of them alone.
//! Units: with each figure. Errors: [`BenchError`]; it blames the host. Tests: below; `tests/trouble/bench.rs` (root).

mod agent;
mod boot;
mod forwarding;
mod plain_loop;
mod testbed;
mod text;
mod wire;

use std::io;
use std::time::Duration;

use miette::Diagnostic;
use serde::Serialize;
use thiserror::Error;

pub use boot::BootKit;
pub use text::render;

use crate::agent::AgentError;
use crate::machine::HostError;
use crate::machine::qemu::GuestError;
use crate::middlebox::MiddleboxError;
use crate::testbed::TestbedError;

/// One thing that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Benchmark {
    /// Forwarding by the own middlebox.
    Middlebox,
    /// Forwarding while packets are captured.
    Capture,
    /// Making a block's network.
    Testbed,
    /// Trials per second.
    Agent,
    /// Start-up of a guest.
    Boot,
}

impl Benchmark {
    /// All, in the order in which they are measured.
    pub const ALL: [Self; 5] = [Self::Middlebox, Self::Capture, Self::Testbed, Self::Agent, Self::Boot];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Middlebox => "middlebox",
            Self::Capture => "capture",
            Self::Testbed => "testbed",
            Self::Agent => "agent",
            Self::Boot => "boot",
        }
    }

    /// What is measured, beside what.
    pub fn about(self) -> &'static str {
        match self {
            Self::Middlebox => {
                "UDP datagrams of 18 bytes between two namespaces: through the own middlebox, and through a bridge of the kernel"
            }
            Self::Capture => {
                "the same through a bridge of the kernel, with and without a capture at both ends"
            }
            Self::Testbed => {
                "the network of a block, made and taken down: with a veth, with a tap, and three empty namespaces alone"
            }
            Self::Agent => {
                "the base program without its sleeps, over loopback: the agent with 32 and with 1 trial under way, and a plain loop of two threads"
            }
            Self::Boot => {
                "a guest, from QEMU's start until it says that it is ready: machine types q35 and pc"
            }
        }
    }
}

/// How long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A minute or two: figures to compare.
    Full,
    /// Some seconds: whether it works.
    Quick,
}

impl Pace {
    fn rounds(self) -> usize {
        match self {
            Self::Full => 7,
            Self::Quick => 3,
        }
    }

    fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full => full,
            Self::Quick => quick,
        }
    }
}

/// A quantity, over all rounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// `middlebox: packets`
    pub name: String,
    /// Of all three.
    pub unit: &'static str,
    /// Smallest.
    pub min: f64,
    /// Middle; the lower of two.
    pub median: f64,
    /// Largest.
    pub max: f64,
    /// How many there were.
    pub rounds: usize,
}

/// Two quantities of the same rounds, divided round by round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    /// What is divided.
    pub of: String,
    /// By what: a peer that was measured in the same round, or a limit that has a name.
    pub to: String,
    /// Smallest.
    pub min: f64,
    /// Middle; the lower of two.
    pub median: f64,
    /// Largest.
    pub max: f64,
}

/// What one benchmark found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// Which.
    pub name: &'static str,
    /// What was measured.
    pub about: &'static str,
    /// Why it was not, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What must be known to read the figures: what executed a guest, what was left out.
    pub notes: Vec<String>,
    /// In the order of measuring.
    pub figures: Vec<Figure>,
    /// Beside a peer or a limit.
    pub ratios: Vec<Ratio>,
}

impl Findings {
    fn new(benchmark: Benchmark) -> Self {
        Self {
            name: benchmark.name(),
            about: benchmark.about(),
            skipped: None,
            notes: vec![],
            figures: vec![],
            ratios: vec![],
        }
    }

    fn skipped(benchmark: Benchmark, reason: impl Into<String>) -> Self {
        Self { skipped: Some(reason.into()), ..Self::new(benchmark) }
    }

    fn figure(&mut self, name: impl Into<String>, unit: &'static str, rounds: &[f64]) {
        let Spread { min, median, max } = Spread::of(rounds);
        self.figures.push(Figure { name: name.into(), unit, min, median, max, rounds: rounds.len() });
    }

    /// Round by round.
    fn ratio(&mut self, of: impl Into<String>, to: impl Into<String>, rounds: &[f64], peer: &[f64]) {
        let divided: Vec<f64> = rounds.iter().zip(peer).map(|(one, other)| one / other).collect();
        let Spread { min, median, max } = Spread::of(&divided);
        self.ratios.push(Ratio { of: of.into(), to: to.into(), min, median, max });
    }

    fn limit(&mut self, of: impl Into<String>, to: impl Into<String>, rounds: &[f64], limit: f64) {
        self.ratio(of, to, rounds, &vec![limit; rounds.len()]);
    }
}

struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(rounds: &[f64]) -> Self {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self { min: at(0), median: at(last / 2), max: at(last) }
    }
}

/// Why something could not be measured.
#[derive(Debug, Error, Diagnostic)]
pub enum BenchError {
    /// No network.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Testbed(#[from] TestbedError),
    /// No middlebox.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Middlebox(#[from] MiddleboxError),
    /// No agent.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Host(#[from] HostError),
    /// An agent that ended badly.
    #[error("the agent cannot be measured")]
    #[diagnostic(help("`rig scenario run rst` plays the same program and says more"))]
    Agent(#[from] AgentError),
    /// No guest.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Guest(#[from] GuestError),
    /// A system call of the measurement itself.
    #[error("cannot {step}")]
    #[diagnostic(help("the host may be overloaded, or out of descriptors or memory: see `ulimit -a`"))]
    Step {
        /// What it tried.
        step: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A measurement that did not come to its end.
    #[error("nothing came through within {} s: {what}", .within.as_secs())]
    #[diagnostic(help("`rig doctor` says what does not function here"))]
    Stuck {
        /// What was waited for.
        what: &'static str,
        /// How long.
        within: Duration,
    },
}

fn step(step: &'static str) -> impl FnOnce(io::Error) -> BenchError {
    move |source| BenchError::Step { step, source }
}

/// Measures one thing. `boot` is what a guest is made of, or why there is none. Blocks for seconds.
///
/// # Errors
/// [`BenchError`]; what cannot be measured here for a known reason is skipped instead, and says why.
pub fn measure(
    benchmark: Benchmark,
    pace: Pace,
    boot: &Result<BootKit, String>,
) -> Result<Findings, BenchError> {
    match benchmark {
        Benchmark::Middlebox => forwarding::measure_middlebox(pace),
        Benchmark::Capture => forwarding::measure_capture(pace),
        Benchmark::Testbed => testbed::measure(pace),
        Benchmark::Agent => agent::measure(pace),
        Benchmark::Boot => match boot {
            Ok(kit) => boot::measure(pace, kit),
            Err(reason) => Ok(Findings::skipped(Benchmark::Boot, reason)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_ratios_are_of_the_rounds() {
        let mut findings = Findings::new(Benchmark::Testbed);
        let (one, other) = ([4.0, 1.0, 9.0], [2.0, 1.0, 3.0]);
        findings.figure("one", "ms", &one);
        findings.ratio("one", "other", &one, &other);
        findings.limit("one", "the promised 2 ms", &one, 2.0);
        let Figure { min, median, max, rounds, .. } = findings.figures[0].clone();
        assert_eq!((min, median, max, rounds), (1.0, 4.0, 9.0, 3));
        let spreads: Vec<_> =
            findings.ratios.iter().map(|ratio| (ratio.min, ratio.median, ratio.max)).collect();
        // Each round by its own peer: not the smallest by the largest.
        assert_eq!(spreads, [(1.0, 2.0, 3.0), (0.5, 2.0, 4.5)]);
    }

    #[test]
    fn names_are_told_apart() {
        let mut names = Benchmark::ALL.map(Benchmark::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Benchmark::ALL.len());
    }
}
