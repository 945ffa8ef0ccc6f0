//! A known dose (`inject` of a configuration): what a run says of it is known before.

use rig_protocol::Errno;

use crate::blackbox::{Lab, is_root, matrix};

const DOSED: &str = "[configuration.dosed]\nkind = \"host\"\ninject = { errno = \"EBADF\", rate = \"10%\" }\n[alert]\nany_error = \"1%\"\n";

#[test]
fn a_dose_is_found_counted_alerted_and_no_measurement() {
    if !is_root("netns") {
        return;
    }
    let run = "trials = 2000\nblocks = 2\ncontrol_trials = 150\ncontrol_blocks = 1\n[scenario.rst]\nclient_delay = \"0ms\"";
    let text = matrix(run, r#""rst", "after-rst:poll""#, r#""bare-metal", "dosed""#);
    let lab = Lab::new(&format!("{text}{DOSED}"));
    let ended = lab.run("matrix run --seed 7");
    ended.expect(5);
    let run = lab.only_run();
    let report = run.report();
    let cells = report["cells"].as_array().unwrap();
    let of = |scenario: &str, configuration: &str| {
        cells
            .iter()
            .find(|cell| cell["scenario"] == scenario && cell["configuration"] == configuration)
            .unwrap()
    };
    let count = |configuration: &str| of("rst", configuration)["returns"]["-1/EBADF"].as_u64().unwrap_or(0);
    let armed: u64 = run
        .played()
        .iter()
        .filter(|block| block.cell.0 == of("rst", "dosed")["id"].as_str().unwrap())
        .map(|block| block.tally.injected[&Errno::EBADF])
        .sum();
    // 200 are due; four standard deviations are 54.
    assert!(armed.abs_diff(200) < 54, "{armed}");
    assert_eq!((count("dosed"), count("bare-metal")), (armed, 0));
    assert_eq!(of("after-rst:poll", "dosed")["status"], "skipped");
    assert_eq!(of("after-rst:poll", "bare-metal")["status"], "done");
    assert!(report["controls"].as_array().unwrap().iter().all(|control| control["status"] == "passed"));
    let alerts = report["alerts"].as_array().unwrap();
    assert!(alerts.iter().all(|alert| alert["configuration"] == "dosed"), "{alerts:?}");
    assert!(alerts.iter().any(|alert| alert["errno"] == "any_error"), "{alerts:?}");
    let cautions = report["cautions"].to_string();
    assert!(cautions.contains("configuration dosed injects EBADF into 10 % of its trials"), "{cautions}");
    let claims = report["hypotheses"].as_array().unwrap();
    let evidence = claims.iter().flat_map(|claim| claim["parts"].as_array().into_iter().flatten());
    let id = of("rst", "dosed")["id"].as_str().unwrap();
    assert!(evidence.clone().count() > 0);
    for part in evidence {
        let decides = part["cells"].as_array().into_iter().flatten().any(|cell| cell == id);
        assert!(!decides, "{part}");
    }
}
