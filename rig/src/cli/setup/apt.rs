//! The host's own apt: what an installation would do, whether it harms anything, and the installation.
//!
//! Nothing is installed that was not played through first. Must not know which programs rig needs. Units: bytes.
//! Errors: [`Failure`], which blames the host; a refusal names what would be harmed and the way out. Tests: `simulation.rs`; `tests/trouble/setup.rs` (root).

use std::process::{Command, Output};

use super::super::output::size;
use super::super::streams::say;
use super::super::{Exit, Failure};
use super::asleep::Asleep;
use super::simulation::{self, Coming, Installed, Simulation};
use crate::process::{complete_path, program_file};

/// What apt plays through, and what rig lets it do.
const INSTALL: [&str; 2] = ["install", "--no-install-recommends"];

/// What comes of playing an installation through.
pub(super) enum Foreseen {
    /// Nothing that is installed goes, or goes back to an older version.
    Harmless(Simulation),
    /// It would.
    Harm(Vec<Installed>),
    /// apt cannot do it, in its own words.
    Impossible(String),
}

/// Plays through what [`install`] would do. Needs no privileges.
pub(super) fn foresee(release: Option<&str>, packages: &[&str]) -> Result<Foreseen, Failure> {
    let Output { status, stdout, stderr } = ask("apt-get", &simulated("--simulate", release, packages))?;
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if !status.success() {
        return Ok(Foreseen::Impossible(said));
    }
    let simulation = Simulation::parse(&said);
    let harmed = simulation.harmed();
    Ok(if harmed.is_empty() { Foreseen::Harmless(simulation) } else { Foreseen::Harm(harmed) })
}

fn simulated<'a>(how: &'a str, release: Option<&'a str>, packages: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec![how];
    arguments.extend(INSTALL);
    arguments.extend(release.into_iter().flat_map(|release| ["--target-release", release]));
    arguments.extend(packages);
    arguments
}

/// Says what would come.
pub(super) fn show(simulation: &Simulation, packages: &[&str]) -> Result<(), Failure> {
    let mut arguments = simulated("--print-uris", None, packages);
    arguments.extend(["--yes", "--quiet=2"]);
    let uris = ask("apt-get", &arguments)?;
    let bytes = simulation::fetched_bytes(&String::from_utf8_lossy(&uris.stdout));
    let (new, other): (Vec<&Coming>, Vec<&Coming>) =
        simulation.coming.iter().partition(|one| one.now.is_none());
    let names: Vec<&str> = new.iter().map(|one| one.name.as_str()).collect();
    say(&format!(
        "apt-get would fetch {} and install {} package{}: {}",
        size(bytes),
        new.len(),
        if new.len() == 1 { "" } else { "s" },
        names.join(" ")
    ));
    for Coming { name, now, version } in other {
        say(&format!("    {name} would go from {} to {version}", now.as_deref().unwrap_or("?")));
    }
    say("nothing would be removed, and nothing would get an older version");
    Ok(())
}

/// Installs; whether it succeeded. It speaks to the user itself, and refuses by itself to remove anything, should the host have changed since.
pub(super) fn install(packages: &[&str]) -> Result<bool, Failure> {
    let mut arguments = INSTALL.to_vec();
    arguments.extend(["--yes", "--no-remove"]);
    arguments.extend(packages);
    let _asleep = Asleep::during_installation(packages)?;
    speak(&arguments)
}

/// Fetches new package lists; whether it succeeded.
pub(super) fn update() -> Result<bool, Failure> {
    say("trying again with fresh package lists");
    speak(&["update"])
}

fn speak(arguments: &[&str]) -> Result<bool, Failure> {
    say(&format!("running apt-get {}", arguments.join(" ")));
    let status = command("apt-get", arguments).env("DEBIAN_FRONTEND", "noninteractive").status();
    status.map(|status| status.success()).map_err(|error| not_started("apt-get", &error))
}

fn ask(program: &str, arguments: &[&str]) -> Result<Output, Failure> {
    let output = command(program, arguments).env("LC_ALL", "C").output();
    output.map_err(|error| not_started(program, &error))
}

/// dpkg looks for its helpers in PATH, which under cron or `su` does not name their folders.
fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program_file(program));
    command.args(arguments).env("PATH", complete_path());
    command
}

fn not_started(program: &str, error: &std::io::Error) -> Failure {
    let help = "is this a Debian system? `rig doctor` says what is missing here";
    Failure::say(Exit::Testbed, format!("{program} does not start: {error}"), help)
}

/// Nothing was done, because it would harm what is installed.
pub(super) fn refuse_harm(harmed: &[Installed], packages: &[&str]) -> Result<Failure, Failure> {
    let names: Vec<String> =
        harmed.iter().map(|Installed { name, version }| format!("{name} {version}")).collect();
    let what = format!(
        "apt-get would remove {}, or give it an older version, to install {}; nothing was done",
        names.join(", "),
        packages.join(", ")
    );
    let harmed: Vec<String> = harmed.iter().map(|one| one.name.clone()).collect();
    Ok(Failure::say(Exit::Testbed, what, way_out(&harmed, packages)?))
}

/// Nothing was done, because apt finds no way to do it.
pub(super) fn refuse_impossible(said: &str, packages: &[&str]) -> Result<Failure, Failure> {
    let what = format!("apt-get cannot install {}: {}", packages.join(", "), simulation::complaint(said));
    let named = simulation::contradicting(said);
    let help = if named.is_empty() {
        "do the package sources of this host have it (`apt-cache policy`), and are the lists fresh (`apt-get update`)?".to_owned()
    } else {
        way_out(&named, packages)?
    };
    Ok(Failure::say(Exit::Testbed, what, help))
}

/// What apt says is wrong, in its own words.
pub(super) fn why(said: &str) -> String {
    simulation::complaint(said)
}

/// Whether what is installed stands against it, and not a list that is too old.
pub(super) fn contradicts(said: &str) -> bool {
    !simulation::contradicting(said).is_empty()
}

/// What to do instead, found in apt's data: to take the new packages from the release that what is in the way came from, where apt says that
/// this harms nothing.
fn way_out(in_the_way: &[String], packages: &[&str]) -> Result<String, Failure> {
    let mut facts = Vec::new();
    for name in in_the_way {
        let policy = ask("apt-cache", &["policy", name])?;
        let Some((version, releases)) = simulation::installed(&String::from_utf8_lossy(&policy.stdout))
        else {
            continue;
        };
        for release in &releases {
            if matches!(foresee(Some(release), packages)?, Foreseen::Harmless(_)) {
                return Ok(format!(
                    "{name} {version} is of {release}: take the new packages from there too: `apt-get install --no-remove \
                     --no-install-recommends --target-release {release} {}`",
                    packages.join(" ")
                ));
            }
        }
        facts.push(match releases.as_slice() {
            [] => format!(
                "{name} {version} is in no package source that apt knows now: add the one that it came from, and run this again"
            ),
            some => format!("{name} {version} is of {}", some.join(" and ")),
        });
    }
    facts.push(format!(
        "rig also takes programs that were installed in another way (it looks in PATH); it needs {} of the host",
        packages.join(", ")
    ));
    Ok(facts.join("\n"))
}
