//! `rig`: a KVM virtual machine test rig that measures `select()` around a TCP reset, and proves what it says.
//!
//! The rooms and the direction of the arrows between them are in `rig/docs/architecture.md`; a tidy test enforces them.

pub mod agent;
pub mod analysis;
pub mod audit;
pub mod bench;
pub mod campaign;
pub mod capability;
pub mod chart;
pub mod claims;
pub mod cli;
pub mod clock;
pub mod configuration;
pub mod console;
pub mod docs;
pub mod document;
pub mod elf;
pub mod engine;
pub mod event;
pub mod explain;
pub mod history;
pub mod image;
pub mod machine;
pub mod matrix;
pub mod middlebox;
pub mod path;
pub mod process;
pub mod program;
pub mod record;
pub mod rehearse;
pub mod report;
pub mod runner;
pub mod script;
pub mod stopping;
pub mod symbols;
pub mod testbed;
