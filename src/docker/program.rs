//! The real docker client, for everything that we leave to it: finding it, and asking it things.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt as _,
    process::{ChildStdin, Command},
};

use super::{
    endpoint::{self, DockerConfig, EndpointError},
    environment::Environment,
    globals::DockerGlobals,
};

/// Docker tells a plugin with it how docker itself was called.
pub const ORIGINAL_COMMAND: &str = "DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND";

/// Docker tells a plugin with it where to listen for a cancellation.
pub const PLUGIN_SOCKET: &str = "DOCKER_CLI_PLUGIN_SOCKET";

/// How many of us stand above a process, each having started docker again.
pub const DEPTH: &str = "DBSAFE_DEPTH";

/// A provider of Compose may rightly call us within us; a `docker` that is a script around us never ends.
const DEPTH_LIMIT: u32 = 4;

/// Why docker could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("there is no docker client on the PATH")]
    NoDocker,
    #[error("the docker on the PATH calls dbsafe, which calls docker again")]
    Recursion,
    #[error("{program} cannot be started: {cause}", program = .program.display())]
    NotStarted { program: PathBuf, cause: String },
    #[error("docker {command} did not end within {} s", .limit.as_secs())]
    TimedOut { command: String, limit: Duration },
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("docker has no compose plugin")]
    NoCompose,
    #[error("there is no docker-compose on the PATH")]
    NoDockerCompose,
}

impl ProgramError {
    /// The command that mends it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoDocker | Self::Recursion => "see which docker is called: command -v docker",
            Self::NotStarted { .. } | Self::TimedOut { .. } => "see whether docker works: docker version",
            Self::Endpoint(error) => error.hint(),
            Self::NoCompose => {
                "install it as the package docker-compose-plugin, and see: docker compose version"
            }
            Self::NoDockerCompose => "docker compose does the same as a plugin of docker",
        }
    }
}

/// The docker client, with the globals that we were called with.
#[derive(Debug, Clone)]
pub struct DockerProgram {
    path: PathBuf,
    globals: DockerGlobals,
    depth: u32,
}

/// What a program wrote until its end.
#[derive(Debug, Clone)]
pub struct NestedOutput {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl DockerProgram {
    /// The docker client: the one that started us, else the first on the PATH; never ourselves.
    ///
    /// # Errors
    /// Where there is none, or the one there is calls us again and again.
    pub fn find(globals: &DockerGlobals, environment: &Environment) -> Result<Self, ProgramError> {
        let depth = environment.text(DEPTH).and_then(|depth| depth.parse().ok()).unwrap_or(0);
        if depth >= DEPTH_LIMIT {
            return Err(ProgramError::Recursion);
        }
        Ok(Self { path: find(environment)?, globals: globals.clone(), depth: depth + 1 })
    }

    /// The same client without the globals, for command lines that have them elsewhere.
    #[must_use]
    pub fn without_globals(&self) -> Self {
        Self { globals: DockerGlobals::default(), ..self.clone() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether docker's globals say which engine is meant.
    #[must_use]
    pub fn names_engine(&self) -> bool {
        !self.globals.hosts.is_empty() || self.globals.context.is_some()
    }

    /// `docker <globals> <arguments>`, not yet started.
    #[must_use]
    pub fn command<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(&self.path);
        // What docker told us does not hold for the docker below us, which tells its own plugins.
        command.env_remove(ORIGINAL_COMMAND).env_remove(PLUGIN_SOCKET).env(DEPTH, self.depth.to_string());
        command.args(&self.globals.arguments).args(arguments);
        command
    }

    /// Runs `docker <globals> <arguments>` and takes what it writes. It gets no standard input, and is killed when the
    /// caller no longer waits.
    ///
    /// # Errors
    /// Where it cannot be started, or takes longer than `limit`. That it fails is not an error here.
    pub async fn output<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        limit: Duration,
    ) -> Result<NestedOutput, ProgramError> {
        self.output_with_input(arguments, &[], limit).await
    }

    /// As `output`, with a standard input that we have read already, as for `compose -f - config`.
    ///
    /// # Errors
    /// As `output`.
    pub async fn output_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        input: &[u8],
        limit: Duration,
    ) -> Result<NestedOutput, ProgramError> {
        take_output(self.command(arguments), &self.path, input, limit, words_of(arguments)).await
    }

    /// Docker's configuration.
    ///
    /// # Errors
    /// Where it is there and cannot be read.
    pub fn config(&self, environment: &Environment) -> Result<DockerConfig, ProgramError> {
        let folder = endpoint::config_folder(&self.globals, environment)?;
        Ok(endpoint::read_config(&folder, &|path| std::fs::read(path))?)
    }

    /// The compose plugin that docker would run, to be called by itself: it answers in half of docker's time.
    ///
    /// # Errors
    /// Where docker's configuration cannot be read, or there is no such plugin.
    pub fn compose(&self, environment: &Environment) -> Result<ComposeProgram, ProgramError> {
        let path = self.plugin("compose", environment)?.ok_or(ProgramError::NoCompose)?;
        Ok(ComposeProgram { path, docker: self.clone(), is_plugin: true })
    }

    /// The program `docker-compose` of the PATH: version 1, or a later one that stands by itself.
    ///
    /// # Errors
    /// Where there is none.
    pub fn docker_compose(&self, environment: &Environment) -> Result<ComposeProgram, ProgramError> {
        let folder = std::env::current_dir().unwrap_or_default();
        let path = environment.get("PATH").unwrap_or_default();
        let mut found = which::which_in_all("docker-compose", Some(path), folder).into_iter().flatten();
        let path = found.next().ok_or(ProgramError::NoDockerCompose)?;
        Ok(ComposeProgram { path, docker: self.clone(), is_plugin: false })
    }

