//! `docker dbsafe backups`: every backup of each database that could be found, whether it counts, and why not.

use clap::Args;
use serde::Serialize;

use super::{
    app::{App, Failure, Format},
    audit::hypothetical_of,
    evidence::{self, Seen},
};
use crate::{
    exit::Exit,
    inspect::{Counter, Depth},
    model::{
        backup::Backup,
        coverage::{Coverage, CoverageStatus},
        drill::Drill,
        evidence::{Evidence, Location, Presence, TargetRef},
    },
    report::{
        backups::{Database, as_text},
        document::{EngineRef, SCHEMA_VERSION},
    },
    settings::{Extent, Settings},
};

/// Show every backup of each database that is known or can be found, and which databases have none that counts
#[derive(Debug, Args)]
pub struct BackupsArgs {
    /// Containers, compose services or projects, and volumes; all of the engine where none is named
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Looks, asks and shows.
///
/// # Errors
/// Where the engine does not answer, or a target is not there.
pub async fn run(app: &App, arguments: &BackupsArgs) -> Result<Exit, Failure> {
    let plan = hypothetical_of(app, &arguments.targets).await?;
    let settings = Settings::load_for(app, &plan)?;
    for note in settings.notes(&[], &[]) {
        app.ui.note(&note);
    }
    let extent = (Extent::Everything, &Counter::default());
    let Seen { evidence, backups, known } =
        evidence::look(app, &settings, &plan, Depth::Everything, extent).await;
    let databases: Vec<Database<'_>> = evidence
        .iter()
        .zip(&backups)
        .filter(|(seen, _)| seen.presence == Presence::Found && seen.engine.is_some())
        .map(|(seen, backups)| Database { seen, backups, drill: known.last_drill(seen) })
        .collect();
    let is_unseen = |seen: &&Evidence| matches!(seen.presence, Presence::Undetermined { .. });
    let unseen: Vec<&Evidence> = evidence.iter().filter(is_unseen).collect();
    match arguments.format {
        Format::Text => app.ui.print(&as_text(&databases, &unseen, app.now(), &app.ui)),
        Format::Json => {
            let report = Report::new(app.engine_ref().await, &databases, &unseen);
            let json =
                serde_json::to_string_pretty(&report).map_err(|error| Failure::new(error.to_string()))?;
            app.ui.print(&format!("{json}\n"));
        }
    }
    Ok(Exit::Done)
}

/// The backups as a document. docs/backups.schema.json describes it.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema_version: u32,
    engine: EngineRef,
    databases: Vec<Row<'a>>,
    /// Places that could not be looked into: a database may be there.
    undetermined: Vec<Unseen<'a>>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    target: &'a TargetRef,
    engine: Option<&'a str>,
    location: Location,
    path: &'a str,
    volume: Option<&'a str>,
    identity: Option<&'a str>,
    coverage: &'a Coverage,
    backups: &'a [Backup],
    drill: Option<&'a Drill>,
}

#[derive(Debug, Serialize)]
struct Summary {
    databases: usize,
    covered: usize,
    not_covered: usize,
}

#[derive(Debug, Serialize)]
struct Unseen<'a> {
    target: &'a TargetRef,
    location: Location,
    path: &'a str,
    volume: Option<&'a str>,
    cause: &'a str,
}

impl<'a> Report<'a> {
    fn new(engine: EngineRef, databases: &[Database<'a>], unseen: &[&'a Evidence]) -> Self {
        let row = |&Database { seen, backups, drill }: &Database<'a>| Row {
            target: &seen.target,
            engine: seen.engine.as_deref(),
            location: seen.location,
            path: &seen.path,
            volume: seen.volume.as_deref(),
            identity: seen.identity.as_deref(),
            coverage: &seen.coverage,
            backups,
            drill,
        };
        let place = |seen: &&'a Evidence| match &seen.presence {
            Presence::Undetermined { cause } => Some(Unseen {
                target: &seen.target,
                location: seen.location,
                path: &seen.path,
                volume: seen.volume.as_deref(),
                cause,
            }),
            Presence::Found | Presence::Empty { .. } => None,
        };
        let is_covered = |one: &&Database<'_>| one.seen.coverage.status == CoverageStatus::Covered;
        let covered = databases.iter().filter(is_covered).count();
        Self {
            schema_version: SCHEMA_VERSION,
            engine,
            databases: databases.iter().map(row).collect(),
            undetermined: unseen.iter().filter_map(place).collect(),
            summary: Summary { databases: databases.len(), covered, not_covered: databases.len() - covered },
        }
    }
}
