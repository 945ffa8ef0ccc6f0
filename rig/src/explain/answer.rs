//! The answer of `rig explain`: what is known of an errno, and what a run saw of it.
//!
//! Holds its shape, which is that of `--format json`. Must not know where a run was read.
//! Units: counts, shares of 1. Errors: none.
//! Tests: `tests/golden/explained.rs`.

use rig_protocol::Errno;
use serde::Serialize;

use super::catalogue::{Catalogue, Explanation};
use super::name::Named;
use crate::analysis::Sightings;

/// Major version of the answer in JSON: it changes where a reader would misunderstand.
pub const FORMAT: u32 = 1;
/// Minor version: it rises where something is added.
pub const FORMAT_MINOR: u32 = 2;

/// What there is to say about an errno.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// [`FORMAT`]
    pub format: u32,
    /// [`FORMAT_MINOR`]
    pub format_minor: u32,
    /// Which errno.
    pub errno: Named,
    /// What is known of it; null where no file explains it.
    pub explanation: Option<&'static Explanation>,
    /// What a run saw of it; null where none was read.
    pub measured: Option<Sightings>,
    /// Why no run was read, and what to do, in one sentence; null where one was.
    pub not_measured: Option<String>,
}

impl Answer {
    /// About `errno`, with what a run saw of it, or why none was read.
    pub fn new(errno: Errno, measured: Result<Sightings, String>) -> Self {
        let (measured, not_measured) = match measured {
            Ok(measured) => (Some(measured), None),
            Err(why) => (None, Some(why)),
        };
        Self {
            format: FORMAT,
            format_minor: FORMAT_MINOR,
            errno: Named::of(errno),
            explanation: Catalogue::shipped().get(errno),
            measured,
            not_measured,
        }
    }

    /// For programs. Ends with a newline.
    ///
    /// # Panics
    /// Never: it is plain data with string keys.
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data with string keys");
        text.push('\n');
        text
    }
}
