//! How long one figure takes: an interval, a test, a difference, at small and at large numbers of trials.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use rig_stats::{Confidence, Count, Probability, clopper_pearson, detectable, difference, fisher};

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
        b.iter(|| detectable(black_box(1_000_000), black_box(1_000_000), rare, 0.05, 0.8));
    });
}

criterion_group!(exact, benchmark);
criterion_main!(exact);
