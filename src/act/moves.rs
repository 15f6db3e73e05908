//! What of a container's data is to be moved into volumes of its own, and where they would be mounted.

use std::ops::ControlFlow;

use serde_json::json;

use super::snapshot::SnapshotError;
use crate::{
    docker::{
        archive::{EntryKind, Place, WalkLimits},
        engine::Engine,
        scratch,
    },
    engines::{self, recipe::recipe as engine_recipe},
    model::{
        container::{Container, MountKind, is_engine_made, is_within},
        evidence::{Contents, Evidence, Location, Presence},
        plan::Fate,
    },
};

/// A folder's files are listed only up to the first.
const FIRST: WalkLimits = WalkLimits { bytes: u64::MAX, time: std::time::Duration::from_secs(60) };

/// One body of data that has no volume of its own yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where the new volume is mounted.
    pub destination: String,
    /// The anonymous volume that it is in; `None` for the writable layer.
    pub anonymous: Option<String>,
}

/// What is moved, and what is known of it: the evidence, and more of the folders that are copied whole.
pub struct Moves {
    pub moves: Vec<Move>,
    pub evidence: Vec<Evidence>,
}

/// Finds what is to be moved out of a container. Nothing is changed.
///
/// # Errors
/// Where it could not be looked into, a volume would cover more than the data, or the engine does not answer.
pub async fn find(
    engine: &Engine,
    container: &Container,
    evidence: Vec<Evidence>,
) -> Result<Moves, SnapshotError> {
    let mut found = Moves { moves: Vec::new(), evidence };
    for seen in &mut found.evidence {
        let named = seen.volume.as_deref().is_some_and(|volume| !is_engine_made(volume));
        let stays = seen.location == Location::BindMount || seen.location == Location::NamedVolume && named;
        seen.fate = if stays { Fate::Survives } else { Fate::Destroyed };
    }
    for seen in found.evidence.clone() {
        if seen.location == Location::Tmpfs && seen.presence == Presence::Found && seen.engine.is_some() {
            return Err(SnapshotError::Refused(format!(
                "{} keeps data in a memory file system, {}, which a stop would lose: save that first",
                container.name, seen.path
            )));
        }
        if let (Presence::Undetermined { cause }, Location::WritableLayer | Location::AnonymousVolume) =
            (&seen.presence, seen.location)
        {
            return Err(SnapshotError::Refused(format!(
                "{} could not be looked into: {cause}",
                container.name
            )));
        }
        let Some(kind) = seen.engine.as_deref().and_then(engines::kind) else { continue };
        let path = if seen.location == Location::Memory {
            // A server that keeps everything in memory writes it where it would look for it.
            let mut expected = engines::candidates(container, &[]).into_iter();
            match expected.find(|candidate| candidate.kind.id == kind.id) {
                Some(candidate) if candidate.directory != "/" => candidate.directory,
                _ => continue,
            }
        } else {
            seen.path.clone()
        };
        match place(container, &path) {
            Where::Anonymous(destination, volume) => {
                found.add(Move { destination, anonymous: Some(volume) }, None);
            }
            Where::Layer => {
                let root = Place::new(engine, &container.id, "/");
                let is_folder = root.stat(&path).await?.is_none_or(|stat| stat.is_dir);
                let folder = match path.rsplit_once('/') {
                    _ if is_folder => path.as_str(),
                    Some((folder, _)) => folder,
                    None => "",
                };
                // A server's data directory is its own; whatever else keeps files may keep them beside programs.
                let own = is_folder && !kind.in_memory && engine_recipe(kind.id).is_some();
                if !own && matches!(seen.presence, Presence::Empty { .. }) {
                    continue;
                }
                check_folder(container, folder)?;
                if !own && let Some(file) = image_file(engine, container, folder).await? {
                    return Err(SnapshotError::Refused(format!(
                        "the image has files of its own in {folder}, such as {file}: a volume there would keep them as \
                         they are now, whatever a newer image brings; let the application keep its data in a folder \
                         of its own"
                    )));
                }
                found.add(Move { destination: folder.to_owned(), anonymous: None }, Some(&seen));
            }
            Where::Elsewhere => {}
        }
    }
    Ok(found)
}

