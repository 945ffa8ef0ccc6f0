//! The course of a rehearsal as a state machine: what happened goes in, what is to be done comes out.
//!
//! Pure: no clock, socket or process; the caller says when it is. Must not know QEMU's arguments. Units: `Duration`, bytes.
//! Every phase has a deadline that says what was waited for. Errors: [`RehearsalError`], as the result of the course.
//! Tests: below: each phase against each event that may break into it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::error::RehearsalError;
use super::plan::Bounds;
use super::wire::{Ending, INPUT_WINDOW_BYTES, Start, Stream, ToGuest, ToHost, Window};
use crate::console::{Mark, judge};

/// Console lines that are kept for messages.
const TAIL_LINES: usize = 20;

/// How a line of QEMU's standard error begins.
const QEMU_COMPLAINS: &str = "qemu-system-x86_64: ";

/// How long a kernel may take to die once it has said so; then it hangs instead.
const DYING: Duration = Duration::from_secs(10);

/// How a rehearsal ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The command ended, be it because it was interrupted.
    Ended(Ending),
    /// The user did not want to wait for the command's end.
    Abandoned,
}

/// Something that a person who waits may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The emulated host is up, and the command starts.
    Booted {
        /// `uname -r`
        release: String,
        /// Since QEMU's start.
        after: Duration,
    },
    /// The command was told to stop.
    Interrupting {
        /// How long it has.
        bound: Duration,
    },
}

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    /// A message other than output, which the reader writes itself.
    Message(ToHost),
    /// What came over the control port is no message.
    Garbled(String),
    /// QEMU has closed the control port: it is about to be gone.
    Closed,
    /// A line of the console, or of QEMU's standard error.
    Line(String),
    /// A signal to us that is meant for the command.
    Signal(i32),
    Resized(Window),
    /// Input for the command; empty: its end.
    Input(Vec<u8>),
    /// Output is being written to a slow reader: the machine waits for the reader, and sends nothing.
    Writing,
    /// And that is done.
    Written,
    /// Nobody reads this stream of ours any more.
    OutputClosed(Stream),
    /// Nothing happened until the deadline.
    Nothing,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Send(ToGuest),
    /// Read up to so many bytes more of the command's input.
    ReadInput(usize),
    Tell(Note),
}

#[derive(Debug)]
enum Phase {
    Boot,
    Run,
    WindDown(Why),
    Leave(Result<Outcome, RehearsalError>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Interrupted,
    TooLong,
}

/// A rehearsal under way.
#[derive(Debug)]
pub(super) struct Course {
    bounds: Bounds,
    start: Option<Start>,
    began: Instant,
    deadline: Instant,
    /// When something last came from inside; none while what came is being written.
    heard: Option<Instant>,
    phase: Phase,
    tail: VecDeque<String>,
    /// The line in which init gave up, the kernel died or QEMU complained.
    reason: Option<String>,
    /// When it will be taken for dead, once its kernel has said that it dies.
    dying: Option<Instant>,
    result: Option<Result<Outcome, RehearsalError>>,
}

impl Course {
    pub(super) fn new(start: Start, bounds: Bounds, now: Instant) -> Self {
        Self {
            bounds,
            start: Some(start),
            began: now,
            deadline: now + bounds.boot,
            heard: Some(now),
            phase: Phase::Boot,
            tail: VecDeque::new(),
            reason: None,
            dying: None,
            result: None,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        [self.dying, self.silent_at()].into_iter().flatten().fold(self.deadline, Instant::min)
    }

    /// When an emulated host that says nothing more has hung.
    fn silent_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Run | Phase::WindDown(_) => Some(self.heard? + self.bounds.silence),
            Phase::Boot | Phase::Leave(_) => None,
        }
    }

    /// How it ended, once it has.
    pub(super) fn result(&mut self) -> Option<Result<Outcome, RehearsalError>> {
        self.result.take()
    }

