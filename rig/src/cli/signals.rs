//! Signals that ask a command to stop.
//!
//! Must not know what is stopped. Units: none. Errors: none; a signal that cannot be watched ends the process, as it always did.
//! Tests: `tests/trouble`, `tests/enclosure`.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Exit;
use crate::runner::{Stopper, Why};

/// The first signal asks the run to stop, the second ends it at once: the enclosure takes everything with it.
#[expect(
    clippy::disallowed_methods,
    reason = "asked twice: the enclosure takes down what the run would have"
)]
pub(super) fn stop_on_signal(stopper: Stopper) {
    // From now on, not from when the task first runs.
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals = Signals::listen(&kinds);
    tokio::spawn(async move {
        loop {
            signals.heard().await;
            if stopper.has_told() {
                std::process::exit(Exit::Interrupted as i32);
            }
            stopper.stop(Why::Interrupted);
        }
    });
}

/// Several signals, any of which counts.
pub(super) struct Signals(Vec<(SignalKind, Signal)>);

impl Signals {
    /// Listens from now on. What the process was told to ignore when it was started stays ignored: nohup(1) does that with the hang-up of a
    /// terminal, a shell with the interrupt of a job in the background.
    pub(super) fn listen(kinds: &[SignalKind]) -> Self {
        let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = ignored_signals(&status);
        let listened = kinds.iter().filter(|kind| !is_in(ignored, **kind));
        Self(listened.filter_map(|kind| Some((*kind, signal(*kind).ok()?))).collect())
    }

    /// Comes with the next of them; never where none can be listened to.
    pub(super) async fn heard(&mut self) {
        self.which().await;
    }

    /// As [`Self::heard`], and says which it was.
    pub(super) async fn which(&mut self) -> SignalKind {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let heard = self.0.iter_mut().map(|(kind, one)| {
            Box::pin(async {
                one.recv().await;
                *kind
            })
        });
        futures_util::future::select_all(heard).await.0
    }
}

/// `SigIgn` of proc(5): bit n - 1 is signal n. None where it cannot be read.
fn ignored_signals(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn is_in(mask: u64, kind: SignalKind) -> bool {
    u32::try_from(kind.as_raw_value() - 1)
        .is_ok_and(|bit| mask.checked_shr(bit).is_some_and(|rest| rest & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_proc_names_signals_by_their_number() {
        // SIGHUP (1) and SIGPIPE (13).
        let mask = ignored_signals("SigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0\n");
        assert!(is_in(mask, SignalKind::hangup()));
        assert!(is_in(mask, SignalKind::pipe()));
        assert!(!is_in(mask, SignalKind::interrupt()));
        assert_eq!(ignored_signals("Name:\trig\n"), 0);
    }
}
