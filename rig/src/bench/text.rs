//! Findings for a terminal.
//!
//! Must not compute. Units: as the figures have them. Errors: none. Tests: below.

use super::findings::{Findings, Ratio};

/// One block per benchmark: figures, then ratios, then what must be known to read them.
pub fn render(all: &[Findings]) -> String {
    let mut out = String::new();
    for findings in all {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!("{}: {}\n", findings.name, findings.about));
        if let Some(reason) = &findings.skipped {
            out.push_str(&format!("  skipped: {reason}\n"));
            continue;
        }
        let mut rows = vec![["".into(), "median".into(), "min".into(), "max".into(), "".into()]];
        for one in &findings.figures {
            let [median, min, max] = [one.median, one.min, one.max].map(number);
            rows.push([one.name.clone(), median, min, max, one.unit.to_owned()]);
        }
        for Ratio { of, to, min, median, max } in &findings.ratios {
            let [median, min, max] = [median, min, max].map(|ratio| format!("x{}", number(*ratio)));
            rows.push([of.clone(), median, min, max, format!("of {to}")]);
        }
        table(&mut out, &rows);
        findings.notes.iter().for_each(|note| out.push_str(&format!("  ({note})\n")));
    }
    out
}

fn table(out: &mut String, rows: &[[String; 5]]) {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let [name, median, min, max] = [0, 1, 2, 3].map(width);
    for row in rows {
        let line = format!(
            "  {:name$}  {:>median$}  {:>min$}  {:>max$}  {}",
            row[0], row[1], row[2], row[3], row[4]
        );
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

/// Three digits at least, and thousands apart.
fn number(value: f64) -> String {
    let size = value.abs();
    if size < 9.995 {
        return format!("{value:.2}");
    }
    if size < 99.95 {
        return format!("{value:.1}");
    }
    let digits = format!("{size:.0}");
    let mut out = if value < 0.0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::benchmark::Benchmark;
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_matter() {
        for (value, text) in [
            (0.0, "0.00"),
            (-0.4567, "-0.46"),
            (9.99, "9.99"),
            (9.996, "10.0"),
            (45.67, "45.7"),
            (99.96, "100"),
            (-1234.5, "-1,234"),
            (18_000.4, "18,000"),
            (1_234_567.8, "1,234,568"),
        ] {
            assert_eq!(number(value), text, "{value}");
        }
    }

    #[test]
    fn a_reader_finds_figures_ratios_notes_and_reasons() {
        let mut measured = Findings::new(Benchmark::Middlebox);
        measured.figure("kernel bridge: forwarded", "packets/s", &[250_000.0, 240_000.0, 260_000.0]);
        measured.ratio("middlebox: forwarded", "kernel bridge", &[0.5], &[1.0]);
        measured.notes.push("two processors".to_owned());
        let skipped = Findings::skipped(Benchmark::Boot, "no image is built");
        let text = render(&[measured, skipped]);
        let wanted = "\
                            median      min      max
  kernel bridge: forwarded  250,000  240,000  260,000  packets/s
  middlebox: forwarded        x0.50    x0.50    x0.50  of kernel bridge
  (two processors)
";
        let body = text.split_once('\n').unwrap().1;
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeeze(body).starts_with(&squeeze(wanted)), "{text}");
        assert!(text.starts_with("middlebox: UDP datagrams"), "{text}");
        assert!(text.ends_with("boot: a guest, from QEMU's start until it says that it is ready: machine types q35 and pc\n  skipped: no image is built\n"), "{text}");
    }
}
