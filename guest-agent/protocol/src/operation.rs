//! The operations of the scenario language: one row each.
//!
//! A row is the operation's variant, its fields, and all else that is known of it; parser, labels, deadlines, error texts and the
//! one-line form read it. Must not know TOML, files or system calls. Units: nanoseconds, bytes, parts per million.
//! Errors: none; an operation that cannot be built is refused by serde with the field's name.
//! A new operation is a row here, its doing in the `perform` of `guest-agent/src/ops`, and its system call in `guest-agent/src/sys`.
//! Tests: below; `tests/places.rs` counts the places where an operation is named.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::schema::{Choice, FailureReport, FieldKind, FieldSchema, OpSchema, Player, Wait};
use crate::{Delay, Errno, Labels, Mark, Slot};

/// An enum whose variants are words of the scenario language, and the list of the words.
macro_rules! choice {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[$what])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            const WORDS: Choice = &[$($word),*];
        }
    };
}

choice! {
    /// Which door of select(2) a step goes through.
    #[derive(Default)]
    Call {
        /// The `select` system call itself (x86-64 number 23), no libc between.
        #[default]
        Select = "select",
        /// The `pselect6` system call itself (number 270): what glibc's select() makes since 2.34.
        Pselect6 = "pselect6",
        /// The C library's `select()`; errno is read in the next instruction.
        Libc = "libc",
    }
}

choice! {
    /// Direction of shutdown(2).
    Shut {
        /// `SHUT_RD`
        Read = "read",
        /// `SHUT_WR`
        Write = "write",
        /// `SHUT_RDWR`
        Both = "both",
    }
}

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

impl FieldType for u16 {}
impl FieldType for u32 {}
impl FieldType for Errno {}
impl FieldType for Call {}
impl FieldType for Shut {}

/// The most fields that an operation has.
const MOST_FIELDS: usize = 5;

