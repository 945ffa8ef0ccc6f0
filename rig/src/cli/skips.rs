//! `--deny-skips`: which skipped cells make a run short.
//!
//! Must not know why a cell is skipped: the words are those of [`Lack`]. Units: none. Errors: a sentence that blames the argument. Tests: below.

use std::collections::BTreeSet;
use std::str::FromStr;

use crate::analysis::model::{CellStatus, ReportModel};
use crate::configuration::Lack;
use crate::document::hint;

/// What begins a list of reasons that may be skipped.
const ALL_BUT: &str = "all-but:";

/// Every reason but these denies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct DeniedSkips {
    allowed: BTreeSet<String>,
}

impl DeniedSkips {
    /// What the option stands for where it has no value.
    pub(super) const ALL: &'static str = "all";

    /// Whether a cell was skipped that should not have been. What an older record does not say is denied.
    pub(super) fn fires(&self, model: &ReportModel) -> bool {
        let skipped = model.cells.iter().filter(|cell| cell.status == CellStatus::Skipped);
        skipped.into_iter().any(|cell| cell.lack.as_ref().is_none_or(|lack| !self.allowed.contains(lack)))
    }
}

impl FromStr for DeniedSkips {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == Self::ALL {
            return Ok(Self::default());
        }
        let words = text.strip_prefix(ALL_BUT).ok_or_else(|| {
            format!(
                "give nothing, `{}`, or `{ALL_BUT}` with reasons that may be skipped: {ALL_BUT}vhost-net,kvm",
                Self::ALL
            )
        })?;
        let words: BTreeSet<String> = words.split(',').map(str::to_owned).collect();
        match words.iter().find(|word| !Lack::WORDS.contains(&word.as_str())) {
            Some(wrong) => {
                Err(format!("no cell is skipped for `{wrong}`; {}", hint(wrong, Lack::WORDS, "the reasons")))
            }
            None => Ok(Self { allowed: words }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_may_be_skipped_are_words_of_the_list() {
        let allowed = |text: &str| text.parse::<DeniedSkips>().map(|denied| denied.allowed);
        assert_eq!(allowed("all"), Ok(BTreeSet::new()));
        assert_eq!(allowed("all-but:vhost-net"), Ok(BTreeSet::from(["vhost-net".to_owned()])));
        assert_eq!(allowed("all-but:nft,kvm").map(|words| words.len()), Ok(2));
        for word in Lack::WORDS {
            assert!(allowed(&format!("all-but:{word}")).is_ok(), "{word}");
        }
        for (wrong, said) in [
            ("vhost-net", "all-but:vhost-net,kvm"),
            ("all-but:", "no cell is skipped for ``"),
            ("all-but:vhostnet", "vhost-net"),
            ("all-but:kvm,moon", "no cell is skipped for `moon`"),
        ] {
            let error = allowed(wrong).expect_err("no such reason");
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }
}
