//! The single checks of `doctor`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    doctor::{Check, State},
    hooks, shell_init,
};
use crate::{
    docker::{
        endpoint::{DockerConfig, Endpoint, EndpointError},
        engine::Engine,
        environment::Environment,
        program::{DockerProgram, ProgramError},
    },
    model::plan::Plan,
    plan,
    plugin::NAME,
    report::words,
    settings::{self, Settings, place},
    store::health::Health,
};

/// A docker or an engine that takes longer is not in order.
const LIMIT: Duration = Duration::from_secs(10);
/// Less room than that holds few databases.
const LITTLE: u64 = 1 << 30;

/// An engine to be asked, or why there is none: the sentence and what mends it.
pub(super) type Asked<'a> = Result<(&'a Endpoint, Result<Engine, String>), (String, &'static str)>;

/// The docker client.
pub(super) async fn client(docker: Result<&DockerProgram, &ProgramError>) -> Check {
    const CHECK: &str = "docker";
    let docker = match docker {
        Ok(docker) => docker,
        Err(error) => return Check::bad(CHECK, error.to_string(), error.hint()),
    };
    match docker.output(&["--version"], LIMIT).await {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            let version = said.strip_prefix("Docker version ").unwrap_or(&said);
            Check::ok(CHECK, format!("{version}: {}", docker.path().display()))
        }
        Err(error) => Check::bad(CHECK, error.to_string(), error.hint()),
    }
}

/// Whether docker finds us, and not another of our name.
pub(super) fn plugin(docker: Result<&DockerProgram, &ProgramError>, environment: &Environment) -> Check {
    const CHECK: &str = "plugin";
    let version = env!("CARGO_PKG_VERSION");
    let own = std::env::current_exe().unwrap_or_default();
    let found = match docker.map(|docker| docker.plugin(NAME, environment)) {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Check::bad(CHECK, error.to_string(), error.hint()),
        Err(_) => None,
    };
    match found {
        None => Check::bad(
            CHECK,
            format!("{version}, but docker does not find it where it looks"),
            format!("./install --binary {}", own.display()),
        ),
        Some(path) if same_file(&path, &own) => Check::ok(CHECK, format!("{version}: {}", path.display())),
        Some(path) => Check::bad(
            CHECK,
            format!("docker runs {}, and this is {} ({version})", path.display(), own.display()),
            "take one of the two away",
        ),
    }
}

