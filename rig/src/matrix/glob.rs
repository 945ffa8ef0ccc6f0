//! `*` and `?` in filters, excludes and includes.

/// Whether `text` matches `pattern`: `*` stands for any run of characters, `?` for one. Linear space, no recursion.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one character further.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&c) if c == '?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match retry {
                Some((behind_star, from)) => {
                    p = behind_star;
                    t = from + 1;
                    retry = Some((behind_star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Whether `pattern` is a plain value.
pub(super) fn is_plain(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("virtio-*vhost*", "virtio-vhost", true),
            ("virtio-*vhost*", "virtio-vhost-mq", true),
            ("virtio-*vhost*", "virtio-tap", false),
            ("*", "", true),
            ("?", "", false),
            ("6.1", "6.12", false),
            ("6.1*", "6.12", true),
            ("uniform(*)", "uniform(0ms, 15ms)", true),
            ("*a*b", "aXbYaZb", true),
            ("*a*b", "aXbYaZc", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_any_part_of_it_between_stars(text in "[a-c]{0,12}", from in 0..12_usize, to in 0..12_usize) {
            prop_assert!(matches(&text, &text));
            let (from, to) = (from.min(text.len()), to.min(text.len()));
            let part = &text[from.min(to)..from.max(to)];
            let pattern = format!("*{part}*");
            prop_assert!(matches(&pattern, &text));
        }
    }
}
