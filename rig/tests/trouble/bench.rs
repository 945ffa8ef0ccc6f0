//! `rig bench`: what it prints has the figures and ratios that are promised. No figure is judged: a test is no benchmark.

use serde_json::Value as Json;

use crate::blackbox::{Lab, is_root};

fn findings<'a>(answer: &'a Json, name: &str) -> &'a Json {
    let all = answer["benchmarks"].as_array().unwrap();
    all.iter().find(|one| one["name"] == name).unwrap_or_else(|| panic!("no {name}: {answer:#}"))
}

/// Positive, finite, and in order.
#[track_caller]
fn is_a_spread(one: &Json) {
    let [min, median, max] = ["min", "median", "max"].map(|key| one[key].as_f64().unwrap_or(f64::NAN));
    assert!(0.0 < min && min <= median && median <= max && max.is_finite(), "{one:#}");
}

#[track_caller]
fn has_ratio(findings: &Json, of: &str, to: &str) {
    let ratios = findings["ratios"].as_array().unwrap();
    let found = ratios.iter().find(|ratio| ratio["of"] == of && ratio["to"] == to);
    let found = found.unwrap_or_else(|| panic!("{of} of {to}: {findings:#}"));
    // What is added may be nothing, or lost in the noise.
    if !of.contains("added") {
        is_a_spread(found);
    }
}

fn has_figure(findings: &Json, name: &str, unit: &str) {
    let figures = findings["figures"].as_array().unwrap();
    let found = figures.iter().find(|figure| figure["name"] == name && figure["unit"] == unit);
    is_a_spread(found.unwrap_or_else(|| panic!("{name}: {findings:#}")));
}

#[test]
fn figures_stand_beside_a_peer_or_a_limit() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    let ended = lab.run("bench --quick --format json middlebox capture testbed agent").expect(0);
    let answer: Json = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&answer["format"], &answer["quick"], &answer["rehearsed"]),
        (&1.into(), &true.into(), &false.into())
    );
    let names: Vec<&Json> = answer["benchmarks"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["middlebox", "capture", "testbed", "agent"]);

    let middlebox = findings(&answer, "middlebox");
    for setup in ["kernel bridge", "middlebox", "middlebox with a rule", "middlebox, busy polling"] {
        has_figure(middlebox, &format!("{setup}: forwarded"), "packets/s");
        has_figure(middlebox, &format!("{setup}: round trip"), "us");
    }
    has_ratio(middlebox, "middlebox: forwarded", "kernel bridge");
    has_ratio(middlebox, "middlebox: round trip", "kernel bridge");
    has_ratio(middlebox, "middlebox: forwarded", "the promised 200,000 packets/s");
    has_ratio(middlebox, "middlebox: added one way", "the promised 50 us");

    has_ratio(findings(&answer, "capture"), "captured at both ends: forwarded", "kernel bridge");

    let testbed = findings(&answer, "testbed");
    has_figure(testbed, "with a veth: made", "ms");
    has_ratio(testbed, "with a veth: made", "three empty namespaces");

    let agent = findings(&answer, "agent");
    has_figure(agent, "plain loop", "trials/s");
    has_ratio(agent, "agent, 32 under way", "plain loop");
}

#[test]
fn a_person_reads_a_table_and_without_an_image_no_guest_is_booted() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    let mut command = lab.rig("bench --quick testbed boot");
    command.env("XDG_CACHE_HOME", lab.path().join("empty"));
    let ended = lab.start(command).end().expect(0);
    assert!(ended.stdout.contains("median"), "{}", ended.stdout);
    ended.says(&["measuring testbed ...", "of three empty namespaces", "boot: a guest", "skipped: no"]);
    lab.run("bench nothing").expect(2).says(&["invalid value 'nothing'", "middlebox", "boot"]);
}
