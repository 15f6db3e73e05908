//! A changed file takes the old one's place: whole, or not at all.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// Why a file was not replaced. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{file} changed meanwhile", file = .0.display())]
    Changed(PathBuf),
    #[error("{file} is a link to {to}, outside of the project", file = .file.display(), to = .to.display())]
    Outside { file: PathBuf, to: PathBuf },
    #[error("{file} cannot be written: {cause}", file = .file.display())]
    Failed { file: PathBuf, cause: io::Error },
}

/// Puts `new` in the place of a file that says `old`; mode and owner stay. A link is followed, where it stays
/// within `project`.
///
/// # Errors
/// Where the file no longer says `old`, a link leads out of the project, or it cannot be written.
pub fn replace_file(file: &Path, project: &Path, old: &str, new: &str) -> Result<(), WriteError> {
    let failed = |cause| WriteError::Failed { file: file.to_owned(), cause };
    let real = file.canonicalize().map_err(failed)?;
    let linked = fs::symlink_metadata(file).map_err(failed)?.file_type().is_symlink();
    if linked && !real.starts_with(project.canonicalize().map_err(failed)?) {
        return Err(WriteError::Outside { file: file.to_owned(), to: real });
    }
    let meta = fs::metadata(&real).map_err(failed)?;
    if fs::read(&real).map_err(failed)? != old.as_bytes() {
        return Err(WriteError::Changed(file.to_owned()));
    }
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = real.with_file_name(format!(".{name}.{}.dbsafe", std::process::id()));
    let written = write_beside(&temporary, &meta, new).and_then(|()| fs::rename(&temporary, &real));
    if let Err(cause) = written {
        // What could not be finished is worth nothing.
        let _ = fs::remove_file(&temporary);
        return Err(failed(cause));
    }
    match real.parent() {
        Some(folder) if cfg!(unix) => {
            fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
        }
        _ => Ok(()),
    }
}

fn write_beside(path: &Path, like: &fs::Metadata, text: &str) -> io::Result<()> {
    let mut file = fs::File::options().write(true).create_new(true).open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
    }
    file.set_permissions(like.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_mode_and_only_as_it_was_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("compose.yaml");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        replace_file(&file, folder.path(), "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(matches!(replace_file(&file, folder.path(), "old", "x"), Err(WriteError::Changed(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_followed_within_the_project_only() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (inner, outer) = (folder.path().join("real.yaml"), outside.path().join("shared.yaml"));
        fs::write(&inner, "old").unwrap();
        fs::write(&outer, "old").unwrap();
        let (good, bad) = (folder.path().join("good.yaml"), folder.path().join("bad.yaml"));
        symlink(&inner, &good).unwrap();
        symlink(&outer, &bad).unwrap();
        replace_file(&good, folder.path(), "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&inner).unwrap(), "new");
        assert!(good.is_symlink());
        assert!(matches!(replace_file(&bad, folder.path(), "old", "new"), Err(WriteError::Outside { .. })));
        assert_eq!(fs::read_to_string(&outer).unwrap(), "old");
    }
}
