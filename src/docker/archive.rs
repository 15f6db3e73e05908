//! The archive API: looks at files in a container that runs, is stopped, or was never started, and at the
//! volumes mounted there. It does not see tmpfs.

use std::{
    io::Read,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use serde::Deserialize;
use tokio_util::{
    io::{StreamReader, SyncIoBridge},
    sync::CancellationToken,
};

use super::{
    dial::EngineError,
    engine::{Engine, encode},
};

/// Bytes of a file's beginning that a walk shows: enough for every magic number and for SQLite's first page.
pub const HEAD_BYTES: usize = 4096;

/// What `HEAD …/archive` says of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStat {
    pub size: u64,
    pub is_dir: bool,
    pub is_link: bool,
    /// Where a symbolic link points, as the engine resolved it; empty for others.
    pub link_target: String,
    pub modified: Option<jiff::Timestamp>,
}

#[derive(Deserialize)]
struct RawStat {
    size: i64,
    mode: u32,
    #[serde(default)]
    mtime: String,
    #[serde(rename = "linkTarget", default)]
    link_target: String,
}

/// Go's `os.FileMode` bits.
const GO_MODE_DIR: u32 = 1 << 31;
const GO_MODE_SYMLINK: u32 = 1 << 27;

/// One entry of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Below the walked folder, without a leading slash; hostile text.
    pub path: String,
    pub kind: EntryKind,
    pub size: u64,
    pub modified: Option<jiff::Timestamp>,
    /// The first bytes of a regular file, at most `HEAD_BYTES`.
    pub head: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    File,
    Directory,
    Symlink,
    /// Devices, pipes, sockets: nothing with data in it.
    Other,
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkEnd {
    /// Everything was seen.
    Complete,
    /// The visitor had seen enough.
    Stopped,
    /// Bytes or time ran out first.
    Limit,
}

/// What a walk may cost.
#[derive(Debug, Clone, Copy)]
pub struct WalkLimits {
    pub bytes: u64,
    pub time: Duration,
}

/// Says of a path below a place, with a leading slash, that nobody shall see it there.
pub type Hides = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A folder in a container, as the base of looks.
#[derive(Clone)]
pub struct Place {
    pub engine: Engine,
    pub container: String,
    /// Absolute, without a trailing slash; empty for the root.
    pub base: String,
    hides: Option<Hides>,
}

