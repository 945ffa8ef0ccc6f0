//! The operations of the scenario language: one row each.
//!
//! A row is the operation's variant, its fields, and all else that is known of it; parser, labels, deadlines, error texts and the
//! one-line form read it. Must not know TOML, files or system calls. Units: nanoseconds, bytes, parts per million.
//! Errors: none; an operation that cannot be built is refused by serde with the field's name.
//! A new operation is a row in one of the files of `operation/`, its doing in `guest-agent/src/ops`, and its system call in `guest-agent/src/sys`.
//! Each of those files is a macro that adds its rows and hands all of them to the next; [`operations!`] gets them all.
//! Tests: below; `tests/places.rs` counts the places where an operation is named.

#[macro_use]
mod sockets;
#[macro_use]
mod options;
#[macro_use]
mod looks;
#[macro_use]
mod readiness;
#[macro_use]
mod transfer;
#[macro_use]
mod descriptors;
#[macro_use]
mod lanes;
#[macro_use]
mod uring;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::schema::{Choice, FailureReport, FieldKind, FieldSchema, OpSchema, Player, Wait};
use crate::{Delay, Errno, Labels, Mark, Slot};

pub use words::{
    Call, Callee, EpollCall, EpollChange, Event, Family, Handler, Keep, LaneIndex, Payload, PollCall, Queue,
    ReceiveFlag, SendFlag, Shut, SocketOption,
};

/// What a field's value says to others than the operation's own doing.
#[derive(Debug, Clone, Copy)]
enum Shared<'a> {
    Sockets(&'a [Slot]),
    Delay(Delay),
    Mark(Mark),
    /// So many bytes are asked to be sent.
    Payload(u64),
    Nothing,
}

/// A type that a field can have.
trait FieldType {
    fn shared(&self) -> Shared<'_> {
        Shared::Nothing
    }
}

impl FieldType for Slot {
    fn shared(&self) -> Shared<'_> {
        Shared::Sockets(std::slice::from_ref(self))
    }
}

impl FieldType for Vec<Slot> {
    fn shared(&self) -> Shared<'_> {
        Shared::Sockets(self)
    }
}

impl FieldType for Delay {
    fn shared(&self) -> Shared<'_> {
        Shared::Delay(*self)
    }
}

impl FieldType for Mark {
    fn shared(&self) -> Shared<'_> {
        Shared::Mark(*self)
    }
}

impl FieldType for Option<String> {
    fn shared(&self) -> Shared<'_> {
        self.as_ref().map_or(Shared::Nothing, |data| Shared::Payload(data.len() as u64))
    }
}

impl FieldType for Option<u32> {
    fn shared(&self) -> Shared<'_> {
        self.map_or(Shared::Nothing, |bytes| Shared::Payload(u64::from(bytes)))
    }
}

impl FieldType for Payload {
    fn shared(&self) -> Shared<'_> {
        Shared::Payload(u64::from(self.0))
    }
}

impl FieldType for Option<Slot> {
    fn shared(&self) -> Shared<'_> {
        self.as_ref().map_or(Shared::Nothing, Slot::shared)
    }
}

/// Types whose values say nothing to others.
macro_rules! say_nothing {
    ($($kind:ty)*) => { $(impl FieldType for $kind {})* };
}

say_nothing! {
    bool u16 u32 i32 i64 String Option<i32> Errno LaneIndex
    Call Callee EpollCall EpollChange Family Handler Keep PollCall Queue Shut SocketOption
    Vec<Event> Vec<ReceiveFlag> Vec<SendFlag>
}

/// The most fields that an operation has.
const MOST_FIELDS: usize = 8;

