//! What the shipped matrix has: its configurations, and what each profile plays.
//!
//! Must not test what a matrix means: the parent does. Units: counts. Errors: none.

use super::*;

#[test]
fn the_shipped_file_has_the_configurations_of_the_contract() {
    let matrix = matrix(SHIPPED);
    let cells = select(&matrix, "nightly", &[]);
    let names: BTreeSet<&str> = cells.iter().map(|cell| cell.subject.configuration.name.as_str()).collect();
    let contract =
        ["bare-metal", "virtio-tap", "virtio-user", "virtio-vhost", "virtio-vhost-mq", "vmxnet3-tap"];
    let further = [
        "virtio-pair",
        "virtio-vsock",
        "bare-metal-no-localtime",
        "bare-metal-tz",
        "bare-metal-no-localtime-tz",
        "virtio-tap-no-localtime",
        "virtio-tap-tz",
        "virtio-tap-no-localtime-tz",
    ];
    assert_eq!(names, contract.into_iter().chain(further).collect());
    for cell in &cells {
        let TargetSpec::Qemu(spec) = &cell.subject.configuration.target else { continue };
        assert_eq!(spec.accelerator, Accelerator::Auto);
        let nic = &spec.nic;
        match cell.subject.configuration.name.as_str() {
            "virtio-vhost" => {
                assert_eq!(
                    (nic.model, nic.backend, nic.queues),
                    (NicModel::VirtioNet, NicBackend::TapVhost, 1)
                )
            }
            "virtio-vhost-mq" => assert!(nic.queues > 1 && nic.backend == NicBackend::TapVhost),
            "vmxnet3-tap" => assert_eq!((nic.model, nic.backend), (NicModel::Vmxnet3, NicBackend::Tap)),
            "virtio-user" => assert!(cell.subject.configuration.target.proxied()),
            "virtio-pair" => {
                assert_eq!(
                    (nic.model, nic.backend, nic.queues),
                    (NicModel::VirtioNet, NicBackend::Socket, 1)
                );
                let subject = &cell.subject;
                assert_eq!(peer_seat(&subject.configuration.target, &subject.path), PeerSeat::Guest);
            }
            _ => assert_eq!((nic.model, nic.backend), (NicModel::VirtioNet, NicBackend::Tap)),
        }
    }
}

#[test]
fn the_quick_profile_is_what_two_cores_can_do_in_ten_minutes() {
    let matrix = matrix(SHIPPED);
    let selected = matrix.select(&Selection::default()).expect("the default profile");
    assert_eq!(selected.profile, "quick");
    let base: Vec<&Cell> = selected
        .cells
        .iter()
        .filter(|cell| cell.subject.scenario == "rst" && cell.subject.parameters["client_delay"] == "3s")
        .collect();
    // Bare metal once, and each guest once on each kernel.
    let names = |what: fn(&Subject) -> &str| -> BTreeSet<&str> {
        base.iter().filter(|cell| !cell.is_baseline()).map(|cell| what(&cell.subject)).collect()
    };
    let guests = names(|subject| &subject.configuration.name);
    let kernels = names(|subject| &subject.kernel);
    assert_eq!(guests, BTreeSet::from(["virtio-tap", "virtio-vhost"]));
    assert!(kernels.len() >= 2, "{kernels:?}");
    let mut expected = vec![("bare-metal", HOST_KERNEL)];
    expected.extend(guests.iter().flat_map(|guest| kernels.iter().map(|kernel| (*guest, *kernel))));
    let mut found: Vec<(&str, &str)> = base
        .iter()
        .map(|cell| (cell.subject.configuration.name.as_str(), cell.subject.kernel.as_str()))
        .collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(base.iter().all(|cell| cell.trials >= 2_000 && cell.subject.parameters["peer_delay"] == "0ms"));
    let random = |cell: &Cell| {
        cell.subject
            .script
            .lanes
            .iter()
            .flat_map(|lane| &lane.steps)
            .any(|step| matches!(step.op, Op::Sleep { duration: Delay::Uniform { .. } }))
    };
    assert!(selected.cells.iter().any(|cell| cell.subject.scenario == "rst" && random(cell)));
    // The usual machine has no vhost-net: its cells are skipped, and the rest fits.
    let vhost = |cell: &Cell| {
        (cell.subject.configuration.name == "virtio-vhost").then_some(Lack::VhostNet(Unable::NoVhost))
    };
    let Settings { blocks, control_blocks, .. } = selected.settings;
    let plan = Plan::make(selected.cells, &vhost);
    for cell in plan.ready().filter(|cell| !cell.is_baseline()) {
        let most = if cell.control.is_some() { control_blocks } else { blocks };
        assert!(cell.blocks <= most, "{} boots {} guests", cell.describe(), cell.blocks);
    }
    let plan = plan.with_again();
    let cost = plan.cost(Accelerator::Tcg);
    assert!(cost.time.as_secs() < 480, "{cost:?}");
}

