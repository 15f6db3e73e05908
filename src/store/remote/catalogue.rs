//! Which snapshots a remote holds: read from the objects themselves, at each listing.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use object_store::ObjectStoreExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Object, Remote, RemoteError};
use crate::{
    model::manifest::Manifest,
    store::{
        FileFault, MANIFEST, StoreError,
        catalogue::{MAX_MANIFEST_BYTES, id_fits, parse_manifest},
        seal::{ENDING, Identities},
        writer::{hex, is_plain_name},
    },
};

/// What of an encrypted snapshot is readable without its key.
pub(super) const ENVELOPE: &str = "envelope.json";
/// The form of an envelope that this program writes.
const ENVELOPE_VERSION: u32 = 1;
/// Manifests fetched at once.
const AT_ONCE: usize = 8;

/// One file of a snapshot, as it should be at the remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteFile {
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
}

/// What of an encrypted snapshot stays readable: neither databases nor tables, containers nor volumes, but for what
/// their files' names tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub envelope_version: u32,
    pub id: String,
    pub created: Timestamp,
    /// `age`, whose format `age -d` opens.
    pub encryption: String,
    /// The public keys.
    pub recipients: Vec<String>,
    pub proved: bool,
    /// A digest of each body of data, so that the last proved one of each is kept.
    pub subjects: Vec<String>,
    pub files: Vec<RemoteFile>,
}

impl Envelope {
    pub(super) fn of(
        manifest: &Manifest,
        subjects: &[String],
        recipients: &[String],
        files: Vec<RemoteFile>,
    ) -> Self {
        Self {
            envelope_version: ENVELOPE_VERSION,
            id: manifest.id.clone(),
            created: manifest.created,
            encryption: "age".to_owned(),
            recipients: recipients.to_vec(),
            proved: manifest.is_proved(),
            subjects: subjects.iter().map(|subject| hidden(subject)).collect(),
            files,
        }
    }
}

/// A subject's digest.
pub(super) fn hidden(subject: &str) -> String {
    hex(&Sha256::digest(subject.as_bytes()))
}

/// A whole snapshot at a remote.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteSnapshot {
    pub id: String,
    pub created: Timestamp,
    pub proved: bool,
    /// `Stored::subjects`, digested where it is encrypted.
    pub subjects: Vec<String>,
    /// What its manifest tells; `None` where it is encrypted and no key was at hand.
    pub manifest: Option<Manifest>,
    pub encrypted: bool,
    /// The files that it should have.
    pub files: Vec<RemoteFile>,
    /// What is missing, or has another size.
    pub damage: Vec<FileFault>,
}

impl RemoteSnapshot {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// What it is of, digested: so encrypted snapshots and others are told apart by the same.
    #[must_use]
    pub fn hidden_subjects(&self) -> Vec<String> {
        match self.encrypted {
            true => self.subjects.clone(),
            false => self.subjects.iter().map(|subject| hidden(subject)).collect(),
        }
    }
}

/// What a push that was killed left behind, or one that is at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    pub id: String,
    pub bytes: u64,
    /// Of its newest file.
    pub modified: Timestamp,
}

/// What a remote holds, newest first.
#[derive(Debug, Default)]
pub struct RemoteListing {
    pub snapshots: Vec<RemoteSnapshot>,
    /// Those whose manifest cannot be read, and why; they are never removed by a plan.
    pub unreadable: Vec<(String, String)>,
    pub leftovers: Vec<Leftover>,
}

impl RemoteListing {
    /// The listing as JSON: `docs/remote.schema.json`.
    #[must_use]
    pub fn document(&self, remote: &str) -> serde_json::Value {
        let fault = |fault: &FileFault| serde_json::json!({"file": fault.file, "fault": fault.fault});
        let snapshot = |snapshot: &RemoteSnapshot| {
            serde_json::json!({
                "id": snapshot.id, "created": snapshot.created, "proved": snapshot.proved,
                "encrypted": snapshot.encrypted, "bytes": snapshot.bytes(), "files": snapshot.files,
                "damage": snapshot.damage.iter().map(fault).collect::<Vec<_>>(), "manifest": snapshot.manifest,
            })
        };
        let unreadable = |(id, cause): &(String, String)| serde_json::json!({"id": id, "cause": cause});
        let leftover = |left: &Leftover| serde_json::json!({"id": left.id, "bytes": left.bytes, "modified": left.modified});
        serde_json::json!({
            "schema_version": 1,
            "remote": remote,
            "snapshots": self.snapshots.iter().map(snapshot).collect::<Vec<_>>(),
            "unreadable": self.unreadable.iter().map(unreadable).collect::<Vec<_>>(),
            "leftovers": self.leftovers.iter().map(leftover).collect::<Vec<_>>(),
        })
    }

