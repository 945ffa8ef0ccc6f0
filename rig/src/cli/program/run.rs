//! `rig program run`: a scenario and a matrix of a command line, run as every other run.
//!
//! Holds its arguments and its flow: the program, its files, the matrix, then what `rig matrix run` does. Must not know how a cell is played.
//! Units: as users type them. Errors: [`Failure`], exit 2 before anything is started. Tests: `tests/cli_input.rs`.

use std::path::{Path, PathBuf};

use super::check::{check_network, check_parameters, check_program, read_scenario, working_directory};
use super::files::{self, Extent};
use super::options::{Client, WitnessWord, usage_of_run};
use crate::campaign::{AfterVoid, Asked, Division, NewRun, Order, Work};
use crate::cli::fresh;
use crate::cli::matrix::{Capture, carry_out};
use crate::cli::scenario::place::BARE_METAL;
use crate::cli::streams::say;
use crate::cli::{Exit, Failure, called, number};
use crate::document::hint;
use crate::image::Recipes;
use crate::matrix::{DEFAULT_FILE, Excerpt, Matrix, kernel_place};
use crate::process;
use crate::record::format::CaptureWhen;

/// Arguments of `rig program run`.
#[derive(Debug, clap::Parser)]
#[command(override_usage = usage_of_run(&called::name()))]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    client: Client,
    /// Where it runs: configurations of the matrix file, beside this host as it is, which is what they are compared with
    #[arg(long = "in", value_name = "CONFIGURATION", value_delimiter = ',')]
    configurations: Vec<String>,
    /// The guests' kernels: images of `rig image list`, exact versions, or paths of your own (`./linux`) [default: the first that the matrix file names]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    kernel: Vec<String>,
    /// Who records its calls; several are compared with each other
    #[arg(long, value_enum, value_name = "WITNESS", value_delimiter = ',', default_value = "ptrace")]
    witness: Vec<WitnessWord>,
    /// An outcome that is as it should be: readable,data,ECONNRESET,exit=0 [default: every outcome; a measured call that fails is told of all the same, exit code 5]
    #[arg(long, value_name = "OUTCOME")]
    expect: Vec<String>,
    /// How many trials of each cell
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = number::trials, allow_negative_numbers = true)]
    trials: u64,
    /// How many processes at once [default: as many as processors and memory bear]
    #[arg(long, value_name = "N", value_parser = number::in_flight, allow_negative_numbers = true)]
    in_flight: Option<u32>,
    /// The folder in which runs are recorded
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Seed of the order of blocks and of every random draw [default: a new one]
    #[arg(long, value_name = "S", value_parser = number::seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Keep the packets of blocks: a pcapng file for each end, for Wireshark and tshark [default: never]
    #[arg(long, value_enum, value_name = "WHEN")]
    capture: Option<Capture>,
    /// Keep the memory of a guest whose kernel panics: a file that crash(8) opens, in `core` of the run's folder, three at most
    #[arg(long, conflicts_with = "write")]
    keep_core: bool,
    /// Run nothing: write the scenario and the matrix file that this command line stands for into this folder, to be changed
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let client = &arguments.client;
    let folder = working_directory()?;
    check_network(client)?;
    check_program(client, &folder)?;
    let made = Made::of(arguments, &folder)?;
    if let Some(folder) = &arguments.write {
        return write(folder, &made);
    }
    let matrix = Some(Box::new(made.read()?));
    let asked = Asked { given: matrix, ..Asked::default() };
    let capture = arguments.capture.map_or(CaptureWhen::Never, Into::into);
    let work = Work::New(Box::new(NewRun {
        asked,
        shard: None,
        division: Division::default(),
        seed: arguments.seed,
        capture,
        lock: None,
    }));
    let results = arguments.results.clone();
    let (keep_core, after_void) = (arguments.keep_core, AfterVoid::GoOn);
    carry_out(&Order { work, results, deadline: None, keep_core, after_void }, None)
}

/// The files that a command line stands for: their names, and their texts.
struct Made {
    matrix: String,
    scenarios: [(String, String); 2],
}

impl Made {
    fn of(arguments: &Arguments, folder: &Path) -> Result<Self, Failure> {
        let client = &arguments.client;
        let stem = files::stem(client.program());
        let every = ["**".to_owned()];
        let expect = if arguments.expect.is_empty() { &every[..] } else { &arguments.expect };
        let witnesses: Vec<&str> = arguments.witness.iter().map(|witness| witness.word()).collect();
        let first = witnesses.first().copied().unwrap_or_default();
        check_parameters(client, folder)?;
        let scenario = files::scenario(client, folder, expect, first);
        read_scenario(&stem, folder, &scenario)?;
        let excerpt = Matrix::load_excerpt(client.matrix.as_deref()).map_err(Failure::input)?;
        let configurations = configurations(&arguments.configurations, &excerpt)?;
        let kernels = kernels(&arguments.kernel, &configurations, &excerpt)?;
        check_path(&client.path, &excerpt)?;
        let extent = Extent {
            stem: &stem,
            configurations: &configurations,
            kernels: &kernels,
            path: &client.path,
            witnesses: &witnesses,
            trials: arguments.trials,
            in_flight: arguments.in_flight,
        };
        let matrix = files::matrix(&extent, &excerpt, BARE_METAL);
        let control = (files::control_stem(&stem), files::control(client, folder));
        Ok(Self { matrix, scenarios: [(stem, scenario), control] })
    }

