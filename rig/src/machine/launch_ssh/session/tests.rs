//! What SSH does without a guest: who is not there, who is late, who is abandoned.

use std::net::TcpListener;

use super::*;

fn plan(port: u16) -> SshPlan {
    SshPlan {
        port,
        namespace: None,
        host_key: Some(vec![1, 2, 3]),
        user: ROOT.into(),
        private_key: "not a key".into(),
    }
}

#[test]
fn nobody_there_is_unreachable_after_a_few_attempts() {
    // Bound and dropped: very likely free, and nothing listens.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = SshSession::connect(&plan(port), &Abandon::default(), Duration::from_secs(60)).unwrap_err();
    assert!(
        matches!(&error, SshError::Unreachable { attempts: ATTEMPTS, last, .. } if last.contains("refused")),
        "{error}"
    );
}

#[test]
fn a_server_that_says_nothing_is_late() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let error =
        SshSession::connect(&plan(port), &Abandon::default(), Duration::from_millis(400)).unwrap_err();
    assert!(
        matches!(&error, SshError::Unreachable { last, .. } if last.contains("could not shake hands")),
        "{error}"
    );
}

#[test]
fn a_server_that_talks_garbage_is_unreachable() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in server.incoming() {
            // The client may hang up first.
            let _ = client.and_then(|mut client| {
                client.write_all(b"SSH-2.0-x\r\n\xff\xff\xff\xffgarbage garbage garbage")
            });
        }
    });
    let error = SshSession::connect(&plan(port), &Abandon::default(), Duration::from_secs(60)).unwrap_err();
    assert!(matches!(&error, SshError::Unreachable { .. }), "{error}");
}

/// One call of libssh2 reads such lines for as long as they come.
#[test]
fn a_server_whose_banner_never_comes_is_late() {
    for line in [&b"lines before the banner, RFC 4253 section 4.2\r\n"[..], b"one line without an end"] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let lines = line.repeat(2_000);
        thread::spawn(move || {
            for client in server.incoming() {
                let lines = lines.clone();
                thread::spawn(move || {
                    let mut client = client.unwrap();
                    // Until the client hangs up.
                    while client.write_all(&lines).is_ok() {}
                });
            }
        });
        let error =
            SshSession::connect(&plan(port), &Abandon::default(), Duration::from_secs(2)).unwrap_err();
        assert!(
            matches!(&error, SshError::Unreachable { last, .. } if last.contains("shake hands")),
            "{error}"
        );
    }
}

#[test]
fn abandoning_ends_a_wait_with_the_reason_and_forbids_new_ones() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let plan = plan(server.local_addr().unwrap().port());
    let abandon = Abandon::default();
    let error = thread::scope(|scope| {
        let waiting =
            scope.spawn(|| SshSession::connect(&plan, &abandon, Duration::from_secs(600)).unwrap_err());
        // The connection is there, so its socket is (about to be) watched; either way it must end.
        let _client = server.accept().unwrap();
        abandon.abandon("the guest is dead");
        waiting.join().unwrap()
    });
    assert!(matches!(&error, SshError::Abandoned { reason, .. } if reason == "the guest is dead"), "{error}");
    let later = SshSession::connect(&plan, &abandon, Duration::from_secs(600)).unwrap_err();
    assert!(matches!(later, SshError::Abandoned { .. }));
}

#[test]
fn words_are_quoted_for_the_shell() {
    assert_eq!(quote("/run/agent"), "'/run/agent'");
    assert_eq!(quote("it's"), r"'it'\''s'");
}
