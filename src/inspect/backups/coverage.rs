//! Whether backup files cover a body of data: recent, whole, and of this data as far as it can be told.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{BackupFile, Format, Whole, remembered};
use crate::model::{
    coverage::{Coverage, CoverageStatus, Facts, Fault},
    evidence::Evidence,
};

/// What counts as recent.
#[derive(Debug, Clone)]
pub struct Limits {
    pub max_age: SignedDuration,
    pub now: Timestamp,
    /// The zone of wall clocks that do not tell theirs.
    pub zone: TimeZone,
    /// Where what was found out about large files is remembered.
    pub memory: Option<PathBuf>,
}

/// Clocks of two machines differ a little; a time stamp further ahead is none.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What one backup must hold: a database with its tables, or whatever there is where nobody knows.
struct Want<'a> {
    database: Option<&'a str>,
    tables: Option<u64>,
    /// Whether the data is of this database alone, so that a file without a name may be of it.
    only: bool,
    by: Option<(&'a Path, Timestamp, Format)>,
}

/// A file with its time stamp; newest first.
struct Candidate<'a> {
    path: &'a Path,
    modified: Timestamp,
}

/// Judges files as backups of a body of data. Reads those that are recent enough, newest first, until
/// everything is covered.
#[must_use]
pub fn coverage(files: &[PathBuf], seen: &Evidence, limits: &Limits) -> Coverage {
    let mut unreadable: Option<(String, &Path)> = None;
    let mut candidates = Vec::new();
    for path in files {
        let modified = fs::metadata(path).and_then(|metadata| metadata.modified()).map_err(|e| e.to_string());
        match modified.and_then(|time| Timestamp::try_from(time).map_err(|e| e.to_string())) {
            Ok(modified) => candidates.push(Candidate { path, modified }),
            Err(error) => unreadable = Some((error, path)),
        }
    }
    candidates.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.path.cmp(b.path)));
    let mut wants = wants(seen);
    let mut refused: Option<(Fault, String, Timestamp, &Path)> = None;
    for candidate in &candidates {
        match weigh(candidate, seen, limits, &mut wants) {
            Ok(()) if wants.iter().all(|want| want.by.is_some()) => return covered(&wants),
            Ok(()) => {}
            Err(Refusal::Unreadable(why)) => unreadable = Some((why, candidate.path)),
            Err(Refusal::Not(fault, why, at)) => {
                refused.get_or_insert((fault, why, at, candidate.path));
            }
        }
    }
    let missing = wants.iter().find(|want| want.by.is_none()).and_then(|want| want.database);
    let partly = wants.iter().any(|want| want.by.is_some());
    let stale = |fault, at, source: Option<&Path>, detail| Coverage {
        facts: Facts { fault: Some(fault), ..Facts::default() },
        status: CoverageStatus::Stale,
        at,
        source: source.map(shown),
        verified: false,
        detail: Some(detail),
    };
    if let Some((why, path)) = unreadable {
        let status = CoverageStatus::Undetermined;
        return Coverage { status, source: Some(shown(path)), detail: Some(why), ..Coverage::none() };
    }
    match (refused, missing) {
        (Some((fault, why, at, path)), Some(database)) if partly => stale(
            fault,
            Some(at),
            Some(path),
            format!("{why}, and nothing else holds the database {database}"),
        ),
        (None, Some(database)) if partly => {
            stale(Fault::OtherData, None, None, format!("no backup holds the database {database}"))
        }
        (Some((fault, why, at, path)), _) => stale(fault, Some(at), Some(path), why),
        (None, _) => Coverage::none(),
    }
}

fn wants(seen: &Evidence) -> Vec<Want<'_>> {
    let by_database = matches!(seen.engine.as_deref(), Some("postgres" | "mysql" | "mariadb"));
    let databases = seen.contents.databases.iter().filter(|database| database.tables != Some(0));
    let named: Vec<_> = databases.filter(|_| by_database).collect();
    if named.is_empty() {
        return vec![Want { database: None, tables: None, only: true, by: None }];
    }
    let only = named.len() == 1;
    let want = |name, tables| Want { database: Some(name), tables, only, by: None };
    named.iter().map(|database| want(database.name.as_str(), database.tables)).collect()
}

enum Refusal {
    /// It is no recent backup of this data: what is wrong, in words, too; and when it was made.
    Not(Fault, String, Timestamp),
    Unreadable(String),
}

