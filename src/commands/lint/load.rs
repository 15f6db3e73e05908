//! A project as compose loads it, and its files as they are written.

use std::{
    ffi::OsString,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;

use super::Context;
use crate::{
    checks::{from_compose, named_files},
    commands::app::Failure,
    composefile::{Sources, standard_files},
    docker::program::{ComposeProgram, DockerProgram, NestedOutput},
    model::setup::Setup,
    ui::clean,
};

const LIMIT: Duration = Duration::from_secs(60);

/// Which files make a project.
pub(super) struct Wanted {
    /// As they were named, or as compose finds them.
    files: Vec<PathBuf>,
    /// Whether compose is told of them; otherwise it finds them by itself.
    named: bool,
}

/// One project.
pub(super) struct Project {
    pub(super) wanted: Wanted,
    /// Where its first file is.
    pub(super) folder: PathBuf,
    pub(super) sources: Sources,
    pub(super) setups: Vec<Setup>,
    /// What could not be looked at.
    pub(super) notes: Vec<String>,
}

impl Project {
    pub(super) fn name(&self) -> Option<&str> {
        self.setups.first()?.project.as_deref()
    }
}

/// Loads projects by docker's own compose.
pub(super) struct Loader<'a> {
    context: &'a Context<'a>,
    compose: ComposeProgram,
}

impl<'a> Loader<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Result<Self, Failure> {
        let docker = DockerProgram::find(context.globals, context.environment)?;
        Ok(Self { context, compose: docker.compose(context.environment)? })
    }

    /// The projects that the command line names.
    pub(super) fn wanted(&self, targets: &[PathBuf], merged: &[PathBuf]) -> Result<Vec<Wanted>, Failure> {
        if targets.iter().chain(merged).any(|path| path.as_os_str() == "-") {
            return Err(Failure::usage("standard input has no lines to point at: save it in a file"));
        }
        if !merged.is_empty() {
            return Ok(vec![Wanted { files: merged.to_vec(), named: true }]);
        }
        if targets.is_empty() {
            return Ok(vec![Wanted { files: self.found_by_compose(), named: false }]);
        }
        let wanted = |target: &PathBuf| {
            if !self.context.here.join(target).is_dir() {
                return Ok(Wanted { files: vec![target.clone()], named: true });
            }
            // Only there: compose's way up is for the folder that one works in.
            let is_there =
                |path: &Path| path.parent() == Some(target) && self.context.here.join(path).is_file();
            match standard_files(target, &is_there) {
                files if files.is_empty() => {
                    Err(Failure::usage(format!("there is no compose file in {}", target.display())))
                }
                files => Ok(Wanted { files, named: true }),
            }
        };
        targets.iter().map(wanted).collect()
    }

    /// Compose's own search: `COMPOSE_FILE`, of the environment or of `.env`, else its usual names upwards.
    fn found_by_compose(&self) -> Vec<PathBuf> {
        let variable = |name: &str| {
            self.context.environment.text(name).or_else(|| {
                let text = fs::read_to_string(self.context.here.join(".env")).ok()?;
                let set =
                    text.lines().rev().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
                set.map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
            })
        };
        if let Some(files) = variable("COMPOSE_FILE").filter(|files| !files.is_empty()) {
            let separator = variable("COMPOSE_PATH_SEPARATOR");
            let separator = separator.unwrap_or_else(|| if cfg!(windows) { ";" } else { ":" }.to_owned());
            return files.split(separator.as_str()).map(PathBuf::from).collect();
        }
        let found = standard_files(&self.context.here, &|path| path.is_file());
        let relative =
            |path: PathBuf| path.strip_prefix(&self.context.here).map_or(path.clone(), Path::to_owned);
        found.into_iter().map(relative).collect()
    }

    /// Loads one project.
    pub(super) async fn load(&self, wanted: &Wanted) -> Result<Project, Failure> {
        let (model, written) = tokio::try_join!(
            self.config(wanted, &[]),
            self.config(wanted, &["--no-interpolate", "--no-env-resolution"])
        )?;
        let mut notes = Vec::new();
        let written = read_model(&written);
        let model = match read_model(&model) {
            Ok(model) => model,
            Err(cause) if written.is_ok() && is_elsewhere(&cause) => {
                notes.push(format!(
                    "judged by what is written, as compose cannot load it here: {}",
                    clean(&cause)
                ));
                written.clone().unwrap_or_default()
            }
            Err(cause) => {
                let files: Vec<String> = wanted.files.iter().map(|file| file.display().to_string()).collect();
                let flags: String = files.iter().map(|file| format!("-f {file} ")).collect();
                let flags = if wanted.named { flags } else { String::new() };
                return Err(Failure::new(format!("compose cannot load {}: {cause}", shown(&files)))
                    .hint(format!("docker compose {flags}config")));
            }
        };
        let folder = wanted.files.first().and_then(|file| file.parent()).unwrap_or(Path::new(""));
        let sources = Sources::load(&wanted.files, &|path| fs::read_to_string(self.context.here.join(path)));
        for (file, cause) in &sources.unread {
            notes.push(format!("{} is not read, and nothing is located in it: {cause}", file.display()));
        }
        let mut setups = from_compose::setups(&model, written.ok().as_ref());
        setups.iter_mut().for_each(read_files);
        Ok(Project {
            wanted: Wanted { files: wanted.files.clone(), named: wanted.named },
            folder: self.context.here.join(folder),
            sources,
            setups,
            notes,
        })
    }

    /// `compose … config --format json`: asks no engine.
    async fn config(&self, wanted: &Wanted, flags: &[&str]) -> Result<NestedOutput, Failure> {
        let mut arguments: Vec<OsString> = Vec::new();
        if wanted.named {
            arguments.extend(wanted.files.iter().flat_map(|file| ["-f".into(), file.as_os_str().to_owned()]));
        }
        let all = ["--profile", "*", "config", "--format", "json"];
        arguments.extend(all.iter().chain(flags).map(OsString::from));
        Ok(self.compose.output(&arguments, LIMIT).await?)
    }
}

/// Reads the files beside the compose file that a service's command or health check names.
fn read_files(setup: &mut Setup) {
    for path in named_files::wanted(setup) {
        let Some(host) = named_files::on_host(setup, &path) else { continue };
        // Not a device, not a pipe that would be waited for, and no more than is of use.
        let is_file = fs::metadata(&host).is_ok_and(|metadata| metadata.is_file());
        let mut bytes = Vec::new();
        let read = |file: fs::File| file.take(named_files::LIMIT as u64).read_to_end(&mut bytes);
        if is_file && fs::File::open(&host).and_then(read).is_ok() {
            named_files::note(setup, path, bytes);
        }
    }
}

/// Whether only what is not on this machine keeps compose from loading files: a variable's value, an `env_file`.
fn is_elsewhere(cause: &str) -> bool {
    cause.contains("required variable") || cause.contains("env file")
}

fn read_model(output: &NestedOutput) -> Result<Value, String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .unwrap_or("it says nothing")
            .to_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("its model is not readable: {error}"))
}

fn shown(files: &[String]) -> String {
    if files.is_empty() { "the project of this folder".to_owned() } else { files.join(", ") }
}
