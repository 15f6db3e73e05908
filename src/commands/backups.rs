//! `docker dbsafe backups`: every backup of each database that could be found, whether it counts, and why not.

use clap::Args;
use serde::Serialize;

use super::{
    app::{App, Failure, Format},
    audit::hypothetical_of,
};
use crate::{
    exit::Exit,
    inspect::{self, Depth},
    model::{
        backup::Backup,
        coverage::{Coverage, CoverageStatus},
        evidence::{Evidence, Location, Presence, TargetRef},
    },
    report::{
        backups::as_text,
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
    let mut evidence = inspect::inspect(&app.engine, &plan, Depth::Everything).await;
    evidence.retain(|seen| seen.presence == Presence::Found && seen.engine.is_some());
    let found = settings.backups(app, &plan, &mut evidence, Extent::Everything).await;
    match arguments.format {
        Format::Text => app.ui.print(&as_text(&evidence, &found, app.now(), &app.ui)),
        Format::Json => {
            let report = Report::new(app.engine_ref().await, &evidence, &found);
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
}

#[derive(Debug, Serialize)]
struct Summary {
    databases: usize,
    covered: usize,
    not_covered: usize,
}

impl<'a> Report<'a> {
    fn new(engine: EngineRef, evidence: &'a [Evidence], found: &'a [Vec<Backup>]) -> Self {
        let row = |(seen, backups): (&'a Evidence, &'a Vec<Backup>)| Row {
            target: &seen.target,
            engine: seen.engine.as_deref(),
            location: seen.location,
            path: &seen.path,
            volume: seen.volume.as_deref(),
            identity: seen.identity.as_deref(),
            coverage: &seen.coverage,
            backups,
        };
        let covered = evidence.iter().filter(|seen| seen.coverage.status == CoverageStatus::Covered).count();
        Self {
            schema_version: SCHEMA_VERSION,
            engine,
            databases: evidence.iter().zip(found).map(row).collect(),
            summary: Summary { databases: evidence.len(), covered, not_covered: evidence.len() - covered },
        }
    }
}
