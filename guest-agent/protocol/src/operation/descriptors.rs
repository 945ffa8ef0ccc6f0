//! Numbers and the descriptor table.
//!
//! Holds rows of the table of operations; see `operation.rs` for what a row is. Must not know TOML, files or system calls.
//! Units: nanoseconds, bytes. Errors: none. Tests: in `operation.rs`, over every row.

macro_rules! descriptors_rows {
    ([$next:ident $($later:ident)*] $($rows:tt)*) => { $next! { [$($later)*] $($rows)*
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

        /// dup(2): two numbers of one open socket. A close of one sends nothing.
        Dup {
            /// Gets the new descriptor.
            socket: Slot = NEW_SOCKET,
            /// Of which.
            of: Slot = FieldSchema::required("of", FieldKind::Socket),
            /// The number that it shall have, as dup2(2) gives it; without it the lowest that is free.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            descriptor: Option<i32> = optional_number("descriptor", DESCRIPTOR),
        } => {
            name: "dup",
            about: "duplicate a descriptor",
            system_call: "fcntl(2) `F_DUPFD`, or dup3(2) to a number",
        }

        /// A number in place of a descriptor, as a program has it that kept one too long.
        Number {
            /// Gets the number.
            socket: Slot = NEW_SOCKET,
            /// The number.
            descriptor: i32 = required("descriptor", DESCRIPTOR),
        } => {
            name: "number",
            about: "name a number that nothing has opened",
            system_call: "none",
            failure: FailureReport::Return,
        }

        /// fcntl(2).
        SetNonblock {
            /// Which.
            socket: Slot = SOCKET,
        } => {
            name: "set_nonblock",
            about: "make the socket non-blocking",
            system_call: "fcntl(2) `F_SETFL` with `O_NONBLOCK`",
        }

        /// open(2) `O_PATH`: a descriptor that is open and that no file operation takes. select(2) calls it ready, a read gives `EBADF`.
        OpenPath {
            /// Gets the new descriptor.
            socket: Slot = NEW_SOCKET,
        } => {
            name: "open_path",
            about: "open a folder with O_PATH",
            system_call: "open(2) with `O_PATH`",
        }

        /// unix(7) `SCM_RIGHTS` over a pair of sockets.
        Pass {
            /// Gets the new descriptor.
            socket: Slot = NEW_SOCKET,
            /// Which.
            of: Slot = FieldSchema::required("of", FieldKind::Socket),
        } => {
            name: "pass",
            about: "send a descriptor to the own process, and receive it as a new one",
            system_call: "sendmsg(2), recvmsg(2) with `SCM_RIGHTS`",
        }

        /// fork(2): the connection stays open until the child ends too. Sockets of a script have `O_CLOEXEC`.
        Fork {
            /// How long the child lives.
            #[serde(rename = "for")]
            duration: Delay = required("for", FieldKind::Delay),
            /// Whether it executes a program: descriptors with O_CLOEXEC are closed by that.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            exec: bool = flag("exec"),
        } => {
            name: "fork",
            about: "a child process that has all descriptors for a time",
            system_call: "fork(2), and execve(2) where `exec`",
        }
    } };
}
