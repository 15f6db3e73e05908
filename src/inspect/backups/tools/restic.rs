//! restic: `restic snapshots --json`, `restic ls --json`, `restic dump`.

use std::io::{self, Read};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    super::ask::{Asker, Question},
    repository::{Entry, Repository, Snapshot, is_elsewhere},
};

/// A restic repository, by its address or as its container's own variables name it.
pub struct Restic {
    /// `None` where the surroundings of the program name it.
    pub repository: Option<String>,
    /// For people.
    pub shown: String,
    pub asker: Asker,
}

#[derive(Deserialize)]
struct RawSnapshot {
    id: String,
    time: Timestamp,
    #[serde(default)]
    paths: Vec<String>,
}

/// A line of `ls`: the snapshot itself first, then what is in it.
#[derive(Deserialize)]
struct RawNode {
    path: Option<String>,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    size: u64,
    mtime: Option<Timestamp>,
}

impl Restic {
    /// A question to this repository. Its address stands in the environment, as it may hold a password.
    fn question(&self, words: &[&str]) -> Question {
        let question = Question::new(&[&["restic", "--no-lock"], words].concat());
        match &self.repository {
            Some(repository) => question.variable("RESTIC_REPOSITORY", repository),
            None => question,
        }
    }
}

impl Repository for Restic {
    fn tool(&self) -> &'static str {
        "restic"
    }

    fn place(&self) -> &str {
        &self.shown
    }

    fn off_host(&self) -> Option<bool> {
        is_elsewhere(&self.shown)
    }

    fn asker(&self) -> &Asker {
        &self.asker
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, String> {
        snapshots(&self.asker.text(&self.question(&["snapshots", "--json"]))?)
    }

    fn entries(&self, snapshot: &Snapshot) -> Result<Vec<Entry>, String> {
        entries(&self.asker.text(&self.question(&["ls", "--json", &snapshot.id]))?)
    }

    fn read(
        &self,
        snapshot: &Snapshot,
        entry: &Entry,
        read: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()> {
        self.asker.stream(&self.question(&["dump", &snapshot.id, &entry.path]), |reader| read(reader))
    }
}

fn snapshots(text: &str) -> Result<Vec<Snapshot>, String> {
    // Tools around it write lines of their own before.
    let json = text.lines().find(|line| line.starts_with('[')).unwrap_or(text);
    let listed: Option<Vec<RawSnapshot>> =
        serde_json::from_str(json).map_err(|error| not_understood(&error))?;
    Ok(listed
        .unwrap_or_default()
        .into_iter()
        .map(|raw| Snapshot {
            name: raw.id.chars().take(8).collect(),
            id: raw.id,
            began: raw.time,
            paths: raw.paths,
        })
        .collect())
}

fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let node: RawNode = serde_json::from_str(line).map_err(|error| not_understood(&error))?;
        let Some(path) = node.path else { continue };
        entries.push(Entry {
            path,
            is_folder: node.kind == "dir",
            is_file: node.kind == "file",
            size: node.size,
            modified: node.mtime,
            object: None,
            engine: String::new(),
        });
    }
    Ok(entries)
}

fn not_understood(error: &serde_json::Error) -> String {
    format!("restic's answer is not understood: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_and_what_is_in_them_are_read() {
        let text = "repository abc opened\n[{\"time\":\"2026-01-10T12:00:12.611843618+02:00\",\"tree\":\"6f\",\"paths\":[\"/srv/b\"],\"hostname\":\"h\",\"username\":\"root\",\"id\":\"2084ae0d65b54999\",\"short_id\":\"2084ae0d\"}]\n";
        let found = snapshots(text).unwrap();
        assert_eq!(
            (found[0].name.as_str(), found[0].began.to_string().as_str()),
            ("2084ae0d", "2026-01-10T10:00:12.611843618Z")
        );
        assert_eq!(snapshots("null").unwrap(), []);
        assert!(snapshots("Fatal: no").is_err());
        let lines = "{\"time\":\"2026-01-10T12:00:13Z\",\"paths\":[\"/b\"],\"id\":\"4c\",\"struct_type\":\"snapshot\"}\n{\"name\":\"p.dump\",\"type\":\"file\",\"path\":\"/b/p.dump\",\"size\":4256,\"mtime\":\"2026-01-10T12:00:13.9Z\",\"struct_type\":\"node\"}\n{\"name\":\"b\",\"type\":\"dir\",\"path\":\"/b\",\"mtime\":\"2026-01-10T12:00:13Z\",\"struct_type\":\"node\"}\n";
        let found = entries(lines).unwrap();
        assert_eq!(
            found.iter().map(|e| (e.path.as_str(), e.is_file, e.size)).collect::<Vec<_>>(),
            [("/b/p.dump", true, 4256), ("/b", false, 0)]
        );
    }
}