fn same_file(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// Whether `docker` as typed goes through the guard. Off is a choice: `docker dbsafe …` works without.
pub(super) fn shell(environment: &Environment) -> Check {
    const CHECK: &str = "shell";
    if let Some(shell) = environment.text(shell_init::VARIABLE) {
        return Check::ok(CHECK, format!("docker, as typed in this {shell}, goes through the guard"));
    }
    let shell = environment.text("SHELL").unwrap_or_default();
    let shell = shell.rsplit('/').next().unwrap_or_default();
    let files = startup_files(shell, environment);
    if let Some(file) = files.iter().find(|file| names_us(file)) {
        let detail = format!("{} puts the guard in front of docker, but not in this shell", file.display());
        return Check::note(CHECK, detail, "open a new shell");
    }
    let line = match shell {
        "fish" => "docker dbsafe shell-init fish | source",
        "zsh" => "eval \"$(docker dbsafe shell-init zsh)\"",
        _ => "eval \"$(docker dbsafe shell-init bash)\"",
    };
    let place = files.first().map(|file| format!("   in {}", file.display())).unwrap_or_default();
    Check::note(CHECK, "off: docker as typed is not guarded, only docker dbsafe is", format!("{line}{place}"))
}

/// Where a shell reads commands at its start, as `./install` has them.
fn startup_files(shell: &str, environment: &Environment) -> Vec<PathBuf> {
    let Some(home) = environment.home() else { return Vec::new() };
    let folder = |variable: &str, below: &str| {
        environment.get(variable).map_or_else(|| home.join(below), PathBuf::from)
    };
    match shell {
        "bash" => vec![home.join(".bashrc"), home.join(".bash_profile")],
        "zsh" => vec![folder("ZDOTDIR", "").join(".zshrc")],
        "fish" => {
            let fish = folder("XDG_CONFIG_HOME", ".config").join("fish");
            vec![fish.join("config.fish"), fish.join("conf.d/docker-dbsafe.fish")]
        }
        _ => Vec::new(),
    }
}

fn names_us(file: &Path) -> bool {
    let is_ours = |line: &str| {
        let line = line.trim_start();
        !line.starts_with('#') && line.contains("dbsafe") && line.contains(" shell-init ")
    };
    fs::read(file).is_ok_and(|text| String::from_utf8_lossy(&text).lines().any(is_ours))
}

/// Whether docker asks us for hints after its commands. Off is a choice, too.
pub(super) fn hooks(config: &Result<DockerConfig, EndpointError>) -> Check {
    const CHECK: &str = "hooks";
    match config.as_ref().map(hooks::state) {
        Ok(hooks::State::On) => {
            Check::ok(CHECK, "on: docker shows hints after commands that were not guarded")
        }
        Ok(hooks::State::Off) => {
            Check::note(CHECK, "off: docker shows no hints after its own commands", "docker dbsafe hooks on")
        }
        Ok(hooks::State::Disabled) => Check::note(
            CHECK,
            "on, but docker's feature hooks is off in its config.json",
            "docker dbsafe hooks on",
        ),
        Err(error) => Check::bad(CHECK, error.to_string(), error.hint()),
    }
}

/// Whether the engine answers.
pub(super) async fn engine(asked: Asked<'_>) -> Check {
    const CHECK: &str = "engine";
    let (endpoint, engine) = match asked {
        Ok((endpoint, Ok(engine))) => (endpoint, engine),
        Ok((endpoint, Err(error))) => {
            return Check::bad(CHECK, format!("{}: {error}", endpoint.host), "docker context ls");
        }
        Err((error, hint)) => return Check::bad(CHECK, error, hint),
    };
    match tokio::time::timeout(LIMIT, engine.version()).await {
        Ok(Ok(version)) => {
            Check::ok(CHECK, format!("{}, API {}: {}", version.server, version.api, endpoint.host))
        }
        Ok(Err(error)) => Check::bad(CHECK, error.to_string(), error.hint().unwrap_or("docker version")),
        Err(_elapsed) => Check::bad(
            CHECK,
            format!("{} did not answer within {} s", endpoint.host, LIMIT.as_secs()),
            "docker version",
        ),
    }
}

/// Whether there is a Compose whose behaviour we know.
pub(super) async fn compose(
    docker: Result<&DockerProgram, &ProgramError>,
    environment: &Environment,
) -> Check {
    const CHECK: &str = "compose";
    let Ok(docker) = docker else { return Check::note(CHECK, "not asked", "see docker") };
    let compose = match docker.compose(environment) {
        Ok(compose) => compose,
        Err(error @ ProgramError::NoCompose) => {
            return Check::note(CHECK, error.to_string(), error.hint());
        }
        Err(error) => return Check::bad(CHECK, error.to_string(), error.hint()),
    };
    match compose.output(&["version", "--short"], LIMIT).await {
        Ok(output) => {
            let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match plan::compose_doubt(&version) {
                None => Check::ok(CHECK, format!("{version}: {}", compose.path().display())),
                Some(doubt) => Check::bad(
                    CHECK,
                    format!("it cannot be told {doubt}"),
                    "install such a one, as docker-compose-plugin",
                ),
            }
        }
        Err(error) => Check::bad(CHECK, error.to_string(), error.hint()),
    }
}

/// Whether a snapshot could be written.
pub(super) fn store(environment: &Environment) -> Check {
    const CHECK: &str = "store";
    match place::home(environment) {
        None => Check::bad(CHECK, "there is no folder for snapshots", "set DBSAFE_HOME or HOME"),
        Some(home) => {
            let check = store_of(&home, &Health::of(&home.join("snapshots")));
            // What is trusted stands in it: who can write there can trust.
            match Health::of(&home).mode.filter(|mode| mode & 0o022 != 0) {
                Some(mode) if check.state != State::Bad => Check::bad(
                    CHECK,
                    format!("{} has mode {mode:o}: others can write there", home.display()),
                    format!("chmod go-w {}", home.display()),
                ),
                _ => check,
            }
        }
    }
}

fn store_of(home: &Path, health: &Health) -> Check {
    const CHECK: &str = "store";
    let (shown, looked_at) = (home.display(), health.looked_at.display());
    if !health.is_folder {
        return Check::bad(CHECK, format!("{looked_at} is no folder"), "take it away, or set DBSAFE_HOME");
    }
    if !health.ours {
        let remedy = format!("chown it, or set DBSAFE_HOME: {shown}");
        return Check::bad(CHECK, format!("{shown} belongs to somebody else"), remedy);
    }
    if !health.writable {
        return Check::bad(CHECK, format!("{looked_at} is not writable"), "mend that, or set DBSAFE_HOME");
    }
    if let Some(mode) = health.mode.filter(|mode| mode & 0o077 != 0) {
        return Check::bad(
            CHECK,
            format!("{looked_at} has mode {mode:o}: others can read the snapshots in it"),
            format!("chmod 700 {looked_at}"),
        );
    }
    let free = health.free.map(|free| format!(", {} free", words::size(free))).unwrap_or_default();
    let detail = format!("{shown}{}{free}", if health.exists { "" } else { " (made by the first snapshot)" });
    match health.free {
        Some(free) if free < LITTLE => Check::note(CHECK, detail, "set DBSAFE_HOME to a larger disk"),
        _ => Check::ok(CHECK, detail),
    }
}

/// Whether the settings can be read, and which there are.
pub(super) fn settings(environment: &Environment) -> Check {
    const CHECK: &str = "settings";
    let gathered =
        settings::working_directory().and_then(|here| Settings::gather(environment, &here, &Plan::default()));
    let settings = match gathered {
        Ok(settings) => settings,
        Err(failure) => {
            return Check::bad(CHECK, failure.sentence, failure.hint.unwrap_or_else(|| "mend it".to_owned()));
        }
    };
    let project = settings.project_here();
    if let Some(ignored) = project.map(settings::ProjectFile::ignored).filter(|keys| !keys.is_empty()) {
        let path = project.map(|project| project.file.path.display().to_string()).unwrap_or_default();
        let keys = words::count(ignored.len() as u64, "line");
        return Check::note(
            CHECK,
            format!("{path}: {keys} not counting, as the file is not trusted"),
            "docker dbsafe config trust",
        );
    }
    let files: Vec<String> = settings
        .user_file()
        .into_iter()
        .chain(project.map(|project| &project.file))
        .map(|file| file.path.display().to_string())
        .collect();
    Check::ok(CHECK, if files.is_empty() { "as built in".to_owned() } else { files.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health {
            exists: true,
            looked_at: "/d".into(),
            is_folder: true,
            writable: true,
            ours: true,
            mode: Some(0o700),
            free: Some(5 << 30),
        }
    }

    #[test]
    fn a_store_that_others_read_or_nobody_can_write_is_bad() {
        let state = |health: &Health| store_of(Path::new("/d"), health).state;
        assert_eq!(state(&health()), State::Ok);
        assert_eq!(state(&Health { mode: Some(0o750), ..health() }), State::Bad);
        assert_eq!(state(&Health { writable: false, ..health() }), State::Bad);
        assert_eq!(state(&Health { ours: false, ..health() }), State::Bad);
        assert_eq!(state(&Health { is_folder: false, ..health() }), State::Bad);
        assert_eq!(state(&Health { free: Some(1000), ..health() }), State::Note);
    }

    #[test]
    fn the_shell_is_known_by_its_call_and_else_by_its_startup_file() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::default().with("HOME", home.path()).with("SHELL", "/bin/zsh");
        let off = shell(&environment);
        assert!(off.remedy.unwrap().starts_with("eval \"$(docker dbsafe shell-init zsh)\"   in "));
        fs::write(home.path().join(".zshrc"), "eval \"$('/p/docker-dbsafe' shell-init zsh)\"\n").unwrap();
        assert_eq!(shell(&environment).remedy.as_deref(), Some("open a new shell"));
        assert_eq!(shell(&environment.with(shell_init::VARIABLE, "zsh")).state, State::Ok);
    }
}
