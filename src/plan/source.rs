//! Asks compose for its model of the project. Asked once; the second look, right before the hand-over, takes
//! the same model and lists the engine anew.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, time::Duration};

use tokio::sync::OnceCell;

use super::{
    PlanError,
    compose::{Known, Scope},
    old_model,
    pflag::parse_bool,
    project::Project,
    prune::Client,
    version::Version,
};
use crate::{
    docker::{
        environment::Environment,
        program::{ComposeProgram, DockerProgram, NestedOutput},
    },
    model::operation::ComposeGlobals,
};

const LIMIT: Duration = Duration::from_secs(30);

/// The compose plugin, and what it said.
pub struct ComposeSource {
    docker: DockerProgram,
    environment: Environment,
    /// Our own file that remembers the plugin's version.
    memory: Option<PathBuf>,
    program: OnceCell<ComposeProgram>,
    known: OnceCell<Known>,
    hashes: OnceCell<BTreeMap<String, String>>,
    old: OnceCell<(Project, BTreeMap<String, String>)>,
    /// What was on our standard input, for `-f -`.
    input: Option<Vec<u8>>,
    /// It is the program `docker-compose`.
    by_itself: bool,
}

/// Which model is needed.
pub(super) struct Request<'a> {
    pub(super) globals: &'a ComposeGlobals,
    /// Narrow the model to these services and what they depend on.
    pub(super) services: &'a [String],
    /// Do not narrow it, but enable these services.
    pub(super) enable: &'a [String],
    /// Say which services the files have that no profile enables.
    pub(super) disabled: bool,
    /// The command cannot do without files: there is no label mode.
    pub(super) files_only: bool,
}

impl<'a> Request<'a> {
    pub(super) fn of(globals: &'a ComposeGlobals, services: &'a [String]) -> Self {
        Self { globals, services, enable: &[], disabled: false, files_only: false }
    }
}

impl ComposeSource {
    /// Nothing is run yet. `memory` is our own file, to remember the plugin's version in.
    #[must_use]
    pub fn new(docker: DockerProgram, environment: Environment, memory: Option<PathBuf>) -> Self {
        let (program, known, hashes, old) = Default::default();
        Self { docker, environment, memory, program, known, hashes, old, input: None, by_itself: false }
    }

    /// The program `docker-compose` of the PATH, in place of the plugin.
    #[must_use]
    pub fn by_itself(mut self, by_itself: bool) -> Self {
        self.by_itself = by_itself;
        self
    }

    /// What was read from our standard input, where the compose file comes from there (`-f -`).
    #[must_use]
    pub fn with_input(mut self, input: Vec<u8>) -> Self {
        self.input = Some(input);
        self
    }

    /// Whether `COMPOSE_REMOVE_ORPHANS` turns the flag on (compose `utils.StringToBool`).
    pub(super) fn removes_orphans(&self) -> bool {
        let value = self.environment.text("COMPOSE_REMOVE_ORPHANS").unwrap_or_default().trim().to_lowercase();
        value == "y" || parse_bool(&value).unwrap_or(false)
    }

    /// The filters that docker's configuration adds to every prune.
    pub(super) fn config_prune_filters(&self) -> Result<Vec<String>, PlanError> {
        Ok(self.docker.config(&self.environment)?.prune_filters.unwrap_or_default())
    }

