//! What ends differently on two kernels.

use rig::configuration::{Property, TargetSpec};
use rig::record::format::ImageRecord;
use rig::report::Format;

use crate::atlas::{HOST, NEW, OLD};
use crate::made_up::{Made, has_section, run_of, section};

const HEADING: &str = "What ends differently on two kernels";

/// One block of each.
fn two(old: &[(&'static str, u64)], new: &[(&'static str, u64)]) -> Vec<Made> {
    let host = Made::new("after-rst:poll", HOST, &[("timeout", 60)]);
    vec![host, Made::new("after-rst:poll", OLD, old), Made::new("after-rst:poll", NEW, new)]
}

#[test]
fn outcomes_that_are_surely_apart_are_listed() {
    let bench = run_of(&two(&[("hangup", 60)], &[("readable", 60)]));
    let kernels = bench.model().kernels.expect("two kernels");
    assert_eq!((kernels.compared, kernels.differences.len()), (1, 1), "the host is another configuration");
    let one = &kernels.differences[0];
    assert_eq!(one.words(), "hangup on 6.1 (60 of 60), readable on 6.12 (60 of 60)");
    // 60 of 60 at 95 %, correlated by 0.001: of independent trials it is 0.025^(1/60) = 0.940.
    assert!((one.first.low - 0.938_628).abs() < 1e-4 && one.first.high == 1.0, "{one:?}");
    assert_eq!(one.second.kernel_release, "6.12.0-1-cloud-amd64");
    insta::assert_snapshot!("kernels_text", section(&bench, HEADING));
}

/// Each kernel is told by the outcome of which it has most more than the other.
#[test]
fn shares_are_compared_outcome_by_outcome() {
    let of = |old: &[(&'static str, u64)], new: &[(&'static str, u64)]| {
        let mut cells = two(old, new);
        cells.iter_mut().for_each(|cell| cell.blocks = 5);
        let kernels = run_of(&cells).model().kernels.expect("two kernels");
        kernels.differences.iter().map(rig::analysis::model::KernelDifference::words).collect::<Vec<_>>()
    };
    let shared = of(&[("a", 60), ("b", 40)], &[("a", 60), ("c", 40)]);
    assert_eq!(shared, ["b on 6.1 (200 of 500), c on 6.12 (200 of 500)"]);
    assert_eq!(of(&[("a", 60)], &[("a", 30), ("b", 30)]), ["a on 6.1 (300 of 300), b on 6.12 (150 of 300)"]);
    // Five even blocks of 60 count as 300 / 2.0067 trials. At 95 % 0 is at most 2.44 %, 20 at least 3.24 %, 15 at least 2.11 %: apart by more than 0.5 %, and not.
    assert_eq!(of(&[("a", 60)], &[("a", 56), ("b", 4)]).len(), 1);
    assert!(of(&[("a", 60)], &[("a", 57), ("b", 3)]).is_empty());
}

/// What one has built oneself is known by its bytes alone: the report says them, and so does what changed between two runs.
#[test]
fn a_kernel_of_ones_own_is_told_by_its_bytes() {
    let mut bench = run_of(&two(&[("hangup", 60)], &[("hangup", 60)]));
    let own = ImageRecord {
        package: "tree v6.1-3-g0123456789ab-dirty".into(),
        release: "6.1.0-own".into(),
        digest: "0123456789abcdef".into(),
        kernel_sha256: "ab".repeat(32),
        config_sha256: "cd".repeat(32),
        own: true,
        git: "v6.1-3-g0123456789ab-dirty".into(),
    };
    bench.record.images.insert("6.1".into(), own.clone());
    let model = bench.model();
    let file = &model.run.kernel_files["6.1"];
    assert_eq!((file.sha256.as_str(), file.own, file.git.as_str()), (&*own.kernel_sha256, true, &*own.git));
    let text = Format::from_name("text").expect("in the list").render(&model);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("tree v6.1-3-g0123456789ab-dirty, sha256 abababababab)"), "{text}");
    let page = Format::from_name("html").expect("in the list").render(&model);
    for shown in [
        "kernel 6.1, SHA-256",
        "configuration of kernel 6.1, SHA-256",
        own.config_sha256.as_str(),
        "kernel 6.1, git",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
}

/// A reader without the matrix file sees what a configuration asks for.
#[test]
fn hardware_that_is_asked_for_by_name_is_told_once_for_each_configuration() {
    let mut bench = run_of(&two(&[("hangup", 60)], &[("hangup", 60)]));
    let plain = bench.model();
    assert!(
        plain.run.hardware.is_empty() && serde_json::to_value(&plain.run).unwrap().get("hardware").is_none()
    );
    for record in &mut bench.record.cells {
        if let TargetSpec::Qemu(spec) = &mut record.cell.subject.configuration.target {
            spec.machine = "pc-q35-7.0".into();
            spec.hardware.device.insert("packed".into(), Property::Flag(true));
        }
    }
    let model = bench.model();
    let told: Vec<&Vec<String>> = model.run.hardware.values().collect();
    assert_eq!(told, [&["machine: pc-q35-7.0", "device: packed=on"]]);
    let text = Format::from_name("text").expect("in the list").render(&model);
    assert!(text.contains("  hardware virtio-tap: machine: pc-q35-7.0; device: packed=on\n"), "{text}");
    let page = Format::from_name("html").expect("in the list").render(&model);
    assert!(
        page.contains("hardware of virtio-tap") && page.contains("machine: pc-q35-7.0; device: packed=on")
    );
}

#[test]
fn kernels_that_end_alike_are_one_sentence() {
    let bench = run_of(&two(&[("hangup", 60)], &[("hangup", 60)]));
    let text = section(&bench, HEADING).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("1 pair of kernels was compared"), "{text}");
    assert!(text.contains("none differs by more than 0.5 %"), "{text}");
}

#[test]
fn a_race_is_marked_and_other_parameters_are_another_pair() {
    let mut bench = run_of(&two(&[("hangup", 60)], &[("readable", 60)]));
    bench.record.cells.iter_mut().for_each(|record| record.cell.alert = false);
    let kernels = bench.model().kernels.expect("two kernels");
    assert!(kernels.differences[0].race);
    assert!(section(&bench, HEADING).contains("a race"));
    let mut cells = two(&[("hangup", 60)], &[("readable", 60)]);
    cells[2].parameters = &[("timeout", "1s")];
    let bench = run_of(&cells);
    assert!(bench.model().kernels.is_none() && !has_section(&bench, HEADING));
}
