//! Many questions: corrections of p-values.
//!
//! Must not know what is asked. Units: p-values. Errors: none. Tests: below, against hand values.

/// S. Holm, Scandinavian Journal of Statistics 6 (1979), in the order of the input.
pub(in crate::audit) fn holm(p: &[f64]) -> Vec<f64> {
    let mut corrected = vec![1.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in ascending(p).into_iter().enumerate() {
        largest = largest.max(p[index] * (p.len() - rank) as f64).min(1.0);
        corrected[index] = largest;
    }
    corrected
}

/// R. E. Tarone, Biometrics 46 (1990), step by step (G. Hommel and F. Krummenauer, Biometrical Journal 40, 1998): of the questions that are left, each p-value counts
/// as often as [`tarone_family`] says, until one is above `alpha`; what cannot pass then has 1, or Holm's value if that is smaller.
pub(in crate::audit) fn tarone_holm(p: &[f64], smallest: &[f64], alpha: f64) -> Vec<f64> {
    let p: Vec<f64> = p.iter().zip(smallest).map(|(p, least)| p.max(*least)).collect();
    let mut corrected = holm(&p);
    let order = ascending(&p);
    let (mut largest, mut fixed): (f64, Option<usize>) = (0.0, None);
    for (answered, index) in order.iter().enumerate() {
        let counted = fixed.unwrap_or_else(|| {
            let left: Vec<f64> = order[answered..].iter().map(|at| smallest[*at]).collect();
            tarone_family(&left, alpha)
        });
        let times = counted as f64;
        largest = largest.max(p[*index] * times).min(1.0);
        if largest > alpha {
            fixed = Some(counted);
        }
        let own = if smallest[*index] * times > alpha { 1.0 } else { largest };
        corrected[*index] = corrected[*index].min(own);
    }
    corrected
}

/// The least `k` of which at most `k` questions can have a p-value of `alpha / k`; 0 of no question.
pub(in crate::audit) fn tarone_family(smallest: &[f64], alpha: f64) -> usize {
    let can = |k: usize| smallest.iter().filter(|least| **least * k as f64 <= alpha).count();
    let mut family = usize::from(!smallest.is_empty());
    while family < smallest.len() && can(family) > family {
        family += 1;
    }
    family
}

/// Indices by rising p-value; equal ones in the order of the input.
fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_corrections() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")
        let found = holm(&[0.01, 0.04, 0.03, 0.005]);
        assert!(found.iter().zip([0.03, 0.06, 0.06, 0.02]).all(|(a, b)| (a - b).abs() < 1e-15), "{found:?}");
        assert_eq!(holm(&[0.9, 0.8, 1.0]), [1.0; 3]);
        // Questions that no answer could decide do not count.
        let found = tarone_holm(&[0.01, 1.0, 1.0], &[0.001, 1.0, 1.0], 0.05);
        assert_eq!(found, [0.01, 1.0, 1.0]);
        assert_eq!((tarone_family(&[0.001, 1.0, 1.0], 0.05), tarone_family(&[], 0.05)), (1, 0));
        assert_eq!(tarone_family(&[0.01, 0.01, 0.01], 0.05), 3);
    }
}
