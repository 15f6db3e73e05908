//! A snapshot's manifest: what was saved, from where, and whether a restore proved it.
//!
//! It stands as `manifest.json` beside the artifacts and holds nothing secret: of a container's environment
//! only the names. It is readable where the artifacts are encrypted, too.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    container::Labels,
    evidence::{Contents, Location, TargetRef},
};

/// The newest form that this program writes, that of an encrypted snapshot. It reads any form up to it.
pub const FORMAT_VERSION: u32 = 2;
/// The form of a snapshot in the clear, which older ones read, too.
pub const PLAIN_VERSION: u32 = 1;

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format_version: u32,
    pub id: String,
    pub created: Timestamp,
    /// The version of dbsafe that made it.
    pub dbsafe: String,
    /// docker's arguments of the guarded command; empty for `snapshot` by itself.
    pub command: Vec<String>,
    pub engine: EngineHost,
    pub projects: Vec<String>,
    /// The bodies of data.
    pub items: Vec<Item>,
    /// How to create again what the command removes.
    pub containers: Vec<ContainerRecipe>,
    pub volumes: Vec<VolumeRecipe>,
    pub networks: Vec<NetworkRecipe>,
    pub verification: Verification,
    /// Until when retention keeps it whatever its limits are, and lets it go afterwards; for what `restore --swap`
    /// took away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_until: Option<Timestamp>,
    /// The public keys that its files are encrypted for where they lie; none: they are in the clear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
}

impl Manifest {
    /// The files, of all items.
    pub fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.items.iter().flat_map(|item| &item.artifacts)
    }

    /// Whether a restore or its checksums proved it, at the last look.
    #[must_use]
    pub fn is_proved(&self) -> bool {
        self.verification.result == VerificationResult::Proved
    }

    /// What it is of, for people and for retention: identities where there are any, else names.
    #[must_use]
    pub fn subjects(&self) -> Vec<String> {
        let subject = |item: &Item| match (&item.identity, &item.volume) {
            (Some(identity), _) => identity.clone(),
            (None, Some(volume)) => format!("volume {volume} {}", item.path),
            (None, None) => format!("container {} {}", item.target.name, item.path),
        };
        let mut subjects: Vec<String> = self.items.iter().map(subject).collect();
        subjects.sort();
        subjects.dedup();
        subjects
    }
}

/// Which engine the data came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineHost {
    pub host: String,
    pub version: String,
}

/// One body of data and its artifacts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub target: TargetRef,
    /// The database engine's id, such as `postgres`; `None` for files that no engine was recognised in.
    pub engine: Option<String>,
    pub engine_version: Option<String>,
    pub location: Location,
    /// Where it lay, as the container saw it; for a volume without a container, `/`.
    pub path: String,
    pub volume: Option<String>,
    /// What tells this cluster from every other: pg_control's system identifier, @@server_uuid.
    pub identity: Option<String>,
    pub contents: Contents,
    /// What was in it when it was dumped.
    pub fingerprint: Option<Fingerprint>,
    pub consistency: Consistency,
    pub artifacts: Vec<Artifact>,
    /// What the copy does not carry, each a clause.
    pub not_kept: Vec<String>,
}

/// In which state the files were copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consistency {
    /// Nothing wrote: the container was stopped, or there was none.
    Stopped,
    /// Frozen in the middle of its work, as a power cut would leave it.
    Frozen,
    /// Only what the server itself dumped.
    DumpOnly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArtifactKind {
    /// What the server's own client wrote.
    LogicalDump,
    /// Roles and other things that belong to no database.
    Globals,
    /// A data directory's or a volume's files, as a tar.
    PhysicalCopy,
    /// Everything else that was changed in a container's writable layer, as a tar from the root.
    WritableLayer,
    /// Redis's own file, written by the server.
    Rdb,
}

impl ArtifactKind {
    /// Whether it is a `.tar.zst` of ours.
    #[must_use]
    pub fn is_archive(self) -> bool {
        matches!(self, Self::PhysicalCopy | Self::WritableLayer)
    }
}

/// One file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Its name in the snapshot's folder.
    pub file: String,
    pub kind: ArtifactKind,
    /// `pg_dump custom`, `sql.zst`, `rdb`, `tar.zst`.
    pub format: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes before compression.
    pub content_bytes: u64,
    pub sha256: String,
    /// How long it took to make.
    #[serde(default)]
    pub milliseconds: u64,
    /// The database that a dump is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Where a tar belongs: the folder that its only root stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// A tar's only root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Entries of a tar.
    #[serde(default)]
    pub entries: u64,
}

/// What a server held at one moment, to be compared with what a restore holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    pub at: Option<Timestamp>,
    /// The server's position, which moves with every write; `None` where there is no such thing.
    pub position: Option<String>,
    /// Whether writing was held up from then until the stop.
    #[serde(default)]
    pub writes_held: bool,
    /// By database, then by table.
    pub databases: BTreeMap<String, BTreeMap<String, TableFingerprint>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFingerprint {
    pub rows: u64,
    /// A digest of all rows, where that was cheap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Of the rows, those that may vanish by themselves: keys with a time to live.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub fleeting: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if hands over a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Fingerprint {
    /// Tables and rows in all databases.
    #[must_use]
    pub fn totals(&self) -> (usize, u64) {
        let tables = self.databases.values().flat_map(BTreeMap::values);
        tables.fold((0, 0), |(count, rows), table| (count + 1, rows + table.rows))
    }
}

/// Whether a snapshot is known to be good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    pub result: VerificationResult,
    pub how: VerificationMethod,
    pub at: Option<Timestamp>,
    /// What was compared, or why it was not, in one clause.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerificationResult {
    Proved,
    Failed,
    Unverified,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerificationMethod {
    /// A server was started on a copy, and answered.
    Restore,
    /// Every artifact was read back.
    Checksum,
}

impl Verification {
    /// Nobody has looked yet.
    #[must_use]
    pub fn none() -> Self {
        Self {
            result: VerificationResult::Unverified,
            how: VerificationMethod::Checksum,
            at: None,
            detail: "not verified yet".to_owned(),
        }
    }
}

/// Everything needed to create a container again, but for its environment's values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerRecipe {
    pub id: String,
    pub name: String,
    /// The reference it was created from.
    pub image: String,
    pub image_id: String,
    /// The image's digest in a registry, where it has one.
    pub image_digests: Vec<String>,
    pub labels: Labels,
    /// Names alone; the values are in `env.secret`.
    pub environment_names: Vec<String>,
    /// Those whose values are the image's: they come with it, wherever the snapshot went.
    #[serde(default)]
    pub environment_of_image: Vec<String>,
    /// Whether it ran before the command.
    pub was_running: bool,
    /// `Config` of its inspection, without the environment.
    pub config: serde_json::Value,
    /// `HostConfig` of its inspection.
    pub host_config: serde_json::Value,
    /// `NetworkSettings.Networks` of its inspection, without what the engine gives at run time.
    pub networks: serde_json::Value,
    /// Its volumes by destination, anonymous ones too.
    pub volumes: BTreeMap<String, String>,
}

/// Everything needed to create a volume again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRecipe {
    pub name: String,
    pub driver: String,
    pub labels: Labels,
    pub options: Labels,
    /// With the name it tells a volume from a later namesake.
    pub created: String,
    /// Whether the command removes it.
    pub removed: bool,
}

/// Everything needed to create a network again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkRecipe {
    pub name: String,
    /// The body of the call that creates it.
    pub body: serde_json::Value,
}
