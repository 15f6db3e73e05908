//! Puts a snapshot in the place of what is there now. What is there now is saved first, and comes back the same way.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    keeper::Keeper,
    progress::Progress,
    snapshot::{self, Mode, SnapshotError},
    targets::{self, Target},
    undo, verify,
};
use crate::{
    cancel::Cancellation,
    docker::{
        engine::{Engine, is_helper},
        scratch::{run_token, sweep_run},
    },
    inspect::{self, Depth},
    model::{
        manifest::{EngineHost, Manifest, VerificationMethod, VerificationResult, VolumeRecipe},
        plan::Plan,
    },
    store::{Outcome, Store, Stored},
};

/// How long retention leaves alone what a swap took away: time enough to miss it.
const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What to put in the place of what is there.
pub struct Request<'a> {
    pub engine: &'a Engine,
    pub store: &'a Store,
    pub stored: &'a Stored,
    pub host: EngineHost,
    /// docker's arguments of the command that this is, for the snapshot of what is there now.
    pub command: Vec<String>,
    pub progress: Arc<dyn Progress>,
    pub cancellation: &'a Cancellation,
    pub now: fn() -> Timestamp,
}

/// What was done.
pub struct Swapped {
    /// The snapshot of what was there before; `None` where nothing was.
    pub before: Option<Stored>,
    /// What came back, a sentence each.
    pub said: Vec<String>,
}

/// Proves the snapshot, saves what is there now, and puts the snapshot's containers and volumes in its place.
///
/// # Errors
/// Where the snapshot is not proved, what is there cannot be saved, or the engine refuses. What was there runs again
/// then.
pub async fn swap(request: &Request<'_>, keeper: Option<Keeper>) -> Result<Swapped, SnapshotError> {
    let method = VerificationMethod::Restore;
    let proving = verify::verify_stored(
        request.engine,
        request.store,
        request.stored,
        method,
        &request.progress,
        (request.now)(),
    );
    let verification = proving.await?;
    if verification.result != VerificationResult::Proved {
        return Err(SnapshotError::NotProved(verification.detail));
    }
    let plan = in_the_way(request.engine, &request.stored.manifest).await?;
    let made = async |_: Option<&Stored>| Ok(request.stored.clone());
    replace(&request.surroundings(), &plan, keeper, made, async |_: &Stored| Ok(())).await
}

impl<'a> Request<'a> {
    fn surroundings(&self) -> Surroundings<'a> {
        Surroundings {
            engine: self.engine,
            store: self.store,
            host: self.host.clone(),
            command: self.command.clone(),
            progress: Arc::clone(&self.progress),
            cancellation: self.cancellation,
            now: self.now,
        }
    }
}

/// What a replacement works with.
pub(super) struct Surroundings<'a> {
    pub(super) engine: &'a Engine,
    pub(super) store: &'a Store,
    pub(super) host: EngineHost,
    pub(super) command: Vec<String>,
    pub(super) progress: Arc<dyn Progress>,
    pub(super) cancellation: &'a Cancellation,
    pub(super) now: fn() -> Timestamp,
}

/// Saves what the plan removes, which stops it; has the snapshot made that comes in its place, or found; replaces; and
/// has checked what runs then. Whatever fails, what was there runs again.
///
/// # Errors
/// Where any part of it fails.
pub(super) async fn replace(
    with: &Surroundings<'_>,
    plan: &Plan,
    keeper: Option<Keeper>,
    make: impl AsyncFnOnce(Option<&Stored>) -> Result<Stored, SnapshotError>,
    check: impl AsyncFnOnce(&Stored) -> Result<(), SnapshotError>,
) -> Result<Swapped, SnapshotError> {
    if plan.containers.is_empty() && plan.volumes.is_empty() {
        let said = bring_back(with, &make(None).await?, with.cancellation).await?;
        return Ok(Swapped { before: None, said });
    }
    let evidence = inspect::inspect(with.engine, plan, Depth::Copied).await;
    let saving = snapshot::Request {
        engine: with.engine,
        store: with.store,
        host: with.host.clone(),
        purpose: format!("docker {}", with.command.join(" ")),
        command: with.command.clone(),
        plan,
        evidence: &evidence,
        mode: Mode::Stop,
        // What is there may be broken: that is why it is replaced.
        dumps: false,
        verify: VerificationMethod::Checksum,
        kept_until: Some((with.now)() + KEPT),
        progress: Arc::clone(&with.progress),
        cancellation: with.cancellation,
        now: with.now,
    };
    let taken = snapshot::take(&saving, keeper).await.map_err(|failed| failed.error)?;
    let before = taken.stored.clone();
    let made = or_cancelled(with, make(Some(&before))).await;
    let outcome = Outcome { handed_over: (with.now)(), status: None, undone: None };
    let ready = made.and_then(|made| {
        with.store.record_outcome(&before, &outcome)?;
        Ok(made)
    });
    let made = match ready {
        Ok(made) => made,
        Err(error) => {
            // Each is said to whoever starts it by hand; the error says why they have to.
            let _ = taken.resume().await;
            sweep_run(with.engine, run_token()).await;
            let _ = with.store.remove(&before, (with.now)());
            return Err(error);
        }
    };
    taken.hand_over();
    let replaced = async {
        remove(with.engine, plan).await?;
        let said = bring_back(with, &made, with.cancellation).await?;
        or_cancelled(with, check(&made)).await.map(|()| said)
    };
    let replaced = replaced.await;
    with.progress.end();
    match replaced {
        Ok(said) => {
            taken.leave();
            let ended = Outcome { status: Some(0), undone: Some((with.now)()), ..outcome };
            with.store.record_outcome(&before, &ended)?;
            Ok(Swapped { before: Some(before), said })
        }
        Err(error) => {
            let back = take_back(with, &made, &before).await;
            taken.leave();
            match back {
                Ok(()) => Err(error),
                Err(other) => Err(SnapshotError::Refused(format!(
                    "{error}; and what was there could not be put back: {other}; try again with: docker dbsafe undo {}",
                    before.manifest.id
                ))),
            }
        }
    }
}

