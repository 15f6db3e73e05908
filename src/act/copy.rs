//! Copies files out of the engine into an artifact, and back. Streams; memory stays flat.

use std::{
    io::{self, Read as _, Write as _},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::progress::Progress;
use crate::{
    docker::{
        archive::Place,
        dial::Body,
        error::EngineError,
        tar_stream::{Census, TarFault, TarScan},
    },
    store::{ArtifactWriter, StoreError, StoredFile, Written},
};

/// Batches between the engine and the disk: enough for both to work at once.
const CHUNKS: usize = 16;
/// The engine sends 32 KiB at a time: handed on one by one, waking the other thread would cost more than the copy.
const BATCH_BYTES: usize = 1 << 19;
/// Bytes that go to the engine at once.
const CHUNK_BYTES: usize = 1 << 18;
/// The largest window that a stream may ask for: 8 MiB. Ours ask for less than one.
const WINDOW_LOG: u32 = 23;

/// What the engine's archives do not carry, whatever the files had (seen on engines 20.10 to 28.5).
pub const NOT_KEPT: &[&str] = &[
    "extended attributes other than security.capability, and access control lists",
    "holes of sparse files, which come back as zeros",
    "times finer than a second, and times of last access",
    "sockets",
];

/// Why a copy failed. A fragment that fits 'failed to …'.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Tar(#[from] TarFault),
    #[error("{} is not readable: {cause}", .path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("nothing is at {0}")]
    Absent(String),
    #[error("the copy was given up")]
    GivenUp,
}

/// Copies everything at a path into an artifact.
///
/// # Errors
/// Where nothing is there, the engine does not answer, its archive breaks off, or the disk refuses.
pub async fn download(
    place: &Place,
    path: &str,
    writer: ArtifactWriter,
    progress: &Arc<dyn Progress>,
) -> Result<(Written, Census), CopyError> {
    let shown = || format!("{}/{}", place.base, path.trim_start_matches('/'));
    let body = place.stream(path).await?.ok_or_else(|| CopyError::Absent(shown()))?;
    let (sender, receiver) = mpsc::channel::<Vec<Bytes>>(CHUNKS);
    let sink = tokio::task::spawn_blocking(move || drain(receiver, writer));
    // A task of its own: it runs on the thread that the engine's words come in on, and nobody is woken for each.
    let reading = AbortOnDropHandle::new(tokio::spawn(read_all(body, sender, Arc::clone(progress))));
    let read = reading.await.unwrap_or(Err(CopyError::GivenUp));
    let written = sink.await.map_err(|_panicked| CopyError::GivenUp)?;
    read.and(written)
}

/// Hands a body on in batches. Ends early where nobody takes them any more: the sink has a fault then, and says so.
async fn read_all(
    mut body: Body,
    sender: mpsc::Sender<Vec<Bytes>>,
    progress: Arc<dyn Progress>,
) -> Result<(), CopyError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        bytes += chunk.len();
        batch.push(chunk);
        if bytes >= BATCH_BYTES {
            progress.advance(std::mem::take(&mut bytes) as u64);
            if sender.send(std::mem::take(&mut batch)).await.is_err() {
                return Ok(());
            }
        }
    }
    progress.advance(bytes as u64);
    // As above.
    let _ = sender.send(batch).await;
    Ok(())
}

/// Looks at each chunk and writes it. A stream without its end is an error, so that a part never passes for
/// the whole.
fn drain(
    mut chunks: mpsc::Receiver<Vec<Bytes>>,
    mut writer: ArtifactWriter,
) -> Result<(Written, Census), CopyError> {
    let mut scan = TarScan::counting();
    while let Some(batch) = chunks.blocking_recv() {
        for chunk in batch {
            scan.feed(&chunk)?;
            if let Err(error) = writer.write_all(&chunk) {
                return Err(writer.failed(error).into());
            }
        }
    }
    let census = scan.finish()?;
    Ok((writer.finish()?, census))
}

/// Unpacks a `.tar.zst` of ours in a folder of a container. Everything in it must lie below `root` and in none
/// of the `forbidden` places (absolute, in the container); a stream that would leave is cut before it does.
///
/// # Errors
/// Where the file is damaged or hostile, the folder is not there, or the engine refuses.
pub async fn upload(
    place: &Place,
    file: &StoredFile,
    root: Option<&str>,
    forbidden: &[String],
    progress: &Arc<dyn Progress>,
) -> Result<Census, CopyError> {
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(CHUNKS);
    let base = place.base.trim_matches('/');
    let below = |path: &String| {
        let path = path.trim_matches('/');
        let rest = if base.is_empty() { path } else { path.strip_prefix(base)?.strip_prefix('/')? };
        (!rest.is_empty()).then(|| rest.to_owned())
    };
    let scan = TarScan::guarding(root).but_not_in(forbidden.iter().filter_map(below).collect());
    let (file, meter) = (file.clone(), Arc::clone(progress));
    let source = tokio::task::spawn_blocking(move || {
        let read = pump(&file, scan, &sender, meter.as_ref());
        if read.is_err() {
            // Ends the request without an end of the stream, so that the engine takes it for broken.
            let _ = sender.blocking_send(Err(io::Error::other("the archive is refused")));
        }
        read
    });
    let content = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    let unpacked = place.unpack(content).await;
    let read = source.await.map_err(|_panicked| CopyError::GivenUp)?;
    match (unpacked, read) {
        (Ok(()), Ok(census)) => Ok(census),
        // The engine's word says why it hung up; ours, where the archive was at fault.
        (Err(error), Ok(_) | Err(CopyError::GivenUp)) => Err(error.into()),
        (_, Err(fault)) => Err(fault),
    }
}

