//! What is there, and what backs it up.

use super::{app::App, known};
use crate::{
    inspect::{self, Counter, Depth},
    model::{
        coverage::CoverageStatus,
        evidence::{Evidence, Presence},
        plan::{Fate, Plan},
    },
    settings::{Extent, Settings},
};

/// Looks at everything that the plan touches, and for backups of it. Where a backup lets data go, what lies beside
/// that data is looked at, too: the backup is not of it.
pub(super) async fn gather(
    app: &App,
    settings: &Settings,
    plan: &Plan,
    depth: Depth,
    counter: &Counter,
) -> Vec<Evidence> {
    let mut evidence = inspect::counted(&app.engine, plan, depth, counter).await;
    let extent = if depth == Depth::Everything { Extent::UntilElsewhere } else { Extent::UntilCovered };
    settings.cover(app, plan, &mut evidence, extent).await;
    known::add(app, &mut evidence);
    let is_settled = |seen: &Evidence| {
        let counts = depth == Depth::Everything || seen.fate >= Fate::Detached;
        counts && seen.presence == Presence::Found && seen.coverage.status == CoverageStatus::Covered
    };
    let more = inspect::beside(&app.engine, plan, depth, &evidence, is_settled).await;
    if !more.is_empty() {
        evidence.extend(more);
        settings.cover(app, plan, &mut evidence, extent).await;
        known::add(app, &mut evidence);
    }
    evidence
}
