//! Brings a snapshot to a remote: its files, and last what makes it a snapshot there.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use object_store::ObjectStoreExt as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    Object, Remote, RemoteError,
    catalogue::{ENVELOPE, Envelope, RemoteFile},
    seal::seal_file,
    upload::{Outgoing, Told, blocking, unreadable, uploads},
};
use crate::store::{
    CHECKSUMS, MANIFEST, SECRETS, Store, StoreError, Stored, create_private_folder,
    seal::{ENDING, Recipients},
    verify::digest_of,
    write_whole,
    writer::hex,
};

/// Bytes at both ends of a file that are read back after it was sent.
const SAMPLE_BYTES: u64 = 64 << 10;

/// What a push did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Bytes of the files that were sent.
    pub sent: u64,
    /// Bytes of the files that were there already.
    pub kept: u64,
}

/// An encrypted file's size and checksum, by its name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sealed(BTreeMap<String, (u64, String)>);

impl Remote {
    /// Sends what the remote does not hold yet, looks whether it holds it now, and completes the snapshot there.
    /// `recipients`: everything is encrypted for them before it leaves; without them, `env.secret` stays here. What is
    /// encrypted on this disk goes as it is, for those that it is encrypted for.
    ///
    /// # Errors
    /// Where the remote refuses or does not hold what was sent, or a file was changed on this disk.
    pub async fn push(
        &self,
        store: &Store,
        stored: &Stored,
        recipients: Option<&Recipients>,
        told: Told<'_>,
    ) -> Result<Pushed, RemoteError> {
        let id = &stored.manifest.id;
        let _lock = store.lock_of("push.lock", "a push", jiff::Timestamp::now())?;
        let ids: Vec<String> = store.list()?.snapshots.into_iter().map(|stored| stored.manifest.id).collect();
        self.give_up_uploads(store.home(), |id| ids.iter().any(|known| known == id)).await;
        clear_outbox(store, &ids);
        clear_half_notes(&uploads(store.home()));
        if let Some(folder) = self.address.folder() {
            clear_halves(&folder.join(id));
        }
        let there = self.objects_of(id).await?;
        let mut pushed = Pushed::default();
        let own = stored.recipients()?;
        let files = match (&own, recipients) {
            (None, Some(recipients)) => {
                self.push_sealed(store, stored, recipients, &there, told, &mut pushed).await?
            }
            _ => self.push_as_it_is(store, stored, &there, told, &mut pushed).await?,
        };
        let recipients = own.as_ref().or(recipients);
        let sums: String = files.iter().map(|file| format!("{}  {}\n", file.sha256, file.file)).collect();
        self.bring_small(id, CHECKSUMS, sums.into_bytes(), &there).await?;
        self.look_again(id, &files).await?;
        let manifest = json(&stored.manifest)?;
        match recipients {
            None => self.bring_small(id, MANIFEST, manifest, &there).await?,
            Some(recipients) => {
                self.put_small(id, &format!("{MANIFEST}{ENDING}"), recipients.seal(&manifest)?).await?;
                let envelope =
                    Envelope::of(&stored.manifest, &stored.manifest.subjects(), recipients.shown(), files);
                self.bring_small(id, ENVELOPE, json(&envelope)?, &there).await?;
            }
        }
        self.remove_others(id, &there, recipients.is_some()).await;
        Ok(pushed)
    }

    async fn objects_of(&self, id: &str) -> Result<BTreeMap<String, Object>, RemoteError> {
        let prefix = format!("{id}/");
        let objects = self.list(&prefix).await?.into_iter();
        Ok(objects
            .filter_map(|object| Some((object.name.strip_prefix(&prefix)?.to_owned(), object)))
            .collect())
    }

    async fn push_as_it_is(
        &self,
        store: &Store,
        stored: &Stored,
        there: &BTreeMap<String, Object>,
        told: Told<'_>,
        pushed: &mut Pushed,
    ) -> Result<Vec<RemoteFile>, RemoteError> {
        let artifacts = stored.manifest.artifacts().map(|artifact| RemoteFile {
            file: artifact.file.clone(),
            bytes: artifact.bytes,
            sha256: artifact.sha256.clone(),
        });
        let mut files: Vec<RemoteFile> = artifacts.collect();
        let secrets = format!("{SECRETS}{ENDING}");
        if stored.folder.join(&secrets).is_file() {
            let (bytes, sha256) = digest(&stored.folder.join(&secrets)).await?;
            files.push(RemoteFile { file: secrets, bytes, sha256 });
        }
        for file in &files {
            self.bring(store, stored, file, stored.folder.join(&file.file), there, told, pushed).await?;
        }
        Ok(files)
    }

