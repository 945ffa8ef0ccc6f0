//! Runs that are killed, interrupted, or whose guest is: what is left, what is recorded, and that the rest can be played.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::record::JournalEntry;
use rig::record::format::BlockStatus;
use rig::record::{Endpoint, VoidReason};

use crate::QEMU;
use crate::blackbox::belongings::Belongings;
use crate::blackbox::processes::{Process, family, interfaces};
use crate::blackbox::{Lab, Recorded, Running, matrix};

/// Trials that last a second, in two blocks of a guest and two of the host.
const SIZES: &str = "control_trials = 150\ncontrol_blocks = 2\nin_flight = 40\nretries = 1";
const CELLS: &str = "matrix run --seed 11 control=inject-enoent";

fn lab(run: &str) -> Lab {
    Lab::new(&matrix(run, r#""rst""#, r#""bare-metal", "virtio-tap""#))
}

/// Waits for a guest in the middle of its trials.
fn await_guest(running: &mut Running) -> Process {
    let root = running.pid();
    running.await_that("a guest plays", || {
        let family = family(root);
        let plays = family.iter().any(|process| process.is("guest-agent") && process.beside_the_peer());
        family.into_iter().find(|process| plays && process.is(QEMU))
    })
}

fn complete(run: &Recorded) {
    assert_eq!(run.ended(), Some(true));
    let order = run.order();
    assert_eq!(order, run.plan(), "each block once, in the recorded order");
    for cell in run.report()["cells"].as_array().unwrap() {
        assert_eq!(cell["status"], "complete", "{cell}");
    }
}

pub(crate) fn sigkill_leaves_nothing_and_resume_plays_the_rest() {
    let lab = lab(SIZES);
    let before = interfaces();
    let mut running = lab.start(lab.rig(CELLS));
    await_guest(&mut running);
    let belongings = Belongings::of(&running, before);
    running.signal(Signal::SIGKILL);
    // Reaped here, so that it is no zombie of the test's.
    let ended = running.end();
    belongings.vanish();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended.status), Some(libc::SIGKILL));

    let run = lab.only_run();
    let record = run.read("run.json");
    assert_eq!(run.ended(), None, "nobody could say that it ended");
    let (played, plan) = (run.order(), run.plan());
    assert!(played.len() < plan.len() && plan.starts_with(&played), "{played:?} of {plan:?}");

    // A resumed run is what it was: no flag may make another one of it.
    lab.run("matrix run --resume latest --trials 5").expect(2);
    lab.run("matrix run --resume latest control=negative").expect(2);
    lab.run("matrix run --resume 19990101").expect(2).says(&["there is no run `19990101`", &run.id()]);
    assert_eq!(run.order(), played, "refused means untouched");

    lab.run(&format!("matrix run --resume {}", run.id())).expect(0);
    assert_eq!(lab.runs().len(), 1, "no second run");
    assert_eq!(run.read("run.json"), record, "the plan is what it was");
    complete(&run);
    let starts =
        run.journal().into_iter().filter(|entry| matches!(entry, JournalEntry::Started { .. })).count();
    assert_eq!(starts, 2);
}

pub(crate) fn ctrl_c_once_is_graceful_and_twice_is_at_once() {
    let lab = lab(SIZES);
    let before = interfaces();
    let mut running = lab.start(lab.rig(CELLS));
    await_guest(&mut running);
    let belongings = Belongings::of(&running, before.clone());
    running.signal(Signal::SIGINT);
    let ended = running.end().expect(130);
    belongings.vanish();
    assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
    let run = lab.only_run();
    assert_eq!(run.ended(), Some(false));
    let (played, plan) = (run.order(), run.plan());
    assert!(plan.starts_with(&played) && played.len() < plan.len());
    assert_eq!(run.report()["run"]["complete"], false);
    for file in ["report.txt", "report.csv", "report.xml"] {
        assert!(!run.read(file).is_empty());
    }

    let mut running = lab.start(lab.rig("matrix run --resume latest"));
    let qemu = await_guest(&mut running);
    let belongings = Belongings::of(&running, before);
    // A guest that answers nothing must not hold a graceful end up for long, and a hard one not at all.
    kill(Pid::from_raw(i32::try_from(qemu.pid).unwrap()), Signal::SIGSTOP).unwrap();
    running.signal(Signal::SIGINT);
    // The same signal twice before the first is taken in is one signal (signal(7)).
    thread::sleep(Duration::from_millis(100));
    if !belongings.family[0].is_gone() {
        running.signal(Signal::SIGINT);
    }
    running.end().expect(130);
    belongings.vanish();
    assert!(run.plan().starts_with(&run.order()), "what is recorded is whole");
    lab.run("report latest").expect(0).says(&["NOT COMPLETE"]);
}

/// Kills the first guest that plays.
fn with_a_killed_guest(lab: &Lab) -> crate::blackbox::Ended {
    let mut running = lab.start(lab.rig(&format!("{CELLS} configuration=virtio-tap")));
    let qemu = await_guest(&mut running);
    kill(Pid::from_raw(i32::try_from(qemu.pid).unwrap()), Signal::SIGKILL).unwrap();
    running.end()
}

pub(crate) fn a_killed_guest_is_a_void_that_is_tried_again() {
    let lab = lab(&SIZES.replace("control_blocks = 2", "control_blocks = 1"));
    let ended = with_a_killed_guest(&lab).expect(0);
    assert!(
        ended.stderr.contains("VOID") && ended.stderr.contains("will be tried again"),
        "{}",
        ended.stderr
    );
    let run = lab.only_run();
    let played = run.played();
    let [first, second] = &played[..] else { panic!("two attempts: {played:?}") };
    assert_eq!((&first.id, first.attempt, second.attempt), (&second.id, 1, 2));
    let BlockStatus::Void { reason } = &first.status else { panic!("not void: {:?}", first.status) };
    assert!(
        matches!(reason, VoidReason::GuestDied { whose: Endpoint::Target, how } if how.contains("SIGKILL")),
        "{reason}"
    );
    assert_eq!(second.status, BlockStatus::Complete);
    let cell = run.cells("virtio-tap").remove(0);
    assert_eq!(cell["status"], "complete");
    assert_eq!((&cell["trials"], &cell["void"]), (&150.into(), &150.into()), "voids stand beside n: {cell}");
    assert_eq!(cell["void_reasons"][format!("block: {reason}")], 150, "{cell}");
    // The table breaks its lines.
    let text = run.read("report.txt").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("void: 150 (block: {reason})")), "{text}");
}

pub(crate) fn a_killed_guest_without_retries_leaves_the_cell_short() {
    let sizes =
        SIZES.replace("control_blocks = 2", "control_blocks = 1").replace("retries = 1", "retries = 0");
    let lab = lab(&sizes);
    // The image is there from here on; then no run needs a network, so this one gets none.
    lab.run("image build 6.1").expect(0);
    let cut_off = || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        with_a_killed_guest(&lab)
    };
    let ended =
        thread::scope(|scope| scope.spawn(cut_off).join()).unwrap_or_else(|panic| resume_unwind(panic));
    let ended = ended.expect(3);
    assert!(ended.stderr.contains("the cell stays short"), "{}", ended.stderr);
    let run = lab.only_run();
    assert_eq!(run.ended(), Some(true), "the run went on to its end");
    let cell = run.cells("virtio-tap").remove(0);
    assert_eq!((&cell["status"], &cell["trials"], &cell["void"]), (&"short".into(), &0.into(), &150.into()));
    assert!(cell["reason"].as_str().unwrap().contains("guest died"), "{cell}");
}
