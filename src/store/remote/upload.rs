//! Sends one file, in parts where it is large. What a killed process sent already is not sent again: parts are noted
//! down in `<home>/uploads` as they arrive, and an upload that nobody will end is given up there.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use object_store::{
    Attribute, Attributes, GetOptions, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload,
    multipart::MultipartStore,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

use super::{Remote, RemoteError, address::Place, catalogue::RemoteFile, seal::changed_here};
use crate::store::{StoreError, create_private_folder, verify::digest_of, write_whole, writer::hex};

/// The smallest part: services want 5 MiB at least.
const PART_BYTES: u64 = 8 << 20;
/// Services take 10,000 parts at most.
const MOST_PARTS: u64 = 9_000;
/// Parts on their way at once: with `PART_BYTES` what bounds the memory.
const AT_ONCE: usize = 4;
/// The object's own note of its SHA-256. Azure takes letters and digits only.
const NOTE: &str = "dbsafesha256";

/// Is told the bytes that are done, sent or found there.
pub type Told<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// A file on its way.
pub(super) struct Outgoing {
    /// The object's name below the remote's prefix.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// A part that arrived: its index, its length, and what the service calls it.
type Sent = Result<(usize, u64, String), object_store::Error>;

/// An upload in parts that was begun.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    remote: String,
    name: String,
    upload: String,
    part_bytes: u64,
    bytes: u64,
    sha256: String,
    /// The parts that arrived, by index: what the service calls each.
    parts: BTreeMap<usize, String>,
}

