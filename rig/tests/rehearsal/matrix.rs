//! The shipped rehearsal profile on real KVM and real vhost-net: every cell that it names, and what each must have found.

use std::collections::BTreeMap;
use std::path::Path;

use rig::analysis::analyse;
use rig::analysis::model::{CellReason, CellStatus, CellSummary, IdleRule, ReportModel, told};
use rig::record::Reader;
use rig::record::format::BlockRecord;
use rig_protocol::Returned;
use rig_stats::{Count, fisher};

use super::*;

/// A rehearsal of the profile takes a quarter of an hour on a slow machine; only a hang reaches this.
const BOUND: Duration = Duration::from_secs(2700);

#[test]
fn the_rehearsal_profile_runs_whole_on_kvm_and_vhost() {
    if !can_run("the rehearsal profile") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("rig/ lies in the workspace");
    for what in ["matrix.toml", "images"] {
        std::os::unix::fs::symlink(root.join(what), folder.path().join(what)).expect("a link");
    }
    let begin = &["--profile", "rehearsal", "--seed", "7", "--capture", "always"][..];
    let (mut status, mut said) = rehearse_matrix(folder.path(), begin);
    // An emulator of a host of guests may hang for good, seen in one of five boots of guests in it, or stand still for minutes on a busy machine: then the run goes on in the
    // next one, as its error says, and loses nothing.
    for _ in 0..8 {
        let hung = said.contains("a sign of life")
            || said.contains("for a message of the emulated host")
            || said.contains("the emulated KVM host ended while");
        if status.code() != Some(4) || !hung {
            break;
        }
        (status, said) = rehearse_matrix(folder.path(), &["--resume", "latest"]);
    }
    assert_eq!(status.code(), Some(0), "{said}");
    let run = fs::read_dir(folder.path().join("results")).expect("brought back").flatten().next();
    let run_dir = run.expect("one run").path();
    let run = Reader::open(&run_dir).expect("a whole record");
    assert!(run.record.environment.rehearsed);
    assert!(schema::assert_run(&run_dir) > run.blocks.len(), "the blocks, and what tells of them");
    let model = analyse(&run);
    assert_eq!(short(&model), Vec::<String>::new(), "{said}");
    on_real_kvm(&model, &run.blocks);
    vsock_is_read_back(&run.blocks);
    controls_passed(&model);
    outcomes(&model);
    two_mechanisms_agree(&model);
    packets_of_vhost(&model, &run.blocks, &run_dir);
    confined(&run.blocks, &run_dir);
}

/// One rehearsal of `matrix run` with these arguments: how it ended, and all that it said.
fn rehearse_matrix(folder: &Path, arguments: &[&str]) -> (ExitStatus, String) {
    let log = fs::File::create(folder.join("log")).expect("a file");
    let mut child = Command::new(env!("CARGO_BIN_EXE_rig"))
        .args(["rehearse", "--console", "console.log", "--", "matrix", "run"])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file"))
        .stderr(log)
        .spawn()
        .expect("rig starts");
    let status = await_end_within(&mut child, BOUND);
    (status, fs::read_to_string(folder.join("log")).unwrap_or_default())
}

