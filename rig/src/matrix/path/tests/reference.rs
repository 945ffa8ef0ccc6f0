//! The list of keys is what the reader reads, and what the page says.

use std::path::PathBuf;

use super::*;
use crate::matrix::path::keys::{
    ACTION, BALANCER, CONDITION, FAULT, FIREWALL, HAPROXY, HEALTH, IPS, JITTER, LINK, Omitted, PathKey, RATE,
    REORDER, RULE, SECTIONS,
};
use crate::matrix::path_reference;

/// Between these two lines the page is generated.
const BEGIN: &str = "<!-- generated from the list of keys; `RIG_WRITE_DOCS=1 cargo test -p rig --lib path::tests::reference` writes it -->\n";
const END: &str = "<!-- end of the generated part -->\n";

/// The page's generated part is what the list of keys says now; `RIG_WRITE_DOCS=1` writes it.
#[test]
fn the_page_says_what_the_list_says() {
    let page = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/paths.md");
    let text = std::fs::read_to_string(&page).expect("the page");
    let (before, rest) = text.split_once(BEGIN).expect("where the generated part begins");
    let (generated, after) = rest.split_once(END).expect("where it ends");
    let wanted = format!("\n{}\n", path_reference());
    if std::env::var_os("RIG_WRITE_DOCS").is_some() {
        std::fs::write(&page, format!("{before}{BEGIN}{wanted}{END}{after}"))
            .expect("the page can be written");
        return;
    }
    assert!(
        generated == wanted,
        "docs/paths.md is not what the list of keys says; see its first generated line"
    );
}

#[test]
fn every_key_and_every_deed_is_on_the_page() {
    let text = path_reference();
    let on_page = |shown: String| assert!(text.contains(&shown), "{shown} is not in the reference");
    let rows = |rows: &[PathKey]| {
        for row in rows {
            on_page(format!("| `{}` |", row.name));
            row.inner.iter().for_each(|inner| on_page(format!("| `{}.{}` |", row.name, inner.name)));
        }
    };
    rows(LINK);
    for section in SECTIONS {
        let own_name = if section.named { ".NAME" } else { "" };
        on_page(format!("[path.NAME.{}{own_name}]", section.name));
        rows(section.keys);
        for word in section.words {
            on_page(format!("| `{}` |", word.word));
            rows(word.keys);
        }
    }
}

/// A smallest sound table of each kind: its list of keys, where further keys go (`@`), and the file.
const SMALLEST: &[(&[PathKey], &str)] = &[
    (LINK, "[path.p]\n@"),
    (JITTER, "[path.p]\njitter = { both = \"1ms\", @ }"),
    (REORDER, "[path.p]\nreorder = { both = \"1%\", gap = 3, timeout = \"5ms\", @ }"),
    (RATE, "[path.p]\nrate = { both = \"1mbit\", queue_bytes = 9000, @ }"),
    (ACTION.keys, "[path.p.action.a]\ndo = \"drop\"\nwhen = { rst = true }\n@"),
    (CONDITION, "[path.p.action.a]\ndo = \"drop\"\nwhen = { rst = true, @ }"),
    (
        ACTION.words[0].keys,
        "[path.p.action.a]\ndo = \"hold\"\nwhen = { rst = true }\nuntil = { fin = true }\ntimeout = \"1s\"\n@",
    ),
    (
        ACTION.words[2].keys,
        "[path.p.action.a]\ndo = \"inject-rst\"\nwhen = { rst = true }\ntowards = \"both\"\n@",
    ),
    (FIREWALL.keys, "[path.p.firewall]\nidle_timeout = \"1s\"\n@"),
    (IPS.keys, "[path.p.ips]\npattern = \"A\"\n@"),
    (BALANCER.keys, "[path.p.fault.f]\ndo = \"backend-down\"\n[path.p.balancer]\n@"),
    (HEALTH, "[path.p.balancer]\nhealth = { @ }"),
    (HAPROXY.keys, "[path.p.haproxy]\n@"),
    (RULE.keys, "[path.p.rule.r]\nat = \"switch\"\nverdict = \"drop\"\n@"),
    (FAULT.keys, "[path.p.fault.f]\ndo = \"link-down\"\n@"),
    (FAULT.words[2].keys, "[path.p.fault.f]\ndo = \"contention\"\n@"),
];

/// Without a key, and with the value that the list says is the same, the file means the same.
#[test]
fn a_default_is_what_the_list_says() {
    let mut compared = 0;
    for (rows, text) in SMALLEST {
        let plain = text.replace(", @", "").replace('@', "");
        for row in *rows {
            let Omitted::Same(value) = row.omitted else { continue };
            // What only an impairment makes sense of.
            let beside = if row.name == "mechanism" { "\ndelay = { both = \"1ms\" }" } else { "" };
            let said = text.replace('@', &format!("{} = {value}{beside}", row.name));
            assert_eq!(read(&said), read(&format!("{plain}{beside}")), "{said}");
            compared += 1;
        }
    }
    let every: usize = SMALLEST.iter().map(|(rows, _)| rows.iter().filter(|row| is_same(row)).count()).sum();
    assert!(compared == every && every > 25, "{compared} of {every}");
}

fn is_same(row: &PathKey) -> bool {
    matches!(row.omitted, Omitted::Same(_))
}

/// A key that must be written is asked for by its name, and nothing else is.
#[test]
fn a_key_that_must_be_written_is_asked_for() {
    for section in SECTIONS {
        let own_name = if section.named { ".x" } else { "" };
        let empty = format!("[path.p.{}{own_name}]\n", section.name);
        let words = section.words.iter().map(|word| (format!("{empty}do = \"{}\"\n", word.word), word.keys));
        for (text, of_word) in words.chain([(empty.clone(), &[][..])]) {
            let problems = parse(&text).err().map_or(String::new(), |problems| problems.to_string());
            for row in
                section.keys.iter().chain(of_word).filter(|row| !text.contains(&format!("{} =", row.name)))
            {
                let asked = problems.contains(&format!("has no `{}`", row.name));
                // `hook` is asked for where `at` is an end.
                assert_eq!(asked, matches!(row.omitted, Omitted::Required(_)), "{}: {problems}", row.name);
            }
        }
    }
}

/// A key that the list does not have is refused, and the hint names those of the list.
#[test]
fn a_key_that_is_not_in_the_list_is_refused() {
    for (rows, text) in SMALLEST {
        let said = text.replace('@', "unheard_of = 1");
        let problems = parse(&said).expect_err(&said);
        assert!(problems.to_string().contains("unknown key `unheard_of`"), "{said}: {problems}");
        assert!(!rows.is_empty());
    }
}
