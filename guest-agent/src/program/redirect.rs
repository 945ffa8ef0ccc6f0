//! Leading a program's connect() to the peer.
//!
//! Holds the rule and the address that stands in for the program's. Must not know tracers. Units: none.
//! Errors: none; a destination that the rule does not name, or that cannot be written as the peer's, stays as it is.
//! Tests: below, and `tests/program`.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rig_protocol::Redirect;

use crate::sys::remote::{self, Borrowed};
use crate::sys::socket::KernelAddress;

/// Where connects of a block's trials are led.
#[derive(Debug)]
pub(crate) struct Guide {
    /// The peer.
    peer: SocketAddr,
    /// Only those to one of these; `None`: all.
    only: Option<Vec<SocketAddr>>,
}

impl Guide {
    /// Where the rule leads anything anywhere.
    pub(crate) fn of(rule: &Redirect, peer: Option<SocketAddr>) -> Result<Option<Self>, String> {
        let (Some(peer), only) = (peer, rule) else { return Ok(None) };
        let only = match only {
            Redirect::None => return Ok(None),
            Redirect::All => None,
            Redirect::Only(addresses) => {
                Some(addresses.iter().map(|text| destination(text)).collect::<Result<_, _>>()?)
            }
        };
        Ok(Some(Self { peer, only }))
    }

    /// The address in place of `to`, in the program's own form of address; `listeners` are those of the trial itself.
    pub(crate) fn lead(&self, to: &KernelAddress, listeners: &Listeners) -> Option<KernelAddress> {
        let wanted = plain(to.address());
        if wanted == plain(self.peer) {
            return None;
        }
        let named = match &self.only {
            Some(only) => only.contains(&wanted),
            None => !listeners.have(wanted),
        };
        if !named {
            return None;
        }
        let peer = match (to.address(), self.peer) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            (SocketAddr::V4(_), SocketAddr::V6(_)) => return None,
            (_, peer) => peer,
        };
        Some(KernelAddress::of(peer))
    }
}

/// An address of a rule.
pub(crate) fn destination(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map(plain)
        .map_err(|_| format!("redirect: {text:?} is no address:port (names are not resolved here)"))
}

/// An IPv4 address in IPv6's clothes is what it is.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Where the processes of one trial listen.
#[derive(Debug, Default)]
pub(crate) struct Listeners(BTreeSet<SocketAddr>);

impl Listeners {
    /// One of them listens here.
    pub(crate) fn add(&mut self, address: SocketAddr) {
        self.0.insert(plain(address));
    }

    /// Those of these processes, which are looked at now: for a witness that does not see listen(2).
    pub(crate) fn of_processes(processes: impl Iterator<Item = i32>) -> Self {
        let mut listeners = Self::default();
        let sockets = processes.flat_map(|process| {
            sockets_of(process).into_iter().filter_map(move |fd| remote::borrow(process, fd))
        });
        let addresses = sockets.filter(Borrowed::listens).filter_map(|socket| socket.local_address());
        addresses.for_each(|address| listeners.add(address.address()));
        listeners
    }

    fn have(&self, to: SocketAddr) -> bool {
        self.0.iter().any(|one| one.port() == to.port() && (one.ip() == to.ip() || one.ip().is_unspecified()))
    }
}

/// The sockets that a process has.
fn sockets_of(process: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{process}/fd")) else { return Vec::new() };
    let is_socket = |path: &Path| {
        fs::read_link(path).is_ok_and(|link| link.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
    };
    let sockets = entries.flatten().filter(|entry| is_socket(&entry.path()));
    sockets.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> KernelAddress {
        KernelAddress::of(text.parse().expect(text))
    }

    fn led(rule: &Redirect, peer: &str, to: &str, listeners: &Listeners) -> Option<String> {
        let guide = Guide::of(rule, Some(peer.parse().expect(peer))).expect("a rule").expect("a guide");
        guide.lead(&address(to), listeners).map(|led| led.address().to_string())
    }

    #[test]
    fn a_rule_leads_what_it_names_and_leaves_the_programs_own_servers_alone() {
        let mut own = Listeners::default();
        own.add("0.0.0.0:8083".parse().expect("an address"));
        let to = |rule: &Redirect, to| led(rule, "192.0.2.1:9", to, &own);
        assert_eq!(to(&Redirect::All, "127.0.0.1:80").as_deref(), Some("192.0.2.1:9"));
        assert_eq!(to(&Redirect::All, "127.0.0.1:8083"), None);
        assert_eq!(to(&Redirect::All, "192.0.2.1:9"), None, "it is there already");
        assert_eq!(to(&Redirect::All, "[::1]:80").as_deref(), Some("[::ffff:192.0.2.1]:9"));
        let only = Redirect::Only(vec!["127.0.0.1:80".to_owned()]);
        assert_eq!(to(&only, "127.0.0.1:81"), None);
        assert_eq!(to(&only, "[::ffff:127.0.0.1]:80").as_deref(), Some("[::ffff:192.0.2.1]:9"));
        assert_eq!(led(&Redirect::All, "[::1]:9", "127.0.0.1:80", &own), None);
        assert!(
            Guide::of(&Redirect::None, Some("127.0.0.1:9".parse().expect("one"))).expect("a rule").is_none()
        );
        assert!(
            Guide::of(&Redirect::Only(vec!["host:80".into()]), Some("127.0.0.1:9".parse().expect("one")))
                .is_err()
        );
    }

    #[test]
    fn the_kernel_says_where_this_process_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
        let own = Listeners::of_processes([std::process::id() as i32].into_iter());
        assert!(own.have(listener.local_addr().expect("bound")));
        assert!(!own.have("127.0.0.1:1".parse().expect("an address")));
    }
}
