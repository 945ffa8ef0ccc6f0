//! `rig matrix run` on one screen: read, expand, look, open, conduct, report.
//!
//! Must not print, and must not know exit codes: the command line watches and concludes. Units: none.
//! Errors: [`CampaignError`]. Tests: `tests/netns.rs`, `tests/guest.rs`, `tests/trouble`.

use std::path::PathBuf;

use crate::analysis::model::ReportModel;
use crate::record::Layout;

use super::conduct::conduct;
use super::cores;
use super::enclosed::enclosed_runtime;
use super::error::CampaignError;
use super::open::open;
use super::order::Order;
use super::prepare::{expand, look, read};
use super::report::report;
use super::watcher::Watcher;

/// How a campaign ended.
#[derive(Debug)]
pub struct Ended {
    /// Where it is recorded.
    pub run_dir: PathBuf,
    /// What its report says.
    pub model: ReportModel,
}

/// Runs a campaign from its order to the report on disk.
///
/// The files are read, and what needs the host's network (packages, images) is done, before the enclosure; whatever must die with the run
/// is made inside it. The report is rendered from the files that were just written, exactly as `rig report` does.
///
/// # Errors
/// [`CampaignError`]
pub fn run(order: &Order, watcher: &mut impl Watcher) -> Result<Ended, CampaignError> {
    let source = read(order)?;
    let cells = expand(source)?;
    cells.weak_controls().iter().for_each(|weak| watcher.weak_control(weak));
    cells.undecidable().iter().for_each(|told| watcher.undecidable(told));
    if order.keep_core {
        cores::check(cells.cells.iter().map(|cell| &cell.cell), &order.results)?;
    }
    let prepared = look(cells, &mut |image, step| watcher.image_step(image, step))?;
    let runtime = enclosed_runtime()?;
    let conducted = runtime.block_on(async {
        let mut opened = open(prepared, &order.results).await?;
        watcher.unmet(std::mem::take(&mut opened.unmet));
        let run_dir = opened.writer.dir().to_owned();
        if order.keep_core {
            opened.laboratory.cores = Some(opened.laboratory.results.join(Layout::CORE));
        }
        let remains = opened.laboratory.remains.clone();
        conduct(opened, order, watcher).await?;
        remains.all().iter().for_each(|remain| watcher.panicked(remain));
        Ok::<_, CampaignError>(run_dir)
    });
    // Blocking threads that still wait for a dead guest must not hold the end up: the enclosure ends them.
    runtime.shutdown_background();
    let run_dir = conducted?;
    let model = report(&run_dir)?;
    Ok(Ended { run_dir, model })
}
