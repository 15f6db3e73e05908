//! Attaches a copy of a volume that nobody uses to a service, in the place of what the service has now. What it has
//! now is saved first; the volume itself is only ever read.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    copy::{self, NOT_KEPT},
    keeper::Keeper,
    progress::Progress,
    recipe,
    snapshot::{SnapshotError, artifact_of},
    swap::{self, Surroundings, Swapped},
    verify,
};
use crate::{
    cancel::Cancellation,
    docker::{
        engine::Engine,
        scratch::{Helper, Sight},
    },
    engines,
    model::{
        container::{Container, Mount, MountKind, Volume, is_within},
        evidence::{Evidence, Location, Presence, TargetRef},
        manifest::{
            Artifact, ArtifactKind, Consistency, EngineHost, FORMAT_VERSION, Item, Manifest, Verification,
            VerificationMethod, VerificationResult,
        },
        plan::{Ending, Fate, Plan, PlannedContainer, PlannedMount, PlannedVolume},
    },
    store::{Compression, Secrets, Store, Stored, plain_name},
};

/// Where a service looks for its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The data directory or file, in the container.
    pub path: String,
    /// Where the volume is mounted that holds it.
    pub destination: String,
    pub volume: String,
}

/// Pure: where a container looks for what was found in a volume. `evidence` is what was seen of the container, `at` a
/// mount that a person named.
///
/// # Errors
/// Where that is in no volume, or would be elsewhere in it; a clause.
pub fn placement(
    container: &Container,
    evidence: &[Evidence],
    found: &Evidence,
    at: Option<&str>,
) -> Result<Placement, String> {
    let name = &container.name;
    let inside = found.path.trim_matches('/');
    let of_mount = |mount: &Mount, path: String| match (mount.kind, &mount.volume) {
        (MountKind::NamedVolume | MountKind::AnonymousVolume, Some(volume)) => {
            Ok(Placement { path, destination: mount.destination.clone(), volume: volume.clone() })
        }
        (MountKind::Bind, _) => {
            let folder = mount.source.as_deref().unwrap_or_default();
            Err(format!("{name} has its data in a folder of the host, {folder}, and not in a volume"))
        }
        _ => Err(format!("{name} has at {} what is no volume", mount.destination)),
    };
    let joined = |mount: &Mount| match inside {
        "" => mount.destination.clone(),
        inside => format!("{}/{inside}", mount.destination.trim_end_matches('/')),
    };
    if let Some(at) = at {
        let mount = container.mounts.iter().find(|mount| mount.destination == at.trim_end_matches('/'));
        let mount = mount.ok_or_else(|| format!("{name} has nothing mounted at {at}"))?;
        return of_mount(mount, joined(mount));
    }
    let kind = found.engine.as_deref().unwrap_or_default();
    let own = |seen: &&Evidence| seen.engine.as_deref() == Some(kind) && seen.location != Location::Memory;
    let seen = evidence.iter().find(own).map(|seen| seen.path.clone());
    let expected = || {
        let candidates = engines::candidates(container, &[]).into_iter();
        candidates.filter(|candidate| candidate.kind.id == kind).map(|candidate| candidate.directory).next()
    };
    let Some(path) = seen.or_else(expected) else {
        if engines::kind(kind).is_some_and(|kind| !kind.directories.is_empty()) {
            let server = found.engine_name.as_deref().unwrap_or(kind);
            return Err(format!("{name} does not serve {server}"));
        }
        // A file of an application's may be anywhere: in its only volume, if it has one.
        let volumes = container.mounts.iter().filter(|mount| mount.volume.is_some());
        return match volumes.collect::<Vec<_>>().as_slice() {
            [mount] => of_mount(mount, joined(mount)),
            [] => Err(format!("{name} has no volume")),
            _ => Err(format!("{name} has several volumes: say with --at PATH where it is mounted")),
        };
    };
    let Some(mount) = container.mount_of(&path) else {
        return Err(format!("{name} has its data in its writable layer, {path}: move it to a volume first"));
    };
    let wanted = path.strip_prefix(mount.destination.as_str()).unwrap_or_default().trim_matches('/');
    if wanted != inside {
        let root = |path: &str| format!("/{path}");
        return Err(format!(
            "{name} looks for it at {} of its volume, and it is at {}",
            root(wanted),
            root(inside)
        ));
    }
    of_mount(mount, path)
}