    pub(super) fn take(&mut self, event: Event, now: Instant) -> Vec<Action> {
        match event {
            Event::Message(message) => {
                self.heard = Some(now);
                return self.message(message, now);
            }
            Event::Garbled(what) => self.finish(Err(RehearsalError::Garbled { what })),
            Event::Closed => self.closed(),
            Event::Line(line) => self.line(line, now),
            Event::Signal(number) => return self.signal(number, now),
            Event::Resized(window) => return self.forward(ToGuest::Resize(window)),
            Event::Input(bytes) => return self.forward(ToGuest::Input(bytes)),
            Event::Writing => self.heard = None,
            Event::Written => self.heard = Some(now),
            Event::OutputClosed(stream) => return self.forward(ToGuest::OutputClosed(stream)),
            Event::Nothing => {}
        }
        if self.dying.is_some_and(|dead| now >= dead) {
            self.closed();
        } else if self.silent_at().is_some_and(|hung| now >= hung) {
            let last = self.last_words();
            let what = "a message of the emulated host";
            self.finish(Err(RehearsalError::Deadline { what, bound: self.bounds.silence, last }));
        }
        if now >= self.deadline && self.result.is_none() { self.expired(now) } else { vec![] }
    }

    fn message(&mut self, message: ToHost, now: Instant) -> Vec<Action> {
        match (message, &self.phase) {
            (ToHost::Hello { release }, Phase::Boot) => {
                self.phase = Phase::Run;
                self.deadline = now + self.bounds.run;
                let start = self.start.take().expect("only the boot phase takes it, and it ends here");
                let booted = Note::Booted { release, after: now - self.began };
                vec![
                    Action::Tell(booted),
                    Action::Send(ToGuest::Start(start)),
                    Action::ReadInput(INPUT_WINDOW_BYTES),
                ]
            }
            (ToHost::InputTaken(bytes), Phase::Run | Phase::WindDown(_)) => vec![Action::ReadInput(bytes)],
            (ToHost::Ended(ending), Phase::Run | Phase::WindDown(Why::Interrupted)) => {
                self.leave(Ok(Outcome::Ended(ending)), now)
            }
            (ToHost::Ended(_), Phase::WindDown(Why::TooLong)) => {
                self.leave(Err(RehearsalError::TooLong { bound: self.bounds.run }), now)
            }
            (ToHost::Failed(what), Phase::Run | Phase::WindDown(_)) => {
                self.leave(Err(RehearsalError::Inside { what }), now)
            }
            (ToHost::Output(..) | ToHost::InputTaken(_) | ToHost::Alive, _) => vec![],
            (message @ (ToHost::Hello { .. } | ToHost::Ended(_) | ToHost::Failed(_)), _) => {
                let what = format!("{message:?} while {}", self.doing());
                self.finish(Err(RehearsalError::Garbled { what }));
                vec![]
            }
        }
    }

    fn leave(&mut self, result: Result<Outcome, RehearsalError>, now: Instant) -> Vec<Action> {
        self.phase = Phase::Leave(result);
        self.deadline = now + self.bounds.power_off;
        vec![Action::Send(ToGuest::Release)]
    }

    fn finish(&mut self, result: Result<Outcome, RehearsalError>) {
        self.result.get_or_insert(result);
    }

    /// The command's result counts even when the machine does not power off as it should: everything has arrived by then.
    fn finish_leaving(&mut self) {
        if let Phase::Leave(result) = std::mem::replace(&mut self.phase, Phase::Boot) {
            self.finish(result);
        }
    }

    fn closed(&mut self) {
        match self.phase {
            Phase::Leave(_) => self.finish_leaving(),
            Phase::Boot | Phase::Run | Phase::WindDown(_) => {
                let tail = Vec::from(std::mem::take(&mut self.tail)).join("\n");
                let died = RehearsalError::Died { doing: self.doing(), reason: self.reason.take(), tail };
                self.finish(Err(died));
            }
        }
    }

