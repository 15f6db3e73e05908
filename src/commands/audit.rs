//! `docker dbsafe audit`: what would be lost if containers were removed today, worst first.
//!
//! It plans the removal of every container, as `docker compose down` would, and judges that plan with the
//! guard's own rules; nothing is removed.

use std::collections::HashSet;

use clap::{Args, ValueEnum};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::app::{App, Failure};
use crate::{
    docker::engine::{Engine, is_helper},
    docker::error::EngineError,
    exit::Exit,
    inspect::{self, Depth},
    judge,
    model::{
        container::{Container, ContainerSummary, MountKind, State, Volume, is_engine_made},
        evidence::{Evidence, Presence, TargetKind},
        plan::{Ending, Fate, Plan, PlannedContainer, PlannedMount, PlannedVolume},
        verdict::{Finding, Severity},
    },
    report::{
        document::{EngineRef, SCHEMA_VERSION},
        table, text,
        words::{count, short},
    },
    settings::Settings,
    ui::{Paint, clean},
};

const PARALLEL: usize = 16;

/// List the databases that removing their containers would lose, worst first
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Containers, compose services or projects, and volumes; all of the engine where none is named
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Exit with 14 when something is at least this bad
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub fail_on: Option<Level>,
    /// Show databases that are empty or backed up, too
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
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
/// Where the engine does not answer, or a target is not there.
pub async fn run(app: &App, arguments: &AuditArgs) -> Result<Exit, Failure> {
    let (summaries, volumes) = tokio::try_join!(app.engine.containers(), app.engine.volumes())?;
    let chosen = choose(&summaries, &volumes, &arguments.targets)?;
    let plan = hypothetical(&app.engine, &chosen.containers, &chosen.volumes, &summaries).await?;
    let settings = Settings::load_for(app, &plan)?;
    let mut evidence = inspect::inspect(&app.engine, &plan, Depth::Everything).await;
    settings.cover(app, &plan, &mut evidence).await;
    let judgement = judge::judge(&plan, &evidence, |seen| settings.stance(&plan, seen, &[]));
    let worst = judgement.findings.iter().filter(|f| f.suppressed.is_none()).map(|f| f.severity).max();
    match arguments.format {
        Format::Json => {
            let report = Report::new(app.engine_ref().await, &plan, &evidence, &judgement.findings);
            let json =
                serde_json::to_string_pretty(&report).map_err(|error| Failure::new(error.to_string()))?;
            app.ui.print(&format!("{json}\n"));
        }
        Format::Text => app.ui.print(&as_text(app, &plan, &evidence, &judgement.findings, arguments.all)),
    }
    let failed =
        arguments.fail_on.is_some_and(|level| worst.is_some_and(|worst| worst >= Severity::from(level)));
    Ok(if failed { Exit::Found } else { Exit::Done })
}

pub(super) struct Chosen<'a> {
    pub(super) containers: Vec<&'a ContainerSummary>,
    pub(super) volumes: Vec<&'a Volume>,
}

/// The containers and volumes that the targets name.
pub(super) fn choose<'a>(
    all: &'a [ContainerSummary],
    volumes: &'a [Volume],
    targets: &[String],
) -> Result<Chosen<'a>, Failure> {
    let own = |container: &&ContainerSummary| !is_helper(&container.labels);
    if targets.is_empty() {
        return Ok(Chosen {
            containers: all.iter().filter(own).collect(),
            volumes: volumes.iter().collect(),
        });
    }
    let mut chosen = Chosen { containers: Vec::new(), volumes: Vec::new() };
    for target in targets {
        let label = |container: &ContainerSummary, name: &str| container.labels.get(name) == Some(target);
        let named = |container: &&ContainerSummary| {
            container.name == *target
                || container.id.starts_with(target.as_str()) && target.len() >= 4
                || label(container, crate::model::container::label::PROJECT)
                || label(container, crate::model::container::label::SERVICE)
        };
        let containers: Vec<_> = all.iter().filter(own).filter(named).collect();
        let volumes: Vec<_> = volumes.iter().filter(|volume| volume.name == *target).collect();
        if containers.is_empty() && volumes.is_empty() {
            return Err(Failure::usage(format!(
                "no container, service, project or volume is named {target}"
            ))
            .hint("docker ps -a and docker volume ls list them"));
        }
        chosen.containers.extend(containers);
        chosen.volumes.extend(volumes);
    }
    Ok(chosen)
}