/// What is to be attached to what.
pub struct Request<'a> {
    pub engine: &'a Engine,
    pub store: &'a Store,
    pub host: EngineHost,
    pub volume: &'a Volume,
    /// What was found in it.
    pub found: &'a Evidence,
    pub container: &'a Container,
    pub placement: &'a Placement,
    /// The whole command, for the snapshots' manifests.
    pub command: Vec<String>,
    pub progress: Arc<dyn Progress>,
    pub cancellation: &'a Cancellation,
    pub now: fn() -> Timestamp,
}

/// Attaches the copy: stops the service, saves what it has, copies the volume, proves the copy on a scratch server, puts
/// it in the place of what was there, starts the service and compares.
///
/// # Errors
/// Where any part of it fails: what was there runs again then.
pub async fn recover(request: &Request<'_>, keeper: Option<Keeper>) -> Result<Swapped, SnapshotError> {
    let with = Surroundings {
        engine: request.engine,
        store: request.store,
        host: request.host.clone(),
        command: request.command.clone(),
        progress: Arc::clone(&request.progress),
        cancellation: request.cancellation,
        now: request.now,
    };
    let plan = plan(request).await?;
    let make = async |before: Option<&Stored>| copy_in(request, before).await;
    let check = async |made: &Stored| compare(request, made).await;
    swap::replace(&with, &plan, keeper, make, check).await
}

/// The container and the volume that are replaced.
async fn plan(request: &Request<'_>) -> Result<Plan, SnapshotError> {
    let Placement { destination, volume: name, .. } = request.placement;
    let gone = |what: &str| SnapshotError::Refused(format!("{what} is gone"));
    let container = request.engine.container(&request.container.id).await?;
    let container = container.ok_or_else(|| gone(&request.container.name))?;
    let volume = request.engine.volume(name).await?.ok_or_else(|| gone(name))?;
    if volume.options.contains_key("device") {
        return Err(SnapshotError::Refused(format!(
            "the volume {name} is a place of its driver's, which outlives it: it cannot be replaced"
        )));
    }
    let listed = request.engine.containers().await?;
    let other = listed.iter().find(|other| other.id != container.id && other.volumes.contains(name));
    if let Some(other) = other {
        return Err(SnapshotError::Refused(format!("{} uses the volume {name}, too", other.name)));
    }
    let cause = "replaced by the recovered copy".to_owned();
    let mount =
        PlannedMount { destination: destination.clone(), fate: Fate::Destroyed, cause: cause.clone() };
    let planned = PlannedContainer {
        fate: Fate::Destroyed,
        ending: Ending::Untouched,
        cause: cause.clone(),
        mounts: vec![mount],
        container,
    };
    let used_by = vec![planned.container.id.clone()];
    let volumes = vec![PlannedVolume { volume, fate: Fate::Destroyed, cause, used_by }];
    Ok(Plan { containers: vec![planned], volumes, ..Plan::default() })
}

