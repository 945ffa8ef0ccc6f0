//! Both agents in a network namespace that nobody else uses: the kernel's counters must be exact there.

use rig_protocol::Call;

use crate::driver::*;
use crate::namespace::Namespace;

#[test]
fn alone_in_its_namespace_the_agent_counts_every_reset_and_widens_its_ports() {
    let Some(namespace) = Namespace::make() else { return };
    let mut pair = namespace.pair();
    for agent in [&pair.target, &pair.peer] {
        assert_eq!(agent.hello.sysctls["net.ipv4.ip_local_port_range"], "1024\t65535");
    }
    // The client's greeting is read and answered before the reset, and no segment follows it: one RST per connection.
    let quiet = script(
        vec![
            connect(),
            write("hello"),
            select(5 * SECOND).verdict(),
            sleep(5 * MS),
            read().outcome(),
            read().outcome(),
        ],
        vec![accept(), read(), write("CDEF"), sleep(MS), linger(), close()],
        &["readable,data,ECONNRESET"],
    );
    let (target, peer) = pair.play(&quiet, &Setting::default());
    assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET", 200)]));
    for side in [&target, &peer] {
        assert_eq!(side.tally.counters["Tcp.OutRsts"], 200);
        assert_eq!(side.tally.counters["Tcp.ActiveOpens"], 200);
    }
    let (again, _) = pair.play(&base(Call::Libc), &Setting { trials: 50, ..Setting::default() });
    assert_eq!(again.tally.counters["Tcp.PassiveOpens"], 50, "differences, not totals");
}

/// Every SYN goes to a neighbour that does not exist.
#[test]
fn a_connect_that_its_deadline_cuts_is_told_by_its_name_or_as_the_verdict() {
    let Some(namespace) = Namespace::make() else { return };
    namespace.run("ip link add dark type veth peer name hole && ip link set hole up && ip link set dark up");
    namespace.run("ip address add 192.0.2.1/24 dev dark");
    namespace.run("ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev dark");
    let mut target = namespace.agent();
    let setting = Setting { trials: 8, deadline_ns: 100 * MS, ..Setting::default() };
    let before = script(vec![connect(), select(0).verdict()], vec![], &["connect:deadline"]);
    let verdict = script(vec![connect().verdict(), so_error().outcome()], vec![], &["deadline"]);
    for (script, outcome) in [(before, "connect:deadline"), (verdict, "deadline")] {
        target.begin(setting.target(&script, "192.0.2.2:1"));
        let played = target.conclude();
        assert_eq!(played.tally.outcomes, counts(&[(outcome, 8)]));
        assert_eq!((played.tally.unreturned, played.tally.void(), played.tally.anomalies), (8, 0, 0));
        assert!(played.tally.returns.is_empty());
        for record in &played.records {
            let [connect] = &record.steps[..] else { panic!("nothing after the cut: {record:?}") };
            assert!(connect.cut && connect.errno().is_none() && record.local_port != 0, "{record:?}");
        }
    }
}

#[test]
fn hello_tells_of_the_interfaces_of_its_namespace_and_of_no_other() {
    let Some(namespace) = Namespace::make() else { return };
    assert!(namespace.agent().hello.interfaces.is_empty(), "only lo is there");
    namespace.run("ip link add right mtu 1400 type veth peer name left && ip link add bridge type bridge");
    let found = namespace.agent().hello.interfaces.clone();
    let told: Vec<_> =
        found.iter().map(|one| (one.name.as_str(), one.driver.as_str(), one.mtu_bytes)).collect();
    assert_eq!(told, [("bridge", "bridge", 1500), ("left", "veth", 1500), ("right", "veth", 1400)]);
    for interface in &found {
        assert!(interface.offloads.contains_key("tx-checksum-ip-generic"), "{interface:?}");
        assert_eq!(interface.virtio, None);
    }
    assert!(found[1].offloads["tx-tcp-segmentation"] && !found[1].offloads["hw-tc-offload"]);
}

#[test]
fn on_a_shared_host_the_agent_changes_no_setting() {
    let before = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").expect("readable");
    let agent = Agent::start();
    assert_eq!(agent.hello.sysctls["net.ipv4.ip_local_port_range"], before.trim_end());
}
