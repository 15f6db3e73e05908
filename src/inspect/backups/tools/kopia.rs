//! kopia: `kopia snapshot list --all --json`, `kopia ls -lr`, `kopia show`.

use std::io::{self, Read};

use jiff::{Timestamp, civil, tz::TimeZone};
use serde::Deserialize;

use super::{
    super::ask::{Asker, Question},
    repository::{Entry, Repository, Snapshot},
};

/// The repository that kopia is connected to, or the one of a configuration file.
pub struct Kopia {
    pub configuration: Option<String>,
    pub asker: Asker,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSnapshot {
    id: String,
    source: RawSource,
    start_time: Timestamp,
    /// Why it is not whole; a checkpoint is one.
    #[serde(default)]
    incomplete: String,
    root_entry: Option<RawRoot>,
}

#[derive(Deserialize)]
struct RawSource {
    #[serde(default)]
    path: String,
}

#[derive(Deserialize)]
struct RawRoot {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    size: u64,
    mtime: Option<Timestamp>,
    obj: String,
}

impl Kopia {
    fn question(&self, words: &[&str]) -> Question {
        let mut all = vec!["kopia"];
        if let Some(file) = &self.configuration {
            all.extend(["--config-file", file]);
        }
        all.extend(words);
        Question::new(&all).variable("TZ", "UTC").variable("KOPIA_CHECK_FOR_UPDATES", "false")
    }

    fn listed(&self) -> Result<Vec<RawSnapshot>, String> {
        listed(&self.asker.text(&self.question(&["snapshot", "list", "--all", "--json"]))?)
    }
}

impl Repository for Kopia {
    fn tool(&self) -> &'static str {
        "kopia"
    }

    fn place(&self) -> &str {
        self.configuration.as_deref().unwrap_or("its repository")
    }

    fn off_host(&self) -> Option<bool> {
        None
    }

    fn asker(&self) -> &Asker {
        &self.asker
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, String> {
        Ok(whole(self.listed()?))
    }

    fn entries(&self, snapshot: &Snapshot) -> Result<Vec<Entry>, String> {
        let found = self.listed()?.into_iter().find(|raw| raw.id == snapshot.id);
        let root = found.and_then(|raw| raw.root_entry).ok_or_else(|| "the snapshot is gone".to_owned())?;
        let path = snapshot.paths.first().cloned().unwrap_or_default();
        if root.kind == "f" {
            let (size, modified, object) = (root.size, root.mtime, Some(root.obj));
            return Ok(vec![Entry {
                path,
                is_file: true,
                is_folder: false,
                size,
                modified,
                object,
                engine: String::new(),
            }]);
        }
        entries(
            &self.asker.text(&self.question(&["ls", "-l", "-r", "--no-error-summary", &root.obj]))?,
            &path,
        )
    }

    fn read(
        &self,
        _snapshot: &Snapshot,
        entry: &Entry,
        read: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()> {
        let object = entry.object.as_deref().filter(|_| !entry.is_folder);
        // A folder cannot be had as a stream, so whether its server had stopped stays unknown.
        let object =
            object.ok_or_else(|| io::Error::other("kopia does not hand out a folder to be checked"))?;
        self.asker.stream(&self.question(&["show", object]), |reader| read(reader))
    }
}

fn listed(text: &str) -> Result<Vec<RawSnapshot>, String> {
    let listed: Result<Option<Vec<RawSnapshot>>, _> = serde_json::from_str(text);
    listed
        .map(Option::unwrap_or_default)
        .map_err(|error| format!("kopia's answer is not understood: {error}"))
}

/// Those that went to their end.
fn whole(listed: Vec<RawSnapshot>) -> Vec<Snapshot> {
    let whole = listed.into_iter().filter(|raw| raw.incomplete.is_empty() && raw.root_entry.is_some());
    whole
        .map(|raw| Snapshot {
            name: raw.id.chars().take(8).collect(),
            id: raw.id,
            began: raw.start_time,
            paths: vec![raw.source.path],
        })
        .collect()
}

/// Mode, size, date, time, zone, object and path, apart by spaces.
fn entries(text: &str, root: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        entries.push(entry(line, root).ok_or_else(|| "kopia's list of files is not understood".to_owned())?);
    }
    Ok(entries)
}

fn entry(line: &str, root: &str) -> Option<Entry> {
    let mut rest = line.trim_start();
    let mut word = || {
        let (word, behind) = rest.split_once(' ')?;
        rest = behind.trim_start();
        Some(word)
    };
    let (mode, size, date, time, _zone, object) = (word()?, word()?, word()?, word()?, word()?, word()?);
    let wall: Option<civil::DateTime> = format!("{date}T{time}").parse().ok();
    let name = rest.trim_end_matches('/');
    Some(Entry {
        path: format!("{}/{name}", root.trim_end_matches('/')),
        is_folder: mode.starts_with('d'),
        is_file: mode.starts_with('-'),
        size: size.parse().ok()?,
        modified: wall.and_then(|wall| TimeZone::UTC.to_timestamp(wall).ok()),
        object: Some(object.to_owned()),
        engine: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_no_snapshot_and_files_are_read() {
        let text = r#"[{"id":"00a1b2c3d4","source":{"host":"h","userName":"u","path":"/srv/b"},"description":"","startTime":"2026-01-10T12:00:00.5Z","endTime":"2026-01-10T12:00:02Z","rootEntry":{"name":"b","type":"d","mode":"0755","mtime":"2026-01-10T11:00:00Z","obj":"k1a2b"}},
            {"id":"ff","source":{"path":"/srv/b"},"startTime":"2026-01-10T13:00:00Z","endTime":"2026-01-10T13:00:02Z","incomplete":"checkpoint","rootEntry":{"type":"d","obj":"k3"}}]"#;
        let found = whole(listed(text).unwrap());
        assert_eq!(found.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["00a1b2c3"]);
        let line = "-rw-r--r--         4256 2026-01-10 11:00:00 UTC 4a5b6c7d8e9f                       my shop.dump\ndrwxr-xr-x           10 2026-01-10 11:00:00 UTC k99 sub/\n";
        let found = entries(line, "/srv/b").unwrap();
        assert_eq!(found[0].path, "/srv/b/my shop.dump");
        assert_eq!(
            (found[0].size, found[0].object.as_deref(), found[1].is_folder),
            (4256, Some("4a5b6c7d8e9f"), true)
        );
        assert!(entries("no", "/").is_err());
    }
}
