//! Charts: numbers and words in, SVG text out.
//!
//! Pure: the same data give the same bytes. Must not know a report, a page, or a colour: shapes have classes, and `rig/templates/page/chart.css` says how
//! they look, in light, dark and print. Units: shares of 1, nanoseconds; on the screen pixels of CSS and per cent of the width.
//! Errors: none. A number that is not finite is not drawn; a text may hold anything. Tests: `tests.rs` (snapshots, well-formed XML, hostile texts).
//!
//! For the page: a chart has no `viewBox`, because that would shrink its text with its width. It is as wide as its parent, from 320 px on: across, all lies at a per cent
//! of the width; down, and within texts and marks, at pixels. So text stays as large as the rest of the page and no chart but the ladder must scroll. Put the ladder (it has a
//! least width) into `<div class="chart" tabindex="0" role="region" aria-label="...">`, and the others into a plain `<div class="chart">`: a region that
//! cannot scroll needs no focus. The same data must stand beside each chart as a table. Charts that use [`stack`] need [`patterns`] once in the page.

mod curve;
mod forest;
mod ladder;
mod mark;
mod quantiles;
mod scale;
mod stack;
mod svg;
#[cfg(test)]
mod tests;
mod words;

pub use curve::{Point, Series, Unit, XAxis, curve};
pub use forest::{ForestRow, Interval, State, forest};
pub use ladder::{Arrow, Packet, Rung, RungState, ladder};
pub use quantiles::{QuantileRow, Side, quantiles};
pub use stack::{PATTERNS, Part, patterns, stack};

/// How charts look, for the page's `<style>`: custom properties `--c-...` for light and dark, and the classes of this room.
pub const CSS: &str = include_str!("../../templates/page/chart.css");
