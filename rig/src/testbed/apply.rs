//! Carries out a compiled path.
//!
//! Holds the order of threads and sockets: one thread visits the namespaces, opens a netlink socket in each, then works through the list.
//! Must not know why the operations are what they are. Units: as in `path`.
//! Errors: [`TestbedError`]; the operation that failed is named. Nothing is undone: the namespaces go, and all with them.
//! Tests: `tests/netns.rs` (root).

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use nix::net::if_::if_nametoindex;
use rtnetlink::packet_route::link::{
    BridgePortState, BridgeStpState, InfoBridgePort, InfoData, InfoPortData, InfoVeth, LinkAttribute,
    LinkInfo, LinkMessage, State,
};
use rtnetlink::{Handle, LinkBridge, LinkMessageBuilder, LinkUnspec, LinkVeth};
use tokio::runtime::{self, Runtime};

use super::error::{TestbedError, to_io};
use super::namespace::Namespace;
use super::tap::TapFrom;
use super::{macvtap, netem, sysctl, tap};
use crate::path::{LinkEnd, NetOp, NetOps, Place};

/// Whether a link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// Carries out `ops`; returns the descriptors of the taps that were made, in order.
pub(super) fn apply<'a>(
    ops: &NetOps,
    namespace: &(dyn Fn(Place) -> &'a Namespace + Sync),
    tap: TapFrom<'_>,
) -> Result<Vec<OwnedFd>, TestbedError> {
    let runtime = netlink_runtime().map_err(|source| TestbedError::Netlink { source })?;
    // On a thread of its own: it is moved from namespace to namespace and ends in one of them.
    namespace(Place::Switch).run(|| runtime.block_on(work_through(ops, namespace, tap)))?
}

/// Moves an interface into another namespace, under its name.
pub(super) fn move_link(from: &Namespace, link: &LinkEnd, to: &Namespace) -> Result<(), TestbedError> {
    let op = || format!("{link}: move to another namespace");
    alone(from, |handle| async move { send(&handle, link, to).await })
        .and_then(|moved| moved.map_err(|source| TestbedError::Operation { op: op(), source }))
}

/// Does something with a netlink socket in a namespace.
fn alone<F: Future<Output = io::Result<()>>>(
    namespace: &Namespace,
    work: impl FnOnce(Handle) -> F + Send,
) -> Result<io::Result<()>, TestbedError> {
    let runtime = netlink_runtime().map_err(|source| TestbedError::Netlink { source })?;
    namespace.run(|| {
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection()?;
            tokio::spawn(connection);
            work(handle).await
        })
    })
}

async fn send(handle: &Handle, link: &LinkEnd, to: &Namespace) -> io::Result<()> {
    change(handle, link, |link| link.setns_by_fd(to.as_fd().as_raw_fd())).await
}

/// A runtime for netlink sockets. To be made *outside* the namespaces: tokio's first runtime makes a pair of unix sockets that the process
/// never closes (`tokio::signal`), and a socket keeps the namespace alive in which it was made.
pub(super) fn netlink_runtime() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread().enable_io().enable_time().build()
}

/// Sets an interface up or down: the far end of its veth pair sees the carrier come and go.
pub(super) fn set_carrier(
    namespace: &Namespace,
    link: &LinkEnd,
    carrier: Carrier,
) -> Result<(), TestbedError> {
    let op = || format!("{link}: carrier {carrier:?}").to_lowercase();
    alone(namespace, |handle| async move {
        match carrier {
            Carrier::On => change(&handle, link, LinkMessageBuilder::up).await,
            Carrier::Off => change(&handle, link, LinkMessageBuilder::down).await,
        }
    })
    .and_then(|set| set.map_err(|source| TestbedError::Operation { op: op(), source }))
}

/// Netlink sockets, each of the namespace in which it was opened.
struct Doors {
    at: BTreeMap<Place, Handle>,
    /// Where the tap is, where it is not to be made.
    tap: Option<Handle>,
}

impl Doors {
    fn open<'a>(
        namespace: &(dyn Fn(Place) -> &'a Namespace + Sync),
        tap: TapFrom<'_>,
    ) -> Result<Self, TestbedError> {
        let open = |namespace: &Namespace| {
            namespace.enter()?;
            let (connection, handle, _) =
                rtnetlink::new_connection().map_err(|source| TestbedError::Netlink { source })?;
            tokio::spawn(connection);
            Ok::<_, TestbedError>(handle)
        };
        let tap = match tap {
            TapFrom::Nowhere => None,
            TapFrom::Home(home) => Some(open(home)?),
        };
        let mut at = BTreeMap::new();
        for place in Place::ALL {
            at.insert(place, open(namespace(place))?);
        }
        Ok(Self { at, tap })
    }
}

async fn work_through<'a>(
    ops: &NetOps,
    namespace: &(dyn Fn(Place) -> &'a Namespace + Sync),
    tap: TapFrom<'_>,
) -> Result<Vec<OwnedFd>, TestbedError> {
    let doors = Doors::open(namespace, tap)?;
    let mut taps = Vec::new();
    for op in &ops.ops {
        carry_out(op, &doors, namespace, &mut taps)
            .await
            .map_err(|source| TestbedError::Operation { op: op.to_string(), source })?;
    }
    Ok(taps)
}

