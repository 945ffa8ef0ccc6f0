//! Whatever a guest or a file says: report.csv has no formula, report.xml is well-formed, and no text for people paints a terminal.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quick_xml::Reader as XmlReader;
use quick_xml::events::Event;
use rig::analysis::model::ReportModel;
use rig::report::{Column, Format};

use crate::fixture::{Play, sound, void};
use crate::reports::{model, render};
use crate::scale::scale;

/// Arbitrary texts, and what is known to do harm.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let harmful = proptest::sample::select(vec![
        "=HYPERLINK(\"http://127.0.0.1/?\"&A1)",
        "+1",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r\n=1",
        "\u{1b}[2J\u{1b}]0;TITLE\u{7}",
        "]]>",
        "<!--",
        "&#xFFFE;",
        "\u{fffe}\u{ffff}",
        "\u{0}\u{8}\u{b}\u{7f}\u{9b}2J",
        "\u{202e}\u{2066}",
        "\n  virtio-tap 6.1 kvm complete",
        "\u{1fffe}\u{10ffff}\u{e000}",
        "# SKIP",
        "a # b\nok 1 c\n# Subtest: d\nKTAP version 1\n1..9",
        "::error::\r\n%0A:,",
        "\\\"} 1\n# EOF",
    ]);
    prop_oneof![
        any::<String>(),
        (harmful.clone(), any::<String>()).prop_map(|(begin, rest)| format!("{begin}{rest}")),
        (any::<String>(), harmful).prop_map(|(begin, rest)| format!("{begin}{rest}"))
    ]
}

/// A report in which every name that a file can choose is this one.
pub(crate) fn named(text: &str) -> ReportModel {
    let mut bench = sound();
    void(bench.block(Play::Base, "virtio-tap", "6.1", 0), text);
    let mut model = model(&bench);
    let own = || text.to_owned();
    model.run.id = own();
    model.environment.host.cpu = own();
    model.environment.qemu = own();
    for cell in &mut model.cells {
        (cell.scenario, cell.configuration, cell.kernel) = (own(), own(), own());
        (cell.kernel_release, cell.path) = (own(), own());
        cell.parameters = BTreeMap::from([(own(), own())]);
        cell.outcomes = BTreeMap::from([(own(), cell.trials)]);
        cell.peer_outcomes = cell.outcomes.clone();
        cell.void_reasons = BTreeMap::from([(own(), 1)]);
        cell.accelerators = vec![own()];
    }
    for control in &mut model.controls {
        (control.control, control.configuration, control.kernel) = (own(), own(), own());
    }
    for comparison in &mut model.comparisons {
        (comparison.scenario, comparison.configuration, comparison.path) = (own(), own(), own());
    }
    model.sentences.push(own());
    model
}

/// Char of XML 1.0, section 2.2.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// How many test cases the document has; fails unless it is well-formed.
fn cases(xml: &str) -> usize {
    let mut reader = XmlReader::from_str(xml);
    reader.config_mut().check_comments = true;
    let mut open = Vec::new();
    let mut cases = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) => {
                for attribute in tag.attributes() {
                    let value = attribute.expect("well-formed");
                    let value = value.normalized_value(quick_xml::XmlVersion::Explicit1_0).expect("escaped");
                    assert!(value.chars().all(is_xml), "{value:?}");
                }
                cases += usize::from(tag.name().as_ref() == b"testcase");
                open.push(tag.name().as_ref().to_vec());
            }
            Event::Empty(tag) => {
                tag.attributes().for_each(|attribute| drop(attribute.expect("well-formed")));
                cases += usize::from(tag.name().as_ref() == b"testcase");
            }
            Event::End(tag) => assert_eq!(open.pop().as_deref(), Some(tag.name().as_ref())),
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    cases
}

proptest! {
    #![proptest_config(ProptestConfig { cases: scale(48, 2000), ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_a_report(text in text()) {
        let (model, usual) = (named(&text), named("usual"));
        let rows = |model: &ReportModel| {
            let csv = render(model, "csv");
            let mut reader = csv::Reader::from_reader(csv.as_bytes());
            reader.records().map(|row| row.expect("as many fields as columns")).collect::<Vec<_>>()
        };
        let (found, expected) = (rows(&model), rows(&usual));
        prop_assert_eq!(found.len(), expected.len());
        for row in found {
            prop_assert_eq!(row.len(), Column::ALL.len());
            for field in &row {
                let number = field.strip_prefix('-').is_some_and(|rest| rest.parse::<f64>().is_ok());
                prop_assert!(number || !field.starts_with(['=', '+', '-', '@', '\t', '\r']), "{:?}", field);
                prop_assert!(!field.contains(char::is_control), "{:?}", field);
            }
        }
        let xml = render(&model, "junit");
        prop_assert!(xml.chars().all(is_xml));
        prop_assert_eq!(cases(&xml), cases(&render(&usual, "junit")));
        for format in [Format::TEXT, Format::ANSWER] {
            let text = format.render(&model);
            let paints = |c: char| c != '\n' && (c.is_control() || "\u{202e}\u{2066}\u{200b}".contains(c));
            prop_assert!(!text.contains(paints), "{:?}", text);
        }
        prop_assert!(serde_json::from_str::<serde_json::Value>(&render(&model, "json")).is_ok());
    }
}
