//! What is shown of a text that a guest, or a file from elsewhere, chose.
//!
//! Holds the one function at the door for texts that are not trusted, and the same for a text of several lines. Must not know whose text it is.
//! What can be shown is what Rust's own tables call printable: no control, format (bidirectional marks, zero widths), private or unassigned
//! character, no line or paragraph separator, and no mark that joins with what stands before it. Units: bytes of UTF-8. Errors: none.
//! Tests: below.

/// A text of a guest that is kept has at most so many bytes.
pub const MOST_TEXT_BYTES: usize = 256;

/// What stands where something was cut off.
const CUT: &str = "…";

/// The text as one line of at most [`MOST_TEXT_BYTES`]: white space is a space, and whatever else cannot be shown is U+FFFD.
pub fn plain(text: &str) -> String {
    plain_within(text, MOST_TEXT_BYTES)
}

/// The same of at most so many bytes, and at least three.
pub fn plain_within(text: &str, most_bytes: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most_bytes));
    // Where the line is to be cut, if it gets too long.
    let mut room = 0;
    for shown in text.chars().map(|c| if c.is_whitespace() { ' ' } else { shown(c) }) {
        if line.len() + shown.len_utf8() > most_bytes {
            line.truncate(room);
            line.push_str(CUT);
            break;
        }
        line.push(shown);
        if line.len() + CUT.len() <= most_bytes {
            room = line.len();
        }
    }
    line
}

/// The text with its line feeds, of any length: whatever else cannot be shown is U+FFFD.
pub fn plain_lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { shown(c) }).collect()
}

fn shown(c: char) -> char {
    // The quotes and the backslash are escaped for another reason.
    let printable = matches!(c, ' '..='~') || c.escape_debug().eq([c]);
    if printable { c } else { char::REPLACEMENT_CHARACTER }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_paints_a_terminal_is_one_harmless_line() {
        let paints = "\u{1b}]0;TITLE\u{7}\u{1b}[31mred\u{1b}[2J\nrun 1: all cells complete\r=1+1";
        assert_eq!(
            plain(paints),
            "\u{fffd}]0;TITLE\u{fffd}\u{fffd}[31mred\u{fffd}[2J run 1: all cells complete =1+1"
        );
        // C1 controls, bidirectional marks, zero widths, a byte order mark, no characters, private use, a combining mark.
        for hidden in "\u{9b}\u{7f}\u{ad}\u{200b}\u{200e}\u{202e}\u{2066}\u{feff}\u{fffe}\u{ffff}\u{e000}\u{e0041}\u{301}".chars() {
            assert_eq!(plain(&format!("a{hidden}b")), "a\u{fffd}b", "{hidden:?}");
        }
        assert_eq!(plain("a\u{2028}b\tc\u{a0}d"), "a b c d");
        let usual = r##"6.1.0-49-amd64 "#1 SMP" C:\x 'é' 字 …"##;
        assert_eq!(plain(usual), usual);
        assert_eq!(plain_lines("one\n\u{1b}[2Jtwo\r\n"), "one\n\u{fffd}[2Jtwo\u{fffd}\n");
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_between_two_characters_and_says_so() {
        let fits = "x".repeat(MOST_TEXT_BYTES);
        assert_eq!(plain(&fits), fits);
        assert_eq!(plain(&format!("{fits}y")), format!("{}…", &fits[3..]));
        assert_eq!(plain_within("äöü", 5), "ä…");
        assert_eq!(plain_within("äöü", 6), "äöü");
        assert_eq!(plain(&"y".repeat(4 << 20)).len(), MOST_TEXT_BYTES);
    }

    proptest! {
        #[test]
        fn nothing_but_printable_characters_is_left(text: String) {
            let line = plain(&text);
            prop_assert!(line.len() <= MOST_TEXT_BYTES);
            let lines = plain_lines(&text);
            for c in line.chars().chain(lines.chars().filter(|c| *c != '\n')) {
                prop_assert!(!c.is_control() && (c == ' ' || !c.is_whitespace()), "{:?}", c);
            }
            prop_assert_eq!(plain(&line), line.clone(), "what was cleaned stays");
            prop_assert_eq!(plain_lines(&lines), lines.clone());
            prop_assert_eq!(lines.lines().count(), text.split_inclusive('\n').count());
        }
    }
}
