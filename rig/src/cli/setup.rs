//! `rig setup`: installs what this host lacks, where that takes nothing away from it.
//!
//! Must not know how apt is asked (`setup/apt.rs`). Units: none.
//! Errors: [`Failure`], which blames the host. Tests: below; `tests/trouble/setup.rs` (root).

mod apt;
mod asleep;
mod oracles;
mod simulation;

use self::apt::Foreseen;
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
    /// Also install what only the tests need: strace, tshark, chromium, netcat, musl-gcc, Slurm, and numpy and scipy in a Python venv
    #[arg(long)]
    tests: bool,
    /// Install the manual pages, and nothing else (as `rig man --install`)
    #[arg(long, conflicts_with_all = ["yes", "tests"])]
    man: bool,
}

impl Arguments {
    /// Whether manual pages are all that is asked for: `rig man` writes them.
    pub(super) fn wants_manual_pages(&self) -> bool {
        self.man
    }
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (wanted, later): (Vec<Tool>, Vec<Tool>) =
        tool::missing().into_iter().partition(|tool| arguments.tests || tool.purpose != Purpose::Tests);
    let mut exit = Exit::Done;
    if wanted.is_empty() {
        say("all programs that runs need are installed");
    } else {
        wanted.iter().for_each(tell_missing);
        let apt = process::find_program("apt-get").is_some();
        match plan(&wanted, arguments.yes, apt, nix::unistd::geteuid().is_root()) {
            Plan::Print { packages, sudo } => {
                print_plan(&packages, sudo, arguments.tests)?;
                if wanted.iter().any(|tool| tool.purpose == Purpose::Runs) {
                    exit = Exit::Testbed;
                }
            }
            Plan::Refuse { what, help } => return Err(Failure::say(Exit::Testbed, what, help)),
            Plan::Install(packages) => install(&packages, &wanted)?,
        }
    }
    if !later.is_empty() {
        let names: Vec<&str> = later.iter().map(|tool| tool.program).collect();
        say(&format!("the tests also want {}: `rig setup --tests`", names.join(", ")));
    }
    if arguments.yes {
        fetch_images()?;
    }
    // Last: a host that reaches no index of Python packages has everything else by then.
    if arguments.tests {
        oracles::set_up(arguments.yes)?;
    }
    say("manual pages: `rig setup --man`");
    Ok(exit)
}

/// What `rig setup --yes` does, for commands that offer it (`rig matrix run --setup`).
pub(super) fn run_unasked() -> Result<Exit, Failure> {
    run(Arguments { yes: true, tests: false, man: false })
}

fn tell_missing(tool: &Tool) {
    let Tool { program, package, reason, purpose } = tool;
    let without = match purpose {
        Purpose::Runs => "",
        Purpose::SomePaths => "; only what names it needs it",
        Purpose::Tests => "; runs do without it",
    };
    say(&format!("missing: {program} (package {package}): {reason}{without}"));
}

/// What to do about missing programs.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Print { packages: Vec<&'static str>, sudo: &'static str },
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
    match (yes, is_root) {
        (false, true) => Plan::Print { packages, sudo: "" },
        (false, false) => Plan::Print { packages, sudo: "sudo " },
        (true, false) => Plan::Refuse {
            what: "only root can install packages".to_owned(),
            help: "run `sudo rig setup --yes`".to_owned(),
        },
        (true, true) => Plan::Install(packages),
    }
}

/// Says what an installation would do, and the commands for it. One that would do harm is refused here too.
fn print_plan(packages: &[&str], sudo: &str, tests: bool) -> Result<(), Failure> {
    match apt::foresee(None, packages)? {
        Foreseen::Harmless(simulation) => apt::show(&simulation, packages)?,
        Foreseen::Harm(harmed) => return Err(apt::refuse_harm(&harmed, packages)?),
        Foreseen::Impossible(said) if apt::contradicts(&said) => {
            return Err(apt::refuse_impossible(&said, packages)?);
        }
        // Old lists may be the reason, and the first command brings new ones.
        Foreseen::Impossible(said) => {
            say(&format!(
                "with the package lists that are here, apt-get cannot install them: {}",
                apt::why(&said)
            ));
        }
    }
    say("install it with");
    for command in commands(packages, sudo) {
        say(&format!("    {command}"));
    }
    say(&format!("or let `rig setup{} --yes` do it", if tests { " --tests" } else { "" }));
    Ok(())
}

