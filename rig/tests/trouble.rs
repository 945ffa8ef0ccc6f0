//! Tier *netns*: rig from outside, without guests: what it does with trouble, with its flags, and what strace says of its agent. Needs root.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[path = "trouble/alone.rs"]
mod alone;
#[path = "trouble/arms.rs"]
mod arms;
#[path = "trouble/bench.rs"]
mod bench;
mod blackbox;
#[path = "trouble/capture.rs"]
mod capture;
#[path = "trouble/chroot.rs"]
mod chroot;
#[path = "trouble/claims.rs"]
mod claims;
#[path = "trouble/deaf.rs"]
mod deaf;
#[path = "trouble/dose.rs"]
mod dose;
#[path = "trouble/examples.rs"]
mod examples;
#[path = "trouble/flags.rs"]
mod flags;
#[path = "trouble/host.rs"]
mod host;
#[path = "trouble/live.rs"]
mod live;
#[path = "trouble/look.rs"]
mod look;
#[path = "trouble/paths.rs"]
mod paths;
#[path = "trouble/program.rs"]
mod program;
#[path = "trouble/replay.rs"]
mod replay;
#[path = "trouble/setup.rs"]
mod setup;
#[path = "trouble/small.rs"]
mod small;
#[path = "support/examples.rs"]
mod support;
#[path = "trouble/traced.rs"]
mod traced;
