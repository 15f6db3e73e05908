//! The JSON of a guarded command. docs/guard.schema.json describes it; a test holds the two together.

use serde::Serialize;

use crate::model::{
    container::MountKind,
    evidence::Evidence,
    plan::{Fate, Plan},
    verdict::{Finding, Verdict},
};

/// Raised by one whenever a field changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;

/// A guarded command's document.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    pub schema_version: u32,
    /// The docker command, as typed.
    pub command: &'a [String],
    pub engine: EngineRef,
    pub plan: Vec<PlanRow<'a>>,
    pub evidence: &'a [Evidence],
    pub findings: &'a [Finding],
    pub verdict: Verdict,
    /// Why the plan is not complete.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub undetermined: &'a [String],
    /// Ids of snapshots made by this command.
    pub snapshots: &'a [String],
    pub exit: Who,
}

#[derive(Debug, Clone, Serialize)]
pub struct EngineRef {
    pub host: String,
    pub version: String,
}

/// Who ended the command, and with what.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Who {
    /// `dbsafe` or `docker`.
    pub by: &'static str,
    pub status: u8,
}

/// One object of the plan.
#[derive(Debug, Serialize)]
pub struct PlanRow<'a> {
    pub kind: &'static str,
    pub id: &'a str,
    pub name: &'a str,
    pub project: Option<&'a str>,
    pub service: Option<&'a str>,
    pub fate: Fate,
    pub cause: &'a str,
    /// It may come to less: only the command itself will find out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub possible: bool,
}

/// Containers, then their anonymous volumes, then volumes by name.
#[must_use]
pub fn plan_rows(plan: &Plan) -> Vec<PlanRow<'_>> {
    let mut rows = Vec::new();
    for planned in &plan.containers {
        let container = &planned.container;
        let (project, service) = (container.project(), container.service());
        let possible = plan.possible.contains(&container.id);
        rows.push(PlanRow {
            kind: "container",
            id: &container.id,
            name: &container.name,
            project,
            service,
            fate: planned.fate,
            cause: &planned.cause,
            possible,
        });
        for mount in &planned.mounts {
            let found = container.mounts.iter().find(|m| m.destination == mount.destination);
            let Some(volume) = found.filter(|m| m.kind != MountKind::Bind).and_then(|m| m.volume.as_deref())
            else {
                continue;
            };
            rows.push(PlanRow {
                kind: "volume",
                id: volume,
                name: volume,
                project,
                service,
                fate: mount.fate,
                cause: &mount.cause,
                possible: possible || plan.possible.iter().any(|name| name == volume),
            });
        }
    }
    for planned in &plan.volumes {
        let name = planned.volume.name.as_str();
        if rows.iter().any(|row| row.kind == "volume" && row.name == name) {
            continue;
        }
        let project = planned.volume.labels.get(crate::model::container::label::PROJECT).map(String::as_str);
        rows.push(PlanRow {
            kind: "volume",
            id: name,
            name,
            project,
            service: None,
            fate: planned.fate,
            cause: &planned.cause,
            possible: plan.possible.iter().any(|possible| possible == name),
        });
    }
    rows
}
