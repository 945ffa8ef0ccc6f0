//! Functional probes: whether this host can do what a testbed needs, found out by doing it in a namespace made for that.
//!
//! Holds one function per capability, for `rig doctor` and for skipping cells. Must not know which cell needs what.
//! Units: none. Errors: a `String`, the exact reason in one sentence, as it is shown to the user.
//! Tests: `tests/netns.rs` (root).

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use futures_util::StreamExt;
use rtnetlink::packet_core::{
    DefaultNla, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage};

use super::{Namespace, TestbedError, apply, tap};

/// Whether network namespaces can be made and entered.
///
/// # Errors
/// Why not.
pub fn netns() -> Result<(), String> {
    in_namespace(|| Ok(()))
}

/// Whether a tap with virtio-net headers can be made.
///
/// # Errors
/// Why not.
pub fn tap() -> Result<(), String> {
    in_namespace(|| {
        tap::open("tap0", 1).map(drop).map_err(|error| say("/dev/net/tun cannot make a tap", &error))
    })
}

/// Whether a tap with several queues can be made.
///
/// # Errors
/// Why not.
pub fn tap_multiqueue() -> Result<(), String> {
    in_namespace(|| {
        tap::open("tap0", 2)
            .map(drop)
            .map_err(|error| say("/dev/net/tun cannot make a tap with two queues", &error))
    })
}

/// Whether /dev/vhost-net answers.
///
/// # Errors
/// Why not.
pub fn vhost_net() -> Result<(), String> {
    /// `VHOST_GET_FEATURES`, `_IOR(0xAF, 0x00, __u64)`: include/uapi/linux/vhost.h.
    const VHOST_GET_FEATURES: libc::c_ulong = 0x8008_af00;
    let device = OpenOptions::new().read(true).write(true).open("/dev/vhost-net").map_err(|error| {
        match error.kind() {
            io::ErrorKind::NotFound => {
                "/dev/vhost-net does not exist: the kernel has no vhost_net, or `modprobe vhost_net` is needed".into()
            }
            _ => say("/dev/vhost-net cannot be opened", &error),
        }
    })?;
    let mut features = 0_u64;
    // SAFETY: the kernel writes one u64, which outlives the call.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), VHOST_GET_FEATURES, &raw mut features) };
    if result < 0 {
        return Err(say("/dev/vhost-net does not tell its features", &io::Error::last_os_error()));
    }
    Ok(())
}

/// Whether the kernel has `sch_netem`: puts one on a loopback interface.
///
/// # Errors
/// Why not.
pub fn netem() -> Result<(), String> {
    let runtime = apply::netlink_runtime().map_err(|error| say("no netlink", &error))?;
    in_namespace(|| {
        runtime.block_on(add_netem()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                "the kernel has no sch_netem (CONFIG_NET_SCH_NETEM), and no module of that name".into()
            }
            _ => say("the kernel refuses a netem queue", &error),
        })
    })
}

async fn add_netem() -> io::Result<()> {
    /// `TCA_OPTIONS`, include/uapi/linux/rtnetlink.h. For netem it starts with a plain struct, for which rtnetlink has no type.
    const TCA_OPTIONS: u16 = 2;
    /// Index of `lo` in every namespace (`LOOPBACK_IFINDEX`, include/net/flow.h).
    const LOOPBACK: i32 = 1;
    // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter; all u32 (include/uapi/linux/pkt_sched.h).
    let queue_of_ten: Vec<u8> =
        [0_u32, 10, 0, 0, 0, 0].iter().flat_map(|field| field.to_ne_bytes()).collect();
    let mut message = TcMessage::with_index(LOOPBACK);
    message.header.parent = TcHandle::ROOT;
    message.attributes = vec![
        TcAttribute::Kind("netem".into()),
        TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, queue_of_ten)),
    ];
    let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    let (connection, mut handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    let mut answers = handle.request(request).map_err(apply::to_io)?;
    while let Some(answer) = answers.next().await {
        if let NetlinkPayload::Error(answer) = answer.payload
            && answer.code.is_some()
        {
            return Err(answer.to_io());
        }
    }
    Ok(())
}

/// Whether `nft` is installed and the kernel takes the rules that middleboxes need: connection tracking, counters, reject with a RST.
///
/// # Errors
/// Why not.
pub fn nft() -> Result<(), String> {
    const RULES: &str = "table inet rig {\n chain pass {\n  type filter hook forward priority 0;\n\
        ct state invalid counter drop\n  tcp dport 9 counter reject with tcp reset\n }\n}\n";
    let namespace = Namespace::new().map_err(|error| tell(&error))?;
    let mut command = Command::new("nft");
    command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    namespace.enter_on_spawn(&mut command).map_err(|error| tell(&error))?;
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "`nft` is not installed (Debian package nftables)".to_owned(),
        _ => say("`nft` cannot be started", &error),
    })?;
    // A broken pipe means that it ended early; what it said then is what counts.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(RULES.as_bytes()));
    let output = child.wait_with_output().map_err(|error| say("`nft` cannot be waited for", &error))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let first = words.lines().find(|line| !line.trim().is_empty()).unwrap_or("without a word").trim();
    Err(format!("`nft` refuses the rules that middleboxes need: {first}"))
}

fn in_namespace(work: impl FnOnce() -> Result<(), String> + Send) -> Result<(), String> {
    Namespace::new().and_then(|namespace| namespace.run(work)).map_err(|error| tell(&error))?
}

fn say(what: &str, why: &impl fmt::Display) -> String {
    format!("{what}: {why}")
}

/// An error with its causes, in one line.
fn tell(error: &TestbedError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