impl Place {
    /// A folder of a container. `base` may be `/`.
    #[must_use]
    pub fn new(engine: &Engine, container: &str, base: &str) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { engine: engine.clone(), container: container.to_owned(), base, hides: None }
    }

    /// The same place as it would be without some of what is in it.
    #[must_use]
    pub fn hiding(self, hides: Option<Hides>) -> Self {
        Self { hides, ..self }
    }

    fn is_hidden(&self, path: &str) -> bool {
        self.hides.as_ref().is_some_and(|hides| hides(&format!("/{}", path.trim_start_matches('/'))))
    }

    fn url(&self, path: &str) -> String {
        let full = match (path.trim_start_matches('/'), self.base.as_str()) {
            ("", "") => "/".to_owned(),
            ("", base) => base.to_owned(),
            (path, base) => format!("{base}/{path}"),
        };
        format!("/containers/{}/archive?path={}", encode(&self.container), encode(&full))
    }

    /// Looks at one path; `None` where nothing is there.
    ///
    /// # Errors
    /// Where the container is gone or the engine does not answer.
    pub async fn stat(&self, path: &str) -> Result<Option<PathStat>, EngineError> {
        if self.is_hidden(path) {
            return Ok(None);
        }
        let Some(response) = self.engine.transport.head(&self.url(path)).await? else { return Ok(None) };
        let unreadable = || EngineError::unexpected("the engine's description of a path is not readable");
        let header = response.get("x-docker-container-path-stat").ok_or_else(unreadable)?;
        let json = STANDARD.decode(header.as_bytes()).map_err(|_source| unreadable())?;
        let raw: RawStat = serde_json::from_slice(&json).map_err(|_source| unreadable())?;
        Ok(Some(PathStat {
            size: u64::try_from(raw.size).unwrap_or(0),
            is_dir: raw.mode & GO_MODE_DIR != 0,
            is_link: raw.mode & GO_MODE_SYMLINK != 0,
            link_target: raw.link_target,
            modified: raw.mtime.parse().ok(),
        }))
    }

    /// Whether a path exists.
    ///
    /// # Errors
    /// As `stat`.
    pub async fn exists(&self, path: &str) -> Result<bool, EngineError> {
        Ok(self.stat(path).await?.is_some())
    }

    /// Whether a path seems to exist, for half the price of `exists`: a container that is gone has no paths, so
    /// whoever finds nothing asks `confirm` at the end, once for many paths.
    ///
    /// # Errors
    /// Where the engine does not answer.
    pub async fn seems_there(&self, path: &str) -> Result<bool, EngineError> {
        if self.is_hidden(path) {
            return Ok(false);
        }
        self.engine.transport.answers(&self.url(path)).await
    }

    /// Makes sure that the container is still there, so that what did not seem to be there is not.
    ///
    /// # Errors
    /// Where the container is gone or the engine does not answer.
    pub async fn confirm(&self) -> Result<(), EngineError> {
        let root = Self { base: String::new(), ..self.clone() };
        root.stat("/").await.map(|_there| ())
    }

    /// The first bytes of a regular file, at most `limit`; `None` where there is no regular file.
    ///
    /// # Errors
    /// Where the container is gone, the engine does not answer or its archive breaks off.
    pub async fn read(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, EngineError> {
        let Some(stream) = self.stream(path).await? else { return Ok(None) };
        in_background(stream, move |reader| {
            let mut archive = tar::Archive::new(reader);
            let Some(entry) = archive.entries()?.next() else { return Ok(None) };
            let entry = entry?;
            if !entry.header().entry_type().is_file() {
                return Ok(None);
            }
            let mut bytes = Vec::new();
            entry.take(limit as u64).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        })
        .await
    }

    /// Who owns a path: user and group; `None` where nothing is there.
    ///
    /// # Errors
    /// As `read`.
    pub async fn owner(&self, path: &str) -> Result<Option<(u64, u64)>, EngineError> {
        let Some(stream) = self.stream(path).await? else { return Ok(None) };
        in_background(stream, move |reader| {
            let mut archive = tar::Archive::new(reader);
            let Some(entry) = archive.entries()?.next() else { return Ok(None) };
            let entry = entry?;
            Ok(Some((entry.header().uid()?, entry.header().gid()?)))
        })
        .await
    }

    /// Walks everything below a folder, in the archive's order, until the visitor has seen enough or the
    /// limits are reached. A path that is not there is a complete walk of nothing.
    ///
    /// # Errors
    /// Where the container is gone, the engine does not answer or its archive breaks off.
    pub async fn walk<V>(&self, path: &str, limits: WalkLimits, mut visit: V) -> Result<WalkEnd, EngineError>
    where
        V: FnMut(Entry) -> ControlFlow<()> + Send + 'static,
    {
        let Some(stream) = self.stream(path).await? else { return Ok(WalkEnd::Complete) };
        let (place, folder) = (self.clone(), path.trim_matches('/').to_owned());
        let mut visit = move |entry: Entry| {
            let is_hidden = place.hides.is_some() && place.is_hidden(&format!("{folder}/{}", entry.path));
            if is_hidden { ControlFlow::Continue(()) } else { visit(entry) }
        };
        let walk = in_background(stream, move |reader| walk_tar(reader, limits.bytes, &mut visit));
        tokio::time::timeout(limits.time, walk).await.unwrap_or(Ok(WalkEnd::Limit))
    }

    /// The raw tar stream of a path; `None` where nothing is there.
    ///
    /// # Errors
    /// Where the container is gone or the engine does not answer.
    pub async fn stream(&self, path: &str) -> Result<Option<super::dial::Body>, EngineError> {
        if self.is_hidden(path) {
            return Ok(None);
        }
        self.engine.transport.get_stream(&self.url(path)).await
    }
}

