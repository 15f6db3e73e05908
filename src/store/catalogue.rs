//! Which snapshots there are.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    Files, MANIFEST, SECRETS, Secrets, Store, StoreError, StoredFile,
    seal::{ENDING, Keys, Recipients},
    write_whole,
};
use crate::model::manifest::{Artifact, FORMAT_VERSION, Manifest, Verification};

/// The latest verification, where there was one after the snapshot was made.
const VERIFICATION: &str = "verification.json";
/// A manifest is text about at most some thousand containers.
pub(super) const MAX_MANIFEST_BYTES: u64 = 64 << 20;

/// A whole snapshot in the store.
#[derive(Debug, Clone)]
pub struct Stored {
    pub folder: PathBuf,
    /// With the latest verification.
    pub manifest: Manifest,
    /// What opens it, where it is encrypted.
    keys: Keys,
}

impl PartialEq for Stored {
    fn eq(&self, other: &Self) -> bool {
        self.folder == other.folder && self.manifest == other.manifest
    }
}

/// What the store holds, newest first.
#[derive(Debug, Default)]
pub struct Listing {
    pub snapshots: Vec<Stored>,
    /// Folders whose manifest cannot be read; they are never removed by a plan.
    pub unreadable: Vec<Unreadable>,
}

/// A snapshot that this program cannot read.
#[derive(Debug)]
pub struct Unreadable {
    pub id: String,
    pub error: StoreError,
}

impl Store {
    /// Lists every whole snapshot.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn list(&self) -> Result<Listing, StoreError> {
        let entries = fs::read_dir(&self.folder).map_err(StoreError::io("cannot read", &self.folder))?;
        let mut listing = Listing::default();
        for entry in entries.flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            if id.starts_with('.') || !entry.path().is_dir() {
                continue;
            }
            match read(&entry.path(), &id) {
                Ok(manifest) => {
                    listing.snapshots.push(Stored::new(entry.path(), manifest, self.keys.clone()));
                }
                Err(error) => listing.unreadable.push(Unreadable { id, error }),
            }
        }
        listing
            .snapshots
            .sort_by(|a, b| (b.manifest.created, &b.manifest.id).cmp(&(a.manifest.created, &a.manifest.id)));
        listing.unreadable.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(listing)
    }

    /// Finds a snapshot by the beginning of its id, or of the part after the time; `latest` is the newest.
    ///
    /// # Errors
    /// Where there is none, more than one, or it cannot be read.
    pub fn find(&self, prefix: &str) -> Result<Stored, StoreError> {
        let listing = self.list()?;
        if prefix == "latest" {
            return listing
                .snapshots
                .into_iter()
                .next()
                .ok_or_else(|| StoreError::NotFound(prefix.to_owned()));
        }
        let fits = |id: &str| id_fits(id, prefix);
        let mut found: Vec<Stored> =
            listing.snapshots.into_iter().filter(|stored| fits(&stored.manifest.id)).collect();
        let mut unreadable: Vec<Unreadable> =
            listing.unreadable.into_iter().filter(|unreadable| fits(&unreadable.id)).collect();
        match (found.len() + unreadable.len(), found.pop(), unreadable.pop()) {
            (1, Some(stored), None) => Ok(stored),
            (1, None, Some(unreadable)) => Err(unreadable.error),
            (0, ..) => Err(StoreError::NotFound(prefix.to_owned())),
            (count, ..) => Err(StoreError::Ambiguous { prefix: prefix.to_owned(), count }),
        }
    }

    /// Remembers a verification made after the snapshot.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn record_verification(
        &self,
        stored: &Stored,
        verification: &Verification,
    ) -> Result<(), StoreError> {
        let json = serde_json::to_vec_pretty(verification).map_err(|error| StoreError::Manifest {
            id: stored.manifest.id.clone(),
            cause: error.to_string(),
        })?;
        write_whole(&stored.folder, VERIFICATION, &json)
    }
}

impl Stored {
    pub(super) fn new(folder: PathBuf, manifest: Manifest, keys: Keys) -> Self {
        Self { folder, manifest, keys }
    }

    /// Its files, as they are read: decrypted where they are encrypted.
    #[must_use]
    pub fn files(&self) -> Files {
        Files { folder: self.folder.clone(), keys: self.keys.clone() }
    }

    /// An artifact's file.
    #[must_use]
    pub fn file(&self, artifact: &Artifact) -> StoredFile {
        self.files().of(artifact)
    }