/// The plan that removes every container and leaves volumes alone.
pub(super) async fn hypothetical(
    engine: &Engine,
    chosen: &[&ContainerSummary],
    volumes: &[&Volume],
    all: &[ContainerSummary],
) -> Result<Plan, EngineError> {
    let inspected = stream::iter(chosen.iter().map(|summary| engine.container(&summary.id)));
    // One that vanished meanwhile has nothing left to audit.
    let containers: Vec<Container> =
        inspected.buffered(PARALLEL).try_filter_map(|found| async { Ok(found) }).try_collect().await?;
    let used: HashSet<&str> = all.iter().flat_map(|summary| &summary.volumes).map(String::as_str).collect();
    let dangling =
        volumes.iter().filter(|volume| !used.contains(volume.name.as_str())).map(|volume| PlannedVolume {
            volume: (*volume).clone(),
            fate: if volume.is_anonymous() { Fate::Detached } else { Fate::Survives },
            cause: "no container uses it".to_owned(),
            used_by: Vec::new(),
        });
    Ok(Plan {
        containers: containers.into_iter().map(removed).collect(),
        volumes: dangling.collect(),
        ..Plan::default()
    })
}

fn removed(container: Container) -> PlannedContainer {
    let mounts = container.mounts.iter().map(|mount| PlannedMount {
        destination: mount.destination.clone(),
        fate: match mount.kind {
            MountKind::AnonymousVolume => Fate::Detached,
            MountKind::Tmpfs => Fate::Destroyed,
            MountKind::NamedVolume if mount.volume.as_deref().is_some_and(is_engine_made) => Fate::Detached,
            MountKind::NamedVolume | MountKind::Bind | MountKind::Other => Fate::Survives,
        },
        cause: String::new(),
    });
    let grace_seconds = container.stop_timeout.unwrap_or(10);
    PlannedContainer {
        fate: Fate::Destroyed,
        ending: if container.state.has_processes() {
            Ending::Stop { grace_seconds }
        } else {
            Ending::Untouched
        },
        cause: "if it were removed".to_owned(),
        mounts: mounts.collect(),
        container,
    }
}

/// The audit as a document. docs/audit.schema.json describes it.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema_version: u32,
    engine: EngineRef,
    containers: Vec<ContainerRow<'a>>,
    volumes: Vec<VolumeRow<'a>>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct ContainerRow<'a> {
    id: &'a str,
    name: &'a str,
    project: Option<&'a str>,
    service: Option<&'a str>,
    image: &'a str,
    state: State,
    database: Option<&'a str>,
    risk: Severity,
    evidence: Vec<&'a Evidence>,
    findings: Vec<&'a Finding>,
}

#[derive(Debug, Serialize)]
struct VolumeRow<'a> {
    name: &'a str,
    project: Option<&'a str>,
    database: Option<&'a str>,
    risk: Severity,
    evidence: Vec<&'a Evidence>,
    findings: Vec<&'a Finding>,
}

#[derive(Debug, Default, Serialize)]
struct Summary {
    containers: usize,
    dangling_volumes: usize,
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
    undetermined: usize,
}

impl<'a> Report<'a> {
    fn new(engine: EngineRef, plan: &'a Plan, evidence: &'a [Evidence], findings: &'a [Finding]) -> Self {
        let of = |id: &str, kind: TargetKind| {
            let evidence: Vec<&Evidence> =
                evidence.iter().filter(|e| e.target.id == id && e.target.kind == kind).collect();
            let findings: Vec<&Finding> =
                findings.iter().filter(|f| f.target.id == id && f.target.kind == kind).collect();
            let risk = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::None);
            let database = evidence.iter().find_map(|seen| seen.engine.as_deref());
            (evidence, findings, risk, database)
        };
        let mut containers: Vec<ContainerRow<'_>> = plan
            .containers
            .iter()
            .map(|planned| {
                let container = &planned.container;
                let (evidence, findings, risk, database) = of(&container.id, TargetKind::Container);
                ContainerRow {
                    id: &container.id,
                    name: &container.name,
                    project: container.project(),
                    service: container.service(),
                    image: &container.image,
                    state: container.state,
                    database,
                    risk,
                    evidence,
                    findings,
                }
            })
            .collect();
        containers.sort_by(|a, b| b.risk.cmp(&a.risk).then_with(|| a.name.cmp(b.name)));
        let mut volumes: Vec<VolumeRow<'_>> = plan
            .volumes
            .iter()
            .map(|planned| {
                let name = planned.volume.name.as_str();
                let (evidence, findings, risk, database) = of(name, TargetKind::Volume);
                let project =
                    planned.volume.labels.get(crate::model::container::label::PROJECT).map(String::as_str);
                VolumeRow { name, project, database, risk, evidence, findings }
            })
            .collect();
        volumes.sort_by(|a, b| b.risk.cmp(&a.risk).then_with(|| a.name.cmp(b.name)));
        let summary = summary(plan, findings);
        Self { schema_version: SCHEMA_VERSION, engine, containers, volumes, summary }
    }
}

