//! The answer of a run as the last screen of a terminal: its lines with the colour of their tone.
//!
//! Must not know what a line says. Units: none. Errors: none; colours are left out where standard output is no terminal, with `NO_COLOR` set and with `CLICOLOR=0`
//! (no-color.org; the crate `console` decides), unless `--color` says otherwise (`look.rs`).
//! Tests: below; `tests/netns.rs`.

use console::Style;
use rig_protocol::plain_lines;

use crate::report::{Line, Tone};

/// The lines, each with its newline.
pub(super) fn coloured(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{}\n", style(line.tone).apply_to(plain_lines(&line.text)))).collect()
}

fn style(tone: Tone) -> Style {
    let style = Style::new().for_stdout();
    match tone {
        Tone::Heading => style.bold(),
        Tone::Good => style.green(),
        Tone::Bad => style.red().bold(),
        Tone::Mind => style.yellow(),
        Tone::Plain => style,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tone_has_a_colour_of_its_own_and_the_words_stay() {
        let tones = [Tone::Heading, Tone::Good, Tone::Bad, Tone::Mind, Tone::Plain];
        let texts: Vec<String> =
            tones.map(|tone| style(tone).force_styling(true).apply_to("words").to_string()).into();
        assert_eq!(texts[4], "words");
        let codes: std::collections::BTreeSet<&String> = texts.iter().collect();
        assert_eq!(codes.len(), tones.len(), "{texts:?}");
        assert!(texts.iter().all(|text| console::strip_ansi_codes(text) == "words"));
    }
}
