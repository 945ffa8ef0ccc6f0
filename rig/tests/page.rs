//! Tier *pure*: pages as a browser shows them. Charts can be read on a phone and on a desk, in light and dark, on paper, with scripts on and off, and by
//! people who do not see them; nothing is fetched from anywhere.
//!
//! A machine without Chromium or axe skips these tests and says so. `RIG_PICTURES=FOLDER` keeps a picture of each view of each page.

#[path = "page/accessible.rs"]
mod accessible;
#[path = "support/browser.rs"]
mod browser;
#[path = "page/charts.rs"]
mod charts;
#[path = "page/history.rs"]
mod history;
#[path = "page/laid_out.rs"]
mod laid_out;
#[path = "support/packages.rs"]
mod packages;
#[path = "page/report.rs"]
mod report;
#[path = "support/tools.rs"]
mod tools;