    /// Finds a snapshot by the beginning of its id, or of the part after the time; `latest` is the newest.
    ///
    /// # Errors
    /// Where there is none, or more than one.
    pub fn find(&self, prefix: &str) -> Result<&RemoteSnapshot, RemoteError> {
        let missing = || StoreError::NotFound(prefix.to_owned());
        if prefix == "latest" {
            return self.snapshots.first().ok_or_else(|| missing().into());
        }
        let fits = |id: &str| id_fits(id, prefix);
        let found: Vec<&RemoteSnapshot> =
            self.snapshots.iter().filter(|snapshot| fits(&snapshot.id)).collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => match self.unreadable.iter().find(|(id, _)| fits(id)) {
                Some((id, cause)) => {
                    Err(StoreError::Manifest { id: id.clone(), cause: cause.clone() }.into())
                }
                None => Err(missing().into()),
            },
            several => Err(StoreError::Ambiguous { prefix: prefix.to_owned(), count: several.len() }.into()),
        }
    }
}

impl Remote {
    /// Reads what there is. `identities` open the manifests of encrypted snapshots.
    ///
    /// # Errors
    /// Where the remote does not answer or refuses.
    pub async fn snapshots(&self, identities: Option<&Identities>) -> Result<RemoteListing, RemoteError> {
        let mut folders: BTreeMap<String, BTreeMap<String, Object>> = BTreeMap::new();
        for object in self.list("").await? {
            let Some((id, name)) = object.name.split_once('/') else { continue };
            // Whatever else is in the bucket is not ours.
            if is_id(id) && is_plain_name(name) {
                folders.entry(id.to_owned()).or_default().insert(name.to_owned(), object);
            }
        }
        let mut listing = RemoteListing::default();
        let mut read =
            stream::iter(folders.iter().map(|(id, objects)| async move {
                (id, objects, self.snapshot(id, objects, identities).await)
            }))
            .buffer_unordered(AT_ONCE);
        while let Some((id, objects, read)) = read.next().await {
            match read {
                Ok(Some(snapshot)) => listing.snapshots.push(snapshot),
                Ok(None) => listing.leftovers.push(Leftover {
                    id: id.clone(),
                    bytes: objects.values().map(|object| object.bytes).sum(),
                    modified: objects.values().map(|object| object.modified).max().unwrap_or_default(),
                }),
                Err(RemoteError::Refused(cause)) => listing.unreadable.push((id.clone(), cause)),
                // Somebody removes it this moment, or the remote lists what it has not: the others are there.
                Err(RemoteError::NotFound { name, .. }) => {
                    let name = name.rsplit('/').next().unwrap_or_default();
                    listing.unreadable.push((id.clone(), format!("its {name} is listed, and not there")));
                }
                Err(error) => return Err(error),
            }
        }
        listing.snapshots.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        listing.unreadable.sort();
        listing.leftovers.sort_by(|a, b| b.id.cmp(&a.id));
        Ok(listing)
    }

