//! Opening, connecting, listening, accepting, closing.
//!
//! Holds rows of the table of operations; see `operation.rs` for what a row is. Must not know TOML, files or system calls.
//! Units: nanoseconds, bytes. Errors: none. Tests: in `operation.rs`, over every row.

macro_rules! sockets_rows {
    ([$next:ident $($later:ident)*] $($rows:tt)*) => { $next! { [$($later)*] $($rows)*
        /// socket(2) and connect(2), blocking unless `nonblock`. The slot is filled before connect(2) begins, so that another lane can name it. tcp(7).
        Connect {
            /// Gets the new descriptor.
            socket: Slot = NEW_SOCKET,
            /// Whom it calls.
            #[serde(default, skip_serializing_if = "Callee::is_server")]
            to: Callee = choice("to", Callee::WORDS, "server"),
            /// Whether the socket is non-blocking: connect(2) then returns `EINPROGRESS`, and select(2) tells when it has ended.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            nonblock: bool = flag("nonblock"),
            /// The number that it shall have, as dup2(2) gives it; without it the lowest that is free.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            descriptor: Option<i32> = optional_number("descriptor", DESCRIPTOR),
            /// The socket's address family.
            #[serde(default, skip_serializing_if = "Family::is_path")]
            family: Family = choice("family", Family::WORDS, "path"),
        } => {
            name: "connect",
            about: "make a TCP socket, or a vsock stream's, and connect it to the other end",
            system_call: "socket(2), connect(2)",
        }

        /// connect(2) on a socket that a step has opened: EALREADY, EISCONN, ECONNABORTED and their kin.
        ConnectSocket {
            /// Which.
            socket: Slot = SOCKET,
            /// Whom it calls.
            #[serde(default, skip_serializing_if = "Callee::is_server")]
            to: Callee = choice("to", Callee::WORDS, "server"),
        } => {
            name: "connect_socket",
            about: "connect a socket that is there already: one of `socket`, or a second time",
            system_call: "connect(2)",
            labels: Labels::OK,
            follow_up: true,
        }

        /// socket(2). select(2) calls it writable, with a hang-up.
        Socket {
            /// Gets the new descriptor.
            socket: Slot = NEW_SOCKET,
            /// Whether it is non-blocking.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            nonblock: bool = flag("nonblock"),
            /// The number that it shall have, as dup2(2) gives it; without it the lowest that is free.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            descriptor: Option<i32> = optional_number("descriptor", DESCRIPTOR),
        } => {
            name: "socket",
            about: "make a TCP socket that is not connected",
            system_call: "socket(2)",
        }

        /// bind(2): to the address that the trial's first connection has at this end, or to every one where there was none.
        Bind {
            /// Which.
            socket: Slot = SOCKET,
            /// The port.
            port: u16 = required("port", FieldKind::Count { low: 0, high: 65_535 }),
        } => {
            name: "bind",
            about: "give the socket a port; 0 is any free one",
            system_call: "bind(2)",
        }

        /// socket(2), bind(2), listen(2) at a port that belongs to this trial alone: both ends compute it from the port of the trial's first connection, so that has to be there.
        Listen {
            /// Gets the new descriptor.
            socket: Slot = NEW_SOCKET,
            /// As listen(2) takes it: Linux queues one connection more.
            backlog: u32 = required("backlog", FieldKind::Count { low: 0, high: 65_535 }),
        } => {
            name: "listen",
            about: "make a listening socket of this trial's own; `connect` with to = \"listener\" calls it",
            system_call: "socket(2), bind(2), listen(2)",
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

        /// accept4(2) on a socket that a `listen` of the same lane's side made.
        AcceptFrom {
            /// Gets the new descriptor.
            socket: Slot = NEW_SOCKET,
            /// Which `listen` made it.
            listener: Slot = FieldSchema::required("listener", FieldKind::Socket),
            /// Whether an empty queue gives `EAGAIN` at once.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            nonblock: bool = flag("nonblock"),
        } => {
            name: "accept_from",
            about: "accept a connection from a listening socket of this trial",
            system_call: "accept4(2)",
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

        /// A `SOCK_DESTROY` request of sock_diag(7) for the socket's addresses: the kernel aborts the connection with `ECONNABORTED` and sends a RST.
        Destroy {
            /// Which.
            socket: Slot = SOCKET,
        } => {
            name: "destroy",
            about: "end the connection from outside, as `ss -K` does",
            system_call: "netlink(7) `SOCK_DESTROY`",
        }
    } };
}