fn padded<const N: usize>(given: [Shared<'_>; N]) -> [Shared<'_>; MOST_FIELDS] {
    const { assert!(N <= MOST_FIELDS, "raise MOST_FIELDS") };
    let mut all = [Shared::Nothing; MOST_FIELDS];
    all[..N].copy_from_slice(&given);
    all
}

/// From the rows: the enum, the table, and the two matches that lead from an operation to its row and its fields. Columns that a row does
/// not name are those of [`OpSchema::ORDINARY`].
macro_rules! operations {
    ($(
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

operations! {
    /// socket(2) and a blocking connect(2) to the peer's address. tcp(7).
    Connect {
        /// Gets the new descriptor.
        socket: Slot = NEW_SOCKET,
    } => {
        name: "connect",
        about: "make a TCP socket and connect it to the peer",
        system_call: "socket(2), connect(2)",
        player: Player::Target,
    }

    /// accept4(2) on the peer's listening socket: the first step of the peer lane.
    Accept {
        /// Gets the new descriptor.
        socket: Slot = NEW_SOCKET,
    } => {
        name: "accept",
        about: "accept a connection (first step of the peer lane)",
        system_call: "accept4(2)",
        player: Player::PeerFirst,
    }

    /// close(2). The slot keeps the number.
    Close {
        /// Which.
        socket: Slot = SOCKET,
    } => {
        name: "close",
        about: "close the descriptor; the variable keeps its number",
        system_call: "close(2)",
    }

    /// shutdown(2).
    Shutdown {
        /// Which.
        socket: Slot = SOCKET,
        /// Direction.
        how: Shut = required("how", FieldKind::Choice(Shut::WORDS)),
    } => {
        name: "shutdown",
        about: "shut down one or both directions",
        system_call: "shutdown(2)",
    }

    /// setsockopt `SO_LINGER {1, seconds}`; 0 makes close(2) send a RST (`__tcp_close` -> `tcp_disconnect`). socket(7).
    Linger {
        /// Which.
        socket: Slot = SOCKET,
        /// `l_linger`, in seconds.
        seconds: u16 = required("seconds", FieldKind::Count { low: 0, high: 65_535 }),
    } => {
        name: "linger",
        about: "set SO_LINGER; with 0 seconds a close sends a RST",
        system_call: "setsockopt(2) `SO_LINGER`",
    }

    /// setsockopt `TCP_CORK`: what is written stays unsent until a full segment is there, or for 200 ms. tcp(7).
    Cork {
        /// Which.
        socket: Slot = SOCKET,
    } => {
        name: "cork",
        about: "set TCP_CORK: a small write stays unsent for up to 200 ms",
        system_call: "setsockopt(2) `TCP_CORK`",
    }

    /// setsockopt `TCP_NODELAY`: a small write is sent at once, also while an earlier one is not acknowledged. tcp(7).
    Nodelay {
        /// Which.
        socket: Slot = SOCKET,
    } => {
        name: "nodelay",
        about: "set TCP_NODELAY: a small write is sent at once",
        system_call: "setsockopt(2) `TCP_NODELAY`",
    }

    /// setsockopt `SO_RCVTIMEO`: from now on a read without data gives up with `EAGAIN` after this. socket(7).
    ReceiveTimeout {
        /// Which.
        socket: Slot = SOCKET,
        /// How long a read waits; 0 is for ever, as in socket(7).
        #[serde(rename = "for")]
        duration: Delay = required("for", FieldKind::Delay),
    } => {
        name: "receive_timeout",
        about: "set SO_RCVTIMEO: a later read without data gives EAGAIN after this time; 0 is no limit",
        system_call: "setsockopt(2) `SO_RCVTIMEO`",
    }

    /// getsockopt `SO_ERROR`: returns *and clears* `sk_err`, so a read after it sees EOF where it would have seen the errno.
    SoError {
        /// Which.
        socket: Slot = SOCKET,
    } => {
        name: "so_error",
        about: "read and clear SO_ERROR",
        system_call: "getsockopt(2) `SO_ERROR`",
        labels: Labels::PENDING_ERRNO,
        follow_up: true,
    }

    /// getsockopt `TCP_INFO`: the observation's value is `tcpi_state` (7 is CLOSE), its label the state's name. tcp(7).
    TcpState {
        /// Which.
        socket: Slot = SOCKET,
    } => {
        name: "tcp_state",
        about: "read the state in TCP_INFO: the label is its name",
        system_call: "getsockopt(2) `TCP_INFO`",
        labels: Labels::TCP_STATE,
    }

    /// select(2): sets are built anew for every call, `nfds` is the highest descriptor + 1.
    Select {
        /// Watched for reading.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        read: Vec<Slot> = sockets("read"),
        /// Watched for writing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        write: Vec<Slot> = sockets("write"),
        /// Watched for exceptional conditions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<Slot> = sockets("except"),
        /// How long it waits.
        timeout: Delay = required("timeout", FieldKind::Delay),
        /// The door.
        #[serde(default)]
        call: Call = FieldSchema::optional("call", FieldKind::Choice(Call::WORDS), "select"),
    } => {
        name: "select",
        about: "select() on the given sets",
        system_call: "select(2), pselect6(2), or the C library's select(3)",
        wait: Wait::AtMost,
        labels: Labels::READINESS,
    }

    /// read(2), once, blocking.
    Read {
        /// Which.
        socket: Slot = SOCKET,
        /// Size of the buffer.
        bytes: u32 = required("bytes", FieldKind::Count { low: 1, high: 65_536 }),
    } => {
        name: "read",
        about: "read once",
        system_call: "read(2)",
        labels: Labels::BYTES,
        follow_up: true,
    }

    /// send(2) with `MSG_NOSIGNAL`, once: either these bytes, or so many of no meaning.
    Write {
        /// Which.
        socket: Slot = SOCKET,
        /// What.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<String> = FieldSchema::either("data", FieldKind::Text, "bytes"),
        /// How many, at most [`Op::MOST_BYTES_SENT`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u32> = FieldSchema::either("bytes", SENT, "data"),
    } => {
        name: "write",
        about: "send once: a text, or a number of bytes; `short` if the socket took fewer",
        system_call: "send(2) with `MSG_NOSIGNAL`",
        labels: Labels::SENT,
        follow_up: true,
    }

    /// ioctl `SIOCINQ`: bytes that could still be read. tcp(7).
    Pending {
        /// Which.
        socket: Slot = SOCKET,
    } => {
        name: "pending",
        about: "count the bytes that can still be read (SIOCINQ): the label is `pending=4`",
        system_call: "ioctl(2) `SIOCINQ`",
        labels: Labels::PENDING_BYTES,
    }

    /// fcntl(2) `F_GETFD`: the question whether a number is a valid descriptor, as careful programs ask it.
    FdCheck {
        /// Which.
        socket: Slot = SOCKET,
    } => {
        name: "fd_check",
        about: "fcntl(F_GETFD): is this a valid descriptor",
        system_call: "fcntl(2) `F_GETFD`",
        follow_up: true,
    }

    /// clock_nanosleep(2) on `CLOCK_MONOTONIC`.
    Sleep {
        /// How long; named as it reads: `{ op = "sleep", for = "3s" }`.
        #[serde(rename = "for")]
        duration: Delay = required("for", FieldKind::Delay),
    } => {
        name: "sleep",
        about: "sleep on CLOCK_MONOTONIC",
        system_call: "clock_nanosleep(2)",
        wait: Wait::Whole,
        failure: FailureReport::Return,
    }

    /// The C library's localtime(): what a program does to stamp its log line between the call and the printing of errno;
    /// glibc sets `ENOENT` where /etc/localtime is absent and TZ is unset. The observation's errno is the one after it.
    Localtime {} => {
        name: "localtime",
        about: "call libc's localtime(), as a log line does",
        system_call: "the C library's localtime(3)",
        failure: FailureReport::Return,
    }

    /// Lets every `await` of this mark go on.
    Mark {
        /// Which.
        mark: Mark = FieldSchema::defining("mark", FieldKind::Mark),
    } => {
        name: "mark",
        about: "release the lanes that await it",
        system_call: "none",
        player: Player::Target,
        failure: FailureReport::Return,
    }

    /// Waits for a mark set by another lane of the same side.
    Await {
        /// Which.
        mark: Mark = required("mark", FieldKind::Mark),
        /// Gives up after this; the trial is then void.
        timeout: Delay = required("timeout", FieldKind::Delay),
    } => {
        name: "await",
        about: "wait for a mark of another lane of the same side",
        system_call: "none",
        player: Player::Target,
        wait: Wait::AtMost,
        failure: FailureReport::Return,
    }

    /// Arms the seccomp filter for the next `select` (call = "select") of this lane: in `rate_ppm` of the trials, spread
    /// evenly and at random places, that call returns `errno` without reaching the kernel's select. seccomp(2) `SECCOMP_RET_ERRNO`.
    Inject {
        /// What select returns.
        errno: Errno = required("errno", FieldKind::Errno),
        /// How often, in parts per million of the trials.
        rate_ppm: u32 = required("rate", FieldKind::Rate).on_the_wire("rate_ppm"),
    } => {
        name: "inject",
        about: "make the next select return an errno in a known share of the trials (seccomp)",
        system_call: "seccomp(2) `SECCOMP_RET_ERRNO`",
        player: Player::Target,
        failure: FailureReport::Return,
    }
}

impl Op {
    /// The most bytes of no meaning that one call may be asked to send: 64 MiB, more than any socket takes at once.
    pub const MOST_BYTES_SENT: u32 = 1 << 26;

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
            Wait::Whole | Wait::AtMost => self.delay().map_or(Duration::ZERO, Delay::longest),
        }
    }
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
            FieldKind::Choice(words) => json!(words[0]),
            FieldKind::Duration => json!(5),
            FieldKind::TimeRange => json!({"low_ns": 1, "high_ns": 2}),
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
        assert_eq!(pairs, [("write", "data"), ("write", "bytes")]);
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
    fn the_two_ends_open_their_sockets_each_in_its_own_way() {
        let opening: Vec<_> = schemas().iter().filter(|schema| schema.opens()).collect();
        let players: Vec<_> = opening.iter().map(|schema| (schema.name, schema.player)).collect();
        assert_eq!(players, [("connect", Player::Target), ("accept", Player::PeerFirst)]);
    }
}
