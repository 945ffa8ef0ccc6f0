//! The file `history.sqlite`: its tables, and what is written to and read from them.
//!
//! All of it but the table `notified` is derived from the runs. A person may ask it with sqlite3(1); its tables are no contract. Must not judge. Units: in the names.
//! Errors: [`HistoryError`]. Tests: `tests/golden/history.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rig_stats::Count;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, Row, Transaction, TransactionBehavior, params,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{HistoryError, PATIENCE};
use super::stored::StoredNight;
use crate::analysis::{CellNight, Finding, FindingKind, Night, WATCHED, Watched};

/// Its name in the folder of the runs.
pub const FILE: &str = "history.sqlite";

/// The version of its tables (`PRAGMA user_version`).
const VERSION: i64 = 1;

/// Whose file it is (`PRAGMA application_id`): `righ`.
const APPLICATION: i64 = 0x7269_6768;

const TABLES: &str = "
CREATE TABLE run (
    key INTEGER PRIMARY KEY, place TEXT NOT NULL, digest TEXT NOT NULL, id TEXT NOT NULL, machine TEXT NOT NULL, rehearsed INTEGER NOT NULL,
    started TEXT NOT NULL, ended TEXT NOT NULL, profile TEXT NOT NULL, filters TEXT NOT NULL, shard TEXT NOT NULL, complete INTEGER NOT NULL, matrix TEXT NOT NULL,
    icc REAL NOT NULL, confidence REAL NOT NULL, thresholds TEXT NOT NULL, facts TEXT NOT NULL, blocks TEXT NOT NULL
) STRICT;
CREATE TABLE cell (
    run INTEGER NOT NULL REFERENCES run(key), place INTEGER NOT NULL, id TEXT NOT NULL, scenario TEXT NOT NULL, configuration TEXT NOT NULL,
    kernel TEXT NOT NULL, path TEXT NOT NULL, parameters TEXT NOT NULL, is_host INTEGER NOT NULL, known TEXT, not_run TEXT, trials INTEGER NOT NULL,
    void_reasons TEXT NOT NULL, median_ns INTEGER, PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE watched (
    run INTEGER NOT NULL REFERENCES run(key), cell INTEGER NOT NULL, what TEXT NOT NULL, hits INTEGER NOT NULL, trials INTEGER NOT NULL,
    blocks TEXT NOT NULL, PRIMARY KEY (run, cell, what)
) STRICT, WITHOUT ROWID;
CREATE TABLE finding (
    run INTEGER NOT NULL REFERENCES run(key), kind TEXT NOT NULL, cell TEXT NOT NULL, what TEXT NOT NULL, words TEXT NOT NULL
) STRICT;
CREATE TABLE notified (alert TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT;
";

/// An open database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens that of a folder of runs; makes it where there is none.
    ///
    /// # Errors
    /// [`HistoryError::NoFolder`], [`HistoryError::Newer`], [`HistoryError::Damaged`], [`HistoryError::Busy`], or what the disk says.
    pub fn open(results: &Path) -> Result<Self, HistoryError> {
        if !results.is_dir() {
            return Err(HistoryError::NoFolder { path: results.to_owned() });
        }
        Self::at(results.join(FILE))
    }

    /// Makes it anew, empty but for what was noticed, as far as that can be read: it takes the place of the old one as a whole.
    ///
    /// # Errors
    /// As [`Database::open`], but for what is wrong with the old one.
    pub fn rebuild(results: &Path) -> Result<Self, HistoryError> {
        let path = results.join(FILE);
        let noticed =
            if path.exists() { Self::open(results).and_then(|old| old.notified()) } else { Ok(vec![]) };
        if !results.is_dir() {
            return Err(HistoryError::NoFolder { path: results.to_owned() });
        }
        let disk =
            |error: std::io::Error| HistoryError::Disk { path: path.clone(), reason: error.to_string() };
        let beside = tempfile::Builder::new()
            .prefix(".history-")
            .suffix(".unfinished")
            .tempdir_in(results)
            .map_err(disk)?;
        let fresh = Self::at(beside.path().join(FILE))?;
        for (alert, at) in noticed.unwrap_or_default() {
            let said = fresh
                .connection
                .execute("INSERT OR IGNORE INTO notified VALUES (?1, ?2)", params![alert, at]);
            said.map_err(HistoryError::of(&path))?;
        }
        drop(fresh);
        fs::rename(beside.path().join(FILE), &path).map_err(disk)?;
        Self::at(path)
    }

    fn at(path: PathBuf) -> Result<Self, HistoryError> {
        let connection = connect(&path)?;
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        if number("application_id").map_err(HistoryError::of(&path))? != APPLICATION {
            let reason = "it is a database of another program".to_owned();
            return Err(HistoryError::Damaged { path, reason });
        }
        let found = number("user_version").map_err(HistoryError::of(&path))?;
        if found > VERSION {
            return Err(HistoryError::Newer { path, found, known: VERSION });
        }
        let said = connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
        match said.map_err(HistoryError::of(&path))? {
            said if said == "ok" => Ok(Self { connection, path }),
            reason => Err(HistoryError::Damaged { path, reason }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The runs that it knows: the digest of each by its place.
    ///
    /// # Errors
    /// [`HistoryError::Damaged`], [`HistoryError::Busy`], or what the disk says.
    pub fn known(&self) -> Result<BTreeMap<String, String>, HistoryError> {
        self.rows("SELECT place, digest FROM run", |row| Ok((row.get(0)?, row.get(1)?)))
            .map(|rows| rows.into_iter().collect())
    }

    /// Forgets the runs at these places and takes these in, all or nothing. A run that another process has taken in meanwhile is replaced by the same.
    ///
    /// # Errors
    /// As [`Database::known`].
    pub fn take(&mut self, gone: &[String], new: &[StoredNight]) -> Result<(), HistoryError> {
        let wrong = HistoryError::of(&self.path);
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for place in gone.iter().chain(new.iter().map(|night| &night.place)) {
                forget(&transaction, place)?;
            }
            new.iter().try_for_each(|night| insert(&transaction, night))?;
            transaction.commit()
        };
        write().map_err(wrong)
    }

    /// All nights, oldest first.
    ///
    /// # Errors
    /// As [`Database::known`].
    pub fn nights(&self) -> Result<Vec<StoredNight>, HistoryError> {
        let runs = self.rows("SELECT * FROM run", |row| Ok((row.get::<_, i64>("key")?, read_run(row)?)))?;
        let mut nights: BTreeMap<i64, StoredNight> = runs.into_iter().collect();
        let watched = "SELECT run, cell, what, blocks FROM watched ORDER BY run, cell";
        let counts = self.rows(watched, |row| {
            let what: String = row.get(2)?;
            let what = WATCHED.into_iter().find(|word| *word == what).ok_or_else(|| strange(2, &what))?;
            let blocks: String = row.get(3)?;
            let blocks = read_blocks(&blocks).ok_or_else(|| strange(3, &blocks))?;
            Ok(((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?), Watched { what, blocks }))
        })?;
        let mut of_cells: BTreeMap<(i64, i64), Vec<Watched>> = BTreeMap::new();
        counts.into_iter().for_each(|(cell, watched)| of_cells.entry(cell).or_default().push(watched));
        let cells = self.rows("SELECT * FROM cell ORDER BY run, place", |row| {
            Ok(((row.get::<_, i64>("run")?, row.get::<_, i64>("place")?), read_cell(row)?))
        })?;
        for (key, mut cell) in cells {
            cell.watched = of_cells.remove(&key).unwrap_or_default();
            cell.watched.sort_by_key(|watched| WATCHED.iter().position(|word| *word == watched.what));
            nights.entry(key.0).and_modify(|night| night.night.cells.push(cell));
        }
        let findings = self.rows("SELECT run, kind, cell, what, words FROM finding", |row| {
            Ok((row.get::<_, i64>(0)?, read_finding(row)?))
        })?;
        for (key, finding) in findings {
            nights.entry(key).and_modify(|night| night.night.findings.push(finding));
        }
        let mut nights: Vec<StoredNight> = nights.into_values().collect();
        nights.sort_by(|a, b| a.moment().cmp(&b.moment()));
        Ok(nights)
    }

    /// Claims the notice of an alert: of several processes that ask, one is told yes, once.
    ///
    /// # Errors
    /// As [`Database::known`].
    pub fn claim(&self, alert: &str, at: &str) -> Result<bool, HistoryError> {
        let said =
            self.connection.execute("INSERT OR IGNORE INTO notified VALUES (?1, ?2)", params![alert, at]);
        said.map(|rows| rows == 1).map_err(HistoryError::of(&self.path))
    }

    /// Takes a claim back: the notice was not given.
    ///
    /// # Errors
    /// As [`Database::known`].
    pub fn unclaim(&self, alert: &str) -> Result<(), HistoryError> {
        let said = self.connection.execute("DELETE FROM notified WHERE alert = ?1", params![alert]);
        said.map(drop).map_err(HistoryError::of(&self.path))
    }

    /// The alerts that were noticed, and when.
    fn notified(&self) -> Result<Vec<(String, String)>, HistoryError> {
        self.rows("SELECT alert, at FROM notified ORDER BY alert", |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn rows<T>(
        &self,
        sql: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, HistoryError> {
        let mut statement = self.connection.prepare(sql).map_err(HistoryError::of(&self.path))?;
        let rows = statement.query_map([], read).map_err(HistoryError::of(&self.path))?;
        rows.collect::<rusqlite::Result<Vec<T>>>().map_err(HistoryError::of(&self.path))
    }
}

/// Opens a file, which has its tables then.
fn connect(path: &Path) -> Result<Connection, HistoryError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(HistoryError::of(path))?;
    connection.busy_timeout(PATIENCE).map_err(HistoryError::of(path))?;
    make(&mut connection).map_err(HistoryError::of(path))?;
    Ok(connection)
}

/// Makes the tables of a new file. Of two processes one makes them, and the other finds them.
fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    let is_empty = |connection: &Connection| {
        let any = connection.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(()));
        any.optional().map(|any| any.is_none())
    };
    if !is_empty(connection)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if is_empty(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}

fn forget(transaction: &Transaction<'_>, place: &str) -> rusqlite::Result<()> {
    for table in ["cell", "watched", "finding"] {
        let sql = format!("DELETE FROM {table} WHERE run IN (SELECT key FROM run WHERE place = ?1)");
        transaction.prepare(&sql)?.execute([place])?;
    }
    transaction.execute("DELETE FROM run WHERE place = ?1", [place]).map(drop)
}

fn insert(transaction: &Transaction<'_>, stored: &StoredNight) -> rusqlite::Result<()> {
    let StoredNight {
        place,
        digest,
        id,
        machine,
        rehearsed,
        started,
        profile,
        filters,
        shard,
        complete,
        matrix,
        night,
    } = stored;
    transaction.prepare(
        "INSERT INTO run VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        place,
        digest,
        id,
        machine,
        rehearsed,
        started,
        night.ended,
        profile,
        filters,
        shard,
        complete,
        matrix,
        night.icc,
        night.confidence,
        json(&night.thresholds),
        json(&night.facts),
        json(&night.blocks)
    ])?;
    let key = transaction.last_insert_rowid();
    insert_cells(transaction, key, &night.cells)?;
    let mut findings = transaction.prepare("INSERT INTO finding VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for one in &night.findings {
        findings.execute(params![key, one.kind.word(), one.cell, one.what, one.words])?;
    }
    Ok(())
}

fn insert_cells(transaction: &Transaction<'_>, key: i64, all: &[CellNight]) -> rusqlite::Result<()> {
    let mut cells = transaction
        .prepare("INSERT INTO cell VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)")?;
    let mut watched = transaction.prepare("INSERT INTO watched VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (place, cell) in all.iter().enumerate() {
        cells.execute(params![
            key,
            place as i64,
            cell.id,
            cell.scenario,
            cell.configuration,
            cell.kernel,
            cell.path,
            json(&cell.parameters),
            cell.is_host,
            cell.known,
            cell.not_run,
            signed(cell.trials),
            json(&cell.void_reasons),
            cell.median_ns.map(signed)
        ])?;
        for one in &cell.watched {
            let hits: u64 = one.blocks.iter().map(|block| block.hits()).sum();
            let trials: u64 = one.blocks.iter().map(|block| block.trials()).sum();
            let blocks = one.blocks.iter().map(|block| format!("{}/{}", block.hits(), block.trials()));
            let blocks = blocks.collect::<Vec<_>>().join(" ");
            watched.execute(params![key, place as i64, one.what, signed(hits), signed(trials), blocks])?;
        }
    }
    Ok(())
}

fn read_run(row: &Row<'_>) -> rusqlite::Result<StoredNight> {
    Ok(StoredNight {
        place: row.get("place")?,
        digest: row.get("digest")?,
        id: row.get("id")?,
        machine: row.get("machine")?,
        rehearsed: row.get("rehearsed")?,
        started: row.get("started")?,
        profile: row.get("profile")?,
        filters: row.get("filters")?,
        shard: row.get("shard")?,
        complete: row.get("complete")?,
        matrix: row.get("matrix")?,
        night: Night {
            machine: row.get("machine")?,
            started: row.get("started")?,
            ended: row.get("ended")?,
            facts: parsed(row, "facts")?,
            cells: Vec::new(),
            blocks: parsed(row, "blocks")?,
            findings: Vec::new(),
            thresholds: parsed(row, "thresholds")?,
            icc: row.get("icc")?,
            confidence: row.get("confidence")?,
        },
    })
}

fn read_cell(row: &Row<'_>) -> rusqlite::Result<CellNight> {
    Ok(CellNight {
        id: row.get("id")?,
        scenario: row.get("scenario")?,
        configuration: row.get("configuration")?,
        kernel: row.get("kernel")?,
        path: row.get("path")?,
        parameters: parsed(row, "parameters")?,
        is_host: row.get("is_host")?,
        known: row.get("known")?,
        not_run: row.get("not_run")?,
        trials: unsigned(row.get("trials")?),
        void_reasons: parsed(row, "void_reasons")?,
        watched: Vec::new(),
        median_ns: row.get::<_, Option<i64>>("median_ns")?.map(unsigned),
    })
}

fn read_finding(row: &Row<'_>) -> rusqlite::Result<Finding> {
    let kind: String = row.get(1)?;
    let kinds = [FindingKind::Rate, FindingKind::Difference, FindingKind::Control];
    let kind = kinds.into_iter().find(|one| one.word() == kind).ok_or_else(|| strange(1, &kind))?;
    Ok(Finding { kind, cell: row.get(2)?, what: row.get(3)?, words: row.get(4)? })
}

/// `0/1000 2/1000`
fn read_blocks(text: &str) -> Option<Vec<Count>> {
    let block = |word: &str| {
        let (hits, trials) = word.split_once('/')?;
        Count::new(hits.parse().ok()?, trials.parse().ok()?)
    };
    text.split_whitespace().map(block).collect()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data with string keys")
}

fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| strange(0, &text))
}

fn strange(column: usize, text: &str) -> rusqlite::Error {
    let cut: String = text.chars().take(40).collect();
    let what = format!("{cut:?} is nothing that a rig wrote");
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
}

/// Counts of trials are below 2^53.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
