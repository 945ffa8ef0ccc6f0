//! What stands between a selection and the first block: images, capabilities, the plan, the record.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::agent;
use crate::capability::Capabilities;
use crate::cli::{Exit, Failure};
use crate::clock;
use crate::image::{Cache, Fetch, GuestKeys, Image};
use crate::matrix::{Cell, HOST_KERNEL, Matrix, Plan, Selected};
use crate::record::format::{
    BlockRecord, CellRecord, Conduct, Environment, FORMAT, Judgement, RunRecord,
};
use crate::record::{self, Writer};
use crate::runner::{Laboratory, environment, schedule};

/// `I/N`: the I-th of N parts, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
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
    /// Cells are dealt out by their ids, so that every machine of a sharded run deals the same.
    fn take(self, cells: Vec<Cell>) -> Vec<Cell> {
        let mut order: Vec<&Cell> = cells.iter().collect();
        order.sort_by(|a, b| a.id.cmp(&b.id));
        let mine: std::collections::HashSet<_> =
            order.into_iter().skip(self.index - 1).step_by(self.of).map(|cell| cell.id.clone()).collect();
        cells.into_iter().filter(|cell| mine.contains(&cell.id)).collect()
    }
}
