//! From what was gathered on each engine to the document.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use jiff::Timestamp;

use super::{
    Audit, AuditedEngine, Class, ContainerRow, FindingRow, MountRow, Project, ServiceRow, Summary, VolumeRow,
    remedy,
};
use crate::{
    model::{
        container::{Labels, label},
        evidence::{Evidence, TargetKind},
        plan::Plan,
        swarm::Swarm,
        verdict::{Finding, Severity},
    },
    report::document::{EngineRef, SCHEMA_VERSION},
};

/// What is known of one engine.
#[derive(Debug, Clone)]
pub struct Gathered {
    pub context: String,
    pub engine: EngineRef,
    /// Which docker would act on it: `docker`, or `docker --context NAME`.
    pub docker: String,
    /// The removal of everything that is looked at.
    pub plan: Plan,
    pub evidence: Vec<Evidence>,
    pub findings: Vec<(Class, Finding)>,
    pub swarm: Option<Swarm>,
}

/// An engine of which nothing is known.
#[derive(Debug, Clone)]
pub struct Unanswered {
    pub context: String,
    pub host: String,
    /// One clause.
    pub error: String,
}

/// The id that `judge` gives to what could not be known.
const UNDETERMINED: &str = "undetermined";

/// Whose a row is: its engine's context, and its project or stack.
type Owner = (String, Option<String>);

/// The document of all engines.
#[must_use]
pub fn build(at: Timestamp, engines: Vec<Result<Gathered, Unanswered>>) -> Audit {
    let seen_nodes: HashSet<String> = engines
        .iter()
        .filter_map(|engine| Some(engine.as_ref().ok()?.swarm.as_ref()?.node_id.clone()))
        .collect();
    let mut audit = Audit {
        schema_version: SCHEMA_VERSION,
        at,
        engine: EngineRef { host: String::new(), version: String::new() },
        engines: Vec::new(),
        projects: Vec::new(),
        containers: Vec::new(),
        volumes: Vec::new(),
        services: Vec::new(),
        summary: Summary::default(),
    };
    let mut projects: BTreeMap<Owner, Project> = BTreeMap::new();
    for engine in engines {
        let audited = match engine {
            Ok(gathered) => add(&mut audit, &mut projects, gathered, &seen_nodes),
            Err(Unanswered { context, host, error }) => AuditedEngine {
                context,
                host,
                version: String::new(),
                error: Some(error),
                summary: Summary::default(),
            },
        };
        audit.summary.add(&audited.summary);
        audit.engines.push(audited);
    }
    if let Some(first) = audit.engines.first() {
        audit.engine = EngineRef { host: first.host.clone(), version: first.version.clone() };
    }
    audit.containers.sort_by(|a, b| (Reverse(a.risk), &a.name).cmp(&(Reverse(b.risk), &b.name)));
    audit.volumes.sort_by(|a, b| (Reverse(a.risk), &a.name).cmp(&(Reverse(b.risk), &b.name)));
    // What belongs to no project comes last among its equals.
    audit.projects = projects.into_values().collect();
    audit.projects.sort_by_key(|project| (Reverse(project.risk), project.name.is_none()));
    let order: HashMap<String, usize> =
        audit.containers.iter().enumerate().map(|(index, row)| (row.id.clone(), index)).collect();
    for project in &mut audit.projects {
        project.containers.sort_by_key(|id| order.get(id));
    }
    audit
}

/// The findings and the evidence of one target.
#[derive(Default)]
struct Own {
    evidence: Vec<Evidence>,
    findings: Vec<FindingRow>,
}

impl Own {
    fn risk(&self) -> Severity {
        let of_data = self.findings.iter().filter(|row| row.class != Class::Setup && row.counts());
        of_data.map(|row| row.finding.severity).max().unwrap_or(Severity::None)
    }

    fn database(&self) -> Option<String> {
        self.evidence.iter().find_map(|seen| seen.engine.clone())
    }
}

