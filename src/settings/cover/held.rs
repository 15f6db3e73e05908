//! What other tools' repositories and buckets hold, to be fetched out of them: for a drill.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;

use super::{Extent, Look, Search, Surroundings, known_names, limits, repository};
use crate::{
    commands::app::App,
    inspect::backups::{
        Limits,
        keepers::Wanted,
        tools::{Holding, Repository, holdings},
    },
    model::{evidence::Evidence, plan::Plan},
    settings::{Settings, holder::Holder},
};

/// However old: what is tried out is the newest.
const AGES: SignedDuration = SignedDuration::from_hours(24 * 365 * 100);

/// Something of a body of data, and what it is fetched from; without that, it could not be opened.
pub struct Held {
    pub repository: Option<Arc<dyn Repository + Send + Sync>>,
    pub holding: Holding,
}

impl Settings {
    /// What the repositories and buckets that rules name, and those of containers of restic's, hold of one body of
    /// data, made since a moment. They are asked as for `backups`, in the same places.
    pub async fn held(
        &self,
        app: &App,
        plan: &Plan,
        (evidence, index): (&[Evidence], usize),
        since: Option<Timestamp>,
    ) -> Vec<Held> {
        let seen = &evidence[index];
        let programs: Vec<_> = self
            .looks(plan, evidence, index)
            .into_iter()
            .filter_map(|look| match look {
                Look::Program(program) => Some(program),
                Look::Files { .. } | Look::Usual(_) | Look::Unknown(_) => None,
            })
            .collect();
        let surroundings = Surroundings::default();
        let keepers = surroundings.keepers(app).await;
        if programs.is_empty() && keepers.is_empty() {
            return Vec::new();
        }
        let limits = limits(app, since.map_or(AGES, |since| app.now().duration_since(since)));
        let mut search = Search { app, plan, surroundings: &surroundings, extent: Extent::Drill, limits };
        let container = Holder::of(plan, seen).container;
        let others = surroundings.containers(app).await;
        search.limits.live = search.live(seen, container, others).await;
        let runs = container.filter(|container| container.state.has_processes());
        let (places, limits, seen, container) =
            (search.places(runs), search.limits, seen.clone(), container.cloned());
        let (engine, runtime) = (app.engine.clone(), Handle::current());
        let work = move || {
            let words = known_names(&seen);
            let mut found = Vec::new();
            let mut add = |opened: Arc<dyn Repository + Send + Sync>, limits: &Limits| {
                let all = holdings(opened.as_ref(), &words, &seen, limits);
                found.extend(
                    all.into_iter().map(|holding| Held { repository: Some(Arc::clone(&opened)), holding }),
                );
            };
            let mut closed = Vec::new();
            for program in &programs {
                match repository(program, &places, &limits) {
                    Some(Ok(opened)) => add(opened.into(), &limits),
                    Some(Err(row)) => closed.push(Held { repository: None, holding: Holding::unknown(row) }),
                    None => {}
                }
            }
            let wanted = Wanted {
                engine: &engine,
                seen: &seen,
                container: container.as_ref(),
                limits: &limits,
                words: &words,
                runtime,
                patience: Extent::Drill.patience(),
            };
            for (opened, limits) in keepers.iter().filter_map(|keeper| keeper.repository(&wanted)) {
                add(Arc::new(opened), &limits);
            }
            found.extend(closed);
            found
        };
        // A panic there has said its word already.
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }
}
