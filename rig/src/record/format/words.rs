//! Numbers of the kernel as words, both ways: what is written into a record for people and programs that have no table of errnos.
//!
//! Holds errnos and TCP states. Must not know where they were seen. Units: none. Errors: serde's, for a word that means nothing. Tests: here.

use std::collections::BTreeMap;
use std::fmt::Debug;

use rig_protocol::{Errno, TcpState};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// An errno as a word: `ENOENT`, `errno 4095` for one without a name, `none` for 0.
pub fn errno_word(errno: Errno) -> String {
    if errno.0 == 0 { "none".to_owned() } else { errno.to_string() }
}

/// The errno of a word that [`errno_word`] wrote, today or before it knew the errno's name.
pub(super) fn errno_of(word: &str) -> Result<Errno, String> {
    let number = || word.strip_prefix("errno ")?.parse().ok().map(Errno);
    let errno = if word == "none" { Some(Errno(0)) } else { word.parse().ok().or_else(number) };
    errno.ok_or_else(|| format!("{word:?} is not an errno"))
}

/// The same of a word that need not be there.
pub(super) fn errno_if_any(word: Option<String>) -> Result<Option<Errno>, String> {
    word.map(|word| errno_of(&word)).transpose()
}

/// A TCP state as a word: `CLOSE`, `state 13` for one without a name.
pub(super) fn state_word(state: u8) -> String {
    TcpState(state).to_string()
}

/// The TCP state of a word that [`state_word`] wrote, today or before it knew the state's name.
pub(super) fn state_of(word: &str) -> Result<u8, String> {
    let number = || word.strip_prefix("state ")?.parse().ok();
    let state = (0..=u8::MAX).find(|state| state_word(*state) == word).or_else(number);
    state.ok_or_else(|| format!("{word:?} is not a TCP state"))
}

/// Counts under other keys.
///
/// # Errors
/// A sentence, for a key that means nothing and for two that mean the same.
pub(super) fn rekey<K: Ord + Debug + Clone, L: Ord, V>(
    counts: BTreeMap<K, V>,
    key: impl Fn(K) -> Result<L, String>,
) -> Result<BTreeMap<L, V>, String> {
    let mut rekeyed = BTreeMap::new();
    for (old, count) in counts {
        if rekeyed.insert(key(old.clone())?, count).is_some() {
            return Err(format!("{old:?} means what another key means"));
        }
    }
    Ok(rekeyed)
}

/// For serde's `deserialize_with`: a word of a closed list, or the default for one that a newer version has added.
pub(super) fn known_or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let word = Value::deserialize(deserializer)?;
    Ok(T::deserialize(word).unwrap_or_default())
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
        assert_eq!((errno_of("errno 2"), state_of("state 7")), (Ok(Errno(2)), Ok(7)), "before it had a name");
        assert!(errno_of("EFOO").is_err() && state_of("open").is_err());
        let twice = BTreeMap::from([("ENOENT", 1), ("errno 2", 1)]);
        assert_eq!(rekey(twice, errno_of).expect_err("twice"), "\"errno 2\" means what another key means");
    }
}
