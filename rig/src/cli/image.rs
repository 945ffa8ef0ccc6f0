//! `rig image`

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use super::clean::{Consent, carry_out};
use super::output::{print, size};
use super::streams::{self, say};
use super::{Exit, Failure, called, width};
use crate::image::exact::{self, KernelBuild};
use crate::image::recipe::{KernelRecipe, Recipe};
use crate::image::{Cache, Fetch, Image, Keep, Recipes, Step, apt::Apt, build, narrate, recipe_key};
use crate::report::Page;

/// Commands of `rig image`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the recipes, and the images built from them
    List(List),
    /// Build images: fetch a kernel and the guest's programs, and put an initramfs together
    Build(Build),
    /// Remove downloads, and images that no recipe uses any more
    #[command(after_help = AFTER_CLEAN)]
    Clean(Clean),
}

/// What is not told by any folder of results, so that the cache cannot know it.
const AFTER_CLEAN: &str = "Each image is shown before it is removed. An unfinished run can be resumed only with the images that it began with: \
    a removed image can be built again only while the archive still has its packages.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Build {
    /// Names of recipes, exact versions (`6.12.95`), paths of recipe files, or paths of your own kernels (`./linux`) [default: all recipes]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Look for newer packages on the mirror even if an image is built
    #[arg(long)]
    refresh: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Clean {
    /// Keep at most this much, the most recently used images: `200MiB`, `2GiB`
    #[arg(long, alias = "keep-bytes", value_name = "SIZE", value_parser = parse_size, conflicts_with = "all")]
    keep: Option<u64>,
    /// Also remove every image
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    consent: Consent,
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    let cache = Cache::of_user()?;
    match command {
        Command::List(arguments) => list(&arguments, &cache),
        Command::Build(arguments) => build_all(arguments, &cache),
        Command::Clean(arguments) => clean(&arguments, &cache),
    }
}

/// One line of `rig image list --format json`.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// `built`, `not built`, or what is wrong with the recipe.
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<PathBuf>,
    /// Modules that the recipe names and the kernel has not got.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lacks: Vec<String>,
    /// Exact versions that the archive has, newest first, by the package lists that were fetched last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    offers: Vec<Offer>,
}

/// A kernel of the archive.
#[derive(Debug, Serialize)]
struct Offer {
    /// What can be a value of the matrix's kernel axis.
    kernel: String,
    version: String,
}

impl Row {
    fn new(name: String, status: String, image: Option<Image>) -> Self {
        let empty = Self {
            name,
            status,
            kernel: None,
            package: None,
            digest: None,
            bytes: None,
            folder: None,
            lacks: vec![],
            offers: vec![],
        };
        match image {
            None => empty,
            Some(image) => Self {
                kernel: Some(image.release),
                package: Some(image.package),
                digest: Some(image.digest),
                bytes: Some(image.bytes),
                folder: image.kernel.parent().map(Into::into),
                lacks: image.lacks,
                ..empty
            },
        }
    }
}

fn list(arguments: &List, cache: &Cache) -> Result<Exit, Failure> {
    let recipes = Recipes::default();
    let apt = Apt::new(cache.root());
    let listed: Vec<(Row, Vec<KernelBuild>)> = recipes
        .names_with(cache)
        .into_iter()
        .map(|name| match recipes.load(&name) {
            Ok(recipe) => {
                let offers = offers(&apt, &recipes, &recipe);
                match build::cached(cache, &recipe) {
                    Some(image) => (Row::new(name, "built".to_owned(), Some(image)), offers),
                    None => (Row::new(name, "not built".to_owned(), None), offers),
                }
            }
            Err(error) => (Row::new(name, error.to_string(), None), Vec::new()),
        })
        .collect();
    match arguments.format {
        Format::Json => {
            let offer = |build: KernelBuild| Offer { kernel: build.release, version: build.version };
            let rows: Vec<Row> = listed
                .into_iter()
                .map(|(row, offers)| Row { offers: offers.into_iter().map(offer).collect(), ..row })
                .collect();
            say(&serde_json::to_string_pretty(&rows).expect("plain data serialises"));
        }
        Format::Text => {
            let mut page = Page::new(width::for_table(), called::worded);
            for (row, offers) in listed {
                let Row { name, status, package, bytes, digest, lacks, .. } = row;
                let details = match (package, bytes, digest) {
                    (Some(package), Some(bytes), Some(digest)) => {
                        format!("{package} · {} · {digest}{}", size(bytes), without(&lacks))
                    }
                    _ => String::new(),
                };
                page.wrap(&format!("{name:<9} "), format!("{status:<10} {details}").trim_end(), 21);
                if !offers.is_empty() {
                    let builds: Vec<&KernelBuild> = offers.iter().collect();
                    page.wrap("          ", &format!("archive    {}", exact::list(&builds)), 21);
                }
            }
            print(&page.into_text())?;
        }
    }
    Ok(Exit::Done)
}

