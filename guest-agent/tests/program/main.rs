//! Tier *loopback*: the agent plays programs in C, compiled here, against a second agent as the peer on 127.0.0.1.
//!
//! Holds what each witness must find where the truth is known; asserts no time, only orders and counts.

mod agrees;
#[expect(dead_code, reason = "the scripts of the other tests are not all of interest here")]
#[path = "../loopback/driver.rs"]
mod driver;
mod ends;
#[expect(dead_code, reason = "no program has a listener of its own")]
#[path = "../loopback/namespace.rs"]
mod namespace;
mod odd;
mod stage;
mod tells;