fn pump(
    file: &StoredFile,
    mut scan: TarScan,
    sender: &mpsc::Sender<io::Result<Bytes>>,
    progress: &dyn Progress,
) -> Result<Census, CopyError> {
    let unreadable = unreadable(file);
    let mut decoder = decoder(file)?;
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let count = read_full(&mut decoder, &mut chunk).map_err(&unreadable)?;
        if count == 0 {
            break;
        }
        chunk.truncate(count);
        scan.feed(&chunk)?;
        progress.advance(count as u64);
        if sender.blocking_send(Ok(chunk.into())).is_err() {
            return Err(CopyError::GivenUp);
        }
    }
    Ok(scan.finish()?)
}

/// Reads a `.tar.zst` from end to end: whether it is whole, and what is in it. Blocks.
///
/// # Errors
/// Where it is damaged or would leave its place.
pub fn inspect_archive(file: &StoredFile, root: Option<&str>) -> Result<Census, CopyError> {
    let unreadable = unreadable(file);
    let mut decoder = decoder(file)?;
    let (mut scan, mut chunk) = (TarScan::guarding(root), vec![0; CHUNK_BYTES]);
    loop {
        let count = decoder.read(&mut chunk).map_err(&unreadable)?;
        if count == 0 {
            break;
        }
        scan.feed(&chunk[..count])?;
    }
    Ok(scan.finish()?)
}

type Decoder = zstd::Decoder<'static, io::BufReader<Box<dyn io::Read + Send>>>;

fn decoder(file: &StoredFile) -> Result<Decoder, CopyError> {
    let mut decoder = zstd::Decoder::new(file.open()?).map_err(unreadable(file))?;
    decoder.window_log_max(WINDOW_LOG).map_err(unreadable(file))?;
    Ok(decoder)
}

pub(super) fn unreadable(file: &StoredFile) -> impl Fn(io::Error) -> CopyError {
    let path = file.path().to_owned();
    move |cause| CopyError::Read { path: path.clone(), cause }
}

fn read_full(reader: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Puts a file of ours into a folder of a container, for its owner alone.
///
/// # Errors
/// Where the file is not readable, the folder is not there, or the engine refuses.
pub async fn put_file(
    place: &Place,
    file: &StoredFile,
    name: &str,
    owner: (u64, u64),
) -> Result<(), CopyError> {
    let (source, size) = (file.open()?, file.content_bytes()?);
    put(place, source, Entry { name, size, owner, mode: 0o600 }).await
}

/// A file as it shall be in a container.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    pub(super) size: u64,
    pub(super) owner: (u64, u64),
    pub(super) mode: u32,
}

/// Puts a content into a folder of a container, as a tar of one entry.
///
/// # Errors
/// Where the name is none, the folder is not there, or the engine refuses.
pub(super) async fn put(
    place: &Place,
    content: impl io::Read + Send + 'static,
    entry: Entry<'_>,
) -> Result<(), CopyError> {
    let mut header = tar::Header::new_gnu();
    let unnamed = |cause| CopyError::Read { path: entry.name.into(), cause };
    header.set_path(entry.name).map_err(unnamed)?;
    let size = entry.size;
    header.set_size(size);
    header.set_mode(entry.mode);
    header.set_uid(entry.owner.0);
    header.set_gid(entry.owner.1);
    header.set_cksum();
    let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(CHUNKS);
    tokio::task::spawn_blocking(move || {
        let padding = usize::try_from(size.next_multiple_of(512) - size).unwrap_or_default();
        let tail = vec![0; padding + 1024];
        let mut whole = io::Cursor::new(header.as_bytes().to_vec()).chain(content.take(size)).chain(&*tail);
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let chunk =
                read_full(&mut whole, &mut chunk).map(|count| Bytes::copy_from_slice(&chunk[..count]));
            let (is_end, failed) = (chunk.as_ref().is_ok_and(Bytes::is_empty), chunk.is_err());
            // Where the engine hangs up, it says why itself.
            if is_end || sender.blocking_send(chunk).is_err() || failed {
                break;
            }
        }
    });
    let content = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    Ok(place.unpack(content).await?)
}
