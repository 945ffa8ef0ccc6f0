//! A short run of every fuzz target, with inputs that are the same on every machine: no panic, and bounded memory.
//!
//! The long run is cargo-fuzz's (`rig/fuzz/`), which calls the same functions. `RIG_FUZZ_INPUTS=300000` plays that many inputs of each target here, `RIG_TESTS=nightly` 100 times
//! as many as usual, and `RIG_FUZZ_SEED` others. Must not need root, guests or a network. Units: MiB. Errors: an input that makes a target panic is printed.

#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "support/scale.rs"]
mod scale;
#[path = "fuzz/targets.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use scale::scale;
use targets::{TARGETS, Target};

/// A target may have so much memory, this program included.
const MOST_MIB: u64 = 200;

/// A target whose seeds are refused at the door reads nothing.
#[test]
fn the_seeds_are_sound() {
    for target in TARGETS {
        assert!((target.seeds)().iter().filter(|seed| (target.sound)(seed)).count() >= 1, "{}", target.name);
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// The most memory that this process had, in MiB. proc(5).
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number of kB") / 1024
}

fn play(name: &str) {
    let Target { run, seeds, inputs, .. } =
        TARGETS.iter().find(|target| target.name == name).expect("a target of the list");
    let seeds = seeds();
    let inputs = setting("RIG_FUZZ_INPUTS").unwrap_or(*inputs as u64 * scale(1, 100));
    let mut rng = ChaCha8Rng::seed_from_u64(setting("RIG_FUZZ_SEED").unwrap_or(1));
    let mut slowest = Duration::ZERO;
    let changed = (0..inputs).map(|_| mutate::mutated(&seeds, &mut rng));
    for (number, input) in seeds.clone().into_iter().chain(changed).enumerate() {
        let begun = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| run(&input)));
        slowest = slowest.max(begun.elapsed());
        assert!(ended.is_ok(), "input {number} of `{name}` makes it panic:\n{}", input.escape_ascii());
    }
    let peak = peak_mib();
    #[expect(clippy::print_stdout, reason = "the numbers of a long run are what it is for")]
    {
        println!("{name}: {inputs} inputs, slowest {slowest:?}, peak {peak} MiB");
    }
    assert!(peak <= MOST_MIB, "{name} took {peak} MiB");
}

macro_rules! short_runs {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            play(stringify!($name));
        })*

        #[test]
        fn every_target_is_played_here_and_is_one_of_cargo_fuzz() {
            let played = [$(stringify!($name)),*];
            assert_eq!(played.to_vec(), TARGETS.iter().map(|target| target.name).collect::<Vec<_>>());
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
            let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("it is there");
            for name in played {
                let file = fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).expect(name);
                assert!(file.contains("targets.rs") && manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

short_runs!(frames, record, run_folder, matrix, scenario, recipe, package, package_list, words);
