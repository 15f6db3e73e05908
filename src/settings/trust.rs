//! Which project files a person has said yes to. Remembered by path and content: a file that changes, or a copy
//! of it elsewhere, has to be trusted again.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::file::SettingsFile;

/// The trusted files: path to SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    #[serde(default)]
    files: BTreeMap<PathBuf, String>,
}

impl Trust {
    /// Reads `trust.json` of our folder. One that is missing or cannot be read trusts nothing: that is the
    /// side to err on.
    #[must_use]
    pub fn load(home: Option<&Path>) -> Self {
        let content = home.and_then(|home| std::fs::read(home.join("trust.json")).ok());
        content.and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default()
    }

    /// Whether exactly this content was trusted in this place.
    #[must_use]
    pub fn has(&self, file: &SettingsFile) -> bool {
        self.files.get(&place(&file.path)).is_some_and(|trusted| *trusted == file.sha256)
    }

    /// Trusts the content that was read.
    pub fn add(&mut self, file: &SettingsFile) {
        self.files.insert(place(&file.path), file.sha256.clone());
    }

    /// Writes it, whole or not at all; for nobody else to write.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn save(&self, home: &Path) -> io::Result<()> {
        std::fs::create_dir_all(home)?;
        let temporary = home.join(format!("trust.json.{}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&temporary).and_then(|mut file| {
            file.write_all(&serde_json::to_vec_pretty(self).map_err(io::Error::other)?)?;
            file.sync_all()?;
            std::fs::rename(&temporary, home.join("trust.json"))
        });
        if written.is_err() {
            // What is half written is of no use to anybody.
            let _ = std::fs::remove_file(&temporary);
        }
        written
    }
}

/// The file's one true path, so that a link to it is it.
fn place(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_missing| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::file;

    #[test]
    fn trust_is_for_one_content_in_one_place() {
        let home = tempfile::tempdir().unwrap();
        let file =
            file::parse(Path::new("/srv/shop/.dbsafe.toml"), "[policy]\nmode = \"disposable\"").unwrap();
        let mut trust = Trust::load(Some(home.path()));
        assert!(!trust.has(&file));
        trust.add(&file);
        trust.save(home.path()).unwrap();
        let trust = Trust::load(Some(home.path()));
        assert!(trust.has(&file));
        let moved = SettingsFile { path: "/srv/other/.dbsafe.toml".into(), ..file.clone() };
        let changed = SettingsFile { sha256: "0".into(), ..file };
        assert!(!trust.has(&moved) && !trust.has(&changed));
        std::fs::write(home.path().join("trust.json"), "no").unwrap();
        assert_eq!(Trust::load(Some(home.path())), Trust::default());
    }
}