/// What the archive has of the kernels that this recipe is for, exact versions of it: nothing is fetched for it.
fn offers(apt: &Apt, recipes: &Recipes, recipe: &Recipe) -> Vec<KernelBuild> {
    let KernelRecipe { exact, version, own, .. } = &recipe.kernel;
    if exact.is_some() || version.is_some() || own.is_some() {
        return Vec::new();
    }
    let mut known = apt.known(recipe).unwrap_or_default();
    known.retain(|build| recipes.of_series(&build.release).as_ref() == Some(&recipe.name));
    known
}

fn build_all(arguments: Build, cache: &Cache) -> Result<Exit, Failure> {
    let recipes = Recipes::default();
    let names = if arguments.names.is_empty() { recipes.names() } else { arguments.names };
    // All recipes are read before anything is fetched: wrong input is said at once.
    let loaded = names.iter().map(|name| recipes.load(name)).collect::<Result<Vec<_>, _>>()?;
    let fetch = if arguments.refresh { Fetch::Refresh } else { Fetch::IfMissing };
    let apt = Apt::new(cache.root());
    for recipe in &loaded {
        let image = build::ensure_with(recipe, cache, fetch, &apt, &mut tell(&recipe.name))?;
        let Image { name, package, bytes, digest, lacks, .. } = image;
        say(&format!("{name}: {package} · {} · {digest}{}", size(bytes), without(&lacks)));
    }
    Ok(Exit::Done)
}

/// What the image has not got of its recipe.
fn without(lacks: &[String]) -> String {
    if lacks.is_empty() { String::new() } else { format!(" · without {}", lacks.join(", ")) }
}

/// Tells each step once, on standard error.
pub(super) fn tell(name: &str) -> impl FnMut(Step) + '_ {
    narrate(move |step| tell_step(name, step))
}

/// Tells one step of an image that is made.
pub(super) fn tell_step(name: &str, step: &Step) {
    streams::progress(format_args!("{name}: {step}"));
}

fn clean(arguments: &Clean, cache: &Cache) -> Result<Exit, Failure> {
    let keep = match (arguments.keep, arguments.all) {
        (Some(bytes), _) => Keep::Bytes(bytes),
        (None, true) => Keep::Nothing,
        (None, false) => {
            let recipes = Recipes::default();
            let keys = recipes.names_with(cache).into_iter().filter_map(|name| recipes.load(&name).ok());
            Keep::Recipes(keys.filter_map(|recipe| recipe_key(&recipe).ok()).collect())
        }
    };
    carry_out(cache, &cache.superfluous(&keep)?, arguments.consent)
}

/// `200M`, `1GiB`: powers of 1024. Without a unit it may mean anything, and what it means is deleted.
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (number, unit) = text.split_at(digits);
    let size: f64 =
        number.parse().map_err(|_| "a size is a number with a unit: `200MiB`, `1.5GiB`".to_owned())?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" => return Err(format!("a size needs a unit: write `{number}MiB` or `{number}GiB`")),
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        unit => return Err(format!("{unit:?} is not a unit of size: use KiB, MiB, GiB or TiB")),
    };
    let bytes = size * (1_u64 << shift) as f64;
    // A size of so many bytes is exact enough: no disk has 2^53 of them.
    if bytes < (1_u64 << 53) as f64 {
        Ok(bytes as u64)
    } else {
        Err("that is more than any disk holds".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_need_a_unit() {
        for (text, bytes) in [
            ("0M", 0),
            ("200M", 200 << 20),
            ("1GiB", 1 << 30),
            ("3kb", 3 << 10),
            ("2 TiB", 2 << 40),
            ("1.5GiB", 3 << 29),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        assert_eq!(parse_size("2").unwrap_err(), "a size needs a unit: write `2MiB` or `2GiB`");
        for wrong in ["", "M", "-1", "0", "5X", "5ib", "5b", "1.2.3M", ".", "99999999999T"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size(12), "12 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
    }
}
