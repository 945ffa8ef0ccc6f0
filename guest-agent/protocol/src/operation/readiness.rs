//! select(2), poll(2), epoll(7) and their doors.
//!
//! Holds rows of the table of operations; see `operation.rs` for what a row is. Must not know TOML, files or system calls.
//! Units: nanoseconds, bytes. Errors: none. Tests: in `operation.rs`, over every row.

macro_rules! readiness_rows {
    ([$next:ident $($later:ident)*] $($rows:tt)*) => { $next! { [$($later)*] $($rows)*
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

        /// select(2) as a careless program calls it: nothing is corrected.
        SelectRaw {
            /// Watched for reading.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            read: Vec<Slot> = sockets("read"),
            /// Watched for writing.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            write: Vec<Slot> = sockets("write"),
            /// Watched for exceptional conditions.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            except: Vec<Slot> = sockets("except"),
            /// Handed to the kernel as it is; without it the highest descriptor + 1.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            nfds: Option<i32> = optional_number("nfds", FieldKind::Number { low: -1_000_000, high: 1_048_576 }),
            /// `tv_sec`.
            #[serde(default)]
            seconds: i64 = FieldSchema::optional("seconds", FieldKind::Number { low: i64::MIN, high: i64::MAX }, "0"),
            /// `tv_usec`; pselect6 gets a thousand times as many nanoseconds.
            #[serde(default)]
            microseconds: i64 = FieldSchema::optional("microseconds", FieldKind::Number { low: i64::MIN, high: i64::MAX }, "0"),
            /// What is as the lane's last select left it, in place of what is given here; its first select has what is given.
            #[serde(default)]
            keep: Keep = choice("keep", Keep::WORDS, "nothing"),
            /// The door.
            #[serde(default)]
            call: Call = choice("call", Call::WORDS, "select"),
        } => {
            name: "select_raw",
            about: "select() with exactly this nfds and timeout, and what the last call left",
            system_call: "select(2), pselect6(2), or the C library's select(3)",
            wait: Wait::AtMost,
            labels: Labels::READINESS,
        }

        /// What select(2) has written into the timeout that it was given; Linux does, POSIX leaves it open. `ENODATA` before the lane's first
        /// select, and where that timeout is negative.
        Remaining {
        } => {
            name: "remaining",
            about: "the time that the lane's last select left in its timeout: `left=3999000`, in microseconds",
            system_call: "none",
            failure: FailureReport::Return,
            labels: Labels::REMAINING,
        }

        /// poll(2).
        Poll {
            /// Watched.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            sockets: Vec<Slot> = sockets("sockets"),
            /// What for; none is allowed: errors and hang-ups are always told.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            events: Vec<Event> = words("events", Event::POLLED),
            /// How long it waits.
            timeout: Delay = required("timeout", FieldKind::Delay),
            /// The door.
            #[serde(default)]
            call: PollCall = choice("call", PollCall::WORDS, "poll"),
        } => {
            name: "poll",
            about: "poll() on the given sockets",
            system_call: "poll(2), ppoll(2), or the C library's poll(3)",
            wait: Wait::AtMost,
            labels: Labels::POLL,
        }

        /// epoll_create1(2).
        EpollCreate {
            /// Gets the new descriptor.
            socket: Slot = NEW_SOCKET,
        } => {
            name: "epoll_create",
            about: "make an epoll instance",
            system_call: "epoll_create1(2)",
        }

        /// epoll_ctl(2): `ENOENT` for a descriptor that the instance does not have.
        EpollCtl {
            /// The instance.
            epoll: Slot = FieldSchema::required("epoll", FieldKind::Socket),
            /// Which.
            socket: Slot = SOCKET,
            /// What is done.
            how: EpollChange = required("how", FieldKind::Choice(EpollChange::WORDS)),
            /// What for; `edge` and `once` are EPOLLET and EPOLLONESHOT.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            events: Vec<Event> = words("events", Event::WORDS),
        } => {
            name: "epoll_ctl",
            about: "add, modify or delete a socket of an epoll instance",
            system_call: "epoll_ctl(2)",
        }

        /// epoll_wait(2).
        EpollWait {
            /// The instance.
            epoll: Slot = FieldSchema::required("epoll", FieldKind::Socket),
            /// How long it waits.
            timeout: Delay = required("timeout", FieldKind::Delay),
            /// The door.
            #[serde(default)]
            call: EpollCall = choice("call", EpollCall::WORDS, "epoll_wait"),
        } => {
            name: "epoll_wait",
            about: "wait for an epoll instance",
            system_call: "epoll_wait(2), epoll_pwait2(2), or the C library's epoll_wait(3)",
            wait: Wait::AtMost,
            labels: Labels::POLL,
        }
    } };
}
