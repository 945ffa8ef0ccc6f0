//! Many comparisons of one run: which of them are a family, and their corrected p-values.
//!
//! Races of the application's own threads are a family of their own: they are never news, and must not spend what the question has. Of the others any errno is asked
//! first, over all cells; EBADF and ENOENT by name count only where any errno differs in the same cell (closed testing: R. Marcus, E. Peritz and K. R. Gabriel, Biometrika 63, 1976).
//! Within each family only what its totals of hits allow to be shown is counted (R. E. Tarone, Biometrics 46, 1990). Must not know how a p-value came about.
//! Units: p-values. Errors: none. Tests: here.

use std::collections::BTreeMap;

use rig_stats::{tarone_family, tarone_holm};

use super::model::Question;

/// What is asked of one pair of cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// Of which two cells.
    pub(super) pair: (&'a str, &'a str),
    pub(super) question: Question,
    /// Whether a difference would be news.
    pub(super) news: bool,
    pub(super) p: f64,
    /// No p-value of so many hits can be smaller.
    pub(super) smallest_p: f64,
}

/// A corrected p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Corrected {
    pub(super) p: f64,
    /// Number of questions that are counted.
    pub(super) family: u64,
}

/// Corrects, in the order of the input; what was not asked is not corrected.
pub(super) fn correct(asked: &[Option<Asked<'_>>], alpha: f64) -> Vec<Option<Corrected>> {
    let mut families: BTreeMap<(bool, bool), Vec<usize>> = BTreeMap::new();
    for (at, one) in asked.iter().enumerate() {
        if let Some(one) = one {
            families.entry((one.news, by_name(one.question))).or_default().push(at);
        }
    }
    let mut corrected: Vec<Option<Corrected>> = vec![None; asked.len()];
    for members in families.values() {
        let of = |which: fn(&Asked<'_>) -> f64| -> Vec<f64> {
            members.iter().filter_map(|at| asked[*at].as_ref().map(which)).collect()
        };
        let (p_values, smallest) = (of(|one| one.p), of(|one| one.smallest_p));
        let family = tarone_family(&smallest, alpha) as u64;
        for (at, p) in members.iter().zip(tarone_holm(&p_values, &smallest, alpha)) {
            corrected[*at] = Some(Corrected { p, family });
        }
    }
    let gates: BTreeMap<(&str, &str), f64> = asked
        .iter()
        .zip(&corrected)
        .filter_map(|(one, corrected)| {
            let one = one.as_ref().filter(|one| !by_name(one.question))?;
            Some((one.pair, corrected.as_ref()?.p))
        })
        .collect();
    for (one, corrected) in asked.iter().zip(&mut corrected) {
        if let (Some(one), Some(corrected)) = (one, corrected)
            && by_name(one.question)
        {
            corrected.p = gates.get(&one.pair).map_or(corrected.p, |gate| corrected.p.max(*gate));
        }
    }
    corrected
}

fn by_name(question: Question) -> bool {
    match question {
        Question::Ebadf | Question::Enoent => true,
        Question::AnyError => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(cell: &str, question: Question, p: f64) -> Option<Asked<'_>> {
        Some(Asked {
            pair: ("host", cell),
            question,
            news: true,
            p,
            smallest_p: if p < 1.0 { 1e-9 } else { 1.0 },
        })
    }

    #[test]
    fn what_can_never_be_shown_costs_nothing() {
        let mut all: Vec<_> =
            vec![asked("a", Question::AnyError, 0.01), asked("b", Question::AnyError, 0.02)];
        let alone = correct(&all, 0.05);
        all.extend((0..200).map(|_| asked("zero", Question::AnyError, 1.0)));
        let among = correct(&all, 0.05);
        assert_eq!(among[..2], alone[..]);
        assert_eq!(alone[0], Some(Corrected { p: 0.02, family: 2 }));
        assert_eq!(among[2].map(|one| one.p), Some(1.0));
    }

    #[test]
    fn a_name_counts_only_where_any_errno_differs() {
        let of = |any: f64| {
            let all = [asked("a", Question::Ebadf, 1e-4), asked("a", Question::AnyError, any)];
            correct(&all, 0.05)[0].expect("asked").p
        };
        assert_eq!(of(1e-4), 1e-4);
        assert_eq!(of(0.2), 0.2, "other errnos were returned as much more often on the other side");
        // Where any errno cannot be asked, the name stands alone.
        let alone = correct(&[asked("a", Question::Ebadf, 1e-4), None], 0.05);
        assert_eq!((alone[0].map(|one| one.p), alone[1]), (Some(1e-4), None));
    }

    #[test]
    fn races_do_not_spend_what_the_question_has() {
        let race = |p| Some(Asked { news: false, ..asked("race", Question::AnyError, p).expect("asked") });
        let mut all = vec![asked("a", Question::AnyError, 0.03)];
        all.extend((0..30).map(|_| race(0.01)));
        assert_eq!(correct(&all, 0.05)[0], Some(Corrected { p: 0.03, family: 1 }));
    }
}