    /// The docker that would run the command. Its API version is the older one of its own and the engine's, or
    /// `DOCKER_API_VERSION`.
    pub(super) async fn client(&self) -> Result<Client, PlanError> {
        let format = "{{.Client.APIVersion}} {{.Client.Version}}";
        let output = self.docker.output(&["version", "--format", format], LIMIT).await?;
        Ok(Client::read(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Which compose it is, and which project the globals mean. Asked once.
    pub(super) async fn known(&self, request: &Request<'_>) -> Result<Known, PlanError> {
        let known = self.known.get_or_try_init(|| async {
            let (scope, version) = tokio::try_join!(self.ask_scope(request), self.ask_version())?;
            Ok::<_, PlanError>(Known { scope, version })
        });
        known.await.cloned()
    }

    /// The version, where it is the program in Python.
    pub(super) async fn old(&self) -> Result<Option<Version>, PlanError> {
        if !self.by_itself {
            return Ok(None);
        }
        Ok(Some(self.ask_version().await?).filter(Version::is_old))
    }

    /// Profiles that are on, by flag or environment.
    pub(super) fn profiles(&self, globals: &ComposeGlobals) -> Vec<String> {
        if !globals.profiles.is_empty() {
            return globals.profiles.clone();
        }
        let all = self.environment.text("COMPOSE_PROFILES").unwrap_or_default();
        all.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// The model of 1.29 and the hashes of its services. Asked once.
    pub(super) async fn old_model(
        &self,
        globals: &ComposeGlobals,
    ) -> Result<(Project, BTreeMap<String, String>), PlanError> {
        let model = self.old.get_or_try_init(|| async {
            let globals_of = |more: &[&str]| [model_globals(globals), words(more)].concat();
            let input = self.input_for(globals);
            let (config, calls, hashes) = (
                globals_of(&["config"]),
                globals_of(&["--verbose", "ps", "-q"]),
                globals_of(&["config", "--hash", "*"]),
            );
            let (config, calls, hashes) = tokio::try_join!(
                self.run(&config, input),
                self.run(&calls, input),
                self.run(&hashes, input)
            )?;
            for output in [&config, &calls, &hashes] {
                if !output.status.success() {
                    return Err(PlanError::Project(last_line(&output.stderr)));
                }
            }
            let name = old_model::project_name(&String::from_utf8_lossy(&calls.stderr));
            let name = name.ok_or_else(|| {
                PlanError::Project("docker-compose does not say which project it means".to_owned())
            })?;
            let project = old_model::read(&name, &String::from_utf8_lossy(&config.stdout))
                .map_err(|error| PlanError::Project(format!("its model is not readable: {error}")))?;
            Ok((project, pairs(&hashes.stdout)))
        });
        model.await.cloned()
    }

    /// Why 1.29 may talk to another engine than docker: it reads no DOCKER_CONTEXT, and its environment files may
    /// name an engine.
    pub(super) fn old_engine_doubt(&self, globals: &ComposeGlobals) -> Option<String> {
        if self.docker.names_engine() || self.environment.get("DOCKER_HOST").is_some() {
            return None;
        }
        if self.environment.get("DOCKER_CONTEXT").is_some() {
            return Some("which engine docker-compose means: it does not read DOCKER_CONTEXT".to_owned());
        }
        let mut folders: Vec<PathBuf> = vec![PathBuf::from(".")];
        folders
            .extend(globals.files.iter().filter_map(|file| PathBuf::from(file).parent().map(PathBuf::from)));
        folders.extend(values_of("--project-directory", &globals.arguments).map(PathBuf::from));
        let mut files: Vec<PathBuf> = folders.into_iter().map(|folder| folder.join(".env")).collect();
        files.extend(values_of("--env-file", &globals.arguments).map(PathBuf::from));
        let names = |file: &PathBuf| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            text.lines().any(|line| line.trim_start().trim_start_matches("export ").starts_with("DOCKER_"))
        };
        let named = files.into_iter().find(names)?;
        Some(format!("which engine docker-compose means: {} may name one", named.display()))
    }

    async fn ask_version(&self) -> Result<Version, PlanError> {
        let said = self.program().await?.version(self.memory.as_deref()).await?;
        Ok(Version::read(&said))
    }

    async fn ask_scope(&self, request: &Request<'_>) -> Result<Scope, PlanError> {
        let globals = request.globals;
        if let (Some(name), true, false) =
            (&globals.project_name, globals.files.is_empty(), request.files_only)
        {
            return Ok(Scope::Labels(name.clone()));
        }
        if reads_input(globals, &self.environment) && self.input.is_none() {
            return Err(PlanError::Project(
                "its file comes from standard input, which is read only once: save it in a file".to_owned(),
            ));
        }
        let mut project = match self.load(globals, &[], request.services).await {
            Ok(project) => project,
            Err(error) if request.files_only => return Err(error),
            Err(error) => return self.without_files(error),
        };
        if request.enable.iter().any(|name| !project.services.contains_key(name)) {
            let enabled = self.load(globals, &[], request.enable).await?;
            project.services.extend(enabled.services);
        }
        if request.disabled {
            // Where the rest cannot be loaded, compose does not care; more is then taken for an orphan.
            let all = self.load(globals, &["--profile", "*"], &[]).await.unwrap_or_default();
            project.disabled =
                all.services.keys().filter(|name| !project.services.contains_key(*name)).cloned().collect();
        }
        Ok(Scope::Files(project))
    }

    /// Compose falls back to labels, silently, where the files cannot be loaded and the environment names the
    /// project.
    fn without_files(&self, error: PlanError) -> Result<Scope, PlanError> {
        // `config` alone refuses two services of one container name; `down` then goes by the files.
        let only_ours = matches!(&error, PlanError::Project(said) if said.contains("is already in use by"));
        match (self.environment.text("COMPOSE_PROJECT_NAME"), &error) {
            (Some(name), PlanError::Project(_)) if !only_ours => Ok(Scope::Labels(name)),
            _ => Err(error),
        }
    }

    /// The hash of each service's configuration, as it would stand on a container. Services that are not there
    /// could not be asked about. Asked once.
    pub(super) async fn hashes(
        &self,
        globals: &ComposeGlobals,
    ) -> Result<BTreeMap<String, String>, PlanError> {
        let hashes = self.hashes.get_or_try_init(|| async {
            let arguments = [model_globals(globals), words(&["config", "--hash", "*"])].concat();
            let output = self.run(&arguments, self.input_for(globals)).await?;
            Ok::<_, PlanError>(pairs(&output.stdout))
        });
        hashes.await.cloned()
    }

    /// What to hand on to a compose that reads its file from standard input.
    fn input_for(&self, globals: &ComposeGlobals) -> &[u8] {
        let reads = || reads_input(globals, &self.environment);
        self.input.as_deref().filter(|_| reads()).unwrap_or_default()
    }

    /// The model with these globals, more globals, and service arguments.
    async fn load(
        &self,
        globals: &ComposeGlobals,
        more: &[&str],
        services: &[String],
    ) -> Result<Project, PlanError> {
        let mut arguments = model_globals(globals);
        arguments.extend(words(more));
        arguments.extend(words(&["config", "--format", "json"]));
        // `down` does not read the services' env files, so a missing one must not stop us.
        let lenient: Vec<OsString> = [arguments.clone(), words(&["--no-env-resolution"])].concat();
        let named: Vec<OsString> = services.iter().map(OsString::from).collect();
        let input = self.input_for(globals);
        let mut output = self.run(&[lenient, named.clone()].concat(), input).await?;
        if !output.status.success() && String::from_utf8_lossy(&output.stderr).contains("unknown flag") {
            // Compose before 2.35 does not know the flag, and reads them for `down`, too.
            output = self.run(&[arguments, named].concat(), input).await?;
        }
        if !output.status.success() {
            return Err(PlanError::Project(last_line(&output.stderr)));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| PlanError::Project(format!("its model is not readable: {error}")))
    }

    async fn run(&self, arguments: &[OsString], input: &[u8]) -> Result<NestedOutput, PlanError> {
        Ok(self.program().await?.output_with_input(arguments, input, LIMIT).await?)
    }

    async fn program(&self) -> Result<&ComposeProgram, PlanError> {
        let find = || async {
            if self.by_itself {
                self.docker.docker_compose(&self.environment)
            } else {
                self.docker.compose(&self.environment)
            }
        };
        Ok(self.program.get_or_try_init(find).await?)
    }
}

/// Whether compose reads a file of the project from its standard input: `-f -`.
pub(super) fn reads_input(globals: &ComposeGlobals, environment: &Environment) -> bool {
    if !globals.files.is_empty() {
        return globals.files.iter().any(|file| file == "-");
    }
    let separator = environment.text("COMPOSE_PATH_SEPARATOR");
    let separator = separator.unwrap_or_else(|| if cfg!(windows) { ";" } else { ":" }.to_owned());
    let files = environment.text("COMPOSE_FILE").unwrap_or_default();
    files.split(separator.as_str()).any(|file| file == "-")
}

/// Lines of `service hash`.
fn pairs(output: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(output);
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(name, hash)| (name.to_owned(), hash.trim().to_owned())).collect()
}

/// What a program that failed said last.
fn last_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing").to_owned()
}

/// The values of a long flag among words.
fn values_of<'a>(flag: &'a str, words: &'a [String]) -> impl Iterator<Item = &'a str> {
    words.iter().enumerate().filter_map(move |(index, word)| match word.strip_prefix(flag)? {
        "" => words.get(index + 1).map(String::as_str),
        rest => rest.strip_prefix('='),
    })
}

/// The globals for `config`: with `--compatibility` it leaves out the volumes' names, and to what other commands
/// remove it makes no difference.
fn model_globals(globals: &ComposeGlobals) -> Vec<OsString> {
    let kept = globals.arguments.iter().filter(|word| !word.starts_with("--compatibility"));
    kept.map(OsString::from).collect()
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
