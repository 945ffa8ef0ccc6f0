//! A packet as one interface sees it.
//!
//! Plain data. Must not know who looks, or what packets mean. Units: bytes; nanoseconds since 1970 (UTC).
//! Errors: none. Tests: none of its own.

/// A packet's way, as the interface sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketDirection {
    /// Into this kernel.
    In,
    /// Out of it.
    Out,
}

/// One packet at one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Index into the points of `capture::CapturedPackets`.
    pub point: usize,
    /// When it was there.
    pub time_ns: u64,
    /// Its way.
    pub direction: PacketDirection,
    /// How long it was.
    pub original_bytes: u32,
    /// Its first bytes, from the Ethernet header on.
    pub bytes: Vec<u8>,
}
