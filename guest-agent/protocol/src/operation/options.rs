//! Socket options.
//!
//! Holds rows of the table of operations; see `operation.rs` for what a row is. Must not know TOML, files or system calls.
//! Units: nanoseconds, bytes. Errors: none. Tests: in `operation.rs`, over every row.

macro_rules! options_rows {
    ([$next:ident $($later:ident)*] $($rows:tt)*) => { $next! { [$($later)*] $($rows)*
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

        /// setsockopt `SO_SNDTIMEO`. socket(7).
        SendTimeout {
            /// Which.
            socket: Slot = SOCKET,
            /// How long a write waits; 0 is for ever.
            #[serde(rename = "for")]
            duration: Delay = required("for", FieldKind::Delay),
        } => {
            name: "send_timeout",
            about: "set SO_SNDTIMEO: a later write without room gives EAGAIN after this time; 0 is no limit",
            system_call: "setsockopt(2) `SO_SNDTIMEO`",
        }

        /// setsockopt `TCP_USER_TIMEOUT`. tcp(7), RFC 5482.
        UserTimeout {
            /// Which.
            socket: Slot = SOCKET,
            /// How long; in whole milliseconds.
            #[serde(rename = "for")]
            duration: Delay = required("for", FieldKind::Delay),
        } => {
            name: "user_timeout",
            about: "set TCP_USER_TIMEOUT: how long sent data may stay unacknowledged",
            system_call: "setsockopt(2) `TCP_USER_TIMEOUT`",
        }

        /// setsockopt(2) of an `int`: socket(7), tcp(7), ip(7).
        Option {
            /// Which.
            socket: Slot = SOCKET,
            /// Which.
            name: SocketOption = required("name", FieldKind::Choice(SocketOption::WORDS)),
            /// Its value, as the manual counts it.
            value: i32 = required("value", FieldKind::Number { low: i32::MIN as i64, high: i32::MAX as i64 }),
        } => {
            name: "option",
            about: "set a socket option to a number",
            system_call: "setsockopt(2)",
        }

        /// getsockopt(2) of an `int`.
        ReadOption {
            /// Which.
            socket: Slot = SOCKET,
            /// Which.
            name: SocketOption = required("name", FieldKind::Choice(SocketOption::WORDS)),
        } => {
            name: "read_option",
            about: "read a socket option: the label is `value=1`",
            system_call: "getsockopt(2)",
            labels: Labels::VALUE,
        }
    } };
}