impl Remote {
    /// Whether the remote holds this file already: by its size, and the checksum that it notes with each object. A
    /// folder's files are read.
    pub(super) async fn holds(&self, file: &Outgoing, size_there: Option<u64>) -> Result<bool, RemoteError> {
        if size_there != Some(file.bytes) {
            return Ok(false);
        }
        if let Some(folder) = self.address.folder() {
            let path = folder.join(&file.name);
            let digest = blocking(move || digest_of(&path, &mut |_bytes| ())).await;
            return Ok(digest.is_ok_and(|(_bytes, sha256)| sha256 == file.sha256));
        }
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.store.get_opts(&self.path(&file.name), options).await {
            Ok(answer) => match answer.attributes.get(&Attribute::Metadata(NOTE.into())) {
                Some(noted) => Ok(noted.as_ref() == file.sha256),
                // What Azure put together of parts has no note; it is read.
                None => {
                    let (id, name) = file.name.split_once('/').unwrap_or_default();
                    let wanted =
                        RemoteFile { file: name.to_owned(), bytes: file.bytes, sha256: file.sha256.clone() };
                    let fault = self.digest(id, &wanted, &|_bytes| (), |_chunk| Ok(())).await?;
                    Ok(fault.is_none())
                }
            },
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(&file.name, &error)),
        }
    }

    /// Sends a file. Its checksum is looked at on the way: what was changed on this disk does not become a copy.
    pub(super) async fn send(&self, file: &Outgoing, home: &Path, told: Told<'_>) -> Result<(), RemoteError> {
        if file.bytes <= PART_BYTES {
            let path = file.path.clone();
            let content = blocking(move || fs::read(path)).await.map_err(unreadable(&file.path))?;
            if hex(&Sha256::digest(&content)) != file.sha256 {
                return Err(changed_here(&file.path));
            }
            self.put(&file.name, Bytes::from(content), Some(&file.sha256)).await?;
            told(file.bytes);
            return Ok(());
        }
        match &self.parts {
            None => self.send_to_folder(file, told).await,
            Some(parts) => {
                // An upload that the service has forgotten is begun anew, once.
                match self.send_in_parts(file, parts, home, told).await {
                    Err(RemoteError::NotFound { .. }) => self.send_in_parts(file, parts, home, told).await,
                    other => other,
                }
            }
        }
    }

    /// Stores some bytes as an object.
    pub(super) async fn put(
        &self,
        name: &str,
        content: Bytes,
        sha256: Option<&str>,
    ) -> Result<(), RemoteError> {
        let options = PutOptions { attributes: self.note(sha256), ..PutOptions::default() };
        let path = self.path(name);
        let put = self.store.put_opts(&path, PutPayload::from(content), options);
        put.await.map(|_| ()).map_err(|error| self.failed(name, &error))
    }

    fn note(&self, sha256: Option<&str>) -> Attributes {
        let mut attributes = Attributes::new();
        if let (Some(sha256), None) = (sha256, self.address.folder()) {
            attributes.insert(Attribute::Metadata(NOTE.into()), sha256.to_owned().into());
        }
        attributes
    }

    async fn send_to_folder(&self, file: &Outgoing, told: Told<'_>) -> Result<(), RemoteError> {
        let failed = |error: object_store::Error| self.failed(&file.name, &error);
        let mut upload = self.store.put_multipart(&self.path(&file.name)).await.map_err(failed)?;
        let mut reader = Reader::open(&file.path)?;
        let mut left = file.bytes;
        while left > 0 {
            let (next, data) = reader.part(left.min(PART_BYTES)).await.map_err(unreadable(&file.path))?;
            reader = next;
            let length = data.len() as u64;
            upload.put_part(PutPayload::from(data)).await.map_err(failed)?;
            told(length);
            left -= length;
        }
        if reader.ends_with(&file.sha256) {
            return upload.complete().await.map(|_| ()).map_err(failed);
        }
        // What cannot be taken back has a name that nobody reads.
        let _ = upload.abort().await;
        Err(changed_here(&file.path))
    }

    async fn send_in_parts(
        &self,
        file: &Outgoing,
        parts: &Arc<dyn MultipartStore>,
        home: &Path,
        told: Told<'_>,
    ) -> Result<(), RemoteError> {
        let path = self.path(&file.name);
        let failed = |error: object_store::Error| self.failed(&file.name, &error);
        let (folder, note) = (uploads(home), note_of(&self.shown, &file.name));
        let fits = |begun: &Begun| begun.bytes == file.bytes && begun.sha256 == file.sha256;
        let mut begun = match load(&folder.join(&note)).filter(fits) {
            Some(begun) => begun,
            None => {
                let attributes = match self.address.place {
                    // It takes none with parts.
                    Place::Azure { .. } => Attributes::new(),
                    _ => self.note(Some(&file.sha256)),
                };
                let options = PutMultipartOptions { attributes, ..Default::default() };
                let upload = parts.create_multipart_opts(&path, options).await.map_err(failed)?;
                let part_bytes = PART_BYTES.max(file.bytes.div_ceil(MOST_PARTS).next_multiple_of(1 << 20));
                Begun {
                    remote: self.shown.clone(),
                    name: file.name.clone(),
                    upload,
                    part_bytes,
                    bytes: file.bytes,
                    sha256: file.sha256.clone(),
                    parts: BTreeMap::new(),
                }
            }
        };
        save(&folder, &note, &begun)?;
        let count = usize::try_from(file.bytes.div_ceil(begun.part_bytes)).unwrap_or(usize::MAX);
        let mut reader = Reader::open(&file.path)?;
        let mut on_their_way: JoinSet<Sent> = JoinSet::new();
        for index in 0..count {
            let length = (file.bytes - index as u64 * begun.part_bytes).min(begun.part_bytes);
            let (next, data) = reader.part(length).await.map_err(unreadable(&file.path))?;
            reader = next;
            if begun.parts.contains_key(&index) {
                told(length);
                continue;
            }
            if on_their_way.len() >= AT_ONCE {
                arrived(on_their_way.join_next().await, &mut begun, told)
                    .map_err(|error| self.forgotten(&folder, &note, file, error))?;
                save(&folder, &note, &begun)?;
            }
            let (parts, path, upload) = (Arc::clone(parts), path.clone(), begun.upload.clone());
            on_their_way.spawn(async move {
                let sent = parts.put_part(&path, &upload, index, PutPayload::from(data)).await?;
                Ok((index, length, sent.content_id))
            });
        }
        while !on_their_way.is_empty() {
            arrived(on_their_way.join_next().await, &mut begun, told)
                .map_err(|error| self.forgotten(&folder, &note, file, error))?;
            save(&folder, &note, &begun)?;
        }
        if !reader.ends_with(&file.sha256) {
            // What cannot be given up now is given up by the next run.
            let _ = parts.abort_multipart(&path, &begun.upload).await;
            forget(&folder, &note);
            return Err(changed_here(&file.path));
        }
        let ids = begun.parts.into_values().map(|content_id| object_store::multipart::PartId { content_id });
        let completed = parts.complete_multipart(&path, &begun.upload, ids.collect()).await;
        completed.map_err(|error| self.forgotten(&folder, &note, file, error))?;
        forget(&folder, &note);
        Ok(())
    }

    /// The error of a part; where the service does not know the upload any more, neither do we.
    fn forgotten(
        &self,
        folder: &Path,
        note: &str,
        file: &Outgoing,
        error: object_store::Error,
    ) -> RemoteError {
        let told = self.failed(&file.name, &error);
        let unknown = matches!(&told, RemoteError::NotFound { .. })
            || matches!(&told, RemoteError::Failed { cause, .. } if cause.contains("NoSuchUpload"));
        if unknown {
            forget(folder, note);
            return RemoteError::NotFound { remote: self.shown.clone(), name: file.name.clone() };
        }
        told
    }

    /// Gives up the uploads to this remote that nobody will end: those of snapshots that are not `wanted`.
    pub(super) async fn give_up_uploads(&self, home: &Path, wanted: impl Fn(&str) -> bool) {
        let (Some(parts), Ok(entries)) = (&self.parts, fs::read_dir(uploads(home))) else { return };
        for entry in entries.flatten() {
            let Some(begun) = load(&entry.path()).filter(|begun| begun.remote == self.shown) else {
                continue;
            };
            if wanted(begun.name.split('/').next().unwrap_or_default()) {
                continue;
            }
            let given_up = parts.abort_multipart(&self.path(&begun.name), &begun.upload).await;
            if matches!(given_up, Ok(()) | Err(object_store::Error::NotFound { .. })) {
                // The next run tries again.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn arrived(
    joined: Option<Result<Sent, tokio::task::JoinError>>,
    begun: &mut Begun,
    told: Told<'_>,
) -> Result<(), object_store::Error> {
    match joined {
        Some(sent) => {
            let (index, length, id) = sent??;
            begun.parts.insert(index, id);
            told(length);
            Ok(())
        }
        None => Ok(()),
    }
}

/// Where the uploads that were begun are noted.
pub(super) fn uploads(home: &Path) -> PathBuf {
    home.join("uploads")
}

/// The name of an upload's note: one for each object of each remote.
fn note_of(remote: &str, name: &str) -> String {
    format!("{}.json", &hex(&Sha256::digest(format!("{remote}\n{name}").as_bytes()))[..32])
}

fn load(path: &Path) -> Option<Begun> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn save(folder: &Path, note: &str, begun: &Begun) -> Result<(), RemoteError> {
    create_private_folder(folder).map_err(StoreError::io("cannot create", folder))?;
    let json = serde_json::to_vec(begun).map_err(|cause| RemoteError::Refused(cause.to_string()))?;
    Ok(write_whole(folder, note, &json)?)
}

fn forget(folder: &Path, note: &str) {
    // A note about an upload that is not there any more is found out by the next run.
    let _ = fs::remove_file(folder.join(note));
}

/// Reads a file from its beginning, and digests it on the way.
struct Reader {
    file: File,
    hash: Sha256,
}

impl Reader {
    fn open(path: &Path) -> Result<Self, RemoteError> {
        let file = File::open(path).map_err(unreadable(path))?;
        Ok(Self { file, hash: Sha256::new() })
    }

    /// The next bytes.
    async fn part(mut self, length: u64) -> io::Result<(Self, Bytes)> {
        blocking(move || {
            let mut buffer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            self.file.read_exact(&mut buffer)?;
            self.hash.update(&buffer);
            Ok((self, Bytes::from(buffer)))
        })
        .await
    }

    fn ends_with(self, sha256: &str) -> bool {
        hex(&self.hash.finalize()) == sha256
    }
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> RemoteError {
    let path = path.to_owned();
    move |cause| StoreError::io("cannot read", &path)(cause).into()
}

/// Runs what blocks where it may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
