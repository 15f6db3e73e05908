//! Finds the real docker client, for everything that we leave to it.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use super::environment::Environment;

/// Docker tells a plugin with it how docker itself was called.
pub const ORIGINAL_COMMAND: &str = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

/// There is no docker client to hand anything over to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no docker client on the PATH; see: command -v docker")]
pub struct NoDocker;

/// The docker client: the one that started us, else the first on the PATH; never ourselves.
///
/// # Errors
/// Where there is none.
pub fn find(environment: &Environment) -> Result<PathBuf, NoDocker> {
    let own = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    let path = environment.get("PATH").unwrap_or_default();
    choose(environment.get(ORIGINAL_COMMAND), path, own.as_deref()).ok_or(NoDocker)
}

/// As `find`. `original` may be a bare `docker`, a path, or, while completing, the plugin itself.
fn choose(original: Option<&OsStr>, path: &OsStr, own: Option<&Path>) -> Option<PathBuf> {
    let folder = std::env::current_dir().unwrap_or_default();
    let is_other = |candidate: &PathBuf| {
        candidate.file_stem().is_none_or(|name| name != "docker-dbsafe")
            && (own.is_none() || candidate.canonicalize().ok().as_deref() != own)
    };
    let named = |name: &OsStr| which::which_in_all(name, Some(path), &folder).ok()?.find(is_other);
    original.and_then(named).or_else(|| named(OsStr::new("docker")))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn program(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_docker_that_called_us_comes_before_the_one_on_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let on_path = program(folder.path(), "docker");
        let other = program(folder.path(), "docker-29");
        let path = folder.path().as_os_str();
        assert_eq!(choose(Some(other.as_os_str()), path, None), Some(other));
        assert_eq!(choose(Some(OsStr::new("docker")), path, None), Some(on_path.clone()));
        assert_eq!(choose(None, path, None), Some(on_path));
    }

    #[test]
    fn while_completing_the_original_command_is_ourselves_and_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let docker = program(folder.path(), "docker");
        let own = program(folder.path(), "docker-dbsafe");
        assert_eq!(choose(Some(own.as_os_str()), folder.path().as_os_str(), Some(&own)), Some(docker));
    }

    #[test]
    fn a_link_named_docker_to_ourselves_is_no_docker() {
        let folder = tempfile::tempdir().unwrap();
        let own = program(folder.path(), "plugin").canonicalize().unwrap();
        std::os::unix::fs::symlink(&own, folder.path().join("docker")).unwrap();
        assert_eq!(choose(None, folder.path().as_os_str(), Some(&own)), None);
    }
}