/// A snapshot of the service as if it had had the volume, proved. What it keeps in its writable layer comes from the
/// snapshot of what is there now.
async fn copy_in(request: &Request<'_>, before: Option<&Stored>) -> Result<Stored, SnapshotError> {
    let engine = request.engine;
    let started = (request.now)();
    let writer = request.store.begin(&format!("docker {}", request.command.join(" ")), started)?;
    let shown = crate::report::words::short(&request.volume.name);
    request.progress.stage(&format!("copying volume {shown}"), request.found.size_bytes);
    let file = format!("recovered-{}.tar.zst", plain_name(&request.volume.name));
    let artifact = writer.artifact(&file, Compression::Zstd)?;
    let sight = Sight { volumes: vec![request.volume.name.clone()], ..Sight::default() };
    let helper = Helper::create(engine, &sight).await?;
    let copied = copy::download(&helper.volume(0), "", artifact, &request.progress).await;
    helper.remove().await;
    let (written, census) = copied?;
    let artifact = Artifact {
        entries: census.entries,
        root: Some(census.root),
        ..artifact_of(written, ArtifactKind::PhysicalCopy, "tar.zst")
    };
    let container = engine.container(&request.container.id).await?;
    let container =
        container.ok_or_else(|| SnapshotError::Refused(format!("{} is gone", request.container.name)))?;
    let (mut own, secret) = recipe::of_container(engine, &container).await?;
    // It was stopped by us.
    own.was_running = request.container.state.has_processes();
    let volume = engine.volume(&request.placement.volume).await?;
    let volumes = volume.iter().map(|volume| recipe::of_volume(volume, true)).collect();
    let secrets = Secrets::from([(own.id.clone(), secret)]);
    let networks = recipe::of_networks(engine, std::slice::from_ref(&own)).await?;
    let mut items = vec![item(request, &container, artifact)];
    if let Some(before) = before {
        let layer = |item: &&Item| item.target.id == container.id && item.location == Location::WritableLayer;
        for item in before.manifest.items.iter().filter(layer) {
            item.artifacts.iter().try_for_each(|artifact| writer.adopt(before, artifact))?;
            items.push(item.clone());
        }
    }
    let mut manifest = Manifest {
        format_version: FORMAT_VERSION,
        id: writer.id().to_owned(),
        created: started,
        dbsafe: env!("CARGO_PKG_VERSION").to_owned(),
        command: request.command.clone(),
        engine: request.host.clone(),
        projects: container.project().map(str::to_owned).into_iter().collect(),
        items,
        containers: vec![own],
        volumes,
        networks,
        verification: Verification::none(),
        kept_until: None,
        recipients: Vec::new(),
    };
    let subject = verify::Subject {
        engine,
        files: &writer.files(),
        manifest: &manifest,
        secrets: &secrets,
        progress: &request.progress,
    };
    let proving = verify::prove(&subject, VerificationMethod::Restore, (request.now)());
    let (verification, found) = proving.await?;
    if verification.result != VerificationResult::Proved {
        return Err(SnapshotError::NotProved(verification.detail));
    }
    for (index, fingerprint) in found {
        if let Some(item) = manifest.items.get_mut(index) {
            item.fingerprint.get_or_insert(fingerprint);
        }
    }
    manifest.verification = verification;
    writer.secrets(&secrets)?;
    Ok(writer.commit(manifest)?)
}

fn item(request: &Request<'_>, container: &Container, artifact: Artifact) -> Item {
    let (found, placement) = (request.found, request.placement);
    let mount = container.mount_of(&placement.path);
    let anonymous = mount.is_some_and(|mount| mount.kind == MountKind::AnonymousVolume);
    Item {
        target: TargetRef::of_container(container),
        engine: found.engine.clone(),
        engine_version: found.engine_version.clone(),
        location: if anonymous { Location::AnonymousVolume } else { Location::NamedVolume },
        path: placement.path.clone(),
        volume: Some(placement.volume.clone()),
        identity: found.identity.clone(),
        contents: found.contents.clone(),
        fingerprint: None,
        consistency: Consistency::Stopped,
        artifacts: vec![artifact],
        not_kept: NOT_KEPT.iter().map(|&what| what.to_owned()).collect(),
    }
}

/// Waits for the service in its new shape and compares it with what the scratch server had.
async fn compare(request: &Request<'_>, made: &Stored) -> Result<(), SnapshotError> {
    if !request.container.state.has_processes() {
        return Ok(());
    }
    let secrets = made.secrets()?;
    let subject = verify::Subject {
        engine: request.engine,
        files: &made.files(),
        manifest: &made.manifest,
        secrets: &secrets,
        progress: &request.progress,
    };
    for recipe in &made.manifest.containers {
        let running = request.engine.container(&recipe.name).await?;
        let running = running.ok_or_else(|| SnapshotError::Refused(format!("{} is gone", recipe.name)))?;
        verify::compare_running(&subject, recipe, &running.id).await?;
    }
    Ok(())
}

