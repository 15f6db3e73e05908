//! Redis and its kin: an RDB file, which a server of the same or a newer format reads at its start.

use super::{New, Request};
use crate::{
    act::{
        copy,
        dump::Server,
        fresh::{Fresh, Like},
        restore::check,
        snapshot::SnapshotError,
        verify::ENDED,
    },
    docker::{
        archive::Place,
        scratch::{run_token, sweep_run},
    },
    engines::{
        recipe::{Comparison, Recipe, compare},
        reload::explained,
    },
    model::{
        container::is_within,
        manifest::{Artifact, Fingerprint, Item},
    },
};

/// The one server that has an RDB file.
pub(super) struct Source<'a> {
    pub(super) item: &'a Item,
    pub(super) how: &'static Recipe,
    /// The engine's id.
    pub(super) kind: &'a str,
    pub(super) artifact: &'a Artifact,
}

/// Has a server of the image read the file where nothing is at stake; then it gets volumes of its own.
pub(super) async fn restore(
    request: &Request<'_>,
    source: &Source<'_>,
    made: &mut (Option<String>, Vec<String>),
) -> Result<String, SnapshotError> {
    let (engine, progress) = (request.engine, &request.progress);
    let artifact = source.artifact;
    let (Some(folder), Some(file)) = (artifact.parent.as_deref(), artifact.root.as_deref()) else {
        return Err(SnapshotError::Refused(format!(
            "{} keeps an append-only file, which its server reads at its start in the place of a dump: leave --image away",
            request.recipe.name
        )));
    };
    check(request.stored, artifact, progress).await?;
    let new = New::prepare(request).await?;
    let tried = try_out(request, source, &new, folder).await;
    sweep_run(engine, run_token()).await;
    let counted = tried?;
    let folder = folder_of(&new, folder);
    let mounts = new.volumes(request, &folder, &mut made.1).await?;
    progress.stage(&format!("starting {}", request.image), None);
    let container = new.create(request, mounts).await?;
    made.0 = Some(container.clone());
    let place = Place::new(engine, &container, &folder);
    let owner = place.owner("").await?.unwrap_or((0, 0));
    copy::put_file(&place, &request.stored.file(artifact), file, owner).await?;
    engine.start(&container).await?;
    let server = Server { container, data: folder, arguments: new.arguments() };
    let fresh = Fresh::of(engine, server, source.how);
    if let Some(cause) = fresh.wait().await {
        return Err(SnapshotError::NotProved(format!(
            "{} does not serve what was saved: {cause}",
            request.image
        )));
    }
    progress.stage("comparing", None);
    same(source, &fresh.fingerprint().await?)?;
    Ok(counted)
}

/// Starts a server of the image on the file, on nothing of anybody's, and removes it again. What it has, in a clause.
async fn try_out(
    request: &Request<'_>,
    source: &Source<'_>,
    new: &New,
    folder: &str,
) -> Result<String, SnapshotError> {
    let like = Like {
        engine: request.engine,
        recipe: &new.recipe,
        secrets: &new.secrets,
        kind: source.kind,
        data: folder,
        progress: &request.progress,
    };
    let started = like.start_on(&request.stored.file(source.artifact)).await?;
    let fresh = started.map_err(|complaint| {
        let told = if complaint.starts_with(ENDED) { explained(&complaint) } else { complaint };
        SnapshotError::Refused(format!("{} does not serve what was saved: {told}", request.image))
    })?;
    let after = fresh.fingerprint().await;
    fresh.remove().await;
    same(source, &after?)
}

fn same(source: &Source<'_>, after: &Fingerprint) -> Result<String, SnapshotError> {
    let (_, keys) = after.totals();
    let Some(before) = &source.item.fingerprint else { return Ok(format!("{keys} keys")) };
    match compare(before, after, Some(false)) {
        Comparison::Same => Ok(format!("{keys} keys, as they were saved")),
        Comparison::WrittenSince(what) | Comparison::Different(what) => Err(SnapshotError::NotProved(what)),
    }
}

/// Where the new server looks for its file: where the old one did, if somebody or the new image says that place, and
/// else where the image has its servers start.
fn folder_of(new: &New, old: &str) -> String {
    let is_named = new.arguments().split_whitespace().any(|word| word == old);
    if is_named || new.declared().iter().any(|volume| is_within(old, volume)) {
        return old.to_owned();
    }
    let start = new.image["Config"]["WorkingDir"].as_str().unwrap_or_default().trim_end_matches('/');
    if start.is_empty() { old.to_owned() } else { start.to_owned() }
}
