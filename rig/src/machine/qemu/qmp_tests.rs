//! The QMP client against a scripted server.

use super::*;
use tokio::net::unix::OwnedWriteHalf;

const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}}"#;
const SHORT: Duration = Duration::from_millis(80);
/// Long enough that reaching it is a failure of the test, not of the machine.
const LONG: Duration = Duration::from_secs(60);

struct Server {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Server {
    async fn say(&mut self, line: &str) {
        self.write.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.read.read_line(&mut line).await.unwrap();
        serde_json::from_str(&line).unwrap()
    }

    async fn answer(&mut self, value: &str) -> Value {
        let command = self.hear().await;
        self.say(&format!(r#"{{"return": {value}, "id": {}}}"#, command["id"])).await;
        command
    }
}

fn pair() -> (UnixStream, Server) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (read, write) = theirs.into_split();
    (ours, Server { read: BufReader::new(read), write })
}

async fn negotiated() -> (Qmp, mpsc::UnboundedReceiver<QmpEvent>, Server) {
    let (ours, mut server) = pair();
    let (sender, events) = mpsc::unbounded_channel();
    let (client, server) = tokio::join!(Qmp::connect(ours, JsonLog::none(), sender, LONG), async {
        server.say(GREETING).await;
        let capabilities = server.answer("{}").await;
        assert_eq!(capabilities["execute"], "qmp_capabilities");
        server
    });
    (client.unwrap(), events, server)
}

#[tokio::test]
async fn a_command_meets_its_reply_among_unknown_events_and_garbage() {
    let (qmp, mut events, mut server) = negotiated().await;
    let (status, sent) = tokio::join!(qmp.execute(qmp::query_status {}, LONG), async {
        let sent = server.hear().await;
        server.say(r#"{"event": "NEVER_HEARD_OF", "data": {"x": [1]}, "timestamp": {"seconds": 2, "microseconds": 3}}"#).await;
        server.say("\u{1b}[31mthis is not JSON").await;
        server.say("[1, 2]").await;
        server.say(r#"{"neither": "return nor error"}"#).await;
        server.say(r#"{"return": {"running": false, "status": "paused"}, "id": 4711}"#).await;
        server.say(r#"{"event": "STOP"}"#).await;
        server
            .say(&format!(
                r#"{{"return": {{"running": true, "status": "running", "singlestep": false}}, "id": {}}}"#,
                sent["id"]
            ))
            .await;
        sent
    });
    assert_eq!(sent["execute"], "query-status");
    assert!(sent.get("arguments").is_none());
    assert!(status.unwrap().running);
    let first = events.recv().await.unwrap();
    assert_eq!(
        first,
        QmpEvent { name: "NEVER_HEARD_OF".into(), data: json!({"x": [1]}), timestamp_us: 2_000_003 }
    );
    let second = events.recv().await.unwrap();
    assert_eq!(second, QmpEvent { name: "STOP".into(), data: Value::Null, timestamp_us: 0 });
}

#[tokio::test]
async fn replies_out_of_order_find_their_commands() {
    let (qmp, _events, mut server) = negotiated().await;
    let (first, second, ()) = tokio::join!(
        qmp.execute_raw("first", json!({}), LONG),
        qmp.execute_raw("second", json!({ "a": 1 }), LONG),
        async {
            let one = server.hear().await;
            let two = server.hear().await;
            assert_eq!(two["arguments"]["a"], 1);
            for command in [two, one] {
                server.say(&json!({ "return": command["execute"], "id": command["id"] }).to_string()).await;
            }
        }
    );
    assert_eq!((first.unwrap(), second.unwrap()), (json!("first"), json!("second")));
}

#[tokio::test]
async fn a_slow_reply_is_late_and_does_not_answer_the_next_command() {
    let (qmp, _events, mut server) = negotiated().await;
    let late = qmp.execute_raw("slow", json!({}), SHORT).await.unwrap_err();
    assert!(
        matches!(&late, QmpError::Late { command: "slow", last, .. } if last == "the reply to qmp_capabilities"),
        "{late}"
    );
    let slow = server.hear().await;
    server.say(&json!({ "return": "stale", "id": slow["id"] }).to_string()).await;
    let (next, _) = tokio::join!(qmp.execute_raw("next", json!({}), LONG), server.answer("\"fresh\""));
    assert_eq!(next.unwrap(), json!("fresh"));
}

#[tokio::test]
async fn a_refusal_has_qemus_words() {
    let (qmp, _events, mut server) = negotiated().await;
    let (refused, ()) = tokio::join!(
        qmp.execute(qmp::set_link { name: "none".into(), up: false }, LONG),
        async {
            let command = server.hear().await;
            assert_eq!(command["arguments"], json!({ "name": "none", "up": false }));
            server.say(&json!({ "error": { "class": "DeviceNotFound", "desc": "Device 'none' not found" }, "id": command["id"] }).to_string()).await;
        }
    );
    assert_eq!(
        refused.unwrap_err().to_string(),
        "qemu refused set_link: DeviceNotFound: Device 'none' not found"
    );
}

#[tokio::test]
async fn a_reply_of_another_shape_is_named() {
    let (qmp, _events, mut server) = negotiated().await;
    let (shape, _) = tokio::join!(qmp.execute(qmp::query_kvm {}, LONG), server.answer("{\"enabled\": 3}"));
    assert!(matches!(shape.unwrap_err(), QmpError::Shape { command: "query-kvm", .. }));
}

#[tokio::test]
async fn a_disconnect_in_mid_command_ends_all_waits_at_once() {
    let (qmp, mut events, mut server) = negotiated().await;
    let (first, second, ()) = tokio::join!(
        qmp.execute_raw("first", json!({}), LONG),
        qmp.execute_raw("second", json!({}), LONG),
        async {
            server.hear().await;
            server.write.write_all(b"{\"return\": ").await.unwrap();
            drop(server);
        }
    );
    for error in [first.unwrap_err(), second.unwrap_err()] {
        // Which of the two ends of the stream notices first is the scheduler's choice; either closes the conversation.
        assert!(matches!(&error, QmpError::Closed { .. }), "{error}");
    }
    assert_eq!(events.recv().await, None);
    let later = qmp.execute_raw("later", json!({}), LONG).await.unwrap_err();
    assert!(matches!(later, QmpError::Closed { command: "later", .. }));
}

#[tokio::test]
async fn an_abandoned_conversation_says_why() {
    let (qmp, _events, mut server) = negotiated().await;
    let (waiting, ()) = tokio::join!(qmp.execute_raw("waiting", json!({}), LONG), async {
        server.hear().await;
        qmp.abandon("the guest panicked");
        qmp.abandon("a later reason");
    });
    assert_eq!(waiting.unwrap_err().to_string(), "waiting has no reply: the guest panicked");
    assert_eq!(qmp.closed().as_deref(), Some("the guest panicked"));
}

#[tokio::test]
async fn of_the_dead_is_spoken_until_qemu_is_gone_too() {
    let (qmp, _events, mut server) = negotiated().await;
    let (dump, ()) = tokio::join!(qmp.execute_of_the_dead("dump", json!({}), None, LONG), async {
        let sent = server.hear().await;
        qmp.abandon("the guest panicked");
        server.say(&format!(r#"{{"return": {{}}, "id": {}}}"#, sent["id"])).await;
    });
    assert_eq!(dump.unwrap(), json!({}));
    assert!(qmp.execute_raw("other", json!({}), LONG).await.is_err());
    let (again, _) = tokio::join!(qmp.execute_of_the_dead("dump", json!({}), None, LONG), server.answer("1"));
    assert_eq!(again.unwrap(), json!(1));
    drop(server);
    let gone = qmp.execute_of_the_dead("dump", json!({}), None, LONG).await.unwrap_err();
    assert!(matches!(gone, QmpError::Closed { .. }), "{gone}");
    assert_eq!(qmp.closed().as_deref(), Some("the guest panicked"), "the first reason stays");
}

#[tokio::test]
async fn a_descriptor_goes_with_the_line_that_names_it() {
    let (qmp, _events, server) = negotiated().await;
    let (mut near, far) = std::io::pipe().unwrap();
    let Server { mut read, mut write } = server;
    let hear = async {
        let stream: &UnixStream = read.get_ref().as_ref();
        let mut text = [0; 200];
        let received = stream.async_io(Interest::READABLE, || {
            let mut space = nix::cmsg_space!([std::os::fd::RawFd; 1]);
            let mut parts = [std::io::IoSliceMut::new(&mut text)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let message = nix::sys::socket::recvmsg::<UnixAddr>(
                stream.as_raw_fd(),
                &mut parts,
                Some(&mut space),
                flags,
            )?;
            let rights = message.cmsgs()?.count();
            Ok((message.bytes, rights))
        });
        let (bytes, rights) = received.await.unwrap();
        write.write_all(b"{\"return\": {}, \"id\": 2}\r\n").await.unwrap();
        (String::from_utf8_lossy(&text[..bytes]).into_owned(), rights)
    };
    let named = json!({ "fdname": "core" });
    let (reply, (said, rights)) =
        tokio::join!(qmp.execute_of_the_dead("getfd", named, Some(far.into()), LONG), hear);
    reply.unwrap();
    assert_eq!((said.contains("getfd"), said.ends_with('\n'), rights), (true, true, 1), "{said}");
    let _ = (&mut near, &mut read);
}

#[tokio::test]
async fn no_greeting_is_late_or_closed() {
    let (ours, _server) = pair();
    let late = Qmp::connect(ours, JsonLog::none(), mpsc::unbounded_channel().0, SHORT).await.unwrap_err();
    assert!(matches!(late, QmpError::Late { command: "greeting", .. }));
    let (ours, server) = pair();
    drop(server);
    let closed = Qmp::connect(ours, JsonLog::none(), mpsc::unbounded_channel().0, LONG).await.unwrap_err();
    assert!(matches!(closed, QmpError::Closed { command: "greeting", .. }));
}

#[tokio::test]
async fn everything_said_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.jsonl");
    let (ours, mut server) = pair();
    let log = JsonLog::create(&path).unwrap();
    let (client, ()) = tokio::join!(Qmp::connect(ours, log, mpsc::unbounded_channel().0, LONG), async {
        server.say(GREETING).await;
        server.say("garbage").await;
        server.answer("{}").await;
    });
    drop(client.unwrap());
    let text = fs_err::read_to_string(&path).unwrap();
    let kinds: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_owned())
        .collect();
    for kind in ["received", "sent", "garbage"] {
        assert!(kinds.iter().any(|found| found == kind), "{kind} in {text}");
    }
}
