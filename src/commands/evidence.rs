//! What is there, and what backs it up.

use super::{app::App, known::Known};
use crate::{
    inspect::{self, Counter, Depth},
    model::{
        backup::Backup,
        coverage::CoverageStatus,
        evidence::{Evidence, Presence},
        plan::{Fate, Plan},
    },
    settings::{Extent, Settings},
};

/// What is there, with all that was found of it.
pub(super) struct Seen {
    pub(super) evidence: Vec<Evidence>,
    /// Of each, the backups that were looked at.
    pub(super) backups: Vec<Vec<Backup>>,
    pub(super) known: Known,
}

/// Looks at everything that the plan touches, and for backups of it, as far as it must be known.
pub(super) async fn gather(
    app: &App,
    settings: &Settings,
    plan: &Plan,
    depth: Depth,
    counter: &Counter,
) -> Vec<Evidence> {
    let extent = if depth == Depth::Everything { Extent::UntilElsewhere } else { Extent::UntilCovered };
    look(app, settings, plan, depth, (extent, counter)).await.evidence
}

/// Looks at everything that the plan touches, and for backups of it. Where a backup lets data go, what lies beside
/// that data is looked at, too: the backup is not of it.
pub(super) async fn look(
    app: &App,
    settings: &Settings,
    plan: &Plan,
    depth: Depth,
    (extent, counter): (Extent, &Counter),
) -> Seen {
    let looking = inspect::counted(&app.engine, plan, depth, counter);
    let (mut evidence, known) = tokio::join!(looking, Known::load(app));
    let mut backups = cover(app, settings, plan, &mut evidence, (extent, &known)).await;
    let is_settled = |seen: &Evidence| {
        let counts = depth == Depth::Everything || seen.fate >= Fate::Detached;
        counts && is_covered(seen)
    };
    let more = inspect::beside(&app.engine, plan, depth, &evidence, is_settled).await;
    if !more.is_empty() {
        evidence.extend(more);
        backups = cover(app, settings, plan, &mut evidence, (extent, &known)).await;
    }
    Seen { evidence, backups, known }
}

fn is_covered(seen: &Evidence) -> bool {
    seen.presence == Presence::Found && seen.coverage.status == CoverageStatus::Covered
}

/// Looks for backups, and adds what this host remembers of them. A search that ended at a backup which a drill could not
/// restore goes on to the others.
async fn cover(
    app: &App,
    settings: &Settings,
    plan: &Plan,
    evidence: &mut [Evidence],
    (extent, known): (Extent, &Known),
) -> Vec<Vec<Backup>> {
    let mut backups = settings.backups(app, plan, evidence, extent).await;
    let before: Vec<bool> = evidence.iter().map(is_covered).collect();
    known.add(evidence, &mut backups);
    let fell = before.iter().zip(&*evidence).any(|(before, seen)| *before && !is_covered(seen));
    if fell && extent != Extent::Everything {
        backups = settings.backups(app, plan, evidence, Extent::Everyone).await;
        known.add(evidence, &mut backups);
    }
    backups
}
