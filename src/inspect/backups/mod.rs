//! Backup files: what one is, whether it is whole, of what it is, and when it was made.
//!
//! Imports `model` and `engines`. Reads each file once, from beginning to end, in flat memory: a file that
//! merely looks like a dump is none. A format that is not known never counts.

pub mod ask;
mod content;
mod coverage;
mod find;
pub mod keepers;
mod pg_custom;
mod rdb;
mod remembered;
mod source;
mod sql;
mod sqlite;
mod tarball;
pub mod tools;

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Serialize};

use self::{content::Content, source::Compression};
pub use self::{
    coverage::{Candidate, Claim, Limits, Live, Looked, look_at, look_at_files},
    find::{matching, names, stem},
};

/// What a backup file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// `pg_dump -Fc`.
    PgCustom,
    /// `pg_dump`, SQL.
    PgPlain,
    /// `pg_dumpall`.
    PgCluster,
    /// `mysqldump`, `mariadb-dump`.
    MySqlDump,
    /// Redis's or Valkey's RDB.
    Rdb,
    Sqlite,
    /// An archive of other files.
    Tar,
}

impl Format {
    /// For people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PgCustom | Self::PgPlain => "pg_dump",
            Self::PgCluster => "pg_dumpall",
            Self::MySqlDump => "mysqldump",
            Self::Rdb => "RDB",
            Self::Sqlite => "SQLite",
            Self::Tar => "tar",
        }
    }

    /// Whether it is a backup of this engine's data.
    #[must_use]
    pub fn is_of(self, engine: &str) -> bool {
        match self {
            Self::PgCustom | Self::PgPlain | Self::PgCluster => engine == "postgres",
            Self::MySqlDump => matches!(engine, "mysql" | "mariadb"),
            Self::Rdb => matches!(engine, "redis" | "valkey"),
            Self::Sqlite => engine == "sqlite",
            // What is in it is.
            Self::Tar => false,
        }
    }
}

/// Whether everything that was written is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Whole {
    Yes,
    /// It is not, because.
    Broken(String),
    /// It cannot be told, because.
    Unknown(String),
}

/// One database in a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dumped {
    /// `None` where the file does not say.
    pub name: Option<String>,
    /// Tables and materialized views; `None` where the file does not say.
    pub tables: Option<u64>,
    /// Of these, tables that could hold rows and of which the file has none: a dump of the schema alone.
    pub without_data: u64,
    /// Whether PostgreSQL's large objects are in it.
    pub large_objects: bool,
}

/// A backup file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// `None` where it is not known.
    pub format: Option<Format>,
    /// When the data was read, as far as the file and its time stamp tell; rather too early than too late.
    pub made_at: Timestamp,
    /// Bytes on disk.
    pub size: u64,
    pub whole: Whole,
    pub databases: Vec<Dumped>,
    /// Keys of the first database of an RDB.
    pub keys: Option<u64>,
    /// Of an archive: the backups in it, by their paths.
    #[serde(default)]
    pub inside: Vec<(String, Self)>,
    /// Of an archive: the data directories in it.
    #[serde(default)]
    pub copies: Vec<FileCopy>,
}

impl BackupFile {
    /// Whether it is a dump of all databases of a server: that of MySQL's holds its own, too.
    #[must_use]
    pub fn is_of_whole_server(&self) -> bool {
        let is_own = |dumped: &Dumped| dumped.name.as_deref() == Some("mysql");
        match self.format {
            Some(Format::PgCluster) => true,
            Some(Format::MySqlDump) => self.databases.iter().any(is_own),
            _ => false,
        }
    }

    /// Whether it says itself that it is of this database.
    fn names(&self, database: Option<&str>) -> bool {
        database.is_some() && self.databases.iter().any(|dumped| dumped.name.as_deref() == database)
    }
}

/// A copy of a server's data directory, file by file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCopy {
    /// The engine's id.
    pub engine: String,
    /// Where it is in the archive.
    pub path: String,
    pub identity: Option<String>,
    /// When the server says, in these files, that it was shut down in order; `None` where it does not.
    pub shut_down: Option<Timestamp>,
    /// The newest time stamp of a file in it.
    pub newest: Option<Timestamp>,
}

/// When a backup says that it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum OwnTime {
    #[default]
    Unsaid,
    Exact(Timestamp),
    /// A clock on a wall, in a time zone that the file does not tell.
    Wall(civil::DateTime),
}

/// Reads a backup file.
///
/// # Errors
/// Where the file itself could not be read: nothing is known of it then.
pub fn check_file(path: &Path, zone: &TimeZone) -> io::Result<BackupFile> {
    let before = fs::metadata(path)?;
    if !before.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let modified = Timestamp::try_from(before.modified()?).map_err(io::Error::other)?;
    let opened = source::open(path)?;
    let compression = opened.compression;
    let mut content = opened.read(content::read)?;
    let after = fs::metadata(path)?;
    if (before.len(), before.modified()?) != (after.len(), after.modified()?) {
        content.whole = Whole::Unknown("it is being written".to_owned());
    }
    if before.len() == 0 {
        content.whole = Whole::Broken("it is empty".to_owned());
    }
    // SQLite writes elsewhere first: beside the file lies what it does not hold yet.
    if content.format == Some(Format::Sqlite) && compression == Compression::None && has_log(path) {
        content.whole = Whole::Unknown("a write-ahead log lies beside it".to_owned());
    }
    Ok(described(content, modified, before.len(), zone))
}

/// Reads a backup that comes from elsewhere, to its end. `modified` is when it was written, rather too early than
/// too late.
///
/// # Errors
/// Where it could not be read to its end.
pub fn check_stream(
    reader: Box<dyn Read + '_>,
    modified: Timestamp,
    size: u64,
    zone: &TimeZone,
) -> io::Result<BackupFile> {
    let content = source::of(reader)?.read(content::read)?;
    Ok(described(content, modified, size, zone))
}

fn described(content: Content, modified: Timestamp, size: u64, zone: &TimeZone) -> BackupFile {
    BackupFile {
        format: content.format,
        made_at: made_at(content.own_time, modified, zone),
        size,
        whole: content.whole,
        databases: content.databases,
        keys: content.keys,
        inside: content.inside,
        copies: content.copies,
    }
}

fn has_log(path: &Path) -> bool {
    ["-wal", "-journal"].iter().any(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        fs::metadata(name).is_ok_and(|metadata| metadata.len() > 0)
    })
}

/// A dump is written right after its clock was read: a wall clock that reads shortly before the file's time
/// stamp was in that zone.
const SHORTLY: SignedDuration = SignedDuration::from_hours(1);

/// When the data was read. A time stamp alone may be that of a copy; so the earlier of both counts.
fn made_at(own: OwnTime, modified: Timestamp, zone: &TimeZone) -> Timestamp {
    match own {
        OwnTime::Unsaid => modified,
        OwnTime::Exact(at) => at.min(modified),
        OwnTime::Wall(wall) => {
            let zones = [&TimeZone::UTC, zone];
            let read: Vec<Timestamp> = zones
                .iter()
                .filter_map(|zone| zone.to_timestamp(wall).ok())
                .filter(|at| *at <= modified)
                .collect();
            let fits = read.iter().find(|at| modified.duration_since(**at) <= SHORTLY);
            fits.or(read.iter().min()).copied().unwrap_or(modified)
        }
    }
}

#[cfg(test)]
mod tests;
