//! Runs an engine's own dumper in its container, and writes what it says into an artifact.

use std::io::Write as _;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::snapshot::SnapshotError;
use crate::{
    docker::{
        engine::Engine,
        exec::{Exec, ExecError},
    },
    engines::recipe::{Dump, Told, parse_told},
    store::{ArtifactWriter, Written},
};

/// Records of a hundred thousand tables.
const MAX_TOLD_BYTES: usize = 64 << 20;
/// The end of a dump that is looked at.
const TAIL_BYTES: usize = 256;
const CHUNKS: usize = 16;

/// A server in a container, and what its scripts are told.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Server {
    pub(super) container: String,
    /// Its data directory.
    pub(super) data: String,
    /// Its command line.
    pub(super) arguments: String,
}

impl Server {
    pub(super) fn exec(&self, script: &str, more: &[(&str, &str)]) -> Exec {
        let mut environment =
            vec![format!("DBSAFE_DATA={}", self.data), format!("DBSAFE_ARGUMENTS={}", self.arguments)];
        environment.extend(more.iter().map(|(name, value)| format!("{name}={value}")));
        Exec { environment, ..Exec::shell(script) }
    }
}

/// Runs a script and reads its records, without its output.
///
/// # Errors
/// Where it does not come to its end; with the server's words.
pub(super) async fn ask(
    engine: &Engine,
    server: &Server,
    script: &str,
    more: &[(&str, &str)],
) -> Result<Told, SnapshotError> {
    let ran =
        engine.exec_streamed(&server.container, server.exec(script, more), MAX_TOLD_BYTES, async |_| Ok(()));
    let (status, stderr) = ran.await.map_err(|error| SnapshotError::Dump(error.to_string()))?;
    finished(status, &stderr)
}

/// Lists the databases that are dumped each by itself.
///
/// # Errors
/// Where the server does not say.
pub(super) async fn databases(
    engine: &Engine,
    server: &Server,
    script: &str,
) -> Result<Vec<String>, SnapshotError> {
    let mut text = Vec::new();
    let take = async |bytes: Bytes| {
        text.extend_from_slice(&bytes);
        if text.len() > MAX_TOLD_BYTES { Err(ExecError::TooMuch) } else { Ok(()) }
    };
    let ran = engine.exec_streamed(&server.container, server.exec(script, &[]), MAX_TOLD_BYTES, take).await;
    let (status, stderr) = ran.map_err(|error| SnapshotError::Dump(error.to_string()))?;
    if status != 0 {
        return Err(complaint(&stderr, status));
    }
    Ok(String::from_utf8_lossy(&text).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// Dumps into an artifact. An exit status of 0 proves nothing: magic, trailer and the script's own end are
/// asked for too.
///
/// # Errors
/// Where the dumper fails or its output is not whole, or the disk refuses.
pub(super) async fn dump(
    engine: &Engine,
    server: &Server,
    dump: &Dump,
    database: &str,
    writer: ArtifactWriter,
) -> Result<(Written, Told), SnapshotError> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let keep = dump.extra.map_or(0, |(_, bytes)| bytes);
    let sink = tokio::task::spawn_blocking(move || drain(receiver, writer, keep));
    let exec = server.exec(dump.script, &[("DBSAFE_DUMP", "1"), ("DBSAFE_DATABASE", database)]);
    let ran = engine
        .exec_streamed(&server.container, exec, MAX_TOLD_BYTES, async |bytes| {
            let gone = |_gone| ExecError::Sink("the dump could not be written".to_owned());
            sender.send(bytes).await.map_err(gone)
        })
        .await;
    drop(sender);
    let written =
        sink.await.map_err(|_panicked| SnapshotError::Dump("writing the dump failed".to_owned()))?;
    let (mut writer, ends) = match (ran, written) {
        (Ok((status, stderr)), Ok((writer, ends))) => {
            let told = finished(status, &stderr)?;
            let held = String::from_utf8_lossy(&stderr);
            let is_extra = dump.extra.is_some_and(|(words, _)| held.contains(words));
            (writer, Ends { told: Some(told), is_extra, ..ends })
        }
        // The disk's fault, where there is one, is why the dumper was cut off.
        (_, Err(fault)) => return Err(fault),
        (Err(error), Ok(_)) => return Err(SnapshotError::Dump(error.to_string())),
    };
    if !ends.is_extra
        && let Err(error) = writer.write_all(&ends.held)
    {
        return Err(writer.failed(error).into());
    }
    let whole = |good: bool, what: &str| {
        if good { Ok(()) } else { Err(SnapshotError::Dump(format!("the dump is not whole: {what}"))) }
    };
    whole(dump.magic.iter().any(|magic| ends.head.starts_with(magic)), "it does not begin as one")?;
    if let Some(trailer) = dump.trailer {
        whole(ends.tail.windows(trailer.len()).any(|window| window == trailer), "its end is missing")?;
    }
    let finishing = tokio::task::spawn_blocking(move || writer.finish());
    let written =
        finishing.await.map_err(|_panicked| SnapshotError::Dump("writing the dump failed".to_owned()))??;
    Ok((written, ends.told.unwrap_or_default()))
}

#[derive(Default)]
struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
    /// The last bytes, which may not belong to it.
    held: Vec<u8>,
    is_extra: bool,
    told: Option<Told>,
}

fn drain(
    mut chunks: mpsc::Receiver<Bytes>,
    mut writer: ArtifactWriter,
    keep: usize,
) -> Result<(ArtifactWriter, Ends), SnapshotError> {
    let mut ends = Ends::default();
    while let Some(chunk) = chunks.blocking_recv() {
        if ends.head.len() < 8 {
            ends.head.extend_from_slice(&chunk[..chunk.len().min(8)]);
        }
        ends.tail.extend_from_slice(&chunk[chunk.len().saturating_sub(TAIL_BYTES)..]);
        ends.tail.drain(..ends.tail.len().saturating_sub(TAIL_BYTES));
        ends.held.extend_from_slice(&chunk);
        let sure = ends.held.len().saturating_sub(keep);
        if let Err(error) = writer.write_all(&ends.held[..sure]) {
            return Err(writer.failed(error).into());
        }
        ends.held.drain(..sure);
    }
    Ok((writer, ends))
}

fn finished(status: i64, stderr: &[u8]) -> Result<Told, SnapshotError> {
    let told = parse_told(&String::from_utf8_lossy(stderr));
    if status == 0 && told.complete { Ok(told) } else { Err(complaint(stderr, status)) }
}

fn complaint(stderr: &[u8], status: i64) -> SnapshotError {
    let told = parse_told(&String::from_utf8_lossy(stderr));
    // The error comes first, and after it what it is about.
    let is_error = |line: &&String| line.to_ascii_lowercase().contains("error");
    let said = told.complaints.iter().find(is_error).or(told.complaints.last()).cloned();
    SnapshotError::Dump(said.unwrap_or_else(|| format!("the dumper ended with status {status}")))
}
