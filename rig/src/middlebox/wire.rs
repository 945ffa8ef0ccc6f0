//! Hand-made conversations for this room's tests: frames between one target and one peer.
//!
//! Only in tests. Must not know the engine. Units: sequence numbers as a test writes them.
//! Errors: none. Used by the test modules beside the code.

use std::net::SocketAddr;

use super::forge::{self, Link, Say};
use super::frame;

/// Two ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    pub(super) target: SocketAddr,
    pub(super) peer: SocketAddr,
}

impl Wire {
    pub(super) fn v4() -> Self {
        Self::between("192.0.2.2:40000", "192.0.2.1:8083")
    }

    pub(super) fn v6() -> Self {
        Self::between("[2001:db8::2]:40000", "[2001:db8::1]:8083")
    }

    pub(super) fn between(target: &str, peer: &str) -> Self {
        Self { target: target.parse().expect("an address"), peer: peer.parse().expect("an address") }
    }

    pub(super) fn to_peer<'a>(self, flags: u8, seq: u32, ack: u32, payload: &'a [u8]) -> Sent<'a> {
        let say = Say { seq, ack, flags, window: 1000, options: &[], payload };
        Sent { from: self.target, to: self.peer, say, macs: [2, 1] }
    }

    pub(super) fn to_target<'a>(self, flags: u8, seq: u32, ack: u32, payload: &'a [u8]) -> Sent<'a> {
        let say = Say { seq, ack, flags, window: 1000, options: &[], payload };
        Sent { from: self.peer, to: self.target, say, macs: [1, 2] }
    }
}

/// A segment under construction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    from: SocketAddr,
    to: SocketAddr,
    say: Say<'a>,
    /// Last byte of destination and source.
    macs: [u8; 2],
}

impl<'a> Sent<'a> {
    pub(super) fn options(mut self, options: &'a [u8]) -> Self {
        self.say.options = options;
        self
    }

    pub(super) fn window(mut self, window: u16) -> Self {
        self.say.window = window;
        self
    }

    pub(super) fn frame(self) -> Vec<u8> {
        let kind = if self.from.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] };
        let mut seed = vec![2, 0, 0, 0, 0, self.macs[0], 2, 0, 0, 0, 0, self.macs[1], kind[0], kind[1]];
        if self.from.is_ipv4() {
            seed.extend([0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        } else {
            seed.extend([0x60, 0, 0, 0, 0, 0, 6, 64]);
            seed.extend([0; 32]);
        }
        let datagram = frame::locate(&seed).expect("a bare header");
        forge::segment(&Link::of(&seed, &datagram), self.from, self.to, self.say)
    }
}
