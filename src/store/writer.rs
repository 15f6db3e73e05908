//! Writes one snapshot: artifacts as streams, the manifest last, and nothing visible before it is whole.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    hash::{BuildHasher as _, Hasher as _},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    CHECKSUMS, DOOMED, Holder, INCOMPLETE, MANIFEST, SECRETS, Store, StoreError, Stored, create_private_file,
    create_private_folder,
    seal::{ENDING, Files, Recipients, SealError},
    sync_folder, write_whole,
};
use crate::model::manifest::{Artifact, FORMAT_VERSION, Manifest, PLAIN_VERSION};

/// What of each container may be secret, by its id.
pub type Secrets = BTreeMap<String, ContainerSecrets>;

/// What of a container may be secret, and is needed to create it again.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContainerSecrets {
    /// `NAME=value` pairs.
    pub environment: Vec<String>,
    /// `Cmd`, `Entrypoint` and `Healthcheck`, as its inspection has them: passwords stand in command lines.
    pub config: BTreeMap<String, serde_json::Value>,
}

impl std::fmt::Debug for ContainerSecrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ContainerSecrets(hidden)")
    }
}

/// Level 1 keeps pace with the engine, and holds a window of half a megabyte.
const LEVEL: i32 = 1;
/// Bytes gathered before they go to the disk.
const BUFFER_BYTES: usize = 1 << 18;

/// How an artifact's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As they come: they are compressed already.
    None,
    Zstd,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub file: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes before compression.
    pub content_bytes: u64,
    /// Of the file, encrypted where it is.
    pub sha256: String,
    /// From the opening of the file to its end on the disk.
    pub milliseconds: u64,
}

/// A snapshot in the making. Dropped without `commit`, it leaves nothing behind.
#[derive(Debug)]
pub struct SnapshotWriter {
    store: Store,
    id: String,
    folder: PathBuf,
    committed: bool,
    lock: Option<Holder>,
}

impl Store {
    /// Begins a snapshot: takes the lock, and removes what killed runs left behind.
    ///
    /// # Errors
    /// Where another process writes, or the disk refuses.
    pub fn begin(&self, purpose: &str, now: Timestamp) -> Result<SnapshotWriter, StoreError> {
        let lock = self.lock(purpose, now)?;
        self.remove_leftovers();
        let id = format!("{}-{:08x}", now.strftime("%Y%m%dT%H%M%SZ"), random());
        let folder = self.folder.join(format!("{INCOMPLETE}{id}"));
        create_private_folder(&folder).map_err(StoreError::io("cannot create", &folder))?;
        Ok(SnapshotWriter { store: self.clone(), id, folder, committed: false, lock: Some(lock) })
    }

    /// Removes what killed runs left behind.
    ///
    /// # Errors
    /// Where another process writes, or the lock cannot be had.
    pub fn tidy(&self, now: Timestamp) -> Result<(), StoreError> {
        let _lock = self.lock("tidying up", now)?;
        self.remove_leftovers();
        Ok(())
    }

