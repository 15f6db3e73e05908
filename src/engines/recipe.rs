//! How to dump, fingerprint and prove each kind of database: described as data, executed by `act`.
//!
//! Every script runs in the database's own container with its own client, and reads secrets there. Its
//! standard error carries records, one JSON array a line: `["P", position]`, `["T", database, table, rows,
//! digest, fleeting]`, `["S", directory, file, append-only]` (Redis), and `["E"]` at a good end. Everything
//! else there is a complaint.

use std::collections::BTreeMap;

use crate::model::manifest::{ArtifactKind, Fingerprint, TableFingerprint};

/// What can be done with one kind of database. Environment of the scripts: `DBSAFE_DATA` (its data
/// directory), `DBSAFE_ARGUMENTS` (its command line), `DBSAFE_DATABASE`, `DBSAFE_DUMP` (set where a dump is
/// wanted beside the fingerprint).
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// Prints the names of the databases, one a line, where each is dumped by itself.
    pub databases: Option<&'static str>,
    /// Writes the dump to standard output, where one is wanted, and the fingerprint to standard error.
    pub dump: Dump,
    /// What belongs to no database.
    pub globals: Option<Dump>,
    /// Holds up writing from now on; and lets it go on.
    pub hold: Option<(&'static str, &'static str)>,
    /// Succeeds when the server serves.
    pub ready: &'static str,
    /// Prints the server's version.
    pub version: &'static str,
    /// Reads everything, and prints what is wrong.
    pub check: Option<&'static str>,
    /// Loads a dump, from the file `DBSAFE_FILE`, into the database `DBSAFE_DATABASE`, which it creates.
    pub load: Option<&'static str>,
}

/// One dump.
#[derive(Debug, Clone, Copy)]
pub struct Dump {
    pub script: &'static str,
    pub kind: ArtifactKind,
    /// For people.
    pub format: &'static str,
    /// Of the file's name, with its dot; `.zst` where we compress.
    pub ending: &'static str,
    /// What it begins with.
    pub magic: &'static [&'static [u8]],
    /// What stands in its last bytes.
    pub trailer: Option<&'static [u8]>,
    /// Bytes that a client adds at the end where its standard error has the first word of this pair.
    pub extra: Option<(&'static str, usize)>,
}

/// How to save a kind of database; `None` where only its files can be.
#[must_use]
pub fn recipe(kind: &str) -> Option<&'static Recipe> {
    match kind {
        "postgres" => Some(&super::postgres_snapshot::RECIPE),
        "mysql" | "mariadb" => Some(&super::mysql_snapshot::RECIPE),
        "redis" | "valkey" | "keydb" => Some(&super::redis_snapshot::RECIPE),
        _ => None,
    }
}

/// Proves files without their server: runs in a container of its own, with `DBSAFE_PATH`. Prints `["OK"]`.
#[must_use]
pub fn offline_check(kind: &str) -> Option<&'static str> {
    (kind == "sqlite").then_some(super::sqlite_snapshot::CHECK)
}

/// What a script said beside its output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    pub fingerprint: Fingerprint,
    /// Redis: its directory, its file, and whether an append-only file holds everything.
    pub server_file: Option<ServerFile>,
    /// Whether it came to its end.
    pub complete: bool,
    /// What is no record.
    pub complaints: Vec<String>,
}

/// Where a server keeps the file that it loads at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFile {
    pub directory: String,
    pub name: String,
    pub append_only: bool,
}

/// Complaints kept; more say the same.
const MAX_COMPLAINTS: usize = 20;

/// Reads a script's standard error.
#[must_use]
pub fn parse_told(text: &str) -> Told {
    let mut told = Told::default();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let record: Option<Vec<serde_json::Value>> =
            line.trim().starts_with("[\"").then(|| serde_json::from_str(line).ok()).flatten();
        if !record.as_deref().is_some_and(|record| take(&mut told, record))
            && told.complaints.len() < MAX_COMPLAINTS
        {
            told.complaints.push(line.trim().to_owned());
        }
    }
    told
}

fn take(told: &mut Told, record: &[serde_json::Value]) -> bool {
    let text = |index: usize| record.get(index).map(as_text);
    match (text(0).as_deref(), record.len()) {
        (Some("P"), 2) => {
            // The first of several databases: what came after it may be in the others already.
            if told.fingerprint.position.is_none() {
                told.fingerprint.position = text(1).filter(|position| !position.is_empty());
            }
        }
        (Some("T"), 4..) => {
            let (Some(database), Some(table), Some(Ok(rows))) =
                (text(1), text(2), text(3).map(|rows| rows.parse::<u64>()))
            else {
                return false;
            };
            let digest = text(4).filter(|digest| !digest.is_empty());
            let fleeting = text(5).and_then(|count| count.parse().ok()).unwrap_or(0);
            let tables: &mut BTreeMap<_, _> = told.fingerprint.databases.entry(database).or_default();
            tables.insert(table, TableFingerprint { rows, digest, fleeting });
        }
        (Some("D"), 2) => {
            told.fingerprint.databases.entry(text(1).unwrap_or_default()).or_default();
        }
        (Some("S"), 4) => {
            told.server_file = Some(ServerFile {
                directory: text(1).unwrap_or_default(),
                name: text(2).unwrap_or_default(),
                append_only: text(3).as_deref() == Some("yes"),
            });
        }
        (Some("E"), 1) => told.complete = true,
        _ => return false,
    }
    true
}

