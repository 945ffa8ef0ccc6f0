//! What the rig itself costs: the benchmarks that were asked for, each in an enclosure as a run is.
//!
//! Holds what a guest for them is made of. Must not print. Units: with each figure.
//! Errors: [`CampaignError`]; what cannot be measured here is skipped with its reason. Tests: `tests/trouble/bench.rs`.

use crate::bench::{self, Benchmark, BootKit, Findings, Pace};
use crate::image::{Cache, GuestKeys, Image, Recipes, any_built};
use crate::machine::qemu;
use crate::process::{self, QEMU};

use super::accelerator::accelerator;
use super::error::CampaignError;

/// Measures what was asked for, or everything; `tell` hears of each before it begins.
///
/// # Errors
/// There is no enclosure, or a benchmark that began cannot go on.
pub fn measure(
    asked: &[Benchmark],
    pace: Pace,
    tell: &mut dyn FnMut(Benchmark),
) -> Result<Vec<Findings>, CampaignError> {
    let image = an_image();
    process::enclose()?;
    let mut findings = Vec::new();
    for benchmark in Benchmark::ALL.into_iter().filter(|one| asked.is_empty() || asked.contains(one)) {
        tell(benchmark);
        let boot = match benchmark {
            Benchmark::Boot => kit(image.clone())?,
            Benchmark::Middlebox | Benchmark::Capture | Benchmark::Testbed | Benchmark::Agent => {
                Err("not asked for".to_owned())
            }
        };
        findings.push(bench::measure(benchmark, pace, &boot)?);
    }
    Ok(findings)
}

/// Any image that is built already: a benchmark fetches nothing.
fn an_image() -> Result<Image, String> {
    qemu::program().map_err(|why| why.to_string())?;
    let cache = Cache::of_user().map_err(|error| error.to_string())?;
    any_built(&cache, &Recipes::default())
        .ok_or_else(|| "no guest image is built: `rig image build` makes them".to_owned())
}

/// What a guest is made of, or why there is none.
fn kit(image: Result<Image, String>) -> Result<Result<BootKit, String>, CampaignError> {
    let image = match image {
        Ok(image) => image,
        Err(reason) => return Ok(Err(reason)),
    };
    let (keys, loaded) = (GuestKeys::generate(), image.load()?);
    let accelerator = process::start_runtime()?.block_on(accelerator(Some(&loaded), &keys))?;
    Ok(Ok(BootKit { qemu: process::program_file(QEMU), loaded, accelerator }))
}
