//! The operations of the scenario language: what each means. Their doing is in the agent's `ops`.
//!
//! Holds one enum and, for the scenario language, one schema table of the same operations; a test holds them together.
//! Must not know TOML, files or system calls. Units: nanoseconds, bytes, parts per million.
//! Errors: none; an operation that cannot be built is refused by serde with the field's name.
//! A new operation is added here (variant + schema row) and in `guest-agent/src/ops`, nowhere else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Delay, Errno, Mark, Slot};

/// Which door of select(2) a step goes through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// The `select` system call itself (x86-64 number 23), no libc between.
    #[default]
    Select,
    /// The `pselect6` system call itself (number 270): what glibc's select() makes since 2.34.
    Pselect6,
    /// The C library's `select()`; errno is read in the next instruction.
    Libc,
}

/// Direction of shutdown(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shut {
    /// `SHUT_RD`
    Read,
    /// `SHUT_WR`
    Write,
    /// `SHUT_RDWR`
    Both,
}

/// One operation. `socket` fields name slots; a slot keeps its number after `close`, so that a script can use a closed
/// descriptor on purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// socket(2) and a blocking connect(2) to the peer's address. tcp(7).
    Connect {
        /// Gets the new descriptor.
        socket: Slot,
    },
    /// accept4(2) on the peer's listening socket: the first step of the peer lane.
    Accept {
        /// Gets the new descriptor.
        socket: Slot,
    },
    /// close(2). The slot keeps the number.
    Close {
        /// Which.
        socket: Slot,
    },
    /// shutdown(2).
    Shutdown {
        /// Which.
        socket: Slot,
        /// Direction.
        how: Shut,
    },
    /// setsockopt `SO_LINGER {1, seconds}`; 0 makes close(2) send a RST (`__tcp_close` -> `tcp_disconnect`). socket(7).
    Linger {
        /// Which.
        socket: Slot,
        /// `l_linger`, in seconds.
        seconds: u16,
    },
    /// setsockopt `TCP_CORK`: what is written stays unsent until a full segment is there, or for 200 ms. tcp(7).
    Cork {
        /// Which.
        socket: Slot,
    },
    /// setsockopt `TCP_NODELAY`: a small write leaves at once, also while an earlier one is not acknowledged. tcp(7).
    Nodelay {
        /// Which.
        socket: Slot,
    },
    /// setsockopt `SO_RCVTIMEO`: from now on a read without data gives up with `EAGAIN` after this. socket(7).
    ReceiveTimeout {
        /// Which.
        socket: Slot,
        /// How long a read waits; 0 is for ever, as in socket(7).
        #[serde(rename = "for")]
        duration: Delay,
    },
    /// getsockopt `SO_ERROR`: returns *and clears* `sk_err`, so a read after it sees EOF where it would have seen the errno.
    SoError {
        /// Which.
        socket: Slot,
    },
    /// getsockopt `TCP_INFO`: the observation's value is `tcpi_state` (7 is CLOSE). tcp(7).
    TcpState {
        /// Which.
        socket: Slot,
    },
    /// select(2): sets are built anew for every call, `nfds` is the highest descriptor + 1.
    Select {
        /// Watched for reading.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        read: Vec<Slot>,
        /// Watched for writing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        write: Vec<Slot>,
        /// Watched for exceptional conditions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<Slot>,
        /// How long it waits.
        timeout: Delay,
        /// The door.
        #[serde(default)]
        call: Call,
    },
    /// read(2), once, blocking.
    Read {
        /// Which.
        socket: Slot,
        /// Size of the buffer.
        bytes: u32,
    },
    /// send(2) with `MSG_NOSIGNAL`, once.
    Write {
        /// Which.
        socket: Slot,
        /// What.
        data: String,
    },
    /// ioctl `SIOCINQ`: bytes that could still be read. tcp(7).
    Pending {
        /// Which.
        socket: Slot,
    },
    /// fcntl(2) `F_GETFD`: the "is this descriptor valid" check of document 000.
    FdCheck {
        /// Which.
        socket: Slot,
    },
    /// clock_nanosleep(2) on `CLOCK_MONOTONIC`.
    Sleep {
        /// How long; named as it reads: `{ op = "sleep", for = "3s" }`.
        #[serde(rename = "for")]
        duration: Delay,
    },
    /// The C library's localtime(): what a program does to stamp its log line between the call and the printing of errno;
    /// glibc sets `ENOENT` where /etc/localtime is absent and TZ is unset. The observation's errno is the one after it.
    Localtime {},
    /// Lets every `await` of this mark go on.
    Mark {
        /// Which.
        mark: Mark,
    },
    /// Waits for a mark set by another lane of the same side.
    Await {
        /// Which.
        mark: Mark,
        /// Gives up after this; the trial is then void.
        timeout: Delay,
    },
    /// Arms the seccomp filter for the next `select` (call = "select") of this lane: in `rate_ppm` of the trials, spread
    /// evenly and at random places, that call returns `errno` without reaching the kernel's select. seccomp(2) `SECCOMP_RET_ERRNO`.
    Inject {
        /// What select returns.
        errno: Errno,
        /// How often, in parts per million of the trials.
        rate_ppm: u32,
    },
}