fn as_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// How what a restore holds compares with what was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Every table, row by row count, and digest where there is one.
    Same,
    /// Rows differ, and the server was written to after it was looked at: every table is there.
    WrittenSince(String),
    /// Something is missing or different that nobody wrote.
    Different(String),
}

/// Compares a fingerprint with a restore's.
///
/// `moved` says whether the server was seen to be written to after the fingerprint: `None` where nothing
/// could tell, so that only more rows can be told from fewer.
#[must_use]
pub fn compare(before: &Fingerprint, after: &Fingerprint, moved: Option<bool>) -> Comparison {
    let mut written = Vec::new();
    for (database, tables) in &before.databases {
        let Some(restored) = after.databases.get(database) else {
            if tables.is_empty()
                || before.writes_held && tables.values().all(|table| table.rows == table.fleeting)
            {
                continue;
            }
            return Comparison::Different(format!("database {database} is not in the copy"));
        };
        for (name, table) in tables {
            let Some(found) = restored.get(name) else {
                return Comparison::Different(format!("table {database}.{name} is not in the copy"));
            };
            let fewest = table.rows.saturating_sub(table.fleeting);
            let same_rows =
                found.rows == table.rows || table.fleeting > 0 && (fewest..=table.rows).contains(&found.rows);
            let same = same_rows
                && (table.digest.is_none() || found.digest.is_none() || table.digest == found.digest);
            if same {
                continue;
            }
            let difference = format!("{database}.{name}: {} rows, then {}", table.rows, found.rows);
            let explained = match moved {
                Some(moved) => moved && !before.writes_held,
                None => found.rows >= fewest && !before.writes_held,
            };
            if !explained {
                return Comparison::Different(difference);
            }
            written.push(difference);
        }
    }
    if written.is_empty() { Comparison::Same } else { Comparison::WrittenSince(written.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(rows: u64, digest: Option<&str>) -> Fingerprint {
        let digest = digest.map_or("null".to_owned(), |digest| format!("{digest:?}"));
        parse_told(&format!("[\"P\", 7]\n[\"T\",\"shop\",\"public.t\",\"{rows}\",{digest}]\n[\"E\"]"))
            .fingerprint
    }

    #[test]
    fn records_are_told_from_complaints() {
        let told = parse_told("WARNING: x\n[\"T\",\"a\\nb\",\"t|u\",3,null]\n[\"X\"]\n[\"E\"]\n");
        assert!(told.complete);
        assert_eq!(told.fingerprint.databases["a\nb"]["t|u"].rows, 3);
        assert_eq!(told.complaints, ["WARNING: x", "[\"X\"]"]);
    }

    #[test]
    fn a_difference_counts_unless_somebody_wrote() {
        let (before, after) = (fingerprint(3, None), fingerprint(4, None));
        assert_eq!(compare(&before, &before, Some(false)), Comparison::Same);
        assert!(matches!(compare(&before, &after, Some(false)), Comparison::Different(_)));
        assert!(matches!(compare(&before, &after, Some(true)), Comparison::WrittenSince(_)));
        assert!(matches!(compare(&after, &before, None), Comparison::Different(_)));
        let held = Fingerprint { writes_held: true, ..before };
        assert!(matches!(compare(&held, &after, Some(true)), Comparison::Different(_)));
    }

    #[test]
    fn a_changed_row_is_seen_by_its_digest() {
        let (before, after) = (fingerprint(3, Some("a")), fingerprint(3, Some("b")));
        assert!(matches!(compare(&before, &after, Some(false)), Comparison::Different(_)));
    }

    #[test]
    fn a_table_that_is_not_in_the_copy_is_never_explained() {
        let before = fingerprint(3, None);
        assert!(matches!(compare(&before, &Fingerprint::default(), Some(true)), Comparison::Different(_)));
    }

    #[test]
    fn keys_that_expire_may_be_gone() {
        let before = parse_told("[\"T\",\"db0\",\"keys\",5,null,2]").fingerprint;
        for (rows, same) in [(5, true), (3, true), (2, false), (6, false)] {
            let after = parse_told(&format!("[\"T\",\"db0\",\"keys\",{rows},null,0]")).fingerprint;
            assert_eq!(compare(&before, &after, Some(false)) == Comparison::Same, same, "{rows}");
        }
    }
}