    fn line(&mut self, line: String, now: Instant) {
        let says_why = match judge(&line) {
            Some(Mark::Oops | Mark::Panicked) => {
                self.dying.get_or_insert(now + DYING);
                true
            }
            Some(Mark::Failed(_)) => true,
            Some(Mark::Begun | Mark::Ready(_) | Mark::At(_) | Mark::Complaint) | None => {
                line.contains(QEMU_COMPLAINS)
            }
        };
        if says_why {
            self.reason.get_or_insert_with(|| line.clone());
        }
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
    }

    fn signal(&mut self, number: i32, now: Instant) -> Vec<Action> {
        match self.phase {
            Phase::Run => self.wind_down(number, Why::Interrupted, now),
            // Nothing has begun, or the user does not want to wait: what is written so far is on the host.
            Phase::Boot | Phase::WindDown(_) => {
                self.finish(Ok(Outcome::Abandoned));
                vec![]
            }
            Phase::Leave(_) => {
                self.finish_leaving();
                vec![]
            }
        }
    }

    fn wind_down(&mut self, number: i32, why: Why, now: Instant) -> Vec<Action> {
        self.phase = Phase::WindDown(why);
        self.deadline = now + self.bounds.wind_down;
        let note = Note::Interrupting { bound: self.bounds.wind_down };
        vec![Action::Tell(note), Action::Send(ToGuest::Signal(number))]
    }

    /// To a command that runs; otherwise there is nobody who could take it.
    fn forward(&self, message: ToGuest) -> Vec<Action> {
        match self.phase {
            Phase::Run | Phase::WindDown(_) => vec![Action::Send(message)],
            Phase::Boot | Phase::Leave(_) => vec![],
        }
    }

    fn last_words(&self) -> String {
        self.tail.back().map_or_else(|| "none".to_owned(), |line| format!("{line:?}"))
    }

    fn expired(&mut self, now: Instant) -> Vec<Action> {
        let last = self.last_words();
        let late = |what, bound| Err(RehearsalError::Deadline { what, bound, last });
        match self.phase {
            Phase::Boot => self.finish(late("the emulated KVM host to boot", self.bounds.boot)),
            Phase::Run => return self.wind_down(libc::SIGINT, Why::TooLong, now),
            Phase::WindDown(_) => {
                self.finish(late("the command to end after it was interrupted", self.bounds.wind_down));
            }
            Phase::Leave(_) => self.finish_leaving(),
        }
        vec![]
    }

