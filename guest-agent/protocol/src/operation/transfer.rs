//! Moving bytes, and counting those that wait.
//!
//! Holds rows of the table of operations; see `operation.rs` for what a row is. Must not know TOML, files or system calls.
//! Units: nanoseconds, bytes. Errors: none. Tests: in `operation.rs`, over every row.

macro_rules! transfer_rows {
    ([$next:ident $($later:ident)*] $($rows:tt)*) => { $next! { [$($later)*] $($rows)*
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

        /// recv(2), once.
        Receive {
            /// Which.
            socket: Slot = SOCKET,
            /// Size of the buffer.
            bytes: u32 = required("bytes", FieldKind::Count { low: 1, high: 65_536 }),
            /// Flags.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            flags: Vec<ReceiveFlag> = words("flags", ReceiveFlag::WORDS),
        } => {
            name: "receive",
            about: "recv() with flags, once",
            system_call: "recv(2)",
            labels: Labels::BYTES,
            follow_up: true,
        }

        /// send(2), once: either these bytes, or so many of no meaning.
        Send {
            /// Which.
            socket: Slot = SOCKET,
            /// What.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            data: Option<String> = FieldSchema::either("data", FieldKind::Text, "bytes"),
            /// How many, at most [`Op::MOST_BYTES_SENT`].
            #[serde(default, skip_serializing_if = "Option::is_none")]
            bytes: Option<u32> = FieldSchema::either("bytes", SENT, "data"),
            /// Flags; without `signal` MSG_NOSIGNAL is among them.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            flags: Vec<SendFlag> = words("flags", SendFlag::WORDS),
        } => {
            name: "send",
            about: "send() with flags, once: a text, or a number of bytes",
            system_call: "send(2)",
            labels: Labels::SENT,
            follow_up: true,
        }

        /// sendfile(2), once, from a file in memory (memfd_create(2)) that has so many zero bytes.
        Sendfile {
            /// Which.
            socket: Slot = SOCKET,
            /// How many, at most [`Op::MOST_BYTES_SENT`].
            bytes: Payload = required("bytes", SENT),
        } => {
            name: "sendfile",
            about: "send so many bytes of a file",
            system_call: "sendfile(2)",
            labels: Labels::SENT,
            follow_up: true,
        }

        /// splice(2), once, into a pipe of the step's own.
        Splice {
            /// Which.
            socket: Slot = SOCKET,
            /// How many at most.
            bytes: u32 = required("bytes", FieldKind::Count { low: 1, high: 65_536 }),
        } => {
            name: "splice",
            about: "move bytes from the socket into a pipe",
            system_call: "splice(2)",
            labels: Labels::BYTES,
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

        /// ioctl `SIOCOUTQ`. tcp(7).
        Unsent {
            /// Which.
            socket: Slot = SOCKET,
        } => {
            name: "unsent",
            about: "count the bytes that are written and not acknowledged (SIOCOUTQ): the label is `unsent=4`",
            system_call: "ioctl(2) `SIOCOUTQ`",
            labels: Labels::UNSENT_BYTES,
        }
    } };
}
