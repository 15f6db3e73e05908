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
    docker::engine::{Engine, is_helper},
    inspect::{self, Depth},
    model::{
        manifest::{EngineHost, VerificationMethod, VerificationResult},
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
    let plan = in_the_way(request).await?;
    if plan.containers.is_empty() && plan.volumes.is_empty() {
        return Ok(Swapped { before: None, said: bring_back(request, request.stored).await? });
    }
    let evidence = inspect::inspect(request.engine, &plan, Depth::Copied).await;
    let command: Vec<String> =
        ["dbsafe", "restore", "--swap", &request.stored.manifest.id].map(str::to_owned).into();
    let saving = snapshot::Request {
        engine: request.engine,
        store: request.store,
        host: request.host.clone(),
        purpose: format!("docker {}", command.join(" ")),
        command,
        plan: &plan,
        evidence: &evidence,
        mode: Mode::Stop,
        // What is there may be broken: that is why it is replaced.
        dumps: false,
        verify: VerificationMethod::Checksum,
        kept_until: Some((request.now)() + KEPT),
        progress: Arc::clone(&request.progress),
        cancellation: request.cancellation,
        now: request.now,
    };
    let taken = snapshot::take(&saving, keeper).await.map_err(|failed| failed.error)?;
    let before = taken.stored.clone();
    let outcome = Outcome { handed_over: (request.now)(), status: None, undone: None };
    if let Err(error) = request.store.record_outcome(&before, &outcome) {
        // Each is said to whoever starts it by hand; the error says why they have to.
        let _ = taken.resume().await;
        return Err(error.into());
    }
    taken.hand_over();
    let replaced = match remove(request.engine, &plan).await {
        Ok(()) => bring_back(request, request.stored).await,
        Err(error) => Err(error),
    };
    match replaced {
        Ok(said) => {
            taken.leave();
            let ended = Outcome { status: Some(0), undone: Some((request.now)()), ..outcome };
            request.store.record_outcome(&before, &ended)?;
            Ok(Swapped { before: Some(before), said })
        }
        Err(error) => {
            bring_back(request, &before).await?;
            taken.leave();
            Err(error)
        }
    }
}

/// What has the names that the snapshot needs, as a plan of what goes.
async fn in_the_way(request: &Request<'_>) -> Result<Plan, SnapshotError> {
    let (engine, manifest) = (request.engine, &request.stored.manifest);
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

async fn bring_back(request: &Request<'_>, stored: &Stored) -> Result<Vec<String>, SnapshotError> {
    let undoing = undo::Request {
        engine: request.engine,
        store: request.store,
        stored,
        progress: Arc::clone(&request.progress),
        cancellation: request.cancellation,
        now: request.now,
    };
    undo::undo(&undoing).await
}