#[test]
fn the_emulated_host_can_do_what_this_one_may_lack() {
    if !can_run("the doctor in a rehearsal") {
        return;
    }
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_rig"))
        .args(["rehearse", "--", "doctor", "--format", "json"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("rig starts");
    let mut pipe = child.stdout.take().expect("a pipe");
    let reading = thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    let status = await_end(&mut child);
    let text = reading.join().expect("no panic").expect("UTF-8");
    assert_eq!(status.code(), Some(0), "{text}");
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for wanted in
        ["kvm", "vhost-net", "vhost-vsock", "netns", "tap", "macvtap", "nft", "netem", "confinement"]
    {
        let capabilities = told["capabilities"].as_array().expect("a list");
        let one = capabilities.iter().find(|one| one["name"] == wanted).expect(wanted);
        assert_eq!(one["state"], "usable", "{one}");
    }
}

/// Cells that do not have their trials.
fn short(model: &ReportModel) -> Vec<String> {
    let cells = model.cells.iter().filter(|cell| cell.status != CellStatus::Complete);
    cells
        .map(|cell| format!("{} {} {}: {}", cell.scenario, cell.configuration, cell.path, told(&cell.reason)))
        .collect()
}

fn on_real_kvm(model: &ReportModel, blocks: &[BlockRecord]) {
    for (configuration, least) in [("virtio-tap", 5), ("virtio-vhost", 5), ("virtio-macvtap-vhost", 1)] {
        let cells: Vec<_> = model.cells.iter().filter(|cell| cell.configuration == configuration).collect();
        assert!(cells.len() >= least, "{configuration} has {} cells", cells.len());
        assert!(cells.iter().all(|cell| cell.accelerators == ["kvm"]), "{cells:#?}");
        for cell in cells {
            for block in blocks.iter().filter(|block| block.cell.0 == cell.id) {
                let proof = &block.target.vhost_proof;
                assert_eq!(!proof.is_empty(), configuration != "virtio-tap", "{}: {proof:?}", block.id);
            }
        }
    }
}

/// The guest's kernel has the CID that QEMU was given.
fn vsock_is_read_back(blocks: &[BlockRecord]) {
    let cids = blocks.iter().filter_map(|block| {
        let device = block.target.command_line.iter().find(|word| word.starts_with("vhost-vsock-pci"))?;
        let cid = device.split("guest-cid=").nth(1)?.split(',').next()?.parse().ok();
        Some((cid, block.target_hello.as_ref()?.vsock_cid))
    });
    let cids: Vec<(Option<u32>, Option<u32>)> = cids.collect();
    assert!(cids.len() >= 3 && cids.iter().all(|(given, read)| given.is_some() && given == read), "{cids:?}");
}

fn controls_passed(model: &ReportModel) {
    assert!(model.controls.len() >= 6, "{:#?}", model.controls);
    assert!(model.controls.iter().all(|control| control.passed()), "{:#?}", model.controls);
}

fn at<'a>(model: &'a ReportModel, scenario: &str, path: &str, configuration: &str) -> &'a CellSummary {
    let wanted = |cell: &&CellSummary| {
        cell.scenario == scenario && cell.path == path && cell.configuration == configuration
    };
    model.cells.iter().find(wanted).unwrap_or_else(|| panic!("no {scenario} over {path} on {configuration}"))
}

/// Every trial of the cell ended so.
fn outcomes(model: &ReportModel) {
    let reset = "readable,data,ECONNRESET";
    for (scenario, path, configurations, outcome) in [
        ("rst", "direct", &["bare-metal", "virtio-tap", "virtio-vhost", "virtio-macvtap-vhost"][..], reset),
        ("rst", "overtake", &["bare-metal", "virtio-vhost"], reset),
        ("path-resets", "firewall-idle", &["bare-metal", "virtio-tap"], reset),
        ("path-resets", "haproxy-down", &["bare-metal"], "readable,data,eof"),
        ("path-resets", "ips-answer", &["bare-metal", "virtio-tap"], reset),
        ("path-resets", "forged-exact", &["bare-metal", "virtio-vhost"], reset),
        ("rst", "reject-on-client", &["bare-metal", "virtio-tap"], reset),
        ("path-resets", "reject-on-server", &["bare-metal"], "readable,ECONNRESET,eof"),
        ("vsock-closed", "direct", &["virtio-vsock"], "readable,data,eof"),
        ("vsock-reset", "vsock-reset", &["virtio-vsock"], "readable,ENOTCONN,ECONNRESET"),
    ] {
        for configuration in configurations {
            let cell = at(model, scenario, path, configuration);
            assert_eq!(cell.outcomes, BTreeMap::from([(outcome.to_owned(), cell.trials)]), "{cell:#?}");
        }
    }
    // Of 100 connections at once, some may not have their answer when the backend is marked down.
    for configuration in ["bare-metal", "virtio-vhost"] {
        let cell = at(model, "path-resets", "balancer-down", configuration);
        let ends = [reset, "readable,ECONNRESET,eof"];
        assert!(cell.outcomes.keys().all(|outcome| ends.contains(&outcome.as_str())), "{cell:#?}");
        assert!(cell.outcomes[reset] * 4 >= cell.trials, "{cell:#?}");
    }
    // A call that looks while the connect is reset may see the new state without the error.
    let cell = at(model, "vsock-refused", "direct", "virtio-vsock");
    let reset = ["readable+writable", "writable"].map(|ready| format!("EINPROGRESS,{ready},ECONNRESET,ok"));
    assert!(cell.outcomes.keys().all(|outcome| reset.contains(outcome)), "{cell:#?}");
    assert!(cell.outcomes[&reset[0]] * 2 >= cell.trials, "{cell:#?}");
    // The client hangs half-open, but for a rare trial in which the emulated host sends the last ACK of its handshake after "ABCD", and so late
    // that the refusal's RST is there first: that ACK meets a closed port, which resets the client.
    let cell = at(model, "path-resets", "reject-answer-on-client", "bare-metal");
    let (hangs, reset) = ("timeout,EAGAIN,EAGAIN", "readable,ECONNRESET,eof");
    assert!(cell.outcomes.keys().all(|outcome| [hangs, reset].contains(&outcome.as_str())), "{cell:#?}");
    assert!(cell.outcomes[hangs] * 10 >= cell.trials * 9, "{cell:#?}");
    for configuration in ["bare-metal", "virtio-tap"] {
        // Not believed: select() says 0 when its time is over, and the connection answers afterwards.
        let cell = at(model, "forged-rst", "forged-plus-1000", configuration);
        assert_eq!(cell.returns, BTreeMap::from([(Returned::ZERO, cell.trials)]), "{cell:#?}");
        assert!(cell.outcomes.keys().all(|outcome| outcome.ends_with("data")), "{cell:#?}");
        let cell = at(model, "rst", "reject-on-client", configuration);
        assert_eq!(cell.path_counters["rule.reject"], 0, "{cell:#?}");
        let idle = IdleRule { name: "reject".into(), matched: 0, trials: cell.trials };
        assert_eq!(cell.reason, Some(CellReason::WithoutEffect(vec![idle])), "{cell:#?}");
    }
}

