//! Settings: flags over the user's file over labels over the project's file.
//!
//! Imports `model`, `judge`, `inspect::backups` and the `App`. Reads files; the decisions are in `weigh` and
//! pure. A project's file may tighten by itself; what loosens or runs a program counts only once trusted.

mod accept;
pub mod age;
mod bucket;
mod candidates;
mod cover;
pub mod file;
mod holder;
pub mod place;
mod suppress;
pub mod trust;
mod weigh;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

pub use self::accept::Accepted;
pub use self::cover::{Extent, Held};
pub use self::suppress::disposable;
pub use self::weigh::{Origin, Weighed};
use self::{file::SettingsFile, trust::Trust};
use crate::{
    commands::app::{App, Failure},
    docker::environment::Environment,
    model::{
        container::{Container, label},
        plan::Plan,
        policy::{BackupSource, Mode, OnSurvivors, Policy, Selector},
    },
};

/// A project's file, and whether a person has trusted its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    pub file: SettingsFile,
    pub trusted: bool,
}

impl ProjectFile {
    /// What the file asks for and does not get until it is trusted: key and line.
    #[must_use]
    pub fn ignored(&self) -> Vec<(String, usize)> {
        if self.trusted { Vec::new() } else { needs_trust(&self.file) }
    }
}

/// The keys of a file that loosen or run a program, with their lines.
#[must_use]
pub fn needs_trust(file: &SettingsFile) -> Vec<(String, usize)> {
    let standard = Policy::default();
    let mut keys = Vec::new();
    if let Some(mode) = &file.mode
        && mode.value == Mode::Disposable
    {
        keys.push(("mode = \"disposable\"".to_owned(), mode.line));
    }
    if let Some(age) = &file.max_backup_age
        && age.value > standard.max_backup_age
    {
        keys.push((format!("max_backup_age = {:?}", age::show(age.value)), age.line));
    }
    if let Some(survivors) = &file.on_survivors
        && survivors.value == OnSurvivors::Ignore
    {
        keys.push(("on_survivors = \"ignore\"".to_owned(), survivors.line));
    }
    for rule in &file.backups {
        if let BackupSource::Program(program) = &rule.value.source {
            keys.push((format!("backup by {} = {:?}", program.name(), program.detail()), rule.line));
        }
    }
    // Whoever writes the project may live with how it is set up.
    for accept in file.accepts.iter().filter(|accept| suppress::needs_trust(&accept.value.check)) {
        keys.push((format!("accept {} of {}", accept.value.check, accept.value.target), accept.line));
    }
    // Copies of the data would go there.
    if let Some(remote) = &file.remote {
        keys.push((format!("remote = {:?}", remote.value), remote.line));
    }
    if let Some(recipients) = &file.recipients {
        // Whoever has the other key could read the data, and nobody else.
        keys.push((format!("recipients = {:?}", recipients.value), recipients.line));
    }
    if let Some(identity) = &file.identity {
        keys.push((format!("identity = {:?}", identity.value), identity.line));
    }
    keys.sort_by_key(|(_, line)| *line);
    keys
}

/// What was set, where, for everything that a plan touches.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    user: Option<SettingsFile>,
    /// The files of the projects, each once.
    projects: Vec<ProjectFile>,
    /// Compose's working folders, as far as they are on this machine, and the file that governs each.
    folders: BTreeMap<PathBuf, Option<usize>>,
    /// The file that governs the working directory.
    here: Option<usize>,
    /// The containers of the plan, by name.
    container_names: BTreeSet<String>,
    /// The compose projects that have a service of this name.
    services: BTreeMap<String, BTreeSet<String>>,
}

impl Settings {
    /// The settings that govern the working directory.
    ///
    /// # Errors
    /// Where a file is there and cannot be read or understood.
    pub fn load(app: &App) -> Result<Self, Failure> {
        Self::load_for(app, &Plan::default())
    }

    /// The settings that govern what a plan touches.
    ///
    /// # Errors
    /// Where a file is there and cannot be read or understood.
    pub fn load_for(app: &App, plan: &Plan) -> Result<Self, Failure> {
        let here = working_directory()?;
        Self::gather(&app.environment, &here, plan)
    }

    /// Reads the files that govern a folder and the projects of a plan.
    ///
    /// # Errors
    /// Where a file is there and cannot be read or understood.
    pub fn gather(environment: &Environment, here: &Path, plan: &Plan) -> Result<Self, Failure> {
        let mut settings = Self::default();
        if let Some((path, named)) = place::user_file(environment) {
            settings.user = place::read(&path)?;
            if named && settings.user.is_none() {
                return Err(Failure::usage(format!(
                    "DBSAFE_CONFIG names {}, which is not there",
                    path.display()
                ))
                .hint("create it, or unset DBSAFE_CONFIG"));
            }
        }
        settings.user.as_ref().map_or(Ok(()), projects_are_named)?;
        let trust = Trust::load(place::home(environment).as_deref());
        settings.here = settings.find(here, &trust)?;
        for container in plan.containers.iter().map(|planned| &planned.container) {
            settings.container_names.insert(container.name.clone());
            if let Some(service) = container.service() {
                let project = container.project().unwrap_or_default().to_owned();
                settings.services.entry(service.to_owned()).or_default().insert(project);
            }
            let Some(folder) = folder_of(container) else { continue };
            if !settings.folders.contains_key(folder) && folder.is_dir() {
                let governs = settings.find(folder, &trust)?;
                settings.folders.insert(folder.to_owned(), governs);
            }
        }
        Ok(settings)
    }

