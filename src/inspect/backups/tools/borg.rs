//! borg 1: `borg list --json`, `borg list --json-lines`, `borg extract --stdout`, `borg export-tar`; borg 2 has other
//! names for two of them.

use std::io::{self, Read};

use jiff::{Timestamp, civil, tz::TimeZone};
use serde::Deserialize;

use super::{
    super::ask::{Asker, Question},
    repository::{Entry, Repository, Snapshot, is_elsewhere},
};

/// A borg repository.
pub struct Borg {
    pub repository: String,
    pub asker: Asker,
}

#[derive(Deserialize)]
struct Listed {
    archives: Vec<RawArchive>,
}

#[derive(Deserialize)]
struct RawArchive {
    name: String,
    /// borg 2 has several archives of one name.
    id: String,
    start: Option<String>,
    time: Option<String>,
}

#[derive(Deserialize)]
struct RawItem {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    mtime: Option<String>,
}

impl Borg {
    fn question(&self, words: &[&str]) -> Question {
        // Its times have no zone: they shall be of one that we know.
        Question::new(&[&["borg"], words].concat())
            .variable("BORG_REPO", &self.repository)
            .variable("TZ", "UTC")
    }

    fn is_second(&self) -> bool {
        let version = self.asker.text(&Question::new(&["borg", "--version"])).unwrap_or_default();
        version.split_whitespace().nth(1).is_some_and(|version| version.starts_with('2'))
    }
}

impl Repository for Borg {
    fn tool(&self) -> &'static str {
        "borg"
    }

    fn place(&self) -> &str {
        &self.repository
    }

    fn off_host(&self) -> Option<bool> {
        is_elsewhere(&self.repository)
    }

    fn asker(&self) -> &Asker {
        &self.asker
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, String> {
        let second = self.is_second();
        let word = if second { "repo-list" } else { "list" };
        archives(&self.asker.text(&self.question(&[word, "--json"]))?, second)
    }

    fn entries(&self, snapshot: &Snapshot) -> Result<Vec<Entry>, String> {
        items(&self.asker.text(&self.question(&["list", "--json-lines", &snapshot.id]))?)
    }

    fn read(
        &self,
        snapshot: &Snapshot,
        entry: &Entry,
        read: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()> {
        // A path is taken for itself, and not for a pattern.
        let path = format!("pp:{}", entry.path);
        let question = if entry.is_folder {
            self.question(&["export-tar", &snapshot.id, "-", &path])
        } else {
            self.question(&["extract", "--stdout", &snapshot.id, &path])
        };
        self.asker.stream(&question, |reader| read(reader))
    }
}

fn archives(text: &str, second: bool) -> Result<Vec<Snapshot>, String> {
    let listed: Listed = serde_json::from_str(text).map_err(|error| not_understood(&error))?;
    let mut snapshots = Vec::new();
    for raw in listed.archives {
        let began = raw.start.as_deref().or(raw.time.as_deref()).and_then(time);
        let began =
            began.ok_or_else(|| "borg's answer is not understood: an archive without a time".to_owned())?;
        let id = if second { format!("aid:{}", raw.id) } else { format!("::{}", raw.name) };
        snapshots.push(Snapshot { id, name: raw.name, began, paths: Vec::new() });
    }
    Ok(snapshots)
}

fn items(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let item: RawItem = serde_json::from_str(line).map_err(|error| not_understood(&error))?;
        entries.push(Entry {
            is_folder: item.kind == "d",
            is_file: item.kind == "-",
            path: item.path,
            size: item.size,
            modified: item.mtime.as_deref().and_then(time),
            object: None,
            engine: String::new(),
        });
    }
    Ok(entries)
}

/// A time with its zone, or else in UTC, which the question asks for.
fn time(text: &str) -> Option<Timestamp> {
    let with_zone = text.parse::<Timestamp>().ok();
    with_zone.or_else(|| TimeZone::UTC.to_timestamp(text.parse::<civil::DateTime>().ok()?).ok())
}

fn not_understood(error: &serde_json::Error) -> String {
    format!("borg's answer is not understood: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_and_items_are_read() {
        let text = r#"{"archives":[{"archive":"a1","barchive":"a1","id":"fcab","name":"a1","start":"2026-01-10T08:00:23.000000","time":"2026-01-10T08:00:23.000000"}],"encryption":{"mode":"none"}}"#;
        let found = archives(text, false).unwrap();
        assert_eq!(
            (found[0].id.as_str(), found[0].began.to_string().as_str()),
            ("::a1", "2026-01-10T08:00:23Z")
        );
        // borg 2 writes the zone.
        let second = text.replace("23.000000\"", "23.000000+02:00\"");
        let found = archives(&second, true).unwrap();
        assert_eq!(
            (found[0].id.as_str(), found[0].began.to_string().as_str()),
            ("aid:fcab", "2026-01-10T06:00:23Z")
        );
        assert!(archives("{}", false).is_err());
        let line = r#"{"type": "-", "mode": "-rw-r--r--", "path": "d/shop.dump", "healthy": true, "mtime": "2026-01-10T08:00:12.595724", "size": 4256}"#;
        assert!(items(line).unwrap()[0].is_file);
    }
}
