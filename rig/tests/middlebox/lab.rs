//! Three namespaces of our own in a row: target, middlebox, peer. Used by the tests and by the benchmark.
//!
//! They live as long as the descriptors do: nothing is left behind, whatever ends the process.
//! Must not know what is tested. Addresses: 192.0.2.0/24 and 2001:db8::/64, in these namespaces only.
//! Errors: panics, as a test does. Root only.

use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};
use rig::middlebox::{Handle, Middlebox, MiddleboxSpec};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A network namespace that a descriptor holds.
pub(crate) struct Namespace(File);

impl Namespace {
    /// A new one, with its loopback up.
    pub(crate) fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("root may unshare");
            File::open("/proc/thread-self/ns/net").expect("its own namespace")
        });
        let namespace = Self(made.join().expect("no panic"));
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs on a thread inside.
    pub(crate) fn run<T: Send>(&self, what: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).expect("root may enter");
                what()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs `ip` inside.
    pub(crate) fn ip(&self, arguments: &str) {
        let output = self
            .run(|| Command::new("ip").args(arguments.split_whitespace()).output())
            .expect("iproute2 is installed");
        assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A path that names it, for `ip link ... netns`.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// A counter of /proc/net/netstat, such as `TCPChallengeACK`.
    pub(crate) fn netstat(&self, name: &str) -> u64 {
        let text = self.run(|| fs::read_to_string("/proc/thread-self/net/netstat")).expect("procfs");
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("TcpExt:")).collect();
        let at = lines[0].split(' ').position(|word| word == name).expect("a known counter");
        lines[1].split(' ').nth(at).expect("as many values as names").parse().expect("a number")
    }

    /// Frames that an interface has received.
    pub(crate) fn received(&self, interface: &str) -> u64 {
        self.device(interface)[1]
    }

    /// Their bytes.
    pub(crate) fn received_bytes(&self, interface: &str) -> u64 {
        self.device(interface)[0]
    }

    /// An interface's line of /proc/net/dev.
    fn device(&self, interface: &str) -> Vec<u64> {
        let text = self.run(|| fs::read_to_string("/proc/thread-self/net/dev")).expect("procfs");
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(&format!("{interface}:")))
            .expect("a known interface");
        line.split_whitespace().map(|word| word.parse().expect("a number")).collect()
    }

    /// What `ip` says of an interface (sysfs would need a mount of its own).
    pub(crate) fn show(&self, interface: &str) -> String {
        let output = self
            .run(|| Command::new("ip").args(["-d", "link", "show", interface]).output())
            .expect("iproute2 is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Target and peer with a namespace between them, whose ports are `toward-target` and `toward-peer`.
pub(crate) struct Lab {
    pub target: Namespace,
    pub between: Namespace,
    pub peer: Namespace,
}

/// Port A of the namespace between.
pub(crate) const TARGET_PORT: &str = "toward-target";
/// Port B.
pub(crate) const PEER_PORT: &str = "toward-peer";

/// Family of a test's addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    /// The target's address.
    pub(crate) fn target(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::from([192, 0, 2, 2]),
            Self::V6 => "2001:db8::2".parse().expect("an address"),
        }
    }

    /// The peer's.
    pub(crate) fn peer(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::from([192, 0, 2, 1]),
            Self::V6 => "2001:db8::1".parse().expect("an address"),
        }
    }
}

impl Lab {
    /// Without anything between the ports yet.
    pub(crate) fn new() -> Self {
        let lab = Self { target: Namespace::new(), between: Namespace::new(), peer: Namespace::new() };
        for (end, port, host, mac) in [
            (&lab.target, TARGET_PORT, 2, "02:00:00:00:00:02"),
            (&lab.peer, PEER_PORT, 1, "02:00:00:00:00:01"),
        ] {
            let path = end.path();
            lab.between.ip(&format!("link add {port} type veth peer name wire netns {path}"));
            // The box's kernel itself has nothing to say here.
            lab.between.ip(&format!("link set {port} addrgenmode none"));
            lab.between.ip(&format!("link set {port} up"));
            end.ip(&format!("link set wire address {mac}"));
            end.ip("link set wire up");
            end.ip(&format!("addr add 192.0.2.{host}/24 dev wire"));
            end.ip(&format!("addr add 2001:db8::{host}/64 dev wire nodad"));
        }
        lab
    }

    /// Both ends know each other's link address, so that no ARP is needed.
    pub(crate) fn make_neighbours(&self) {
        for family in [Family::V4, Family::V6] {
            self.target.ip(&format!(
                "neigh replace {} lladdr 02:00:00:00:00:01 dev wire nud permanent",
                family.peer()
            ));
            self.peer.ip(&format!(
                "neigh replace {} lladdr 02:00:00:00:00:02 dev wire nud permanent",
                family.target()
            ));
        }
    }

    /// Starts a middlebox between the ports.
    pub(crate) fn start(&self, spec: MiddleboxSpec) -> Handle {
        self.between.run(|| Middlebox::start(spec, TARGET_PORT, PEER_PORT)).expect("a middlebox starts")
    }

    /// A kernel bridge between the ports, to compare with.
    pub(crate) fn bridge(&self) {
        self.between.ip("link add name bridge type bridge forward_delay 0 stp_state 0");
        self.between.ip("link set bridge up");
        for port in [TARGET_PORT, PEER_PORT] {
            self.between.ip(&format!("link set {port} master bridge"));
        }
    }

    /// Waits until datagrams come through to the peer: a link that came up just now drops what is sent until its queue is made.
    pub(crate) fn wait_until_it_forwards(&self, family: Family) {
        let bind = |address| UdpSocket::bind((address, 0)).expect("a free port");
        let target = self.target.run(|| bind(family.target()));
        let peer = self.peer.run(|| bind(family.peer()));
        peer.set_read_timeout(Some(Duration::from_millis(50))).expect("not zero");
        let address = peer.local_addr().expect("bound");
        let start = Instant::now();
        loop {
            target.send_to(b"?", address).expect("sends");
            if peer.recv(&mut [0; 8]).is_ok() {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "nothing comes through");
        }
    }

    /// A listener of the peer on a port of its own.
    pub(crate) fn listen(&self, family: Family) -> (TcpListener, SocketAddr) {
        let listener = self.peer.run(|| TcpListener::bind((family.peer(), 0))).expect("a free port");
        let address = listener.local_addr().expect("bound");
        (listener, address)
    }

    /// A connection through the box: the target's end and the peer's.
    pub(crate) fn connect(&self, listener: &TcpListener, address: SocketAddr) -> (TcpStream, TcpStream) {
        let target = self.target.run(|| TcpStream::connect_timeout(&address, PATIENCE)).expect("connects");
        let (peer, _) = listener.accept().expect("accepts");
        for stream in [&target, &peer] {
            stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
            stream.set_nodelay(true).expect("TCP");
        }
        (target, peer)
    }
}
