//! `rig doctor`

use std::path::Path;

use serde::Serialize;

use super::image::{Format, say};
use super::{Exit, Failure};
use crate::capability::{Capability, Need, guests_can_run, machine, network};
use crate::image::{Cache, Recipes, apt::Apt, build};

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
    let capabilities = examine();
    let guests_can_run = guests_can_run(&capabilities);
    match arguments.format {
        Format::Text => print_text(&capabilities, guests_can_run),
        Format::Json => print_json(&Answer { format: 1, guests_can_run, capabilities: &capabilities }),
    }
    Ok(if guests_can_run { Exit::Done } else { Exit::Testbed })
}

fn examine() -> Vec<Capability> {
    let cache = Cache::of_user();
    let mut folders = vec![("results", Path::new("results"))];
    folders.extend(cache.as_ref().ok().map(|cache| ("the cache", cache.root())));
    vec![
        machine::root(),
        machine::qemu(),
        machine::kvm(None),
        network::vhost_net(),
        network::namespaces(),
        network::tap(),
        network::nft(),
        network::netem(),
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
    for name in recipes.names() {
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
