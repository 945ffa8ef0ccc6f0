//! Socket options that scripts set and read.
//!
//! Holds SO_LINGER, SO_RCVTIMEO, TCP_CORK, TCP_NODELAY, SO_ERROR and TCP_INFO; must not interpret a state.
//! Units: seconds (linger), `Duration`. Errors: none, `-errno` is what was seen.
//! Source: socket(7), tcp(7). Tests: `tests/loopback.rs`.

pub(super) use crate::sys::socket::{cork, linger, nodelay, receive_timeout, take_error, tcp_state};
