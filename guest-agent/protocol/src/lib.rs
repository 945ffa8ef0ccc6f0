//! The contract between `rig` and its guest agent: what a script may say, what a trial records, how frames travel.
//!
//! Holds data types and their encoding; no system call, no clock, no file.
//! Units: every serialised quantity has its unit in its key (`_ns`, `_bytes`, `_ppm`).
//! Errors: [`FrameError`] only, and it blames the other end of the pipe. An errno is a value ([`Errno`]), never an `Err`.
//! Tests: beside each module. The wire is ephemeral: both ends are the same build, checked by [`Hello::build_id`].

#![forbid(unsafe_code)]

mod counts;
mod errno;
mod frame;
mod histogram;
mod interface;
mod label;
mod message;
mod observation;
mod operation;
mod pattern;
mod placement;
mod program;
mod returned;
mod schema;
mod script;
mod state;
mod tally;
mod text;
mod value;
mod vsock;

pub use errno::Errno;
pub use frame::{FrameError, FrameReader, FrameWriter, MAX_FRAME_BYTES};
pub use histogram::Histogram;
pub use interface::{Interface, VirtioFeature, VirtioFeatures};
pub use label::{Labels, Observed, Readiness, Timing};
pub use message::{Assignment, Fin, Hello, PROTOCOL_VERSION, Progress, Reply, Request, Role};
pub use observation::{StepLog, TrialRecord};
pub use operation::{
    Call, Callee, EpollCall, EpollChange, Event, Family, Handler, Keep, LaneIndex, Op, Payload, PollCall,
    Queue, ReceiveFlag, SendFlag, Shut, SocketOption, schema_of, schemas,
};
pub use pattern::{LabelParts, matches_outcome, numbers, own_labels};
pub use placement::{Placed, Placement, PlacementBuilder, Placements};
pub use program::{
    Account, CallKind, CallLog, Direction, Injected, Network, Part, Program, ProgramTally, ProgramTrial,
    Redirect, Said, Site, Verdict, WatchedCall, Witness, watched_call, watched_calls,
};
pub use returned::{NotAReturn, Returned};
pub use schema::{Choice, FailureReport, FieldKind, FieldSchema, OpSchema, Player, Wait};
pub use script::{Lane, Script, Side, Step, UnreachableInjection};
pub use state::TcpState;
pub use tally::Tally;
pub use text::{MOST_TEXT_BYTES, plain, plain_lines, plain_within};
pub use value::{Delay, Mark, Slot, TimeClass, TimeRange};
pub use vsock::VsockAddress;
