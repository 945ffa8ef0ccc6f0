//! What becomes of processes, descriptors and trials that cannot be played.

use std::path::Path;
use std::process::Command;

use rig_protocol::{Network, Program, Redirect, Witness};

use crate::driver::*;
use crate::stage::*;

/// Processes whose executable is this file.
fn running(file: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("proc is mounted").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == file)).collect()
}

/// A copy of the client that no other test runs.
fn own_copy(name: &str) -> std::path::PathBuf {
    let file = compile("client", &[]);
    let copy = file.with_file_name(name);
    let made = file.with_file_name(format!("{name}.{}", std::process::id()));
    std::fs::copy(&file, &made).expect("copied");
    std::fs::rename(made, &copy).expect("in the same folder");
    copy
}

fn children_of(agent: u32) -> String {
    let tasks = std::fs::read_dir(format!("/proc/{agent}/task")).expect("it runs").flatten();
    tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok()).collect()
}

#[test]
fn a_deadline_ends_the_whole_tree_under_every_witness() {
    let _turn = crate::stage::turn();
    for witness in Witness::ALL {
        let file = own_copy(&format!("hangs-{}", witness.word()));
        let script = against_reset(watched_by(client(&file, "hang"), witness));
        let setting = Setting { deadline_ns: 300 * MS, ..setting(4) };
        let mut pair = Pair::start();
        let (target, _) = pair.play(&script, &setting);
        let verdict = if witness == Witness::None { "unwatched" } else { "uncalled" };
        assert_eq!(
            target.tally.outcomes,
            counts(&[(&format!("{verdict},deadline"), 4)]),
            "{witness:?} {:?}",
            target.tally.voids
        );
        assert_eq!(running(&file), [0; 0], "{witness:?}");
        assert_eq!(children_of(pair.target.child.id()), "", "{witness:?}");
    }
}

#[test]
fn a_daemon_does_not_outlive_its_trial() {
    let _turn = crate::stage::turn();
    for witness in Witness::ALL {
        let file = own_copy(&format!("daemon-{}", witness.word()));
        let mut pair = Pair::start();
        let (target, _) =
            pair.play(&against_reset(watched_by(client(&file, "daemon"), witness)), &setting(4));
        assert_eq!(target.tally.trials, 4, "{:?}", target.tally.voids);
        assert_eq!(running(&file), [0; 0], "{witness:?}");
        assert_eq!(children_of(pair.target.child.id()), "", "{witness:?}");
    }
}

/// Four trials of a program, its three children and their children are under way.
fn hanging(file: &Path, witness: Witness) -> Pair {
    let script = against_reset(watched_by(client(file, "hang"), witness));
    let mut pair = Pair::start();
    let address = pair.peer.begin(setting(4).peer(&script));
    pair.target.begin(setting(4).target(&script, &address));
    while running(file).len() < 28 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    pair
}

