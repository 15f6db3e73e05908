//! Where settings files and our own data are.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

use super::file::{self, SettingsFile};
use crate::{commands::app::Failure, docker::environment::Environment};

/// The project's file, in its folder or one above.
pub const PROJECT_FILE: &str = ".dbsafe.toml";

/// Larger than any settings file: what is larger is none.
const LARGEST: u64 = 1 << 20;

const US: &str = "dbsafe";

/// Our data: `DBSAFE_HOME`, else the platform's data folder.
#[must_use]
pub fn home(environment: &Environment) -> Option<PathBuf> {
    if let Some(home) = environment.get("DBSAFE_HOME") {
        return Some(home.into());
    }
    platform_folder(environment, "XDG_DATA_HOME", ".local/share", "LOCALAPPDATA")
        .map(|folder| folder.join(US))
}

/// The user's settings: `DBSAFE_CONFIG`, else `config.toml` in the platform's folder. The flag says whether
/// somebody named it, so that it must exist.
#[must_use]
pub fn user_file(environment: &Environment) -> Option<(PathBuf, bool)> {
    if let Some(path) = environment.get("DBSAFE_CONFIG") {
        return Some((path.into(), true));
    }
    Some((configuration(environment)?.join(US).join("config.toml"), false))
}

/// The platform's folder of a user's configuration.
#[must_use]
pub fn configuration(environment: &Environment) -> Option<PathBuf> {
    platform_folder(environment, "XDG_CONFIG_HOME", ".config", "APPDATA")
}

fn platform_folder(environment: &Environment, xdg: &str, below_home: &str, windows: &str) -> Option<PathBuf> {
    if cfg!(windows) {
        return environment.get(windows).map(PathBuf::from);
    }
    // The specification takes a relative path for none.
    let named = environment.get(xdg).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(target_os = "macos") && named.is_none() {
        return environment.home().map(|home| home.join("Library/Application Support"));
    }
    named.or_else(|| environment.home().map(|home| home.join(below_home)))
}

/// The nearest project's file, from `folder` upwards.
///
/// # Errors
/// Where a file is there and cannot be read or understood.
pub fn project_file(folder: &Path) -> Result<Option<SettingsFile>, Failure> {
    for folder in folder.ancestors() {
        if let Some(file) = read(&folder.join(PROJECT_FILE))? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Reads a settings file; `None` where there is none.
///
/// # Errors
/// Where it cannot be read or understood: whatever it would have said, it was not heard.
pub fn read(path: &Path) -> Result<Option<SettingsFile>, Failure> {
    let failed = |cause: String| {
        Failure::usage(format!("the settings in {} cannot be read: {cause}", path.display()))
            .hint("nothing was touched; mend the file or take it away")
    };
    let text = match text(path) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let parsed = file::parse(path, &text).map_err(|problem| failed(problem.to_string()))?;
    Ok(Some(parsed))
}

fn text(path: &Path) -> std::io::Result<Option<String>> {
    use std::io::{Error, ErrorKind};
    match std::fs::metadata(path) {
        // A pipe would wait for a writer for ever.
        Ok(metadata) if !metadata.is_file() => return Err(Error::other("it is no regular file")),
        Ok(_) => {}
        // A link to nowhere is a file that somebody believes in.
        Err(error) if error.kind() == ErrorKind::NotFound && std::fs::symlink_metadata(path).is_err() => {
            return Ok(None);
        }
        Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Error::other("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_invalid| Error::other("it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_from_the_environment() {
        let environment = Environment::default().with("HOME", "/home/a");
        if cfg!(target_os = "linux") {
            assert_eq!(home(&environment), Some("/home/a/.local/share/dbsafe".into()));
            let relative = environment.clone().with("XDG_CONFIG_HOME", "relative");
            assert_eq!(user_file(&relative), Some(("/home/a/.config/dbsafe/config.toml".into(), false)));
        }
        let named = environment.with("DBSAFE_HOME", "/d").with("DBSAFE_CONFIG", "/c.toml");
        assert_eq!((home(&named), user_file(&named)), (Some("/d".into()), Some(("/c.toml".into(), true))));
    }

    #[test]
    fn the_nearest_file_counts_and_a_broken_one_is_not_skipped() {
        let root = tempfile::tempdir().unwrap();
        let below = root.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(root.path().join(PROJECT_FILE), "").unwrap();
        assert_eq!(project_file(&below).unwrap().unwrap().path, root.path().join(PROJECT_FILE));
        std::fs::write(root.path().join("a").join(PROJECT_FILE), "[policy]\nmode = 1").unwrap();
        let failure = project_file(&below).unwrap_err();
        assert_eq!(failure.exit, crate::exit::Exit::Usage);
        assert!(
            failure.sentence.contains("a/.dbsafe.toml cannot be read: line 2: mode must be"),
            "{}",
            failure.sentence
        );
        std::fs::create_dir(below.join(PROJECT_FILE)).unwrap();
        assert!(project_file(&below).unwrap_err().sentence.contains("no regular file"));
    }
}
