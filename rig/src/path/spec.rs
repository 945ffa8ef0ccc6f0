//! The declared form of a path. One kind so far: a plain layer-2 link.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// A `[path.NAME]` of the matrix, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathSpec {
    /// Its name in the matrix.
    pub name: String,
    /// Maximum transmission unit of every link, in bytes.
    pub mtu_bytes: u32,
}

/// The addresses on a path: the documentation networks of RFC 5737, used in our own namespaces only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressing {
    /// The target's address on the measured link.
    pub target: Ipv4Addr,
    /// The peer's.
    pub peer: Ipv4Addr,
    /// Prefix length of the measured link.
    pub prefix: u8,
}

impl Default for Addressing {
    fn default() -> Self {
        Self { target: Ipv4Addr::new(192, 0, 2, 2), peer: Ipv4Addr::new(192, 0, 2, 1), prefix: 24 }
    }
}
