//! `rig replay`: a recorded block is played again, and whether it happened again is said.

use crate::blackbox::{Lab, is_root, matrix};

const DOSED: &str =
    "[configuration.dosed]\nkind = \"host\"\ninject = { errno = \"EBADF\", rate = \"10%\" }\n";

/// An errno that is injected by the seed comes in the very same trials; what is sound stays so.
#[test]
fn what_the_seed_decides_happens_again_in_the_same_trials() {
    if !is_root("netns") {
        return;
    }
    let run = "trials = 400\nblocks = 2\ncontrol_trials = 150\ncontrol_blocks = 1\n[scenario.rst]\nclient_delay = \"0ms\"";
    let text = matrix(run, r#""rst""#, r#""bare-metal", "dosed""#);
    let lab = Lab::new(&format!("{text}{DOSED}"));
    lab.run("matrix run --seed 7 --capture anomaly").expect(5);
    let run = lab.only_run();
    let report = run.report();
    let id = |configuration: &str| {
        let cells = report["cells"].as_array().unwrap();
        let of =
            |cell: &&serde_json::Value| cell["scenario"] == "rst" && cell["configuration"] == configuration;
        cells.iter().find(of).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let dosed = id("dosed");
    let anomaly = report["anomalies"]["trials"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["cell"] == dosed.as_str())
        .unwrap();
    // Its packets are beside its steps, at both ends, and on the page.
    let packets = anomaly["packets"].as_array().unwrap();
    for end in ["target", "peer"] {
        let seen = |words: &str| {
            packets.iter().any(|one| one["at"] == end && one["words"].as_str().unwrap().contains(words))
        };
        assert!(seen("SYN") && seen("RST"), "{end}: {packets:?}");
    }
    let page = run.read("report.html");
    assert!(page.contains("wire, at the peer") && page.contains("c-rung c-reset-packet"), "it is drawn");
    let (block, trial) = (anomaly["block"].as_str().unwrap(), anomaly["kept"]["trial"].as_u64().unwrap());
    let again = lab.run(&format!("replay latest {block} {trial} --format json")).expect(5);
    let said: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(said["trial"]["then"], said["trial"]["now"], "{said:#}");
    assert_eq!((said["block"].as_str(), said["trials"].as_u64()), (Some(block), Some(200)));
    let looked_for = said["looked_for"][0].as_str().unwrap();
    assert!(looked_for.starts_with("EBADF"), "{said:#}");
    // The same seed arms the same trials.
    assert_eq!(said["then"][looked_for], said["now"][looked_for], "{said:#}");
    assert_eq!(said["changed"].as_array().unwrap().len(), 0, "{said:#}");
    lab.run(&format!("replay latest {dosed}")).expect(5).says(&[
        "It HAPPENED AGAIN: EBADF",
        "played again",
        "<- looked for",
    ]);
    let sound = lab.run(&format!("replay latest {}", id("bare-metal"))).expect(0);
    assert!(sound.stdout.contains("Nothing unexpected is recorded of this block"), "{}", sound.stdout);
}

#[test]
fn a_word_that_means_no_block_is_refused_with_what_there_is() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new(&matrix("trials = 300\ncontrol_trials = 150", r#""rst""#, r#""bare-metal""#));
    lab.run("matrix run").expect(0);
    lab.run("replay latest nosuch")
        .expect(2)
        .says(&["has no cell or block `nosuch`", "its cells, the likeliest first"]);
    let report = lab.only_run().report();
    let id = report["cells"][0]["id"].as_str().unwrap().to_owned();
    lab.run(&format!("replay latest {id}-0 4000000")).expect(2).says(&["keeps no trial 4000000"]);
    lab.run("replay nosuch 00").expect(2).says(&["there is no run `nosuch`"]);
}