fn commands(packages: &[&str], sudo: &str) -> [String; 2] {
    let packages = packages.join(" ");
    [
        format!("{sudo}apt-get update"),
        format!("{sudo}apt-get install --no-remove --no-install-recommends {packages}"),
    ]
}

/// Installs with the lists that are there; asks the mirror for new ones only when that does not work. What would do harm is not begun.
fn install(packages: &[&'static str], wanted: &[Tool]) -> Result<(), Failure> {
    let mut installed = begin(packages)?;
    if !installed {
        apt::update()?;
        installed = begin(packages)?;
    }
    if !installed {
        return Err(match apt::foresee(None, packages)? {
            Foreseen::Impossible(said) => apt::refuse_impossible(&said, packages)?,
            Foreseen::Harmless(_) | Foreseen::Harm(_) => Failure::say(
                Exit::Testbed,
                format!("apt-get could not install {}", packages.join(", ")),
                "what it said is above: is the package mirror reachable, and is there space on the disk?",
            ),
        });
    }
    let still: Vec<&str> = wanted.iter().filter(|tool| !tool.is_here()).map(|tool| tool.program).collect();
    if still.is_empty() {
        return Ok(());
    }
    let what = format!("the packages are installed, and there is still no {}", still.join(", "));
    Err(Failure::say(Exit::Testbed, what, "look at `dpkg -L` of the package, and at PATH"))
}

/// Whether it succeeded.
fn begin(packages: &[&str]) -> Result<bool, Failure> {
    match apt::foresee(None, packages)? {
        Foreseen::Harm(harmed) => Err(apt::refuse_harm(&harmed, packages)?),
        Foreseen::Impossible(_) => Ok(false),
        Foreseen::Harmless(simulation) => {
            apt::show(&simulation, packages)?;
            apt::install(packages)
        }
    }
}

/// The kernels that the shipped matrix plays where nothing else is named. A run fetches another one when it first needs it.
const AT_FIRST: [&str; 2] = ["6.1", "6.12"];

/// So that later runs need no network. A mirror out of reach is no failure yet: the run that needs an image says so.
fn fetch_images() -> Result<(), Failure> {
    let cache = Cache::of_user()?;
    let recipes = Recipes::default();
    let apt = Apt::new(cache.root());
    for name in recipes.names().into_iter().filter(|name| AT_FIRST.contains(&name.as_str())) {
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
        Tool { program: "nft", package: "nftables", reason: "x", purpose: Purpose::Runs },
        Tool { program: "nftop", package: "nftables", reason: "y", purpose: Purpose::Runs },
    ];

    #[test]
    fn the_kernels_of_the_shipped_matrix_are_fetched() {
        let line = format!("\nkernel = {AT_FIRST:?} ");
        assert!(include_str!("../../../matrix.toml").contains(&line), "{line}");
    }

    #[test]
    fn without_yes_the_commands_are_printed() {
        let packages = vec!["nftables"];
        assert_eq!(plan(&MISSING, false, true, true), Plan::Print { packages: packages.clone(), sudo: "" });
        assert_eq!(
            plan(&MISSING, false, true, false),
            Plan::Print { packages: packages.clone(), sudo: "sudo " }
        );
        let [update, install] = commands(&packages, "sudo ");
        assert_eq!(update, "sudo apt-get update");
        assert_eq!(install, "sudo apt-get install --no-remove --no-install-recommends nftables");
    }

    #[test]
    fn with_yes_only_root_installs_and_only_with_apt() {
        assert_eq!(plan(&MISSING, true, true, true), Plan::Install(vec!["nftables"]));
        let Plan::Refuse { help, .. } = plan(&MISSING, true, true, false) else { panic!("not refused") };
        assert_eq!(help, "run `sudo rig setup --yes`");
        let Plan::Refuse { help, .. } = plan(&MISSING, true, false, true) else { panic!("not refused") };
        assert!(help.contains("nft, nftop") && help.contains("in nftables"), "{help}");
    }
}
