//! `rig image`

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use super::output::print;
use super::streams::{self, say};
use super::{Exit, Failure, called, width};
use crate::image::{Cache, Fetch, Image, Keep, Recipes, Step, apt::Apt, build, narrate, recipe_key};
use crate::report::Page;

/// Commands of `rig image`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// The recipes and the images built of them
    List(List),
    /// Build images: fetch a kernel and the guest's programs, and put an initramfs together
    Build(Build),
    /// Remove what fetching left, and images that no recipe needs
    Clean(Clean),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub(super) struct Build {
    /// Recipes by name, or paths of recipe files; all recipes when none is given
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Ask the mirror for newer packages also when there is an image
    #[arg(long)]
    refresh: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Clean {
    /// Keep at most this much, the images used last: `200M`, `1G`
    #[arg(long, value_name = "SIZE", value_parser = parse_size, conflicts_with = "all")]
    keep_bytes: Option<u64>,
    /// Remove every image too
    #[arg(long)]
    all: bool,
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
}

impl Row {
    fn new(name: String, status: String, image: Option<Image>) -> Self {
        let empty =
            Self { name, status, kernel: None, package: None, digest: None, bytes: None, folder: None };
        match image {
            None => empty,
            Some(image) => Self {
                kernel: Some(image.release),
                package: Some(image.package),
                digest: Some(image.digest),
                bytes: Some(image.bytes),
                folder: image.kernel.parent().map(Into::into),
                ..empty
            },
        }
    }
}

fn list(arguments: &List, cache: &Cache) -> Result<Exit, Failure> {
    let recipes = Recipes::default();
    let rows: Vec<Row> = recipes
        .names()
        .into_iter()
        .map(|name| match recipes.load(&name) {
            Ok(recipe) => match build::cached(cache, &recipe) {
                Some(image) => Row::new(name, "built".to_owned(), Some(image)),
                None => Row::new(name, "not built".to_owned(), None),
            },
            Err(error) => Row::new(name, error.to_string(), None),
        })
        .collect();
    match arguments.format {
        Format::Json => {
            say(&serde_json::to_string_pretty(&rows).expect("plain data serialises"));
        }
        Format::Text => {
            let mut page = Page::new(width::for_table(), called::worded);
            for row in rows {
                let Row { name, status, package, bytes, digest, .. } = row;
                let details = match (package, bytes, digest) {
                    (Some(package), Some(bytes), Some(digest)) => {
                        format!("{package} · {} · {digest}", size(bytes))
                    }
                    _ => String::new(),
                };
                page.wrap(&format!("{name:<8} "), format!("{status:<10} {details}").trim_end(), 20);
            }
            print(&page.into_text())?;
        }
    }
    Ok(Exit::Done)
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
        say(&format!("{}: {} · {} · {}", image.name, image.package, size(image.bytes), image.digest));
    }
    Ok(Exit::Done)
}

/// Tells each step once, on standard error.
pub(super) fn tell(name: &str) -> impl FnMut(Step) + '_ {
    narrate(move |step| tell_step(name, step))
}

/// Tells one step of an image that is made.
pub(super) fn tell_step(name: &str, step: &Step) {
    streams::tell(format_args!("{name}: {step}"));
}

fn clean(arguments: &Clean, cache: &Cache) -> Result<Exit, Failure> {
    let keep = match (arguments.keep_bytes, arguments.all) {
        (Some(bytes), _) => Keep::Bytes(bytes),
        (None, true) => Keep::Nothing,
        (None, false) => {
            let recipes = Recipes::default();
            let keys = recipes.names().into_iter().filter_map(|name| recipes.load(&name).ok());
            Keep::Recipes(keys.map(|recipe| recipe_key(&recipe)).collect())
        }
    };
    let freed = cache.clean(&keep)?;
    say(&format!(
        "{} freed, {} image{} removed",
        size(freed.bytes),
        freed.images,
        if freed.images == 1 { "" } else { "s" }
    ));
    Ok(Exit::Done)
}

/// `12.3 MiB`
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// `1024`, `200M`, `1GiB`: powers of 1024.
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 =
        text[..digits].parse().map_err(|_| "a size is a number with a unit: `200M`, `1G`".to_owned())?;
    let shift = match text[digits..].to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        unit => return Err(format!("{unit:?} is no unit of size: use K, M, G or T")),
    };
    number.checked_mul(1 << shift).ok_or_else(|| "that is more than any disk holds".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("0"), Ok(0));
        assert_eq!(parse_size("200M"), Ok(200 << 20));
        assert_eq!(parse_size("1GiB"), Ok(1 << 30));
        assert_eq!(parse_size("3kb"), Ok(3 << 10));
        for wrong in ["", "M", "-1", "5X", "99999999999T"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(size(12), "12 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
    }
}
