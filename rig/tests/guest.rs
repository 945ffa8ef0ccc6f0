//! Tier *guest*: rig from outside, with guests. Needs root, QEMU, and an image of kernel 6.1 (or a mirror to build it from).
//!
//! Guests share the processors, so that one test waits for the other. Accelerator as rig finds it; TCG is enough.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[path = "guest/alone.rs"]
mod alone_in_guest;
#[path = "guest/arms.rs"]
mod arms;
mod blackbox;
#[path = "guest/boots.rs"]
mod boots;
#[path = "guest/capture.rs"]
mod capture;
#[path = "guest/cases.rs"]
mod cases;
#[path = "guest/disturbed.rs"]
mod disturbed;
#[path = "guest/examples.rs"]
mod examples;
#[path = "guest/findings.rs"]
mod findings;
#[path = "catalogue/fixture.rs"]
mod fixture;
#[path = "guest/hardware.rs"]
mod hardware;
#[path = "guest/kernels.rs"]
mod kernels;
#[path = "guest/program.rs"]
mod program;
#[path = "support/scale.rs"]
mod scale;
#[path = "support/examples.rs"]
mod support;
#[path = "guest/wire.rs"]
mod wire;
#[path = "guest/wrapped.rs"]
mod wrapped;

use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// The name of a guest's process.
const QEMU: &str = "qemu-system-x86_64";

/// Runs a test alone, where it can run.
fn alone(test: fn()) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if !blackbox::is_root("guest") {
        return;
    }
    let qemu = Command::new(QEMU).arg("--version").stdout(Stdio::null()).status();
    match qemu {
        Ok(status) if status.success() => test(),
        Ok(status) => blackbox::skip("guest", &format!("qemu-system-x86_64 ends with {status}")),
        Err(error) => blackbox::skip("guest", &format!("no qemu-system-x86_64: {error}")),
    }
}

#[test]
fn every_example_that_needs_a_guest_works_as_it_is_pasted() {
    alone(examples::every_example_that_needs_a_guest_works_as_it_is_pasted);
}

#[test]
fn the_cases_give_their_right_values_in_a_guest() {
    alone(cases::the_cases_give_their_right_values_in_a_guest);
}

#[test]
fn what_qemus_user_network_makes_of_a_reset_is_told() {
    alone(cases::what_qemus_user_network_makes_of_a_reset_is_told);
}

#[test]
fn a_run_says_what_it_measured() {
    alone(findings::a_run_says_what_it_measured);
}

#[test]
fn a_scenario_is_played_in_one_guest() {
    alone(alone_in_guest::a_scenario_is_played_in_one_guest);
}

#[test]
fn a_replayed_block_leaves_its_guest_to_whoever_asks() {
    alone(alone_in_guest::a_replayed_block_leaves_its_guest_to_whoever_asks);
}

#[test]
fn a_scenario_in_a_guest_leaves_nothing_when_it_is_stopped() {
    alone(alone_in_guest::a_scenario_in_a_guest_leaves_nothing_when_it_is_stopped);
}

#[test]
fn a_time_zone_keeps_localtime_from_its_file() {
    alone(arms::a_time_zone_keeps_localtime_from_its_file);
}

#[test]
fn a_script_of_qemus_name_is_visible_in_the_record() {
    alone(wrapped::a_script_of_qemus_name_is_visible_in_the_record);
}

#[test]
fn packets_of_a_guest_are_captured_at_both_ends() {
    alone(capture::packets_of_a_guest_are_captured_at_both_ends);
}

#[test]
fn cells_share_a_boot_and_each_is_told_what_a_lone_one_is() {
    alone(boots::cells_share_a_boot_and_each_is_told_what_a_lone_one_is);
}

#[test]
fn sigkill_leaves_nothing_and_resume_plays_the_rest() {
    alone(disturbed::sigkill_leaves_nothing_and_resume_plays_the_rest);
}

#[test]
fn ctrl_c_once_is_graceful_and_twice_is_at_once() {
    alone(disturbed::ctrl_c_once_is_graceful_and_twice_is_at_once);
}

#[test]
fn a_killed_guest_is_a_void_that_is_tried_again() {
    alone(disturbed::a_killed_guest_is_a_void_that_is_tried_again);
}

#[test]
fn a_killed_guest_without_retries_leaves_the_cell_short() {
    alone(disturbed::a_killed_guest_without_retries_leaves_the_cell_short);
}

#[test]
fn a_program_tells_the_same_in_a_guest() {
    alone(program::a_program_tells_the_same_in_a_guest);
}

#[test]
fn a_tracepoint_and_strace_see_the_same_calls_of_the_same_trials() {
    alone(program::a_tracepoint_and_strace_see_the_same_calls_of_the_same_trials);
}

#[test]
fn the_documented_hardware_is_what_its_guests_show() {
    alone(hardware::the_documented_hardware_is_what_its_guests_show);
}

#[test]
fn what_a_kernel_does_not_take_voids_and_what_it_lacks_is_skipped() {
    alone(hardware::what_a_kernel_does_not_take_voids_and_what_it_lacks_is_skipped);
}

#[test]
fn kernels_are_compared_with_one_of_them() {
    alone(kernels::kernels_are_compared_with_one_of_them);
}