    /// The index of the file that governs a folder.
    fn find(&mut self, folder: &Path, trust: &Trust) -> Result<Option<usize>, Failure> {
        let Some(file) = place::project_file(folder)? else { return Ok(None) };
        // The user's own file may be found on the way up; it needs nobody's trust.
        if self.user.as_ref().is_some_and(|user| user.path == file.path) {
            return Ok(None);
        }
        if let Some(index) = self.projects.iter().position(|known| known.file.path == file.path) {
            return Ok(Some(index));
        }
        let trusted = trust.has(&file);
        self.projects.push(ProjectFile { file, trusted });
        Ok(Some(self.projects.len() - 1))
    }

    /// What the files say about copies off this host, the user's first; a project's file counts once trusted.
    /// `DBSAFE_AGE_RECIPIENTS` and `DBSAFE_AGE_IDENTITY` win over both.
    #[must_use]
    pub fn off_host(&self, environment: &Environment) -> OffHost {
        let project = self.project_here().filter(|project| project.trusted).map(|project| &project.file);
        let files = || self.user.as_ref().into_iter().chain(project);
        let by_variable = environment.text("DBSAFE_AGE_RECIPIENTS").map(|text| {
            let keys = text.split([',', ' ', '\n']).filter(|key| !key.is_empty());
            keys.map(str::to_owned).collect()
        });
        let recipients = || files().find_map(|file| Some(file.recipients.as_ref()?.value.clone()));
        let identity = || files().find_map(|file| Some(file.identity.as_ref()?.value.clone()));
        OffHost {
            url: files().find_map(|file| Some(file.remote.as_ref()?.value.clone())),
            auto: files().find_map(|file| Some(file.remote_auto.as_ref()?.value)).unwrap_or(true),
            recipients: by_variable.or_else(recipients).unwrap_or_default(),
            identity: environment.get("DBSAFE_AGE_IDENTITY").map(PathBuf::from).or_else(identity),
        }
    }

    /// Whom snapshots are encrypted for on this host's own disk, where a file wants that. Any file may switch it on, trusted
    /// or not, and none off; whom they are for is decided as for copies, or by the trusted project that wants it.
    ///
    /// # Errors
    /// Where it is wanted, and nobody is named.
    pub fn at_rest(&self, environment: &Environment) -> Result<Option<Vec<String>>, Failure> {
        let wants = |file: &SettingsFile| file.at_rest.as_ref().filter(|set| set.value).map(|set| set.line);
        let projects = self.projects.iter().map(|project| &project.file);
        let mut files = self.user.iter().chain(projects);
        let Some((file, line)) = files.find_map(|file| Some((file, wants(file)?))) else { return Ok(None) };
        let mut recipients = self.off_host(environment).recipients;
        if recipients.is_empty() {
            let trusted = self.projects.iter().filter(|project| project.trusted).map(|project| &project.file);
            let mut named = trusted.filter(|file| wants(file).is_some());
            let named = named.find_map(|file| Some(file.recipients.as_ref()?.value.clone()));
            recipients = named.unwrap_or_default();
        }
        if !recipients.is_empty() {
            return Ok(Some(recipients));
        }
        let place = format!("the settings in {}, line {line}", file.path.display());
        Err(Failure::usage(format!(
            "{place}: at_rest is set, and no recipients who could open the snapshots"
        ))
        .hint(match &file.recipients {
            Some(_) => "docker dbsafe config trust   lets its recipients count",
            None => "write recipients = [\"age1…\"] beside it, or export DBSAFE_AGE_RECIPIENTS=age1…",
        }))
    }

    /// The user's file, where there is one.
    #[must_use]
    pub fn user_file(&self) -> Option<&SettingsFile> {
        self.user.as_ref()
    }

    /// The project's file that governs the working directory.
    #[must_use]
    pub fn project_here(&self) -> Option<&ProjectFile> {
        self.projects.get(self.here?)
    }
}

/// Where copies of snapshots go, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OffHost {
    pub url: Option<String>,
    /// Whether a copy follows each snapshot by itself.
    pub auto: bool,
    /// Nobody: copies are not encrypted.
    pub recipients: Vec<String>,
    pub identity: Option<PathBuf>,
}

/// The user's file is for every project: a service there must say whose it is.
fn projects_are_named(file: &SettingsFile) -> Result<(), Failure> {
    for rule in &file.backups {
        if let Selector::Service(name) = &rule.value.selector
            && !name.contains('/')
        {
            let place = format!("the settings in {}, line {}", file.path.display(), rule.line);
            return Err(Failure::usage(format!("{place}: the service {name} may be of any project"))
                .hint(format!("write service = \"PROJECT/{name}\"")));
        }
    }
    Ok(())
}

/// The folder of the compose file that made a container.
fn folder_of(container: &Container) -> Option<&Path> {
    let folder = Path::new(container.labels.get(label::WORKING_DIR)?);
    folder.is_absolute().then_some(folder)
}

/// Where the command was given.
///
/// # Errors
/// Where the folder was removed meanwhile.
pub fn working_directory() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::new(format!("the working directory cannot be told: {error}")))
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod gather_tests;