    /// Whom it is encrypted for on this disk; `None` where it is in the clear.
    ///
    /// # Errors
    /// Where the manifest names what is no recipient.
    pub fn recipients(&self) -> Result<Option<Recipients>, StoreError> {
        if self.manifest.recipients.is_empty() {
            return Ok(None);
        }
        let parsed = Recipients::parse(&self.manifest.recipients);
        parsed.map(Some).map_err(|cause| StoreError::Sealed { id: self.manifest.id.clone(), cause })
    }

    /// Whether everything in it can be opened, before anything is done that relies on that. Only the files' heads are
    /// read.
    ///
    /// # Errors
    /// Where no key at hand opens one of its files, or one cannot be read.
    pub fn unlock(&self) -> Result<(), StoreError> {
        self.manifest
            .artifacts()
            .map(|artifact| self.file(artifact))
            .chain([self.secrets_file()])
            .try_for_each(|file| match file.unlock() {
                // What is missing is another matter, and another's.
                Err(StoreError::Io { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => Ok(()),
                other => other,
            })
    }

    fn secrets_file(&self) -> StoredFile {
        let sealed = !self.manifest.recipients.is_empty();
        self.files().named(&format!("{SECRETS}{}", if sealed { ENDING } else { "" }))
    }

    /// Whether a restore or its checksums proved it, at the last look.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.manifest.is_proved()
    }

    /// The environment's values; empty where the snapshot came from another host.
    ///
    /// # Errors
    /// Where the file is there and cannot be read, or no key at hand opens it.
    pub fn secrets(&self) -> Result<Secrets, StoreError> {
        let file = self.secrets_file();
        let mut json = Vec::new();
        match file.open() {
            Ok(mut content) => {
                content.read_to_end(&mut json).map_err(StoreError::io("cannot read", file.path()))?;
            }
            Err(StoreError::Io { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Secrets::new());
            }
            Err(error) => return Err(error),
        }
        serde_json::from_slice(&json).map_err(|error| StoreError::Manifest {
            id: self.manifest.id.clone(),
            cause: format!("{SECRETS}: {error}"),
        })
    }

    /// Bytes of all artifacts.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.manifest.artifacts().map(|artifact| artifact.bytes).sum()
    }

    /// What it is of, for people and for retention.
    #[must_use]
    pub fn subjects(&self) -> Vec<String> {
        self.manifest.subjects()
    }
}

/// Whether a prefix means this snapshot: the beginning of its id, or of the part after the time.
pub(super) fn id_fits(id: &str, prefix: &str) -> bool {
    let tail = || id.rsplit('-').next().is_some_and(|tail| tail.starts_with(prefix));
    !prefix.is_empty() && (id.starts_with(prefix) || tail())
}

fn read(folder: &Path, id: &str) -> Result<Manifest, StoreError> {
    let path = folder.join(MANIFEST);
    let size = fs::metadata(&path).map_err(StoreError::io("cannot read", &path))?.len();
    if size > MAX_MANIFEST_BYTES {
        return Err(StoreError::Manifest { id: id.to_owned(), cause: "it is too large".to_owned() });
    }
    let bytes = fs::read(&path).map_err(StoreError::io("cannot read", &path))?;
    let mut manifest = parse_manifest(&bytes, id)?;
    if let Ok(bytes) = fs::read(folder.join(VERIFICATION))
        && let Ok(verification) = serde_json::from_slice(&bytes)
    {
        manifest.verification = verification;
    }
    Ok(manifest)
}

/// Reads a manifest, which may have been elsewhere: it must be of this snapshot, and name nothing outside of it.
pub(super) fn parse_manifest(bytes: &[u8], id: &str) -> Result<Manifest, StoreError> {
    #[derive(Deserialize)]
    struct Head {
        format_version: u64,
    }
    let unreadable = |cause: String| StoreError::Manifest { id: id.to_owned(), cause };
    let head: Head = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    if head.format_version > u64::from(FORMAT_VERSION) {
        return Err(StoreError::Newer { id: id.to_owned(), version: head.format_version });
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| unreadable(error.to_string()))?;
    if manifest.id != id {
        return Err(unreadable("it names another snapshot".to_owned()));
    }
    // File names come from a manifest that may have been elsewhere: none may lead out of the folder.
    let bad = manifest.artifacts().find(|artifact| {
        artifact.file.contains(['/', '\\']) || artifact.file.starts_with('.') || artifact.file.is_empty()
    });
    match bad {
        Some(bad) => Err(StoreError::BadName(bad.file.clone())),
        None => Ok(manifest),
    }
}