    fn files(&self, folder: &Path, told: &str) -> Vec<fresh::Fresh> {
        let file = |(name, text): (&str, &String)| (folder.join(name), format!("{told}{text}"));
        let scenarios = self.scenarios.iter().map(|(stem, text)| (format!("{stem}.toml"), text));
        let mut all: Vec<fresh::Fresh> = scenarios.map(|(name, text)| file((&name, text))).collect();
        all.push(file((DEFAULT_FILE, &self.matrix)));
        all
    }

    /// Read as what it is, from a folder that is gone afterwards.
    fn read(&self) -> Result<Matrix, Failure> {
        let folder = process::new_run_dir().map_err(|error| {
            let what = format!("cannot make a folder for the scenario: {error}");
            Failure::say(Exit::Testbed, what, "look at the disk of /run and of TMPDIR")
        })?;
        fresh::write(&self.files(folder.path(), ""))?;
        let name = "the matrix file of this command line";
        Matrix::parse(name, &self.matrix, folder.path()).map_err(Failure::input)
    }
}

/// A kernel that is named by its path, by one that is seen from anywhere.
fn from_anywhere(kernel: &str) -> String {
    kernel_place(kernel, Path::new("."))
        .map_or_else(|| kernel.to_owned(), |place| place.display().to_string())
}

/// This host, and what else was asked for; each once.
fn configurations(asked: &[String], excerpt: &Excerpt) -> Result<Vec<String>, Failure> {
    let mut names = vec![BARE_METAL.to_owned()];
    for name in asked {
        if name != BARE_METAL && excerpt.machine(name).is_none() {
            let known = excerpt.machines.iter().map(|machine| machine.configuration.name.as_str());
            let what = format!("{} declares no configuration `{name}`", excerpt.name);
            return Err(Failure::say(
                Exit::Input,
                what,
                hint(name, known, "the configurations of that file"),
            ));
        }
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

/// Of the guests, if there are any.
fn kernels(asked: &[String], configurations: &[String], excerpt: &Excerpt) -> Result<Vec<String>, Failure> {
    let is_guest =
        |name: &String| excerpt.machine(name).is_some_and(|machine| !machine.configuration.target.is_host());
    match (configurations.iter().any(is_guest), asked) {
        (false, []) => Ok(Vec::new()),
        (false, [kernel, ..]) => Err(Failure::say(
            Exit::Input,
            format!("there is no guest to run kernel `{kernel}`: this host runs its own"),
            "name a guest, --in virtio-tap, or leave out --kernel",
        )),
        (true, []) => {
            let named =
                excerpt.kernels.first().cloned().or_else(|| Recipes::default().guests().into_iter().next());
            named.map(|kernel| vec![kernel]).ok_or_else(|| {
                let what = format!("{} names no kernel, and there is no recipe of one", excerpt.name);
                Failure::say(Exit::Input, what, "give one: --kernel NAME; `rig image list` shows the recipes")
            })
        }
        // The file that is made lies elsewhere.
        (true, kernels) => Ok(kernels.iter().map(|kernel| from_anywhere(kernel)).collect()),
    }
}

/// A path of the file; `direct` is there also where no file declares it.
fn check_path(name: &str, excerpt: &Excerpt) -> Result<(), Failure> {
    if name == "direct" || excerpt.paths.iter().any(|path| path == name) {
        return Ok(());
    }
    let help = hint(name, excerpt.paths.iter().map(String::as_str), "the paths of that file");
    Err(Failure::say(Exit::Input, format!("{} declares no path `{name}`", excerpt.name), help))
}

fn write(folder: &Path, made: &Made) -> Result<Exit, Failure> {
    let words: Vec<String> = std::env::args().skip(1).map(|word| called::quoted(&word)).collect();
    let told = format!("# Written by: rig {}\n\n", words.join(" ").replace('\n', " "));
    let files = made.files(folder, &told);
    fresh::write(&files)?;
    files.iter().for_each(|(path, _)| say(&format!("wrote {}", path.display())));
    let matrix = called::quoted(&folder.join(DEFAULT_FILE).to_string_lossy());
    say(&format!(
        "next: `rig matrix plan --matrix {matrix}` to see the cells, `rig matrix run --matrix {matrix}`"
    ));
    Ok(Exit::Done)
}