fn await_none(file: &Path) {
    while !running(file).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn what_is_traced_ends_with_an_agent_that_is_killed() {
    let _turn = crate::stage::turn();
    let file = own_copy("hangs-killed");
    let mut pair = hanging(&file, Witness::Ptrace);
    pair.target.child.kill().expect("it runs");
    pair.target.child.wait().expect("it was killed");
    await_none(&file);
}

#[test]
fn every_program_ends_with_an_agent_whose_controller_has_gone() {
    let _turn = crate::stage::turn();
    for witness in Witness::ALL {
        let file = own_copy(&format!("hangs-alone-{}", witness.word()));
        let mut pair = hanging(&file, witness);
        assert!(pair.target.hang_up().success());
        await_none(&file);
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_void_with_its_reason() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let text = file.with_file_name("text");
    std::fs::write(&text, "no program\n").expect("written");
    let path = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let cases = [
        (Program { path: "/nonexistent/client".into(), ..client(&file, "plain") }, "exec: ENOENT"),
        (Program { path: path(&text), ..client(&file, "plain") }, "exec: EACCES"),
        (Program { directory: "/nonexistent".into(), ..client(&file, "plain") }, "directory: ENOENT"),
        (Program { input: Some("/nonexistent".into()), ..client(&file, "plain") }, "standard input: ENOENT"),
    ];
    for (program, reason) in cases {
        for witness in [Witness::Ptrace, Witness::None] {
            let (target, _) = play(&against_reset(watched_by(program.clone(), witness)), &setting(4));
            assert_eq!(target.tally.voids, counts(&[(reason, 4)]), "{witness:?}");
            assert_eq!(target.tally.trials, 0);
        }
    }
}

#[test]
fn commands_run_before_the_trials_and_a_failing_one_refuses() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let mark = file.with_file_name(format!("mark.{}", std::process::id()));
    let script =
        |before: &[String]| against_reset(Program { before: before.to_vec(), ..client(&file, "plain") });
    let good = [format!("echo once >> {}", mark.display()), "true".to_owned()];
    let (target, _) = play(&script(&good), &setting(4));
    assert_eq!(
        (target.tally.trials, std::fs::read_to_string(&mark).expect("made")),
        (4, "once\n".to_owned())
    );
    std::fs::remove_file(mark).expect("made here");
    let mut agent = Agent::start();
    let refusal = agent.refuse(setting(4).target(&script(&["echo why; exit 3".to_owned()]), "127.0.0.1:1"));
    assert_eq!(refusal, "before: `echo why; exit 3`: exit=3: why");
}

#[test]
fn fixed_ports_do_not_collide_in_networks_of_their_own() {
    let _turn = crate::stage::turn();
    let program = Program { network: Network::Own, ..program(&compile("both", &[])) };
    for witness in Witness::ALL {
        let mut agent = Agent::start();
        let setting = Setting { in_flight: 8, ..setting(40) };
        agent.begin(setting.target(&alone(watched_by(program.clone(), witness)), ""));
        let target = agent.conclude();
        let outcome =
            if witness == Witness::None { "unwatched,exit=0" } else { "readable,data,ECONNRESET,exit=0" };
        assert_eq!(target.tally.outcomes, counts(&[(outcome, 40)]), "{witness:?} {:?}", target.tally.voids);
        let sums = target.tally.program.as_ref().expect("sums");
        assert_eq!(sums.own_resets, 40, "{witness:?}");
        assert_eq!(sums.accounts[0].said_returned, Some(1));
    }
}

#[test]
fn a_connect_to_the_trials_own_server_is_not_led_away() {
    let _turn = crate::stage::turn();
    // One at a time: the port is the target network's.
    for witness in Witness::ALL {
        let free =
            std::net::TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("bound").port();
        let program = Program { arguments: vec![free.to_string()], ..program(&compile("both", &[])) };
        let script = against_reset(watched_by(program, witness));
        let (target, _) = play(&script, &Setting { in_flight: 1, ..setting(3) });
        let sums = target.tally.program.as_ref().expect("sums");
        assert_eq!((sums.redirected, sums.ends.clone()), (0, counts(&[("exit=0", 3)])), "{witness:?}");
    }
}

#[test]
fn connects_are_led_to_the_peer_whatever_they_name() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    // Nobody listens there.
    let arguments = ["plain", "127.0.0.78", "8083"].map(str::to_owned).to_vec();
    for witness in Witness::ALL {
        let program = watched_by(Program { arguments: arguments.clone(), ..client(&file, "plain") }, witness);
        let (target, _) = play(&against_reset(program.clone()), &setting(6));
        let outcome =
            if witness == Witness::None { "unwatched,exit=0" } else { "readable,data,ECONNRESET,exit=0" };
        assert_eq!(target.tally.outcomes, counts(&[(outcome, 6)]), "{witness:?}");
        assert_eq!(target.tally.program.as_ref().expect("sums").redirected, 6, "{witness:?}");
        assert!(target.records.iter().all(|record| record.local_port != 0), "{witness:?}");
        let only = Redirect::Only(vec!["127.0.0.78:8084".to_owned()]);
        let (target, _) = play(&against_reset(Program { redirect: only, ..program }), &setting(2));
        let ends = &target.tally.program.as_ref().expect("sums").ends;
        assert_eq!(*ends, counts(&[("exit=2", 2)]), "{witness:?}");
    }
}

#[test]
fn a_thousand_trials_leave_no_descriptor_and_no_process() {
    let _turn = crate::stage::turn();
    let open = |pid: u32| std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count();
    for (witness, trials) in [(Witness::Ptrace, 1_000), (Witness::Tracepoint, 200), (Witness::None, 200)] {
        let mut agent = Agent::start();
        let program = Program { network: Network::Own, ..program(Path::new("/bin/true")) };
        let script = alone(watched_by(program, witness));
        let before = open(agent.child.id());
        agent.begin(Setting { keep_examples: 0, ..setting(trials) }.target(&script, ""));
        let target = agent.conclude();
        let verdict = if witness == Witness::None { "unwatched" } else { "uncalled" };
        assert_eq!(target.tally.outcomes, counts(&[(&format!("{verdict},exit=0"), trials)]), "{witness:?}");
        let left = (open(agent.child.id()), children_of(agent.child.id()));
        assert_eq!(left, (before, String::new()), "{witness:?}");
    }
}

