//! TCP states: their numbers and the kernel's names.
//!
//! Holds the list of names; must not know where a state was read. Units: none. Errors: none. Tests: `label.rs` (the names are labels).

/// `tcpi_state` as include/net/tcp_states.h numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TcpState(pub u8);

impl TcpState {
    /// TCP_CLOSE: where a received RST leaves the socket.
    pub const CLOSE: Self = Self(7);

    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self.0 {
            1 => "ESTABLISHED",
            2 => "SYN_SENT",
            3 => "SYN_RECV",
            4 => "FIN_WAIT1",
            5 => "FIN_WAIT2",
            6 => "TIME_WAIT",
            7 => "CLOSE",
            8 => "CLOSE_WAIT",
            9 => "LAST_ACK",
            10 => "LISTEN",
            11 => "CLOSING",
            12 => "NEW_SYN_RECV",
            _ => "unknown",
        }
    }
}

impl std::fmt::Display for TcpState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            "unknown" => write!(f, "state {}", self.0),
            name => f.write_str(name),
        }
    }
}
