//! Counts fresh, proved snapshots as backups of the data that they are of.

use super::app::App;
use crate::{
    model::{
        coverage::{Coverage, CoverageStatus},
        evidence::{Evidence, Presence},
        plan::Plan,
    },
    settings::{Settings, place},
    store::{Store, Subject},
};

/// Fills in what snapshots back up, where nothing else does.
pub(super) async fn cover(app: &App, settings: &Settings, plan: &Plan, evidence: &mut [Evidence]) {
    // A store that is not there, or cannot be read, backs nothing up.
    let Some(home) = place::home(&app.environment).filter(|home| home.join("snapshots").is_dir()) else {
        return;
    };
    for seen in evidence {
        let is_backed_up = seen.coverage.status == CoverageStatus::Covered;
        if is_backed_up || seen.presence != Presence::Found || seen.engine.is_none() {
            continue;
        }
        let (Ok(max_age), _) = settings.weigh(plan, seen).max_backup_age else { continue };
        let volume = match &seen.volume {
            Some(name) => app.engine.volume(name).await.ok().flatten(),
            None => None,
        };
        let (copy, home, now) = (seen.clone(), home.clone(), app.now());
        let look = tokio::task::spawn_blocking(move || -> Option<Coverage> {
            let volume_created = volume.as_ref().map(|volume| volume.created.as_str());
            Store::open(&home).ok()?.coverage(Subject { seen: &copy, volume_created }, max_age, now).ok()?
        });
        let found = look.await.ok().flatten();
        if let Some(found) = found.filter(|found| {
            found.status == CoverageStatus::Covered || seen.coverage.status == CoverageStatus::None
        }) {
            seen.coverage = found;
        }
    }
}
