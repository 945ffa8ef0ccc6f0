//! Measures the instrument itself: what the rig costs, beside a peer or a named limit, in the same run on the same machine.
//!
//! Holds the benchmarks, one file each. Must not judge: there is no pass or fail, only figures.
//! Rounds alternate between the things that are compared, so that another load of the machine does not fall on one of them alone.
//! Units: with each figure. Errors: [`BenchError`]; it blames the host. Tests: beside the modules; `tests/trouble/bench.rs` (root).

mod agent;
mod benchmark;
mod boot;
mod error;
mod findings;
mod forwarding;
mod network;
mod plain_loop;
mod testbed;
mod text;
mod wire;

pub use benchmark::{Benchmark, Pace};
pub use boot::BootKit;
pub use error::BenchError;
pub use findings::{Figure, Findings, Ratio};
pub use text::render;

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