    /// The file that docker takes for a plugin.
    ///
    /// # Errors
    /// Where docker's configuration cannot be read.
    pub fn plugin(&self, name: &str, environment: &Environment) -> Result<Option<PathBuf>, ProgramError> {
        let folder = endpoint::config_folder(&self.globals, environment)?;
        let config = self.config(environment)?;
        let folders = plugin_folders(&folder, config.plugin_folders.unwrap_or_default(), environment);
        let name = format!("docker-{name}{}", std::env::consts::EXE_SUFFIX);
        // The first file wins, valid or not, as docker has it.
        Ok(folders.into_iter().map(|folder| folder.join(&name)).find(|path| path.exists()))
    }
}

/// The compose plugin, called as docker calls it, or the program `docker-compose`.
#[derive(Debug, Clone)]
pub struct ComposeProgram {
    path: PathBuf,
    docker: DockerProgram,
    is_plugin: bool,
}

impl ComposeProgram {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is docker's plugin, and not the program `docker-compose`.
    #[must_use]
    pub fn is_plugin(&self) -> bool {
        self.is_plugin
    }

    /// What `docker <globals> compose <arguments>` would start, or `docker-compose <globals> <arguments>`; not yet
    /// started.
    #[must_use]
    pub fn command<I, S>(&self, arguments: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(&self.path);
        command.env(DEPTH, self.docker.depth.to_string());
        if !self.is_plugin {
            command.env_remove(ORIGINAL_COMMAND).env_remove(PLUGIN_SOCKET);
            command.args(&self.docker.globals.arguments).args(arguments);
            return command;
        }
        // Without the original command Compose takes itself for the docker-compose of old, and reads its
        // arguments otherwise (docker/compose `cmd/main.go`).
        command.env(ORIGINAL_COMMAND, &self.docker.path).env_remove(PLUGIN_SOCKET);
        command.args(&self.docker.globals.arguments).arg("compose").args(arguments);
        command
    }

    /// Runs `compose <arguments>` and takes what it writes. It gets no standard input, and is killed when the
    /// caller no longer waits.
    ///
    /// # Errors
    /// Where it cannot be started, or takes longer than `limit`. That it fails is not an error here.
    pub async fn output<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        limit: Duration,
    ) -> Result<NestedOutput, ProgramError> {
        self.output_with_input(arguments, &[], limit).await
    }

    /// As `output`, with a standard input that we have read already, as for `compose -f - config`.
    ///
    /// # Errors
    /// As `output`.
    pub async fn output_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: &[S],
        input: &[u8],
        limit: Duration,
    ) -> Result<NestedOutput, ProgramError> {
        take_output(self.command(arguments), &self.path, input, limit, words_of(arguments)).await
    }
}

/// Where docker looks for its plugins, in its order (docker/cli `cli-plugins/manager`).
fn plugin_folders(config: &Path, extra: Vec<PathBuf>, environment: &Environment) -> Vec<PathBuf> {
    let mut folders = extra;
    folders.push(config.join("cli-plugins"));
    if cfg!(windows) {
        for name in ["ProgramData", "ProgramFiles"] {
            folders.extend(
                environment.get(name).map(|folder| Path::new(folder).join("Docker").join("cli-plugins")),
            );
        }
    } else {
        let system = ["/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec"];
        folders.extend(system.map(|folder| Path::new(folder).join("docker/cli-plugins")));
    }
    folders
}

fn words_of<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ")
}

async fn take_output(
    mut command: Command,
    program: &Path,
    input: &[u8],
    limit: Duration,
    words: String,
) -> Result<NestedOutput, ProgramError> {
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let run = async {
        let mut child = command.spawn()?;
        let pipe = child.stdin.take();
        // Both at once: either pipe may fill up while the other is waited for.
        let (_fed, output) = tokio::join!(feed(pipe, input), child.wait_with_output());
        output
    };
    match tokio::time::timeout(limit, run).await {
        Ok(Ok(output)) => {
            Ok(NestedOutput { status: output.status, stdout: output.stdout, stderr: output.stderr })
        }
        Ok(Err(error)) => Err(ProgramError::NotStarted {
            program: program.to_owned(),
            cause: super::error::in_words(&error),
        }),
        Err(_elapsed) => Err(ProgramError::TimedOut { command: words, limit }),
    }
}

/// Writes a program's standard input and ends it. A program that does not read to the end may well have
/// heard enough: its status tells.
pub(crate) async fn feed(pipe: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut pipe) = pipe {
        let _ = pipe.write_all(input).await;
        let _ = pipe.shutdown().await;
    }
}

/// The path of the docker client, as `DockerProgram::find`.
///
/// # Errors
/// Where there is none.
pub(super) fn find(environment: &Environment) -> Result<PathBuf, ProgramError> {
    let own = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    let path = environment.get("PATH").unwrap_or_default();
    choose(environment.get(ORIGINAL_COMMAND), path, own.as_deref()).ok_or(ProgramError::NoDocker)
}

/// As `find`. `original` may be a bare `docker`, a path, or, while completing, the plugin itself.
fn choose(original: Option<&OsStr>, path: &OsStr, own: Option<&Path>) -> Option<PathBuf> {
    let folder = std::env::current_dir().unwrap_or_default();
    let is_other = |candidate: &PathBuf| {
        candidate.file_stem().is_none_or(|name| name != "docker-dbsafe")
            && (own.is_none() || candidate.canonicalize().ok().as_deref() != own)
    };
    let named = |name: &OsStr| which::which_in_all(name, Some(path), &folder).ok()?.find(is_other);
    original.and_then(named).or_else(|| named(&OsString::from("docker")))
}

#[cfg(unix)]
#[cfg(test)]
#[path = "program_tests.rs"]
mod tests;