impl Op {
    /// The longest that this step waits by its own parameters (a read or accept waits for the other end: 0).
    pub fn longest_wait(&self) -> Duration {
        match self {
            Self::Select { timeout, .. } | Self::Await { timeout, .. } => timeout.longest(),
            Self::Sleep { duration } => duration.longest(),
            Self::Connect { .. }
            | Self::Accept { .. }
            | Self::Close { .. }
            | Self::Shutdown { .. }
            | Self::Linger { .. }
            | Self::Cork { .. }
            | Self::Nodelay { .. }
            | Self::ReceiveTimeout { .. }
            | Self::SoError { .. }
            | Self::TcpState { .. }
            | Self::Read { .. }
            | Self::Write { .. }
            | Self::Pending { .. }
            | Self::FdCheck { .. }
            | Self::Localtime {}
            | Self::Mark { .. }
            | Self::Inject { .. } => Duration::ZERO,
        }
    }

    /// The name that scenario files use.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "connect",
            Self::Accept { .. } => "accept",
            Self::Close { .. } => "close",
            Self::Shutdown { .. } => "shutdown",
            Self::Linger { .. } => "linger",
            Self::Cork { .. } => "cork",
            Self::Nodelay { .. } => "nodelay",
            Self::ReceiveTimeout { .. } => "receive_timeout",
            Self::SoError { .. } => "so_error",
            Self::TcpState { .. } => "tcp_state",
            Self::Select { .. } => "select",
            Self::Read { .. } => "read",
            Self::Write { .. } => "write",
            Self::Pending { .. } => "pending",
            Self::FdCheck { .. } => "fd_check",
            Self::Sleep { .. } => "sleep",
            Self::Localtime {} => "localtime",
            Self::Mark { .. } => "mark",
            Self::Await { .. } => "await",
            Self::Inject { .. } => "inject",
        }
    }
}

/// One value out of a closed list, as the scenario file spells it.
pub type Choice = &'static [&'static str];

/// What kind of value a field takes in a scenario file, and how it becomes the JSON from which serde builds the [`Op`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// A socket variable: a string -> [`Slot`].
    Socket,
    /// A list of socket variables -> `Vec<Slot>`.
    Sockets,
    /// `"5ms"`, `"uniform(0ms, 20ms)"` -> [`Delay`].
    Delay,
    /// Any text.
    Text,
    /// A whole number within bounds (inclusive).
    Count {
        /// Smallest.
        low: u64,
        /// Largest.
        high: u64,
    },
    /// A probability, 0 to 1 (or `"1%"`) -> parts per million.
    Rate,
    /// `"ENOENT"` -> [`Errno`].
    Errno,
    /// A word of a closed list.
    Choice(Choice),
    /// A mark's name -> [`Mark`].
    Mark,
}

/// One field of an operation.
#[derive(Debug, Clone, Copy)]
pub struct FieldSchema {
    /// Key in the scenario file.
    pub name: &'static str,
    /// Key in the JSON form of [`Op`] (differs where the unit is in the key).
    pub wire: &'static str,
    /// What it takes.
    pub kind: FieldKind,
    /// Whether it must be given.
    pub required: bool,
    /// The socket or mark that it names is *defined* by this step (`connect`, `accept`, `mark`).
    pub defines: bool,
}

/// One operation of the scenario language.
#[derive(Debug, Clone, Copy)]
pub struct OpSchema {
    /// The value of `op`.
    pub name: &'static str,
    /// One line for `rig scenario show --operations` and for hints.
    pub about: &'static str,
    /// In the order in which the one-line form prints them.
    pub fields: &'static [FieldSchema],
}

const fn required(name: &'static str, kind: FieldKind) -> FieldSchema {
    FieldSchema { name, wire: name, kind, required: true, defines: false }
}

const fn optional(name: &'static str, kind: FieldKind) -> FieldSchema {
    FieldSchema { name, wire: name, kind, required: false, defines: false }
}

const fn defines(name: &'static str, kind: FieldKind) -> FieldSchema {
    FieldSchema { name, wire: name, kind, required: true, defines: true }
}

const SOCKET: FieldSchema = required("socket", FieldKind::Socket);

