//! `rig clean`: what a killed rig may leave in the cache; and the showing, asking and doing of whatever is removed there.
//!
//! A rig that is killed leaves no process, no namespace and no device; in its cache it can leave an unfinished image or download and the logs
//! of an accelerator probe. Built images, downloads and runs are not touched: `rig image clean` and `rm` are for those.
//! Must not know what is rig's in the cache. Units: bytes. Errors: [`Failure`]. Tests: below; `tests/cli_input.rs`.

use std::io::{self, IsTerminal};

use super::output::size;
use super::streams::{say, tell};
use super::{Exit, Failure};
use crate::image::{Cache, Doomed, What};

/// Arguments of `rig clean`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Also remove the cached check of this host's accelerator, so that the next run repeats it
    #[arg(long)]
    probes: bool,
    #[command(flatten)]
    consent: Consent,
}

/// How the user agrees to what is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(super) struct Consent {
    /// Remove without asking
    #[arg(long, short, conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let cache = Cache::of_user()?;
    carry_out(&cache, &cache.leftovers(arguments.probes)?, arguments.consent)
}

/// Shows what goes, asks where there is somebody to be asked, and removes it.
pub(super) fn carry_out(cache: &Cache, doomed: &[Doomed], consent: Consent) -> Result<Exit, Failure> {
    if doomed.is_empty() {
        say("nothing to clean");
        return Ok(Exit::Done);
    }
    let bytes: u64 = doomed.iter().map(|one| one.bytes).sum();
    let verb = if consent.dry_run { "would go" } else { "go" };
    say(&format!("from {} {verb}:\n{}", cache.root().display(), table(cache, doomed).trim_end()));
    match decide(consent, doomed, io::stdin().is_terminal()) {
        Decision::Show => {
            say(&format!("{} in all; nothing was removed", size(bytes)));
            return Ok(Exit::Done);
        }
        Decision::Refuse { images } => {
            let what = format!(
                "{images} built image{} would be removed, and there is no terminal to ask at",
                if images == 1 { "" } else { "s" }
            );
            return Err(Failure::say(Exit::Input, what, "add --yes to remove without being asked"));
        }
        Decision::Ask if !is_agreed(bytes) => {
            say("nothing was removed");
            return Ok(Exit::Done);
        }
        Decision::Ask | Decision::Remove => {}
    }
    let freed = cache.remove(doomed)?;
    let images = match freed.images {
        0 => String::new(),
        1 => ", 1 image removed".to_owned(),
        count => format!(", {count} images removed"),
    };
    say(&format!("{} freed{images}", size(freed.bytes)));
    Ok(Exit::Done)
}

#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Show,
    Ask,
    Remove,
    Refuse { images: usize },
}

/// What costs a minute or more to get back, or may not come back at all, goes only with somebody's word.
fn decide(consent: Consent, doomed: &[Doomed], terminal: bool) -> Decision {
    let images = doomed.iter().filter(|one| matches!(one.what, What::Image { .. })).count();
    match (consent, terminal, images) {
        (Consent { dry_run: true, .. }, _, _) => Decision::Show,
        (Consent { yes: true, .. }, _, _) | (_, false, 0) => Decision::Remove,
        (_, true, _) => Decision::Ask,
        (_, false, images) => Decision::Refuse { images },
    }
}

fn is_agreed(bytes: u64) -> bool {
    tell(format_args!("remove them ({})? Answer `yes` or `no`:", size(bytes)));
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    read.is_ok() && ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str())
}

fn table(cache: &Cache, doomed: &[Doomed]) -> String {
    doomed
        .iter()
        .map(|Doomed { what, path, bytes }| {
            let place = path.strip_prefix(cache.root()).unwrap_or(path).display().to_string();
            let words = match what {
                What::Image { name, package, .. } => format!("image {name}: {package}"),
                What::TornImage => "an incomplete image".to_owned(),
                What::Downloads => "fetched".to_owned(),
                What::Leftover => "left by a rig that was killed".to_owned(),
                What::Probe => "results of tests of this host".to_owned(),
            };
            format!("  {:>9}  {words} ({place})\n", size(*bytes))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING_SAID: Consent = Consent { yes: false, dry_run: false };

    fn doomed(what: What) -> Doomed {
        Doomed { what, path: "/c/rig/images/4a233bd5cb0cf3f9".into(), bytes: 2 << 20 }
    }

    fn image() -> What {
        let (name, package) = ("6.1".to_owned(), "linux-image-6.1.0-50-cloud-amd64 6.1.176-1".to_owned());
        What::Image { name, package, digest: "4a233bd5cb0cf3f9".to_owned() }
    }

    #[test]
    fn images_go_only_with_somebodys_word() {
        let images = [doomed(image()), doomed(What::Downloads)];
        let others = [doomed(What::Leftover)];
        assert_eq!(decide(NOTHING_SAID, &images, true), Decision::Ask);
        assert_eq!(decide(NOTHING_SAID, &images, false), Decision::Refuse { images: 1 });
        assert_eq!(decide(NOTHING_SAID, &others, true), Decision::Ask);
        assert_eq!(decide(NOTHING_SAID, &others, false), Decision::Remove);
        let yes = Consent { yes: true, ..NOTHING_SAID };
        assert_eq!(decide(yes, &images, false), Decision::Remove);
        let dry_run = Consent { dry_run: true, ..NOTHING_SAID };
        assert_eq!(decide(dry_run, &images, true), Decision::Show);
    }

    #[test]
    fn each_thing_is_shown_with_its_size_and_place() {
        let shown = table(&Cache::at("/c/rig"), &[doomed(image()), doomed(What::TornImage)]);
        insta::assert_snapshot!(shown, @r"
            2.0 MiB  image 6.1: linux-image-6.1.0-50-cloud-amd64 6.1.176-1 (images/4a233bd5cb0cf3f9)
            2.0 MiB  an incomplete image (images/4a233bd5cb0cf3f9)
        ");
    }
}
