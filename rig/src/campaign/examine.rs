//! What this machine can and cannot do, and why: what `rig doctor` prints.
//!
//! Holds what a single probe does not know: images, their recipes, the package mirror, a guest that is booted under KVM. Must not print. Units: none.
//! Errors: [`CampaignError::Enclosure`]; what is missing is a [`Capability`] with advice. Tests: `tests/trouble/host.rs`.

use std::path::Path;

use crate::capability::{Capability, Need, State, host, look, machine};
use crate::configuration::Engine;
use crate::image::{Cache, GuestKeys, Image, Recipes, any_built, apt::Apt, build};
use crate::process;

use super::accelerator::accelerator;
use super::error::CampaignError;

/// Every capability, each tried out. Comes back in an enclosure where a guest is booted to try KVM.
///
/// # Errors
/// There is no enclosure for that guest.
pub fn examine() -> Result<Vec<Capability>, CampaignError> {
    let mut capabilities = look_at_everything();
    let kvm = capabilities.iter().position(|capability| capability.name == "kvm");
    if let (Some(place), Some(image)) = (kvm, an_image())
        && capabilities.iter().all(|one| one.state == State::Usable || !["root", "qemu"].contains(&one.name))
    {
        // From here on in an enclosure: the guest that finds out whether KVM functions must die with us.
        process::enclose()?;
        capabilities[place] = machine::kvm(Some(&|| boots_under_kvm(&image)));
    }
    Ok(capabilities)
}

/// Any image that is built already: a doctor fetches nothing.
fn an_image() -> Option<Image> {
    any_built(&Cache::of_user().ok()?, &Recipes::default())
}

/// The functional probe (or the answer that was kept of it).
fn boots_under_kvm(image: &Image) -> Result<String, String> {
    let runtime = process::start_runtime().map_err(|error| error.to_string())?;
    let loaded = image.load().map_err(|error| error.to_string())?;
    let resolved = runtime.block_on(accelerator(Some(&loaded), &GuestKeys::generate()));
    let resolved = resolved.map_err(|error| error.to_string())?;
    match resolved.engine {
        Engine::Kvm => Ok(resolved.reason),
        Engine::Tcg => Err(resolved.reason),
    }
}

fn look_at_everything() -> Vec<Capability> {
    let cache = Cache::of_user();
    let mut folders = vec![("results", Path::new("results"))];
    folders.extend(cache.as_ref().ok().map(|cache| ("the cache", cache.root())));
    let abilities = look(&host::needs());
    vec![
        machine::root(),
        host::qemu(&abilities),
        machine::kvm(None),
        host::vhost_net(&abilities),
        host::vhost_vsock(&abilities),
        host::namespaces(&abilities),
        host::private_etc(&abilities),
        host::confinement(&abilities),
        host::tap(&abilities),
        host::macvtap(&abilities),
        host::passt(&abilities),
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
