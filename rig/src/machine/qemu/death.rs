//! Why a guest is no more: the signs of a death, and the one sentence that they add up to.
//!
//! Pure. Signs come from four sources in any order (QMP, console, process, standard error); the most telling one speaks.
//! Must not know streams or processes. Units: none.
//! Errors: none; a death is a value. QMP's words: QEMU's qapi/run-state.json.
//! Tests: below.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

use super::console::{ConsoleState, Stage, strip_time};
use super::qmp::QmpEvent;

/// The end of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// What kind of end.
    pub kind: DeathKind,
    /// One sentence, for a void's reason.
    pub reason: String,
    /// QEMU's last words on standard error.
    pub stderr: String,
    /// How far its boot had come.
    pub stage: Stage,
    /// The last lines of the guest's console, in one line.
    pub last_words: String,
    /// The last lines of the guest's console; of a panic, all that the kernel said of it.
    pub console_tail: String,
}

/// What kind of end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeathKind {
    /// rig ended it.
    Stopped,
    /// The guest's kernel panicked.
    Panicked,
    /// The guest's init gave up.
    Failed,
    /// The guest shut down or reset itself, or somebody else made QEMU end it.
    Shutdown,
    /// QEMU stopped the guest's processors, and nobody asked for it.
    Halted,
    /// What carried the frames of its measured NIC beside QEMU is gone.
    Unplugged,
    /// The QEMU process ended without a word on QMP.
    Exited,
}

/// What has been seen so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Signs {
    /// rig has asked for the end.
    pub(super) asked: bool,
    pub(super) panicked_event: bool,
    pub(super) shutdown: Option<String>,
    pub(super) halted: bool,
    /// The other end of the stream of frames is closed.
    pub(super) unplugged: bool,
    pub(super) exit: Option<ExitStatus>,
    pub(super) stderr: String,
}

impl Signs {
    /// Takes an event into account; `halt_asked`: rig has paused the guest itself.
    pub(super) fn take_event(&mut self, event: &QmpEvent, halt_asked: bool) {
        let text = |key: &str| event.data.get(key).and_then(serde_json::Value::as_str);
        match event.name.as_str() {
            "GUEST_PANICKED" => self.panicked_event = true,
            "SHUTDOWN" => self.shutdown = Some(text("reason").unwrap_or("no reason given").to_owned()),
            "RESET" => {
                self.shutdown = Some(format!("reset: {}", text("reason").unwrap_or("no reason given")))
            }
            "STOP" if !halt_asked => self.halted = true,
            // QEMU's qapi/net.json; the event came with `-netdev stream`.
            "NETDEV_STREAM_DISCONNECTED" => self.unplugged = true,
            // NIC_RX_FILTER_CHANGED, RTC_CHANGE, RESUME … and whatever later versions say: the log has them.
            _ => {}
        }
    }

    /// Whether these signs mean the end.
    pub(super) fn deadly(&self, console: &ConsoleState) -> bool {
        self.panicked_event
            || self.shutdown.is_some()
            || self.halted
            || self.unplugged
            || self.exit.is_some()
            || console.panicked.is_some()
            || console.failed.is_some()
    }

    /// Whether all is said: a panic has its words, an exit its cause.
    pub(super) fn complete(&self, console: &ConsoleState) -> bool {
        let said = console.panicked.is_some() && (console.ended || console.panic_over);
        said || console.failed.is_some() || (self.exit.is_some() && console.ended)
    }

    /// Whether the kernel is in the middle of its last words: its panic has begun, and nothing says yet that it is over.
    pub(super) fn panicking(&self, console: &ConsoleState) -> bool {
        console.panicked.is_some() && !self.panicked_event && self.exit.is_none() && self.shutdown.is_none()
    }

    /// The one sentence.
    pub(super) fn judge(&self, console: &ConsoleState) -> Death {
        let (kind, reason) = self.kind_and_reason(console);
        Death {
            kind,
            reason,
            stderr: self.stderr.clone(),
            stage: console.stage(),
            last_words: console.last_words(),
            console_tail: console.tail_text(),
        }
    }

    fn kind_and_reason(&self, console: &ConsoleState) -> (DeathKind, String) {
        if let Some(line) = &console.panicked {
            let mut reason = format!("the guest's kernel panicked: {}", strip_time(line));
            if let Some(complaint) = console.complaints.first() {
                reason.push_str(&format!(", after: {}", strip_time(complaint)));
            }
            if let Some(place) = &console.at {
                reason.push_str(&format!(", at {place}"));
            }
            return (DeathKind::Panicked, reason);
        }
        if self.panicked_event {
            return (
                DeathKind::Panicked,
                "the guest's kernel panicked, and its console says nothing of it".to_owned(),
            );
        }
        if let Some(reason) = &console.failed {
            return (DeathKind::Failed, format!("the guest's init gave up: {reason}"));
        }
        if self.asked {
            return (DeathKind::Stopped, "the guest was stopped by rig".to_owned());
        }
        match (&self.shutdown, self.exit) {
            (None, _) if self.unplugged => (
                DeathKind::Unplugged,
                "passt, which carried the frames of the guest's NIC, has ended".to_owned(),
            ),
            (Some(reason), _) => (DeathKind::Shutdown, format!("the guest shut down ({reason})")),
            (None, Some(exit)) => {
                let words = match self.stderr.trim().lines().last() {
                    Some(line) => format!("; its last line of output: {line}"),
                    None => String::new(),
                };
                (DeathKind::Exited, format!("qemu {}{words}", describe_exit(exit)))
            }
            (None, None) => (
                DeathKind::Halted,
                "qemu stopped the guest's processors although rig did not ask for it".to_owned(),
            ),
        }
    }
}

