//! How long one figure takes: an interval, a test, a difference, at small and at large numbers of trials.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rig_stats::{
    Clustering, Confidence, Count, Criteria, Design, Probability, Unit, clopper_pearson, detectable,
    difference, fisher, randomised, smallest_p, tarone_holm, unseen,
};

fn count(hits: u64, trials: u64) -> Count {
    Count::new(hits, trials).expect("hits are at most trials")
}

fn benchmark(c: &mut Criterion) {
    let confidence = Confidence::new(0.95).expect("between 0 and 1");
    for (hits, trials) in [(3, 2_000), (3, 1_000_000_000), (700_000, 2_000_000), (500_000_000, 1_000_000_000)]
    {
        c.bench_function(&format!("clopper_pearson {hits}/{trials}"), |b| {
            b.iter(|| clopper_pearson(black_box(count(hits, trials)), confidence));
        });
    }
    for (x1, x2, n) in [(0, 6, 2_000), (3, 40, 1_000_000), (300_000, 301_000, 1_000_000)] {
        c.bench_function(&format!("fisher {x1}/{n} {x2}/{n}"), |b| {
            b.iter(|| fisher(black_box(count(x1, n)), black_box(count(x2, n))));
        });
        c.bench_function(&format!("difference {x1}/{n} {x2}/{n}"), |b| {
            b.iter(|| difference(black_box(count(x1, n)), black_box(count(x2, n)), confidence));
        });
    }
    let rare = Probability::new(1e-5).expect("a share");
    c.bench_function("detectable 1e6 1e6 at 1e-5", |b| {
        let design = Design { trials: 1_000_000, blocks: 10 };
        let icc = Probability::new(0.0).expect("a share");
        let criteria = Criteria { level: 0.05, confidence, margin: 1e-4, icc };
        b.iter(|| detectable(black_box(design), black_box(design), rare, &criteria, 0.8));
    });
}

/// What one comparison of clustered cells asks, and what a run asks once.
fn of_blocks(c: &mut Criterion) {
    let confidence = Confidence::new(0.95).expect("between 0 and 1");
    let cell = |hits: [u64; 2]| hits.map(|hits| count(hits, 1_000)).to_vec();
    let family: Vec<Vec<Count>> =
        [[902, 972], [922, 959], [944, 931]].into_iter().cycle().take(20).map(cell).collect();
    c.bench_function("Clustering::pooled 20 cells of 2 blocks", |b| {
        b.iter(|| Clustering::pooled(black_box(&family)))
    });
    let clustering = Clustering::pooled(&family).expect("hits and misses");
    for (x1, x2, n) in [(3, 40, 2_000), (300_000, 301_000, 1_000_000)] {
        let (first, second) = (count(x1, n), count(x2, n));
        c.bench_function(&format!("Clustering::p_value {x1}/{n} {x2}/{n}"), |b| {
            b.iter(|| clustering.p_value(black_box(first), black_box(second)));
        });
        c.bench_function(&format!("Clustering::interval {x2}/{n}"), |b| {
            b.iter(|| clustering.interval(black_box(second), confidence));
        });
        c.bench_function(&format!("Clustering::difference {x1}/{n} {x2}/{n}"), |b| {
            b.iter(|| clustering.difference(black_box(first), black_box(second), confidence));
        });
        c.bench_function(&format!("smallest_p {}/{n}", x1 + x2), |b| {
            b.iter(|| smallest_p(black_box(first), black_box(second)));
        });
    }
    let icc = Probability::new(1e-3).expect("a share");
    for (m, blocks) in [(1_000_u64, 2), (100_000, 100)] {
        c.bench_function(&format!("unseen {blocks} x {m}"), |b| {
            b.iter(|| unseen(black_box(&vec![m; blocks]), icc, confidence))
        });
    }
    let p: Vec<f64> = (0..1_362).map(|i| if i < 40 { f64::from(i) * 1e-3 } else { 1.0 }).collect();
    let smallest: Vec<f64> = p.iter().map(|p| p / 2.0).collect();
    c.bench_function("tarone_holm of 1362", |b| b.iter(|| tarone_holm(black_box(&p), &smallest, 0.05)));
    for (second, blocks) in [(8, "2,025 labellings"), (28, "drawn labellings")] {
        let units: Vec<Unit> = (0..2 * (2 + second))
            .map(|i| Unit {
                second: i % (2 + second) >= 2,
                counts: vec![(i / (2 + second), count(i as u64, 1_000))],
            })
            .collect();
        c.bench_function(&format!("randomised, {blocks}"), |b| b.iter(|| randomised(black_box(&units), 7)));
    }
}

criterion_group!(exact, benchmark, of_blocks);
criterion_main!(exact);
