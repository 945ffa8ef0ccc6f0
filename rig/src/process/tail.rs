//! The last bytes of a stream: what a child said before its end.
//!
//! Must not know whose stream it is. Units: bytes. Errors: none. Tests: below.

use std::collections::VecDeque;

/// Keeps the last bytes that it is given, at most [`Tail::KEPT_BYTES`].
#[derive(Debug, Default)]
pub struct Tail {
    bytes: VecDeque<u8>,
    cut: bool,
}

impl Tail {
    /// Enough for a backtrace of a panic, and little beside a block's record.
    pub const KEPT_BYTES: usize = 16 << 10;

    /// Adds bytes; the oldest make room for them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        let surplus = self.bytes.len().saturating_sub(Self::KEPT_BYTES);
        self.cut |= surplus > 0;
        self.bytes.drain(..surplus);
    }

    /// What is kept, after `…` where something before it is not.
    pub fn text(&self) -> String {
        let (front, back) = self.bytes.as_slices();
        let text = String::from_utf8_lossy(&[front, back].concat()).into_owned();
        if self.cut { format!("…{text}") } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end_and_says_that_it_was_cut() {
        let mut tail = Tail::default();
        tail.push(b"first");
        assert_eq!(tail.text(), "first");
        tail.push(&vec![b'x'; Tail::KEPT_BYTES]);
        tail.push(b"last words");
        assert_eq!(tail.bytes.len(), Tail::KEPT_BYTES);
        assert!(tail.text().starts_with("…x"));
        assert!(tail.text().ends_with("xlast words"));
    }
}
