//! The claims, one row each.
//!
//! Holds id, statement, cells and rule of each claim, in the order of the ids. Must not know how a rule works: `judges/` does.
//! Units: as stated. Errors: none. Tests: `tests.rs` of this folder.

use super::super::judges;
use super::super::model::Question::{self, Ebadf, Enoent};
use super::claim::Rule::{Bottleneck, By, Ends, Fails, FailsInKvm, FailsWith, Rejected, Returns};
use super::claim::{Claim, at, claim};

const BOTH: &[Question] = &[Ebadf, Enoent];
const FORGED: &[&str] =
    &["forged-plus-1000", "forged-train", "forged-outside", "forged-before-next", "ips-inexact"];

pub(super) const CLAIMS: &[Claim] = &[
    claim("H01", "after a RST, select() returns -1 with ENOENT").judged(Returns(&[Enoent])),
    claim("H02", "after a RST, select() returns -1 with EBADF").judged(Returns(&[Ebadf])),
    claim("H03", "select() fails with ENOENT or EBADF more often in KVM guests than on bare metal")
        .of_the_base_program()
        .judged(By(judges::more_often_in_kvm)),
    claim("H04", "select() can fail with ENOENT, EBADF, EINTR, EINVAL and ENOMEM"),
    claim("H05", "select() on a descriptor that was closed before fails with ENOENT or EBADF"),
    claim("H06", "the kernel invalidates the descriptor when a RST arrives"),
    claim("H07", "an nfds smaller than the descriptor is an error"),
    claim("H08", "virtio-net, descriptor handling or RST timing decide which errno select() returns")
        .at(&[at("rst", &[])])
        .judged(By(judges::place_decides)),
    claim("H09", "epoll_ctl() fails with ENOENT for a descriptor that is not registered"),
    claim("H10", "modifying an unregistered descriptor in Python's select module raises ENOENT"),
    claim("H11", "select() on Linux deviates from POSIX"),
    claim("H12", "select() uses an epoll-like path inside"),
    claim("H13", "a RST discards the data that was received but not yet read")
        .judged(By(judges::data_is_discarded)),
    claim("H14", "a RST clears the socket's operations and purges its receive queue"),
    claim("H15", "the next system call after a RST gives ECONNRESET, ENOENT or EBADF"),
    claim("H16", "a RST processed before select() makes it fail, one processed later lets it succeed")
        .judged(By(judges::order_decides)),
    claim("H17", "on loopback a RST is rarely processed before select()")
        .at(&[at("rst", &["direct", "loopback*"])])
        .judged(By(judges::loopback_is_late)),
    claim("H18", "on real networks select() returns -1 more often")
        .at(&[at("rst", &["rtt-*"])])
        .judged(Fails(BOTH)),
    claim("H19", "KVM adds 10 to 200 microseconds before a RST is processed, and so makes failures likelier")
        .judged(By(judges::more_often_in_kvm)),
    claim("H20", "vhost, vCPU contention and interrupt delay matter for the errno")
        .at(&[at("rst", &[])])
        .judged(Bottleneck(&["contention*"])),
    claim("H21", "a stateful firewall sends a RST to both ends when a session was idle too long")
        .at(&[at("path-resets", &["firewall-*"])])
        .judged(By(judges::firewall_resets)),
    claim("H22", "after a middlebox lost its state, later packets are answered by a RST")
        .at(&[at("state-lost", &["firewall-*", "host-gone"])])
        .judged(Ends { claimed: &["readable,ECONNRESET"], otherwise: &["readable,data", "timeout,**"] }),
    claim("H23", "RSTs with inexact sequence numbers from an IPS cut the connection")
        .at(&[at("forged-rst", FORGED)])
        // The two inexact numbers that Linux believes.
        .beside(&[at("answer-in-two", &["forged-*"]), at("forged-after-fin", &["forged-*"])])
        .judged(Ends { claimed: &["readable,**"], otherwise: &["timeout,ok,data"] }),
    claim("H24", "a load balancer's RST after a failed health check kills the client's socket")
        .at(&[at("path-resets", &["balancer-*"])])
        .beside(&[at("path-resets", &["haproxy-*"])])
        .judged(Ends {
            claimed: &["readable,data,ECONNRESET", "readable,ECONNRESET,eof"],
            otherwise: &["readable,data,eof", "readable,data,EAGAIN", "timeout,**"],
        }),
    claim("H25", "a longer round trip shifts the order of RST and select()")
        .at(&[at("rst", &["direct", "rtt-*"])])
        .judged(By(judges::distance_shifts_order)),
    claim("H26", "if the data is lost and the RST arrives, the socket is dead without data")
        .at(&[at("rst-patient", &["lose-data"])])
        .beside(&[at("rst-patient", &["lose-data-and-answer"])])
        .judged(Ends {
            claimed: &["readable,ECONNRESET,eof"],
            otherwise: &["readable,data,**", "timeout,**"],
        }),
    claim("H27", "tcp_reset() purges the receive and write queues, closes, sets the error and shuts down")
        .at(&[at("rst", &[])])
        .judged(By(judges::queues_are_purged)),
    claim("H28", "data followed by a RST: the data is lost and select() returns -1")
        .judged(By(judges::data_is_discarded)),
    claim("H29", "a RST that overtakes data: the data is dropped and select() returns -1")
        .at(&[at("rst", &["overtake"])])
        // Both halves are claimed, so either alone contradicts it.
        .judged(Ends {
            claimed: &["EBADF,ECONNRESET,**", "ENOENT,ECONNRESET,**"],
            otherwise: &["readable,**", "timeout,**"],
        }),
    claim("H30", "scenario 1: KVM's delay makes select() fail after a RST")
        .at(&[at("rst", &[])])
        .judged(FailsInKvm(BOTH)),
    claim("H31", "scenario 2: a firewall's idle timeout makes select() fail")
        .at(&[at("path-resets", &["firewall-*"])])
        .judged(Fails(BOTH)),
    claim("H32", "scenario 3: a load balancer's health check makes select() fail")
        .at(&[at("path-resets", &["balancer-*", "haproxy-*"])])
        .judged(Fails(BOTH)),
    claim("H33", "scenario 4: an IPS's forged RST makes select() fail")
        .at(&[at("path-resets", &["ips-*", "forged-*"]), at("forged-rst", FORGED)])
        .judged(Fails(BOTH)),
    claim("H34", "scenario 5: data on a slow path and the RST on a fast one make select() fail")
        .at(&[at("rst", &["overtake"])])
        .judged(Fails(BOTH)),
    claim("H35", "method 1: a constant netem delay of 100 ms reproduces the failure")
        .at(&[at("rst", &["method-1"])])
        .beside(&[at("rst", &["jitter", "reorder"])])
        .judged(Fails(BOTH)),
    claim("H36", "method 2: running the client in a KVM guest reproduces the failure")
        .at(&[at("rst", &[])])
        .judged(FailsInKvm(BOTH)),
    claim("H37", "method 3: a pause of 5 ms before the RST reproduces the failure")
        .at(&[at("rst", &[])])
        .judged(FailsWith(("peer_delay", "5ms"), BOTH)),
    claim("H38", "method 4: a REJECT rule with tcp-reset on the client reproduces the failure")
        .at(&[at("rst", &["reject-*"]), at("path-resets", &["reject-*"])])
        .judged(Rejected(BOTH)),
    claim("H39", "method 5: a pause of 1 s before select() raises the probability of EBADF")
        .at(&[at("rst", &[])])
        .judged(FailsWith(("client_delay", "1s"), &[Ebadf])),
    claim("H40", "counter-measure 1: a check by fcntl() before select() catches the invalid descriptor"),
    claim("H41", "counter-measure 2: branches on ENOENT, EBADF and EINTR handle the failure"),
    claim("H42", "counter-measure 3: a loop of 50 waits of 100 ms waits for up to 5 s"),
    claim("H43", "counter-measure 4: SO_KEEPALIVE 10/5/3 maintains the connection"),
    claim("H44", "counter-measure 5: a heartbeat by send() with MSG_NOSIGNAL detects the dead connection"),
    claim("H45", "counter-measure 6: connecting again, a bounded number of times, restores the service"),
    claim("H46", "in the long term epoll, message queues and graceful closing avoid the problem"),
    claim("H47", "diagnostic 1: `strace -e trace=select` shows the call and its EBADF"),
    claim("H48", "diagnostic 2: tcpdump shows when and in which order the RST came"),
    claim("H49", "diagnostic 3: the kernel log says \"TCP: rst received\""),
    claim("H50", "diagnostic 4: /proc/net/tcp shows the socket in state 07 after the RST"),
    claim("H51", "diagnostic 5: ss shows the socket after the RST"),
    claim("H52", "diagnostic 6: gdb at select() shows nfds and errno"),
    claim("H53", "diagnostic 7: a SystemTap probe on tcp_reset names the process"),
    claim("H54", "diagnostic 8: a bpftrace kprobe names the process"),
    claim("H55", "diagnostic 9: a debug function that reads SO_ERROR is harmless"),
    claim("H56", "diagnostic 10: a RST in order is followed by select() failing with errno 9")
        .at(&[at("path-resets", &["forged-exact"])])
        .judged(Fails(&[Ebadf])),
    claim("H57", "the programs of the appendix demonstrate the failure"),
    claim("H58", "the failure is rare but reproducible in production"),
    claim("H59", "SO_LINGER {1, 0} and close() send a RST").judged(By(judges::close_sends_a_reset)),
    claim("H60", "SO_LINGER {1, 0} may lose the data that was written just before")
        .at(&[at("rst-corked", &["direct"])])
        .judged(Ends { claimed: &["readable,ECONNRESET,eof"], otherwise: &["readable,data,**"] }),
    claim("J01", "the server's recvfrom() gives ECONNRESET once, then 0"),
    claim("J02", "shutdownInput() with unread data sends RST+ACK"),
    claim("J03", "close() alone sends FIN+ACK, then RST+ACK"),
    claim("J04", "Java uses recvfrom() and sendto()"),
    claim("J05", "the backlog is a queue for waiting SYNs"),
    claim("J06", "the kernel completes the handshake without accept()"),
    claim("J07", "a connect times out when the SYN is not answered, as under DROP"),
    claim("J08", "REJECT with icmp-host-prohibited means no reply, three SYNs and a timeout"),
    claim("J09", "DROP answers with RST+ACK"),
    claim("J10", "an unreachable host gives a timeout on Windows and an exception on Linux"),
    claim("J11", "a connect timeout of 1 ms can be used as a trick"),
    claim("J12", "a closed port answers with RST+ACK three times"),
    claim("J13", "a read timeout is not a TCP event"),
    claim("J14", "a connect timeout by select() or poll() needs checking"),
    claim("J15", "strace writes its output only at detach"),
    claim("Q01", "TCP_USER_TIMEOUT acts on SYN, SYN-ACK and data retransmission, not on SYN-RECV"),
    claim("Q02", "a keepalive timeout sends a RST"),
    claim("Q03", "FIN-WAIT-2 ends after tcp_fin_timeout only after close(), not after shutdown()"),
    claim("Q04", "CLOSE-WAIT becomes CLOSED after a fixed 60 s"),
    claim("Q05", "TCP_USER_TIMEOUT is checked when the persist timer probes"),
    claim("Q06", "Recv-Q of a listener is its accept queue, Send-Q its backlog"),
    claim("Q07", "CLOSE-WAIT shows a Recv-Q of 1"),
    claim("Q08", "tcpdump's default interface leaves out loopback"),
    claim("Q09", "`nc -k` switches TCP keepalive on"),
    claim("Q10", "after keepalive 30/3/5 the server reads ETIMEDOUT and the client ECONNRESET"),
    claim("Q11", "after ECONNRESET nc closes its descriptor twice: 0, then EBADF"),
    claim("Q12", "traffic re-arms the keepalive timer"),
    claim("Q13", "connecting to a closed port: POLLOUT, POLLERR and POLLHUP, SO_ERROR 111"),
    claim("Q14", "with the RST dropped, connect fails with ETIMEDOUT after about 30 s"),
    claim("Q15", "after shutdown(WR) and close(), the client's first write succeeds, the second gives EPIPE"),
    claim("Q16", "after close() alone, the client's first write succeeds, the second gives EPIPE"),
    claim("Q17", "after shutdown(RDWR) alone, the client's first write succeeds, the second gives EPIPE"),
    claim("Q18", "after shutdown(WR) alone, the client's writes succeed"),
    claim("Q19", "after shutdown(RD) alone, the client's writes succeed and no packet is sent"),
    claim("Q20", "after the RST a further write gives EPIPE and a read gives end of file"),
    claim("Q21", "close() with unread data sends a RST, and the first write gives EPIPE"),
    claim("Q22", "after TCP_USER_TIMEOUT a write gives ETIMEDOUT, the next EPIPE, a read end of file"),
];
