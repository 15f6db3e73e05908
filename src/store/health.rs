//! Whether the store's folder can take a snapshot. Looks only: creates nothing.

use std::path::{Path, PathBuf};

/// What a look at the folder said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// It is there; otherwise the rest is about the nearest folder above, in which it would be created.
    pub exists: bool,
    /// The folder that was looked at.
    pub looked_at: PathBuf,
    pub is_folder: bool,
    /// We may create files there.
    pub writable: bool,
    /// It belongs to the user that we run as.
    pub ours: bool,
    /// Its permissions; of a folder that is there.
    pub mode: Option<u32>,
    /// Bytes that we may still write.
    pub free: Option<u64>,
}

impl Health {
    /// Looks at the store's home folder.
    #[must_use]
    pub fn of(home: &Path) -> Self {
        let looked_at = home.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(home);
        let metadata = looked_at.metadata().ok();
        let exists = looked_at == home;
        Self {
            exists,
            looked_at: looked_at.to_owned(),
            is_folder: metadata.as_ref().is_some_and(std::fs::Metadata::is_dir),
            writable: writable(looked_at, metadata.as_ref()),
            ours: !exists || metadata.as_ref().is_some_and(is_ours),
            mode: metadata.as_ref().filter(|_| exists).and_then(mode),
            free: free(looked_at),
        }
    }
}

#[cfg(unix)]
fn writable(path: &Path, _metadata: Option<&std::fs::Metadata>) -> bool {
    use rustix::fs::Access;
    rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(unix)]
fn is_ours(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(unix)]
fn mode(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;
    Some(metadata.mode() & 0o7777)
}

#[cfg(unix)]
pub(super) fn free(path: &Path) -> Option<u64> {
    let seen = rustix::fs::statvfs(path).ok()?;
    Some(seen.f_bavail.saturating_mul(seen.f_frsize))
}

#[cfg(not(unix))]
fn writable(_path: &Path, metadata: Option<&std::fs::Metadata>) -> bool {
    metadata.is_some_and(|metadata| !metadata.permissions().readonly())
}

#[cfg(not(unix))]
fn is_ours(_metadata: &std::fs::Metadata) -> bool {
    true
}

#[cfg(not(unix))]
fn mode(_metadata: &std::fs::Metadata) -> Option<u32> {
    None
}

#[cfg(not(unix))]
pub(super) fn free(_path: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_store_that_is_not_there_yet_is_judged_by_what_is_above_it() {
        let folder = tempfile::tempdir().unwrap();
        let health = Health::of(&folder.path().join("a/b"));
        assert!(!health.exists && health.is_folder && health.writable && health.ours);
        assert_eq!((health.mode, health.looked_at.as_path()), (None, folder.path()));
        assert!(health.free.is_some());
        fs::write(folder.path().join("a"), "a file").unwrap();
        assert!(!Health::of(&folder.path().join("a/b")).is_folder);
    }

    #[test]
    fn permissions_of_others_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let health = Health::of(folder.path());
        assert_eq!((health.exists, health.mode), (true, Some(0o755)));
    }
}
