//! Numbers of the kernel as words, both ways: what is written into a record for people and programs that have no table of errnos.
//!
//! Holds errnos and TCP states. Must not know where they were seen. Units: none. Errors: serde's, for a word that means nothing. Tests: here.

use std::collections::BTreeMap;

use rig_protocol::{Errno, TcpState};

/// An errno as a word: `ENOENT`, `errno 4095` for one without a name, `none` for 0.
pub(super) fn errno_word(errno: Errno) -> String {
    if errno.0 == 0 { "none".to_owned() } else { errno.to_string() }
}

/// The errno of a word that [`errno_word`] wrote.
pub(super) fn errno_of(word: &str) -> Result<Errno, String> {
    let errno = if word == "none" { Some(Errno(0)) } else { Errno::from_word(word) };
    errno.ok_or_else(|| format!("{word:?} is no errno"))
}

/// A TCP state as a word: `CLOSE`, `state 13` for one without a name.
pub(super) fn state_word(state: u8) -> String {
    TcpState(state).to_string()
}

/// The TCP state of a word that [`state_word`] wrote.
pub(super) fn state_of(word: &str) -> Result<u8, String> {
    (0..=u8::MAX).find(|state| state_word(*state) == word).ok_or_else(|| format!("{word:?} is no TCP state"))
}

/// Counts under other keys; two keys that mean the same are a mistake.
pub(super) fn rekey<K: Ord, L: Ord, V>(
    counts: BTreeMap<K, V>,
    key: impl Fn(K) -> Result<L, String>,
) -> Result<BTreeMap<L, V>, String> {
    counts.into_iter().map(|(old, count)| Ok((key(old)?, count))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_errno_and_every_state_reads_back(errno: i32, state: u8) {
            prop_assert_eq!(errno_of(&errno_word(Errno(errno))), Ok(Errno(errno)));
            prop_assert_eq!(state_of(&state_word(state)), Ok(state));
        }
    }

    #[test]
    fn words_are_those_of_the_kernel() {
        assert_eq!([0, 2, 9, 4_095].map(|n| errno_word(Errno(n))), ["none", "ENOENT", "EBADF", "errno 4095"]);
        assert_eq!([1, 7, 13].map(state_word), ["ESTABLISHED", "CLOSE", "state 13"]);
        assert!(errno_of("errno 2").is_err() && errno_of("EFOO").is_err() && state_of("open").is_err());
    }
}
