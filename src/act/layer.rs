//! Saves what a container changed in its writable layer, but for the places that are saved by themselves.

use std::io::{self, Read, Write as _};

use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::copy::CopyError;
use crate::{
    docker::{
        archive::Place,
        control::{Change, ChangeKind},
        engine::Engine,
        tar_stream::Census,
    },
    model::container::{Container, is_within},
    store::{ArtifactWriter, Written},
};

/// What the engine itself writes into every container.
const ENGINES_OWN: [&str; 8] = [
    "/proc",
    "/sys",
    "/dev",
    "/.dockerenv",
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/run/.containerenv",
];

/// What to fetch of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    path: String,
    /// With everything below, or only the entry itself.
    whole: bool,
}

/// What of a layer is to be saved. `elsewhere` are the places that are saved by themselves.
pub(super) fn pieces(changes: &[Change], container: &Container, elsewhere: &[String]) -> Vec<Piece> {
    let mounts = container.mounts.iter().map(|mount| mount.destination.as_str());
    let outside: Vec<&str> = mounts.chain(elsewhere.iter().map(String::as_str)).chain(ENGINES_OWN).collect();
    let mut sorted: Vec<&Change> =
        changes.iter().filter(|change| change.kind != ChangeKind::Deleted).collect();
    sorted.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
    let mut pieces: Vec<Piece> = Vec::new();
    for change in sorted {
        let path = change.path.as_str();
        let taken = pieces.last().is_some_and(|piece| piece.whole && is_within(path, &piece.path));
        if path == "/" || taken || outside.iter().any(|outside| is_within(path, outside)) {
            continue;
        }
        let holds_outside = outside.iter().any(|outside| is_within(outside, path));
        pieces
            .push(Piece { path: path.to_owned(), whole: change.kind == ChangeKind::Added && !holds_outside });
    }
    pieces
}

/// Writes the pieces into one tar, whose names begin at the root.
///
/// # Errors
/// Where the engine does not answer, or the disk refuses.
pub(super) async fn save(
    engine: &Engine,
    container: &str,
    pieces: Vec<Piece>,
    writer: ArtifactWriter,
) -> Result<(Written, Census), CopyError> {
    let root = Place::new(engine, container, "/");
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<(Piece, Box<dyn Read + Send>)>(1);
    let sink = tokio::task::spawn_blocking(move || {
        let mut builder = tar::Builder::new(writer);
        let mut census = Census::default();
        let result = (|| {
            while let Some((piece, reader)) = receiver.blocking_recv() {
                repack(&piece, reader, &mut builder, &mut census)?;
            }
            builder.finish()
        })();
        let writer = builder.into_inner();
        match (result, writer) {
            (Ok(()), Ok(mut writer)) => {
                writer.flush().map_err(|error| writer.failed(error))?;
                Ok((writer.finish()?, census))
            }
            (Err(cause), Ok(writer)) => Err(writer.failed(cause).into()),
            (Err(cause), Err(_)) | (Ok(()), Err(cause)) => {
                Err(CopyError::Read { path: container_path(), cause })
            }
        }
    });
    for piece in pieces {
        // What vanished since it was listed was of no use to anybody.
        let Some(body) = root.stream(&piece.path).await? else { continue };
        let reader = StreamReader::new(body.map_err(io::Error::other).boxed());
        let bridge: Box<dyn Read + Send> = Box::new(SyncIoBridge::new(reader));
        if sender.send((piece, bridge)).await.is_err() {
            break;
        }
    }
    drop(sender);
    sink.await.map_err(|_panicked| CopyError::GivenUp)?
}

fn container_path() -> std::path::PathBuf {
    "the container's writable layer".into()
}

/// Copies the entries of one piece, named from the root.
fn repack(
    piece: &Piece,
    reader: Box<dyn Read + Send>,
    builder: &mut tar::Builder<ArtifactWriter>,
    census: &mut Census,
) -> io::Result<()> {
    let parent = piece.path.trim_start_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
    let placed = |bytes: &[u8]| {
        let name = String::from_utf8_lossy(bytes).into_owned();
        if parent.is_empty() { name } else { format!("{parent}/{name}") }
    };
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = placed(&entry.path_bytes());
        let attributes: Vec<(String, Vec<u8>)> = match entry.pax_extensions()? {
            Some(records) => records
                .filter_map(Result::ok)
                .filter(|record| record.key_bytes().starts_with(b"SCHILY.xattr."))
                .map(|record| {
                    (String::from_utf8_lossy(record.key_bytes()).into_owned(), record.value_bytes().to_vec())
                })
                .collect(),
            None => Vec::new(),
        };
        builder
            .append_pax_extensions(attributes.iter().map(|(key, value)| (key.as_str(), value.as_slice())))?;
        let mut header = entry.header().clone();
        let kind = header.entry_type();
        let link = entry.link_name_bytes().map(|bytes| bytes.into_owned());
        match link {
            Some(link) if kind.is_hard_link() => builder.append_link(&mut header, path, placed(&link))?,
            Some(link) if kind.is_symlink() => {
                builder.append_link(&mut header, path, String::from_utf8_lossy(&link).into_owned())?;
            }
            _ => {
                census.bytes += entry.size();
                builder.append_data(&mut header, path, &mut entry)?;
            }
        }
        census.entries += 1;
        if !piece.whole {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::{Mount, MountKind, State};

    fn container(destinations: &[&str]) -> Container {
        let mount = |destination: &&str| Mount {
            kind: MountKind::AnonymousVolume,
            destination: (*destination).to_owned(),
            volume: None,
            source: None,
            writable: true,
            part: None,
        };
        Container {
            state: State::Exited,
            mounts: destinations.iter().map(mount).collect(),
            ..Container::sample("1", "db")
        }
    }

    #[test]
    fn volumes_and_places_saved_by_themselves_are_left_out_of_a_layer() {
        use ChangeKind::{Added, Deleted, Modified};
        let changes = [
            (Modified, "/srv"),
            (Added, "/srv/pg"),
            (Added, "/srv/pg/base"),
            (Added, "/srv/app"),
            (Added, "/srv/app/a"),
            (Added, "/srv/app.txt"),
            (Added, "/data"),
            (Added, "/data/volume"),
            (Added, "/data/other"),
            (Modified, "/etc"),
            (Modified, "/etc/hosts"),
            (Deleted, "/etc/motd"),
        ]
        .map(|(kind, path)| Change { path: path.to_owned(), kind });
        let pieces = pieces(&changes, &container(&["/data/volume"]), &["/srv/pg".to_owned()]);
        let shown: Vec<(&str, bool)> =
            pieces.iter().map(|piece| (piece.path.as_str(), piece.whole)).collect();
        let expected = [
            ("/data", false),
            ("/data/other", true),
            ("/etc", false),
            ("/srv", false),
            ("/srv/app", true),
            ("/srv/app.txt", true),
        ];
        assert_eq!(shown, expected);
    }
}