impl Moves {
    fn add(&mut self, new: Move, file: Option<&Evidence>) {
        if self.moves.contains(&new) {
            return;
        }
        // Of a single file, or of what is in memory, the folder is copied, and known by itself.
        if let Some(seen) = file.filter(|seen| seen.path != new.destination) {
            self.evidence.push(Evidence {
                engine: None,
                engine_name: None,
                engine_version: None,
                location: Location::WritableLayer,
                path: new.destination.clone(),
                presence: Presence::Found,
                size_bytes: None,
                contents: Contents::default(),
                identity: None,
                ..seen.clone()
            });
        }
        self.moves.push(new);
    }
}

/// Where a path of a container is.
enum Where {
    Layer,
    /// The mount's destination and the volume.
    Anonymous(String, String),
    /// Where it need not be moved from.
    Elsewhere,
}

fn place(container: &Container, path: &str) -> Where {
    let Some(mount) = container.mount_of(path) else { return Where::Layer };
    match (mount.kind, &mount.volume) {
        // Compose hands an anonymous volume on by its name.
        (MountKind::AnonymousVolume, Some(volume)) => {
            Where::Anonymous(mount.destination.clone(), volume.clone())
        }
        (MountKind::NamedVolume, Some(volume)) if is_engine_made(volume) => {
            Where::Anonymous(mount.destination.clone(), volume.clone())
        }
        _ => Where::Elsewhere,
    }
}

/// Whether a volume may cover a folder, as far as its name and the container's mounts tell.
fn check_folder(container: &Container, folder: &str) -> Result<(), SnapshotError> {
    let refused = |sentence: String| Err(SnapshotError::Refused(sentence));
    if folder.trim_matches('/').is_empty() {
        return refused(
            "the data is in /, where no volume can be: let it be in a folder of its own".to_owned(),
        );
    }
    if let Some(below) = container.mounts.iter().find(|mount| is_within(&mount.destination, folder)) {
        return refused(format!(
            "{} is mounted below {folder}, which so cannot be moved as a whole",
            below.destination
        ));
    }
    Ok(())
}

/// A file that the container's image has in a folder: looked for in a container of it that is never started.
async fn image_file(
    engine: &Engine,
    container: &Container,
    folder: &str,
) -> Result<Option<String>, SnapshotError> {
    let body = json!({
        "Image": container.image_id,
        "HostConfig": {"NetworkMode": "none"},
    });
    let bare = scratch::create(engine, body).await?;
    let place = Place::new(engine, &bare, "/");
    let first = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = std::sync::Arc::clone(&first);
    let walked = place
        .walk(folder, FIRST, move |entry| {
            if entry.kind == EntryKind::Directory {
                return ControlFlow::Continue(());
            }
            *seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(entry.path);
            ControlFlow::Break(())
        })
        .await;
    // What is left, the sweep at the end of the run finds by its label.
    let _ = engine.discard_container(&bare).await;
    walked?;
    let found = first.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::container::Mount;

    fn container(mounts: &[(MountKind, &str, &str)]) -> Container {
        let mount = |(kind, destination, volume): &(MountKind, &str, &str)| Mount {
            kind: *kind,
            destination: (*destination).to_owned(),
            volume: Some((*volume).to_owned()).filter(|name| !name.is_empty()),
            source: None,
            writable: true,
            part: None,
        };
        Container { mounts: mounts.iter().map(mount).collect(), ..Container::sample("1", "shop-db-1") }
    }

    #[test]
    fn what_nobody_named_is_moved_and_what_has_a_name_is_not() {
        let made = "a".repeat(64);
        let it = container(&[
            (MountKind::AnonymousVolume, "/a", "x"),
            (MountKind::NamedVolume, "/inherited", &made),
            (MountKind::NamedVolume, "/named", "shop_data"),
            (MountKind::Bind, "/host", ""),
        ]);
        assert!(
            matches!(place(&it, "/a/18/docker"), Where::Anonymous(at, name) if at == "/a" && name == "x")
        );
        assert!(matches!(place(&it, "/inherited"), Where::Anonymous(..)));
        assert!(matches!(place(&it, "/named/pg"), Where::Elsewhere));
        assert!(matches!(place(&it, "/host/pg"), Where::Elsewhere));
        assert!(matches!(place(&it, "/srv/pg"), Where::Layer));
    }

    #[test]
    fn a_folder_with_a_mount_below_it_is_not_moved() {
        let it = container(&[(MountKind::Bind, "/app/uploads", "")]);
        assert!(check_folder(&it, "/app").is_err());
        assert!(check_folder(&it, "/").is_err());
        assert!(check_folder(&it, "/app/data").is_ok());
    }
}
