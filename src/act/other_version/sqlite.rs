//! SQLite: the files themselves, which every version reads, looked at by the new image's own program.

use std::{fs::File, io};

use serde_json::{Value, json};

use super::{New, Request, body};
use crate::{
    act::{
        copy,
        restore::{Copy, check, into_volume},
        snapshot::SnapshotError,
        verify::{copy_of, look_at, run_to_the_end},
    },
    docker::{
        archive::Place,
        scratch::{self, run_token, sweep_run},
    },
    engines::recipe::offline_check,
    model::{
        container::is_within,
        manifest::{Artifact, ArtifactKind, Item},
    },
    store::{StoredFile, transient::Transient},
};

/// What SQLite writes beside a file, and needs with it.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// What was in the writable layer, to be unpacked anew.
struct Layer {
    artifact: Artifact,
    /// Of it nothing but the databases, where it has all that was changed: the rest is the old image's.
    picked: Option<(Transient, std::path::PathBuf)>,
}

/// Restores the volumes and files, and has each database read.
pub(super) async fn restore(
    request: &Request<'_>,
    items: &[&Item],
    made: &mut (Option<String>, Vec<String>),
) -> Result<String, SnapshotError> {
    let (engine, stored, progress) = (request.engine, request.stored, &request.progress);
    let new = New::prepare(request).await?;
    let paths: Vec<&str> = items.iter().map(|item| item.path.as_str()).collect();
    let layers = layers(request, &paths).await?;
    let is_there = |item: &&&Item| {
        let volume = item.volume.as_deref();
        let within = |layer: &Layer| {
            layer.artifact.kind == ArtifactKind::WritableLayer || holds(&layer.artifact, &item.path)
        };
        volume.is_some_and(|volume| copy_of(&stored.manifest, volume).is_some()) || layers.iter().any(within)
    };
    if let Some(absent) = items.iter().find(|item| !is_there(item)) {
        return Err(SnapshotError::Refused(format!("the snapshot has no copy of {}", absent.path)));
    }
    let mut mounts = Vec::new();
    for (index, (destination, old)) in request.recipe.volumes.iter().enumerate() {
        let Some(artifact) = copy_of(&stored.manifest, old) else { continue };
        let item = stored.manifest.items.iter().find(|item| item.artifacts.contains(artifact));
        let Some(item) = item else { continue };
        let volume = format!("{}-{index}", request.name);
        into_volume(engine, stored, Copy { item, artifact }, &volume, progress).await?;
        made.1.push(volume.clone());
        mounts.push(json!({
            "Type": "volume", "Source": volume, "Target": destination, "VolumeOptions": {"NoCopy": true},
        }));
    }
    let looked = look(request, &new, &paths, &mounts, &layers).await;
    sweep_run(engine, run_token()).await;
    let told = looked?;
    progress.stage(&format!("starting {}", request.image), None);
    let container = new.create(request, mounts).await?;
    made.0 = Some(container.clone());
    fill(request, &container, &layers).await?;
    engine.start(&container).await?;
    Ok(told)
}

/// Has each database looked at in a container that is removed again. What came of it, in a clause.
async fn look(
    request: &Request<'_>,
    new: &New,
    paths: &[&str],
    mounts: &[Value],
    layers: &[Layer],
) -> Result<String, SnapshotError> {
    let Some(script) = offline_check("sqlite") else { return Ok("not looked at".to_owned()) };
    let mut is_read = true;
    for path in paths {
        request.progress.stage(&format!("checking {path}"), None);
        let mut body = body(&new.recipe, &new.secrets, mounts.to_vec(), json!({}));
        look_at(&mut body, script, path);
        body.insert("Healthcheck".to_owned(), json!({"Test": ["NONE"]}));
        let container = scratch::create(request.engine, Value::Object(body)).await?;
        fill(request, &container, layers).await?;
        let place = Place::new(request.engine, &container, "/");
        // A checker would make an empty one, and find it sound.
        if !place.stat(path).await?.is_some_and(|stat| stat.size > 0 && !stat.is_dir) {
            return Err(SnapshotError::NotProved(format!("{path} is not there")));
        }
        let said = run_to_the_end(request.engine, &container).await?;
        let _ = request.engine.discard_container(&container).await;
        match said.as_deref() {
            Some("[\"OK\"]") => {}
            Some("[\"NONE\"]") => is_read = false,
            Some(other) => return Err(SnapshotError::NotProved(format!("{path}: {other}"))),
            None => return Err(SnapshotError::NotProved(format!("checking {path} took too long"))),
        }
    }
    let names = paths.join(", ");
    Ok(match is_read {
        true => format!("{names}, of which integrity_check says ok"),
        false => format!("{names}, not checked: the image has nothing to check SQLite with"),
    })
}

