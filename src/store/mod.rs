//! The snapshots on disk: one folder each, readable without this program. Imports `model` alone.
//!
//! `<home>/snapshots/<id>/` holds the artifacts, `SHA256SUMS` and, written last, `manifest.json`. A snapshot
//! grows in a folder whose name begins with `.incomplete-` and gets its own by a rename, so that a kill at
//! any instant leaves a whole snapshot or a leftover, which the next writer removes.

mod catalogue;
pub mod codes;
mod coverage;
pub mod drills;
pub mod health;
pub mod journal;
mod lock;
mod outcome;
pub mod protected;
pub mod remote;
pub mod retention;
pub mod schedules;
pub mod seal;
pub mod transient;
mod verify;
mod writer;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

pub use catalogue::{Listing, Stored, Unreadable};
pub use coverage::{coverage, newest_of};
pub use lock::Holder;
pub use outcome::Outcome;
pub use seal::{Files, StoredFile};
use seal::{Keys, Recipients, SealError};
pub use verify::{FileFault, fault_of, verify_files};
pub use writer::{
    ArtifactWriter, Compression, ContainerSecrets, Secrets, SnapshotWriter, Written, plain_name,
};

/// The folder of snapshots in the home folder.
const SNAPSHOTS: &str = "snapshots";
/// What the names of unfinished snapshots begin with.
const INCOMPLETE: &str = ".incomplete-";
/// What the names of snapshots on their way out begin with.
const DOOMED: &str = ".removed-";
pub const MANIFEST: &str = "manifest.json";
pub const CHECKSUMS: &str = "SHA256SUMS";
/// The environment's values of containers: leaves this host only when encrypted.
pub const SECRETS: &str = "env.secret";

/// Why the store could not do its part. A fragment that fits 'failed to …'.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{what} {}: {cause}", .path.display())]
    Io { what: &'static str, path: PathBuf, cause: io::Error },
    #[error("the snapshots' folder is in use by {holder}")]
    Locked { holder: String },
    #[error("no snapshot begins with {0:?}")]
    NotFound(String),
    #[error("{prefix:?} is the beginning of {count} snapshots")]
    Ambiguous { prefix: String, count: usize },
    #[error("snapshot {id} was written by a newer dbsafe (format {version})")]
    Newer { id: String, version: u64 },
    #[error("the manifest of snapshot {id} is not readable: {cause}")]
    Manifest { id: String, cause: String },
    #[error("{0} is no name for a file of a snapshot")]
    BadName(String),
    #[error("snapshot {id} cannot be opened: {cause}")]
    Sealed { id: String, cause: SealError },
}

impl StoreError {
    fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io { what, path, cause }
    }

    /// The command that mends it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { cause, .. } if cause.kind() == io::ErrorKind::StorageFull => {
                Some("free some space, or set DBSAFE_HOME to a larger disk")
            }
            Self::Locked { .. } => Some("wait until it has ended, then try again"),
            Self::NotFound(_) | Self::Ambiguous { .. } => {
                Some("docker dbsafe snapshots ls   lists the snapshots")
            }
            Self::Newer { .. } => Some("update dbsafe, or read the files by hand: see its manifest.json"),
            Self::Sealed { cause: SealError::NoKey | SealError::WrongKey(_), .. } => {
                Some("export DBSAFE_AGE_IDENTITY=FILE   names the file of its secret key")
            }
            Self::Io { .. } | Self::Manifest { .. } | Self::BadName(_) | Self::Sealed { .. } => None,
        }
    }

    /// Whether the disk is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { cause, .. } if cause.kind() == io::ErrorKind::StorageFull)
    }
}

/// The snapshots of one home folder. Cheap to clone; opening takes no lock.
#[derive(Debug, Clone)]
pub struct Store {
    home: PathBuf,
    folder: PathBuf,
    keys: Keys,
}

impl Store {
    /// Opens the store, and creates its folders (0700) where there are none.
    ///
    /// # Errors
    /// Where the folders cannot be created.
    pub fn open(home: &Path) -> Result<Self, StoreError> {
        let folder = home.join(SNAPSHOTS);
        for path in [home, &folder] {
            create_private_folder(path).map_err(StoreError::io("cannot create", path))?;
        }
        Ok(Self { home: home.to_owned(), folder, keys: Keys::default() })
    }

    /// The same, writing encrypted for these recipients; where there are none, in the clear.
    #[must_use]
    pub fn sealing_for(&self, recipients: Option<Recipients>) -> Self {
        Self { keys: self.keys.sealing_for(recipients), ..self.clone() }
    }

    /// The same, with the file of the secret key that opens what is encrypted.
    #[must_use]
    pub fn opened_by(&self, identity: Option<PathBuf>) -> Self {
        Self { keys: self.keys.opened_by(identity), ..self.clone() }
    }

    /// The home folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder that the snapshots stand in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Creates a folder that only its owner may enter, and its parents as they come.
fn create_private_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Creates a file that only its owner may read; an existing one is an error.
fn create_private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Writes a small file whole: nobody ever sees a part of it.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let (path, temporary) = (folder.join(name), folder.join(format!(".{name}.{}", std::process::id())));
    let write = || {
        let mut file = create_private_file(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary, &path)?;
        sync_folder(folder)
    };
    write().map_err(|cause| {
        // What cannot be removed either is removed with its folder.
        let _ = fs::remove_file(&temporary);
        StoreError::Io { what: "cannot write", path: path.clone(), cause }
    })
}

/// Makes renames and new names in a folder last through a power cut.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Other platforms cannot open a folder, and need not.
    if cfg!(unix) { fs::File::open(path)?.sync_all() } else { Ok(()) }
}