/// The same lossy wire by netem and by the own middlebox: every trial of either ends in one of the ways that a loss leaves, and none of
/// those ways is so much more frequent with one of them that chance would not do it once in a million runs.
fn two_mechanisms_agree(model: &ReportModel) {
    let [netem, own] =
        ["wire-netem", "wire-middlebox"].map(|path| at(model, "rst-patient", path, "bare-metal"));
    assert!(netem.mechanisms.iter().any(|words| words.contains("netem (")), "{netem:#?}");
    assert!(own.mechanisms.iter().any(|words| words.contains("own middlebox (")), "{own:#?}");
    assert!(netem.path_counters.keys().any(|name| name.starts_with("netem.")), "{netem:#?}");
    let share = |cell: &CellSummary, outcome: &str| {
        let n = cell.outcomes.get(outcome).copied().unwrap_or(0);
        Count::new(n, cell.trials).expect("a part of the trials")
    };
    for outcome in netem.outcomes.keys().chain(own.outcomes.keys()) {
        let p = fisher(share(netem, outcome), share(own, outcome));
        assert!(p > 1e-6, "{outcome}: p = {p}\n{:?}\n{:?}", netem.outcomes, own.outcomes);
        assert!(!outcome.starts_with('E'), "select() failed: {outcome}");
    }
}

/// Also with KVM and vhost-net no QEMU was root, or had any capability or environment: read of each process when it had greeted.
fn confined(blocks: &[BlockRecord], run_dir: &Path) {
    let mut looked = 0;
    // QEMU greets once, in the first block of a boot (place 0).
    let first = |block: &&BlockRecord| block.boot.as_ref().is_none_or(|boot| boot.place == 0);
    for block in blocks.iter().filter(|block| !block.target.qmp.is_empty()).filter(first) {
        let log =
            fs::read_to_string(run_dir.join(&block.target.qmp)).expect("the conversation with its QEMU");
        let mut lines =
            log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let noted = lines.find(|line| line["message"]["uid"].is_number()).expect("what runs is noted");
        let noted = &noted["message"];
        assert!(noted["uid"].as_u64().expect("a number") >= 65_000, "{noted}");
        assert_eq!(noted["capabilities"], "0000000000000000");
        assert_eq!(noted["environment_bytes"], 0);
        looked += 1;
    }
    let boots: std::collections::BTreeSet<&str> =
        blocks.iter().filter_map(|block| Some(block.boot.as_ref()?.name.as_str())).collect();
    assert!(looked == boots.len() && looked >= 5, "{looked} guests, boots {boots:?}");
}

/// vhost-net's worker takes the packets past QEMU, and not past the tap: both ends have their file, each with the RST of every trial.
fn packets_of_vhost(model: &ReportModel, blocks: &[BlockRecord], run_dir: &Path) {
    let cell = at(model, "rst", "direct", "virtio-vhost");
    let block = blocks.iter().find(|block| block.cell.0 == cell.id).expect("it was played");
    let resets = "tcp.flags.reset == 1 && tcp.srcport == 8083";
    assert_eq!(block.captures.len(), 2, "a file for each end: {:?}", block.captures);
    for (end, interface) in [("target", "target:tap0"), ("peer", "peer:peer0")] {
        let is_ends = |file: &&String| file.ends_with(&format!(".{end}.pcapng"));
        let file = run_dir.join(block.captures.iter().find(is_ends).expect("every block was captured"));
        let Some(program) = tools::needs("tshark") else { return };
        let mut tshark = Command::new(program);
        tshark.arg("-r").arg(&file).args(["-Y", resets, "-T", "fields", "-e", "frame.interface_name"]);
        let output = tshark.output().expect("it was found");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let seen = text.lines().filter(|line| *line == interface).count() as u64;
        assert!(seen >= cell.trials, "{seen} RSTs at {interface} in {} trials", cell.trials);
    }
}
