//! The descriptors of a program's processes, as far as they are sockets or sets of interest.
//!
//! Holds one table per group of processes that share one; it follows the calls that make, copy and close descriptors. Must not ask the kernel.
//! Units: none. Errors: none; a descriptor that came another way (over a socket, from before) is not known. Tests: below.

use std::collections::{BTreeMap, BTreeSet};

/// What is known of a descriptor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Whether it is a TCP socket.
    pub(crate) tcp: bool,
    /// Whether it is any socket.
    pub(crate) socket: bool,
    /// Its connection's number.
    pub(crate) connection: Option<u32>,
    /// Whether an exec closes it.
    closes_at_exec: bool,
    /// Of a set of interest (epoll(7)): the descriptors in it.
    pub(crate) interest: Vec<i32>,
}

impl Held {
    /// A socket made with these arguments of socket(2).
    pub(crate) fn socket(family: u64, kind: u64, protocol: u64) -> Self {
        let inet = [libc::AF_INET, libc::AF_INET6].contains(&(family as i32));
        let stream = kind as i32 & 0xf == libc::SOCK_STREAM;
        let usual = [0, libc::IPPROTO_TCP].contains(&(protocol as i32));
        let closes_at_exec = kind as i32 & libc::SOCK_CLOEXEC != 0;
        Self { tcp: inet && stream && usual, socket: true, closes_at_exec, ..Self::default() }
    }

    /// What accept(2) gave.
    pub(crate) fn accepted(connection: Option<u32>, flags: u64) -> Self {
        let closes_at_exec = flags as i32 & libc::SOCK_CLOEXEC != 0;
        Self { tcp: connection.is_some(), socket: true, connection, closes_at_exec, ..Self::default() }
    }

    /// A set of interest.
    pub(crate) fn set_of_interest(flags: u64) -> Self {
        Self { closes_at_exec: flags as i32 & libc::EPOLL_CLOEXEC != 0, ..Self::default() }
    }
}

/// A descriptor table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Descriptors {
    open: BTreeMap<i32, Held>,
    /// Numbers that were a socket's, are closed, and nobody's since.
    former: BTreeSet<i32>,
}

impl Descriptors {
    /// No table is remembered beyond so many sockets: a program that opens without end must not fill the agent's memory.
    const MOST: usize = 1 << 14;

    /// What is known of it.
    pub(crate) fn get(&self, fd: i32) -> Option<&Held> {
        self.open.get(&fd)
    }

    /// To note something of it.
    pub(crate) fn get_mut(&mut self, fd: i32) -> Option<&mut Held> {
        self.open.get_mut(&fd)
    }

    /// It is this connection's from now on.
    pub(crate) fn connect(&mut self, fd: i32, connection: Option<u32>) {
        if let Some(held) = self.open.get_mut(&fd) {
            held.connection = connection;
        }
    }

    /// A new one, in place of whatever had its number.
    pub(crate) fn open(&mut self, fd: i64, held: Held) {
        if let Ok(fd) = i32::try_from(fd)
            && fd >= 0
            && self.open.len() < Self::MOST
        {
            self.former.remove(&fd);
            self.open.insert(fd, held);
        }
    }

    /// It is a file's from now on.
    pub(crate) fn open_file(&mut self, fd: i64) {
        if let Ok(fd) = i32::try_from(fd) {
            self.former.remove(&fd);
        }
    }

    /// Whether it is a socket, or the closed number of one.
    pub(crate) fn is_or_was_socket(&self, fd: i32) -> bool {
        self.former.contains(&fd) || self.get(fd).is_some_and(|held| held.socket)
    }

    /// A copy of `fd` under another number.
    pub(crate) fn copy(&mut self, fd: i32, to: i64, closes_at_exec: bool) {
        match self.open.get(&fd).cloned() {
            Some(held) => self.open(to, Held { closes_at_exec, ..held }),
            None => drop(i32::try_from(to).map(|to| self.open.remove(&to))),
        }
    }

    /// close(2), close_range(2).
    pub(crate) fn close(&mut self, first: u64, last: u64) {
        let former = &mut self.former;
        self.open.retain(|fd, held| {
            let closed = (first..=last).contains(&(*fd as u64));
            if closed && held.socket && former.len() < Self::MOST {
                former.insert(*fd);
            }
            !closed
        });
    }

    /// fcntl(2) `F_SETFD`, close_range(2) with `CLOSE_RANGE_CLOEXEC`.
    pub(crate) fn mark(&mut self, first: u64, last: u64, closes_at_exec: bool) {
        let named = self.open.iter_mut().filter(|(fd, _)| (first..=last).contains(&(**fd as u64)));
        named.for_each(|(_, held)| held.closes_at_exec = closes_at_exec);
    }

    /// execve(2).
    pub(crate) fn execute(&mut self) {
        self.open.retain(|_, held| !held.closes_at_exec);
    }

    /// The first TCP socket of a list.
    pub(crate) fn first_tcp(&self, fds: impl IntoIterator<Item = i32>) -> Option<i32> {
        fds.into_iter().find(|fd| self.get(*fd).is_some_and(|held| held.tcp))
    }

    /// As people name it: its connection, or its number.
    pub(crate) fn name(&self, fd: i32) -> String {
        match self.get(fd).and_then(|held| held.connection) {
            Some(connection) => format!("{{conn{connection}}}"),
            None => format!("fd {fd}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_socket_s_number_is_known_until_somebody_else_has_it() {
        let mut table = Descriptors::default();
        table.open(3, Held::socket(libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0));
        table.close(3, 3);
        assert!(table.is_or_was_socket(3) && !table.is_or_was_socket(4));
        table.open_file(3);
        assert!(!table.is_or_was_socket(3));
    }

    #[test]
    fn copies_keep_their_connection_and_an_exec_closes_what_it_should() {
        let mut table = Descriptors::default();
        let kind = (libc::SOCK_STREAM | libc::SOCK_CLOEXEC) as u64;
        table.open(3, Held::socket(libc::AF_INET as u64, kind, 0));
        table.connect(3, Some(1));
        table.copy(3, 7, false);
        assert_eq!((table.name(7), table.name(8)), ("{conn1}".to_owned(), "fd 8".to_owned()));
        table.execute();
        assert_eq!((table.first_tcp([3, 7]), table.get(3)), (Some(7), None));
        table.copy(9, 7, false);
        assert_eq!(table.get(7), None, "dup2 over it");
        table.open(4, Held::socket(libc::AF_UNIX as u64, kind, 0));
        assert!(table.get(4).is_some_and(|held| held.socket && !held.tcp));
        table.close(4, u64::from(u32::MAX));
        assert_eq!(table.get(4), None);
    }
}
