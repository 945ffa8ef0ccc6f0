//! `[path.NAME.action.NAME]`: packet-exact rules of the own middlebox.
//!
//! Must not know the other parts of a path. Units: nanoseconds inside.
//! Errors: problems at the key; they blame the matrix file. Tests: `tests.rs`, `tests/diagnostics/path`.

use super::keys::{ACTION, CONDITION, LARGEST_PACKET, WordRow, names};
use super::piece::{Piece, read_do, required};
use super::value::{count, direction, duration, pattern, port, sequence, span_of_time, towards};
use crate::document::{Findings, Node};
use crate::matrix::configuration::optional;
use crate::middlebox::{Action, Condition, Deed, MiddleboxSpec, Pattern, Sequence, Towards};

/// Over the 500 ms for which Linux answers only one challenge per connection (`tcp_invalid_ratelimit`, Documentation/networking/ip-sysctl.rst).
const PAUSE_NS: u64 = 600_000_000;

/// The data that nobody wrote, where the file names none.
const FORGED: &[u8] = b"forged";

/// One action.
pub(super) fn read(findings: &mut Findings, piece: &Piece<'_>) -> Option<Action> {
    let Piece { key, table, .. } = piece;
    let word = read_do(findings, piece, &ACTION);
    let when =
        required(findings, piece, ACTION.keys, "when", |findings, node| condition(findings, node, "when"));
    let first = optional(table, "first", 1, |node| count(findings, node, "`first`", 0, u32::MAX));
    let armed = optional(table, "armed", true, |node| findings.boolean(node, "`armed`"));
    let word = word?;
    let deed = match word.word {
        "hold" => hold(findings, piece, word),
        "drop" => Some(Deed::Drop),
        "inject-rst" => inject(findings, piece, word).map(Injection::reset),
        // `inject-data`: the list of words has no other.
        _ => inject_data(findings, piece, word),
    };
    let action = Action { name: key.name.clone(), armed: armed?, when: when?, first: first?, deed: deed? };
    let alone = MiddleboxSpec { actions: vec![action.clone()], ..MiddleboxSpec::transparent(0) };
    piece.check(findings, &alone);
    Some(action)
}

fn hold(findings: &mut Findings, piece: &Piece<'_>, word: &WordRow) -> Option<Deed> {
    let until =
        required(findings, piece, word.keys, "until", |findings, node| condition(findings, node, "until"));
    let timeout_ns = required(findings, piece, word.keys, "timeout", |findings, node| {
        span_of_time(findings, node, "`timeout`", "nothing would be held")
    });
    Some(Deed::Hold { until: until?, timeout_ns: timeout_ns? })
}

/// What every forged segment has.
#[derive(Debug, Clone, Copy)]
struct Injection {
    towards: Towards,
    sequence: Sequence,
    delay_ns: u64,
    times: u32,
    gap_ns: u64,
}

impl Injection {
    fn reset(self) -> Deed {
        let Self { towards, sequence, delay_ns, times, gap_ns } = self;
        Deed::InjectRst { towards, sequence, delay_ns, times, gap_ns }
    }

    fn data(self, payload: Pattern) -> Deed {
        let Self { towards, sequence, delay_ns, times, gap_ns } = self;
        Deed::InjectData { towards, sequence, payload, delay_ns, times, gap_ns }
    }
}

fn inject_data(findings: &mut Findings, piece: &Piece<'_>, word: &WordRow) -> Option<Deed> {
    let injection = inject(findings, piece, word);
    let payload = optional(piece.table, "payload", Pattern(FORGED.to_vec()), |node| payload(findings, node));
    Some(injection?.data(payload?))
}

/// The bytes of a forged segment.
fn payload(findings: &mut Findings, node: &Node) -> Option<Pattern> {
    if node.value.as_text() == Some("") {
        findings
            .report(node.span.clone(), "`payload` is empty", "a segment without data")
            .help("name at least one byte, or leave it out; a forged reset is do = \"inject-rst\"");
        return None;
    }
    pattern(findings, node, "`payload`")
}

fn inject(findings: &mut Findings, piece: &Piece<'_>, word: &WordRow) -> Option<Injection> {
    let Piece { table, .. } = piece;
    let towards = required(findings, piece, word.keys, "towards", |findings, node| {
        towards(findings, node, "`towards`")
    });
    let sequence =
        optional(table, "sequence", Sequence::Exact, |node| sequence(findings, node, "`sequence`"));
    let delay_ns = optional(table, "delay", 0, |node| duration(findings, node, "`delay`"));
    let times = optional(table, "times", 1, |node| count(findings, node, "`times`", 1, 1_000_000));
    let gap_ns = optional(table, "pause", PAUSE_NS, |node| duration(findings, node, "`pause`"));
    Some(Injection {
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
    findings.refuse_unknown_keys(table, &format!("`{what}`"), &names(CONDITION));
    if table.entries.is_empty() {
        findings
            .report(node.span.clone(), format!("`{what}` is empty"), "every segment of every connection")
            .help(format!("say which segments; for all of them write {what} = {{ direction = \"both\" }}"));
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
    let mut length = |key: &str, low, high| {
        optional(table, key, None, |node| count(findings, node, &name(key), low, high).map(Some))
    };
    let longer_than = length("longer_than", 0, LARGEST_PACKET - 1);
    let shorter_than = length("shorter_than", 1, LARGEST_PACKET + 1);
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
        longer_than: longer_than?,
        shorter_than: shorter_than?,
        contains: contains?,
        ordinal: ordinal?,
    })
}
