//! How a run is told to stop, and why.

use tokio::sync::watch;

/// Why a run stops before its plan is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// `--deadline` is over.
    Deadline,
    /// `--fail-fast` and a void block.
    FailFast,
    /// The record on disk failed.
    RecordFailed,
}

impl Why {
    /// For a record.
    pub fn word(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Deadline => "deadline",
            Self::FailFast => "fail_fast",
            Self::RecordFailed => "record_failed",
        }
    }
}

/// Tells a run to stop.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<Option<Why>>);

/// Hears it.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<Why>>);

impl Stopper {
    /// A pair; the run goes on until it is told.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Stop(receiver))
    }

    /// Whether it has been told already.
    pub fn has_told(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Tells it; the first reason stays.
    pub fn stop(&self, why: Why) {
        self.0.send_if_modified(|current| {
            current.is_none() && {
                *current = Some(why);
                true
            }
        });
    }
}

impl Stop {
    /// Why, if it has been told.
    pub fn why(&self) -> Option<Why> {
        *self.0.borrow()
    }

    /// Waits until it is told; for ever where nobody can tell any more.
    pub async fn told(&mut self) -> Why {
        let told = self.0.wait_for(Option::is_some).await.map(|why| *why);
        match told {
            Ok(why) => why.expect("waited for a reason"),
            Err(_) => std::future::pending().await,
        }
    }
}
