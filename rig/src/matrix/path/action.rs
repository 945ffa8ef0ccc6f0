//! `[path.NAME.action.NAME]`: packet-exact rules of the own middlebox.
//!
//! Must not know the other parts of a path. Units: nanoseconds inside.
//! Errors: problems at the key; they blame the matrix file. Tests: `tests.rs`, `tests/diagnostics/path`.

use super::piece::{Piece, Words, refuse_foreign_keys};
use super::value::{count, direction, duration, pattern, port, sequence, span_of_time, towards};
use crate::document::{Findings, Node};
use crate::matrix::configuration::optional;
use crate::middlebox::{Action, Condition, Deed, MiddleboxSpec, Pattern, Sequence};

/// What every action says.
pub(super) const COMMON: &[&str] = &["do", "when", "first", "armed"];

/// What only some do.
pub(super) const DEEDS: Words = &[
    ("hold", &["until", "timeout"]),
    ("drop", &[]),
    ("inject-rst", &["towards", "sequence", "delay", "times", "pause"]),
];

pub(super) const CONDITION: &[&str] =
    &["direction", "port", "syn", "fin", "rst", "ack", "payload", "contains", "ordinal"];

/// Over the 500 ms for which Linux answers only one challenge per connection (`tcp_invalid_ratelimit`, Documentation/networking/ip-sysctl.rst).
const PAUSE_NS: u64 = 600_000_000;

/// One action.
pub(super) fn read(findings: &mut Findings, piece: &Piece<'_>) -> Option<Action> {
    let Piece { key, table, what } = piece;
    let word = refuse_foreign_keys(findings, piece, COMMON, DEEDS, "do = \"hold\"");
    let when = match table.get("when") {
        Some(node) => condition(findings, node, "when"),
        None => {
            let example = "when = { direction = \"to_target\", rst = true }";
            findings.missing(key.span.clone(), what, "when", example);
            None
        }
    };
    let first = optional(table, "first", 1, |node| count(findings, node, "`first`", 0, u32::MAX));
    let armed = optional(table, "armed", true, |node| findings.boolean(node, "`armed`"));
    let deed = match word? {
        "hold" => hold(findings, piece),
        "drop" => Some(Deed::Drop),
        _ => inject(findings, piece),
    };
    let action = Action { name: key.name.clone(), armed: armed?, when: when?, first: first?, deed: deed? };
    let alone = MiddleboxSpec { actions: vec![action.clone()], ..MiddleboxSpec::transparent(0) };
    piece.check(findings, &alone);
    Some(action)
}

fn hold(findings: &mut Findings, piece: &Piece<'_>) -> Option<Deed> {
    let Piece { key, table, what } = piece;
    let until = match table.get("until") {
        Some(node) => condition(findings, node, "until"),
        None => {
            let example = "until = { direction = \"to_target\", rst = true }: what must pass first";
            findings.missing(key.span.clone(), what, "until", example);
            None
        }
    };
    let timeout_ns = match table.get("timeout") {
        Some(node) => span_of_time(findings, node, "`timeout`", "nothing would be held"),
        None => {
            let example = "timeout = \"1s\": a held segment leaves after it when nothing came";
            findings.missing(key.span.clone(), what, "timeout", example);
            None
        }
    };
    Some(Deed::Hold { until: until?, timeout_ns: timeout_ns? })
}

fn inject(findings: &mut Findings, piece: &Piece<'_>) -> Option<Deed> {
    let Piece { key, table, what } = piece;
    let towards = match table.get("towards") {
        Some(node) => towards(findings, node, "`towards`"),
        None => {
            findings.missing(key.span.clone(), what, "towards", "towards = \"to_target\" (or to_peer, both)");
            None
        }
    };
    let sequence =
        optional(table, "sequence", Sequence::Exact, |node| sequence(findings, node, "`sequence`"));
    let delay_ns = optional(table, "delay", 0, |node| duration(findings, node, "`delay`"));
    let times = optional(table, "times", 1, |node| count(findings, node, "`times`", 1, 1_000_000));
    let gap_ns = optional(table, "pause", PAUSE_NS, |node| duration(findings, node, "`pause`"));
    Some(Deed::InjectRst {
        towards: towards?,
        sequence: sequence?,
        delay_ns: delay_ns?,
        times: times?,
        gap_ns: gap_ns?,
    })
}

/// Which segments; `what` is the key.
fn condition(findings: &mut Findings, node: &Node, what: &str) -> Option<Condition> {
    let table = findings.table(node, &format!("`{what}`"))?;
    findings.refuse_unknown_keys(table, &format!("`{what}`"), CONDITION);
    if table.entries.is_empty() {
        findings
            .report(node.span.clone(), format!("`{what}` is empty"), "every segment of every connection")
            .help(format!(
                "say which segments are meant; if all are, write {what} = {{ direction = \"both\" }}"
            ));
    }
    let name = |key: &str| format!("`{what}.{key}`");
    let mut flag = |key: &str| match table.get(key) {
        Some(node) => findings.boolean(node, &name(key)).map(Some),
        None => Some(None),
    };
    let (syn, fin, rst, ack) = (flag("syn"), flag("fin"), flag("rst"), flag("ack"));
    let payload = flag("payload");
    let direction = optional(table, "direction", None, |node| direction(findings, node, &name("direction")));
    let port = optional(table, "port", None, |node| port(findings, node, &name("port")).map(Some));
    let ordinal = optional(table, "ordinal", None, |node| {
        count(findings, node, &name("ordinal"), 1, u32::MAX).map(Some)
    });
    let contains =
        optional(table, "contains", Pattern::default(), |node| pattern(findings, node, &name("contains")));
    if let (Some(bytes), Some(place), Some(Some(false))) =
        (table.get("contains"), table.get("payload"), payload)
    {
        findings
            .report(bytes.span.clone(), format!("`{what}` matches no segment"), "bytes of a payload")
            .also(place.span.clone(), "segments without one")
            .help("leave one of the two out");
        return None;
    }
    Some(Condition {
        direction: direction?,
        port: port?,
        syn: syn?,
        fin: fin?,
        rst: rst?,
        ack: ack?,
        payload: payload?,
        contains: contains?,
        ordinal: ordinal?,
    })
}