fn padded<const N: usize>(given: [Shared<'_>; N]) -> [Shared<'_>; MOST_FIELDS] {
    const { assert!(N <= MOST_FIELDS, "raise MOST_FIELDS") };
    let mut all = [Shared::Nothing; MOST_FIELDS];
    all[..N].copy_from_slice(&given);
    all
}

/// From the rows: the enum, the table, and the two matches that lead from an operation to its row and its fields. Columns that a row does
/// not name are those of [`OpSchema::ORDINARY`].
macro_rules! operations {
    ([] $(
        $(#[$about:meta])*
        $variant:ident {
            $($(#[$what:meta])* $field:ident: $kind:ty = $schema:expr,)*
        } => { $($column:ident: $value:expr),* $(,)? }
    )*) => {
        /// One operation. `socket` fields name slots; a slot keeps its number after `close`, so that a script can use a closed
        /// descriptor on purpose.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
        pub enum Op {
            $($(#[$about])* $variant { $($(#[$what])* $field: $kind,)* },)*
        }

        const SCHEMAS: &[OpSchema] = &[
            $(OpSchema { $($column: $value,)* fields: &[$($schema),*], ..OpSchema::ORDINARY },)*
        ];

        /// The operations as indices of the table.
        #[derive(Clone, Copy)]
        enum Row { $($variant,)* }

        impl Op {
            fn row(&self) -> Row {
                match self { $(Self::$variant { .. } => Row::$variant,)* }
            }

            fn shared(&self) -> [Shared<'_>; MOST_FIELDS] {
                match self { $(Self::$variant { $($field),* } => padded([$($field.shared()),*]),)* }
            }
        }
    };
}

const SOCKET: FieldSchema = FieldSchema::required("socket", FieldKind::Socket);
const NEW_SOCKET: FieldSchema = FieldSchema::defining("socket", FieldKind::Socket);

const fn required(name: &'static str, kind: FieldKind) -> FieldSchema {
    FieldSchema::required(name, kind)
}

/// How many bytes one call may be asked to send.
const SENT: FieldKind = FieldKind::Count { low: 1, high: Op::MOST_BYTES_SENT as u64 };

const fn sockets(name: &'static str) -> FieldSchema {
    FieldSchema::optional(name, FieldKind::Sockets, "[]")
}

const fn words(name: &'static str, words: Choice) -> FieldSchema {
    FieldSchema::optional(name, FieldKind::Words(words), "[]")
}

const fn choice(name: &'static str, words: Choice, default: &'static str) -> FieldSchema {
    FieldSchema::optional(name, FieldKind::Choice(words), default)
}

const fn flag(name: &'static str) -> FieldSchema {
    FieldSchema::optional(name, FieldKind::Flag, "false")
}

const fn optional_number(name: &'static str, kind: FieldKind) -> FieldSchema {
    FieldSchema::optional(name, kind, "none")
}

/// A number that a descriptor can have; 0 to 2 are the agent's own.
const DESCRIPTOR: FieldKind = FieldKind::Number { low: 3, high: 1_048_575 };

sockets_rows! { [options_rows looks_rows readiness_rows transfer_rows descriptors_rows lanes_rows uring_rows operations] }

impl Op {
    /// The most bytes of no meaning that one call may be asked to send: 64 MiB, more than any socket takes at once.
    pub const MOST_BYTES_SENT: u32 = 1 << 26;

    /// A plain, blocking connect to the peer's agent.
    pub fn connect(socket: Slot) -> Self {
        Self::Connect { socket, to: Callee::Server, nonblock: false, descriptor: None, family: Family::Path }
    }

    /// Whether it calls the peer's agent, which accepts for the peer lane.
    pub fn calls_the_server(&self) -> bool {
        matches!(
            self,
            Self::Connect { to: Callee::Server, .. } | Self::ConnectSocket { to: Callee::Server, .. }
        )
    }

    /// Whether it connects by vsock(7).
    pub fn is_vsock(&self) -> bool {
        matches!(self, Self::Connect { family: Family::Vsock, .. })
    }

    /// Of a connect by vsock(7): whether there can be anybody whom it calls.
    pub fn calls_over_vsock(&self) -> Option<bool> {
        match self {
            Self::Connect { family: Family::Vsock, to, .. } => {
                Some(matches!(to, Callee::Server | Callee::ClosedPort))
            }
            _ => None,
        }
    }

    /// Whether it needs the addresses of the two ends.
    pub fn needs_an_address(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::ConnectSocket { .. } | Self::Bind { .. } | Self::Listen { .. }
        )
    }

    /// Whether it is a connect(2).
    pub fn connects(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::ConnectSocket { .. })
    }

    /// Whether it makes a listening socket of the trial's own.
    pub fn listens(&self) -> bool {
        matches!(self, Self::Listen { .. })
    }

    /// Whether it finds a connection by its addresses: it works after close(2) too.
    pub fn looks_from_outside(&self) -> bool {
        matches!(
            self,
            Self::SocketState { .. }
                | Self::SocketTimer { .. }
                | Self::SocketRetries { .. }
                | Self::SocketQueue { .. }
                | Self::ProcNetTcp { .. }
                | Self::Destroy { .. }
        )
    }

    /// The number that it wants for its descriptor.
    pub fn number(&self) -> Option<i32> {
        match self {
            Self::Connect { descriptor, .. }
            | Self::Socket { descriptor, .. }
            | Self::Dup { descriptor, .. } => *descriptor,
            _ => None,
        }
    }

    /// Its row of the table.
    pub fn schema(&self) -> &'static OpSchema {
        &SCHEMAS[self.row() as usize]
    }

    /// The name that scenario files use.
    pub fn name(&self) -> &'static str {
        self.schema().name
    }

    /// The sockets that it names, in its own order.
    pub fn sockets(&self) -> impl Iterator<Item = Slot> + '_ {
        let slots = |shared| match shared {
            Shared::Sockets(slots) => slots,
            Shared::Delay(_) | Shared::Mark(_) | Shared::Payload(_) | Shared::Nothing => &[],
        };
        self.shared().into_iter().flat_map(slots).copied()
    }

    /// The delay that it names.
    pub fn delay(&self) -> Option<Delay> {
        self.shared().into_iter().find_map(|shared| match shared {
            Shared::Delay(delay) => Some(delay),
            Shared::Sockets(_) | Shared::Mark(_) | Shared::Payload(_) | Shared::Nothing => None,
        })
    }

    /// The mark that it sets or awaits.
    pub fn mark(&self) -> Option<Mark> {
        self.shared().into_iter().find_map(|shared| match shared {
            Shared::Mark(mark) => Some(mark),
            Shared::Sockets(_) | Shared::Delay(_) | Shared::Payload(_) | Shared::Nothing => None,
        })
    }

    /// How many bytes it asks to be sent.
    pub fn payload_bytes(&self) -> Option<u64> {
        self.shared().into_iter().find_map(|shared| match shared {
            Shared::Payload(bytes) => Some(bytes),
            Shared::Sockets(_) | Shared::Delay(_) | Shared::Mark(_) | Shared::Nothing => None,
        })
    }

    /// The longest that this step waits by its own parameters (a read or accept waits for the other end: 0).
    pub fn longest_wait(&self) -> Duration {
        match self.schema().wait {
            Wait::No => Duration::ZERO,
            Wait::Whole | Wait::AtMost => match self {
                Self::SelectRaw { seconds, microseconds, .. } => raw_time(*seconds, *microseconds),
                _ => self.delay().map_or(Duration::ZERO, Delay::longest),
            },
        }
    }
}

/// A timeval as the kernel reads it: a negative one is refused, so nothing waits; microseconds over a million are carried over.
fn raw_time(seconds: i64, microseconds: i64) -> Duration {
    let whole = i128::from(seconds) * 1_000_000 + i128::from(microseconds);
    if seconds < 0 || microseconds < 0 {
        return Duration::ZERO;
    }
    Duration::from_micros(u64::try_from(whole).unwrap_or(u64::MAX))
}

/// Every operation that a scenario file may name.
pub fn schemas() -> &'static [OpSchema] {
    SCHEMAS
}

