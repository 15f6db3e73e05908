//! Observed facts: which data is where, and whether it was really seen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    container::{Container, Labels, label},
    coverage::Coverage,
    plan::Fate,
};

/// Where data lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Location {
    WritableLayer,
    AnonymousVolume,
    NamedVolume,
    BindMount,
    Tmpfs,
    Memory,
}

/// Whose data it is: the container or volume that the evidence hangs on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TargetRef {
    pub kind: TargetKind,
    /// The container's ID or the volume's name.
    pub id: String,
    pub name: String,
    pub project: Option<String>,
    pub service: Option<String>,
}

impl TargetRef {
    #[must_use]
    pub fn of_container(container: &Container) -> Self {
        Self {
            kind: TargetKind::Container,
            id: container.id.clone(),
            name: container.name.clone(),
            project: container.project().map(str::to_owned),
            service: container.service().map(str::to_owned),
        }
    }

    #[must_use]
    pub fn of_volume(name: &str, labels: &Labels) -> Self {
        Self {
            kind: TargetKind::Volume,
            id: name.to_owned(),
            name: name.to_owned(),
            project: labels.get(label::PROJECT).cloned(),
            service: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    Container,
    Volume,
}

/// The three outcomes of a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Presence {
    /// Data is there.
    Found,
    /// An engine's files are there, and hold nothing of a user's. The text says how we know.
    Empty { why: String },
    /// We could not tell. The text is the cause; this is never 'safe'.
    Undetermined { cause: String },
}

/// How much, as far as the server or its files told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// By name, largest first; text from the server, not yet cleaned for a terminal.
    pub databases: Vec<DatabaseContents>,
    /// Whether they are all that hold something: a backup of each is then one of everything.
    #[serde(default)]
    pub complete: bool,
    /// What the list of databases does not say, such as `not saved since 14:02`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseContents {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<u64>,
    /// PostgreSQL's, of which no table tells; `None` where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub large_objects: Option<u64>,
    /// Rows, keys or documents. See `rows_exact`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Whether `rows` was counted, and not estimated from statistics.
    pub rows_exact: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl DatabaseContents {
    /// Whether a user's data may be in it.
    #[must_use]
    pub fn may_hold_something(&self) -> bool {
        self.tables != Some(0) || self.large_objects.is_some()
    }
}

/// One body of data in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub target: TargetRef,
    /// The engine's id, such as `postgres`; `None` where files are there and no engine was recognised.
    pub engine: Option<String>,
    /// The engine's name for people, such as `PostgreSQL`.
    pub engine_name: Option<String>,
    pub engine_version: Option<String>,
    pub location: Location,
    /// The data directory or file, as the container (or the volume's root) sees it.
    pub path: String,
    pub volume: Option<String>,
    pub presence: Presence,
    pub size_bytes: Option<u64>,
    pub contents: Contents,
    pub last_write: Option<Timestamp>,
    pub running: bool,
    /// What the command would do to this data; for an audit, `Survives`.
    pub fate: Fate,
    /// How the fate comes about, for the message: `gone when the container is removed`.
    pub consequence: String,
    /// What tells this cluster from every other: pg_control's system identifier, @@server_uuid.
    pub identity: Option<String>,
    pub coverage: Coverage,
}

#[cfg(test)]
impl Evidence {
    /// A Postgres in the writable layer of a container, of which a test sets what it is about.
    pub(crate) fn sample(container: &Container) -> Self {
        Self {
            target: TargetRef::of_container(container),
            engine: Some("postgres".to_owned()),
            engine_name: Some("PostgreSQL".to_owned()),
            engine_version: None,
            location: Location::WritableLayer,
            path: "/var/lib/postgresql/data".to_owned(),
            volume: None,
            presence: Presence::Found,
            size_bytes: None,
            contents: Contents::default(),
            last_write: None,
            running: true,
            fate: Fate::Survives,
            consequence: String::new(),
            identity: None,
            coverage: Coverage::none(),
        }
    }
}
