//! `rig setup`

use std::process::Command;

use super::image::tell;
use super::streams::say;
use super::{Exit, Failure};
use crate::capability::tool::{self, Purpose, Tool};
use crate::image::{Cache, Fetch, ImageError, Recipes, apt::Apt, build};
use crate::process;

/// Arguments of `rig setup`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Install what is missing and fetch the guest images, without asking
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let missing = tool::missing();
    for tool in &missing {
        let Tool { program, package, reason, purpose } = tool;
        let without = match purpose {
            Purpose::Runs => "",
            Purpose::SomePaths => "; only paths that name it need it",
            Purpose::Tests => "; runs do without it",
        };
        say(&format!("missing: {program} (package {package}): {reason}{without}"));
    }
    if !missing.is_empty() {
        let apt = process::find_program("apt-get").is_some();
        match plan(&missing, arguments.yes, apt, nix::unistd::geteuid().is_root()) {
            Plan::Print(commands) => {
                say("install it with");
                commands.iter().for_each(|command| say(&format!("    {command}")));
                say("or let `rig setup --yes` do it");
                let usable = missing.iter().all(|tool| tool.purpose != Purpose::Runs);
                return Ok(if usable { Exit::Done } else { Exit::Testbed });
            }
            Plan::Refuse { what, help } => return Err(Failure::say(Exit::Testbed, what, help)),
            Plan::Install(packages) => install(&packages)?,
        }
    } else {
        say("every program that rig runs is here");
    }
    if arguments.yes {
        fetch_images()?;
    }
    Ok(Exit::Done)
}

/// What `rig setup --yes` does, for commands that offer it (`rig matrix run --setup`).
pub(super) fn run_unasked() -> Result<Exit, Failure> {
    run(Arguments { yes: true })
}

/// What to do about missing programs.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Print(Vec<String>),
    Refuse { what: String, help: String },
    Install(Vec<&'static str>),
}

fn plan(missing: &[Tool], yes: bool, has_apt: bool, is_root: bool) -> Plan {
    let mut packages: Vec<&'static str> = missing.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    if !has_apt {
        let programs: Vec<&str> = missing.iter().map(|tool| tool.program).collect();
        return Plan::Refuse {
            what: "this host has no apt-get, so rig cannot install what is missing".to_owned(),
            help: format!(
                "install {} with the host's own package manager (on Debian they are in {})",
                programs.join(", "),
                packages.join(", ")
            ),
        };
    }
    let install = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    match (yes, is_root) {
        (false, true) => Plan::Print(vec!["apt-get update".to_owned(), install]),
        (false, false) => Plan::Print(vec!["sudo apt-get update".to_owned(), format!("sudo {install}")]),
        (true, false) => Plan::Refuse {
            what: "only root can install packages".to_owned(),
            help: "run `sudo rig setup --yes`".to_owned(),
        },
        (true, true) => Plan::Install(packages),
    }
}

/// Installs with the lists that are there; asks the mirror for new ones only when that does not work.
fn install(packages: &[&'static str]) -> Result<(), Failure> {
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages);
    if !apt_get(&arguments)? {
        say("trying again with fresh package lists");
        apt_get(&["update"])?;
        if !apt_get(&arguments)? {
            return Err(Failure::say(
                Exit::Testbed,
                format!("apt-get could not install {}", packages.join(", ")),
                "what it said is above: is the package mirror reachable, and is there space on the disk?",
            ));
        }
    }
    let still: Vec<&str> = tool::missing().iter().map(|tool| tool.program).collect();
    if still.is_empty() {
        return Ok(());
    }
    let what = format!("the packages are installed, and there is still no {}", still.join(", "));
    Err(Failure::say(Exit::Testbed, what, "look at `dpkg -L` of the package, and at PATH"))
}

/// Whether it succeeded. It speaks to the user itself.
fn apt_get(arguments: &[&str]) -> Result<bool, Failure> {
    say(&format!("running apt-get {}", arguments.join(" ")));
    let status = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
    let status = status.map_err(|error| {
        Failure::say(Exit::Testbed, format!("apt-get does not start: {error}"), "is /usr/bin in PATH?")
    })?;
    Ok(status.success())
}

/// So that later runs need no network. A mirror out of reach is no failure yet: the run that needs an image says so.
fn fetch_images() -> Result<(), Failure> {
    let cache = Cache::of_user()?;
    let recipes = Recipes::default();
    let apt = Apt::new(cache.root());
    for name in recipes.names() {
        let recipe = recipes.load(&name)?;
        match build::ensure_with(&recipe, &cache, Fetch::IfMissing, &apt, &mut tell(&name)) {
            Ok(image) => say(&format!("image {}: {}", image.name, image.package)),
            Err(error) if error.blames_input() || matches!(error, ImageError::Interrupted) => {
                return Err(error.into());
            }
            Err(error) => {
                say(&format!("image {name} is not built yet: {error}; `rig matrix run` will try again"))
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MISSING: [Tool; 2] = [
        Tool { program: "tc", package: "iproute2", reason: "x", purpose: Purpose::Runs },
        Tool { program: "ip", package: "iproute2", reason: "y", purpose: Purpose::Runs },
    ];

    #[test]
    fn without_yes_the_commands_are_printed() {
        let install = "apt-get install --no-install-recommends iproute2".to_owned();
        assert_eq!(
            plan(&MISSING, false, true, true),
            Plan::Print(vec!["apt-get update".to_owned(), install.clone()])
        );
        let Plan::Print(commands) = plan(&MISSING, false, true, false) else { panic!("not printed") };
        assert_eq!(commands[1], format!("sudo {install}"));
    }

    #[test]
    fn with_yes_only_root_installs_and_only_with_apt() {
        assert_eq!(plan(&MISSING, true, true, true), Plan::Install(vec!["iproute2"]));
        let Plan::Refuse { help, .. } = plan(&MISSING, true, true, false) else { panic!("not refused") };
        assert_eq!(help, "run `sudo rig setup --yes`");
        let Plan::Refuse { help, .. } = plan(&MISSING, true, false, true) else { panic!("not refused") };
        assert!(help.contains("tc, ip") && help.contains("in iproute2"), "{help}");
    }
}