/// Reads a body on a thread that may block, as the tar reader does. Dropped, it ends the body: a reader that nobody waits
/// for must not go on, as the engine holds a container for as long as it sends an archive of it.
async fn in_background<S, T, F>(body: S, read: F) -> Result<T, EngineError>
where
    S: Stream<Item = Result<Bytes, EngineError>> + Send + 'static,
    T: Send + 'static,
    F: FnOnce(Box<dyn Read + Send>) -> std::io::Result<T> + Send + 'static,
{
    let given_up = CancellationToken::new();
    let _ends_with_us = given_up.clone().drop_guard();
    let body = body.take_until(given_up.cancelled_owned());
    let reader = StreamReader::new(body.map_err(std::io::Error::other).boxed());
    let bridge = SyncIoBridge::new(reader);
    let task = tokio::task::spawn_blocking(move || read(Box::new(bridge)));
    match task.await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(EngineError::unexpected(&format!("the engine's archive broke off: {error}"))),
        Err(_panicked) => Err(EngineError::unexpected("reading the engine's archive failed")),
    }
}

/// Bytes of zeros that end every tar.
pub(crate) const TRAILER_BYTES: u64 = 1024;

/// Walks a tar stream of a folder. The first component of every name is the folder itself.
///
/// # Errors
/// Where the stream is not a whole tar. The engine breaks one off without an error when a file shrinks while
/// it is read, so the trailer is asked for: a part must never pass for the whole.
pub fn walk_tar<V>(reader: impl Read, byte_limit: u64, visit: &mut V) -> std::io::Result<WalkEnd>
where
    V: FnMut(Entry) -> ControlFlow<()>,
{
    let mut archive = tar::Archive::new(Counted { reader, bytes: 0 });
    let (mut seen, mut end_of_entries) = (0_u64, 0_u64);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let header = entry.header();
        let size = entry.size();
        end_of_entries = entry.raw_file_position() + size.next_multiple_of(512);
        let kind = match header.entry_type() {
            kind if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() => EntryKind::File,
            kind if kind.is_dir() => EntryKind::Directory,
            // A hard link's bytes were seen under the other name.
            kind if kind.is_symlink() || kind.is_hard_link() => EntryKind::Symlink,
            _ => EntryKind::Other,
        };
        let modified = header
            .mtime()
            .ok()
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
            .and_then(|time| jiff::Timestamp::try_from(time).ok());
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = match name.trim_start_matches("./").trim_end_matches('/').split_once('/') {
            Some((_folder, below)) => below.to_owned(),
            None => String::new(),
        };
        let mut head = Vec::new();
        if kind == EntryKind::File {
            (&mut entry).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        }
        seen += size;
        if visit(Entry { path, kind, size, modified, head }).is_break() {
            return Ok(WalkEnd::Stopped);
        }
        if seen > byte_limit {
            return Ok(WalkEnd::Limit);
        }
    }
    let mut rest = archive.into_inner();
    std::io::copy(&mut rest, &mut std::io::sink())?;
    if rest.bytes < end_of_entries + TRAILER_BYTES {
        return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "it ends before its trailer"));
    }
    Ok(WalkEnd::Complete)
}

/// Counts what was read.
pub(crate) struct Counted<R> {
    pub(crate) reader: R,
    pub(crate) bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in [("v/a", vec![0_u8; 4096]), ("v/b/c", b"text".to_vec())] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            builder.append_data(&mut header, name, bytes.as_slice()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn paths(bytes: &[u8]) -> std::io::Result<(WalkEnd, Vec<String>)> {
        let mut paths = Vec::new();
        let end = walk_tar(bytes, u64::MAX, &mut |entry: Entry| {
            paths.push(entry.path);
            ControlFlow::Continue(())
        })?;
        Ok((end, paths))
    }

    #[test]
    fn names_are_below_the_walked_folder() {
        assert_eq!(paths(&archive()).unwrap(), (WalkEnd::Complete, vec!["a".to_owned(), "b/c".to_owned()]));
    }

    #[tokio::test]
    async fn a_reader_that_nobody_waits_for_ends() {
        let (ended, end) = std::sync::mpsc::channel();
        let endless = futures_util::stream::repeat_with(|| Ok(Bytes::from_static(&[0; 512])));
        let reading = in_background(endless, move |mut reader| {
            let read = std::io::copy(&mut reader, &mut std::io::sink());
            ended.send(()).unwrap();
            read
        });
        let waited = tokio::time::timeout(Duration::from_millis(20), reading).await;
        assert!(waited.is_err(), "it never ends by itself");
        assert_eq!(end.recv_timeout(Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn a_stream_that_breaks_off_anywhere_is_never_complete() {
        let whole = archive();
        for length in (0..whole.len()).step_by(512) {
            assert!(paths(&whole[..length]).is_err(), "cut at {length}");
        }
    }
}
