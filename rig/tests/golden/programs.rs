//! A user's program: what the kernel said, what libc held, what the program said, from the record to the report and to `rig explain`.

use std::sync::Arc;

use rig::analysis::model::{AccountReading, ReportModel};
use rig::analysis::sightings;
use rig::configuration::Localtime;
use rig::explain::Answer;
use rig_protocol::{Account, Errno, Program, ProgramTally, Returned, Script, Tally, Verdict, Witness};

use crate::fixture::{BLOCK, Bench, ORDINARY, Play, cell, sound};
use crate::reports::{model, render};

const ENDED: &str = "exit=0";

/// The mended client of the report, under this witness, in a cell of its own.
fn plan(bench: &mut Bench, configuration: &str, kernel: &str, witness: Witness) {
    let mut planned = cell(Play::Base, configuration, kernel);
    let mut script = Script::clone(&planned.subject.script);
    let client = script.lanes.iter_mut().find(|lane| lane.name == "client").expect("it has one");
    client.steps.clear();
    script.program = Some(Box::new(Program {
        name: "./client3".into(),
        path: "/home/somebody/client3".into(),
        arguments: vec!["-v".into()],
        directory: "/home/somebody".into(),
        verdict: Verdict { calls: vec!["select".into(), "pselect6".into()], nth: 1 },
        witness,
        ..Program::default()
    }));
    script.expect = vec!["**".into()];
    planned.claims.clear();
    planned.subject.scenario = "client3".into();
    planned.subject.parameters = [("witness".to_owned(), witness.word().to_owned())].into();
    planned.subject.script = Arc::new(script);
    planned.id = planned.subject.id();
    bench.plan(planned);
}

/// What a trial of it comes to: the kernel's return, libc's errno behind it and at the line, and what it says.
fn account(kernel: i64, libc: i32, at_line: i32, said: (i64, i32), trials: u64) -> Account {
    Account {
        kernel: Some(Returned::of_raw(kernel)),
        libc: Some(Errno(libc)),
        libc_at_line: Some(Errno(at_line)),
        spoke: true,
        said_returned: Some(said.0),
        said_errno: Some(Errno(said.1)),
        end: ENDED.into(),
        trials,
        ..Account::default()
    }
}

/// Gives the blocks of the program's cells there these accounts.
fn played(bench: &mut Bench, configuration: &str, witness: Witness, localtime: bool, accounts: &[Account]) {
    let of = |record: &rig::record::format::CellRecord| {
        let subject = &record.cell.subject;
        let same = subject.script.program.as_ref().is_some_and(|program| program.witness == witness);
        (same && subject.configuration.name == configuration).then(|| record.cell.id.clone())
    };
    let cells: Vec<_> = bench.record.cells.iter().filter_map(of).collect();
    for (block, _) in bench.blocks.iter_mut().filter(|(block, _)| cells.contains(&block.cell)) {
        block.target_hello.as_mut().expect("it spoke").localtime = localtime;
        let mut sums = ProgramTally { redirected: BLOCK, ..ProgramTally::default() };
        let mut tally = Tally { trials: BLOCK, ..Tally::default() };
        for one in accounts {
            sums.count(one.clone());
            *sums.ends.entry(one.end.clone()).or_default() += one.trials;
            match one.kernel {
                Some(returned) => *tally.returns.entry(returned).or_default() += one.trials,
                None => tally.unreturned += one.trials,
            }
            let label = match one.kernel {
                Some(Returned { errno: Some(errno), .. }) => errno.to_string(),
                Some(_) => "readable".into(),
                None => "uncalled".into(),
            };
            *tally.outcomes.entry(format!("{label},{}", one.end)).or_default() += one.trials;
            if let Some(errno) = one.libc_at_line {
                *tally.errno_after_localtime.entry(errno).or_default() += one.trials;
            }
        }
        sums.calls = [("pselect6".to_owned(), BLOCK), ("connect".to_owned(), BLOCK)].into();
        sums.count_site("pselect6 1", "readable", BLOCK);
        tally.latency = std::mem::take(&mut block.tally.latency);
        if witness == Witness::None {
            tally.latency.clear();
        }
        tally.program = Some(Box::new(sums));
        assert_eq!(tally.inconsistency(&bench_script(&bench.record, &block.cell)), None);
        block.tally = tally;
    }
}

fn bench_script(record: &rig::record::format::RunRecord, id: &rig::matrix::CellId) -> Script {
    let cell = record.cells.iter().find(|record| record.cell.id == *id).expect("in the plan");
    Script::clone(&cell.cell.subject.script)
}

