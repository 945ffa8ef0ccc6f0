//! The claims about select(), resets and their neighbours that scenarios name by id.
//!
//! Holds one short statement per id, as it was claimed (many are false: that is what the run decides).
//! Must not know how a claim is judged. Units: as stated. Errors: none.
//! Tests: here.

/// What `id` claims.
pub(super) fn text(id: &str) -> Option<&'static str> {
    CLAIMS.binary_search_by_key(&id, |(known, _)| known).ok().map(|index| CLAIMS[index].1)
}

/// In the order of their ids.
const CLAIMS: &[(&str, &str)] = &[
    ("H01", "after a RST, select() returns -1 with ENOENT"),
    ("H02", "after a RST, select() returns -1 with EBADF"),
    ("H03", "select() fails with ENOENT or EBADF more often in KVM guests than on bare metal"),
    ("H04", "select() can fail with ENOENT, EBADF, EINTR, EINVAL and ENOMEM"),
    ("H05", "select() on a descriptor that was closed before fails with ENOENT or EBADF"),
    ("H06", "the kernel invalidates the descriptor when a RST arrives"),
    ("H07", "an nfds smaller than the descriptor is an error"),
    ("H08", "virtio-net, descriptor handling or RST timing decide which errno select() returns"),
    ("H09", "epoll_ctl() fails with ENOENT for a descriptor that is not registered"),
    ("H10", "modifying an unregistered descriptor in Python's select module raises ENOENT"),
    ("H11", "select() on Linux deviates from POSIX"),
    ("H12", "select() uses an epoll-like path inside"),
    ("H13", "a RST discards the data that was received but not yet read"),
    ("H14", "a RST clears the socket's operations and purges its receive queue"),
    ("H15", "the next system call after a RST gives ECONNRESET, ENOENT or EBADF"),
    ("H16", "a RST processed before select() makes it fail, one processed later lets it succeed"),
    ("H17", "on loopback a RST is rarely processed before select()"),
    ("H18", "on real networks select() returns -1 more often"),
    ("H19", "KVM adds 10 to 200 microseconds before a RST is processed, and so makes failures likelier"),
    ("H20", "vhost, vCPU contention and interrupt delay matter for the errno"),
    ("H21", "a stateful firewall sends a RST to both ends when a session was idle too long"),
    ("H22", "after a middlebox lost its state, later packets are answered by a RST"),
    ("H23", "RSTs with inexact sequence numbers from an IPS cut the connection"),
    ("H24", "a load balancer's RST after a failed health check kills the client's socket"),
    ("H25", "a longer round trip shifts the order of RST and select()"),
    ("H26", "if the data is lost and the RST arrives, the socket is dead without data"),
    ("H27", "tcp_reset() purges the receive and write queues, closes, sets the error and shuts down"),
    ("H28", "data followed by a RST: the data is lost and select() returns -1"),
    ("H29", "a RST that overtakes data: the data is dropped and select() returns -1"),
    ("H30", "scenario 1: KVM's delay makes select() fail after a RST"),
    ("H31", "scenario 2: a firewall's idle timeout makes select() fail"),
    ("H32", "scenario 3: a load balancer's health check makes select() fail"),
    ("H33", "scenario 4: an IPS's forged RST makes select() fail"),
    ("H34", "scenario 5: data on a slow path and the RST on a fast one make select() fail"),
    ("H35", "method 1: a constant netem delay of 100 ms reproduces the failure"),
    ("H36", "method 2: running the client in a KVM guest reproduces the failure"),
    ("H37", "method 3: a pause of 5 ms before the RST reproduces the failure"),
    ("H38", "method 4: a REJECT rule with tcp-reset on the client reproduces the failure"),
    ("H39", "method 5: a pause of 1 s before select() raises the probability of EBADF"),
    ("H40", "counter-measure 1: a check by fcntl() before select() catches the invalid descriptor"),
    ("H41", "counter-measure 2: branches on ENOENT, EBADF and EINTR handle the failure"),
    ("H42", "counter-measure 3: a loop of 50 waits of 100 ms waits for up to 5 s"),
    ("H43", "counter-measure 4: SO_KEEPALIVE 10/5/3 maintains the connection"),
    ("H44", "counter-measure 5: a heartbeat by send() with MSG_NOSIGNAL detects the dead connection"),
    ("H45", "counter-measure 6: connecting again, a bounded number of times, restores the service"),
    ("H46", "in the long term epoll, message queues and graceful closing avoid the problem"),
    ("H47", "diagnostic 1: `strace -e trace=select` shows the call and its EBADF"),
    ("H48", "diagnostic 2: tcpdump shows when and in which order the RST came"),
    ("H49", "diagnostic 3: the kernel log says \"TCP: rst received\""),
    ("H50", "diagnostic 4: /proc/net/tcp shows the socket in state 07 after the RST"),
    ("H51", "diagnostic 5: ss shows the socket after the RST"),
    ("H52", "diagnostic 6: gdb at select() shows nfds and errno"),
    ("H53", "diagnostic 7: a SystemTap probe on tcp_reset names the process"),
    ("H54", "diagnostic 8: a bpftrace kprobe names the process"),
    ("H55", "diagnostic 9: a debug function that reads SO_ERROR is harmless"),
    ("H56", "diagnostic 10: a RST in order is followed by select() failing with errno 9"),
    ("H57", "the programs of the appendix demonstrate the failure"),
    ("H58", "the failure is rare but reproducible in production"),
    ("H59", "SO_LINGER {1, 0} and close() send a RST"),
    ("H60", "SO_LINGER {1, 0} may lose the data that was written just before"),
    ("J01", "the server's recvfrom() gives ECONNRESET once, then 0"),
    ("J02", "shutdownInput() with unread data sends RST+ACK"),
    ("J03", "close() alone sends FIN+ACK, then RST+ACK"),
    ("J04", "Java uses recvfrom() and sendto()"),
    ("J05", "the backlog is a queue for waiting SYNs"),
    ("J06", "the kernel completes the handshake without accept()"),
    ("J07", "a connect times out when the SYN is not answered, as under DROP"),
    ("J08", "REJECT with icmp-host-prohibited means no reply, three SYNs and a timeout"),
    ("J09", "DROP answers with RST+ACK"),
    ("J10", "an unreachable host gives a timeout on Windows and an exception on Linux"),
    ("J11", "a connect timeout of 1 ms can be used as a trick"),
    ("J12", "a closed port answers with RST+ACK three times"),
    ("J13", "a read timeout is no TCP event"),
    ("J14", "a connect timeout by select() or poll() needs checking"),
    ("J15", "strace writes its output only at detach"),
    ("Q01", "TCP_USER_TIMEOUT acts on SYN, SYN-ACK and data retransmission, not on SYN-RECV"),
    ("Q02", "a keepalive timeout sends a RST"),
    ("Q03", "FIN-WAIT-2 ends after tcp_fin_timeout only after close(), not after shutdown()"),
    ("Q04", "CLOSE-WAIT becomes CLOSED after a fixed 60 s"),
    ("Q05", "TCP_USER_TIMEOUT is checked when the persist timer probes"),
    ("Q06", "Recv-Q of a listener is its accept queue, Send-Q its backlog"),
    ("Q07", "CLOSE-WAIT shows a Recv-Q of 1"),
    ("Q08", "tcpdump's default interface leaves out loopback"),
    ("Q09", "`nc -k` switches TCP keepalive on"),
    ("Q10", "after keepalive 30/3/5 the server reads ETIMEDOUT and the client ECONNRESET"),
    ("Q11", "after ECONNRESET nc closes its descriptor twice: 0, then EBADF"),
    ("Q12", "traffic re-arms the keepalive timer"),
    ("Q13", "connecting to a closed port: POLLOUT, POLLERR and POLLHUP, SO_ERROR 111"),
    ("Q14", "with the RST dropped, connect fails with ETIMEDOUT after about 30 s"),
    ("Q15", "after shutdown(WR) and close(), the client's first write succeeds, the second gives EPIPE"),
    ("Q16", "after close() alone, the client's first write succeeds, the second gives EPIPE"),
    ("Q17", "after shutdown(RDWR) alone, the client's first write succeeds, the second gives EPIPE"),
    ("Q18", "after shutdown(WR) alone, the client's writes succeed"),
    ("Q19", "after shutdown(RD) alone, the client's writes succeed and no packet is sent"),
    ("Q20", "after the RST a further write gives EPIPE and a read gives end of file"),
    ("Q21", "close() with unread data sends a RST, and the first write gives EPIPE"),
    ("Q22", "after TCP_USER_TIMEOUT a write gives ETIMEDOUT, the next EPIPE, a read end of file"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_found_once() {
        assert!(CLAIMS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        for (id, claim) in CLAIMS {
            assert_eq!(text(id), Some(*claim));
            assert!(claim.len() <= 100, "{id} is too long for a table");
        }
        assert_eq!(CLAIMS.len(), 60 + 15 + 22);
        assert_eq!(text("H99"), None);
    }
}
