//! A client that rig did not write, at the place of rig's own: the kernel tells netcat of a reset as it tells the agent, with no ENOENT or EBADF.
//!
//! Root, namespaces of our own; strace reads what netcat's calls return. Must not know netcat's messages.

use std::io::Read as _;
use std::net::{SocketAddr, SocketAddrV4, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use nix::sys::socket::{setsockopt, sockopt};
use rig::path::{Addressing, Mechanisms, TargetLink};
use rig::testbed::Testbed;

use super::play::{RESET_AT_ONCE, play, skipped};
use super::{all, plain, tools};

/// A hang is a failure; nothing here is timed.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn netcat_is_told_of_a_reset_as_the_agent_is() {
    if skipped("a foreign client") {
        return;
    }
    let (Some(strace), Some(netcat)) = (tools::needs("strace"), tools::needs("nc.openbsd")) else { return };
    let played = play(&plain(), RESET_AT_ONCE, 10);
    all(&played, "readable,ECONNRESET");

    let Addressing { target, peer, .. } = Addressing::default();
    let testbed = Testbed::build(&plain(), Addressing::default(), TargetLink::Veth, &Mechanisms::all(), 1)
        .expect("a testbed");
    let listen = || TcpListener::bind(SocketAddrV4::new(peer, 0)).expect("a free port");
    let listener = testbed.peer().run(listen).expect("the namespace is there");
    let port = listener.local_addr().expect("it is bound").port();
    let server = thread::spawn(move || {
        let (mut stream, from) = listener.accept().expect("netcat connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream.read_exact(&mut [0; 4]).expect("netcat's question");
        // close(2) resets the connection then (SO_LINGER of socket(7)).
        setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).expect("an option");
        from
    });
    let folder = tempfile::tempdir().expect("a folder");
    let [trace, question] = ["trace", "question"].map(|name| folder.path().join(name));
    fs::write(&question, "ABCD").expect("a file");
    let mut client = Command::new(strace);
    client.args(["-qq", "-e", "trace=poll,read", "-o"]).arg(&trace).arg(netcat);
    // Without -N netcat's question ends nothing: it waits for the answer.
    client.args(["-w", "60", &peer.to_string(), &port.to_string()]);
    client
        .stdin(fs::File::open(&question).expect("it was written"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    testbed.target().run(|| client.status()).expect("the namespace is there").expect("strace starts");
    let SocketAddr::V4(from) = server.join().expect("it has reset netcat") else { panic!("IPv4") };
    assert_eq!(*from.ip(), target);

    let seen = fs::read_to_string(trace).expect("strace has written");
    let calls: Vec<&str> = seen.lines().collect();
    // poll(2) of the kernel says what select(2) told the agent: there is something to read, and it is an error.
    let told = |call: &&&str| call.starts_with("poll(") && call.contains("revents=POLLIN|POLLERR|POLLHUP");
    let reset = calls.iter().filter(told).count();
    assert_eq!(reset, 1, "netcat is told of the reset once:\n{seen}");
    let afterwards: Vec<&&str> = calls.iter().skip_while(|call| !told(call)).skip(1).collect();
    let failed: Vec<&&&str> = afterwards.iter().filter(|call| call.contains("= -1 E")).collect();
    assert!(!failed.is_empty(), "netcat notices:\n{seen}");
    for call in failed {
        // Netcat 1.219 puts -1 in the descriptor's place when poll says POLLERR, and reads from that: this EBADF is its own, not the kernel's word on the
        // connection, whose descriptor is still open.
        let of_its_own = call.starts_with("read(-1,") && call.contains("= -1 EBADF");
        assert!(of_its_own || call.contains("= -1 ECONNRESET"), "{call}:\n{seen}");
    }
}