#[test]
fn a_program_runs_below_its_root() {
    let _turn = crate::stage::turn();
    let file = compile("client", &["-static"]);
    let root = file.with_file_name(format!("root.{}", std::process::id()));
    std::fs::create_dir_all(root.join("bin")).expect("made");
    std::fs::copy(&file, root.join("bin/client")).expect("copied");
    let program = Program { path: "/bin/client".into(), directory: "/bin".into(), ..client(&file, "stale") };
    let script = against_reset(program);
    let mut pair = Pair::start();
    let address = pair.peer.begin(setting(4).peer(&script));
    let mut assignment = setting(4).target(&script, &address);
    assignment.root = Some(root.to_str().expect("a plain path").to_owned());
    pair.target.begin(assignment);
    let target = pair.target.conclude();
    pair.peer.finish();
    std::fs::remove_dir_all(root).expect("made here, nothing is mounted in it");
    assert_eq!(
        target.tally.outcomes,
        counts(&[("readable,data,ECONNRESET,exit=0", 4)]),
        "{:?}",
        target.tally.voids
    );
    let sums = target.tally.program.as_ref().expect("sums");
    assert_eq!(sums.accounts[0].libc, Some(rig_protocol::Errno::ENOENT));
}

/// The names and returns of the calls from the first socket on, as strace(1) sees them.
fn straced(file: &Path, address: &str, output: &Path) -> Vec<String> {
    let (ip, port) = address.rsplit_once(':').expect("address:port");
    let names = "trace=socket,connect,write,openat,pselect6,read,close";
    let status = Command::new("strace")
        .args(["-f", "-e", names, "-o"])
        .arg(output)
        .arg(file)
        .args(["stale", ip, port])
        .stdout(std::process::Stdio::null())
        .status()
        .expect("strace is installed");
    assert!(status.success());
    let text = std::fs::read_to_string(output).expect("written");
    std::fs::remove_file(output).expect("written");
    let call = |line: &str| {
        let call = line.split_once(' ')?.1.trim_start();
        let (name, rest) = call.split_once('(')?;
        let returned = rest.rsplit_once(" = ")?.1;
        let failed = returned.split_whitespace().nth(1).filter(|_| returned.starts_with("-1"));
        Some(format!("{name} {}", failed.or(returned.split_whitespace().next())?))
    };
    let calls: Vec<_> = text.lines().filter_map(call).collect();
    let first = calls.iter().position(|call| call.starts_with("socket ")).expect("a socket");
    calls[first..].to_vec()
}

#[test]
fn the_calls_of_a_trial_are_those_that_strace_sees() {
    let _turn = crate::stage::turn();
    if Command::new("strace").arg("-V").output().is_err() {
        return skip("the calls of a trial are those that strace sees: no strace");
    }
    let file = compile("client", &[]);
    let script = against_reset(Program { redirect: Redirect::None, ..client(&file, "stale") });
    let mut pair = Pair::start();
    let address = pair.peer.begin(setting(200).peer(&script));
    let output = file.with_file_name(format!("strace.{}", std::process::id()));
    let seen: Vec<_> = (0..100).map(|_| straced(&file, &address, &output)).collect();
    let setting = Setting { keep_examples: 100, ..setting(100) };
    pair.target.begin(setting.target(&script, &address));
    let target = pair.target.conclude();
    pair.peer.finish();
    assert_eq!(target.records.len(), 100);
    let of_trial = |calls: &[rig_protocol::CallLog]| -> Vec<String> {
        let first = calls.iter().position(|call| call.call == "socket").expect("a socket");
        let word = |call: &rig_protocol::CallLog| {
            let returned = call.returned.expect("it returned");
            let word = rig_protocol::Errno::of_return(returned)
                .map_or(returned.to_string(), |errno| errno.to_string());
            format!("{} {word}", call.call)
        };
        calls[first..].iter().map(word).collect()
    };
    for (record, seen) in target.records.iter().zip(&seen) {
        assert_eq!(&of_trial(&record.program.as_ref().expect("a program").calls), seen);
    }
}
