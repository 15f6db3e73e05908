//! rclone: `rclone lsjson`, `rclone cat`. A remote has no snapshots; it is taken for one, of now.

use std::io::{self, Read};

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    super::ask::{Asker, Question},
    repository::{Entry, Repository, Snapshot},
};

/// A folder of a remote that rclone knows, `REMOTE:PATH`.
pub struct Rclone {
    pub remote: String,
    pub asker: Asker,
    pub now: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawFile {
    path: String,
    #[serde(default)]
    size: i64,
    mod_time: Option<Timestamp>,
}

impl Repository for Rclone {
    fn tool(&self) -> &'static str {
        "rclone"
    }

    fn place(&self) -> &str {
        &self.remote
    }

    fn off_host(&self) -> Option<bool> {
        // A path without a remote is a folder of this machine.
        (!self.remote.starts_with('/')).then_some(true)
    }

    fn asker(&self) -> &Asker {
        &self.asker
    }

    fn snapshots(&self) -> Result<Vec<Snapshot>, String> {
        Ok(vec![Snapshot { id: String::new(), name: String::new(), began: self.now, paths: Vec::new() }])
    }

    fn entries(&self, _snapshot: &Snapshot) -> Result<Vec<Entry>, String> {
        let words = ["rclone", "lsjson", "--recursive", "--files-only", "--no-mimetype", "--", &self.remote];
        entries(&self.asker.text(&Question::new(&words))?)
    }

    fn read(
        &self,
        _snapshot: &Snapshot,
        entry: &Entry,
        read: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()> {
        let apart = if self.remote.ends_with([':', '/']) { "" } else { "/" };
        let path = format!("{}{apart}{}", self.remote, entry.path);
        self.asker.stream(&Question::new(&["rclone", "cat", "--", &path]), |reader| read(reader))
    }
}

fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let listed: Vec<RawFile> =
        serde_json::from_str(text).map_err(|error| format!("rclone's answer is not understood: {error}"))?;
    let entry = |file: RawFile| Entry {
        path: file.path,
        is_file: true,
        is_folder: false,
        size: u64::try_from(file.size).unwrap_or(0),
        modified: file.mod_time,
        object: None,
        engine: String::new(),
    };
    Ok(listed.into_iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read() {
        let text = r#"[
{"Path":"b/f.sql","Name":"f.sql","Size":2,"MimeType":"application/sql","ModTime":"2026-01-10T08:29:06.546516752Z","IsDir":false}
]"#;
        let found = entries(text).unwrap();
        assert_eq!((found[0].path.as_str(), found[0].size), ("b/f.sql", 2));
        assert!(entries("Failed").is_err());
    }
}
