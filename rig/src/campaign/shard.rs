//! `I/N`: which part of the cells a machine plays, where several play one run.
//!
//! Pure. Must not know hosts or blocks. Units: parts, counted from 1.
//! Errors: a sentence that blames the argument. Tests: below.

use std::collections::HashSet;
use std::str::FromStr;

use crate::matrix::Cell;

/// `I/N`: the I-th of N parts, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no part: give I/N with 1 <= I <= N, like 2/3");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let shard = Self { index: index.parse().map_err(|_| wrong())?, of: of.parse().map_err(|_| wrong())? };
        if (1..=shard.of).contains(&shard.index) { Ok(shard) } else { Err(wrong()) }
    }
}

impl Shard {
    /// Cells are dealt out in the order of their ids, so that every machine of a sharded run deals the same.
    pub fn take(self, cells: Vec<Cell>) -> Vec<Cell> {
        let mut order: Vec<&Cell> = cells.iter().collect();
        order.sort_by(|a, b| a.id.cmp(&b.id));
        let mine: HashSet<_> =
            order.into_iter().skip(self.index - 1).step_by(self.of).map(|cell| cell.id.clone()).collect();
        cells.into_iter().filter(|cell| mine.contains(&cell.id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::{Matrix, Selection};

    #[test]
    fn parts_are_whole_and_disjoint() {
        assert_eq!("2/3".parse(), Ok(Shard { index: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "a/b", "3", "1/0"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        let matrix = Matrix::load(None).expect("the shipped matrix is valid");
        let cells = matrix.cells(&Selection::default()).expect("valid");
        let mut together: Vec<_> = (1..=3)
            .flat_map(|index| Shard { index, of: 3 }.take(cells.clone()))
            .map(|cell| cell.id)
            .collect();
        together.sort();
        let mut all: Vec<_> = cells.into_iter().map(|cell| cell.id).collect();
        all.sort();
        assert_eq!(together, all);
    }
}
