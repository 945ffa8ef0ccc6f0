//! What was written reads back as it was, and what means nothing is refused.
//!
//! Units: none. Errors: none.

use proptest::prelude::*;
use rig_protocol::{
    Account, CallLog, Errno, Injected, Network, Part, Program, ProgramTally, ProgramTrial, Redirect,
    Returned, Said, Verdict, Witness,
};

use super::*;

fn errnos() -> impl Strategy<Value = Option<Errno>> {
    proptest::option::of((0..4_096).prop_map(Errno))
}

prop_compose! {
    fn programs()(
        (name, path, directory) in any::<(String, String, String)>(),
        (arguments, before, outcome) in any::<(Vec<String>, Vec<String>, Vec<String>)>(),
        environment in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3),
        (input, says) in any::<(Option<String>, Option<String>)>(),
        (calls, nth) in any::<(Vec<String>, u32)>(),
        witness in proptest::sample::select(Witness::ALL.to_vec()),
        redirect in prop_oneof![
            Just(Redirect::All), Just(Redirect::None), any::<Vec<String>>().prop_map(Redirect::Only)
        ],
        (own, terminal) in any::<(bool, bool)>(),
        inject in proptest::option::of((1..4_096, 0..1_000_000_u32)),
        parts in proptest::collection::vec(any::<(String, String, u64)>(), 0..3),
    ) -> Program {
        let part = |(path, digest, bytes)| Part { path, digest, bytes };
        Program {
            name, path, arguments, environment, directory, before, input, says, outcome, witness, redirect, terminal,
            verdict: Verdict { calls, nth },
            network: if own { Network::Own } else { Network::Target },
            inject: inject.map(|(errno, rate_ppm)| Injected { errno: Errno(errno), rate_ppm }),
            parts: parts.into_iter().map(part).collect(),
        }
    }
}

prop_compose! {
    fn tallies()(
        accounts in proptest::collection::vec((
            proptest::option::of((-4_095_i64..70).prop_map(Returned::of_raw)), errnos(), errnos(),
            any::<(bool, Option<i64>, bool, u32)>(), errnos(), ".{0,8}",
        ), 0..5),
        sites in proptest::collection::vec((".{0,8}", ".{0,8}", 0..9_u64), 0..4),
        (other_accounts, redirected, lost_events, own_resets) in any::<(u64, u64, u64, u64)>(),
        ends in proptest::collection::btree_map(".{0,8}", any::<u64>(), 0..3),
        calls in proptest::collection::btree_map(".{0,8}", any::<u64>(), 0..3),
        unseen in proptest::collection::btree_map(".{0,8}", any::<u64>(), 0..3),
    ) -> ProgramTally {
        let mut tally = ProgramTally {
            other_accounts, redirected, lost_events, own_resets, ends, calls, unseen, ..ProgramTally::default()
        };
        for (kernel, libc, libc_at_line, (spoke, said_returned, injected, trials), said_errno, end) in accounts {
            let trials = u64::from(trials);
            tally.count(Account { kernel, libc, libc_at_line, spoke, said_returned, said_errno, end, injected, trials });
        }
        for (site, label, n) in sites {
            tally.count_site(&site, &label, n);
        }
        tally
    }
}

prop_compose! {
    fn calls()(
        (process, call, about, label) in any::<(u32, String, String, String)>(),
        (begin_ns, end_ns, returned) in any::<(u64, u64, Option<i64>)>(),
        errno_after in errnos(),
        (descriptor, connection, state_before) in any::<(Option<i32>, Option<u32>, Option<u8>)>(),
        (verdict, injected, redirected) in any::<(bool, bool, bool)>(),
    ) -> CallLog {
        CallLog {
            process, call, about, begin_ns, end_ns, returned, label, errno_after, descriptor, connection, state_before, verdict,
            injected, redirected,
        }
    }
}

prop_compose! {
    fn trials()(
        (begin_ns, end_ns, end, processes) in any::<(u64, u64, String, u32)>(),
        calls in proptest::collection::vec(calls(), 0..4),
        (left_out, output) in any::<(u64, String)>(),
        said in proptest::option::of((any::<(String, Option<i64>)>(), errnos(), errnos())),
    ) -> ProgramTrial {
        let said = said.map(|((line, returned), errno, held)| Said { line, returned, errno, held });
        ProgramTrial { begin_ns, end_ns, end, processes, calls, left_out, said, output }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_on_the_way_to_disk_and_back(program in programs(), tally in tallies(), trial in trials()) {
        let text = serde_json::to_string(&PlannedProgram::from(&program)).expect("plain data");
        let read: PlannedProgram = serde_json::from_str(&text).expect("its own words");
        prop_assert_eq!(Program::try_from(read), Ok(program));
        let text = serde_json::to_string(&ProgramSums::from(&tally)).expect("plain data");
        let read: ProgramSums = serde_json::from_str(&text).expect("its own words");
        prop_assert_eq!(ProgramTally::try_from(read), Ok(tally));
        let text = serde_json::to_string(&KeptProgram::from(&trial)).expect("plain data");
        let read: KeptProgram = serde_json::from_str(&text).expect("its own words");
        prop_assert_eq!(ProgramTrial::try_from(read), Ok(trial));
    }
}

#[test]
fn what_means_nothing_is_refused() {
    let sums = |text: &str| {
        let sums: ProgramSums = serde_json::from_str(text).expect("the right shape");
        ProgramTally::try_from(sums).expect_err("no sums of anything")
    };
    let said = sums(r#"{"accounts": [{"kernel": 0, "kernel_errno": "EBADF", "trials": 1}]}"#);
    assert_eq!(said, "an account of a program with errno EBADF and no -1");
    assert_eq!(sums(r#"{"accounts": [{"libc": "EFOO"}]}"#), "\"EFOO\" is not an errno");
    let text = r#"{"witness": "gdb", "redirect": "all", "network": "own"}"#;
    let program: PlannedProgram = serde_json::from_str(text).expect("the right shape");
    assert_eq!(
        Program::try_from(program).expect_err("unknown"),
        "its program's witness: unknown word \"gdb\""
    );
}