    /// Each file is encrypted beside the store, sent, and taken away again: the room for the largest is needed.
    async fn push_sealed(
        &self,
        store: &Store,
        stored: &Stored,
        recipients: &Recipients,
        there: &BTreeMap<String, Object>,
        told: Told<'_>,
        pushed: &mut Pushed,
    ) -> Result<Vec<RemoteFile>, RemoteError> {
        let folder = outbox(store).join(format!("{}.{}", stored.manifest.id, recipients.tag()));
        create_private_folder(&folder).map_err(StoreError::io("cannot create", &folder))?;
        let mut sealed: Sealed = fs::read(folder.join(SEALED))
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default();
        let mut sources: Vec<(String, String)> = stored
            .manifest
            .artifacts()
            .map(|artifact| (artifact.file.clone(), artifact.sha256.clone()))
            .collect();
        let secrets = stored.folder.join(SECRETS);
        if secrets.is_file() {
            sources.push((SECRETS.to_owned(), digest(&secrets).await?.1));
        }
        let mut files = Vec::new();
        for (name, plain) in sources {
            let file = format!("{name}{ENDING}");
            let path = folder.join(&file);
            let known = sealed.0.get(&file).cloned();
            let is_here = |bytes: u64| path.metadata().is_ok_and(|metadata| metadata.len() == bytes);
            let usable = match &known {
                Some((bytes, sha256)) if !is_here(*bytes) => {
                    let file = self.outgoing(stored, &file, &path, *bytes, sha256);
                    let size =
                        there.get(file.name.rsplit('/').next().unwrap_or_default()).map(|seen| seen.bytes);
                    self.holds(&file, size).await?
                }
                Some(_) => true,
                None => false,
            };
            let (bytes, sha256) = match known.filter(|_| usable) {
                Some(known) => known,
                None => {
                    let (recipients, from, to) =
                        (recipients.clone(), stored.folder.join(&name), path.clone());
                    // What a killed run left half written.
                    let _ = fs::remove_file(&path);
                    let work = move || Ok(seal_file(&recipients, &from, &to, &plain));
                    let written = blocking(work).await.map_err(unreadable(&path))??;
                    sealed.0.insert(file.clone(), written.clone());
                    write_whole(&folder, SEALED, &json(&sealed)?)?;
                    written
                }
            };
            let file = RemoteFile { file, bytes, sha256 };
            self.bring(store, stored, &file, path.clone(), there, told, pushed).await?;
            // Once it is there, it is of no use here; its note stays until all are.
            let _ = fs::remove_file(&path);
            files.push(file);
        }
        let _ = fs::remove_dir_all(&folder);
        Ok(files)
    }

    fn outgoing(&self, stored: &Stored, file: &str, path: &Path, bytes: u64, sha256: &str) -> Outgoing {
        Outgoing {
            name: format!("{}/{file}", stored.manifest.id),
            path: path.to_owned(),
            bytes,
            sha256: sha256.to_owned(),
        }
    }

    /// Sends a file unless it is there.
    #[expect(clippy::too_many_arguments, reason = "one file, from where, to where, and what is told")]
    async fn bring(
        &self,
        store: &Store,
        stored: &Stored,
        file: &RemoteFile,
        path: PathBuf,
        there: &BTreeMap<String, Object>,
        told: Told<'_>,
        pushed: &mut Pushed,
    ) -> Result<(), RemoteError> {
        let outgoing = self.outgoing(stored, &file.file, &path, file.bytes, &file.sha256);
        if self.holds(&outgoing, there.get(&file.file).map(|object| object.bytes)).await? {
            told(file.bytes);
            pushed.kept += file.bytes;
            return Ok(());
        }
        self.send(&outgoing, store.home(), told).await?;
        self.sample(&outgoing).await?;
        pushed.sent += file.bytes;
        Ok(())
    }