/// The schema of the operation called `name`.
pub fn schema_of(name: &str) -> Option<&'static OpSchema> {
    SCHEMAS.iter().find(|schema| schema.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Map, Value, json};

    use super::*;

    fn sample(kind: FieldKind) -> Value {
        match kind {
            FieldKind::Socket => json!(7),
            FieldKind::Mark => json!(3),
            FieldKind::Sockets => json!([0, 1]),
            FieldKind::Delay => json!({"fixed": {"ns": 5}}),
            FieldKind::Text => json!("ABCD"),
            FieldKind::Count { low, .. } => json!(low),
            FieldKind::Rate => json!(10_000),
            FieldKind::Errno => json!(9),
            // Not the word that is left out of the JSON form.
            FieldKind::Choice(words) => json!(words[words.len() - 1]),
            FieldKind::Duration => json!(5),
            FieldKind::TimeRange => json!({"low_ns": 1, "high_ns": 2}),
            FieldKind::Number { low, high } => json!(5.clamp(low, high)),
            FieldKind::Flag => json!(true),
            FieldKind::Words(words) => json!([words[0]]),
            FieldKind::Lane => json!(1),
        }
    }

    /// The JSON of an operation with all its fields.
    fn whole(schema: &OpSchema) -> Map<String, Value> {
        std::iter::once(("op".to_owned(), json!(schema.name)))
            .chain(schema.fields.iter().map(|field| (field.wire.to_owned(), sample(field.kind))))
            .collect()
    }

    fn build(object: Map<String, Value>) -> Result<Op, serde_json::Error> {
        serde_json::from_value(Value::Object(object))
    }

    #[test]
    fn every_row_builds_the_operation_of_its_name_and_the_operation_finds_its_row() {
        let mut names = BTreeSet::new();
        for schema in schemas() {
            let op = build(whole(schema)).expect(schema.name);
            assert!(std::ptr::eq(op.schema(), schema), "{}", schema.name);
            assert!(names.insert(schema.name) && !schema.about.is_empty(), "{}", schema.name);
            assert!(!schema.system_call.is_empty(), "{}", schema.name);
        }
    }

    /// Ids of cells are hashes of this form.
    #[test]
    fn the_json_form_is_the_name_and_then_the_fields_in_the_order_of_the_row() {
        for schema in schemas() {
            let mut expected = format!("{{\"op\":\"{}\"", schema.name);
            for field in schema.fields {
                expected += &format!(",\"{}\":{}", field.wire, sample(field.kind));
            }
            let op = build(whole(schema)).expect(schema.name);
            assert_eq!(serde_json::to_string(&op).expect("plain data"), expected + "}");
        }
    }

    #[test]
    fn every_word_of_a_choice_is_accepted_and_every_required_field_is_missed() {
        for schema in schemas() {
            for field in schema.fields {
                let with = |value: Value| {
                    let mut object = whole(schema);
                    object.insert(field.wire.to_owned(), value);
                    build(object)
                };
                if let FieldKind::Words(words) = field.kind {
                    words.iter().for_each(|word| assert!(with(json!([word])).is_ok(), "{word}"));
                    assert!(with(json!(["neither"])).is_err());
                }
                if let FieldKind::Choice(words) = field.kind {
                    words.iter().for_each(|word| assert!(with(json!(word)).is_ok(), "{word}"));
                    assert!(with(json!("neither")).is_err());
                }
                let mut object = whole(schema);
                object.remove(field.wire);
                let named = format!("{} without {}", schema.name, field.name);
                match (build(object), field.default) {
                    (built, None) if field.alternative.is_some() => assert!(built.is_ok(), "{named}"),
                    (built, None) => assert!(built.is_err(), "{named}"),
                    (built, Some("[]")) => assert_eq!(built.ok(), with(json!([])).ok(), "{named}"),
                    (built, Some("none")) => assert_eq!(built.ok(), with(json!(null)).ok(), "{named}"),
                    (built, Some("false")) => assert_eq!(built.ok(), with(json!(false)).ok(), "{named}"),
                    (built, Some("0")) => assert_eq!(built.ok(), with(json!(0)).ok(), "{named}"),
                    (built, Some(word)) => assert_eq!(built.ok(), with(json!(word)).ok(), "{named}"),
                }
            }
        }
    }

    #[test]
    fn sockets_delay_and_mark_are_those_of_the_fields() {
        for schema in schemas() {
            let kinds = || schema.fields.iter().map(|field| field.kind);
            let op = build(whole(schema)).expect(schema.name);
            let sockets: Vec<Slot> = kinds()
                .flat_map(|kind| match kind {
                    FieldKind::Socket => vec![Slot(7)],
                    FieldKind::Sockets => vec![Slot(0), Slot(1)],
                    _ => vec![],
                })
                .collect();
            assert_eq!(op.sockets().collect::<Vec<_>>(), sockets, "{}", schema.name);
            // An operation has one delay and one mark at most: `delay` and `mark` would hide a second one.
            let count = |kind| kinds().filter(|found| *found == kind).count();
            let delay = Delay::Fixed { ns: 5 };
            assert_eq!(op.delay().into_iter().collect::<Vec<_>>(), vec![delay; count(FieldKind::Delay)]);
            assert_eq!(op.mark().into_iter().collect::<Vec<_>>(), vec![Mark(3); count(FieldKind::Mark)]);
            let waits = schema.wait != Wait::No;
            if let Op::SelectRaw { .. } = op {
                assert_eq!(op.longest_wait(), Duration::from_micros(5_000_005));
                continue;
            }
            assert!(!waits || schema.takes(FieldKind::Delay), "{} waits for no time", schema.name);
            assert_eq!(op.longest_wait(), Duration::from_nanos(if waits { 5 } else { 0 }), "{}", schema.name);
        }
    }

    /// Each of two alternatives names the other, and each alone builds an operation.
    #[test]
    fn alternatives_are_mutual() {
        let mut pairs = vec![];
        for schema in schemas() {
            for field in schema.fields {
                let Some(other) = field.alternative else { continue };
                let other = schema.fields.iter().find(|field| field.name == other).expect(schema.name);
                assert_eq!(other.alternative, Some(field.name));
                let mut object = whole(schema);
                object.remove(other.wire);
                assert!(build(object).is_ok());
                pairs.push((schema.name, field.name));
            }
        }
        assert_eq!(pairs, [("write", "data"), ("write", "bytes"), ("send", "data"), ("send", "bytes")]);
    }

    #[test]
    fn what_is_asked_to_be_sent_is_the_text_s_length_or_the_number() {
        let write = |data: Option<&str>, bytes| {
            Op::Write { socket: Slot(0), data: data.map(str::to_owned), bytes }.payload_bytes()
        };
        assert_eq!(write(Some("ABCD"), None), Some(4));
        assert_eq!(write(None, Some(60_000)), Some(60_000));
        assert_eq!(Op::Read { socket: Slot(0), bytes: 64 }.payload_bytes(), None);
    }

    #[test]
    fn only_the_peer_accepts_what_calls_its_agent() {
        let first = schemas().iter().filter(|schema| schema.player == Player::PeerFirst);
        assert_eq!(first.map(|schema| schema.name).collect::<Vec<_>>(), ["accept"]);
        assert!(Op::connect(Slot(0)).calls_the_server());
        let elsewhere = Op::ConnectSocket { socket: Slot(0), to: Callee::Listener };
        assert!(!elsewhere.calls_the_server());
    }

    #[test]
    fn a_raw_time_is_as_long_as_the_kernel_waits() {
        assert_eq!(raw_time(0, 1_500_000), Duration::from_millis(1_500));
        assert_eq!([raw_time(-1, 5), raw_time(5, -1)], [Duration::ZERO; 2]);
    }
}
