//! `docker dbsafe audit`: what would be lost if containers were removed today, worst first.
//!
//! It plans the removal of every container, as `docker compose down` would, and judges that plan with the
//! guard's own rules; nothing is removed.

mod gather;
mod progress;
mod screen;
mod watch;

use std::collections::HashSet;

use clap::{Args, ValueEnum};
use futures_util::future;

use self::gather::Listed;
pub(super) use self::gather::hypothetical;
use super::app::{App, Failure};
use crate::{
    checks,
    docker::globals::DockerGlobals,
    exit::Exit,
    inspect::Counter,
    model::{plan::Plan, verdict::Severity},
    report::audit::{self, Audit, Unanswered, html, markdown, sarif, text},
};

/// List the databases that removing their containers would lose, worst first
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Containers, compose services or projects, and volumes; all of the engine where none is named
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// The engine of this docker context, beside the one named before `dbsafe`; repeatable
    #[arg(long = "context", value_name = "NAME")]
    pub contexts: Vec<String>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Exit with 14 when something is at least this bad
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
    /// List each finding about how containers are set up, too
    #[arg(long)]
    pub checks: bool,
    /// Show databases that are empty or backed up, and containers without one, too
    #[arg(long)]
    pub all: bool,
    /// Show it again and again on this terminal, every 10 seconds or as many as said
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "10",
        value_parser = clap::value_parser!(u64).range(1..=86_400), conflicts_with_all = ["format", "fail_on"])]
    pub watch: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    /// For code hosts and editors
    Sarif,
    /// For a comment or the summary of a CI job
    Markdown,
    /// One page that stands by itself
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    Critical,
    High,
    Medium,
    Low,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Critical => Self::Critical,
            Level::High => Self::High,
            Level::Medium => Self::Medium,
            Level::Low => Self::Low,
        }
    }
}

/// Runs the audit.
///
/// # Errors
/// Where no engine answers, or a target is not there.
pub async fn run(app: App, arguments: &AuditArgs) -> Result<Exit, Failure> {
    if let Some(seconds) = arguments.watch {
        return watch::run(app, arguments, seconds).await;
    }
    let ui = app.ui;
    let engines = engines(app, &arguments.contexts)?;
    let counter = Counter::default();
    let Looked { audit, notes } =
        progress::shown(&counter, look(&engines, &arguments.targets, &counter)).await?;
    for note in &notes {
        ui.note(note);
    }
    ui.print(&rendered(&audit, arguments, &style(ui, arguments, audit.at))?);
    Ok(exit(&audit, arguments.fail_on))
}

fn rendered(audit: &Audit, arguments: &AuditArgs, style: &text::Style) -> Result<String, Failure> {
    Ok(match arguments.format {
        Format::Text => text::render(audit, style),
        Format::Json => pretty(audit)?,
        Format::Sarif => pretty(&sarif::render(audit, checks::ALL))?,
        Format::Markdown => markdown::render(audit, arguments.checks || arguments.all, audit.at),
        Format::Html => html::render(audit),
    })
}

fn pretty<T: serde::Serialize>(document: &T) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(document).map_err(|error| Failure::new(error.to_string()))?;
    Ok(json + "\n")
}

fn style(ui: crate::ui::Ui, arguments: &AuditArgs, now: jiff::Timestamp) -> text::Style {
    let AuditArgs { all, checks, .. } = *arguments;
    text::Style { width: ui.width_out, colour: ui.colour_out, all, checks, now }
}

/// An engine that was not audited fails the command, whatever else was found.
fn exit(audit: &Audit, fail_on: Option<Level>) -> Exit {
    if audit.engines.iter().any(|engine| engine.error.is_some()) {
        return Exit::Failed;
    }
    match fail_on {
        Some(level) if audit.worst() >= Severity::from(level) => Exit::Found,
        _ => Exit::Done,
    }
}

/// The engines that are meant: docker's own where no context is named behind `audit`, or where docker was told one.
fn engines(app: App, contexts: &[String]) -> Result<Vec<App>, Failure> {
    let is_named = app.globals.context.is_some() || !app.globals.hosts.is_empty();
    let mut names = HashSet::new();
    let mut engines = Vec::new();
    let mut others = Vec::new();
    for name in contexts {
        let mut words = Vec::new();
        if let Some(folder) = &app.globals.config {
            words.extend(["--config".into(), folder.clone()]);
        }
        words.extend(["--context".into(), name.into()]);
        let (globals, _) = DockerGlobals::parse(&words).map_err(|error| Failure::usage(error.to_string()))?;
        others.push(App::new(app.ui, globals, app.environment.clone(), app.cancellation.clone())?);
    }
    if contexts.is_empty() || is_named {
        engines.push(app);
    }
    engines.extend(others);
    engines.retain(|engine| names.insert((engine.endpoint.context.clone(), engine.endpoint.host.clone())));
    Ok(engines)
}

/// What a look found.
struct Looked {
    audit: Audit,
    /// What settings had to say.
    notes: Vec<String>,
}

/// Audits all engines at once. One that does not answer is said to be; where it is the only one, that is the failure.
async fn look(engines: &[App], targets: &[String], counter: &Counter) -> Result<Looked, Failure> {
    let list = async |app: &App| gather::list(&app.engine).await.map_err(Failure::from);
    let listed: Vec<Result<Listed, Failure>> = future::join_all(engines.iter().map(list)).await;
    let is_there = |target: &&String| listed.iter().flatten().any(|listed| listed.has(target));
    if let Some(target) = targets.iter().find(|target| listed.iter().any(Result::is_ok) && !is_there(target))
    {
        return Err(nobody(target));
    }
    let gather = async |app: &App, listed: Result<Listed, Failure>| {
        gather::gather(app, &listed?, targets, counter).await
    };
    let looks = engines.iter().zip(listed).map(|(app, listed)| gather(app, listed));
    let (mut gathered, mut notes) = (Vec::new(), Vec::new());
    for (app, one) in engines.iter().zip(future::join_all(looks).await) {
        gathered.push(match one {
            Ok((gathered, own)) => {
                notes.extend(own);
                Ok(gathered)
            }
            Err(failure) if engines.len() == 1 || failure.exit == Exit::Usage => return Err(failure),
            Err(failure) => Err(Unanswered {
                context: app.endpoint.context.clone(),
                host: app.endpoint.host.clone(),
                error: failure.sentence,
            }),
        });
    }
    Ok(Looked { audit: audit::build(jiff::Timestamp::now(), gathered), notes })
}

fn nobody(target: &str) -> Failure {
    let sentence = format!("no container, service, project or volume is named {target}");
    Failure::usage(sentence).hint("docker ps -a and docker volume ls list them")
}

/// The plan that removes every container that the targets name, and leaves volumes alone.
pub(super) async fn hypothetical_of(app: &App, targets: &[String]) -> Result<Plan, Failure> {
    let listed = gather::list(&app.engine).await?;
    if let Some(target) = targets.iter().find(|target| !listed.has(target)) {
        return Err(nobody(target));
    }
    Ok(listed.plan(&app.engine, targets).await?)
}
