//! The middlebox beside a plain kernel bridge, as `rig bench middlebox` measures it, built with optimisation.
//!
//! `cargo bench --bench middlebox`, as root. Namespaces of its own. Timings are meaningless inside a guest without hardware acceleration.
//! Must not judge: it prints figures and ratios. Errors: panics.

#![expect(clippy::print_stdout, reason = "a benchmark's output is what it prints")]

use rig::bench::{Benchmark, Pace, measure, render};

fn main() {
    if !nix::unistd::geteuid().is_root() {
        println!("middlebox: skipped, needs root for its namespaces");
        return;
    }
    let no_guest = Err("not asked for".to_owned());
    let findings = measure(Benchmark::Middlebox, Pace::Full, &no_guest).expect("this host can make paths");
    print!("{}", render(&[findings]));
}