/// On the host as it is, and in a guest without /etc/localtime: there the errno of the stamp before the call is said.
fn stale() -> Bench {
    let mut bench = sound();
    plan(&mut bench, "bare-metal", "host", Witness::Ptrace);
    plan(&mut bench, "bare-metal", "host", Witness::None);
    plan(&mut bench, "virtio-tap", "6.1", Witness::Ptrace);
    bench.blocks.clear();
    bench.play_all();
    let quiet = [account(1, 0, 0, (1, 0), BLOCK)];
    played(&mut bench, "bare-metal", Witness::Ptrace, true, &quiet);
    let unwatched = Account { kernel: None, libc: None, libc_at_line: None, ..quiet[0].clone() };
    played(&mut bench, "bare-metal", Witness::None, true, &[unwatched]);
    let stale = [account(1, 2, 2, (1, 2), BLOCK - 10), account(-9, 9, 2, (-1, 2), 10)];
    played(&mut bench, "virtio-tap", Witness::Ptrace, false, &stale);
    bench
}

fn readings(model: &ReportModel) -> Vec<(String, AccountReading, u64)> {
    let of = |one: &rig::analysis::model::ProgramSummary| {
        let name = format!("{} {}", one.configuration, one.witness);
        one.accounts.iter().map(|account| (name.clone(), account.reading, account.trials)).collect::<Vec<_>>()
    };
    model.programs.iter().flat_map(of).collect()
}

#[test]
fn the_three_columns_stand_for_every_place() {
    let model = model(&stale());
    let expected = [
        ("bare-metal ptrace", AccountReading::Agrees, 2_000),
        ("bare-metal none", AccountReading::Unwatched, 2_000),
        ("virtio-tap ptrace", AccountReading::Stale, 1_980),
        ("virtio-tap ptrace", AccountReading::Overwritten, 20),
    ];
    let expected = expected.map(|(name, reading, n)| (name.to_owned(), reading, n)).to_vec();
    assert_eq!(readings(&model), expected);
    let text = render(&model, "text");
    let part = text.split("\nYour program: ").nth(1).expect("its section").split("\n\nWhere an errno").next();
    insta::assert_snapshot!("program_text", format!("Your program: {}", part.expect("a part")));
    let words: String = model.sentences.join("\n");
    for sentence in [
        "./client3 said 1 and errno ENOENT where the kernel had returned 1 from pselect6(): an errno that an earlier call left there, after a call that \
         succeeded, in 1,980 of 2,000 trials (virtio-tap 6.1, without /etc/localtime).",
        "./client3 said -1 and errno ENOENT where the kernel had returned -1/EBADF from pselect6(): something between the call and the line set errno again, \
         in 20 of 2,000 trials (virtio-tap 6.1, without /etc/localtime).",
    ] {
        assert!(words.contains(sentence), "{words}");
    }
}

#[test]
fn a_program_that_was_killed_before_it_spoke_is_told_of() {
    let mut bench = Bench::new("20261121-201950-1f3a", &ORDINARY[..1]);
    plan(&mut bench, "bare-metal", "host", Witness::Ptrace);
    bench.play_all();
    let killed = Account {
        kernel: Some(Returned::ONE),
        libc: Some(Errno(0)),
        end: "SIGSEGV".into(),
        trials: BLOCK,
        ..Account::default()
    };
    played(&mut bench, "bare-metal", Witness::Ptrace, true, &[killed]);
    let model = model(&bench);
    assert_eq!(readings(&model), [("bare-metal ptrace".to_owned(), AccountReading::Killed, 2_000)]);
    let sentence = "./client3 was killed by SIGSEGV before it said what pselect6() had returned (1), in 2,000 of 2,000 trials (bare-metal host).";
    assert!(model.sentences.iter().any(|said| said == sentence), "{:?}", model.sentences);
}

#[test]
fn explain_points_to_the_table() {
    let bench = stale();
    let run = bench.run();
    let text = Answer::new(Errno::ENOENT, Ok(sightings(&run, Errno::ENOENT))).text(100);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = "Your program in virtio-tap 6.1 (tcg) (scenario client3): the kernel returned ENOENT from the measured call of ./client3 in 0 of 2,000 calls; \
        errno held it when the program wrote its line in 2,000 of 2,000 trials; the program said it in 2,000 of 2,000 trials. The table \"Your program\" of \
        `rig report 20261121-201950-1f3a` has the whole account.";
    assert!(words.contains(line), "{text}");
}

/// A program's trials are compared, and stand in no sum over the cells that measure the kernel alone.
#[test]
fn a_program_is_compared_with_bare_metal_and_kept_apart_from_plain_cells() {
    let mut with = stale();
    let (model, without) = (model(&with), sound().model());
    let compared =
        |model: &ReportModel| model.comparisons.iter().filter(|one| one.scenario == "client3").count();
    assert!(compared(&model) > 0 && compared(&without) == 0);
    let plain = |model: &ReportModel| {
        let calls = model.errno_sources.iter().filter(|row| row.name.is_empty()).map(|row| row.calls);
        calls.sum::<u64>()
    };
    assert_eq!(plain(&model), plain(&without));
    // An arm of the record is told, whatever the program's environment says.
    let cell = with.record.cells.iter_mut().find(|record| record.cell.subject.scenario == "client3");
    let target = &cell.expect("planned").cell.subject.configuration.target;
    assert_eq!(target.arm().localtime, Localtime::Present);
}