async fn or_cancelled<T>(
    with: &Surroundings<'_>,
    work: impl Future<Output = Result<T, SnapshotError>>,
) -> Result<T, SnapshotError> {
    tokio::select! {
        biased;
        () = with.cancellation.cancelled() => Err(SnapshotError::Cancelled),
        done = work => done,
    }
}

/// Puts back what was there, in the place of what was put there. Whoever wants to stop has to wait for it.
async fn take_back(with: &Surroundings<'_>, made: &Stored, before: &Stored) -> Result<(), SnapshotError> {
    let engine = with.engine;
    for recipe in &made.manifest.containers {
        let Some(found) = engine.container(&recipe.name).await? else { continue };
        if !before.manifest.containers.iter().any(|old| old.id == found.id) {
            engine.stop(&found.id, None).await?;
            engine.remove_container(&found.id).await?;
        }
    }
    for recipe in &made.manifest.volumes {
        let Some(found) = engine.volume(&recipe.name).await? else { continue };
        // Where it cannot be told from a later namesake, it stays, and taking it back says so.
        let is_old = |old: &VolumeRecipe| {
            old.name == found.name && (old.created == found.created || !found.keeps_created)
        };
        if !before.manifest.volumes.iter().any(is_old) {
            engine.remove_volume(&found.name).await?;
        }
    }
    bring_back(with, before, &Cancellation::manual()).await.map(drop)
}

/// What has the names that the snapshot needs, as a plan of what goes.
///
/// # Errors
/// Where something else uses a volume of it, or the engine does not answer.
pub async fn in_the_way(engine: &Engine, manifest: &Manifest) -> Result<Plan, SnapshotError> {
    let mut ours = Vec::new();
    for recipe in &manifest.containers {
        if let Some(found) = engine.container(&recipe.name).await? {
            ours.push(found.id);
        }
    }
    let mut targets: Vec<Target> = ours.iter().cloned().map(Target::Container).collect();
    let containers = engine.containers().await?;
    for volume in &manifest.volumes {
        if engine.volume(&volume.name).await?.is_none() {
            continue;
        }
        let mut users = containers.iter().filter(|listed| listed.volumes.contains(&volume.name));
        if let Some(other) = users.find(|listed| !ours.contains(&listed.id) && !is_helper(&listed.labels)) {
            return Err(SnapshotError::Refused(format!(
                "{} uses volume {}, and is not part of the snapshot: remove it first",
                other.name, volume.name
            )));
        }
        targets.push(Target::Volume(volume.name.clone()));
    }
    let mut plan = targets::plan_for(engine, &targets).await?;
    // A volume that the snapshot does not have stays where it is.
    plan.volumes.retain(|planned| manifest.volumes.iter().any(|own| own.name == planned.volume.name));
    Ok(plan)
}

/// Removes what was saved: containers without their volumes, then just the volumes that the snapshot has.
async fn remove(engine: &Engine, plan: &Plan) -> Result<(), SnapshotError> {
    for planned in &plan.containers {
        engine.remove_container(&planned.container.id).await?;
    }
    for planned in &plan.volumes {
        engine.remove_volume(&planned.volume.name).await?;
    }
    Ok(())
}

async fn bring_back(
    with: &Surroundings<'_>,
    stored: &Stored,
    cancellation: &Cancellation,
) -> Result<Vec<String>, SnapshotError> {
    let undoing = undo::Request {
        engine: with.engine,
        store: with.store,
        stored,
        progress: Arc::clone(&with.progress),
        cancellation,
        now: with.now,
    };
    undo::undo(&undoing).await
}