fn summary(plan: &Plan, findings: &[Finding]) -> Summary {
    let number = |severity| {
        findings
            .iter()
            .filter(|f| f.severity == severity && f.id != judge::UNDETERMINED && f.suppressed.is_none())
            .count()
    };
    Summary {
        containers: plan.containers.len(),
        dangling_volumes: plan.volumes.len(),
        critical: number(Severity::Critical),
        high: number(Severity::High),
        medium: number(Severity::Medium),
        low: number(Severity::Low),
        undetermined: findings.iter().filter(|finding| finding.id == judge::UNDETERMINED).count(),
    }
}

fn as_text(app: &App, plan: &Plan, evidence: &[Evidence], findings: &[Finding], all: bool) -> String {
    let now = app.now();
    let risk_of = |seen: &Evidence| {
        let own = findings.iter().filter(|finding| judge::is_about(finding, seen));
        own.map(|finding| finding.severity).max().unwrap_or(Severity::None)
    };
    let mut shown: Vec<(Severity, &Evidence)> = evidence.iter().map(|seen| (risk_of(seen), seen)).collect();
    shown.retain(|(risk, seen)| {
        all || *risk > Severity::Low || *risk == Severity::Low && seen.engine.is_some()
    });
    shown.sort_by(|(a, one), (b, other)| b.cmp(a).then_with(|| one.target.name.cmp(&other.target.name)));
    let mut rows = vec![["RISK", "CONTAINER", "DATABASE", "WHERE", "HOLDS"].map(str::to_owned)];
    for (risk, seen) in &shown {
        let holds = match &seen.presence {
            Presence::Undetermined { cause } => clean(cause),
            Presence::Empty { why } => format!("empty: {}", clean(why)),
            Presence::Found => text::contents(seen, now),
        };
        let name = match seen.target.kind {
            TargetKind::Container => clean(&seen.target.name),
            TargetKind::Volume => format!("volume {}", clean(short(&seen.target.name))),
        };
        let unknown = matches!(seen.presence, Presence::Undetermined { .. });
        let word = if unknown {
            Paint::Danger.apply(app.ui.colour_out, "unknown")
        } else {
            risk_word(*risk, app.ui.colour_out)
        };
        rows.push([word, name, text::engine(seen), text::place(seen).replacen("in ", "", 1), holds]);
    }
    let summary = summary(plan, findings);
    let mut out = String::new();
    if shown.is_empty() {
        out.push_str("no database would be lost with its container\n");
    } else {
        out.push_str(&table::plain(&rows, app.ui.width_out));
    }
    let at_risk: HashSet<&str> = shown.iter().map(|(_, seen)| seen.target.id.as_str()).collect();
    let parts: Vec<String> = [
        (summary.critical, "critical"),
        (summary.high, "high"),
        (summary.medium, "medium"),
        (summary.undetermined, "unknown"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    let all = plan.containers.len();
    let safe =
        plan.containers.iter().filter(|planned| !at_risk.contains(planned.container.id.as_str())).count();
    let rest = match (safe, all) {
        (0, _) => String::new(),
        (safe, all) if safe == all => format!("; {} hold nothing to lose", count(all as u64, "container")),
        (safe, all) => format!("; {safe} of {} hold nothing to lose", count(all as u64, "container")),
    };
    let risks = if parts.is_empty() { "nothing at risk".to_owned() } else { parts.join(", ") };
    out.push_str(&format!("\n{risks}{rest}\n"));
    out
}

fn risk_word(risk: Severity, colour: bool) -> String {
    match risk {
        Severity::Critical => Paint::Danger.apply(colour, "critical"),
        Severity::High => Paint::Danger.apply(colour, "high"),
        Severity::Medium => Paint::Warning.apply(colour, "medium"),
        Severity::Low => "low".to_owned(),
        Severity::None => Paint::Good.apply(colour, "none"),
    }
}
