//! `rig doctor`

use std::path::Path;

use serde::Serialize;

use super::image::Format;
use super::streams::say;
use super::{Exit, Failure};
use crate::campaign::accelerator;
use crate::capability::{Capability, Need, State, guests_can_run, host, look, machine};
use crate::configuration::Engine;
use crate::image::{Cache, GuestKeys, Image, Recipes, any_built, apt::Apt, build};
use crate::process;

/// Arguments of `rig doctor`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// `rig doctor --format json`
#[derive(Debug, Serialize)]
struct Answer<'a> {
    format: u32,
    guests_can_run: bool,
    capabilities: &'a [Capability],
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let mut capabilities = examine();
    let kvm = capabilities.iter().position(|capability| capability.name == "kvm");
    if let (Some(place), Some(image)) = (kvm, an_image())
        && capabilities.iter().all(|one| one.state == State::Usable || !["root", "qemu"].contains(&one.name))
    {
        // From here on in an enclosure: the guest that finds out whether KVM functions must die with us.
        process::enclose().map_err(Failure::testbed)?;
        capabilities[place] = machine::kvm(Some(&|| boots_under_kvm(&image)));
    }
    let guests_can_run = guests_can_run(&capabilities);
    match arguments.format {
        Format::Text => print_text(&capabilities, guests_can_run),
        Format::Json => print_json(&Answer { format: 1, guests_can_run, capabilities: &capabilities }),
    }
    Ok(if guests_can_run { Exit::Done } else { Exit::Testbed })
}

/// Any image that is built already: a doctor fetches nothing.
fn an_image() -> Option<Image> {
    any_built(&Cache::of_user().ok()?, &Recipes::default())
}

/// The functional probe (or the answer that was kept of it).
fn boots_under_kvm(image: &Image) -> Result<String, String> {
    let runtime = process::start_runtime().map_err(|error| error.to_string())?;
    let resolved = runtime.block_on(accelerator(Some(image), &GuestKeys::generate()));
    let resolved = resolved.map_err(|error| error.to_string())?;
    match resolved.engine {
        Engine::Kvm => Ok(resolved.reason),
        Engine::Tcg => Err(resolved.reason),
    }
}

fn examine() -> Vec<Capability> {
    let cache = Cache::of_user();
    let mut folders = vec![("results", Path::new("results"))];
    folders.extend(cache.as_ref().ok().map(|cache| ("the cache", cache.root())));
    let abilities = look(&host::needs());
    vec![
        machine::root(),
        host::qemu(&abilities),
        machine::kvm(None),
        host::vhost_net(&abilities),
        host::namespaces(&abilities),
        host::tap(&abilities),
        host::nft(&abilities),
        host::netem(&abilities),
        match &cache {
            Ok(cache) => kernels(cache, &Recipes::default()),
            Err(error) => {
                Capability::missing("kernels", Need::Guests, error.to_string(), "set XDG_CACHE_HOME")
            }
        },
        machine::disk(&folders),
        machine::memory(),
    ]
}

/// Which images are built; and whether those that are not could be.
fn kernels(cache: &Cache, recipes: &Recipes) -> Capability {
    let mut built = Vec::new();
    let mut missing = Vec::new();
    for name in recipes.guests() {
        match recipes.load(&name) {
            Ok(recipe) => match build::cached(cache, &recipe) {
                Some(image) => built.push(format!("{} ({})", image.name, image.release)),
                None => missing.push(recipe),
            },
            Err(error) => {
                let advice = format!("`rig image build {name}` shows what is wrong");
                return Capability::present("kernels", Need::Guests, error.to_string(), advice);
            }
        }
    }
    let Some(first) = missing.first() else {
        return Capability::usable("kernels", Need::Guests, format!("built: {}", built.join(", ")));
    };
    let names: Vec<&str> = missing.iter().map(|recipe| recipe.name.as_str()).collect();
    match Apt::new(cache.root()).probe(first) {
        Ok(_) => Capability::usable(
            "kernels",
            Need::Guests,
            format!("not built yet: {}; the package mirror answers", names.join(", ")),
        ),
        Err(error) => {
            let advice = "the package mirror must be reachable once: `rig image build`";
            let need = if built.is_empty() { Need::Guests } else { Need::Some };
            Capability::missing("kernels", need, format!("not built: {}; {error}", names.join(", ")), advice)
        }
    }
}

fn print_json(answer: &Answer<'_>) {
    say(&serde_json::to_string_pretty(answer).expect("plain data serialises"));
}

fn print_text(capabilities: &[Capability], guests_can_run: bool) {
    for Capability { name, state, detail, advice, .. } in capabilities {
        let advice = advice.as_ref().map(|advice| format!(" -> {advice}")).unwrap_or_default();
        say(&format!("{name:<10} {:<8} {detail}{advice}", state.word()));
    }
    say(if guests_can_run { "guests can run here" } else { "guests cannot run here" });
}
