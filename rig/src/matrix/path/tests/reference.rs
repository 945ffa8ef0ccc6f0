//! The list of keys is what the reader reads; that the page says it is a test of `tests/docs.rs`.

use super::*;
use crate::matrix::path::keys::{
    ACTION, BALANCER, CONDITION, FAULT, FIREWALL, HAPROXY, HEALTH, IPS, JITTER, LINK, Omitted, PathKey, RATE,
    REORDER, RULE, SECTIONS,
};

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
    (
        ACTION.words[3].keys,
        "[path.p.action.a]\ndo = \"inject-data\"\nwhen = { rst = true }\ntowards = \"both\"\n@",
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