async fn fill(request: &Request<'_>, container: &str, layers: &[Layer]) -> Result<(), SnapshotError> {
    let mounted: Vec<String> = request.recipe.volumes.keys().cloned().collect();
    for layer in layers {
        let parent = layer.artifact.parent.as_deref().unwrap_or("/");
        let place = Place::new(request.engine, container, parent);
        let (file, root) = match &layer.picked {
            Some((_folder, file)) => (StoredFile::plain(file), None),
            None => (request.stored.file(&layer.artifact), layer.artifact.root.as_deref()),
        };
        copy::upload(&place, &file, root, &mounted, &request.progress).await?;
    }
    Ok(())
}

/// The parts of the writable layer that the databases are in.
async fn layers(request: &Request<'_>, paths: &[&str]) -> Result<Vec<Layer>, SnapshotError> {
    let own = request.stored.manifest.items.iter().filter(|item| item.target.id == request.recipe.id);
    let mut layers = Vec::new();
    for artifact in own.flat_map(|item| &item.artifacts).filter(|artifact| artifact.parent.is_some()) {
        let is_folder =
            artifact.kind == ArtifactKind::PhysicalCopy && paths.iter().any(|path| holds(artifact, path));
        if is_folder {
            check(request.stored, artifact, &request.progress).await?;
            layers.push(Layer { artifact: artifact.clone(), picked: None });
        } else if artifact.kind == ArtifactKind::WritableLayer {
            check(request.stored, artifact, &request.progress).await?;
            let folder = Transient::create(request.home)?;
            let unwritable = |cause| copy::CopyError::Read { path: folder.path().to_owned(), cause };
            let (file, writer) = folder.file("layer.tar.zst").map_err(unwritable)?;
            let from = request.stored.file(artifact);
            let wanted: Vec<String> =
                paths.iter().map(|path| path.trim_start_matches('/').to_owned()).collect();
            let shown = from.path().to_owned();
            let picking = tokio::task::spawn_blocking(move || pick(&from, &wanted, writer));
            let picked = picking.await.map_err(|_panicked| copy::CopyError::GivenUp)?;
            if picked.map_err(|cause| copy::CopyError::Read { path: shown, cause })? {
                layers.push(Layer { artifact: artifact.clone(), picked: Some((folder, file)) });
            }
        }
    }
    Ok(layers)
}

/// Whether a folder's copy has this file.
fn holds(artifact: &Artifact, path: &str) -> bool {
    let (Some(parent), Some(root)) = (&artifact.parent, &artifact.root) else { return false };
    is_within(path, &format!("{}/{root}", parent.trim_end_matches('/')))
}

/// Of a layer's archive only these files, what lies beside them, and the folders above them. Whether there was one.
fn pick(from: &StoredFile, wanted: &[String], into: File) -> io::Result<bool> {
    let mut archive = tar::Archive::new(zstd::Decoder::new(from.open().map_err(io::Error::other)?)?);
    let mut picked = tar::Builder::new(zstd::Encoder::new(into, 1)?);
    let mut any = false;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path.trim_start_matches("./").trim_matches('/');
        let kind = entry.header().entry_type();
        let is_file =
            kind.is_file() && wanted.iter().any(|own| BESIDE.iter().any(|end| path == format!("{own}{end}")));
        let is_above = kind.is_dir() && wanted.iter().any(|own| !path.is_empty() && is_within(own, path));
        if is_file || is_above {
            any |= is_file;
            let (mut header, path) = (entry.header().clone(), path.to_owned());
            picked.append_data(&mut header, path, &mut entry)?;
        }
    }
    picked.into_inner()?.finish()?.sync_all()?;
    Ok(any)
}
