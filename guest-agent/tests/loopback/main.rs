//! Tier *loopback*: one agent as the peer on 127.0.0.1, one as the target, real frames over pipes, real sockets.
//!
//! Holds what the instrument must find where the truth is known; asserts no time, only orders and counts.

mod alone;
mod answers;
mod descriptors;
mod diag;
mod driver;
mod epoll;
mod finds;
mod holds;
mod kernel_log;
mod namespace;
mod options;
mod poll;
mod raw;
mod server;
mod signals;
mod sockets;
mod traces;
mod transfer;
mod uring;