    /// Reads both ends of what was sent: a remote that stores something else is found out before anybody relies on it.
    async fn sample(&self, file: &Outgoing) -> Result<(), RemoteError> {
        let head = 0..file.bytes.min(SAMPLE_BYTES);
        let tail = file.bytes.saturating_sub(SAMPLE_BYTES).max(head.end)..file.bytes;
        for range in [head, tail] {
            let path = file.path.clone();
            let wanted = range.clone();
            let ours = blocking(move || read_range(&path, wanted)).await.map_err(unreadable(&file.path))?;
            let theirs = match self.read_range(&file.name, range).await {
                Ok(theirs) => theirs,
                Err(RemoteError::NotFound { .. }) => return Err(self.lied(&file.name, "it is not there")),
                Err(error) => return Err(error),
            };
            if theirs != ours {
                return Err(self.lied(&file.name, "it has other bytes"));
            }
        }
        Ok(())
    }

    pub(super) fn lied(&self, name: &str, fault: &str) -> RemoteError {
        RemoteError::Lied { remote: self.shown.clone(), name: name.to_owned(), fault: fault.to_owned() }
    }

    /// Compares the sizes of everything before the snapshot becomes one.
    async fn look_again(&self, id: &str, files: &[RemoteFile]) -> Result<(), RemoteError> {
        let there = self.objects_of(id).await?;
        for file in files {
            match there.get(&file.file) {
                None => return Err(self.lied(&file.file, "it is not there")),
                Some(object) if object.bytes != file.bytes => {
                    let fault = format!("it has {} bytes and not {}", object.bytes, file.bytes);
                    return Err(self.lied(&file.file, &fault));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// A small file that we make here: sent unless the same is there.
    async fn bring_small(
        &self,
        id: &str,
        name: &str,
        content: Vec<u8>,
        there: &BTreeMap<String, Object>,
    ) -> Result<(), RemoteError> {
        if there.get(name).is_some_and(|object| object.bytes == content.len() as u64) {
            let range = 0..content.len() as u64;
            if self.read_range(&format!("{id}/{name}"), range).await.is_ok_and(|bytes| bytes == content) {
                return Ok(());
            }
        }
        self.put_small(id, name, content).await
    }

    async fn put_small(&self, id: &str, name: &str, content: Vec<u8>) -> Result<(), RemoteError> {
        let sha256 = hex(&Sha256::digest(&content));
        self.put(&format!("{id}/{name}"), Bytes::from(content), Some(&sha256)).await
    }

    /// A snapshot that was there in the clear, or encrypted, is there once: what the other form left is removed.
    async fn remove_others(&self, id: &str, there: &BTreeMap<String, Object>, sealed: bool) {
        let is_of_ours = |name: &str| match name {
            CHECKSUMS => true,
            ENVELOPE => sealed,
            name => name.ends_with(ENDING) == sealed,
        };
        let mut names: Vec<&String> = there.keys().filter(|name| !is_of_ours(name)).collect();
        names.sort_by_key(|name| *name != MANIFEST && *name != ENVELOPE);
        for name in names {
            // Tried again by the next push.
            let _ = self.store.delete(&self.path(&format!("{id}/{name}"))).await;
        }
    }
}

/// A file's size and SHA-256.
async fn digest(path: &Path) -> Result<(u64, String), RemoteError> {
    let own = path.to_owned();
    blocking(move || digest_of(&own, &mut |_bytes| ())).await.map_err(unreadable(path))
}

/// What stands beside the encrypted files on their way.
const SEALED: &str = "sealed.json";

fn outbox(store: &Store) -> PathBuf {
    store.home().join("outbox")
}

/// Removes what killed pushes of snapshots left that are not here any more.
fn clear_outbox(store: &Store, ids: &[String]) {
    let Ok(entries) = fs::read_dir(outbox(store)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !ids.iter().any(|id| name.split('.').next() == Some(id)) {
            // The next run tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Removes the notes of uploads that were being written at a kill. Only under the lock: then none of it is anybody's.
fn clear_half_notes(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with('.')) {
        let _ = fs::remove_file(entry.path());
    }
}

/// Removes the halves of files that killed pushes left in a folder: `NAME#N`.
fn clear_halves(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.rsplit_once('#').is_some_and(|(_, tail)| tail.chars().all(|c| c.is_ascii_digit())) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn read_range(path: &Path, range: std::ops::Range<u64>) -> std::io::Result<Vec<u8>> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    file.take(range.end - range.start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, RemoteError> {
    serde_json::to_vec_pretty(value).map_err(|cause| RemoteError::Refused(cause.to_string()))
}
