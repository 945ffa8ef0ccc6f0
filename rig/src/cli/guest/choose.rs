//! Which guest is meant: by a cell's id, or by filters that leave one.

use std::collections::BTreeMap;

use crate::cli::{Exit, Failure};
use crate::configuration::TargetSpec;
use crate::document::Problems;
use crate::matrix::{Cell, Filter, Matrix, Selection};

/// What a cell's guest is: cells that differ in nothing else share it.
pub(super) fn hardware(cell: &Cell) -> String {
    let subject = &cell.subject;
    format!(
        "configuration={} kernel={} path={}",
        subject.configuration.name, subject.kernel, subject.path.name
    )
}

/// Adds words to the kernel's command line, where rig writes it.
pub(super) fn append(cell: &mut Cell, words: &[String]) -> Result<(), Failure> {
    if words.is_empty() {
        return Ok(());
    }
    if let Some(wrong) =
        words.iter().find(|word| word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        return Err(Failure::say(
            Exit::Input,
            format!("{wrong:?} cannot be a word of a kernel's command line"),
            "--append takes one word without spaces, and can be given several times: --append loglevel=7 --append nokaslr",
        ));
    }
    match &mut cell.subject.configuration.target {
        TargetSpec::Qemu(spec) if spec.disk.is_none() => {
            spec.hardware.kernel_cmdline.extend_from_slice(words);
            Ok(())
        }
        TargetSpec::Qemu(_) => Err(Failure::say(
            Exit::Input,
            "this guest boots a disk, which has its kernel's command line itself".to_owned(),
            "set the words in the disk's boot loader",
        )),
        // Whoever boots it says that it is no guest.
        TargetSpec::Host(_) => Ok(()),
    }
}

/// The cell whose guest `words` mean. Without a profile the file's own is asked first, and then the others.
pub(super) fn choose(matrix: &Matrix, profile: Option<&str>, words: &[String]) -> Result<Cell, Failure> {
    let cells = match words {
        [id] if !id.contains('=') => {
            let all = of_profiles(matrix, profile, &[])?;
            let starts = |cell: &&Cell| cell.id.0.starts_with(id.as_str());
            let matching: Vec<Cell> = all.iter().flatten().filter(starts).cloned().collect();
            if matching.is_empty() {
                let all: Vec<Cell> = all.into_iter().flatten().collect();
                return Err(refuse(
                    format!("no cell's id begins with {id}"),
                    "the guests, the most similar first",
                    &near(id, all),
                ));
            }
            matching
        }
        words => {
            let filters = Filter::parse_all(words).map_err(Failure::input)?;
            of_profiles(matrix, profile, &filters)?.swap_remove(0)
        }
    };
    let (host, mut guests): (Vec<Cell>, Vec<Cell>) = cells.into_iter().partition(Cell::is_baseline);
    // Who says nothing of a path means a guest with nothing on the way, where there is one.
    let is_plain = |cell: &Cell| cell.subject.path.is_plain();
    if !words.iter().any(|word| word.starts_with("path=")) && guests.iter().any(is_plain) {
        guests.retain(is_plain);
    }
    let kinds = by_hardware(&guests);
    match kinds.len() {
        1 => Ok(guests.into_iter().next().expect("one kind has at least one cell")),
        0 => Err(Failure::say(
            Exit::Input,
            format!("{} has no guest: it runs on this host's own kernel", words.join(" ")),
            format!(
                "to try its scenario here: `rig scenario run {}`",
                host.first().map_or("NAME", |cell| cell.subject.scenario.as_str())
            ),
        )),
        several => {
            Err(refuse(format!("{} matches {several} guests", words.join(" ")), "give one of them", &guests))
        }
    }
}

/// The cells that the filters leave, profile by profile: of the one that was asked for, or of the file's own and then of every other.
/// Profiles in which they leave none are left out, unless that is so in all.
fn of_profiles(matrix: &Matrix, asked: Option<&str>, filters: &[Filter]) -> Result<Vec<Vec<Cell>>, Failure> {
    let select = |profile: Option<&str>| -> Result<Vec<Cell>, Problems> {
        let profile = profile.map(str::to_owned);
        matrix.cells(&Selection { profile, filters: filters.to_vec(), trials: None })
    };
    let first = select(asked);
    if asked.is_some() {
        return first.map(|cells| vec![cells]).map_err(Failure::input);
    }
    let others: Vec<Vec<Cell>> = matrix.profile_names().filter_map(|name| select(Some(name)).ok()).collect();
    match first {
        Err(problems) if others.is_empty() => Err(Failure::input(problems)),
        first => Ok(first.into_iter().chain(others).collect()),
    }
}

/// One cell's id for each guest.
fn by_hardware(cells: &[Cell]) -> BTreeMap<String, &Cell> {
    let mut kinds = BTreeMap::new();
    for cell in cells {
        kinds.entry(hardware(cell)).or_insert(cell);
    }
    kinds
}

/// So many guests are named to who named none of them, or several.
const NAMED: usize = 8;

/// The cells in the order of their likeness to the word: those that have it in a name, and then by what must be changed in it to be their id.
fn near(word: &str, mut cells: Vec<Cell>) -> Vec<Cell> {
    cells.sort_by_cached_key(|cell| {
        let begin: String = cell.id.0.chars().take(word.chars().count()).collect();
        (!hardware(cell).contains(word), strsim::levenshtein(word, &begin))
    });
    cells
}

/// Wrong input, with the guests that could have been meant, the likeliest first.
fn refuse(what: String, lead: &str, cells: &[Cell]) -> Failure {
    let guests: Vec<Cell> = cells.iter().filter(|cell| !cell.is_baseline()).cloned().collect();
    let mut kinds: Vec<(String, &Cell)> = Vec::new();
    for cell in &guests {
        let kind = hardware(cell);
        if kinds.iter().all(|(known, _)| *known != kind) {
            kinds.push((kind, cell));
        }
    }
    let mut lines: Vec<String> =
        kinds.iter().take(NAMED).map(|(kind, cell)| format!("{}  {kind}", cell.id)).collect();
    if kinds.len() > NAMED {
        lines.push(format!("and {} more: `rig matrix plan` lists the cells", kinds.len() - NAMED));
    }
    Failure::say(Exit::Input, what, format!("{lead}:\n{}", lines.join("\n")))
}
