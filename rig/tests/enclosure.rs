//! Tier *netns*: the enclosure. Needs root. A harness of its own, because `enclose` must be called before the first thread: each test forks,
//! and the fork encloses itself. Kills only processes that it started.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[path = "enclosure/fetching.rs"]
mod fetching;
#[path = "enclosure/harness.rs"]
mod harness;
#[path = "enclosure/life.rs"]
mod life;
#[path = "enclosure/signals.rs"]
mod signals;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::main(&[
        ("exit_codes_pass_through", life::exit_codes_pass_through),
        ("death_by_a_signal_passes_through", life::death_by_a_signal_passes_through),
        ("sigkill_of_any_of_the_three_ends_all", life::sigkill_of_any_of_the_three_ends_all),
        ("sigkill_at_any_moment_of_the_start_leaves_nothing", life::sigkill_at_any_moment_of_the_start),
        ("the_end_of_the_body_ends_all_before_the_outer_process", life::the_end_of_the_body_ends_all),
        ("orphans_are_reaped", life::orphans_are_reaped),
        ("the_body_has_its_own_proc_network_and_room", life::the_body_has_its_own_proc_network_and_room),
        ("an_enclosure_in_an_enclosure_sees_the_outermost_host", life::nested),
        ("sigkill_leaves_nothing_that_fetches", fetching::sigkill_leaves_nothing),
        ("what_asks_rig_to_end_while_it_fetches_is_obeyed", fetching::what_asks_it_to_end_is_obeyed),
        ("who_may_not_enclose_is_told_why", life::who_may_not_enclose_is_told_why),
        ("a_signal_to_the_outer_process_reaches_the_body_once", signals::to_the_outer_process),
        ("a_signal_to_the_group_reaches_the_body_once", signals::to_the_group),
        ("stop_and_continue_reach_the_body", signals::stop_and_continue),
        ("a_terminal_interrupts_stops_and_continues_it_as_one_process", signals::terminal),
        ("ignored_and_blocked_signals_stay_so_in_the_body", signals::dispositions),
    ])
}
