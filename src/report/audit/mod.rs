//! The audit as a document, and one renderer for each form that it takes. docs/audit.schema.json describes its
//! JSON. Pure: what was gathered goes in.

mod build;
pub mod html;
pub mod markdown;
pub mod remedy;
pub mod sarif;
#[cfg(test)]
mod tests;
pub mod text;

use jiff::Timestamp;
use serde::Serialize;

pub use self::build::{Gathered, Unanswered, build};
use super::document::EngineRef;
use crate::model::{
    check::Class,
    container::{MountKind, State},
    evidence::{Evidence, Presence},
    swarm::SwarmService,
    verdict::{Finding, Severity},
};

/// What all containers and volumes of one or more engines have to lose. Rows are in the order of risk.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    pub schema_version: u32,
    pub at: Timestamp,
    /// The engine, or the first of several.
    pub engine: EngineRef,
    pub engines: Vec<AuditedEngine>,
    pub projects: Vec<Project>,
    pub containers: Vec<ContainerRow>,
    /// Those that no container uses.
    pub volumes: Vec<VolumeRow>,
    /// Of a swarm that an engine manages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceRow>,
    pub summary: Summary,
}

/// One engine.
#[derive(Debug, Clone, Serialize)]
pub struct AuditedEngine {
    /// The name of docker's context.
    pub context: String,
    pub host: String,
    pub version: String,
    /// Why nothing is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub summary: Summary,
}

/// What belongs together: a compose project, a swarm's stack, or what belongs to none.
#[derive(Debug, Clone, Serialize)]
pub struct Project {
    pub context: String,
    pub name: Option<String>,
    pub risk: Severity,
    /// Ids.
    pub containers: Vec<String>,
    /// Names.
    pub volumes: Vec<String>,
    /// Names of a swarm's services.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ContainerRow {
    pub context: String,
    pub id: String,
    pub name: String,
    pub project: Option<String>,
    pub service: Option<String>,
    pub image: String,
    pub state: State,
    pub mounts: Vec<MountRow>,
    pub database: Option<String>,
    /// The worst that is not accepted, of its data.
    pub risk: Severity,
    pub evidence: Vec<Evidence>,
    pub findings: Vec<FindingRow>,
}

/// A place beside the writable layer that a container writes to.
#[derive(Debug, Clone, Serialize)]
pub struct MountRow {
    pub kind: MountKind,
    pub destination: String,
    pub volume: Option<String>,
    pub source: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct VolumeRow {
    pub context: String,
    pub name: String,
    pub project: Option<String>,
    pub database: Option<String>,
    /// The worst that is not accepted.
    pub risk: Severity,
    pub evidence: Vec<Evidence>,
    pub findings: Vec<FindingRow>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ServiceRow {
    pub context: String,
    #[serde(flatten)]
    pub service: SwarmService,
    /// Nodes that hold a task of it and were not audited.
    pub unseen_nodes: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct FindingRow {
    pub class: Class,
    #[serde(flatten)]
    pub finding: Finding,
}

impl FindingRow {
    /// Whether it is about this body of data.
    #[must_use]
    pub fn is_about(&self, seen: &Evidence) -> bool {
        self.class != Class::Setup && self.finding.target == seen.target && self.finding.path == seen.path
    }

    /// Whether it counts.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.finding.suppressed.is_none()
    }
}

/// Numbers of findings about data and backups by severity, none of which is accepted, and what they were found in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub containers: usize,
    pub dangling_volumes: usize,
    pub critical: usize,
    pub high: usize,
    pub medium: usize,
    pub low: usize,
    pub undetermined: usize,
    /// Findings about how containers are set up.
    pub setup: usize,
    /// Findings that somebody accepted.
    pub accepted: usize,
}

/// What a row has to say, whatever kind of row it is.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    pub context: &'a str,
    /// The container's or the volume's name.
    pub name: &'a str,
    pub container: Option<&'a ContainerRow>,
    pub risk: Severity,
    pub evidence: &'a [Evidence],
    pub findings: &'a [FindingRow],
}