/// Looks whether a file covers something that is not covered yet.
fn weigh<'a>(
    candidate: &Candidate<'a>,
    seen: &Evidence,
    limits: &Limits,
    wants: &mut [Want<'a>],
) -> Result<(), Refusal> {
    let recent = |at: Timestamp| {
        let age = limits.now.duration_since(at);
        if age < -SKEW {
            Err(Refusal::Not(Fault::TooOld, "it is dated in the future".to_owned(), at))
        } else if age > limits.max_age {
            Err(Refusal::Not(Fault::TooOld, "it is too old".to_owned(), at))
        } else {
            Ok(())
        }
    };
    // A backup is never younger than its file; an old one need not be read.
    recent(candidate.modified)?;
    let file = remembered::check(candidate.path, &limits.zone, limits.memory.as_deref())
        .map_err(|error| Refusal::Unreadable(error.to_string()))?;
    let not = |fault, why: String| Refusal::Not(fault, why, file.made_at);
    match &file.whole {
        Whole::Yes => {}
        Whole::Broken(why) => return Err(not(Fault::Broken, why.clone())),
        Whole::Unknown(why) => {
            return Err(Refusal::Unreadable(why.clone()));
        }
    }
    recent(file.made_at)?;
    let Some(format) = file.format.filter(|format| seen.engine.as_deref().is_some_and(|id| format.is_of(id)))
    else {
        let format = file.format.map_or("no format that is known", Format::name);
        return Err(not(Fault::OtherData, format!("it is of another engine: {format}")));
    };
    let mut refused = None;
    for want in wants.iter_mut().filter(|want| want.by.is_none()) {
        match holds(&file, candidate.path, seen, want) {
            None => want.by = Some((candidate.path, file.made_at, format)),
            Some(why) => refused = Some(not(Fault::OtherData, format!("it {why}"))),
        }
    }
    refused.map_or(Ok(()), Err)
}

/// Why a whole file of the right engine is not a backup of what is wanted; `None` where it is one.
fn holds(file: &BackupFile, path: &Path, seen: &Evidence, want: &Want<'_>) -> Option<String> {
    let named = |name: &str| file.databases.iter().find(|dumped| dumped.name.as_deref() == Some(name));
    let unnamed = || {
        let fits = |name: &str| want.only || super::names(path, name);
        file.databases.iter().find(|dumped| dumped.name.is_none() && want.database.is_none_or(fits))
    };
    if let Some(keys) = file.keys {
        let live: u64 = seen.contents.databases.iter().filter_map(|database| database.rows).sum();
        let first = seen.contents.databases.iter().find(|database| database.name == "db0");
        let live = first.and_then(|database| database.rows).unwrap_or(live.min(1));
        if keys == 0 {
            return Some("holds no keys".to_owned());
        }
        // Keys come and go; but not half of them between two backups.
        return (keys < live / 2).then(|| format!("holds {keys} keys of {live}: it is of other data"));
    }
    let Some(database) = want.database else {
        // What is there is not known: then the file must hold something, and miss nothing that it names.
        let something = file.databases.iter().any(|dumped| dumped.tables != Some(0));
        let missing: u64 = file.databases.iter().map(|dumped| dumped.without_data).sum();
        return match (something, missing) {
            (false, _) => Some("holds no tables".to_owned()),
            (true, 0) => None,
            (true, missing) => Some(format!("holds no rows of {missing} tables")),
        };
    };
    let Some(dumped) = named(database).or_else(unnamed) else {
        let other = file.databases.iter().find_map(|dumped| dumped.name.as_deref());
        return Some(match other {
            Some(other) => format!("is of another database: {other}, not {database}"),
            None => format!("does not say that it is of the database {database}"),
        });
    };
    let tables = dumped.tables.unwrap_or(0);
    if tables == 0 {
        Some("holds no tables".to_owned())
    } else if dumped.without_data > 0 {
        Some(format!("holds no rows of {} tables", dumped.without_data))
    } else {
        want.tables.filter(|live| tables < *live).map(|live| format!("holds {tables} tables of {live}"))
    }
}

fn covered(wants: &[Want<'_>]) -> Coverage {
    let oldest = wants.iter().filter_map(|want| want.by).min_by_key(|(_, at, _)| *at);
    Coverage {
        status: CoverageStatus::Covered,
        at: oldest.map(|(_, at, _)| at),
        source: oldest.map(|(path, ..)| shown(path)),
        verified: false,
        detail: oldest.map(|(_, _, format)| format!("{}, whole", format.name())),
        facts: Facts::default(),
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
