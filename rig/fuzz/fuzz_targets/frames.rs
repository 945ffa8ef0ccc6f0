//! cargo-fuzz: the frames between controller and agent. The body is shared with the short run of `rig/tests/fuzz.rs`.

#![no_main]
#![expect(dead_code, reason = "each program has one target of the shared list")]

#[path = "../../tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::frames(bytes));
