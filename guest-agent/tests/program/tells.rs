//! What a trial under ptrace tells.

use rig_protocol::{Account, Errno, Returned, TrialRecord};

use crate::driver::*;
use crate::stage::*;

fn accounts(played: &Played) -> &[Account] {
    &played.tally.program.as_ref().expect("sums of a program").accounts
}

fn calls(record: &TrialRecord) -> Vec<(&str, &str)> {
    let program = record.program.as_ref().expect("a program's record");
    program.calls.iter().map(|call| (call.call.as_str(), call.label.as_str())).collect()
}

#[test]
fn a_reset_is_told_call_by_call_by_a_dynamic_and_by_a_static_program() {
    for flags in [&[][..], &["-static"]] {
        let file = compile("client", flags);
        let (target, _) = play(&against_reset(client(&file, "stale")), &setting(20));
        assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET,exit=0", 20)]), "{flags:?}");
        let told = accounts(&target);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].kernel, Some(Returned::ONE));
        assert_eq!((told[0].libc, told[0].said_errno), (Some(Errno::ENOENT), Some(Errno::ENOENT)));
        assert_eq!((told[0].libc_at_line, told[0].said_returned), (Some(Errno::ENOENT), Some(1)));
        assert_eq!(target.tally.stale_errno[&Errno::ENOENT], 20);
        let record = &target.records[0];
        let calls = calls(record);
        let from = calls.iter().position(|call| *call == ("socket", "ok")).expect("a socket");
        let told: Vec<_> = calls[from..].iter().map(|(call, label)| format!("{call} {label}")).collect();
        assert_eq!(
            told.join(", "),
            "socket ok, connect ok, write ok, openat ENOENT, pselect6 readable, write ok, read data, read ECONNRESET, close ok"
        );
    }
}