async fn carry_out<'a>(
    op: &NetOp,
    doors: &Doors,
    namespace: &(dyn Fn(Place) -> &'a Namespace + Sync),
    taps: &mut Vec<OwnedFd>,
) -> io::Result<()> {
    let place = match op {
        NetOp::SetSysctl { at, .. } => *at,
        NetOp::AddVeth { near, .. } => near.at,
        NetOp::AddBridge { link }
        | NetOp::AddTap { link, .. }
        | NetOp::AddMacvtap { link, .. }
        | NetOp::SetMtu { link, .. }
        | NetOp::Enslave { link, .. }
        | NetOp::SetAddress { link, .. }
        | NetOp::AddNetem { link, .. }
        | NetOp::SetUp { link }
        | NetOp::AwaitCarrier { link } => link.at,
    };
    // /proc/sys/net, /dev/net/tun and if_nametoindex(3) mean the calling thread's namespace.
    namespace(place).enter().map_err(io::Error::other)?;
    let handle = &doors.at[&place];
    match op {
        NetOp::SetSysctl { key, value, presence, .. } => sysctl::write(key, value, *presence),
        NetOp::AddBridge { link } => add_bridge(handle, link).await,
        NetOp::AddVeth { near, far, mtu_bytes } => {
            add_veth(handle, near, far, *mtu_bytes, namespace(far.at)).await
        }
        NetOp::AddTap { link, queues } => match &doors.tap {
            Some(home) => send(home, link, namespace(place)).await,
            None => {
                taps.extend(tap::open(&link.name, *queues)?);
                Ok(())
            }
        },
        NetOp::AddMacvtap { link, lower, queues } => {
            macvtap::add(handle, &link.name, lower).await?;
            taps.extend(macvtap::open(&link.name, *queues)?);
            Ok(())
        }
        NetOp::SetMtu { link, mtu_bytes } => change(handle, link, |link| link.mtu(*mtu_bytes)).await,
        NetOp::Enslave { link, bridge } => {
            let index = if_nametoindex(bridge.as_str())?;
            change(handle, link, |link| link.controller(index)).await
        }
        NetOp::SetAddress { link, address, prefix } => {
            let index = if_nametoindex(link.name.as_str())?;
            handle.address().add(index, *address, *prefix).execute().await.map_err(to_io)
        }
        NetOp::AddNetem { link, netem } => {
            let index = if_nametoindex(link.name.as_str())?;
            netem::add(handle, i32::try_from(index).map_err(io::Error::other)?, netem).await
        }
        NetOp::SetUp { link } => change(handle, link, LinkMessageBuilder::up).await,
        NetOp::AwaitCarrier { link } => await_carrier(handle, link).await,
    }
}

async fn add_bridge(handle: &Handle, link: &LinkEnd) -> io::Result<()> {
    let bridge = LinkBridge::new(&link.name)
        .stp_state(BridgeStpState::Disabled)
        .forward_delay(0)
        .mcast_snooping(false)
        .build();
    handle.link().add(bridge).execute().await.map_err(to_io)
}

async fn add_veth(
    handle: &Handle,
    near: &LinkEnd,
    far: &LinkEnd,
    mtu_bytes: u32,
    far_namespace: &Namespace,
) -> io::Result<()> {
    // Born where it belongs: moving an interface afterwards costs two grace periods of RCU.
    let far_end = LinkUnspec::new_with_name(&far.name)
        .mtu(mtu_bytes)
        .setns_by_fd(far_namespace.as_fd().as_raw_fd())
        .build();
    let pair = LinkVeth::new(&near.name, &far.name)
        .mtu(mtu_bytes)
        .set_info_data(InfoData::Veth(InfoVeth::Peer(far_end)))
        .build();
    handle.link().add(pair).execute().await.map_err(to_io)
}

async fn change(
    handle: &Handle,
    link: &LinkEnd,
    how: impl FnOnce(LinkMessageBuilder<LinkUnspec>) -> LinkMessageBuilder<LinkUnspec>,
) -> io::Result<()> {
    let message = how(LinkUnspec::new_with_name(&link.name)).build();
    handle.link().set(message).execute().await.map_err(to_io)
}

/// The kernel's `linkwatch` work tells a bridge of a port's carrier; under load it waits long for the routing lock.
async fn await_carrier(handle: &Handle, link: &LinkEnd) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut answers = handle.link().get().match_name(&link.name).execute();
        let answer = answers.try_next().await.map_err(to_io)?;
        let last_seen = answer.as_ref().map_or_else(|| "nothing".to_owned(), describe_carrier);
        if last_seen == CARRIES {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let words = format!("after {PATIENCE:?} its state is: {last_seen}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, words));
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

const CARRIES: &str = "carries";

fn describe_carrier(link: &LinkMessage) -> String {
    for attribute in &link.attributes {
        match attribute {
            // A tap whose state nobody has asked about yet is `Unknown`, which counts as up (RFC 2863, `netif_oper_up`).
            LinkAttribute::OperState(State::Up | State::Unknown) => {}
            LinkAttribute::OperState(other) => return format!("{other:?}"),
            LinkAttribute::LinkInfo(parts) => {
                for part in parts {
                    if let LinkInfo::PortData(InfoPortData::BridgePort(port)) = part
                        && !port.contains(&InfoBridgePort::State(BridgePortState::Forwarding))
                    {
                        return "a port of the bridge that does not forward".into();
                    }
                }
            }
            _ => {}
        }
    }
    CARRIES.into()
}