    /// Removes unfinished snapshots. Only under the lock: then none of them is anybody's.
    fn remove_leftovers(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(INCOMPLETE) || name.starts_with(DOOMED) {
                // The next run tries again.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Removes a snapshot: first its name, then its files.
    ///
    /// # Errors
    /// Where another process writes, a newer dbsafe wrote it, or the disk refuses.
    pub fn remove(&self, stored: &Stored, now: Timestamp) -> Result<(), StoreError> {
        let _lock = self.lock("docker dbsafe snapshots rm", now)?;
        let doomed = self.folder.join(format!("{DOOMED}{}", stored.manifest.id));
        fs::rename(&stored.folder, &doomed).map_err(StoreError::io("cannot remove", &stored.folder))?;
        sync_folder(&self.folder).map_err(StoreError::io("cannot sync", &self.folder))?;
        fs::remove_dir_all(&doomed).map_err(StoreError::io("cannot remove", &doomed))
    }
}

/// Tells snapshots of one second apart.
fn random() -> u32 {
    let hash = std::hash::RandomState::new().build_hasher().finish();
    u32::try_from(hash >> 32).unwrap_or_default()
}

impl SnapshotWriter {
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What was written of it, to be read back while it is in the making.
    #[must_use]
    pub fn files(&self) -> Files {
        Files { folder: self.folder.clone(), keys: self.store.keys.clone() }
    }

    /// The public keys that it is encrypted for; none where it is in the clear.
    fn recipients(&self) -> Vec<String> {
        self.store.keys.recipients().map(|recipients| recipients.shown().to_vec()).unwrap_or_default()
    }

    /// Opens an artifact to write to. Where the store encrypts, its name gets an `.age` at its end.
    ///
    /// # Errors
    /// Where the name is no plain file name, is taken, or the disk refuses.
    pub fn artifact(&self, name: &str, compression: Compression) -> Result<ArtifactWriter, StoreError> {
        let sealing = self.store.keys.sealing();
        let name = format!("{name}{}", if sealing.is_some() { ENDING } else { "" });
        if !is_plain_name(&name) {
            return Err(StoreError::BadName(name));
        }
        let path = self.folder.join(&name);
        let file = create_private_file(&path).map_err(StoreError::io("cannot create", &path))?;
        let out = Out::new(file, sealing).map_err(StoreError::io("cannot encrypt into", &path))?;
        let sink = match compression {
            Compression::None => Sink::Plain(out),
            Compression::Zstd => {
                Sink::Zstd(Box::new(encoder(out).map_err(StoreError::io("cannot compress into", &path))?))
            }
        };
        Ok(ArtifactWriter { name, path, content_bytes: 0, sink, started: Instant::now() })
    }

    /// Takes over an artifact of another snapshot, whose files never change: by a link where the disk has links.
    ///
    /// # Errors
    /// Where it is encrypted for others than this snapshot is, its name is no plain file name or taken, or the disk
    /// refuses.
    pub fn adopt(&self, from: &Stored, artifact: &Artifact) -> Result<(), StoreError> {
        let name = &artifact.file;
        if !is_plain_name(name) {
            return Err(StoreError::BadName(name.to_owned()));
        }
        if from.manifest.recipients != self.recipients() {
            let cause = SealError::Refused(format!("{name} is encrypted for others, or not at all"));
            return Err(StoreError::Sealed { id: from.manifest.id.clone(), cause });
        }
        let (from, path) = (from.folder.join(name), self.folder.join(name));
        fs::hard_link(&from, &path)
            .or_else(|_no_links| fs::copy(&from, &path).map(drop))
            .map_err(StoreError::io("cannot create", &path))
    }

    /// Stores the environments' values, readable by their owner alone.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn secrets(&self, secrets: &Secrets) -> Result<(), StoreError> {
        let json = serde_json::to_vec_pretty(secrets)
            .map_err(|error| StoreError::Manifest { id: self.id.clone(), cause: error.to_string() })?;
        match self.store.keys.sealing() {
            None => write_whole(&self.folder, SECRETS, &json),
            Some(recipients) => {
                let sealed = recipients
                    .seal(&json)
                    .map_err(|cause| StoreError::Sealed { id: self.id.clone(), cause })?;
                write_whole(&self.folder, &format!("{SECRETS}{ENDING}"), &sealed)
            }
        }
    }

    /// Makes the snapshot visible: checksums, the manifest, and then its name.
    ///
    /// # Errors
    /// Where the disk refuses; nothing is left behind then.
    pub fn commit(mut self, manifest: Manifest) -> Result<Stored, StoreError> {
        let recipients = self.recipients();
        let format_version = if recipients.is_empty() { PLAIN_VERSION } else { FORMAT_VERSION };
        let manifest = Manifest { id: self.id.clone(), format_version, recipients, ..manifest };
        let sums: String = manifest
            .items
            .iter()
            .flat_map(|item| &item.artifacts)
            .map(|artifact| format!("{}  {}\n", artifact.sha256, artifact.file))
            .collect();
        write_whole(&self.folder, CHECKSUMS, sums.as_bytes())?;
        let json = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| StoreError::Manifest { id: self.id.clone(), cause: error.to_string() })?;
        write_whole(&self.folder, MANIFEST, &json)?;
        let folder = self.store.folder.join(&self.id);
        fs::rename(&self.folder, &folder).map_err(StoreError::io("cannot name", &folder))?;
        self.committed = true;
        sync_folder(&self.store.folder).map_err(StoreError::io("cannot sync", &self.store.folder))?;
        self.lock = None;
        Ok(Stored::new(folder, manifest, self.store.keys.clone()))
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.committed {
            // What cannot be removed now, the next run removes.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Whether a name stays in its folder and needs no quoting in `SHA256SUMS`.
pub(super) fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && name.len() < 200 && !name.starts_with('.') && name.chars().all(plain)
}

/// A name for a file, made of any text: what is not plain becomes `_`.
#[must_use]
pub fn plain_name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    text.chars().map(plain).take(60).collect()
}

fn encoder(sink: Out) -> io::Result<zstd::Encoder<'static, Out>> {
    let mut encoder = zstd::Encoder::new(sink, LEVEL)?;
    encoder.include_checksum(true)?;
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
    encoder.multithread(u32::try_from(workers).unwrap_or(1))?;
    Ok(encoder)
}

