//! io_uring(7).
//!
//! Holds rows of the table of operations; see `operation.rs` for what a row is. Must not know TOML, files or system calls.
//! Units: nanoseconds, bytes. Errors: none. Tests: in `operation.rs`, over every row.

macro_rules! uring_rows {
    ([$next:ident $($later:ident)*] $($rows:tt)*) => { $next! { [$($later)*] $($rows)*
        /// io_uring_setup(2) with 32 entries, its queues mapped. The ring is of the lane that makes it: in another one its steps are `EBADF`.
        UringSetup {
            /// Gets the new descriptor.
            ring: Slot = FieldSchema::defining("ring", FieldKind::Socket),
        } => {
            name: "uring_setup",
            about: "make an io_uring of this lane",
            system_call: "io_uring_setup(2)",
            failure: FailureReport::Return,
        }

        /// io_uring_prep_poll_add(3), io_uring_prep_poll_multishot(3).
        UringPoll {
            /// The ring.
            ring: Slot = FieldSchema::required("ring", FieldKind::Socket),
            /// Which.
            socket: Slot = SOCKET,
            /// What for.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            events: Vec<Event> = words("events", Event::POLLED),
            /// Whether it stays after its first completion.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            multishot: bool = flag("multishot"),
            /// The request's number (`user_data`).
            id: u32 = required("id", FieldKind::Count { low: 1, high: 1_000_000 }),
        } => {
            name: "uring_poll",
            about: "submit a poll request",
            system_call: "io_uring_enter(2) `IORING_OP_POLL_ADD`",
            failure: FailureReport::Return,
        }

        /// io_uring_prep_poll_update(3); the return is the result of its own completion.
        UringUpdate {
            /// The ring.
            ring: Slot = FieldSchema::required("ring", FieldKind::Socket),
            /// The request's number (`user_data`).
            id: u32 = required("id", FieldKind::Count { low: 1, high: 1_000_000 }),
            /// What for from now on.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            events: Vec<Event> = words("events", Event::POLLED),
        } => {
            name: "uring_update",
            about: "change a poll request: ENOENT where it is complete already",
            system_call: "io_uring_enter(2) `IORING_OP_POLL_REMOVE` with `IORING_POLL_UPDATE_EVENTS`",
            failure: FailureReport::Return,
            follow_up: true,
        }

        /// io_uring_prep_poll_remove(3); the return is the result of its own completion.
        UringRemove {
            /// The ring.
            ring: Slot = FieldSchema::required("ring", FieldKind::Socket),
            /// The request's number (`user_data`).
            id: u32 = required("id", FieldKind::Count { low: 1, high: 1_000_000 }),
        } => {
            name: "uring_remove",
            about: "remove a poll request: ENOENT where it is complete already",
            system_call: "io_uring_enter(2) `IORING_OP_POLL_REMOVE`",
            failure: FailureReport::Return,
            follow_up: true,
        }

        /// io_uring_prep_cancel64(3); the return is the result of its own completion.
        UringCancel {
            /// The ring.
            ring: Slot = FieldSchema::required("ring", FieldKind::Socket),
            /// The request's number (`user_data`).
            id: u32 = required("id", FieldKind::Count { low: 1, high: 1_000_000 }),
        } => {
            name: "uring_cancel",
            about: "cancel a request: ENOENT where it is complete already",
            system_call: "io_uring_enter(2) `IORING_OP_ASYNC_CANCEL`",
            failure: FailureReport::Return,
            follow_up: true,
        }

        /// io_uring_prep_recv(3).
        UringReceive {
            /// The ring.
            ring: Slot = FieldSchema::required("ring", FieldKind::Socket),
            /// Which.
            socket: Slot = SOCKET,
            /// Size of the buffer.
            bytes: u32 = required("bytes", FieldKind::Count { low: 1, high: 65_536 }),
            /// The request's number (`user_data`).
            id: u32 = required("id", FieldKind::Count { low: 1, high: 1_000_000 }),
        } => {
            name: "uring_receive",
            about: "submit a receive request",
            system_call: "io_uring_enter(2) `IORING_OP_RECV`",
            failure: FailureReport::Return,
        }

        /// io_uring_wait_cqe_timeout(3): the return is the `res` of the completion whose `user_data` is `id`; others are kept for later waits.
        UringWait {
            /// The ring.
            ring: Slot = FieldSchema::required("ring", FieldKind::Socket),
            /// The request's number (`user_data`).
            id: u32 = required("id", FieldKind::Count { low: 1, high: 1_000_000 }),
            /// How long it waits; then `ETIME`.
            timeout: Delay = required("timeout", FieldKind::Delay),
        } => {
            name: "uring_wait",
            about: "wait for the completion of a request: its bits, or the bytes that it received",
            system_call: "io_uring_enter(2) `IORING_ENTER_GETEVENTS`",
            failure: FailureReport::Return,
            wait: Wait::AtMost,
            labels: Labels::COMPLETION,
        }
    } };
}