    /// Reads one snapshot; `None` where it has no manifest, and so is none.
    async fn snapshot(
        &self,
        id: &str,
        objects: &BTreeMap<String, Object>,
        identities: Option<&Identities>,
    ) -> Result<Option<RemoteSnapshot>, RemoteError> {
        let mut snapshot = if objects.contains_key(ENVELOPE) {
            let bytes = self.small(id, ENVELOPE, objects).await?;
            let envelope: Envelope = serde_json::from_slice(&bytes)
                .map_err(|cause| RemoteError::Refused(format!("its {ENVELOPE} is not readable: {cause}")))?;
            if envelope.envelope_version > ENVELOPE_VERSION {
                return Err(RemoteError::Refused("it was written by a newer dbsafe".to_owned()));
            }
            if envelope.id != id || !envelope.files.iter().all(|file| is_plain_name(&file.file)) {
                return Err(RemoteError::Refused(format!("its {ENVELOPE} is of another snapshot")));
            }
            let sealed = format!("{MANIFEST}{ENDING}");
            let manifest = match identities {
                // A key that is another's opens nothing: the envelope is all there is to see then.
                Some(identities) => {
                    let bytes = self.small(id, &sealed, objects).await?;
                    identities.open(&bytes).ok().map(|plain| checked(&plain, id)).transpose()?
                }
                None => None,
            };
            RemoteSnapshot {
                id: envelope.id,
                created: envelope.created,
                proved: envelope.proved,
                subjects: envelope.subjects,
                manifest,
                encrypted: true,
                files: envelope.files,
                damage: Vec::new(),
            }
        } else if objects.contains_key(MANIFEST) {
            let manifest = checked(&self.small(id, MANIFEST, objects).await?, id)?;
            let files = manifest.artifacts().map(|artifact| RemoteFile {
                file: artifact.file.clone(),
                bytes: artifact.bytes,
                sha256: artifact.sha256.clone(),
            });
            RemoteSnapshot {
                id: manifest.id.clone(),
                created: manifest.created,
                proved: manifest.is_proved(),
                subjects: manifest.subjects(),
                encrypted: false,
                files: files.collect(),
                damage: Vec::new(),
                manifest: Some(manifest),
            }
        } else {
            return Ok(None);
        };
        let fault = |file: &RemoteFile| {
            let fault = match objects.get(&file.file) {
                None => "it is missing".to_owned(),
                Some(object) if object.bytes != file.bytes => {
                    format!("it has {} bytes and not {}", object.bytes, file.bytes)
                }
                Some(_) => return None,
            };
            Some(FileFault { file: file.file.clone(), fault })
        };
        snapshot.damage = snapshot.files.iter().filter_map(fault).collect();
        Ok(Some(snapshot))
    }

    /// A small object of a snapshot, whole.
    async fn small(
        &self,
        id: &str,
        name: &str,
        objects: &BTreeMap<String, Object>,
    ) -> Result<Vec<u8>, RemoteError> {
        let bytes = objects.get(name).map_or(0, |object| object.bytes);
        if bytes == 0 || bytes > MAX_MANIFEST_BYTES {
            return Err(RemoteError::Refused(format!("its {name} has {bytes} bytes")));
        }
        Ok(self.read_range(&format!("{id}/{name}"), 0..bytes).await?.to_vec())
    }

    /// Removes a snapshot: first what makes it one, then its files, and what was on its way there.
    ///
    /// # Errors
    /// Where the remote refuses.
    pub async fn remove(&self, home: &std::path::Path, id: &str) -> Result<(), RemoteError> {
        self.give_up_uploads(home, |other| other != id).await;
        let mut names: Vec<String> =
            self.list(&format!("{id}/")).await?.into_iter().map(|object| object.name).collect();
        let last = |name: &String| !name.ends_with(MANIFEST) && !name.ends_with(ENVELOPE);
        names.sort_by_key(last);
        for name in names {
            match self.store.delete(&self.path(&name)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed(&name, &error)),
            }
        }
        if let Some(folder) = self.address.folder() {
            // Left empty at worst.
            let _ = std::fs::remove_dir(folder.join(id));
        }
        Ok(())
    }
}

fn checked(bytes: &[u8], id: &str) -> Result<Manifest, RemoteError> {
    parse_manifest(bytes, id).map_err(|error| RemoteError::Refused(error.to_string()))
}

/// Whether a name is that of a snapshot: `20260102T030405Z-0a1b2c3d`.
fn is_id(name: &str) -> bool {
    let Some((time, tail)) = name.split_once('-') else { return false };
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let times = time.strip_suffix('Z').and_then(|time| time.split_once('T'));
    times.is_some_and(|(date, time)| date.len() == 8 && time.len() == 6 && digits(date) && digits(time))
        && tail.len() == 8
        && tail.chars().all(|c| c.is_ascii_hexdigit())
}
