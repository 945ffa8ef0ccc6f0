//! The A/A pair: one cell that was played a second time under another name.
//!
//! Must not know other cells. Units: p-values. Errors: none. Tests: `tests/golden/audited.rs`.

use serde_json::Value;

use super::cell::Cell;
use super::figure::Figure;
use super::number::{Family, Tries, compare, holm};
use super::outcomes::Columns;
use super::rules::Rules;
use super::sums::{QUESTIONS, Sums};

/// The pair fails at this level.
const LEVEL: f64 = 0.001;

/// The figures of `again`, and whether the pair differs: of several pairs, which a merged run can have, those of the worst.
pub(super) fn again(cells: &[Cell<'_>], rules: &Rules) -> (Figure, bool) {
    let seconds = cells.iter().filter(|cell| cell.is_repeat());
    let pairs = seconds.filter_map(|second| pair(cells, second, rules));
    let worst = pairs.min_by(|a, b| a.gravity.cmp(&b.gravity).then(a.p.total_cmp(&b.p)));
    worst.map_or((Figure::Absent, false), |pair| (pair.figure, pair.gravity == FAILED))
}

/// One pair, judged.
struct Pair {
    figure: Figure,
    /// [`FAILED`], 1 where it was not run, 2 where it passed.
    gravity: u8,
    p: f64,
}

const FAILED: u8 = 0;

fn pair(cells: &[Cell<'_>], second: &Cell<'_>, rules: &Rules) -> Option<Pair> {
    let repeats = &second.plan["repeats"];
    let first = cells.iter().find(|cell| repeats == &Value::from(cell.id))?;
    let named = Figure::part([("cell", Figure::word(second.id)), ("repeats", Figure::word(first.id))]);
    if !first.is_run() || !second.is_run() {
        let nothing = [
            ("verdict", Figure::word("not_run")),
            ("tests", Figure::Count(0)),
            ("p_adjusted", Figure::Nothing),
        ];
        return Some(Pair { figure: named.and(nothing), gravity: 1, p: 1.0 });
    }
    let asked = questions(first, second, rules);
    let p = holm(&asked).into_iter().fold(1.0, f64::min);
    let differs = p <= LEVEL;
    let figure = named.and([
        ("verdict", Figure::word(if differs { "failed" } else { "passed" })),
        ("tests", Figure::Count(asked.len() as u64)),
        ("p_adjusted", Figure::Real(p)),
    ]);
    let files = [first, second].into_iter().flat_map(|cell| cell.files()).collect();
    Some(Pair { figure: figure.with_files(files), gravity: if differs { FAILED } else { 2 }, p })
}

/// The p-values of all questions: each errno, and each outcome.
fn questions(first: &Cell<'_>, second: &Cell<'_>, rules: &Rules) -> Vec<f64> {
    let ask = |of: &dyn Fn(&Sums) -> Tries| {
        let blocks = [first.by_block(of), second.by_block(of)];
        let family = Family::of(&blocks, rules.icc);
        compare(&blocks[0], &blocks[1], &family, rules.seed, rules.level).p
    };
    let mut p: Vec<f64> =
        QUESTIONS.iter().map(|question| ask(&|sums: &Sums| sums.answer(question))).collect();
    let columns = Columns::of(&first.sums, &second.sums);
    for column in 0..columns.names.len() {
        p.push(ask(&|sums: &Sums| Tries::new(columns.row(&sums.outcomes)[column], sums.trials)));
    }
    p
}