/// Whether what a service has now is worth a word before it is replaced.
#[must_use]
pub fn replaces_data(evidence: &[Evidence], placement: &Placement) -> bool {
    evidence.iter().any(|seen| {
        seen.presence == Presence::Found
            && (seen.volume.as_ref() == Some(&placement.volume)
                || is_within(&seen.path, &placement.destination))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        coverage::Coverage,
        evidence::{Contents, TargetKind},
    };

    fn found(engine: &str, path: &str) -> Evidence {
        let target = TargetRef {
            kind: TargetKind::Volume,
            id: "old".to_owned(),
            name: "old".to_owned(),
            project: None,
            service: None,
        };
        Evidence {
            target,
            engine: Some(engine.to_owned()),
            engine_name: None,
            engine_version: None,
            location: Location::NamedVolume,
            path: path.to_owned(),
            volume: Some("old".to_owned()),
            presence: Presence::Found,
            size_bytes: None,
            contents: Contents::default(),
            last_write: None,
            running: false,
            fate: Fate::Survives,
            consequence: String::new(),
            identity: None,
            coverage: Coverage::none(),
        }
    }

    fn container(image: &str, mounts: &[(MountKind, &str)]) -> Container {
        let mount = |(kind, destination): &(MountKind, &str)| Mount {
            kind: *kind,
            destination: (*destination).to_owned(),
            volume: matches!(kind, MountKind::NamedVolume | MountKind::AnonymousVolume)
                .then(|| "new".to_owned()),
            source: Some("/srv".to_owned()),
            writable: true,
            part: None,
        };
        Container {
            image: image.to_owned(),
            mounts: mounts.iter().map(mount).collect(),
            ..Container::sample("1", "shop-db-1")
        }
    }

    #[test]
    fn a_server_that_has_nothing_yet_says_by_its_image_where_it_looks() {
        let at = |mounts: &[(MountKind, &str)], path: &str| {
            placement(&container("postgres:15", mounts), &[], &found("postgres", path), None)
        };
        let usual = "/var/lib/postgresql/data";
        let placed = at(&[(MountKind::NamedVolume, usual)], "/").unwrap();
        assert_eq!((placed.path.as_str(), placed.volume.as_str()), (usual, "new"));
        assert!(
            at(&[(MountKind::NamedVolume, usual)], "/18/docker").unwrap_err().contains("it is at /18/docker")
        );
        assert!(at(&[(MountKind::NamedVolume, "/var/lib/postgresql")], "/data").is_ok());
        assert!(at(&[(MountKind::Bind, usual)], "/").unwrap_err().contains("folder of the host, /srv"));
        assert!(at(&[], "/").unwrap_err().contains("writable layer"));
        let other = container("mariadb:11", &[(MountKind::NamedVolume, "/var/lib/mysql")]);
        let refused = placement(&other, &[], &found("postgres", "/"), None).unwrap_err();
        assert_eq!(refused, "shop-db-1 does not serve postgres");
    }

    #[test]
    fn an_applications_file_goes_to_its_only_volume_or_where_a_person_says() {
        let app = |mounts: &[(MountKind, &str)], at: Option<&str>| {
            placement(&container("app", mounts), &[], &found("sqlite", "/app.db"), at)
        };
        let one = app(&[(MountKind::AnonymousVolume, "/app/data")], None).unwrap();
        assert_eq!((one.path.as_str(), one.destination.as_str()), ("/app/data/app.db", "/app/data"));
        let two = [(MountKind::NamedVolume, "/a"), (MountKind::NamedVolume, "/b")];
        assert!(app(&two, None).unwrap_err().contains("--at"));
        assert_eq!(app(&two, Some("/b/")).unwrap().path, "/b/app.db");
        assert!(app(&two, Some("/c")).is_err());
        assert!(app(&[], None).is_err());
    }
}
