//! The one switch between a test that is quick enough for every change and the same test with many more cases.
//!
//! `RIG_TESTS=nightly` asks for the large ones (`.ci/nightly`). Must not know what is counted. Units: those of the caller.

/// The variable that chooses.
const SWITCH: &str = "RIG_TESTS";

/// `ci`, or `nightly` where that is asked for. A word that is neither is an error: a misspelling must not make a night of small tests.
pub(crate) fn scale<T>(ci: T, nightly: T) -> T {
    let word = std::env::var(SWITCH).unwrap_or_default();
    match word.as_str() {
        "" | "ci" => ci,
        "nightly" => nightly,
        other => panic!(
            "{SWITCH}={other}: there are `ci`, which is what it is without the variable, and `nightly`"
        ),
    }
}
