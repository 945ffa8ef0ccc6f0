//! How long a plan of ten thousand cells takes: the promise is under 50 ms, from verified file to plan.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use rig::matrix::{Matrix, Plan, Selection};

/// 1 scenario x 20 x 50 parameter values x (1 host + 9 guests x 1 kernel) x 1 path = 10,000 cells.
fn ten_thousand_cells() -> String {
    let list =
        |count: u32, unit: &str| (1..=count).map(|n| format!("\"{n}{unit}\"")).collect::<Vec<_>>().join(", ");
    let guests: String = (0..9)
        .map(|n| {
            format!(
                "[configuration.guest-{n}]\nkind = \"qemu\"\nnic = \"virtio-net\"\nbackend = \"tap\"\nvcpus = {}\n",
                n + 1
            )
        })
        .collect();
    let names = (0..9).map(|n| format!("\"guest-{n}\"")).collect::<Vec<_>>().join(", ");
    format!(
        r#"
[axes]
scenario = ["rst"]
configuration = ["metal", {names}]
kernel = ["6.1"]
path = ["direct"]
[scenario.rst]
peer_delay = [{}]
client_delay = [{}]
[configuration.metal]
kind = "host"
{guests}
[path.direct]
mtu_bytes = 1500
[[exclude]]
client_delay = "1ms"
peer_delay = "1ms"
configuration = "metal"
[[include]]
scenario = "rst"
configuration = "metal"
peer_delay = "1ms"
client_delay = "1ms"
"#,
        list(20, "ms"),
        list(50, "ms")
    )
}

fn plan(criterion: &mut Criterion) {
    let text = ten_thousand_cells();
    let load = || Matrix::parse("bench.toml", &text, Path::new(".")).expect("a valid file");
    let matrix = load();
    let cells = matrix.cells(&Selection::default()).expect("cells").len();
    assert_eq!(cells, 10_000);
    criterion.bench_function("load a file of 10,000 cells", |bencher| bencher.iter(|| black_box(load())));
    criterion.bench_function("plan 10,000 cells", |bencher| {
        // What the user waits for: a plan is freed when the program ends.
        bencher.iter_with_large_drop(|| {
            let cells = matrix.cells(&Selection::default()).expect("cells");
            black_box(Plan::make(cells, &|_| None))
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = plan
}
criterion_main!(benches);