/// One artifact in the making. Blocks: use it on a thread that may.
pub struct ArtifactWriter {
    name: String,
    path: PathBuf,
    content_bytes: u64,
    sink: Sink,
    started: Instant,
}

enum Sink {
    Plain(Out),
    Zstd(Box<zstd::Encoder<'static, Out>>),
}

/// What is written to the disk, encrypted where the store encrypts.
enum Out {
    Plain(Hashing),
    Sealed(Box<age::stream::StreamWriter<Hashing>>),
}

impl Out {
    fn new(file: File, sealing: Option<&Recipients>) -> io::Result<Self> {
        let file = Hashing::new(file);
        Ok(match sealing {
            None => Self::Plain(file),
            Some(recipients) => Self::Sealed(Box::new(recipients.wrap(file)?)),
        })
    }

    fn finish(self) -> io::Result<(u64, String)> {
        match self {
            Self::Plain(file) => file.finish(),
            Self::Sealed(stream) => stream.finish()?.finish(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Sealed(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Sealed(stream) => stream.flush(),
        }
    }
}

impl ArtifactWriter {
    /// Writes it out to the disk.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn finish(self) -> Result<Written, StoreError> {
        let path = self.path;
        let end = |sink: Sink| match sink {
            Sink::Plain(out) => out.finish(),
            Sink::Zstd(encoder) => encoder.finish()?.finish(),
        };
        let (bytes, sha256) = end(self.sink).map_err(StoreError::io("cannot write", &path))?;
        let milliseconds = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Written { file: self.name, bytes, content_bytes: self.content_bytes, sha256, milliseconds })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As a store's error, with the file's name.
    #[must_use]
    pub fn failed(&self, cause: io::Error) -> StoreError {
        StoreError::io("cannot write", &self.path)(cause)
    }
}

impl Write for ArtifactWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.sink {
            Sink::Plain(sink) => sink.write(bytes)?,
            Sink::Zstd(encoder) => encoder.write(bytes)?,
        };
        self.content_bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Plain(sink) => sink.flush(),
            Sink::Zstd(encoder) => encoder.flush(),
        }
    }
}

/// Counts and digests what goes into a file.
pub(super) struct Hashing {
    file: io::BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Hashing {
    pub(super) fn new(file: File) -> Self {
        Self { file: io::BufWriter::with_capacity(BUFFER_BYTES, file), hash: Sha256::new(), bytes: 0 }
    }

    /// Brings it to the disk; its size and SHA-256.
    pub(super) fn finish(self) -> io::Result<(u64, String)> {
        let file: File = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok((self.bytes, hex(&self.hash.finalize())))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Lower-case hexadecimal, as sha256sum has it.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
