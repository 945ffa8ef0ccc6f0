//! Golden tier: fixture runs on disk -> reader -> analysis -> every report format, and the record's behaviour in trouble.
//!
//! The runs are built in code, written by the real writer, read by the real reader. Snapshots are what people read.

#[path = "golden/analysis.rs"]
mod analysis;
#[path = "golden/anomalies.rs"]
mod anomalies;
#[path = "golden/answer.rs"]
mod answer;
#[path = "golden/atlas.rs"]
mod atlas;
#[path = "golden/audited.rs"]
mod audited;
#[path = "golden/baseline.rs"]
mod baseline;
#[path = "golden/boots.rs"]
mod boots;
#[path = "golden/chain.rs"]
mod chain;
#[path = "golden/claims.rs"]
mod claims;
#[path = "golden/compared.rs"]
mod compared;
#[path = "golden/contradictions.rs"]
mod contradictions;
#[path = "golden/countered.rs"]
mod countered;
#[path = "golden/damage.rs"]
mod damage;
#[path = "golden/diagnosed.rs"]
mod diagnosed;
#[path = "golden/expected.rs"]
mod expected;
#[path = "golden/explained.rs"]
mod explained;
#[path = "golden/fair.rs"]
mod fair;
#[path = "golden/fixture/mod.rs"]
mod fixture;
#[path = "golden/foreign.rs"]
mod foreign;
#[path = "golden/formats.rs"]
mod formats;
#[path = "golden/headline.rs"]
mod headline;
#[path = "golden/history.rs"]
mod history;
#[path = "golden/hostile.rs"]
mod hostile;
#[path = "golden/kept.rs"]
mod kept;
#[path = "golden/kernels.rs"]
mod kernels;
#[path = "golden/latencies.rs"]
mod latencies;
#[path = "golden/locked.rs"]
mod locked;
#[path = "golden/machines.rs"]
mod machines;
#[path = "golden/made_up.rs"]
mod made_up;
#[path = "golden/markdown.rs"]
mod markdown;
#[path = "golden/merged.rs"]
mod merged;
#[path = "golden/newer.rs"]
mod newer;
#[path = "golden/order.rs"]
mod order;
#[path = "golden/outcomes.rs"]
mod outcomes;
#[path = "support/packages.rs"]
mod packages;
#[path = "golden/page.rs"]
mod page;
#[path = "golden/programs.rs"]
mod programs;
#[path = "golden/readers.rs"]
mod readers;
#[path = "golden/record.rs"]
mod record;
#[path = "golden/recorded.rs"]
mod recorded;
#[path = "golden/reports.rs"]
mod reports;
#[path = "golden/requests.rs"]
mod requests;
#[path = "support/scale.rs"]
mod scale;
#[path = "support/schema.rs"]
mod schema;
#[path = "golden/shape.rs"]
mod shape;
#[path = "golden/sources.rs"]
mod sources;
#[path = "golden/stopped.rs"]
mod stopped;
#[path = "golden/sweeps.rs"]
mod sweeps;
#[path = "support/tools.rs"]
mod tools;
#[path = "golden/travel.rs"]
mod travel;
#[path = "golden/twins.rs"]
mod twins;
#[path = "golden/verdicts.rs"]
mod verdicts;