const SCHEMAS: &[OpSchema] = &[
    OpSchema {
        name: "connect",
        about: "make a TCP socket and connect it to the peer",
        fields: &[defines("socket", FieldKind::Socket)],
    },
    OpSchema {
        name: "accept",
        about: "accept a connection (first step of the peer lane)",
        fields: &[defines("socket", FieldKind::Socket)],
    },
    OpSchema {
        name: "close",
        about: "close the descriptor; the variable keeps its number",
        fields: &[SOCKET],
    },
    OpSchema {
        name: "shutdown",
        about: "shut down one or both directions",
        fields: &[SOCKET, required("how", FieldKind::Choice(&["read", "write", "both"]))],
    },
    OpSchema {
        name: "linger",
        about: "set SO_LINGER; with 0 seconds a close sends a RST",
        fields: &[SOCKET, required("seconds", FieldKind::Count { low: 0, high: 65_535 })],
    },
    OpSchema {
        name: "cork",
        about: "set TCP_CORK: a small write stays unsent for up to 200 ms",
        fields: &[SOCKET],
    },
    OpSchema { name: "nodelay", about: "set TCP_NODELAY: a small write leaves at once", fields: &[SOCKET] },
    OpSchema {
        name: "receive_timeout",
        about: "set SO_RCVTIMEO: a later read without data gives EAGAIN after this time; 0 is never",
        fields: &[SOCKET, required("for", FieldKind::Delay)],
    },
    OpSchema { name: "so_error", about: "read and clear SO_ERROR", fields: &[SOCKET] },
    OpSchema { name: "tcp_state", about: "read the state in TCP_INFO", fields: &[SOCKET] },
    OpSchema {
        name: "select",
        about: "select() on the given sets",
        fields: &[
            optional("read", FieldKind::Sockets),
            optional("write", FieldKind::Sockets),
            optional("except", FieldKind::Sockets),
            required("timeout", FieldKind::Delay),
            optional("call", FieldKind::Choice(&["select", "pselect6", "libc"])),
        ],
    },
    OpSchema {
        name: "read",
        about: "read once",
        fields: &[SOCKET, required("bytes", FieldKind::Count { low: 1, high: 65_536 })],
    },
    OpSchema { name: "write", about: "send once", fields: &[SOCKET, required("data", FieldKind::Text)] },
    OpSchema {
        name: "pending",
        about: "count the bytes that can still be read (SIOCINQ)",
        fields: &[SOCKET],
    },
    OpSchema { name: "fd_check", about: "fcntl(F_GETFD): is this a valid descriptor", fields: &[SOCKET] },
    OpSchema {
        name: "sleep",
        about: "sleep on CLOCK_MONOTONIC",
        fields: &[required("for", FieldKind::Delay)],
    },
    OpSchema { name: "localtime", about: "call libc's localtime(), as a log line does", fields: &[] },
    OpSchema {
        name: "mark",
        about: "let the lanes that await it go on",
        fields: &[defines("mark", FieldKind::Mark)],
    },
    OpSchema {
        name: "await",
        about: "wait for a mark of another lane of the same side",
        fields: &[required("mark", FieldKind::Mark), required("timeout", FieldKind::Delay)],
    },
    OpSchema {
        name: "inject",
        about: "make the next select return an errno in a known share of the trials (seccomp)",
        fields: &[
            required("errno", FieldKind::Errno),
            FieldSchema {
                name: "rate",
                wire: "rate_ppm",
                kind: FieldKind::Rate,
                required: true,
                defines: false,
            },
        ],
    },
];

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
    use serde_json::{Map, Value, json};

    use super::*;

    fn sample(kind: FieldKind) -> Value {
        match kind {
            FieldKind::Socket | FieldKind::Mark => json!(0),
            FieldKind::Sockets => json!([0, 1]),
            FieldKind::Delay => json!({"fixed": {"ns": 5}}),
            FieldKind::Text => json!("ABCD"),
            FieldKind::Count { low, .. } => json!(low),
            FieldKind::Rate => json!(10_000),
            FieldKind::Errno => json!(9),
            FieldKind::Choice(words) => json!(words[0]),
        }
    }

    #[test]
    fn every_schema_builds_the_operation_of_its_name() {
        for schema in schemas() {
            let mut object = Map::from_iter([("op".to_owned(), json!(schema.name))]);
            for field in schema.fields {
                object.insert(field.wire.to_owned(), sample(field.kind));
            }
            let op: Op = serde_json::from_value(Value::Object(object)).expect(schema.name);
            assert_eq!(op.name(), schema.name);
        }
    }

    #[test]
    fn every_word_of_a_choice_is_accepted_and_every_required_field_is_missed() {
        for schema in schemas() {
            let full: Map<String, Value> = std::iter::once(("op".to_owned(), json!(schema.name)))
                .chain(schema.fields.iter().map(|f| (f.wire.to_owned(), sample(f.kind))))
                .collect();
            for field in schema.fields {
                if let FieldKind::Choice(words) = field.kind {
                    for word in words {
                        let mut object = full.clone();
                        object.insert(field.wire.to_owned(), json!(word));
                        serde_json::from_value::<Op>(Value::Object(object)).expect(word);
                    }
                }
                let mut object = full.clone();
                object.remove(field.wire);
                let built = serde_json::from_value::<Op>(Value::Object(object));
                assert_eq!(built.is_err(), field.required, "{} without {}", schema.name, field.name);
            }
        }
    }
}
