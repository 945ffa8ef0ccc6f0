//! Who is told of a campaign while it goes on: a consumer of its events that may stop it.
//!
//! Must not know terminals. Units: none. Errors: none: a watcher that fails never ends a run. Tests: `tests/trouble`.

use crate::document::Problems;
use crate::event::Event;
use crate::image::Step;
use crate::machine::qemu::Remain;
use crate::matrix::{Undecidable, WeakControl};
use crate::runner::Stopper;

/// Whoever follows a campaign while it goes on. Nothing that it does can stop a run but by the stopper.
pub trait Watcher {
    /// An image is being made, step by step.
    fn image_step(&mut self, image: &str, step: &Step);
    /// The count of trials on the command line leaves this control without proof.
    fn weak_control(&mut self, weak: &WeakControl);
    /// Nothing that the run sees could decide these comparisons.
    fn undecidable(&mut self, told: &Undecidable);
    /// The run is about to begin; these keys of the matrix file ask for what this host lacks.
    fn unmet(&mut self, problems: Problems);
    /// The run may be stopped by this from now on.
    fn may_stop(&mut self, stopper: Stopper);
    /// Something happened.
    fn happened(&mut self, event: &Event);
    /// The blocks are played; this is what a guest has left whose kernel panicked.
    fn panicked(&mut self, _: &Remain) {}
}