    fn doing(&self) -> &'static str {
        match self.phase {
            Phase::Boot => "booting",
            Phase::Run => "running the command",
            Phase::WindDown(_) => "waiting for the interrupted command",
            Phase::Leave(_) => "powering off",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::sample;
    use super::super::wire::Sink;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Stage {
        course: Course,
        now: Instant,
    }

    fn start() -> Start {
        sample().start(Sink::Pipe, Sink::Pipe, Window { rows: 24, columns: 80 })
    }

    impl Stage {
        fn booting() -> Self {
            let now = Instant::now();
            let bounds = Bounds {
                boot: 10 * SECOND,
                run: 100 * SECOND,
                wind_down: 5 * SECOND,
                silence: 200 * SECOND,
                power_off: 3 * SECOND,
            };
            Self { course: Course::new(start(), bounds, now), now }
        }

        fn running() -> Self {
            let mut stage = Self::booting();
            stage.hello();
            stage
        }

        fn hello(&mut self) -> Vec<Action> {
            self.take(Event::Message(ToHost::Hello { release: "6.1".to_owned() }))
        }

        fn take(&mut self, event: Event) -> Vec<Action> {
            self.course.take(event, self.now)
        }

        fn wait(&mut self, time: Duration) -> Vec<Action> {
            self.now += time;
            self.take(Event::Nothing)
        }

        fn ended(&mut self) -> Vec<Action> {
            self.take(Event::Message(ToHost::Ended(Ending::Exited { code: 7 })))
        }

        fn error(&mut self) -> String {
            self.course.result().unwrap().unwrap_err().to_string()
        }

        fn outcome(&mut self) -> Outcome {
            self.course.result().unwrap().unwrap()
        }
    }

    const SEVEN: Outcome = Outcome::Ended(Ending::Exited { code: 7 });

    #[test]
    fn a_good_course() {
        let mut stage = Stage::booting();
        stage.now += 3 * SECOND;
        assert_eq!(
            stage.hello(),
            [
                Action::Tell(Note::Booted { release: "6.1".to_owned(), after: 3 * SECOND }),
                Action::Send(ToGuest::Start(start())),
                Action::ReadInput(INPUT_WINDOW_BYTES),
            ]
        );
        assert_eq!(stage.take(Event::Input(b"in".to_vec())), [Action::Send(ToGuest::Input(b"in".to_vec()))]);
        assert_eq!(stage.take(Event::Message(ToHost::InputTaken(2))), [Action::ReadInput(2)]);
        assert_eq!(stage.ended(), [Action::Send(ToGuest::Release)]);
        assert!(stage.course.result().is_none(), "QEMU must be gone first");
        stage.take(Event::Closed);
        assert_eq!(stage.outcome(), SEVEN);
    }

    #[test]
    fn ctrl_c_is_passed_on_and_the_commands_own_end_counts() {
        let mut stage = Stage::running();
        assert_eq!(
            stage.take(Event::Signal(libc::SIGTERM)),
            [
                Action::Tell(Note::Interrupting { bound: 5 * SECOND }),
                Action::Send(ToGuest::Signal(libc::SIGTERM)),
            ]
        );
        stage.ended();
        stage.take(Event::Closed);
        assert_eq!(stage.outcome(), SEVEN);
    }

    #[test]
    fn who_does_not_want_to_wait_need_not() {
        let mut stage = Stage::booting();
        stage.take(Event::Signal(libc::SIGINT));
        assert_eq!(stage.outcome(), Outcome::Abandoned);

        let mut stage = Stage::running();
        stage.take(Event::Signal(libc::SIGINT));
        assert!(stage.course.result().is_none());
        stage.take(Event::Signal(libc::SIGINT));
        assert_eq!(stage.outcome(), Outcome::Abandoned);

        let mut stage = Stage::running();
        stage.ended();
        stage.take(Event::Signal(libc::SIGINT));
        assert_eq!(stage.outcome(), SEVEN);
    }

    #[test]
    fn every_wait_ends_and_says_what_it_waited_for() {
        let mut stage = Stage::booting();
        assert_eq!(stage.wait(9 * SECOND), []);
        assert!(stage.course.result().is_none());
        stage.take(Event::Line("Probing EDD".to_owned()));
        stage.wait(SECOND);
        assert_eq!(
            stage.error(),
            "waited 10 s for the emulated KVM host to boot; the last line of the emulated host: \"Probing EDD\""
        );

        let mut stage = Stage::running();
        assert_eq!(stage.wait(100 * SECOND).last(), Some(&Action::Send(ToGuest::Signal(libc::SIGINT))));
        stage.ended();
        stage.take(Event::Closed);
        assert_eq!(stage.error(), "the command was interrupted after 100 s");

        let mut stage = Stage::running();
        stage.take(Event::Signal(libc::SIGINT));
        stage.wait(5 * SECOND);
        assert!(stage.error().starts_with("waited 5 s for the command to end"));

        let mut stage = Stage::running();
        stage.ended();
        stage.wait(3 * SECOND);
        assert_eq!(stage.outcome(), SEVEN);
    }

    /// A machine that never falls silent does not outlive its deadline.
    #[test]
    fn a_flood_of_lines_does_not_hide_the_deadline() {
        let mut stage = Stage::booting();
        stage.now += 10 * SECOND;
        stage.take(Event::Line("again".to_owned()));
        assert!(stage.error().starts_with("waited 10 s"));
    }

    #[test]
    fn a_machine_that_dies_says_where_and_why() {
        let mut stage = Stage::booting();
        for number in 0..30 {
            stage.take(Event::Line(format!("line {number}")));
        }
        stage.take(Event::Line("rig: failed insmod: no".to_owned()));
        stage.take(Event::Line("Kernel panic - not syncing".to_owned()));
        stage.take(Event::Closed);
        let error = stage.course.result().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the emulated KVM host ended while booting: rig: failed insmod: no");
        let RehearsalError::Died { tail, .. } = error else { panic!("{error:?}") };
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(!tail.contains("line 11\n") && tail.ends_with("not syncing"), "{tail}");

        let mut stage = Stage::running();
        stage.take(Event::Closed);
        assert_eq!(stage.error(), "the emulated KVM host ended while running the command");
    }

    #[test]
    fn a_kernel_that_hangs_as_it_dies_is_dead() {
        let mut stage = Stage::running();
        stage
            .take(Event::Line("[   11.1] BUG: TASK stack guard page was hit at 00000000e5f36e63".to_owned()));
        stage.wait(DYING / 2);
        assert!(stage.course.result().is_none());
        assert_eq!(stage.course.deadline() - stage.now, DYING / 2);
        stage.wait(DYING / 2);
        let said =
            "while running the command: [   11.1] BUG: TASK stack guard page was hit at 00000000e5f36e63";
        assert!(stage.error().ends_with(said));

        let mut stage = Stage::running();
        stage.take(Event::Line("[   11.1] Oops: 0002 [#1] PREEMPT SMP NOPTI".to_owned()));
        stage.take(Event::Closed);
        assert!(stage.error().ends_with("Oops: 0002 [#1] PREEMPT SMP NOPTI"));
    }

    #[test]
    fn a_machine_that_says_nothing_has_hung() {
        let mut stage = Stage::booting();
        stage.course.bounds.silence = 20 * SECOND;
        stage.hello();
        stage.wait(15 * SECOND);
        stage.take(Event::Message(ToHost::Alive));
        stage.wait(15 * SECOND);
        assert!(stage.course.result().is_none());
        assert_eq!(stage.course.deadline() - stage.now, 5 * SECOND);
        // What its console says is no sign of a PID 1 that lives.
        stage.take(Event::Line("kvm: nothing".to_owned()));
        stage.wait(5 * SECOND);
        assert!(stage.error().starts_with("waited 20 s for a message of the emulated host"));
    }

    #[test]
    fn a_machine_that_waits_for_a_slow_reader_of_ours_has_not_hung() {
        let mut stage = Stage::booting();
        stage.course.bounds.silence = 20 * SECOND;
        stage.hello();
        stage.take(Event::Writing);
        stage.wait(60 * SECOND);
        assert!(stage.course.result().is_none());
        stage.take(Event::Written);
        assert_eq!(stage.course.deadline() - stage.now, 20 * SECOND);
        stage.wait(20 * SECOND);
        assert!(stage.error().starts_with("waited 20 s for a message"));
    }

    #[test]
    fn what_cannot_be_said_now_is_no_message() {
        let mut stage = Stage::booting();
        stage.ended();
        assert!(stage.error().contains("while booting"));
        let mut stage = Stage::running();
        stage.hello();
        assert!(stage.error().contains("while running"));
        let mut stage = Stage::running();
        stage.take(Event::Garbled("kind 99".to_owned()));
        assert!(stage.error().contains("kind 99"));
    }

    #[test]
    fn a_command_that_does_not_start_is_told_after_power_off() {
        let mut stage = Stage::running();
        assert_eq!(
            stage.take(Event::Message(ToHost::Failed("no such file".to_owned()))),
            [Action::Send(ToGuest::Release)]
        );
        stage.take(Event::Closed);
        assert_eq!(stage.error(), "inside the emulated KVM host: no such file");
    }

    #[test]
    fn nothing_is_sent_where_nobody_listens() {
        let events = || {
            [
                Event::Input(vec![1]),
                Event::Resized(Window { rows: 1, columns: 1 }),
                Event::OutputClosed(Stream::Stdout),
            ]
        };
        for event in events() {
            assert_eq!(Stage::booting().take(event), []);
        }
        for event in events() {
            let mut stage = Stage::running();
            stage.ended();
            assert_eq!(stage.take(event), []);
        }
    }
}
