//! Packet filter rules of a guest's own kernel, in one guest: an empty netfilter until something asks for it, then rules that bite and count.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rig::machine::guest_rules::{self, RulesError};

use super::*;

const GUEST: &str = "192.0.2.2";
const PORT: u16 = 8083;

/// As a path's rule is written: what carries data is answered with a RST, whose cause is this very kernel.
const REJECT: &str = "table inet rig {
    counter reject-psh {}
    counter invalid {}
    chain input {
        type filter hook input priority 0;
        ct state invalid counter name \"invalid\"
        tcp dport 8083 tcp flags & psh == psh counter name \"reject-psh\" reject with tcp reset
    }
}";

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_takes_rules_counts_what_they_matched_and_had_none_before() {
    let image = image_or_return!("6.1");
    let bench = Bench::new(&image, 1);
    let guest = boot(bench.plan(NicModel::VirtioNet, NicBackend::Tap, 1)).await;
    takes_rules(&bench, &guest).await;
    guest.stop().await;
}

/// On a guest that nobody has given rules yet.
pub(crate) async fn takes_rules(bench: &Bench, guest: &Guest) {
    let loaded = "grep -c -E '^(nf|nft)_|^nfnetlink' /proc/modules; true";
    assert_eq!(run(bench, guest, loaded).await.1, "0", "nothing asked for netfilter yet");
    let none = guest_rules::counters(guest, bench.ssh(), LONG).await.unwrap_err();
    assert!(
        matches!(&none, RulesError::Refused { said, .. } if said.contains("No such file or directory")),
        "{none}"
    );

    let wrong = "table inet rig { chain input { tcp dport nonsense drop } }".to_owned();
    let refused = guest_rules::apply(guest, bench.ssh(), wrong, LONG).await.unwrap_err();
    assert!(matches!(&refused, RulesError::Refused { said, .. } if said.contains("nonsense")), "{refused}");

    guest_rules::apply(guest, bench.ssh(), REJECT.to_owned(), LONG).await.unwrap();
    let zero = [("invalid".to_owned(), 0), ("reject-psh".to_owned(), 0)];
    assert_eq!(guest_rules::counters(guest, bench.ssh(), LONG).await.unwrap(), zero.into());
    assert_ne!(run(bench, guest, loaded).await.1, "0", "the kernel has fetched what the rules need");

    // Without data the rule lets everything pass; with data it resets.
    let listener = start(bench, guest, &format!("nc -l -p {PORT}")).await;
    let address: SocketAddr = format!("{GUEST}:{PORT}").parse().unwrap();
    let mut client = bench.inside(move || connect(address));
    assert_eq!(guest_rules::counters(guest, bench.ssh(), LONG).await.unwrap()["reject-psh"], 0);
    client.write_all(b"ABCD").unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(client.read(&mut [0; 4]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(guest_rules::counters(guest, bench.ssh(), LONG).await.unwrap()["reject-psh"], 1);

    drop(listener.stream.shutdown(Shutdown::Both));
}

/// The guest's listener may not be there yet: a refusal means "soon".
fn connect(address: SocketAddr) -> TcpStream {
    let until = Instant::now() + LONG;
    loop {
        match TcpStream::connect_timeout(&address, LONG) {
            Ok(stream) => return stream,
            Err(error) if Instant::now() > until => panic!("{error}"),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}