fn add(
    audit: &mut Audit,
    projects: &mut BTreeMap<Owner, Project>,
    gathered: Gathered,
    seen_nodes: &HashSet<String>,
) -> AuditedEngine {
    let Gathered { context, engine, docker, plan, evidence, findings, swarm } = gathered;
    let summary = summary(&plan, &findings);
    let mut own: BTreeMap<(TargetKind, String), Own> = BTreeMap::new();
    for seen in evidence {
        own.entry((seen.target.kind, seen.target.id.clone())).or_default().evidence.push(seen);
    }
    for (class, mut finding) in findings {
        let own = own.entry((finding.target.kind, finding.target.id.clone())).or_default();
        let about = |seen: &&Evidence| finding.path == seen.path;
        // A check does not know how the engine is reached.
        finding.remedy = finding.remedy.map(|remedy| remedy::by(&remedy, &docker));
        if finding.remedy.is_none() {
            finding.remedy = remedy::of(&finding, own.evidence.iter().find(about), &docker);
        }
        own.findings.push(FindingRow { class, finding });
    }
    for planned in plan.containers {
        let container = planned.container;
        let own = own.remove(&(TargetKind::Container, container.id.clone())).unwrap_or_default();
        let (risk, database) = (own.risk(), own.database());
        project_of(projects, &context, owner(&container.labels), risk).containers.push(container.id.clone());
        let mounts = container.mounts.iter().map(|mount| MountRow {
            kind: mount.kind,
            destination: mount.destination.clone(),
            volume: mount.volume.clone(),
            source: mount.source.clone(),
        });
        audit.containers.push(ContainerRow {
            context: context.clone(),
            project: container.project().map(str::to_owned),
            service: container.service().map(str::to_owned),
            mounts: mounts.collect(),
            id: container.id,
            name: container.name,
            image: container.image,
            state: container.state,
            database,
            risk,
            evidence: own.evidence,
            findings: own.findings,
        });
    }
    for planned in plan.volumes {
        let volume = planned.volume;
        let own = own.remove(&(TargetKind::Volume, volume.name.clone())).unwrap_or_default();
        let (risk, database) = (own.risk(), own.database());
        project_of(projects, &context, owner(&volume.labels), risk).volumes.push(volume.name.clone());
        audit.volumes.push(VolumeRow {
            context: context.clone(),
            project: volume.labels.get(label::PROJECT).cloned(),
            name: volume.name,
            database,
            risk,
            evidence: own.evidence,
            findings: own.findings,
        });
    }
    for service in swarm.into_iter().flat_map(|swarm| swarm.services) {
        let stack = service.stack.as_ref();
        project_of(projects, &context, stack, Severity::None).services.push(service.name.clone());
        let unseen = service.tasks.iter().filter(|task| !seen_nodes.contains(&task.node_id));
        let mut unseen_nodes: Vec<String> = unseen.map(|task| task.node.clone()).collect();
        unseen_nodes.sort_unstable();
        unseen_nodes.dedup();
        audit.services.push(ServiceRow { context: context.clone(), service, unseen_nodes });
    }
    AuditedEngine { context, host: engine.host, version: engine.version, error: None, summary }
}

/// The project or stack that something belongs to.
fn owner(labels: &Labels) -> Option<&String> {
    labels.get(label::PROJECT).or_else(|| labels.get(label::STACK))
}

fn project_of<'p>(
    projects: &'p mut BTreeMap<Owner, Project>,
    context: &str,
    name: Option<&String>,
    risk: Severity,
) -> &'p mut Project {
    let owner = (context.to_owned(), name.cloned());
    let project = projects.entry(owner).or_insert_with(|| Project {
        context: context.to_owned(),
        name: name.cloned(),
        risk: Severity::None,
        containers: Vec::new(),
        volumes: Vec::new(),
        services: Vec::new(),
    });
    project.risk = project.risk.max(risk);
    project
}

fn summary(plan: &Plan, findings: &[(Class, Finding)]) -> Summary {
    let mut summary = Summary {
        containers: plan.containers.len(),
        dangling_volumes: plan.volumes.len(),
        ..Summary::default()
    };
    for (class, finding) in findings {
        let number = match (class, finding.severity) {
            _ if finding.suppressed.is_some() => &mut summary.accepted,
            (Class::Setup, _) => &mut summary.setup,
            _ if finding.id == UNDETERMINED => &mut summary.undetermined,
            (_, Severity::Critical) => &mut summary.critical,
            (_, Severity::High) => &mut summary.high,
            (_, Severity::Medium) => &mut summary.medium,
            (_, Severity::Low) => &mut summary.low,
            (_, Severity::None) => continue,
        };
        *number += 1;
    }
    summary
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.containers += other.containers;
        self.dangling_volumes += other.dangling_volumes;
        self.critical += other.critical;
        self.high += other.high;
        self.medium += other.medium;
        self.low += other.low;
        self.undetermined += other.undetermined;
        self.setup += other.setup;
        self.accepted += other.accepted;
    }
}
