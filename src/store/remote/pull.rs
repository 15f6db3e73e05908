//! Brings a snapshot back from a remote, or only looks whether its bytes are what they were. Nothing that the remote
//! says is believed: every file is digested.

use std::{fs, io::Write as _, path::Path};

use futures_util::StreamExt as _;
use jiff::Timestamp;
use object_store::ObjectStoreExt as _;
use sha2::{Digest as _, Sha256};

use super::{
    Remote, RemoteError,
    catalogue::{RemoteFile, RemoteSnapshot},
    seal::open_file,
    upload::{Told, blocking, unreadable},
};
use crate::store::{
    CHECKSUMS, FileFault, MANIFEST, SECRETS, Store, StoreError, Stored, create_private_file,
    create_private_folder,
    seal::{ENDING, Identities},
    sync_folder,
    verify::digest_of,
    write_whole,
    writer::hex,
};

/// What the names of snapshots on their way in begin with.
const INCOMING: &str = ".incoming-";

impl Remote {
    /// Brings a snapshot into the store; what a killed pull brought already is not fetched again.
    ///
    /// # Errors
    /// Where a file is not what it was, the key does not open it, or the disk refuses. No half of it is listed then.
    pub async fn pull(
        &self,
        store: &Store,
        found: &RemoteSnapshot,
        identities: Option<&Identities>,
        now: Timestamp,
        told: Told<'_>,
    ) -> Result<Stored, RemoteError> {
        let id = &found.id;
        if let Ok(stored) = store.find(id) {
            return Ok(stored);
        }
        let Some(manifest) = &found.manifest else { return Err(closed(id, identities.is_some())) };
        let _lock = store.lock_of("pull.lock", "a pull", now)?;
        clear_incoming(store, id);
        let folder = store.folder().join(format!("{INCOMING}{id}"));
        create_private_folder(&folder).map_err(StoreError::io("cannot create", &folder))?;
        // What was encrypted on the disk that it comes from is so here, too.
        let sealed_on_the_way = found.encrypted && manifest.recipients.is_empty();
        let secrets = format!("{SECRETS}{}", if manifest.recipients.is_empty() { "" } else { ENDING });
        for file in &found.files {
            let path = folder.join(&file.file);
            let plain = match file.file.strip_suffix(ENDING).filter(|_| sealed_on_the_way) {
                Some(plain) => plain,
                None => &file.file,
            };
            let artifact = manifest.artifacts().find(|artifact| artifact.file == plain);
            // What is neither a file of the manifest nor its secrets was put there by somebody else.
            if artifact.is_none() && plain != secrets {
                continue;
            }
            let target = folder.join(plain);
            if let Some(artifact) = artifact
                && is_whole(&target, artifact.bytes, &artifact.sha256).await
            {
                told(file.bytes);
                continue;
            }
            // A half, or what was changed.
            let _ = fs::remove_file(&target);
            self.fetch(id, file, &path, told).await?;
            if !sealed_on_the_way {
                continue;
            }
            let Some(identities) = identities else { return Err(closed(id, false)) };
            open_file(identities, &path, &target)?;
            fs::remove_file(&path).map_err(StoreError::io("cannot remove", &path))?;
            if let Some(artifact) = artifact
                && !is_whole(&target, artifact.bytes, &artifact.sha256).await
            {
                let _ = fs::remove_file(&target);
                return Err(self.lied(&file.file, "what is encrypted in it is another file"));
            }
        }
        if let Some(missing) = manifest.artifacts().find(|artifact| !folder.join(&artifact.file).is_file()) {
            return Err(self.lied(&missing.file, "it is missing"));
        }
        let sums = manifest.artifacts().map(|artifact| format!("{}  {}\n", artifact.sha256, artifact.file));
        write_whole(&folder, CHECKSUMS, sums.collect::<String>().as_bytes())?;
        let json =
            serde_json::to_vec_pretty(manifest).map_err(|cause| RemoteError::Refused(cause.to_string()))?;
        write_whole(&folder, MANIFEST, &json)?;
        let target = store.folder().join(id);
        fs::rename(&folder, &target).map_err(StoreError::io("cannot name", &target))?;
        sync_folder(store.folder()).map_err(StoreError::io("cannot sync", store.folder()))?;
        Ok(store.find(id)?)
    }