/// `ended with exit status 1`, `was killed by SIGKILL`.
pub(super) fn describe_exit(exit: ExitStatus) -> String {
    match (exit.code(), exit.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("was killed by {signal}"),
            Err(_) => format!("was killed by signal {number}"),
        },
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(name: &str, data: serde_json::Value) -> QmpEvent {
        QmpEvent { name: name.to_owned(), data, timestamp_us: 0 }
    }

    fn panicking() -> ConsoleState {
        ConsoleState {
            panicked: Some("[   12.345678] Kernel panic - not syncing: sysrq triggered crash".to_owned()),
            ..ConsoleState::default()
        }
    }

    #[test]
    fn a_panic_speaks_before_the_shutdown_and_the_exit_that_it_causes() {
        let mut signs = Signs::default();
        signs.take_event(&event("GUEST_PANICKED", json!({ "action": "pause" })), false);
        signs.take_event(&event("STOP", json!(null)), false);
        signs.take_event(&event("SHUTDOWN", json!({ "guest": true, "reason": "guest-panic" })), false);
        signs.exit = Some(ExitStatus::from_raw(0));
        let silent = signs.judge(&ConsoleState::default());
        assert_eq!(silent.kind, DeathKind::Panicked);
        let told = signs.judge(&panicking());
        assert_eq!(
            told.reason,
            "the guest's kernel panicked: Kernel panic - not syncing: sysrq triggered crash"
        );
        assert!(!signs.complete(&panicking()), "its call trace follows");
        assert!(signs.complete(&ConsoleState { ended: true, ..panicking() }));
        assert!(signs.complete(&ConsoleState { panic_over: true, ..panicking() }));
        assert!(!signs.panicking(&panicking()) && Signs::default().panicking(&panicking()));
        assert!(!Signs { exit: None, ..signs }.complete(&ConsoleState::default()));
    }

    #[test]
    fn a_panic_tells_what_it_began_with_and_where() {
        let console = ConsoleState {
            panicked: Some("[    3.336189] Kernel panic - not syncing: Fatal exception in interrupt".into()),
            complaints: vec!["[    3.327438] Oops: int3: 0000 [#1] PREEMPT SMP NOPTI".into()],
            at: Some("sched_clock_cpu+0x9/0x190".into()),
            ..ConsoleState::default()
        };
        assert_eq!(
            Signs::default().judge(&console).reason,
            "the guest's kernel panicked: Kernel panic - not syncing: Fatal exception in interrupt, \
             after: Oops: int3: 0000 [#1] PREEMPT SMP NOPTI, at sched_clock_cpu+0x9/0x190"
        );
    }

    #[test]
    fn each_sign_alone_has_its_sentence() {
        let console = ConsoleState::default();
        let shutdown = Signs { shutdown: Some("guest-shutdown".into()), ..Signs::default() };
        assert_eq!(shutdown.judge(&console).reason, "the guest shut down (guest-shutdown)");
        let killed = Signs { exit: Some(ExitStatus::from_raw(libc::SIGKILL)), ..Signs::default() };
        assert_eq!(killed.judge(&console).reason, "qemu was killed by SIGKILL");
        let refused = Signs {
            exit: Some(ExitStatus::from_raw(1 << 8)),
            stderr: "qemu: warning\nqemu: could not load kernel 'x'\n".into(),
            ..Signs::default()
        };
        assert_eq!(
            refused.judge(&console).reason,
            "qemu ended with exit status 1; its last line of output: qemu: could not load kernel 'x'"
        );
        let asked = Signs { asked: true, ..killed };
        assert_eq!(asked.judge(&console).kind, DeathKind::Stopped);
        assert_eq!(asked.judge(&panicking()).kind, DeathKind::Panicked);
        let mut unplugged = Signs::default();
        unplugged.take_event(&event("NETDEV_STREAM_DISCONNECTED", json!({ "netdev-id": "data" })), false);
        assert!(unplugged.deadly(&console));
        // rig kills QEMU then.
        unplugged.exit = Some(ExitStatus::from_raw(libc::SIGKILL));
        assert_eq!(unplugged.judge(&console).kind, DeathKind::Unplugged);
        assert_eq!(Signs { asked: true, ..unplugged }.judge(&console).kind, DeathKind::Stopped);
        let failed = ConsoleState { failed: Some("no NIC".into()), ..ConsoleState::default() };
        assert_eq!(Signs::default().judge(&failed).reason, "the guest's init gave up: no NIC");
    }

    #[test]
    fn a_pause_that_rig_asked_for_and_events_that_it_does_not_know_are_no_signs() {
        let mut signs = Signs::default();
        signs.take_event(&event("STOP", json!(null)), true);
        signs.take_event(&event("NIC_RX_FILTER_CHANGED", json!({ "name": "data-nic" })), false);
        signs.take_event(&event("FROM_THE_FUTURE", json!([1])), false);
        assert!(!signs.deadly(&ConsoleState::default()));
        signs.take_event(&event("STOP", json!(null)), false);
        assert!(signs.deadly(&ConsoleState::default()));
        assert_eq!(signs.judge(&ConsoleState::default()).kind, DeathKind::Halted);
        signs.take_event(&event("RESET", json!({ "guest": true, "reason": "guest-reset" })), false);
        assert_eq!(signs.judge(&ConsoleState::default()).reason, "the guest shut down (reset: guest-reset)");
    }
}
