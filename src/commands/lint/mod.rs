//! `docker dbsafe lint`: the checks of compose files, at the lines that they are about, and edits that mend them.
//! No engine is asked but by `--fix`, and only where an edit depends on what runs.

mod fix;
mod load;
mod mend;
mod place;
mod running;
mod show;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use self::{
    load::{Loader, Project},
    place::Found,
};
use super::{app::Failure, audit::Level};
use crate::{
    cancel::Cancellation,
    docker::{environment::Environment, globals::DockerGlobals},
    exit::Exit,
    model::verdict::Severity,
    settings,
    ui::Ui,
};

/// Check compose files for what puts a database at risk; no engine is needed
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Compose files, each a project, or folders with one; those that compose would find where none is named
    #[arg(value_name = "FILE", conflicts_with = "files")]
    pub targets: Vec<PathBuf>,
    /// Files that compose merges into one project, as with docker compose -f; repeatable
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Exit with 14 when something is at least this bad
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
    /// Write what is safe to write into the files; the changes are shown first
    #[arg(long)]
    pub fix: bool,
    /// Show what --fix would change, and change nothing
    #[arg(long, conflicts_with = "fix")]
    pub diff: bool,
    /// With --fix: do not ask
    #[arg(long, requires = "fix")]
    pub yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    /// For code hosts and editors
    Sarif,
    /// Annotations of a GitHub workflow
    Github,
}

/// What one command works with.
struct Context<'a> {
    ui: &'a Ui,
    environment: &'a Environment,
    globals: &'a DockerGlobals,
    cancellation: &'a Cancellation,
    /// The working directory.
    here: PathBuf,
}

/// Runs the checks, and the edits that were asked for.
///
/// # Errors
/// Where there is no compose, or a project cannot be loaded, or a file cannot be written.
pub async fn run(
    ui: &Ui,
    environment: &Environment,
    globals: &DockerGlobals,
    cancellation: &Cancellation,
    arguments: &LintArgs,
) -> Result<Exit, Failure> {
    let edits = arguments.fix || arguments.diff;
    if edits && arguments.format != Format::Text {
        return Err(Failure::usage("--fix and --diff show their changes as text only"));
    }
    let here = settings::working_directory()?;
    let context = Context { ui, environment, globals, cancellation, here };
    let loader = Loader::new(&context)?;
    let mut projects = Vec::new();
    let mut failed = false;
    for wanted in loader.wanted(&arguments.targets, &arguments.files)? {
        match loader.load(&wanted).await {
            Ok(project) => projects.push(project),
            Err(failure) => {
                // The others may still be told of.
                let _ = failure.say(ui);
                failed = true;
            }
        }
    }
    let mut found: Vec<Vec<Found>> = Vec::new();
    for project in &projects {
        found.push(place::found(&context, project)?);
    }
    if edits {
        let exit = fix::run(&context, &loader, &projects, &found, arguments).await?;
        return Ok(if failed { Exit::Failed } else { exit });
    }
    for note in projects.iter().flat_map(|project| &project.notes) {
        ui.note(note);
    }
    let reports: Vec<(&Project, &[Found])> = projects.iter().zip(found.iter().map(Vec::as_slice)).collect();
    ui.print(&show::report(ui, &reports, arguments.format)?);
    let worst = counting(&found).map(|found| found.raised.severity).max();
    Ok(match arguments.fail_on {
        _ if failed => Exit::Failed,
        Some(level) if worst.is_some_and(|worst| worst >= Severity::from(level)) => Exit::Found,
        _ => Exit::Done,
    })
}

/// Those findings that nobody has accepted.
fn counting(found: &[Vec<Found>]) -> impl Iterator<Item = &Found> {
    found.iter().flatten().filter(|found| found.suppressed.is_none())
}