    /// Fetches a file, and compares it with what it should be.
    async fn fetch(
        &self,
        id: &str,
        file: &RemoteFile,
        path: &Path,
        told: Told<'_>,
    ) -> Result<(), RemoteError> {
        // A half of a killed pull.
        let _ = fs::remove_file(path);
        let mut out = create_private_file(path).map_err(StoreError::io("cannot create", path))?;
        let fault = self.digest(id, file, told, |chunk| out.write_all(chunk)).await?;
        if let Some(fault) = fault {
            let _ = fs::remove_file(path);
            return Err(self.lied(&file.file, &fault));
        }
        blocking(move || out.sync_all()).await.map_err(unreadable(path))
    }

    /// Reads a file to its end. What is wrong with it, in a clause.
    pub(super) async fn digest(
        &self,
        id: &str,
        file: &RemoteFile,
        told: Told<'_>,
        mut keep: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<Option<String>, RemoteError> {
        let name = format!("{id}/{}", file.file);
        let answer = match self.store.get(&self.path(&name)).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotFound { .. }) => return Ok(Some("it is missing".to_owned())),
            Err(error) => return Err(self.failed(&name, &error)),
        };
        let (mut hash, mut bytes, mut stream) = (Sha256::new(), 0_u64, answer.into_stream());
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| self.failed(&name, &error))?;
            bytes += chunk.len() as u64;
            if bytes > file.bytes {
                return Ok(Some(format!("it has more than {} bytes", file.bytes)));
            }
            hash.update(&chunk);
            keep(&chunk)
                .map_err(|cause| RemoteError::Refused(format!("cannot write {}: {cause}", file.file)))?;
            told(chunk.len() as u64);
        }
        if bytes != file.bytes {
            return Ok(Some(format!("it has {bytes} bytes and not {}", file.bytes)));
        }
        Ok((hex(&hash.finalize()) != file.sha256).then(|| "its checksum differs: it was changed".to_owned()))
    }

    /// Reads every file of a snapshot at the remote. Empty where all are as they were sent.
    ///
    /// # Errors
    /// Where the remote does not answer or refuses.
    pub async fn verify(
        &self,
        found: &RemoteSnapshot,
        told: Told<'_>,
    ) -> Result<Vec<FileFault>, RemoteError> {
        let mut faults = Vec::new();
        for file in &found.files {
            if let Some(fault) = self.digest(&found.id, file, told, |_chunk| Ok(())).await? {
                faults.push(FileFault { file: file.file.clone(), fault });
            }
        }
        Ok(faults)
    }
}

fn closed(id: &str, has_key: bool) -> RemoteError {
    RemoteError::Refused(match has_key {
        true => format!("the key that was given does not open snapshot {id}"),
        false => format!("snapshot {id} is encrypted; --identity FILE, or DBSAFE_AGE_IDENTITY, opens it"),
    })
}

async fn is_whole(path: &Path, bytes: u64, sha256: &str) -> bool {
    if !path.metadata().is_ok_and(|metadata| metadata.len() == bytes) {
        return false;
    }
    let path = path.to_owned();
    let digest = blocking(move || digest_of(&path, &mut |_bytes| ())).await;
    digest.is_ok_and(|(_bytes, digest)| digest == sha256)
}

/// Removes what killed pulls of other snapshots left behind. Only under the lock: then none of it is anybody's.
fn clear_incoming(store: &Store, id: &str) {
    let Ok(entries) = fs::read_dir(store.folder()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.strip_prefix(INCOMING).is_some_and(|other| other != id) {
            // The next run tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
