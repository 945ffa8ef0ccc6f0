//! What is said of a word that means nothing: the word that was probably meant, and the list of those that mean something.
//!
//! Must not know what the words are for. Units: letters. Errors: none; all of it is advice. Tests: below.

/// A longer list is cut to the words that are most like the one that was written.
const LONGEST_LIST: usize = 20;

/// As many words are left of a list that is cut.
const CUT_LIST: usize = 12;

/// Distances are looked at in so many words at most; a longer list is one that somebody generated.
const MOST_COMPARED: usize = 10_000;

/// "did you mean" for `word`, if one of `known` is close enough to be what was meant.
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    closest(word, known).map(|best| format!("did you mean `{best}`?"))
}

/// The nearest of `known` (letters that are missing, added, other, or swapped with their neighbour), where it is near enough to be a slip.
pub fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    if is_absurd(word) {
        return None;
    }
    let folded = fold(word);
    known
        .into_iter()
        .take(MOST_COMPARED)
        .filter_map(|candidate| {
            let known = fold(candidate);
            let most = most_slips(&known, &folded);
            let near = known.len().abs_diff(folded.len()) <= most;
            let distance = near.then(|| strsim::osa_distance(&folded, &known))?;
            (distance <= most).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A hint for an absurdly long word costs more than it can help.
fn is_absurd(word: &str) -> bool {
    word.len() > 64
}

fn fold(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// How many letters may differ between two words of which one is a slip of the other. One letter of two is no slip but another word, and so are
/// three of six. The first letter is seldom wrong: where it differs and more with it, it is another word (`packed` is no `backend`).
fn most_slips(one: &str, other: &str) -> usize {
    let most = match one.len().min(other.len()) {
        0..3 => 0,
        length => 1 + length / 4,
    };
    match one.chars().next() == other.chars().next() {
        true => most,
        false => most.min(1),
    }
}

/// `a`, `b`, `c`: for the list of what there is.
pub fn listing<'k>(words: impl IntoIterator<Item = &'k str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The hint for an unknown word: what was probably meant, where something is near enough, and always what there is. Of a long list those are named that are
/// most like the word, and the others counted.
pub fn hint<'k>(word: &str, known: impl IntoIterator<Item = &'k str>, there_are: &str) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let all = list(word, &known, there_are);
    match did_you_mean(word, known) {
        Some(meant) => format!("{meant}\n{all}"),
        None => all,
    }
}

/// `THERE ARE: a, b, c`, as long as can be read.
fn list(word: &str, known: &[&str], there_are: &str) -> String {
    match known.len() {
        0 => format!("{there_are}: none"),
        1..=LONGEST_LIST => format!("{there_are}: {}", listing(known.iter().copied())),
        all => {
            let nearest = nearest(word, known);
            format!("{there_are}: {}, and {} more", listing(nearest), all - CUT_LIST)
        }
    }
}

/// The words of a long list that are most like `word`, in the order of the list.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Vec<&'k str> {
    let mut order: Vec<usize> = (0..known.len()).collect();
    if !is_absurd(word) && known.len() <= MOST_COMPARED {
        let folded = fold(word);
        order.sort_by_cached_key(|at| strsim::osa_distance(&folded, &fold(known[*at])));
    }
    order.truncate(CUT_LIST);
    order.sort_unstable();
    order.into_iter().map(|at| known[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        assert_eq!(closest("configuraton", ["configuration", "kernel"]), Some("configuration"));
        assert_eq!(closest("virtio_tap", ["virtio-tap", "virtio-user"]), Some("virtio-tap"));
        assert_eq!(closest("ENONET", ["ENOENT", "EBADF"]), Some("ENOENT"));
        assert_eq!(closest("kernal", ["kernel"]), Some("kernel"));
        assert_eq!(closest("trails", ["trials"]), Some("trials"));
        assert_eq!(closest("banana", ["configuration", "kernel"]), None);
        assert_eq!(closest("to", ["do"]), None);
        assert_eq!(closest("packed", ["backend", "queues"]), None);
        assert_eq!(closest("mbps", ["bit", "kbit", "mbit"]), Some("mbit"));
        assert_eq!(
            [closest("rts", ["rst"]), closest("lxss", ["loss"]), closest("xoss", ["loss"])],
            [Some("rst"), Some("loss"), Some("loss")]
        );
        assert_eq!(closest(&"x".repeat(100_000), ["configuration"]), None);
    }

    #[test]
    fn a_wrong_word_always_gets_the_list_of_right_ones() {
        let known = ["nic", "backend", "queues"];
        assert_eq!(
            hint("backand", known, "there are"),
            "did you mean `backend`?\nthere are: `nic`, `backend`, `queues`"
        );
        assert_eq!(hint("xyz", known, "there are"), "there are: `nic`, `backend`, `queues`");
        assert_eq!(hint("xyz", [], "its parameters"), "its parameters: none");
    }

    #[test]
    fn a_long_list_is_cut_to_the_nearest_and_counts_the_others() {
        let words: Vec<String> = (0..200).map(|n| format!("name-{n:03}")).collect();
        let hint = hint("name-0077", words.iter().map(String::as_str), "there are");
        assert!(hint.starts_with("did you mean `name-007`?\nthere are: "), "{hint}");
        assert!(hint.contains("`name-077`") && hint.ends_with(", and 188 more"), "{hint}");
        assert_eq!(hint.matches("`name-").count(), 1 + CUT_LIST, "{hint}");
    }
}