#[test]
fn the_rehearsal_boots_few_guests_and_has_the_five_production_scenarios_and_method_four() {
    let matrix = matrix(SHIPPED);
    let cells = select(&matrix, "rehearsal", &[]);
    // Each guest is booted in an emulated host: one kernel, and what has a path of its own on one kind of guest at most.
    let on_guests = || cells.iter().filter(|cell| !cell.is_baseline());
    let kernels: BTreeSet<&str> = on_guests().map(|cell| cell.subject.kernel.as_str()).collect();
    assert_eq!(kernels.len(), 1, "{kernels:?}");
    let mut seen = BTreeSet::new();
    for cell in on_guests().filter(|cell| cell.control.is_none() && !cell.subject.path.is_plain()) {
        let Subject { scenario, parameters, path, .. } = &cell.subject;
        assert!(seen.insert((scenario, parameters, &path.name)), "{} on two guests", cell.describe());
    }
    assert!(
        cells
            .iter()
            .all(|cell| cell.blocks == 1 && cell.trials <= 100 + 200 * u64::from(cell.control.is_some()))
    );
    let on = |configuration: &str, path: &str| {
        let here =
            |cell: &&Cell| cell.subject.configuration.name == configuration && cell.subject.path.name == path;
        cells.iter().filter(here).filter(|cell| cell.control.is_none()).count()
    };
    for path in ["direct", "firewall-idle", "balancer-down", "ips-answer", "overtake"] {
        assert_eq!(on("bare-metal", path), 1, "{path}");
        assert!(on("virtio-tap", path) + on("virtio-vhost", path) >= 1, "{path} in a guest");
    }
    let others = ["haproxy-down", "reject-on-client", "reject-on-server", "reject-answer-on-client"];
    for path in others.into_iter().chain(["forged-plus-1000", "forged-exact", "wire-netem", "wire-middlebox"])
    {
        assert_eq!(on("bare-metal", path), 1, "{path}");
    }
    // Both errnos have a positive control wherever a cell is, or its zeros would be blind.
    for configuration in ["bare-metal", "virtio-tap", "virtio-vhost"] {
        let proven: BTreeSet<String> = cells
            .iter()
            .filter(|cell| cell.subject.configuration.name == configuration)
            .filter_map(|cell| cell.control.as_ref())
            .filter(|control| control.expected_rate > 0.0)
            .map(|control| control.errno.to_string())
            .collect();
        assert_eq!(proven, BTreeSet::from(["EBADF".to_owned(), "ENOENT".to_owned()]), "{configuration}");
    }
}

#[test]
fn every_shipped_path_is_played_at_night() {
    let matrix = matrix(SHIPPED);
    let cells = select(&matrix, "nightly", &[]);
    let played: BTreeSet<&str> = cells.iter().map(|cell| cell.subject.path.name.as_str()).collect();
    let declared: BTreeSet<&str> = matrix.paths.iter().map(|path| path.name.as_str()).collect();
    assert_eq!(played, declared);
    // What happens once in a block must meet all of its trials.
    for cell in cells.iter().filter(|cell| cell.subject.path.faults.iter().any(|fault| fault.every_ns == 0)) {
        let once = cell.subject.path.faults.iter().any(|fault| fault.after_ns > 0);
        let per_block = cell.trials.div_ceil(u64::from(cell.blocks));
        assert!(!once || u64::from(cell.in_flight) >= per_block, "{}", cell.describe());
    }
}

#[test]
fn the_nightly_profile_has_every_scenario_and_delay_of_the_base_program() {
    let cells = select(&matrix(SHIPPED), "nightly", &["configuration=virtio-vhost", "kernel=6.12"]);
    let shipped: BTreeSet<&str> = crate::script::shipped_names().collect();
    // Streams of vsock need a device, which no other guest has.
    let vsock = select(&matrix(SHIPPED), "nightly", &["configuration=virtio-vsock", "kernel=6.12"]);
    let all = cells.iter().chain(&vsock);
    let found: BTreeSet<&str> = all.map(|cell| cell.subject.scenario.as_str()).collect();
    assert_eq!(found, shipped);
    let rst = |peer: &str, client: &str, call: &str| {
        cells.iter().any(|cell| {
            let p = &cell.subject.parameters;
            cell.subject.scenario == "rst"
                && p["peer_delay"] == peer
                && p["client_delay"] == client
                && p["call"] == call
        })
    };
    for peer in ["0ms", "5ms", "10ms"] {
        for client in ["0ms", "1ms", "1s", "3s"] {
            assert!(rst(peer, client, "select"), "{peer} {client}");
        }
    }
    for call in ["select", "pselect6", "libc"] {
        assert!(rst("5ms", "uniform(0ms, 15ms)", call), "{call}");
    }
}