impl<'a> Holder<'a> {
    /// The findings about one body of data.
    pub fn about(&self, seen: &'a Evidence) -> impl Iterator<Item = &'a FindingRow> {
        self.findings.iter().filter(move |row| row.is_about(seen))
    }

    /// The findings about data and backups that are about no evidence in particular.
    pub fn others(&self) -> impl Iterator<Item = &'a FindingRow> {
        let evidence = self.evidence;
        let of_data = self.findings.iter().filter(|row| row.class != Class::Setup);
        of_data.filter(move |row| !evidence.iter().any(|seen| row.is_about(seen)))
    }

    /// The findings about how it is set up.
    pub fn setup(&self) -> impl Iterator<Item = &'a FindingRow> {
        self.findings.iter().filter(|row| row.class == Class::Setup)
    }

    /// How much one body of data is at risk, and in which word.
    #[must_use]
    pub fn standing(&self, seen: &'a Evidence) -> Standing {
        let own = || self.about(seen).map(|row| (row.counts(), row.finding.severity));
        let worst = own().filter(|(counts, _)| *counts).map(|(_, severity)| severity).max();
        let accepted = own().any(|(counts, severity)| !counts && severity > Severity::Low);
        match (worst, &seen.presence) {
            (Some(_), Presence::Undetermined { .. }) => Standing::Unknown,
            (None | Some(Severity::None), _) if accepted => Standing::Accepted,
            (worst, _) => Standing::Risk(worst.unwrap_or(Severity::None)),
        }
    }
}

/// How a body of data stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// At risk, and somebody has decided to live with it.
    Accepted,
    Risk(Severity),
    /// At risk, for all we know.
    Unknown,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::Risk(risk) => risk_word(risk),
        }
    }
}

#[must_use]
pub fn risk_word(risk: Severity) -> &'static str {
    match risk {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
        Severity::None => "none",
    }
}

/// One project's rows.
#[derive(Debug)]
pub struct Group<'a> {
    pub project: &'a Project,
    /// In the order of risk.
    pub holders: Vec<Holder<'a>>,
    pub services: Vec<&'a ServiceRow>,
}

impl Audit {
    /// The projects with their rows, worst first.
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut containers = index(self.containers.iter().map(|row| (&row.context, &row.id, row)));
        let mut volumes = index(self.volumes.iter().map(|row| (&row.context, &row.name, row)));
        let mut services = index(self.services.iter().map(|row| (&row.context, &row.service.name, row)));
        let group = |project| {
            let Project { context, containers: ids, volumes: names, services: of_swarm, .. }: &Project =
                project;
            let own = ids.iter().filter_map(|id| containers.remove(&(context.as_str(), id.as_str())));
            let mut holders: Vec<Holder<'_>> = own.map(holder_of_container).collect();
            let own = names.iter().filter_map(|name| volumes.remove(&(context.as_str(), name.as_str())));
            holders.extend(own.map(holder_of_volume));
            // Stable: containers before volumes.
            holders.sort_by_key(|holder| std::cmp::Reverse(holder.risk));
            let own = of_swarm.iter().filter_map(|name| services.remove(&(context.as_str(), name.as_str())));
            Group { project, holders, services: own.collect() }
        };
        self.projects.iter().map(group).collect()
    }

    /// Whether it must be said which engine something is on.
    #[must_use]
    pub fn has_several_engines(&self) -> bool {
        self.engines.len() > 1
    }

    /// The severity of the worst finding that nobody accepted.
    #[must_use]
    pub fn worst(&self) -> Severity {
        let findings = self.containers.iter().flat_map(|row| &row.findings);
        let findings = findings.chain(self.volumes.iter().flat_map(|row| &row.findings));
        findings.filter(|row| row.counts()).map(|row| row.finding.severity).max().unwrap_or(Severity::None)
    }
}

type Index<'a, T> = std::collections::HashMap<(&'a str, &'a str), &'a T>;

fn index<'a, T>(rows: impl Iterator<Item = (&'a String, &'a String, &'a T)>) -> Index<'a, T> {
    rows.map(|(context, name, row)| ((context.as_str(), name.as_str()), row)).collect()
}

fn holder_of_container(row: &ContainerRow) -> Holder<'_> {
    Holder {
        context: &row.context,
        name: &row.name,
        container: Some(row),
        risk: row.risk,
        evidence: &row.evidence,
        findings: &row.findings,
    }
}

fn holder_of_volume(row: &VolumeRow) -> Holder<'_> {
    Holder {
        context: &row.context,
        name: &row.name,
        container: None,
        risk: row.risk,
        evidence: &row.evidence,
        findings: &row.findings,
    }
}
